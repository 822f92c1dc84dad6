// SPDX-License-Identifier: MIT OR Apache-2.0
// Who is behind an owner's id: the participants of a matrix by id.
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

OwnerNames::OwnerNames(Matrix const &matrix)
{
    for (auto const &info : participants_of(matrix))
        names_[info.participant] =
            fmt::format("{} (pid {}{})", bounded(info.name, sizeof info.name), info.pid,
                        info.state == WEIR_PARTICIPANT_LIVE ? "" : ", dead");
}

std::string OwnerNames::text(std::uint64_t owner) const
{
    if (owner == WEIR_OWNER_NONE)
        return "nobody";
    auto const found = names_.find(owner);
    return found == names_.end() ? fmt::format("{:#x}", owner) : found->second;
}

} // namespace tool
