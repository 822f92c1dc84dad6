// SPDX-License-Identifier: MIT OR Apache-2.0
// weir blocks: who holds which blocks.
#include "verbs.hpp"

#include "error.hpp"
#include "matrix_handle.hpp"
#include "names.hpp"
#include "output.hpp"
#include "owners.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tool {
namespace {
struct Sum {
    std::uint64_t blocks = 0;
    std::uint64_t bytes = 0;
    std::uint64_t largest = 0;
};

struct Listing {
    OwnerNames owners;
    std::vector<weir_block_info> blocks; ///< the first `limit` of them
    std::uint64_t total = 0;             ///< all that match
    std::map<std::uint64_t, Sum> sums;   ///< by owner
};

Listing gather(BlocksOptions const &options)
{
    Matrix const matrix = attach_matrix(options.target.name, options.target.foreign);
    Listing listing{OwnerNames(matrix), {}, 0, {}};
    int const code = each_block(matrix, [&](weir_block_info const &block) {
        if (!options.all && block.block == WEIR_REF_NONE)
            return; // free, cached or in the hands of an operation
        ++listing.total;
        if (options.limit == 0 || listing.blocks.size() < options.limit)
            listing.blocks.push_back(block);
        Sum &sum = listing.sums[block.owner];
        ++sum.blocks;
        sum.bytes += block.length;
        sum.largest = std::max(sum.largest, block.length);
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

void show_owners(Listing const &listing)
{
    Table table({"owner", "blocks", "bytes", "largest"});
    for (auto const &[owner, sum] : listing.sums)
        table.add({listing.owners.text(owner), std::to_string(sum.blocks), human_bytes(sum.bytes),
                   human_bytes(sum.largest)});
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
    for (auto const &[owner, sum] : listing.sums)
        list.push_back({{"owner", owner},
                        {"owner_name", listing.owners.text(owner)},
                        {"blocks", sum.blocks},
                        {"bytes", sum.bytes},
                        {"largest", sum.largest}});
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
