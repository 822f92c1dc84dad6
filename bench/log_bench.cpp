// SPDX-License-Identifier: MIT OR Apache-2.0
// Measures the log beside its floors, beside the disk alone (fio), and beside other stores that
// make records durable. `./dev bench log --peers` runs it.
#include "log_peers.hpp"

#include "../tools/bench/log_bench.hpp"
#include "../tools/error.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include <sys/utsname.h>
#include <unistd.h>

namespace bench {
namespace {
using namespace tool::bench;
using Json = nlohmann::ordered_json;

constexpr std::uint32_t kRecord = 1024;

struct Settings {
    LogBenchSettings log;
    std::string json;
};

/// One who does the same work; the first of a group is weir.
struct Contestant {
    std::string name;
    Measured run;            ///< empty: not measured
    double ratio_target = 0; ///< of weir by it
    std::string missing;
};

std::string quantity(double figure, std::string const &unit)
{
    return fmt::format("{:.{}f} {}", figure, figure < 1000 ? 1 : 0, unit);
}

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

class Bench {
  public:
    explicit Bench(Settings const &settings)
        : settings_(settings), scratch_(settings.log.folder),
          slice_(static_cast<std::int64_t>(settings.log.seconds * 1e9 / settings.log.rounds)),
          fio_(fio_version())
    {
    }

    void run()
    {
        LogBenchSettings memory = settings_.log;
        memory.only = "append";
        memory.threads = {1, 2, 8};
        auto const first = run_log(memory, [](LogFigure const &row) { print_row(row); });
        rows_.insert(rows_.end(), first.begin(), first.end());
        durable();
        large();
        streaming();
        verifying();
        idle();
    }
    std::vector<LogFigure> const &rows() const { return rows_; }
    Json versions() const { return versions_; }

  private:
    void keep(LogFigure const &row)
    {
        rows_.push_back(row);
        print_row(row);
    }
    /// All take turns; a row for weir beside each of the others. The best of `best_of` by name has
    /// a row of its own.
    void take_turns_of_all(LogFigure const &shape, std::vector<Contestant> const &all,
                           std::size_t best_from, double best_target);
    std::vector<std::string> fio_options(std::string const &kind, std::string const &size,
                                         std::string const &engine) const;
    Measured fio_durable(unsigned threads, std::vector<double> &ret_p99);
    void durable();
    void durable(DurableLog &log, std::vector<NamedStore> &stores, unsigned threads);
    void large();
    void streaming();
    void verifying();
    void idle();
    Contestant fio_best_stream(double target);

    Settings const &settings_;
    Scratch scratch_;
    std::int64_t slice_;
    std::string fio_;
    Json versions_;
    std::vector<LogFigure> rows_;
};

void Bench::take_turns_of_all(LogFigure const &shape, std::vector<Contestant> const &all,
                              std::size_t best_from, double best_target)
{
    std::vector<std::vector<double>> runs(all.size());
    for (int round = 0; round < settings_.log.rounds; ++round)
        for (std::size_t i = 0; i < all.size(); ++i)
            if (all[i].run)
                runs[i].push_back(all[i].run());
    std::size_t best = 0;
    for (std::size_t i = best_from; i < all.size(); ++i)
        if (!runs[i].empty() && (best == 0 || median_of(runs[i]) > median_of(runs[best])))
            best = i;
    for (std::size_t i = 1; i < all.size(); ++i) {
        LogFigure row = shape;
        row.peer = all[i].name;
        row.missing = all[i].missing;
        row.runs = runs[0];
        row.other_runs = runs[i];
        row.weir = median_of(runs[0]);
        row.ratio_target = i == best && best_target > 0 ? best_target : all[i].ratio_target;
        if (i == best && best_target > 0)
            row.peer += " (best of the stores)";
        if (!runs[i].empty()) {
            row.other = median_of(runs[i]);
            std::vector<double> ratios;
            for (std::size_t k = 0; k < runs[i].size(); ++k)
                ratios.push_back(runs[0][k] / runs[i][k]);
            row.ratio = median_of(ratios);
        }
        keep(row);
    }
}

std::vector<std::string> Bench::fio_options(std::string const &kind, std::string const &size,
                                            std::string const &engine) const
{
    return {"rw=" + kind, "bs=" + size, "ioengine=" + engine, "time_based",
            fmt::format("runtime={}ms", slice_ / 1'000'000)};
}

Measured Bench::fio_durable(unsigned threads, std::vector<double> &ret_p99)
{
    return [this, threads, &ret_p99] {
        auto options = fio_options("write", "4k", "psync");
        std::uint64_t const each = (std::uint64_t{256} << 20) / threads;
        options.insert(options.end(),
                       {"sync=dsync", fmt::format("numjobs={}", threads),
                        fmt::format("size={}", each), fmt::format("offset_increment={}", each)});
        FioResult const result = run_fio(scratch_.path("fio"), options, true);
        ret_p99.push_back(result.p99_us);
        return result.per_second;
    };
}

void Bench::durable()
{
    std::filesystem::create_directory(scratch_.path("stores"));
    auto stores = open_stores(scratch_.path("stores"));
    for (auto const &store : stores)
        versions_[store.name] =
            store.missing.empty() ? store.version : "not measured: " + store.missing;
    versions_["fio"] = fio_.empty() ? "not measured: it is not installed" : fio_;
    if (!fio_.empty()) // written before it is measured
        run_fio(scratch_.path("fio"), {"rw=write", "bs=1m", "ioengine=psync", "size=256m"}, true);
    DurableLog log(scratch_.path("durable"));
    log.run({1, kRecord, 1}, 200'000'000);
    for (unsigned const threads : settings_.log.threads)
        durable(log, stores, threads);
}

void Bench::durable(DurableLog &log, std::vector<NamedStore> &stores, unsigned threads)
{
    static std::map<unsigned, std::pair<double, double>> const targets{
        {1, {0.95, 1.1}}, {2, {0.9, 2}}, {8, {1.2, 1.7}}, {32, {1.4, 1.8}}};
    auto const found = targets.find(threads);
    auto const target = found == targets.end() ? std::pair<double, double>{} : found->second;
    std::vector<std::int64_t> latencies;
    std::vector<double> fio_p99;
    std::vector<Contestant> all;
    all.push_back({"weir",
                   [&] {
                       Waited const waited = log.run({threads, kRecord, 1}, slice_);
                       latencies.insert(latencies.end(), waited.latencies.begin(),
                                        waited.latencies.end());
                       return waited.per_second();
                   },
                   0, ""});
    all.push_back({"fio psync 4 KiB O_DSYNC",
                   fio_.empty() ? Measured{} : fio_durable(threads, fio_p99), target.first,
                   fio_.empty() ? "fio is not installed" : ""});
    for (auto &named : stores) {
        Store *const store = named.store.get();
        Measured const run = [store, threads, this] {
            return store->run(threads, kRecord, slice_).per_second();
        };
        all.push_back({named.name, store == nullptr ? Measured{} : run, 0, named.missing});
    }
    LogFigure shape;
    shape.name = "durable append";
    shape.unit = "1/s";
    shape.threads = threads;
    shape.bytes = kRecord;
    shape.chart = "durable";
    take_turns_of_all(shape, all, 2, target.second);

    std::sort(latencies.begin(), latencies.end());
    auto const at = [&](double part) {
        return double(latencies[std::size_t(part * double(latencies.size() - 1))]) / 1e3;
    };
    if ((threads != 1 || fio_p99.empty()) && threads != 32)
        return;
    LogFigure late = shape;
    late.name = "durable append, p99";
    late.unit = "us";
    late.chart.clear();
    late.weir = at(0.99);
    late.runs = {late.weir};
    late.peer = threads == 1 ? "fio psync 4 KiB O_DSYNC, p99" : "its own p50";
    late.other = threads == 1 ? median_of(fio_p99) : at(0.5);
    late.other_runs = {late.other};
    late.ratio = late.weir / late.other;
    late.ratio_target = threads == 1 ? 1.2 : 2;
    keep(late);
}

/// Records of 1 MiB, each waited for.
void Bench::large()
{
    if (fio_.empty())
        return;
    constexpr std::uint32_t kMiB = 1 << 20;
    DurableLog log(scratch_.path("large"));
    log.run({1, kMiB, 1}, 300'000'000);
    LogFigure shape;
    shape.name = "durable append";
    shape.unit = "1/s";
    shape.bytes = kMiB;
    take_turns_of_all(shape,
                      {{"weir",
                        [&] {
                            return log.run({1, kMiB, 1}, slice_).per_second();
                        },
                        0, ""},
                       {"fio psync 1 MiB O_DSYNC",
                        [this] {
                            auto options = fio_options("write", "1m", "psync");
                            options.insert(options.end(), {"sync=dsync", "size=256m"});
                            return run_fio(scratch_.path("fio"), options, true).per_second;
                        },
                        0.85, ""}},
                      9, 0);
}

Contestant Bench::fio_best_stream(double target)
{
    if (fio_.empty())
        return {"fio io_uring, depth 4", {}, target, "fio is not installed"};
    return {"fio io_uring, depth 4",
            [this] {
                double best = 0;
                for (char const *const size : {"256k", "512k", "1m"}) {
                    auto options = fio_options("write", size, "io_uring");
                    options.insert(options.end(), {"iodepth=4", "size=256m", "end_fsync=1"});
                    best = std::max(best,
                                    run_fio(scratch_.path("fio"), options, true).bytes_per_second);
                }
                return best / 1e6;
            },
            target, ""};
}

void Bench::streaming()
{
    auto const total = std::max<std::uint64_t>(
        static_cast<std::uint64_t>(settings_.log.seconds * 2e9 / settings_.log.rounds), 64 << 20);
    LogFigure shape;
    shape.unit = "MB/s";
    shape.bytes = kRecord;
    shape.chart = "streaming";
    {
        shape.name = "streaming, recycled segments";
        StreamingLog log(scratch_.path("recycled"), total, true);
        take_turns_of_all(
            shape, {{"weir", [&] { return log.run() / 1e6; }, 0, ""}, fio_best_stream(0.9)}, 9, 0);
    }
    shape.name = "streaming, growing log";
    int number = 0;
    take_turns_of_all(shape,
                      {{"weir",
                        [&] {
                            std::string const folder =
                                scratch_.path("growing" + std::to_string(number++));
                            double const rate = StreamingLog(folder, total, false).run() / 1e6;
                            std::filesystem::remove_all(folder);
                            return rate;
                        },
                        0, ""},
                       fio_best_stream(0.5)},
                      9, 0);
}

void Bench::verifying()
{
    LogFigure shape;
    shape.name = "verify";
    shape.unit = "MB/s";
    shape.bytes = kRecord;
    StreamingLog log(scratch_.path("verified"), std::uint64_t{256} << 20, false);
    log.run();
    Contestant peer{"fio read 1 MiB, depth 1", {}, 0.6, "fio is not installed"};
    if (!fio_.empty())
        peer = {peer.name,
                [this] {
                    auto options = fio_options("read", "1m", "psync");
                    options.push_back("size=256m");
                    return run_fio(scratch_.path("fio"), options, false).bytes_per_second / 1e6;
                },
                0.6, ""};
    take_turns_of_all(shape, {{"weir", [&] { return log.verify() / 1e6; }, 0, ""}, peer}, 9, 0);
}

/// Context switches of all threads of this process but the caller.
std::uint64_t wakeups_of_others()
{
    std::uint64_t sum = 0;
    for (auto const &task : std::filesystem::directory_iterator("/proc/self/task")) {
        if (task.path().filename() == std::to_string(getpid()))
            continue;
        std::ifstream file(task.path() / "status");
        for (std::string word; file >> word;)
            if (word == "voluntary_ctxt_switches:") {
                std::uint64_t count = 0;
                file >> count;
                sum += count;
            }
    }
    return sum;
}

void Bench::idle()
{
    DurableLog log(scratch_.path("idle"));
    log.run({1, kRecord, 1}, 100'000'000);
    std::this_thread::sleep_for(std::chrono::seconds(2)); // evidence, segments ahead
    std::uint64_t const before = wakeups_of_others();
    std::this_thread::sleep_for(std::chrono::seconds(2));
    LogFigure row;
    row.name = "idle log, wake-ups in 2 s";
    row.unit = "wake-ups";
    row.target = 0.5; // none
    row.bytes = kRecord;
    row.weir = double(wakeups_of_others() - before);
    row.runs = {row.weir};
    keep(row);
}

std::string first_after(char const *path, std::string const &word)
{
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
        if (line.rfind(word, 0) == 0)
            return line.substr(word.empty() ? 0 : line.find(':') + 2);
    return "unknown";
}

Json circumstances()
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

int report(Settings const &settings)
{
    Json document = {{"circumstances", circumstances()},
                     {"rounds", settings.log.rounds},
                     {"seconds", settings.log.seconds}};
    Bench bench(settings);
    bench.run();
    document["circumstances"].update(bench.versions());
    int met = 0, missed = 0;
    for (LogFigure const &row : bench.rows()) {
        met += row.verdict() == "met";
        missed += row.verdict() == "MISSED";
        document["rows"].push_back(to_json(row));
    }
    fmt::print("\n{} targets met, {} missed\n", met, missed);
    if (settings.json.empty())
        return 0;
    std::ofstream file(settings.json);
    file << document.dump(1) << '\n';
    if (!file.flush())
        throw tool::Failure("cannot write " + settings.json);
    return 0;
}
} // namespace
} // namespace bench

int main(int count, char **arguments)
{
    bench::Settings settings;
    settings.log.threads = {1, 2, 8, 32};
    CLI::App app{"Measures the log beside fio and other stores. Exit code 1: something failed or "
                 "was damaged; a missed target is no failure."};
    app.add_option("--dir", settings.log.folder, "where files are written and removed");
    app.add_option("--rounds", settings.log.rounds, "runs of each, in turns; the median counts")
        ->check(CLI::Range(1, 99));
    app.add_option("--seconds", settings.log.seconds, "per figure and side, of all rounds")
        ->check(CLI::Range(0.1, 3600.0));
    app.add_option("--threads", settings.log.threads, "of durable appends")->delimiter(',');
    app.add_option("--json", settings.json, "also write JSON to this file");
    CLI11_PARSE(app, count, arguments);
    try {
        return bench::report(settings);
    } catch (std::exception const &failure) {
        fmt::print(stderr, "log-bench: {}\n", failure.what());
        return 1;
    }
}
