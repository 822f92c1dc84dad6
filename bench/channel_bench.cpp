// SPDX-License-Identifier: MIT OR Apache-2.0
// Channels beside their floors and their peers: which work is done by whom, and what is promised.
// `./dev bench channel` runs it. One table, and JSON for plot.py.
#include "asked.hpp"
#include "channel_sides.hpp"
#include "channel_streams.hpp"
#include "report.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <exception>

namespace {
using namespace bench;

struct Settings {
    int rounds = 5;
    int percent = 100;
    bool peers = false;
    std::string only, json, iceoryx2, no_iceoryx2, rust, no_rust;
};

constexpr std::size_t kSizes[] = {64, 4 << 10, 64 << 10, 4 << 20};

std::string bytes(std::size_t size)
{
    return size >= 1 << 20 ? fmt::format("{} MiB", size >> 20)
           : size >= 1024  ? fmt::format("{} KiB", size >> 10)
                           : fmt::format("{} B", size);
}

/// One of those who play the same rally.
struct Player {
    std::string name;
    std::size_t size;              ///< of a message; 0: a word alone
    std::function<Latency()> play; ///< empty: not measured
    std::string missing;
    std::vector<Latency> runs;

    std::vector<double> figures(std::size_t part) const
    {
        std::vector<double> all;
        for (Latency const &run : runs)
            all.push_back(run.nanoseconds[part]);
        return all;
    }
    bool sound() const
    {
        return std::all_of(runs.begin(), runs.end(),
                           [](auto const &run) { return run.damaged == 0; });
    }
};

Latency ask_iceoryx2(AskedProgram &program, Waits waits, std::size_t size, Rally const &rally)
{
    std::string const answer =
        program.ask(fmt::format("latency {} {} {} {}", waits == Waits::asleep ? "sleep" : "spin",
                                size, rally.messages, rally.gap_ns));
    Latency latency;
    auto &part = latency.nanoseconds;
    if (std::sscanf(answer.c_str(), "%lf %lf %lf %lf %lu", &part[0], &part[1], &part[2], &part[3],
                    &latency.damaged) != 5)
        throw std::runtime_error("the program for iceoryx2 says: " + answer);
    return latency;
}

/// Ours by sizes, the floor, then the peers by sizes.
std::vector<Player> players(Waits waits, Rally const &rally, AskedProgram *iceoryx2)
{
    std::vector<Player> all;
    for (std::size_t const size : kSizes)
        all.push_back({"weir", size, [=] { return channel_latency(waits, size, rally); }, {}, {}});
    if (waits == Waits::spinning) {
        all.push_back({"a cache line alone", 0, [=] { return cache_line_latency(rally); }, {}, {}});
        all.push_back(
            {"two lines, one claimed", kSizes[0], [=] { return claimed_latency(rally); }, {}, {}});
    } else {
        all.push_back({"a futex alone", 0, [=] { return futex_latency(rally); }, {}, {}});
    }
    if (iceoryx2 == nullptr)
        return all;
    for (std::size_t const size : kSizes) {
        auto const ask = [=] { return ask_iceoryx2(*iceoryx2, waits, size, rally); };
        bool const there = iceoryx2->missing().empty();
        all.push_back({"iceoryx2",
                       size,
                       there ? std::function<Latency()>(ask) : nullptr,
                       iceoryx2->missing(),
                       {}});
    }
#ifdef WEIR_BENCH_BOOST
    for (std::size_t const size : {kSizes[0], kSizes[2]})
        all.push_back({"Boost message_queue",
                       size,
                       [=] { return message_queue_latency(waits, size, rally); },
                       {},
                       {}});
#else
    all.push_back({"Boost message_queue", 64, nullptr, "it was not there when this was built", {}});
#endif
    return all;
}

Row beside(Player const &ours, Player const &other, std::size_t part, std::string const &name)
{
    Row row;
    row.name = name;
    row.unit = "ns";
    row.who = ours.name;
    row.peer = other.name;
    row.missing = other.missing;
    row.sound = ours.sound() && other.sound();
    row.figures = ours.figures(part);
    row.figure = median(row.figures);
    row.peer_figures = other.figures(part);
    row.peer_figure = other.play ? median(row.peer_figures) : 0;
    return row;
}

/// The median is what is promised; the other parts are told for the smallest and the largest.
std::vector<Row> latency_rows(std::string const &how, std::vector<Player> const &all,
                              double at_most)
{
    constexpr std::size_t kCount = std::size(kSizes);
    std::vector<Row> rows;
    for (std::size_t i = 0; i < kCount; ++i)
        for (std::size_t other = kCount; other < all.size(); ++other) {
            bool const floor = other == kCount;
            if (!floor && all[other].size != all[i].size)
                continue;
            bool const all_parts = i == 0 || i == kCount - 1;
            for (std::size_t part = 0; part < (all_parts ? Latency::kParts : 1); ++part) {
                Row row = beside(all[i], all[other], part,
                                 fmt::format("one way, {}, {}, {}", how, bytes(all[i].size),
                                             Latency::kName[part]));
                row.at_most = floor && part == 0 ? at_most : 0;
                row.chart = part == 0 ? "one way, " + how : i == 0 ? "parts, " + how : "";
                row.x = part == 0 ? double(all[i].size) : Latency::kPart[part] * 100;
                rows.push_back(row);
            }
        }
    Row same = beside(all[kCount - 1], all[0], 0, "one way, " + how + ", largest beside smallest");
    same.peer = "weir, " + bytes(kSizes[0]);
    same.at_most = 1.1;
    rows.push_back(same);
    return rows;
}

std::vector<Row> measure_latency(Waits waits, Settings const &settings, AskedProgram *iceoryx2)
{
    bool const spins = waits == Waits::spinning;
    Rally const rally{std::max(200, (spins ? 100 : 20) * settings.percent), spins ? 3000 : 40000};
    auto all = players(waits, rally, iceoryx2);
    for (int round = 0; round < settings.rounds; ++round)
        for (Player &player : all)
            if (player.play)
                player.runs.push_back(player.play());
    return latency_rows(spins ? "spinning" : "asleep", all, spins ? 1.5 : 1.15);
}

// ---- throughput

Outcome ask_stream(AskedProgram &program, std::string const &question, Stream const &stream)
{
    std::string const answer = program.ask(
        fmt::format("{} {} {} {}", question, stream.posters, stream.readers, stream.messages));
    double nanoseconds = 0;
    Outcome outcome;
    if (std::sscanf(answer.c_str(), "%lf %lu %lu", &nanoseconds, &outcome.operations,
                    &outcome.damaged) != 3)
        throw std::runtime_error("a program says: " + answer);
    outcome.seconds = nanoseconds / 1e9;
    return outcome;
}

Contestant asked(std::string name, AskedProgram &program, std::string const &question,
                 Stream const &stream, double at_most)
{
    if (!program.missing().empty())
        return {std::move(name), {}, at_most, program.missing()};
    return {std::move(name),
            [=, &program] { return ask_stream(program, question, stream); },
            at_most,
            {}};
}

void add_boost(Group &group, Stream const &stream)
{
#ifdef WEIR_BENCH_BOOST
    group.contestants.push_back(
        {"Boost message_queue", [=] { return message_queue_stream(stream); }, 0, {}});
    group.contestants.push_back(
        {"Boost.Lockfree queue, threads", [=] { return lockfree_stream(stream); }, 0, {}});
    if (stream.posters == 1)
        group.contestants.push_back(
            {"Boost.Lockfree spsc, threads", [=] { return lockfree_spsc_stream(stream); }, 0, {}});
#else
    (void)stream;
    group.contestants.push_back({"Boost", {}, 0, "it was not there when this was built"});
#endif
}

/// Ours one by one, in batches, and the peers, who have no batches.
std::vector<Row> measure_stream(Stream const &stream, double x, Settings const &settings,
                                AskedProgram &iceoryx2, AskedProgram &rust)
{
    constexpr int kBatch = 32;
    constexpr double kAtMost = 1.0 / 3; // of iceoryx2's time for a message
    std::string const name = fmt::format("64 B, {} to {}", stream.posters, stream.readers);
    auto const run = [=](int batch) { return [=] { return channel_stream(stream, batch); }; };
    Group group{name, "throughput", x, {{"weir", run(1), 0, {}}}};
    group.contestants.push_back({fmt::format("weir, {} a call", kBatch), run(kBatch), 0, {}});
    if (settings.peers) {
        group.contestants.push_back(asked("iceoryx2", iceoryx2, "throughput", stream, kAtMost));
        if (stream.readers == 1) {
            add_boost(group, stream);
            group.contestants.push_back(
                asked("crossbeam-channel, threads", rust, "stream", stream, 0));
        }
    }
    auto rows = measure(group, settings.rounds, TimeOf::wall);
    if (!settings.peers)
        return rows;
    Row batches = rows[1]; // the same beside iceoryx2
    batches.who = rows[0].peer;
    batches.figures = rows[0].peer_figures;
    batches.figure = rows[0].peer_figure;
    batches.sound = batches.sound && rows[0].sound;
    rows.push_back(batches);
    return rows;
}

struct Part {
    std::string name;
    std::function<std::vector<Row>()> rows;
};

std::vector<Part> all_parts(Settings const &settings, AskedProgram &iceoryx2, AskedProgram &rust)
{
    AskedProgram *const peer = settings.peers ? &iceoryx2 : nullptr;
    std::vector<Part> parts;
    for (Waits const waits : {Waits::spinning, Waits::asleep})
        parts.push_back({waits == Waits::spinning ? "one way, spinning" : "one way, asleep",
                         [=, &settings] { return measure_latency(waits, settings, peer); }});
    int const n = 8000 * settings.percent;
    Stream const streams[] = {{1, 1, n}, {4, 1, n}, {1, 4, n / 2}};
    for (std::size_t i = 0; i < std::size(streams); ++i)
        parts.push_back({fmt::format("64 B, {} to {}", streams[i].posters, streams[i].readers),
                         [=, &settings, &iceoryx2, &rust] {
                             return measure_stream(streams[i], double(i), settings, iceoryx2, rust);
                         }});
    return parts;
}

int report(Settings const &settings)
{
    AskedProgram iceoryx2(settings.iceoryx2, settings.no_iceoryx2);
    AskedProgram rust(settings.rust, settings.no_rust);
    Table table(settings.rounds);
    table.circumstances()["peers"] = {iceoryx2.versions(), rust.versions()};
    for (Part const &part : all_parts(settings, iceoryx2, rust))
        if (part.name.find(settings.only) != std::string::npos)
            table.add(part.rows());
    return table.end(settings.json);
}
} // namespace

int main(int count, char **arguments)
{
    Settings settings;
    CLI::App app{"Measures channels beside others. Exit code 1: something failed or was damaged; a "
                 "missed target is no failure."};
    app.add_option("--rounds", settings.rounds, "runs of each, in turns; the median counts")
        ->check(CLI::Range(1, 99));
    app.add_option("--percent", settings.percent,
                   "how much work per run, 100: 10,000 messages there and back, 800,000 one way")
        ->check(CLI::Range(1, 1000));
    app.add_flag("--peers", settings.peers, "beside other libraries as well");
    app.add_option("--only", settings.only, "only what has this text in its name");
    app.add_option("--json", settings.json, "also write JSON to this file");
    app.add_option("--iceoryx2", settings.iceoryx2, "the program built from bench/iceoryx2");
    app.add_option("--no-iceoryx2", settings.no_iceoryx2, "why there is no such program");
    app.add_option("--rust", settings.rust, "the program built from bench/pools");
    app.add_option("--no-rust", settings.no_rust, "why there is no such program");
    CLI11_PARSE(app, count, arguments);
    try {
        return report(settings);
    } catch (std::exception const &failure) {
        fmt::print(stderr, "channel-bench: {}\n", failure.what());
        return 1;
    }
}
