// SPDX-License-Identifier: MIT OR Apache-2.0
// weir stat: sizes, counters and roots of one segment.
#include "verbs.hpp"

#include "matrix_handle.hpp"
#include "names.hpp"
#include "output.hpp"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tool {
namespace {
struct Facts {
    std::string uuid;
    weir_matrix_info stats;
    weir_memory_info memory;
    std::vector<weir_root_info> roots;
};

Facts facts_of(Target const &target)
{
    Matrix const matrix = observe_matrix(target.name, target.foreign);
    Facts facts{uuid_of(matrix), stats_of(matrix), memory_of(matrix), {}};
    each_root(matrix, [&facts](weir_root_info const &root) { facts.roots.push_back(root); });
    return facts;
}

std::string root_name(weir_root_info const &root) { return bounded(root.name, sizeof root.name); }

void show_text(Target const &target, Facts const &facts)
{
    weir_matrix_info const &s = facts.stats;
    std::string text = fmt::format("{}  {}\n", printable(target.name), facts.uuid);
    text += fmt::format("capacity   {}, {} committed, {} of tables and index\n",
                        human_bytes(s.capacity), human_bytes(s.committed_bytes),
                        human_bytes(s.overhead_bytes));
    text += fmt::format("file       {} granted, in pages of {}\n",
                        human_bytes(facts.memory.file_bytes), human_bytes(facts.memory.page_bytes));
    text += fmt::format("in use     {} in {} blocks\n", human_bytes(s.used_bytes), s.used_blocks);
    text += fmt::format("free       {} in {} blocks, the largest {}\n", human_bytes(s.free_bytes),
                        s.free_blocks, human_bytes(s.largest_free_bytes));
    text += fmt::format("           {} scattered, {} kept by threads, {} trimmed\n",
                        human_bytes(s.scattered_bytes), human_bytes(s.cached_bytes),
                        human_bytes(s.trimmed_bytes));
    text += fmt::format("calls      {} allocs, {} frees, {} failures, {} stalls\n", s.allocs,
                        s.frees, s.failures, s.stalls);
    text +=
        fmt::format("processes  {} participants, {} deaths healed\n\n", s.participants, s.deaths);

    Table sectors({"sector", "step", "committed", "in use", "blocks", "free", "trimmed"});
    for (weir_sector i = 0; i < kSectors; ++i)
        sectors.add({sector_name(i), human_bytes(s.sector_granule[i]),
                     human_bytes(s.sector_committed[i]), human_bytes(s.sector_used[i]),
                     std::to_string(s.sector_blocks[i]), human_bytes(s.sector_free[i]),
                     human_bytes(s.sector_trimmed[i])});
    text += sectors.text();

    Table roots({"root", "kind", "block"}, {0, 1});
    for (auto const &root : facts.roots)
        roots.add({root_name(root), root_kind_name(root.kind), fmt::format("{:#x}", root.block)});
    if (!facts.roots.empty())
        text += "\n" + roots.text();
    print(text);
}

nlohmann::ordered_json sectors_json(weir_matrix_info const &s)
{
    auto list = nlohmann::ordered_json::array();
    for (weir_sector i = 0; i < kSectors; ++i)
        list.push_back({{"sector", sector_name(i)},
                        {"granule", s.sector_granule[i]},
                        {"committed_bytes", s.sector_committed[i]},
                        {"used_bytes", s.sector_used[i]},
                        {"used_blocks", s.sector_blocks[i]},
                        {"free_bytes", s.sector_free[i]},
                        {"trimmed_bytes", s.sector_trimmed[i]}});
    return list;
}

nlohmann::ordered_json roots_json(std::vector<weir_root_info> const &roots)
{
    auto list = nlohmann::ordered_json::array();
    for (auto const &root : roots)
        list.push_back({{"name", root_name(root)},
                        {"kind", root_kind_name(root.kind)},
                        {"block", fmt::format("{:#x}", root.block)},
                        {"retired", root.retired != 0}});
    return list;
}

void show_json(Target const &target, Facts const &facts)
{
    weir_matrix_info const &s = facts.stats;
    print_json({{"name", target.name},
                {"uuid", facts.uuid},
                {"capacity", s.capacity},
                {"segment_bytes", s.segment_bytes},
                {"file_bytes", facts.memory.file_bytes},
                {"page_bytes", facts.memory.page_bytes},
                {"committed_bytes", s.committed_bytes},
                {"overhead_bytes", s.overhead_bytes},
                {"used_bytes", s.used_bytes},
                {"used_blocks", s.used_blocks},
                {"free_bytes", s.free_bytes},
                {"free_blocks", s.free_blocks},
                {"largest_free_bytes", s.largest_free_bytes},
                {"scattered_bytes", s.scattered_bytes},
                {"cached_bytes", s.cached_bytes},
                {"trimmed_bytes", s.trimmed_bytes},
                {"claimed_bytes", s.claimed_bytes},
                {"allocs", s.allocs},
                {"frees", s.frees},
                {"failures", s.failures},
                {"stalls", s.stalls},
                {"deaths", s.deaths},
                {"participants", s.participants},
                {"sectors", sectors_json(s)},
                {"roots", roots_json(facts.roots)}});
}
} // namespace

int show_stat(Target const &target)
{
    Facts const facts = facts_of(target);
    target.json ? show_json(target, facts) : show_text(target, facts);
    return 0;
}

} // namespace tool
