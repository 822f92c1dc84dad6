// SPDX-License-Identifier: MIT OR Apache-2.0
// The reference sizes, each block released by another thread: every thread hands what it allocates
// to its neighbour, around a ring.
#pragma once

#include "workloads.hpp"

#include <array>
#include <memory>

namespace bench {

struct Handed {
    Block block;
    std::uint32_t size = 0;
    unsigned char pattern = 0;
};

/// One producer, one consumer; as many blocks under way as a thread has live in the reference
/// workload. Both sides publish their index once per kBatch blocks and keep what they last saw of
/// the other's, so that the cache lines of the indices move seldom and the allocator's share of the
/// time stays large.
class HandOver {
  public:
    bool push(Handed const &handed)
    {
        if (tail_ - seen_head_ == kPlaces) {
            flush();
            seen_head_ = published_head_.load(std::memory_order_acquire); // pairs with let_go()
            if (tail_ - seen_head_ == kPlaces)
                return false;
        }
        places_[tail_++ % kPlaces] = handed;
        if (tail_ % kBatch == 0)
            flush();
        return true;
    }
    /// The producer's last word, too.
    void flush() { published_tail_.store(tail_, std::memory_order_release); } // pairs with pop()

    bool pop(Handed &handed)
    {
        if (head_ == seen_tail_) {
            let_go();
            seen_tail_ = published_tail_.load(std::memory_order_acquire); // pairs with flush()
            if (head_ == seen_tail_)
                return false;
        }
        handed = places_[head_++ % kPlaces];
        if (head_ % kBatch == 0)
            let_go();
        return true;
    }

  private:
    void let_go() { published_head_.store(head_, std::memory_order_release); } // pairs with push()

    static constexpr std::uint64_t kPlaces = 200, kBatch = 20;
    alignas(64) std::uint64_t tail_ = 0; // the producer's
    std::uint64_t seen_head_ = 0;
    alignas(64) std::atomic<std::uint64_t> published_tail_{0};
    alignas(64) std::uint64_t head_ = 0; // the consumer's
    std::uint64_t seen_tail_ = 0;
    alignas(64) std::atomic<std::uint64_t> published_head_{0};
    alignas(64) std::array<Handed, kPlaces> places_{};
};

/// The floor: no allocator at all. Each thread walks round an area of its own, which is longer than
/// what can be under way between two threads. For new threads only: each belongs to one object.
class NoAllocator {
  public:
    explicit NoAllocator(std::size_t) : areas_(kThreads * kBytes) {}

    bool allocate(std::size_t size, Block &block)
    {
        thread_local int const number = next_.fetch_add(1, std::memory_order_relaxed); // unique
        thread_local std::size_t used = 0;
        if (number >= kThreads)
            return false;
        used = used + size > kBytes ? 0 : used;
        block.data = &areas_[std::size_t(number) * kBytes + used];
        used += size;
        return true;
    }
    void release(Block const &) {}

  private:
    static constexpr int kThreads = 16;
    static constexpr std::size_t kBytes = std::size_t{128} << 10;
    std::vector<char> areas_;
    std::atomic<int> next_{0};
};

/// Takes what the neighbour has handed over; false if there was nothing.
template <class Allocator> bool take(Allocator &allocator, HandOver &inbox, Counts &counts)
{
    Handed it;
    if (!inbox.pop(it))
        return false;
    auto const *const bytes = static_cast<unsigned char const *>(it.block.data);
    counts.damaged += bytes[0] != it.pattern || bytes[it.size - 1] != it.pattern;
    allocator.release(it.block);
    ++counts.operations;
    return true;
}

/// An allocation is one operation, a release another one, as in the reference workload.
template <class Allocator> Outcome freed_by_another(Allocator &allocator, int threads, int total)
{
    auto const boxes = std::make_unique<HandOver[]>(std::size_t(threads));
    std::atomic<int> producing{threads};
    return in_threads(threads, [&](int thread, Counts &counts) {
        Random random{std::uint32_t(thread)};
        HandOver &inbox = boxes[std::size_t(thread)];
        HandOver &outbox = boxes[std::size_t((thread + 1) % threads)];
        for (int i = 0; i < total / threads / 2; ++i) {
            Handed made{{}, 32 + (random() >> 8) % 512, static_cast<unsigned char>(i)};
            if (!allocator.allocate(made.size, made.block)) {
                ++counts.failures;
                continue;
            }
            std::memset(made.block.data, made.pattern, made.size);
            ++counts.operations;
            while (!outbox.push(made))
                if (!take(allocator, inbox, counts))
                    std::this_thread::yield();
            take(allocator, inbox, counts);
        }
        outbox.flush();
        producing.fetch_sub(1, std::memory_order_acq_rel);
        // acquire: who sees 0 sees all that was pushed
        for (bool last = false; !last;) {
            last = producing.load(std::memory_order_acquire) == 0;
            while (take(allocator, inbox, counts))
                last = false;
            if (!last)
                std::this_thread::yield();
        }
    });
}

} // namespace bench
