// SPDX-License-Identifier: MIT OR Apache-2.0
// Measures in turns, prints the table, states the circumstances.
#include "report.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <thread>

#include <sys/utsname.h>
#ifdef WEIR_BENCH_BOOST
#include <boost/version.hpp>
#endif

namespace bench {
namespace {
using Json = nlohmann::ordered_json;

struct Series {
    std::vector<double> figures;
    bool sound = true;

    void add(Outcome const &outcome, double scale, TimeOf time)
    {
        sound = sound && outcome.failures == 0 && outcome.damaged == 0 && outcome.operations != 0;
        bool const wall = time == TimeOf::wall || outcome.cpu_seconds == 0;
        double const seconds = wall ? outcome.seconds : outcome.cpu_seconds;
        figures.push_back(outcome.operations == 0 ? 0
                                                  : seconds / double(outcome.operations) * scale);
    }
};

std::string today()
{
    std::time_t const now = std::time(nullptr);
    char text[16] = {};
    std::strftime(text, sizeof text, "%Y-%m-%d", std::gmtime(&now));
    return text;
}

std::string model_name()
{
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.rfind("model name", 0) == 0)
            return line.substr(line.find(':') + 2);
    return "unknown";
}

double load_of_machine()
{
    std::ifstream file("/proc/loadavg");
    double load = 0;
    file >> load;
    return load;
}

std::string quantity(double figure, std::string const &unit)
{
    return unit == "%" ? fmt::format("{:.3f} %", figure)
                       : fmt::format("{:.{}f} {}", figure, figure < 10 ? 3 : 1, unit);
}
} // namespace

double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    std::size_t const middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::string Row::verdict() const
{
    if (!sound)
        return "UNSOUND";
    if (!peer.empty() && !missing.empty())
        return "not measured: " + missing;
    if (at_most == 0)
        return "";
    return (has_peer() ? ratio() : figure) <= at_most ? "met" : "MISSED";
}

std::vector<Row> measure(Group const &group, int rounds, TimeOf time)
{
    std::vector<Series> series(group.contestants.size());
    for (int round = 0; round < rounds; ++round)
        for (std::size_t i = 0; i < series.size(); ++i)
            if (group.contestants[i].run)
                series[i].add(group.contestants[i].run(), 1e9, time);
    std::vector<Row> rows;
    for (std::size_t i = 1; i < series.size(); ++i) {
        Contestant const &peer = group.contestants[i];
        Row row;
        row.name = group.name;
        row.unit = "ns";
        row.who = group.contestants[0].name;
        row.peer = peer.name;
        row.at_most = peer.at_most;
        row.missing = peer.missing;
        row.chart = group.chart;
        row.x = group.x;
        row.sound = series[0].sound && series[i].sound;
        row.figures = series[0].figures;
        row.peer_figures = series[i].figures;
        row.figure = median(row.figures);
        row.peer_figure = peer.run ? median(row.peer_figures) : 0;
        rows.push_back(row);
    }
    return rows;
}

Row measure_alone(std::string const &name, std::string const &unit, double scale, double at_most,
                  std::function<Outcome()> const &run, int rounds, TimeOf time)
{
    Series series;
    for (int round = 0; round < rounds; ++round)
        series.add(run(), scale, time);
    Row row;
    row.name = name;
    row.unit = unit;
    row.who = "weir";
    row.at_most = at_most;
    row.sound = series.sound;
    row.figures = series.figures;
    row.figure = median(series.figures);
    return row;
}

void print_heading(int rounds)
{
    fmt::print("{:44} {:18} {:>12}  {:20} {:>12} {:>8} {:>8}  verdict\n", "", "", "figure", "peer",
               "figure", "ratio", "target");
    fmt::print("median of {} runs that take turns; times are per operation, less is better\n",
               rounds);
}

void print(Row const &row)
{
    bool const peer = row.has_peer();
    fmt::print("{:44} {:18} {:>12}  {:20} {:>12} {:>8} {:>8}  {}\n", row.name, row.who,
               quantity(row.figure, row.unit), row.peer,
               peer ? quantity(row.peer_figure, row.unit) : "",
               peer ? fmt::format("{:.3f}", row.ratio()) : "",
               row.at_most == 0 ? "" : fmt::format("{:.3f}", row.at_most), row.verdict());
    std::fflush(stdout);
}

Json to_json(Row const &row)
{
    Json json = {{"name", row.name}, {"unit", row.unit}, {"who", row.who}, {"figure", row.figure}};
    if (!row.peer.empty())
        json["peer"] = row.peer;
    if (row.has_peer()) {
        json["peer_figure"] = row.peer_figure;
        json["ratio"] = row.ratio();
        json["peer_runs"] = row.peer_figures;
    }
    if (row.at_most != 0) {
        json["target"] = row.at_most;
        json["target_is"] = row.peer.empty() ? "figure" : "ratio";
    }
    json["verdict"] = row.verdict();
    json["runs"] = row.figures;
    if (!row.chart.empty()) {
        json["chart"] = row.chart;
        json["x"] = row.x;
    }
    return json;
}

Json circumstances()
{
    utsname system = {};
    uname(&system);
    Json json = {
        {"date", today()},
        {"cpu", model_name()},
        {"cores", std::thread::hardware_concurrency()},
        {"kernel", std::string(system.sysname) + " " + system.release + " " + system.machine},
        {"load_before", load_of_machine()},
        {"compiler", std::string("g++ ") + __VERSION__},
        {"weir", weir_version_string()},
    };
#ifdef WEIR_BENCH_BOOST
    json["Boost"] = fmt::format("{}.{}.{}", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000,
                                BOOST_VERSION % 100);
#else
    json["Boost"] = "not measured: it was not there when this program was built";
#endif
    return json;
}

Table::Table(int rounds)
    : document_({{"circumstances", bench::circumstances()}, {"rounds", rounds}})
{
    print_heading(rounds);
}

void Table::add(std::vector<Row> const &rows)
{
    for (Row const &row : rows) {
        print(row);
        met_ += row.verdict() == "met";
        missed_ += row.verdict() == "MISSED";
        unsound_ += row.verdict() == "UNSOUND";
        document_["rows"].push_back(to_json(row));
    }
}

int Table::end(std::string const &file)
{
    fmt::print("\n{} targets met, {} missed, {} rows unsound\n", met_, missed_, unsound_);
    if (!file.empty()) {
        std::ofstream out(file);
        out << document_.dump(1) << '\n';
        if (!out.flush())
            throw std::runtime_error("cannot write " + file);
    }
    return unsound_ == 0 ? 0 : 1;
}

} // namespace bench
