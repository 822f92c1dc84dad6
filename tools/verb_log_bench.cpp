// SPDX-License-Identifier: MIT OR Apache-2.0
// weir log bench: the log beside what it costs at least; the comparisons with peers are in bench/.
#include "verbs.hpp"

#include "output.hpp"

#include "bench/log_bench.hpp"
#include "interrupt.hpp"

#include <algorithm>
#include <cstdio>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <weir.h>

namespace tool {
namespace {
using bench::LogFigure;

std::string quantity(double figure, std::string const &unit)
{
    return fmt::format("{:.{}f} {}", figure, figure < 1000 ? 1 : 0, unit);
}

std::string target_text(LogFigure const &figure)
{
    char const *const sign = figure.less_is_better() ? "<=" : ">=";
    std::string text;
    if (figure.ratio_target > 0)
        text = fmt::format("{} {} x", sign, figure.ratio_target);
    if (figure.target > 0)
        text +=
            fmt::format("{}{} {} {}", text.empty() ? "" : ", ", sign, figure.target, figure.unit);
    return text;
}

void show_text(std::vector<LogFigure> const &figures, int rounds)
{
    Table table(
        {"what", "bytes", "threads", "weir", "beside", "its figure", "ratio", "target", "verdict"},
        {0, 4, 7, 8});
    for (auto const &figure : figures)
        table.add({figure.name, std::to_string(figure.bytes), std::to_string(figure.threads),
                   quantity(figure.weir, figure.unit), figure.peer,
                   quantity(figure.other, figure.unit), fmt::format("{:.2f}", figure.ratio),
                   target_text(figure), figure.verdict()});
    print(fmt::format("weir {}; medians of {} rounds in which both sides take turns\n\n",
                      weir_version_string(), rounds) +
          table.text());
}

nlohmann::ordered_json to_json(LogFigure const &figure)
{
    nlohmann::ordered_json one{{"name", figure.name},         {"threads", figure.threads},
                               {"bytes", figure.bytes},       {"unit", figure.unit},
                               {"weir", figure.weir},         {"peer", figure.peer},
                               {"peer_figure", figure.other}, {"ratio", figure.ratio}};
    if (figure.ratio_target > 0)
        one["ratio_target"] = figure.ratio_target;
    if (figure.target > 0)
        one["target"] = figure.target;
    one["verdict"] = figure.verdict();
    one["runs"] = figure.runs;
    one["peer_runs"] = figure.other_runs;
    return one;
}

void show_json(std::vector<LogFigure> const &figures, int rounds)
{
    auto list = nlohmann::ordered_json::array();
    for (auto const &figure : figures)
        list.push_back(to_json(figure));
    print_json({{"bench", "log"},
                {"version", weir_version_string()},
                {"rounds", rounds},
                {"figures", list}});
}
} // namespace

int bench_log(LogBenchOptions const &options)
{
    watch_interrupts();
    bench::LogBenchSettings settings;
    settings.folder = options.folder;
    settings.seconds = options.seconds;
    settings.threads = options.threads;
    Progress progress(options.json ? Progress::Style::none : Progress::Style::automatic);
    auto const figures = bench::run_log(settings, [&](LogFigure const &figure) {
        if (progress.due())
            progress.show(figure.name);
    });
    progress.clear();
    options.json ? show_json(figures, settings.rounds) : show_text(figures, settings.rounds);
    return 0;
}

} // namespace tool
