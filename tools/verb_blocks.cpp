// SPDX-License-Identifier: MIT OR Apache-2.0
// weir blocks: who holds which blocks.
#include "verbs.hpp"

#include "clock.hpp"
#include "error.hpp"
#include "matrix_handle.hpp"
#include "names.hpp"
#include "output.hpp"
#include "owners.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tool {
namespace {
using Refs = std::unordered_set<weir_ref>;

struct Listing {
    OwnerNames owners;
    std::vector<weir_block_info> blocks;    ///< the first `limit` of them
    std::uint64_t total = 0;                ///< all that match
    std::map<std::uint64_t, OwnerSum> sums; ///< by owner
};

/// A block has no time stamp. One whose ref is there before and after a wait was there all the
/// time: a ref names one allocation, but for its generation, which comes round after 16384.
Refs refs_before(Matrix const &matrix, std::int64_t wait_ns)
{
    Refs refs;
    int const code = each_block(matrix, [&refs](weir_block_info const &block) {
        if (block.block != WEIR_REF_NONE)
            refs.insert(block.block);
    });
    must(code, "walk");
    std::int64_t const end = now_ns() + wait_ns;
    for (std::int64_t left = wait_ns; left > 0; left = end - now_ns())
        sleep_ns(left);
    return refs;
}

Listing gather(BlocksOptions const &options)
{
    Matrix const matrix = observe_matrix(options.target.name, options.target.foreign);
    bool const old_only = options.older_than_ns > 0;
    Refs const old = old_only ? refs_before(matrix, options.older_than_ns) : Refs{};
    Listing listing{OwnerNames(matrix), {}, 0, {}};
    int const code = each_block(matrix, [&](weir_block_info const &block) {
        if (!options.all && block.block == WEIR_REF_NONE)
            return; // free, cached or in the hands of an operation
        if (old_only && old.count(block.block) == 0)
            return;
        ++listing.total;
        if (options.limit == 0 || listing.blocks.size() < options.limit)
            listing.blocks.push_back(block);
        listing.sums[block.owner].add(block);
    });
    must(code, "walk");
    return listing;
}

std::string state_text(std::uint32_t state) { return state == 0 ? "-" : std::to_string(state); }

void show_each(Listing const &listing)
{
    Table table({"block", "sector", "offset", "bytes", "kind", "state", "owner"}, {0, 1, 4, 6});
    for (auto const &block : listing.blocks)
        table.add({block.block == WEIR_REF_NONE ? "-" : fmt::format("{:#018x}", block.block),
                   sector_name(block.sector), fmt::format("{:#x}", block.offset),
                   std::to_string(block.length), block_kind_name(block.kind),
                   state_text(block.state), listing.owners.text(block.owner)});
    std::string text = listing.total == 0 ? "no blocks\n" : table.text();
    if (listing.blocks.size() < listing.total)
        text += fmt::format("{} of {} blocks; --limit 0 shows all\n", listing.blocks.size(),
                            listing.total);
    print(text);
}

/// Those with most bytes first.
std::vector<std::pair<std::uint64_t, OwnerSum>>
by_bytes(std::map<std::uint64_t, OwnerSum> const &sums)
{
    std::vector<std::pair<std::uint64_t, OwnerSum>> sorted(sums.begin(), sums.end());
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](auto const &a, auto const &b) { return a.second.bytes > b.second.bytes; });
    return sorted;
}

void show_owners(Listing const &listing)
{
    Table table({"owner", "state", "blocks", "bytes", "largest"}, {0, 1});
    for (auto const &[owner, sum] : by_bytes(listing.sums)) {
        weir_participant_info const *const info = listing.owners.info(owner);
        table.add({listing.owners.text(owner),
                   info == nullptr ? "-" : participant_state_name(info->state),
                   std::to_string(sum.blocks), human_bytes(sum.bytes), human_bytes(sum.largest)});
    }
    print(listing.total == 0 ? "no blocks\n" : table.text());
}

nlohmann::ordered_json blocks_json(Listing const &listing)
{
    auto list = nlohmann::ordered_json::array();
    for (auto const &block : listing.blocks)
        list.push_back({{"block", fmt::format("{:#x}", block.block)},
                        {"sector", sector_name(block.sector)},
                        {"offset", block.offset},
                        {"bytes", block.length},
                        {"kind", block_kind_name(block.kind)},
                        {"state", block.state},
                        {"generation", block.generation},
                        {"owner", block.owner},
                        {"owner_name", listing.owners.text(block.owner)}});
    return list;
}

nlohmann::ordered_json owners_json(Listing const &listing)
{
    auto list = nlohmann::ordered_json::array();
    for (auto const &[owner, sum] : by_bytes(listing.sums)) {
        nlohmann::ordered_json entry{{"owner", owner},
                                     {"owner_name", listing.owners.text(owner)},
                                     {"blocks", sum.blocks},
                                     {"bytes", sum.bytes},
                                     {"largest", sum.largest}};
        if (auto const *const info = listing.owners.info(owner); info != nullptr) {
            entry["name"] = bounded(info->name, sizeof info->name);
            entry["pid"] = info->pid;
            entry["state"] = participant_state_name(info->state);
            entry["alive"] = info->state == WEIR_PARTICIPANT_LIVE;
        }
        list.push_back(entry);
    }
    return list;
}
} // namespace

int show_blocks(BlocksOptions const &options)
{
    Listing const listing = gather(options);
    if (options.target.json && options.by_owner)
        print_json({{"total", listing.total}, {"owners", owners_json(listing)}});
    else if (options.target.json)
        print_json({{"total", listing.total}, {"blocks", blocks_json(listing)}});
    else
        options.by_owner ? show_owners(listing) : show_each(listing);
    return 0;
}

} // namespace tool
