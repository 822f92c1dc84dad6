// SPDX-License-Identifier: MIT OR Apache-2.0
// weir check and weir heal: is a segment whole, and what the dead left in it.
#include "verbs.hpp"

#include "error.hpp"
#include "matrix_handle.hpp"
#include "output.hpp"

#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tool {
namespace {
using Field = std::pair<char const *, std::uint64_t>;

/// The findings that make a segment broken, in the words of the report.
std::vector<Field> errors_of(weir_check_report const &report)
{
    return {{"broken_chains", report.broken_chains},   {"wrong_tails", report.wrong_tails},
            {"unmerged_pairs", report.unmerged_pairs}, {"unfindable", report.unfindable},
            {"miscounted", report.miscounted},         {"dangling", report.dangling}};
}

void show_text(weir_check_report const &report, int errors)
{
    std::string text =
        fmt::format("{} blocks, {} in use ({}), {} free\n", report.blocks, report.used_blocks,
                    human_bytes(report.used_bytes), human_bytes(report.free_bytes));
    if (report.trimmed_bytes > 0)
        text += fmt::format("{} given back to the system\n", human_bytes(report.trimmed_bytes));
    if (report.dead_blocks > 0)
        text +=
            fmt::format("{} blocks belong to dead participants: weir heal\n", report.dead_blocks);
    if (report.orphans > 0)
        text +=
            fmt::format("{} blocks ({}) of nobody that no root, channel, pool or router names\n",
                        report.orphans, human_bytes(report.orphan_bytes));
    if (report.freed_roots > 0)
        text += fmt::format("{} names of blocks that were freed\n", report.freed_roots);
    if (report.unsettled > 0)
        text += fmt::format("{} blocks changed meanwhile and were not judged\n", report.unsettled);
    if (report.repaired > 0)
        text += fmt::format("{} of the errors repaired\n", report.repaired);
    for (auto const &[name, count] : errors_of(report))
        if (count > 0)
            text += fmt::format("error: {} {}\n", count, name);
    if (errors > 0)
        text += fmt::format("{} errors, the first at offset {:#x}\n", errors,
                            report.first_error_offset);
    else
        text += "whole: no errors\n";
    print(text);
}

void show_json(weir_check_report const &report, int errors)
{
    nlohmann::ordered_json object{{"errors", errors},
                                  {"blocks", report.blocks},
                                  {"used_blocks", report.used_blocks},
                                  {"used_bytes", report.used_bytes},
                                  {"free_bytes", report.free_bytes},
                                  {"trimmed_bytes", report.trimmed_bytes},
                                  {"dead_blocks", report.dead_blocks},
                                  {"orphans", report.orphans},
                                  {"orphan_bytes", report.orphan_bytes},
                                  {"repaired", report.repaired},
                                  {"freed_roots", report.freed_roots},
                                  {"unsettled", report.unsettled},
                                  {"first_error_offset", report.first_error_offset}};
    for (auto const &[name, count] : errors_of(report))
        object[name] = count;
    print_json(object);
}
} // namespace

int check_segment(CheckOptions const &options)
{
    auto const open = options.repair ? attach_matrix : observe_matrix;
    Matrix const matrix = open(options.target.name, options.target.foreign);
    weir_check_report report = WEIR_CHECK_REPORT_INIT;
    weir_check_flags const flags = options.repair ? WEIR_CHECK_REPAIR : 0;
    int const errors = must(weir_matrix_check(matrix.get(), flags, &report), "check");
    options.target.json ? show_json(report, errors) : show_text(report, errors);
    return errors == 0 ? 0 : 1;
}

int heal_segment(Target const &target)
{
    Matrix const matrix = attach_matrix(target.name, target.foreign);
    weir_heal_report report = WEIR_HEAL_REPORT_INIT;
    must(weir_matrix_heal(matrix.get(), &report), "heal");
    if (target.json)
        print_json({{"participants", report.participants},
                    {"blocks_reclaimed", report.blocks_reclaimed},
                    {"reclaimed_bytes", report.reclaimed_bytes},
                    {"blocks_kept", report.blocks_kept},
                    {"interrupted", report.interrupted},
                    {"duration_ns", report.duration_ns}});
    else
        print(fmt::format("{} dead participants healed in {}: {} blocks ({}) reclaimed, {} kept, "
                          "{} interrupted operations settled\n",
                          report.participants, human_time(static_cast<double>(report.duration_ns)),
                          report.blocks_reclaimed, human_bytes(report.reclaimed_bytes),
                          report.blocks_kept, report.interrupted));
    return 0;
}

} // namespace tool
