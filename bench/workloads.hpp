// SPDX-License-Identifier: MIT OR Apache-2.0
// What is done to an allocator, and how long it takes. Payloads are written and read back; only
// operations that succeed count.
#pragma once

#include "allocators.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <thread>
#include <vector>

namespace bench {

struct Outcome {
    double seconds = 0;     ///< wall time
    double cpu_seconds = 0; ///< of all workers together; 0: not known
    std::uint64_t operations = 0;
    std::uint64_t failures = 0; ///< allocations that found no memory
    std::uint64_t damaged = 0;  ///< payloads that were not what was written

    double nanoseconds_per_operation() const { return seconds / double(operations) * 1e9; }
};

/// CPU time of this thread.
inline double cpu_seconds()
{
    timespec time = {};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return double(time.tv_sec) + double(time.tv_nsec) / 1e9;
}

struct Counts {
    std::uint64_t operations = 0, failures = 0, damaged = 0;
    std::chrono::steady_clock::time_point began{};
    std::chrono::steady_clock::time_point ended{};
    double cpu_began = 0, cpu_ended = 0;

    void begin()
    {
        began = std::chrono::steady_clock::now();
        cpu_began = cpu_seconds();
    }
    void end()
    {
        ended = std::chrono::steady_clock::now();
        cpu_ended = cpu_seconds();
    }
};

/// xorshift32; any seed.
class Random {
  public:
    explicit Random(std::uint32_t seed) : state_(seed * 2654435761u + 1) {}
    std::uint32_t operator()()
    {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 17;
        return state_ ^= state_ << 5;
    }

  private:
    std::uint32_t state_;
};

/// From `began` until the last worker was done; not until all threads or processes were gone. A
/// single worker counts from where it began itself: it may have warmed up.
inline Outcome sum_up(Counts const *counts, int workers, int stride,
                      std::chrono::steady_clock::time_point began)
{
    Outcome outcome;
    auto ended = began;
    for (int i = 0; i < workers; ++i) {
        Counts const &c = counts[i * stride];
        outcome.operations += c.operations;
        outcome.failures += c.failures;
        outcome.damaged += c.damaged;
        outcome.cpu_seconds += c.cpu_ended - c.cpu_began;
        ended = c.ended > ended ? c.ended : ended;
    }
    auto const from = workers == 1 ? counts->began : began;
    outcome.seconds = std::chrono::duration<double>(ended - from).count();
    return outcome;
}

inline constexpr int kStride = 4; ///< of Counts: no two workers write one cache line

/// Runs `work(thread, counts)` in `threads` threads that begin together; wall time.
template <class Work> Outcome in_threads(int threads, Work work)
{
    std::atomic<bool> begin{false};
    std::vector<Counts> counts(std::size_t(threads) * kStride);
    std::vector<std::thread> all;
    for (int i = 0; i < threads; ++i)
        all.emplace_back([&, i] {
            while (!begin.load(std::memory_order_acquire))
                std::this_thread::yield();
            Counts &mine = counts[std::size_t(i) * kStride];
            mine.begin();
            work(i, mine);
            mine.end();
        });
    auto const began = std::chrono::steady_clock::now();
    begin.store(true, std::memory_order_release);
    for (std::thread &thread : all)
        thread.join();
    return sum_up(counts.data(), threads, kStride, began);
}

/// One operation is an allocation and its release.
template <class Allocator>
Outcome pairs(Allocator &allocator, int threads, int total, std::size_t size)
{
    return in_threads(threads, [&](int thread, Counts &counts) {
        for (int i = 0; i < total / threads; ++i) {
            Block block;
            if (!allocator.allocate(size, block)) {
                ++counts.failures;
                continue;
            }
            auto *const word = static_cast<std::uint64_t volatile *>(block.data);
            *word = std::uint64_t(thread) << 32 | unsigned(i);
            counts.damaged += *word != (std::uint64_t(thread) << 32 | unsigned(i));
            allocator.release(block);
            ++counts.operations;
        }
    });
}

/// One worker of the reference workload: 32 to 543 bytes, 70 % allocations, at most 200 live blocks.
template <class Allocator>
void reference_worker(Allocator &allocator, int worker, int operations, Counts &counts)
{
    struct Live {
        Block block;
        std::uint32_t size;
        unsigned char pattern;
    };
    constexpr int kMostLive = 200;
    Random random{std::uint32_t(worker)};
    std::vector<Live> live;
    live.reserve(kMostLive);
    auto const release = [&](std::size_t at) {
        Live const it = live[at];
        live[at] = live.back();
        live.pop_back();
        auto const *const bytes = static_cast<unsigned char const *>(it.block.data);
        counts.damaged += bytes[0] != it.pattern || bytes[it.size - 1] != it.pattern;
        allocator.release(it.block);
        ++counts.operations;
    };
    for (int i = 0; i < operations; ++i) {
        std::uint32_t const dice = random();
        if (live.empty() || (live.size() < kMostLive && dice % 10 < 7)) {
            Live made{{}, 32 + (dice >> 8) % 512, static_cast<unsigned char>(i)};
            if (!allocator.allocate(made.size, made.block)) {
                ++counts.failures;
                continue;
            }
            std::memset(made.block.data, made.pattern, made.size);
            live.push_back(made);
            ++counts.operations;
        } else {
            release((dice >> 8) % live.size());
        }
    }
    while (!live.empty())
        release(live.size() - 1);
}

template <class Allocator> Outcome reference(Allocator &allocator, int threads, int total)
{
    return in_threads(threads, [&](int thread, Counts &counts) {
        reference_worker(allocator, thread, total / threads, counts);
    });
}

} // namespace bench
