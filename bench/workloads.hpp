// SPDX-License-Identifier: MIT OR Apache-2.0
// What is done to an allocator, and how long it takes. Payloads are written and read back; only
// operations that succeed count.
#pragma once

#include "allocators.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace bench {

struct Outcome {
    double seconds = 0;
    std::uint64_t operations = 0;
    std::uint64_t failures = 0; ///< allocations that found no memory
    std::uint64_t damaged = 0;  ///< payloads that were not what was written

    double nanoseconds_per_operation() const { return seconds / double(operations) * 1e9; }
};

struct Counts {
    std::uint64_t operations = 0, failures = 0, damaged = 0;
    std::chrono::steady_clock::time_point began{}; ///< not set: when all began
    std::chrono::steady_clock::time_point ended{};
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
/// single worker may have begun later, after a warm-up.
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
        ended = c.ended > ended ? c.ended : ended;
    }
    bool const warmed_up = workers == 1 && counts->began > began;
    outcome.seconds =
        std::chrono::duration<double>(ended - (warmed_up ? counts->began : began)).count();
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
            work(i, mine);
            mine.ended = std::chrono::steady_clock::now();
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
