// SPDX-License-Identifier: MIT OR Apache-2.0
#include "log_report.hpp"

#include <fmt/core.h>

#include <ctime>
#include <fstream>
#include <thread>

#include <sys/utsname.h>

#include <weir.h>

namespace bench {
using tool::bench::LogFigure;
namespace {
std::string quantity(double figure, std::string const &unit)
{
    return fmt::format("{:.{}f} {}", figure, figure < 1000 ? 1 : 0, unit);
}

std::string first_after(char const *path, std::string const &word)
{
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
        if (line.rfind(word, 0) == 0)
            return line.substr(word.empty() ? 0 : line.find(':') + 2);
    return "unknown";
}

} // namespace

void print_row(LogFigure const &row)
{
    bool const other = row.has_other();
    fmt::print("{:34} {:>5} B {:>2} T {:>14}  {:28} {:>14} {:>7} {:>7}  {}\n", row.name, row.bytes,
               row.threads, quantity(row.weir, row.unit), row.peer,
               other ? quantity(row.other, row.unit) : "",
               other ? fmt::format("{:.2f}", row.ratio) : "",
               row.ratio_target > 0 ? fmt::format("{:.2f}", row.ratio_target)
               : row.target > 0     ? quantity(row.target, row.unit)
                                    : "",
               row.verdict());
    std::fflush(stdout);
}

Json to_json(LogFigure const &row)
{
    Json json = {{"name", row.name},   {"unit", row.unit}, {"threads", row.threads},
                 {"bytes", row.bytes}, {"who", "weir"},    {"figure", row.weir},
                 {"runs", row.runs}};
    if (!row.peer.empty())
        json["peer"] = row.peer;
    if (row.has_other()) {
        json["peer_figure"] = row.other;
        json["ratio"] = row.ratio;
        json["peer_runs"] = row.other_runs;
    }
    if (row.ratio_target > 0)
        json["ratio_target"] = row.ratio_target;
    if (row.target > 0)
        json["figure_target"] = row.target;
    json["less_is_better"] = row.less_is_better();
    json["verdict"] = row.verdict();
    if (!row.chart.empty()) {
        json["chart"] = row.chart;
        json["x"] = row.chart == "append" ? row.bytes : row.threads;
    }
    return json;
}

Json log_circumstances()
{
    utsname system = {};
    uname(&system);
    std::time_t const now = std::time(nullptr);
    char date[16] = {};
    std::strftime(date, sizeof date, "%Y-%m-%d", std::gmtime(&now));
    std::string const load = first_after("/proc/loadavg", "");
    return {{"date", date},
            {"cpu", first_after("/proc/cpuinfo", "model name")},
            {"cores", std::thread::hardware_concurrency()},
            {"kernel", std::string(system.sysname) + " " + system.release + " " + system.machine},
            {"load_before", load.substr(0, load.find(' '))},
            {"weir", weir_version_string()}};
}

} // namespace bench
