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
};

/// Runs `work(thread, counts)` in `threads` threads that begin together; wall time.
template <class Work> Outcome in_threads(int threads, Work work)
{
    std::atomic<bool> begin{false};
    std::vector<Counts> counts(std::size_t(threads) * 8); // a cache line apart
    std::vector<std::thread> all;
    for (int i = 0; i < threads; ++i)
        all.emplace_back([&, i] {
            while (!begin.load(std::memory_order_acquire))
                std::this_thread::yield();
            work(i, counts[std::size_t(i) * 8]);
        });
    auto const began = std::chrono::steady_clock::now();
    begin.store(true, std::memory_order_release);
    for (std::thread &thread : all)
        thread.join();
    std::chrono::duration<double> const took = std::chrono::steady_clock::now() - began;
    Outcome outcome;
    outcome.seconds = took.count();
    for (Counts const &c : counts) {
        outcome.operations += c.operations;
        outcome.failures += c.failures;
        outcome.damaged += c.damaged;
    }
    return outcome;
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

/// The reference workload: 32 to 543 bytes, 70 % allocations, at most 200 live blocks a thread.
template <class Allocator> Outcome reference(Allocator &allocator, int threads, int total)
{
    struct Live {
        Block block;
        std::uint32_t size;
        unsigned char pattern;
    };
    return in_threads(threads, [&](int thread, Counts &counts) {
        constexpr int kMostLive = 200;
        std::uint32_t state = std::uint32_t(thread) * 2654435761u + 1;
        auto const random = [&state] {
            state ^= state << 13;
            state ^= state >> 17;
            return state ^= state << 5;
        };
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
        for (int i = 0; i < total / threads; ++i) {
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
    });
}

} // namespace bench
