// SPDX-License-Identifier: MIT OR Apache-2.0
// Measures the log beside its floors, beside the disk alone (fio), and beside other stores that
// make records durable. `./dev bench log --peers` runs it.
#include "log_peers.hpp"
#include "log_report.hpp"

#include "../tools/bench/log_bench.hpp"
#include "../tools/error.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include <unistd.h>

namespace bench {
namespace {
using namespace tool::bench;

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
        backends();
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
    void backends();
    void streaming();
    void verifying();
    void idle();
    Contestant fio_best_stream(double target);
    /// Bytes of a run.
    std::uint64_t streamed() const;

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
        row.weir = runs[0].empty() ? 0 : median_of(runs[0]);
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

/// Records of 1 MiB; each is waited for, or the one before it.
void Bench::large()
{
    constexpr std::uint32_t kMiB = 1 << 20;
    DurableLog log(scratch_.path("large"));
    log.run({1, kMiB, 1}, 300'000'000);
    LogFigure shape;
    shape.unit = "1/s";
    shape.bytes = kMiB;
    Contestant fio{"fio psync 1 MiB O_DSYNC", {}, 0.85, "fio is not installed"};
    if (!fio_.empty())
        fio = {fio.name,
               [this] {
                   auto options = fio_options("write", "1m", "psync");
                   options.insert(options.end(), {"sync=dsync", "size=256m"});
                   return run_fio(scratch_.path("fio"), options, true).per_second;
               },
               0.85, ""};
    shape.name = "durable append";
    take_turns_of_all(shape,
                      {{"weir",
                        [&] {
                            return log.run({1, kMiB, 1}, slice_).per_second();
                        },
                        0, ""},
                       fio},
                      9, 0);
    shape.name = "durable, one append behind";
    fio.ratio_target = 0.95;
    take_turns_of_all(
        shape,
        {{"weir", [&] { return log.run_one_behind(kMiB, slice_).per_second(); }, 0, ""}, fio}, 9,
        0);
}

/// pwritev2 beside io_uring, where there is io_uring.
void Bench::backends()
{
    LogFigure shape;
    shape.bytes = kRecord;
    shape.name = "durable append, pwritev2";
    shape.unit = "1/s";
    if (weir_feature_supported(WEIR_FEATURE_IO_URING) != 1) {
        std::string const why = "no io_uring here";
        take_turns_of_all(shape, {{"weir", {}, 0, ""}, {"its io_uring", {}, 0.95, why}}, 9, 0);
        return;
    }
    DurableLog ring(scratch_.path("by-ring"), WEIR_LOG_BACKEND_IO_URING);
    DurableLog calls(scratch_.path("by-calls"), WEIR_LOG_BACKEND_PWRITEV2);
    auto const durable = [this](DurableLog &log) {
        return Measured([this, &log] { return log.run({1, kRecord, 1}, slice_).per_second(); });
    };
    take_turns_of_all(
        shape, {{"weir", durable(calls), 0, ""}, {"its io_uring", durable(ring), 0.95, ""}}, 9, 0);
    shape.name = "streaming, pwritev2";
    shape.unit = "MB/s";
    StreamingLog ring_stream(scratch_.path("stream-by-ring"), streamed(), true,
                             WEIR_LOG_BACKEND_IO_URING);
    StreamingLog calls_stream(scratch_.path("stream-by-calls"), streamed(), true,
                              WEIR_LOG_BACKEND_PWRITEV2);
    take_turns_of_all(shape,
                      {{"weir", [&] { return calls_stream.run() / 1e6; }, 0, ""},
                       {"its io_uring", [&] { return ring_stream.run() / 1e6; }, 0.7, ""}},
                      9, 0);
}

/// As many bytes in as large a file, which was written before: both sides end with a sync.
Contestant Bench::fio_best_stream(double target)
{
    if (fio_.empty())
        return {"fio io_uring, depth 4", {}, target, "fio is not installed"};
    std::string const size = fmt::format("size={}", streamed());
    run_fio(scratch_.path("fio-stream"), {"rw=write", "bs=1m", "ioengine=psync", size}, true);
    return {"fio io_uring, depth 4",
            [this, size] {
                double best = 0;
                for (char const *const piece : {"256k", "512k", "1m"})
                    best = std::max(best,
                                    run_fio(scratch_.path("fio-stream"),
                                            {"rw=write", fmt::format("bs={}", piece),
                                             "ioengine=io_uring", "iodepth=4", size, "end_fsync=1"},
                                            true)
                                        .bytes_per_second);
                return best / 1e6;
            },
            target, ""};
}

std::uint64_t Bench::streamed() const
{
    constexpr std::uint64_t kLeast = 64 << 20, kPiece = 1 << 20;
    auto const bytes =
        static_cast<std::uint64_t>(settings_.log.seconds * 2e9 / settings_.log.rounds);
    return std::max(bytes, kLeast) / kPiece * kPiece;
}

void Bench::streaming()
{
    std::uint64_t const total = streamed();
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

int report(Settings const &settings)
{
    Json document = {{"circumstances", log_circumstances()},
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
