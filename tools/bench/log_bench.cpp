// SPDX-License-Identifier: MIT OR Apache-2.0
// weir log bench: which figures there are, and what they shall be.
#include "log_bench.hpp"

#include "log_sides.hpp"

#include "../error.hpp"
#include "../interrupt.hpp"

#include <algorithm>
#include <map>

namespace tool::bench {
namespace {
constexpr std::uint32_t kDurable = 1024;
constexpr std::uint32_t kStreamed = 1024;
constexpr std::uint64_t kBareBytes = 512 << 20;
constexpr double kStreamedPerSecond = 2e9; // sizes a run, so that it takes about the time asked for
constexpr std::uint64_t kLeastStreamed = 4 << 20;
constexpr std::size_t kStreamPiece = 512 << 10;
constexpr unsigned kStreamDepth = 4;

/// At most F + 15 ns, as multiples of F.
double append_target(std::uint32_t bytes)
{
    static std::map<std::uint32_t, double> const targets{
        {64, 4.3}, {256, 2.9}, {1024, 1.75}, {4096, 1.36}};
    return targets.at(bytes);
}

/// Of bare writes; the more threads, the more one write carries.
double durable_target(unsigned threads)
{
    static std::map<unsigned, double> const targets{{1, 0.95}, {2, 0.9}, {8, 1.2}, {32, 1.4}};
    auto const found = targets.find(threads);
    return found == targets.end() ? 0 : found->second;
}

LogFigure row(std::string name, std::string peer, std::string unit, Work const &work)
{
    LogFigure figure;
    figure.name = std::move(name);
    figure.peer = std::move(peer);
    figure.unit = std::move(unit);
    figure.threads = work.threads;
    figure.bytes = work.bytes;
    return figure;
}

double percentile(std::vector<std::int64_t> values, double part)
{
    if (values.empty())
        return 0;
    auto const at = static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + at, values.end());
    return static_cast<double>(values[static_cast<std::size_t>(at)]) / 1e3;
}

void check_the_floor()
{
    std::vector<unsigned char> from(5000), to(from.size());
    for (std::size_t i = 0; i < from.size(); ++i)
        from[i] = static_cast<unsigned char>(i * i >> 3);
    for (std::size_t const length : {0, 7, 64, 127, 128, 256, 1024, 4096, 5000})
        if (copy_and_sum(to.data(), from.data(), length) != sum_bit_by_bit(from.data(), length))
            throw Failure("the floor makes wrong sums");
}

class LogBench {
  public:
    LogBench(LogBenchSettings const &settings, Show const &show)
        : settings_(settings), show_(show), scratch_(settings.folder),
          slice_(static_cast<std::int64_t>(settings.seconds * 1e9 / settings.rounds))
    {
        check_the_floor();
    }

    std::vector<LogFigure> run()
    {
        if (wanted("append"))
            in_memory();
        if (wanted("durable"))
            durable();
        if (wanted("stream") || wanted("verify"))
            streaming();
        return std::move(figures_);
    }

  private:
    bool wanted(std::string const &name) const
    {
        return settings_.only.empty() || name.find(settings_.only) != std::string::npos ||
               settings_.only.find(name) != std::string::npos;
    }
    LogFigure &keep(LogFigure const &figure)
    {
        figures_.push_back(figure);
        show_(figures_.back());
        return figures_.back();
    }
    void in_memory();
    void durable();
    void durable(DurableLog &log, BareFile const &bare, unsigned threads);
    void streaming();
    void stream(BareFile const &bare, std::uint64_t total);

    LogBenchSettings const &settings_;
    Show const &show_;
    Scratch scratch_;
    std::int64_t slice_;
    std::vector<LogFigure> figures_;
};

void LogBench::in_memory()
{
    MemoryLog log(scratch_.path("memory"));
    MemoryFloor floor;
    for (std::uint32_t const bytes : {64u, 256u, 1024u, 4096u}) {
        Work const work{1, bytes, 1};
        LogFigure figure = row("append", "memcpy + CRC32C", "ns", work);
        figure.ratio_target = append_target(bytes);
        figure.chart = "append";
        keep(take_turns(
            figure, settings_.rounds, [&] { return log.run(work, slice_); },
            [&] { return floor.run(work, false, slice_); }));
    }
    for (unsigned const threads : settings_.threads) {
        Work const work{threads, 64, 1};
        if (threads != 1) {
            LogFigure figure = row("append", "memcpy + CRC32C + fetch_add", "ns", work);
            figure.ratio_target = 1.15;
            keep(take_turns(
                figure, settings_.rounds, [&] { return log.run(work, slice_); },
                [&] { return floor.run(work, true, slice_); }));
        }
        Work const batches{threads, 64, 16};
        LogFigure figure = row("append_batch of 16", "single appends", "ns", batches);
        figure.target = 25;
        figure.ratio_target = threads >= 2 ? 0.5 : 0;
        keep(take_turns(
            figure, settings_.rounds, [&] { return log.run(batches, slice_); },
            [&] { return log.run(work, slice_); }));
    }
}

void LogBench::durable()
{
    double const part = std::min(1.0, settings_.seconds * 10); // short runs get not as far
    BareFile const bare(scratch_.path("bare"), static_cast<std::uint64_t>(part * kBareBytes / 2));
    DurableLog log(scratch_.path("durable"));
    log.run({1, kDurable, 1}, 200 * kMillisecond); // the first segment is made, recovery is over
    for (unsigned const threads : settings_.threads)
        durable(log, bare, threads);
}

void LogBench::durable(DurableLog &log, BareFile const &bare, unsigned threads)
{
    constexpr std::size_t kPiece = 4096;
    Work const work{threads, kDurable, 1};
    std::vector<std::int64_t> ours, bares; // latencies of all rounds
    auto const rate = [](Waited const &waited, std::vector<std::int64_t> &all) {
        all.insert(all.end(), waited.latencies.begin(), waited.latencies.end());
        return waited.per_second();
    };
    LogFigure figure = row("durable append", "pwritev2 RWF_DSYNC of 4 KiB", "1/s", work);
    figure.ratio_target = durable_target(threads);
    figure.chart = "durable";
    keep(take_turns(
        figure, settings_.rounds, [&] { return rate(log.run(work, slice_), ours); },
        [&] { return rate(write_durably(bare, threads, kPiece, slice_), bares); }));

    LogFigure late = row("durable append, p99", "pwritev2 RWF_DSYNC, p99", "us", work);
    late.weir = percentile(ours, 0.99);
    late.other = percentile(bares, 0.99);
    if (threads >= 32) { // then it is a matter of its own median
        late.peer = "its own p50";
        late.other = percentile(ours, 0.5);
    }
    late.ratio_target = threads == 1 ? 1.2 : threads == 32 ? 2 : 0;
    late.ratio = late.weir / late.other;
    late.runs = {late.weir};
    late.other_runs = {late.other};
    keep(late);
}

void LogBench::stream(BareFile const &bare, std::uint64_t total)
{
    Work const work{1, kStreamed, 1};
    std::string const peer = "4 bare writes of 512 KiB at a time";
    auto const beside = [&](std::string const &name, double target, Measured const &weir) {
        LogFigure figure = row(name, peer, "MB/s", work);
        figure.ratio_target = target;
        figure.chart = "streaming";
        keep(take_turns(figure, settings_.rounds, weir, [&] {
            return stream_bare(bare, total, kStreamPiece, kStreamDepth) / 1e6;
        }));
    };
    StreamingLog recycled(scratch_.path("recycled"), total, true);
    beside("streaming, recycled segments", 0.9, [&] { return recycled.run() / 1e6; });
    int number = 0;
    beside("streaming, growing log", 0.5, [&] {
        StreamingLog growing(scratch_.path("growing" + std::to_string(number++)), total, false);
        return growing.run() / 1e6;
    });
}

void LogBench::streaming()
{
    std::uint64_t const asked =
        static_cast<std::uint64_t>(settings_.seconds * kStreamedPerSecond / settings_.rounds);
    std::uint64_t const total = std::max(asked, kLeastStreamed);
    BareFile const bare(scratch_.path("bare"), total);
    if (wanted("stream"))
        stream(bare, total);
    if (!wanted("verify"))
        return;
    LogFigure figure = row("verify", "bare reads of 1 MiB", "MB/s", {1, kStreamed, 1});
    figure.ratio_target = 0.6;
    StreamingLog log(scratch_.path("verified"), total, false);
    log.run();
    keep(take_turns(
        figure, settings_.rounds, [&] { return log.verify() / 1e6; },
        [&] { return read_bare(bare, total) / 1e6; }));
}
} // namespace

std::string LogFigure::verdict() const
{
    if (!missing.empty())
        return "not measured: " + missing;
    if (ratio_target == 0 && target == 0)
        return "";
    bool const ratio_met =
        ratio_target == 0 || (less_is_better() ? ratio <= ratio_target : ratio >= ratio_target);
    bool const met = target == 0 || (less_is_better() ? weir <= target : weir >= target);
    return ratio_met && met ? "met" : "MISSED";
}

LogFigure take_turns(LogFigure figure, int rounds, Measured const &weir, Measured const &other)
{
    std::vector<double> ratios;
    for (int round = 0; round < rounds; ++round) {
        if (was_interrupted())
            throw Failure("interrupted"); // what was written is removed on the way out
        figure.other_runs.push_back(other());
        figure.runs.push_back(weir());
        ratios.push_back(figure.runs.back() / figure.other_runs.back());
    }
    figure.weir = median_of(figure.runs);
    figure.other = median_of(figure.other_runs);
    figure.ratio = median_of(ratios);
    return figure;
}

std::vector<LogFigure> run_log(LogBenchSettings const &settings, Show const &show)
{
    return LogBench(settings, show).run();
}

} // namespace tool::bench
