// SPDX-License-Identifier: MIT OR Apache-2.0
// One-way times between two processes: one sends, the other answers, and half of what that takes is
// one way. Messages are written before the clock starts and released after it has stopped: who
// answers waits for half the gap first.
#pragma once

#include "processes.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include <sched.h>

namespace bench {

struct Latency {
    static constexpr std::size_t kParts = 4;
    static constexpr double kPart[kParts] = {0.5, 0.9, 0.99, 0.999};
    static constexpr char const *kName[kParts] = {"p50", "p90", "p99", "p99.9"};

    std::array<double, kParts> nanoseconds{};
    std::uint64_t damaged = 0; ///< or a process that failed
};

struct Rally {
    int messages;
    std::int64_t gap_ns; ///< between an answer and the next message
};

inline std::int64_t now_ns()
{
    timespec time = {};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000 + time.tv_nsec;
}

inline void spin_for(std::int64_t nanoseconds)
{
    for (std::int64_t const resume = now_ns() + nanoseconds; now_ns() < resume;) {
    }
}

/// What two calls of now_ns() measure if nothing is between them.
inline std::int64_t cost_of_clock()
{
    std::int64_t least = INT64_MAX;
    for (int i = 0; i < 1000; ++i) {
        std::int64_t const began = now_ns();
        least = std::min(least, now_ns() - began);
    }
    return least;
}

/// This process on the `number`-th processor that it may use; if there are several.
inline void pin(int number)
{
    cpu_set_t usable, one;
    if (sched_getaffinity(0, sizeof usable, &usable) != 0 || CPU_COUNT(&usable) < 2)
        return;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &usable) && number-- == 0)
            CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

/// A side has prepare(i), send(i), receive(i), and finish(i), which says whether all was right.
template <class Side>
void ping(Side &side, Rally const &rally, std::int64_t *times, std::uint64_t &damaged)
{
    std::int64_t const clock = cost_of_clock();
    for (int i = 0; i < rally.messages; ++i) {
        side.prepare(i);
        spin_for(rally.gap_ns);
        std::int64_t const began = now_ns();
        side.send(i);
        side.receive(i);
        times[i] = std::max<std::int64_t>(0, now_ns() - began - clock);
        damaged += side.finish(i) ? 0 : 1;
    }
}

template <class Side> void pong(Side &side, Rally const &rally, std::uint64_t &damaged)
{
    for (int i = 0; i < rally.messages; ++i) {
        side.prepare(i);
        side.receive(i);
        side.send(i);
        spin_for(rally.gap_ns / 2);
        damaged += side.finish(i) ? 0 : 1;
    }
}

/// The first tenth warms up.
inline Latency percentiles(std::int64_t const *times, int count, std::uint64_t damaged)
{
    std::vector<std::int64_t> sorted(times + count / 10, times + count);
    std::sort(sorted.begin(), sorted.end());
    Latency latency;
    for (std::size_t i = 0; i < Latency::kParts; ++i)
        latency.nanoseconds[i] =
            double(sorted[std::size_t(Latency::kPart[i] * double(sorted.size() - 1))]) / 2;
    latency.damaged = damaged;
    return latency;
}

/// `make(pinging)` makes a side, in the process that plays it.
template <class Make> Latency ping_pong(Rally const &rally, Make make)
{
    std::size_t const bytes = sizeof(std::int64_t) * std::size_t(rally.messages);
    void *const memory =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        throw std::runtime_error("no memory for the times");
    auto *const times = static_cast<std::int64_t *>(memory);
    Outcome const outcome =
        in_processes(2, [&](int number, Barrier const &all_are_ready, Counts &counts) {
            pin(number);
            auto side = make(number == 0);
            all_are_ready();
            if (number == 0)
                ping(*side, rally, times, counts.damaged);
            else
                pong(*side, rally, counts.damaged);
        });
    Latency const latency = percentiles(times, rally.messages, outcome.damaged);
    munmap(memory, bytes);
    return latency;
}

} // namespace bench
