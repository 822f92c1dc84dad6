// SPDX-License-Identifier: MIT OR Apache-2.0
// A histogram of nanoseconds with relative error below 7 %, in shared memory, for one writer.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tool::ingest {

/// Log-linear buckets: each power of two is cut into 16 equal parts; below 16 ns they are exact.
class Histogram {
  public:
    static constexpr unsigned kPartBits = 4;
    static constexpr std::size_t kParts = 1u << kPartBits;
    static constexpr std::size_t kBuckets = (64 - kPartBits + 1) * kParts;

    static std::size_t bucket_of(std::uint64_t ns)
    {
        if (ns < kParts)
            return ns;
        auto const top = 63u - static_cast<unsigned>(__builtin_clzll(ns));
        unsigned const shift = top - kPartBits;
        return (shift + 1) * kParts + (ns >> shift) - kParts;
    }

    /// The largest value that falls into the bucket.
    static std::uint64_t limit_of(std::size_t bucket)
    {
        if (bucket < kParts)
            return bucket;
        auto const shift = static_cast<unsigned>(bucket / kParts - 1);
        return ((bucket % kParts + kParts + 1) << shift) - 1;
    }

    void add(std::uint64_t ns)
    {
        auto &bucket = buckets_[bucket_of(ns)];
        // relaxed: one writer; readers look after the run
        bucket.store(bucket.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        if (ns > max_.load(std::memory_order_relaxed))
            max_.store(ns, std::memory_order_relaxed);
    }

    std::uint64_t count(std::size_t bucket) const
    {
        return buckets_[bucket].load(std::memory_order_relaxed); // after the run
    }

    std::uint64_t max() const { return max_.load(std::memory_order_relaxed); } // after the run

  private:
    std::array<std::atomic<std::uint64_t>, kBuckets> buckets_;
    std::atomic<std::uint64_t> max_;
};

} // namespace tool::ingest
