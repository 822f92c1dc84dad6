// SPDX-License-Identifier: MIT OR Apache-2.0
// Who is behind an owner's id: the participants of a matrix by id, and what each has.
#include "owners.hpp"

#include "error.hpp"
#include "output.hpp"

#include <fmt/format.h>

namespace tool {

std::vector<weir_participant_info> participants_of(Matrix const &matrix)
{
    std::vector<weir_participant_info> found;
    int const code = each_participant(
        matrix, [&found](weir_participant_info const &info) { found.push_back(info); });
    must(code, "participants");
    return found;
}

std::string owner_text(std::uint64_t owner)
{
    return owner == WEIR_OWNER_NONE ? "nobody" : fmt::format("{:#x}", owner);
}

OwnerNames::OwnerNames(Matrix const &matrix)
{
    for (auto const &info : participants_of(matrix))
        infos_[info.participant] = info;
}

weir_participant_info const *OwnerNames::info(std::uint64_t owner) const
{
    auto const found = infos_.find(owner);
    return found == infos_.end() ? nullptr : &found->second;
}

std::string OwnerNames::text(std::uint64_t owner) const
{
    weir_participant_info const *const found = info(owner);
    if (found == nullptr)
        return owner_text(owner);
    return fmt::format("{} (pid {}{})", bounded(found->name, sizeof found->name), found->pid,
                       found->state == WEIR_PARTICIPANT_LIVE ? "" : ", dead");
}

std::map<std::uint64_t, OwnerSum> sums_by_owner(Matrix const &matrix)
{
    std::map<std::uint64_t, OwnerSum> sums;
    int const code = each_block(matrix, [&sums](weir_block_info const &block) {
        if (block.block != WEIR_REF_NONE)
            sums[block.owner].add(block);
    });
    must(code, "walk");
    return sums;
}

} // namespace tool
