// SPDX-License-Identifier: MIT OR Apache-2.0
// What a subscription has in its hand: process memory, one word per cell of the channel.
//
// A message is answered once, through the subscription it was read through, by one of the threads
// that try. The word of its cell decides that by a CAS, so no thread touches the cell after another
// one has answered; the cell may be another message's by then.
//
//   63     62      61      56 55            0
//   | kind         | deliveries | position + 1 |     0: nothing
#pragma once

#include "core/base/alloc.hpp"

#include <cstdint>

namespace weir {

/// Broadcast: who has the message. Theirs: another thread has it, or has answered it. Busy: one that
/// finds an earlier message of the cell gone is about to let go. Again: look at the cell again.
enum class Grip { mine, theirs, busy, again };

class Hand {
  public:
    Hand() noexcept = default;
    Hand(Hand const &) = delete;
    Hand &operator=(Hand const &) = delete;
    ~Hand() { deallocate(words_); }

    /// False: no memory. A second time it does nothing.
    bool init(uint64_t cells) noexcept
    {
        if (words_ != nullptr)
            return true;
        words_ = static_cast<uint64_t *>(allocate(cells * sizeof(uint64_t)));
        return words_ != nullptr;
    }
    uint64_t *words() const noexcept { return words_; }

    /// Queue: the cell is ours already, so nobody else writes its word.
    void put(uint64_t cell, uint64_t position) noexcept { store(cell, of(kInHand, 0, position)); }

    /// Broadcast: for a message that was FULL and ours a moment ago. If an earlier message of the
    /// cell is being answered, nothing of that is left to do, because the cell has moved on.
    Grip pick_up(uint64_t cell, uint64_t position, unsigned &ret_deliveries) noexcept
    {
        uint64_t found = load(cell);
        if (is_taken_by(found, position))
            return Grip::theirs;
        if ((found & kPositionMask) > position + 1)
            return Grip::again; // the moment is over
        if (kind(found) == kInHand)
            return Grip::busy;
        bool const again = kind(found) == kRefused && is_at(found, position);
        ret_deliveries = again ? deliveries(found) : 0;
        return exchange(cell, found, of(kInHand, ret_deliveries, position)) ? Grip::mine
                                                                            : Grip::again;
    }
    /// Another thread has it, or has answered it.
    bool is_taken(uint64_t cell, uint64_t position) const noexcept
    {
        return is_taken_by(load(cell), position);
    }
    /// It was not ours after all.
    void put_back(uint64_t cell) noexcept { store(cell, 0); }
    /// Begins an answer. False: it is not in this hand, or another thread was first.
    bool begin_answer(uint64_t cell, uint64_t position, unsigned &ret_deliveries) noexcept
    {
        uint64_t found = load(cell);
        if (kind(found) != kInHand || !is_at(found, position))
            return false;
        ret_deliveries = deliveries(found);
        return exchange(cell, found, of(kClosing, ret_deliveries, position));
    }
    /// Queue: the cell is ours still. In broadcast it is not, so the word stays as it is.
    void end_answer(uint64_t cell) noexcept { store(cell, 0); }
    /// It was not answered after all.
    void keep(uint64_t cell, uint64_t position, unsigned count) noexcept
    {
        store(cell, of(kInHand, count, position));
    }
    /// Broadcast: the same subscription will get it again.
    void refuse(uint64_t cell, uint64_t position, unsigned count) noexcept
    {
        store(cell, of(kRefused, count < kMaxCount ? count + 1 : kMaxCount, position));
    }

  private:
    static constexpr uint64_t kInHand = 1, kClosing = 2, kRefused = 3;
    static constexpr unsigned kMaxCount = 63;
    static constexpr uint64_t kPositionMask = (uint64_t{1} << 56) - 1;

    static uint64_t of(uint64_t what, unsigned count, uint64_t position) noexcept
    {
        return what << 62 | uint64_t{count & 63} << 56 | ((position + 1) & kPositionMask);
    }
    static uint64_t kind(uint64_t word) noexcept { return word >> 62; }
    static unsigned deliveries(uint64_t word) noexcept { return word >> 56 & 63; }
    static bool is_taken_by(uint64_t word, uint64_t position) noexcept
    {
        return (kind(word) == kInHand || kind(word) == kClosing) && is_at(word, position);
    }
    static bool is_at(uint64_t word, uint64_t position) noexcept
    {
        return (word & kPositionMask) == ((position + 1) & kPositionMask);
    }
    uint64_t load(uint64_t cell) const noexcept
    {
        return __atomic_load_n(&words_[cell], __ATOMIC_ACQUIRE); // pairs with store()
    }
    void store(uint64_t cell, uint64_t value) noexcept
    {
        __atomic_store_n(&words_[cell], value, __ATOMIC_RELEASE); // pairs with load(), exchange()
    }
    bool exchange(uint64_t cell, uint64_t from, uint64_t to) noexcept
    {
        // acq_rel: what the thread before did with the message happens before
        return __atomic_compare_exchange_n(&words_[cell], &from, to, false, __ATOMIC_ACQ_REL,
                                           __ATOMIC_RELAXED);
    }

    uint64_t *words_ = nullptr;
};

} // namespace weir
