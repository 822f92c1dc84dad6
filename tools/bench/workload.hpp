// SPDX-License-Identifier: MIT OR Apache-2.0
// The workloads of weir bench, over any allocator; the payload is written and read back.
#pragma once

#include "../clock.hpp"
#include "../error.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <thread>
#include <vector>

#include <weir.h>

namespace tool::bench {

/// An allocation: what frees it, and its bytes.
struct Allocation {
    weir_ref ref;
    unsigned char *bytes;
    std::uint32_t size;
};

class WeirAllocator {
  public:
    explicit WeirAllocator(weir_matrix *matrix) : matrix_(matrix) {}

    bool alloc(std::uint32_t size, Allocation &ret_allocation)
    {
        void *data = nullptr;
        if (weir_matrix_alloc(matrix_, size, nullptr, &ret_allocation.ref, &data) < 0)
            return false;
        ret_allocation.bytes = static_cast<unsigned char *>(data);
        ret_allocation.size = size;
        return true;
    }
    void free(Allocation const &allocation)
    {
        must(weir_matrix_free(matrix_, allocation.ref), "free");
    }

  private:
    weir_matrix *matrix_;
};

/// The C library's, for comparison: private memory, and nothing survives a crash.
class MallocAllocator {
  public:
    bool alloc(std::uint32_t size, Allocation &ret_allocation)
    {
        auto *const bytes = static_cast<unsigned char *>(std::malloc(size));
        ret_allocation = {0, bytes, size};
        return bytes != nullptr;
    }
    void free(Allocation const &allocation) { std::free(allocation.bytes); }
};

/// What a workload did. Failed operations do not count.
struct Tally {
    std::uint64_t operations = 0;
    std::uint64_t failures = 0;
    std::int64_t ns = 0;

    double ns_per_operation() const
    {
        return static_cast<double>(ns) / static_cast<double>(operations > 0 ? operations : 1);
    }
};

inline void fill(Allocation const &allocation)
{
    std::memset(allocation.bytes, static_cast<int>(allocation.size & 0xff), allocation.size);
}

/// Reads all bytes; throws if somebody else wrote there.
inline void check(Allocation const &allocation)
{
    auto const expected = static_cast<unsigned char>(allocation.size & 0xff);
    unsigned different = 0;
    for (std::uint32_t i = 0; i < allocation.size; ++i)
        different |= static_cast<unsigned>(allocation.bytes[i] ^ expected);
    if (different != 0)
        throw Failure("a block does not hold what was written to it");
}

/// xorshift64*, Vigna 2014: cheap enough not to be what is measured.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
    std::uint32_t below(std::uint32_t limit)
    {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        auto const high = static_cast<std::uint32_t>(state_ * 0x2545f4914f6cdd1d >> 32);
        return static_cast<std::uint32_t>(static_cast<std::uint64_t>(high) * limit >> 32);
    }

  private:
    std::uint64_t state_;
};

/// Pairs of alloc and free of `size` bytes for `duration_ns`. One operation is a pair.
template <typename Allocator>
Tally run_pairs(Allocator allocator, std::uint32_t size, std::int64_t duration_ns)
{
    constexpr int kBatch = 1000; // between looks at the clock
    Tally tally;
    std::int64_t const begin = now_ns();
    do {
        for (int i = 0; i < kBatch; ++i) {
            Allocation allocation{};
            if (!allocator.alloc(size, allocation)) {
                ++tally.failures;
                continue;
            }
            fill(allocation);
            check(allocation);
            allocator.free(allocation);
            ++tally.operations;
        }
        tally.ns = now_ns() - begin;
    } while (tally.ns < duration_ns);
    return tally;
}

/// One thread of the reference workload: 32 to 543 bytes, 70 % allocations, 30 % frees of a random
/// live block, at most 200 live. One operation is an alloc or a free.
template <typename Allocator>
Tally run_mix(Allocator allocator, std::uint64_t seed, std::atomic<bool> const &stop)
{
    constexpr std::uint32_t kSmallest = 32;
    constexpr std::uint32_t kSizes = 512;
    constexpr std::size_t kMostLive = 200;
    Random random(seed);
    std::vector<Allocation> live;
    live.reserve(kMostLive);
    Tally tally;
    while (!stop.load(std::memory_order_relaxed)) { // a flag, nothing hangs on it
        bool const want = random.below(10) < 7 && live.size() < kMostLive;
        if (want || live.empty()) {
            Allocation allocation{};
            if (!allocator.alloc(kSmallest + random.below(kSizes), allocation)) {
                ++tally.failures;
                continue;
            }
            fill(allocation);
            live.push_back(allocation);
        } else {
            Allocation &victim = live[random.below(static_cast<std::uint32_t>(live.size()))];
            check(victim);
            allocator.free(victim);
            victim = live.back();
            live.pop_back();
        }
        ++tally.operations;
    }
    for (auto const &allocation : live)
        allocator.free(allocation);
    return tally;
}

/// The reference workload in `threads` threads; operations of all of them, time of one clock.
template <typename Allocator>
Tally run_mix_threads(Allocator allocator, unsigned threads, std::int64_t duration_ns)
{
    std::atomic<bool> stop{false}; // written by this thread
    std::vector<Tally> tallies(threads);
    std::vector<std::exception_ptr> thrown(threads);
    std::vector<std::thread> workers;
    std::atomic<unsigned> ready{0}; // all add 1; relaxed: nothing hangs on it
    for (unsigned i = 0; i < threads; ++i)
        workers.emplace_back([&, i] {
            ready.fetch_add(1, std::memory_order_relaxed);
            try {
                tallies[i] = run_mix(allocator, i + 1, stop);
            } catch (...) {
                thrown[i] = std::current_exception();
            }
        });
    while (ready.load(std::memory_order_relaxed) < threads)
        std::this_thread::yield(); // starting threads takes longer than a short slice
    std::int64_t const begin = now_ns();
    sleep_ns(duration_ns);
    stop.store(true, std::memory_order_relaxed); // a flag, nothing hangs on it
    std::int64_t const end = now_ns();
    for (auto &worker : workers)
        worker.join();
    Tally sum;
    for (unsigned i = 0; i < threads; ++i) {
        if (thrown[i])
            std::rethrow_exception(thrown[i]);
        sum.operations += tallies[i].operations;
        sum.failures += tallies[i].failures;
    }
    sum.ns = end - begin;
    return sum;
}

/// The floor of any allocator whose blocks another process may free: one uncontended CAS to take
/// and one to give back.
Tally run_cas_pairs(std::int64_t duration_ns);

} // namespace tool::bench
