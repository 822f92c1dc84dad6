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
/// workload. Each side keeps what it last saw of the other's index, so the cache lines of the
/// indices move once per round and the allocator's share of the time stays large.
class HandOver {
  public:
    bool push(Handed const &handed)
    {
        if (tail_ - seen_head_ == kPlaces) {
            seen_head_ = head_.load(std::memory_order_acquire); // pairs with pop()
            if (tail_ - seen_head_ == kPlaces)
                return false;
        }
        places_[tail_ % kPlaces] = handed;
        published_tail_.store(++tail_, std::memory_order_release); // pairs with pop()
        return true;
    }
    bool pop(Handed &handed)
    {
        if (next_ == seen_tail_) {
            seen_tail_ = published_tail_.load(std::memory_order_acquire); // pairs with push()
            if (next_ == seen_tail_)
                return false;
        }
        handed = places_[next_ % kPlaces];
        head_.store(++next_, std::memory_order_release); // pairs with push()
        return true;
    }

  private:
    static constexpr std::uint64_t kPlaces = 200;
    alignas(64) std::uint64_t tail_ = 0; // the producer's
    std::uint64_t seen_head_ = 0;
    alignas(64) std::atomic<std::uint64_t> published_tail_{0};
    alignas(64) std::uint64_t next_ = 0; // the consumer's
    std::uint64_t seen_tail_ = 0;
    alignas(64) std::atomic<std::uint64_t> head_{0};
    alignas(64) std::array<Handed, kPlaces> places_{};
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
