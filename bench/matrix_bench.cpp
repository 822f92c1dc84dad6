// SPDX-License-Identifier: MIT OR Apache-2.0
// The matrix's shared path, and the matrix as it is by default, beside Boost.Interprocess:
// interleaved runs, medians, ratios. peers_bench.cpp has the other peers.
#include "workloads.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

namespace {
using bench::Outcome;

struct Settings {
    int rounds = 5;
    int operations = 400000;
    bool json = false;
};

/// A workload, and the promise that our time is at most `at_most` times the peer's; 0: none.
struct Row {
    std::string name;
    double at_most;
    std::function<Outcome()> ours;
    std::function<Outcome()> peers;
};

double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// A fresh allocator for each run: none inherits the other's fragmentation.
template <class Allocator> std::function<Outcome()> pairs(int threads, int operations)
{
    return [=] {
        Allocator allocator;
        return bench::pairs(allocator, threads, operations, 64);
    };
}

template <class Allocator> std::function<Outcome()> reference(int threads, int operations)
{
    return [=] {
        Allocator allocator;
        return bench::reference(allocator, threads, operations);
    };
}

std::vector<Row> rows(int n)
{
    using bench::Weir;
    using Shared = bench::WeirShared;
#ifdef WEIR_BENCH_BOOST
    using Peer = bench::Boost;
#else
    using Peer = Shared; // no peer is installed: only our own times mean anything
#endif
    return {
        {"shared path, pair of 64 B, 1 thread", 0.4, pairs<Shared>(1, n), pairs<Peer>(1, n)},
        {"shared path, pair of 64 B, 2 threads", 0.15, pairs<Shared>(2, n), pairs<Peer>(2, n)},
        {"shared path, reference, 1 thread", 1 / 2.5, reference<Shared>(1, n),
         reference<Peer>(1, n)},
        {"shared path, reference, 2 threads", 1 / 4.0, reference<Shared>(2, n),
         reference<Peer>(2, n)},
        {"shared path, reference, 8 threads", 1 / 4.0, reference<Shared>(8, n),
         reference<Peer>(8, n)},
        {"pair of 64 B, 1 thread", 0, pairs<Weir>(1, n), pairs<Peer>(1, n)},
        {"pair of 64 B, 2 threads", 0, pairs<Weir>(2, n), pairs<Peer>(2, n)},
        {"reference workload, 1 thread", 1 / 20.0, reference<Weir>(1, n), reference<Peer>(1, n)},
        {"reference workload, 2 threads", 1 / 20.0, reference<Weir>(2, n), reference<Peer>(2, n)},
        {"reference workload, 8 threads", 1 / 20.0, reference<Weir>(8, n), reference<Peer>(8, n)},
    };
}

struct Measured {
    std::string name;
    double ours, peers, ratio, at_most;
    bool sound; ///< no failed allocation, no damaged payload
};

/// Ours and the peer alternate, so that what disturbs the machine disturbs both.
Measured measure(Row const &row, int rounds)
{
    std::vector<double> ours, peers;
    bool sound = true;
    for (int i = 0; i < rounds; ++i) {
        for (auto const &[run, into] : {std::pair{&row.ours, &ours}, {&row.peers, &peers}}) {
            Outcome const outcome = (*run)();
            into->push_back(outcome.nanoseconds_per_operation());
            sound = sound && outcome.failures == 0 && outcome.damaged == 0;
        }
    }
    double const a = median(ours), b = median(peers);
    return {row.name, a, b, a / b, row.at_most, sound};
}

#ifdef WEIR_BENCH_BOOST
constexpr char const *kPeer = bench::Boost::kName;
#else
constexpr char const *kPeer = "none";
#endif

bool met(Measured const &m) { return m.at_most == 0 || m.ratio <= m.at_most; }

void print(Measured const &m)
{
    std::string const verdict =
        m.at_most == 0 ? "no target"
                       : fmt::format("target <= {:5.3f}  {}", m.at_most, met(m) ? "met" : "MISSED");
    fmt::print("{:38} {:8.1f} ns {:8.1f} ns   {:5.3f} x ({}){}\n", m.name, m.ours, m.peers, m.ratio,
               verdict, m.sound ? "" : "  UNSOUND");
    std::fflush(stdout);
}

nlohmann::ordered_json to_json(Measured const &m)
{
    nlohmann::ordered_json row = {{"name", m.name},     {"weir_ns", m.ours}, {"peer", kPeer},
                                  {"peer_ns", m.peers}, {"ratio", m.ratio},  {"sound", m.sound}};
    if (m.at_most != 0) {
        row["target"] = m.at_most;
        row["met"] = met(m);
    }
    return row;
}
} // namespace

int main(int count, char **arguments)
{
    Settings settings;
    CLI::App app{"Measures the matrix beside Boost.Interprocess; wall time per operation."};
    app.add_option("--rounds", settings.rounds, "interleaved runs; the median counts")
        ->check(CLI::Range(1, 99));
    app.add_option("--operations", settings.operations, "operations per run, over all threads")
        ->check(CLI::Range(1000, 100000000));
    app.add_flag("--json", settings.json, "print JSON");
    CLI11_PARSE(app, count, arguments);

    nlohmann::ordered_json results = nlohmann::ordered_json::array();
    bool sound = true;
    if (!settings.json)
        fmt::print("{:38} {:>11} {:>11}   median of {} interleaved runs\n", "", "weir",
                   kPeer == std::string("none") ? "(no peer)" : "Boost", settings.rounds);
    for (Row const &row : rows(settings.operations)) {
        Measured const m = measure(row, settings.rounds);
        sound = sound && m.sound;
        if (settings.json)
            results.push_back(to_json(m));
        else
            print(m);
    }
    if (settings.json)
        fmt::print("{}\n", results.dump(2));
    return sound ? 0 : 1;
}
