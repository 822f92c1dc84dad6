// SPDX-License-Identifier: MIT OR Apache-2.0
// Pools beside boost::pool, crossbeam's ArrayQueue and sharded-slab: a slot of 64 bytes is taken,
// written, read back and given back. Processor time of a pair, the slowest thread's; interleaved
// runs, medians, ratios. The Rust peers run in a program of their own (pools/).
#include "asked.hpp"
#include "report.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#ifdef WEIR_BENCH_BOOST
#include <boost/pool/pool.hpp>
#endif

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <ctime>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace {
using namespace bench;

constexpr size_t kSlot = 64;
constexpr uint64_t kCapacity = 1024;

struct Run {
    double nanoseconds = 0;
    uint64_t damaged = 0; ///< or refused
};

double thread_nanoseconds()
{
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return double(time.tv_sec) * 1e9 + double(time.tv_nsec);
}

/// The compiler must believe that somebody else sees the bytes.
inline bool use(void *data, uint64_t value)
{
    *static_cast<uint64_t *>(data) = value;
    asm volatile("" : "+r"(data) : : "memory");
    return *static_cast<uint64_t *>(data) == value;
}

/// `pair(i)` takes, uses and gives back, and says whether all went well.
template <class Pair> Run measure(unsigned threads, uint64_t pairs, Pair pair)
{
    std::vector<std::thread> running;
    std::vector<Run> runs(threads);
    std::atomic<unsigned> ready{0};
    for (unsigned t = 0; t < threads; ++t)
        running.emplace_back([&, t] {
            uint64_t damaged = 0;
            for (uint64_t i = 0; i < pairs / 20; ++i) // first touch is not counted
                damaged += pair(i) ? 0 : 1;
            for (++ready; ready < threads;) {
            }
            double const began = thread_nanoseconds();
            for (uint64_t i = 0; i < pairs; ++i)
                damaged += pair(i) ? 0 : 1;
            runs[t] = {(thread_nanoseconds() - began) / double(pairs), damaged};
        });
    Run all;
    for (unsigned t = 0; t < threads; ++t) {
        running[t].join();
        all.nanoseconds = std::max(all.nanoseconds, runs[t].nanoseconds);
        all.damaged += runs[t].damaged;
    }
    return all;
}

weir_pool_options options(weir_pool_flags flags)
{
    weir_pool_options made = WEIR_POOL_OPTIONS_INIT;
    made.slot_size = kSlot;
    made.capacity = kCapacity;
    made.flags = flags;
    return made;
}

Run weir_pairs(weir_pool *pool, unsigned threads, uint64_t pairs)
{
    Run const run = measure(threads, pairs, [pool](uint64_t i) {
        weir_slot slot;
        void *data;
        if (weir_pool_acquire(pool, 0, &slot, &data) != 0)
            return false;
        bool const good = use(data, i);
        return weir_pool_release(pool, slot) == 0 && good;
    });
    weir_pool_unref(pool);
    return run;
}

Run private_pairs(weir_pool_flags flags, unsigned threads, uint64_t pairs)
{
    weir_pool *pool = nullptr;
    weir_pool_options const with = options(flags);
    return weir_pool_create(&with, &pool) == 0 ? weir_pairs(pool, threads, pairs) : Run{0, 1};
}

Run shared_pairs(unsigned threads, uint64_t pairs)
{
    weir_matrix *matrix = nullptr;
    weir_pool *pool = nullptr;
    weir_pool_options const with = options(0);
    if (weir_matrix_create(nullptr, nullptr, &matrix) != 0 ||
        weir_pool_create_in(matrix, "pool", &with, &pool) != 0)
        return {0, 1};
    Run const run = weir_pairs(pool, threads, pairs);
    weir_matrix_unref(matrix);
    return run;
}

/// What two calls into the library cost that do nothing: the floor of a pair.
Run empty_calls(uint64_t pairs)
{
    return measure(1, pairs, [](uint64_t) {
        uint32_t const first = weir_version_number();
        asm volatile("" : : : "memory");
        return first == weir_version_number();
    });
}

#ifdef WEIR_BENCH_BOOST
/// In its user's code, as it is meant.
Run boost_inline(uint64_t pairs)
{
    boost::pool<> pool(kSlot);
    return measure(1, pairs, [&pool](uint64_t i) {
        void *const data = pool.malloc();
        bool const good = data != nullptr && use(data, i);
        pool.free(data);
        return good;
    });
}

__attribute__((noinline)) void *boost_malloc(boost::pool<> &pool) { return pool.malloc(); }
__attribute__((noinline)) void boost_free(boost::pool<> &pool, void *data) { pool.free(data); }

/// By calls, as from a library that is linked statically.
Run boost_called(uint64_t pairs)
{
    boost::pool<> pool(kSlot);
    return measure(1, pairs, [&pool](uint64_t i) {
        void *const data = boost_malloc(pool);
        bool const good = data != nullptr && use(data, i);
        boost_free(pool, data);
        return good;
    });
}
#endif

Contestant contestant(std::string name, uint64_t pairs, double at_most, std::function<Run()> run)
{
    auto const measured = [=] {
        Run const got = run();
        Outcome outcome;
        outcome.operations = pairs;
        outcome.seconds = got.nanoseconds * double(pairs) / 1e9;
        outcome.damaged = got.damaged;
        return outcome;
    };
    return {std::move(name), measured, at_most, {}};
}

/// One of those in the program of pools/.
Contestant asked(std::string name, AskedProgram &program, char const *peer, unsigned threads,
                 uint64_t pairs, double at_most)
{
    if (!program.missing().empty())
        return {std::move(name), {}, at_most, program.missing()};
    return contestant(std::move(name), pairs, at_most, [=, &program] {
        std::string const answer = program.ask(fmt::format("{} {} {}", peer, threads, pairs));
        Run run;
        unsigned long long damaged = 0;
        if (std::sscanf(answer.c_str(), "%lf %llu", &run.nanoseconds, &damaged) != 2)
            throw std::runtime_error("the program of pools/ says: " + answer);
        run.damaged = damaged;
        return run;
    });
}

Group group(std::string name, uint64_t pairs, std::function<Run()> run)
{
    return {name, name, 0, {contestant("weir", pairs, 0, std::move(run))}};
}

std::vector<Group> groups(uint64_t n, AskedProgram &rust)
{
    auto const shared = [n](unsigned threads) { return [=] { return shared_pairs(threads, n); }; };
    Group single =
        group("for one thread", n, [n] { return private_pairs(WEIR_POOL_SINGLE_THREAD, 1, n); });
#ifdef WEIR_BENCH_BOOST
    single.contestants.push_back(
        contestant("boost::pool, inline", n, 2.5, [n] { return boost_inline(n); }));
    single.contestants.push_back(
        contestant("boost::pool, called", n, 0, [n] { return boost_called(n); }));
#else
    single.contestants.push_back({"boost::pool", {}, 2.5, "it was not there when this was built"});
#endif
    single.contestants.push_back(
        contestant("two empty calls", n, 0, [n] { return empty_calls(n); }));
    Group one = group("in a matrix, 1 thread", n, shared(1));
    one.contestants.push_back(asked("crossbeam ArrayQueue", rust, "array-queue", 1, n, 1.6));
    one.contestants.push_back(
        contestant("a private pool", n, 0, [n] { return private_pairs(0, 1, n); }));
    Group two = group("in a matrix, 2 threads", n, shared(2));
    two.contestants.push_back(asked("sharded-slab", rust, "sharded-slab", 2, n, 0.7));
    two.contestants.push_back(asked("crossbeam ArrayQueue", rust, "array-queue", 2, n, 0));
    return {single, one, two};
}

} // namespace

int main(int count, char **arguments)
{
    int rounds = 5;
    uint64_t pairs = 2000000;
    std::string json, program, reason;
    CLI::App app{"Measures pools beside others: processor time of a pair of 64 B. Exit code 1: "
                 "something failed or was damaged; a missed target is no failure."};
    app.add_option("--rounds", rounds, "runs of each, in turns; the median counts")
        ->check(CLI::Range(1, 99));
    app.add_option("--pairs", pairs, "pairs per run and thread")
        ->check(CLI::Range(1000, 1000000000));
    app.add_option("--rust", program, "the program of bench/pools");
    app.add_option("--no-rust", reason, "why there is none");
    app.add_option("--json", json, "also write JSON to this file");
    CLI11_PARSE(app, count, arguments);
    try {
        AskedProgram rust(program, reason);
        Table table(rounds);
        table.circumstances()["peers"] = {rust.versions()};
        for (Group const &one : groups(pairs, rust))
            table.add(measure(one, rounds, TimeOf::wall));
        return table.end(json);
    } catch (std::exception const &failure) {
        fmt::print(stderr, "pools-bench: {}\n", failure.what());
        return 1;
    }
}
