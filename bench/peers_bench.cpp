// SPDX-License-Identifier: MIT OR Apache-2.0
// The matrix beside its peers: which work is done by whom, and what is promised. One table, and
// JSON for plot.py.
#include "facts.hpp"
#include "fragmentation.hpp"
#include "libraries.hpp"
#include "loan.hpp"
#include "processes.hpp"
#include "report.hpp"
#include "ring.hpp"
#include "sizes.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <exception>
#include <fstream>

namespace {
using namespace bench;
using Json = nlohmann::ordered_json;

struct Settings {
    int rounds = 5;
    int percent = 100;
    TimeOf time = TimeOf::wall;
    std::string only, json, iceoryx2, no_iceoryx2;
};

/// Our time by theirs, at most; 0: no promise.
struct Promises {
    double mimalloc = 0, jemalloc = 0, boost = 0;
};

/// A fresh allocator for each run: none inherits the other's fragmentation.
template <class Allocator, class Work>
Contestant contestant(std::string name, double at_most, std::size_t capacity, int operations,
                      Work work)
{
    auto run = [=] {
        Allocator allocator(capacity);
        return work(allocator, operations);
    };
    return {std::move(name), run, at_most, {}};
}

template <class Allocator, class Work>
Contestant library(std::string name, MallocLibrary const &from, double at_most, int operations,
                   Work work)
{
    if (!from.missing.empty())
        return {std::move(name), {}, at_most, from.missing};
    return contestant<Allocator>(std::move(name), at_most, 0, operations, work);
}

template <class Work>
Contestant boost_too(double at_most, std::size_t capacity, int operations, Work work)
{
#ifdef WEIR_BENCH_BOOST
    return contestant<Boost>(Boost::kName, at_most, capacity, operations, work);
#else
    (void)capacity, (void)operations, (void)work;
    return {"Boost.Interprocess", {}, at_most, "it was not there when this was built"};
#endif
}

struct Load {
    int operations;
    std::size_t capacity = kCapacity;
    int fewer = 5; ///< Boost.Interprocess, which is slow, does this much less
};

template <class Work>
std::vector<Contestant> beside_all(Promises const &promises, Load const &load, Work work)
{
    int const n = load.operations;
    return {contestant<Weir>(Weir::kName, 0, load.capacity, n, work),
            library<Mimalloc>("mimalloc", mimalloc(), promises.mimalloc, n, work),
            library<Jemalloc>("jemalloc", jemalloc(), promises.jemalloc, n, work),
            library<Glibc>("glibc", glibc(), 0, n, work),
            boost_too(promises.boost, load.capacity, n / load.fewer, work)};
}

std::string counted(int count, char const *what)
{
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string bytes(std::size_t size)
{
    return size >= kMiB   ? fmt::format("{} MiB", size / kMiB)
           : size >= 1024 ? fmt::format("{} KiB", size / 1024)
                          : fmt::format("{} B", size);
}

void add_reference(std::vector<Group> &groups, int n)
{
    for (int threads : {1, 2, 8})
        groups.push_back({"reference workload, " + counted(threads, "thread"), "reference",
                          double(threads),
                          beside_all({1, 0, 0.05}, {n}, [=](auto &allocator, int operations) {
                              return reference(allocator, threads, operations);
                          })});
    for (int threads : {2, 8}) {
        auto const work = [=](auto &allocator, int operations) {
            return freed_by_another(allocator, threads, operations);
        };
        Group group{"freed by another thread, " + counted(threads, "thread"), "handed",
                    double(threads), beside_all({0.5, 0, 0}, {n}, work)};
        group.contestants.push_back(contestant<NoAllocator>("the hand-over alone", 0, 0, n, work));
        groups.push_back(std::move(group));
    }
}

/// Beside the same work in as many threads.
void add_processes(std::vector<Group> &groups, int n)
{
    for (int count : {2, 8}) {
        auto const processes = [=](auto &allocator, int operations) {
            return reference_in_processes(allocator, count, operations);
        };
        auto const threads = [=](auto &allocator, int operations) {
            return reference_in_as_many_threads(allocator, count, operations);
        };
        groups.push_back({fmt::format("reference workload, {} processes", count),
                          "processes",
                          double(count),
                          {contestant<Weir>("weir", 0, kCapacity, n, processes),
                           contestant<Weir>(fmt::format("weir, {} threads", count), 1 / 0.95,
                                            kCapacity, n, threads),
                           boost_too(0, kCapacity, n / 5, processes)}});
    }
}

void add_shared_path(std::vector<Group> &groups, int n)
{
    for (int threads : {1, 2}) {
        auto const work = [=](auto &allocator, int operations) {
            return pairs(allocator, threads, operations, 64);
        };
        groups.push_back({"shared path, pair of 64 B, " + counted(threads, "thread"),
                          "shared",
                          double(threads),
                          {contestant<WeirShared>(WeirShared::kName, 0, kCapacity, n / 2, work),
                           boost_too(threads == 1 ? 0.4 : 0.15, kCapacity, n / 10, work)}});
    }
}

Contestant loan_of(LoanProgram &program, std::size_t size, int n)
{
    if (!program.missing().empty())
        return {"iceoryx2", {}, 0, program.missing()};
    return {"iceoryx2", [&program, size, n] { return program.pairs(size, n); }, 0, {}};
}

void add_pairs(std::vector<Group> &groups, int n, LoanProgram &loans)
{
    for (std::size_t size = 16; size <= 16 * kMiB; size *= 4) {
        int const operations = size <= 64 * 1024 ? n / 2 : size < 16 * kMiB ? n / 20 : n / 200;
        Promises const promises{0, size == 64 ? 2.0 : 0, 0};
        Group group{"pair of " + bytes(size), "pairs", double(size),
                    beside_all(promises, {operations, 4 * size + kCapacity},
                               [=](auto &allocator, int count) {
                                   return pairs_of(allocator, count, size);
                               })};
        if (size == 64 || size == 4096 || size == kMiB)
            group.contestants.push_back(loan_of(loans, size, operations / 2));
        groups.push_back(std::move(group));
    }
    groups.push_back({"pair of 16 to 4096 B, mixed", "", 0,
                      beside_all({0, 2, 0}, {n}, [](auto &allocator, int operations) {
                          return mixed_pairs(allocator, operations);
                      })});
    groups.push_back(
        {"pair of 1 to 16 MiB, every page written", "", 0,
         beside_all({0, 0.3, 0}, {n / 2500, 96 * kMiB, 1}, [](auto &allocator, int operations) {
             return large_pairs(allocator, operations);
         })});
}

std::vector<Group> all_groups(int n, LoanProgram &loans)
{
    std::vector<Group> groups;
    add_reference(groups, n);
    add_processes(groups, n);
    add_pairs(groups, n, loans);
    add_shared_path(groups, n);
    return groups;
}

/// Rows that are not times of contestants that take turns.
struct Fact {
    std::string name;
    std::function<std::vector<Row>(std::string const &name, Settings const &)> rows;
};

Row figure(std::string name, std::string unit, double value, double at_most, std::uint64_t faults)
{
    Row row;
    row.name = std::move(name);
    row.unit = std::move(unit);
    row.who = "weir";
    row.figure = value;
    row.figures = {value};
    row.at_most = at_most;
    row.sound = faults == 0;
    return row;
}

Fact healing(std::string name, Dead dead)
{
    return {
        std::move(name), [=](std::string const &name, Settings const &settings) {
            return std::vector<Row>{measure_alone(
                name, "ms", 1e8, 1, [=] { return heal(dead); }, settings.rounds, settings.time)};
        }};
}

/// Beside the floor, which takes turns with it. The promise is about the figure, not the ratio.
Fact attaching(std::string name, bool first_block)
{
    return {std::move(name), [=](std::string const &name, Settings const &settings) {
                std::vector<Row> rows{measure_alone(
                    name, "ms", 1e3, 1, [=] { return attach(20, first_block); }, settings.rounds,
                    settings.time)};
                if (!first_block)
                    rows.push_back(measure_alone(
                        "  the floor: open and map a file of 64 GiB", "ms", 1e3, 0,
                        [] { return open_and_map(20); }, settings.rounds, settings.time));
                return rows;
            }};
}

std::vector<Row> fragmentation_rows(Sizes sizes, std::string const &name, Settings const &settings)
{
    int const operations = std::max(10000, 10000 * settings.percent);
    Fragmentation const ours = fragmentation_of_matrix(sizes, operations);
    Fragmentation const theirs = fragmentation_of_good_fit(sizes, operations);
    std::uint64_t const faults = ours.failures + ours.damaged;
    Row peak = figure(name + ": committed by live, peaks", "x", ours.peak_ratio(), 1.1, faults);
    Row largest = figure(name + ": largest free by free", "x", ours.largest_share(), 0, faults);
    peak.peer = largest.peer = "TLSF-like yard-stick";
    peak.peer_figure = theirs.peak_ratio();
    peak.peer_figures = {peak.peer_figure};
    largest.peer_figure = theirs.largest_share();
    largest.peer_figures = {largest.peer_figure};
    return {peak, largest};
}

Fact fragmented(std::string name, Sizes sizes)
{
    return {std::move(name), [=](std::string const &name, Settings const &settings) {
                return fragmentation_rows(sizes, name, settings);
            }};
}

Fact filled(std::string name, std::size_t least, std::size_t most, std::size_t total,
            double tables_at_most, double waste_at_most)
{
    return {std::move(name), [=](std::string const &name, Settings const &) {
                Overhead const it = overhead(least, most, total);
                return std::vector<Row>{figure("tables by committed data, " + name, "%",
                                               it.tables * 100, tables_at_most, it.failures),
                                        figure("waste by bytes asked for, " + name, "%",
                                               it.waste * 100, waste_at_most, it.failures)};
            }};
}

std::vector<Fact> all_facts()
{
    return {
        healing("healing 100,000 blocks of 64 B", {}),
        healing("healing 100,000 blocks of 32 to 543 B", {100000, 32, 543, false}),
        healing("healing 100,000, each beside a live one", {100000, 32, 543, true}),
        attaching("attaching to 64 GiB", false),
        attaching("attaching to 64 GiB, and the first block", true),
        {"the floor of a pair: two uncontended CAS",
         [](std::string const &name, Settings const &settings) {
             return std::vector<Row>{measure_alone(
                 name, "ns", 1e9, 0, [] { return uncontended_cas(1000000); }, settings.rounds,
                 settings.time)};
         }},
        {"file of an empty matrix of 64 GiB",
         [](std::string const &name, Settings const &) {
             return std::vector<Row>{
                 figure(name, "KiB", double(empty_matrix_bytes()) / 1024, 0, 0)};
         }},
        filled("64 to 1024 B", 64, 1024, 64 * kMiB, 14, 0),
        filled("1 KiB to 1 MiB", 1025, kMiB, 256 * kMiB, 4, 0),
        filled("1 to 16 MiB", kMiB + 1, 16 * kMiB, 512 * kMiB, 0.1, 0),
        filled("16 to 4096 B", 16, 4096, 64 * kMiB, 0, 12),
        fragmented("trace of 16 to 4096 B", Sizes::mixed),
        fragmented("trace of all sizes", Sizes::all),
    };
}

bool wanted(std::string const &name, Settings const &settings)
{
    return name.find(settings.only) != std::string::npos;
}

std::string version_or_reason(MallocLibrary const &library)
{
    return library.missing.empty() ? library.version : "not measured: " + library.missing;
}

void measure_all(Settings const &settings, LoanProgram &loans, Table &table)
{
    for (Group const &group : all_groups(20000 * settings.percent, loans))
        if (wanted(group.name, settings))
            table.add(measure(group, settings.rounds, settings.time));
    for (Fact const &fact : all_facts())
        if (wanted(fact.name, settings))
            table.add(fact.rows(fact.name, settings));
}

int report(Settings const &settings)
{
    LoanProgram loans(settings.iceoryx2, settings.no_iceoryx2);
    Table table(settings.rounds);
    Json &facts = table.circumstances();
    facts["clock"] = settings.time == TimeOf::wall ? "wall" : "cpu";
    facts["glibc"] = version_or_reason(glibc());
    facts["mimalloc"] = version_or_reason(mimalloc());
    facts["jemalloc"] = version_or_reason(jemalloc());
    facts["iceoryx2"] = loans.version();
    measure_all(settings, loans, table);
    return table.end(settings.json);
}
} // namespace

int main(int count, char **arguments)
{
    make_room_for_libraries(arguments);
    Settings settings;
    CLI::App app{"Measures the matrix beside other allocators. Exit code 1: something failed or "
                 "was damaged; a missed target is no failure."};
    app.add_option("--rounds", settings.rounds, "runs of each, in turns; the median counts")
        ->check(CLI::Range(1, 99));
    app.add_option("--percent", settings.percent,
                   "how much work per run, 100: 2,000,000 operations")
        ->check(CLI::Range(1, 1000));
    app.add_flag_callback(
        "--cpu", [&] { settings.time = TimeOf::workers; },
        "CPU time of the workers, where it is known, and not wall time: for busy machines");
    app.add_option("--only", settings.only, "only what has this text in its name");
    app.add_option("--json", settings.json, "also write JSON to this file");
    app.add_option("--iceoryx2", settings.iceoryx2, "the program built from bench/iceoryx2");
    app.add_option("--no-iceoryx2", settings.no_iceoryx2, "why there is no such program");
    CLI11_PARSE(app, count, arguments);
    try {
        return report(settings);
    } catch (std::exception const &failure) {
        fmt::print(stderr, "peers-bench: {}\n", failure.what());
        return 1;
    }
}
