// SPDX-License-Identifier: MIT OR Apache-2.0
// Sleeping until somebody has changed something, without losing a wake-up.
//
// One word: {count, somebody sleeps}. A sleeper reads the word, looks at what he waits for, sets
// the bit, looks again, and sleeps while the word is what he set. Who makes a change looks for the
// bit afterwards; if it is set he counts up, clears it and wakes all. Both sides are seq_cst
// (Dekker): the change and then the load of the bit [W]; the bit [B] and then the second look. So
// either the sleeper's second look sees the change, or the changer sees the bit.
//
// A changer may die before [W]: sleeps are bounded, and a healer wakes all.
//
// A change that serves one sleeper wakes one: he counts up and leaves the bit, because others may
// sleep. If nobody slept, he clears the bit as above, and wakes whoever came in between. This asks
// that who is woken looks before he gives up, and that what he does not need is somebody else's
// who is awake, or is told to the next.
#pragma once

#include "core/base/base.hpp"
#include "core/base/futex.hpp"

namespace weir {

class Waiting {
  public:
    explicit Waiting(atomic<uint32_t> &word) noexcept : word_(word) {}

    uint32_t begin() const noexcept { return word_.load(seq_cst); }

    /// Says that somebody is going to sleep. False: the word changed since begin(); look again.
    bool announce(uint32_t &seen) noexcept
    {
        if ((seen & 1) != 0)
            return true;                                               // another one said so
        if (!word_.compare_exchange(seen, seen | 1, seq_cst, relaxed)) // [B]
            return false;
        seen |= 1;
        return true;
    }

    void sleep(uint32_t seen, Nanoseconds limit) const noexcept { futex_wait(word_, seen, limit); }

    /// After a change, which was seq_cst.
    void wake() noexcept
    {
        uint32_t const seen = word_.load(seq_cst); // [W] pairs with [B]
        if (!WEIR_LIKELY((seen & 1) == 0))
            wake_sleepers(word_, seen);
    }

    /// After a change, which was seq_cst, that one sleeper can use.
    void wake_one() noexcept
    {
        uint32_t const seen = word_.load(seq_cst); // [W] pairs with [B]
        if (!WEIR_LIKELY((seen & 1) == 0))
            wake_one_sleeper(word_, seen);
    }

    /// By a healer: who was about to wake may have died, so always.
    void wake_always() noexcept
    {
        uint32_t seen = word_.load(seq_cst);
        for (int i = 0; i < kTries && !count_up(seen); ++i) {
        }
    }

  private:
    /// Each failure is a change by somebody else. A peer that scribbles must not hold us up; sleeps
    /// are bounded.
    static constexpr int kTries = 1000;

    /// Static: the address of a Waiting would cost the usual way a store.
    WEIR_COLD static void wake_sleepers(atomic<uint32_t> &word, uint32_t seen) noexcept
    {
        for (int i = 0; i < kTries && (seen & 1) != 0; ++i)
            if (Waiting(word).count_up(seen))
                return;
    }
    WEIR_COLD static void wake_one_sleeper(atomic<uint32_t> &word, uint32_t seen) noexcept
    {
        for (int i = 0; i < kTries && (seen & 1) != 0; ++i) {
            if (!word.compare_exchange(seen, seen + 2, seq_cst, relaxed))
                continue;
            seen += 2;
            if (!futex_wake_one(word))
                Waiting(word).count_up(seen); // if that fails, somebody else has counted up
            return;
        }
    }
    bool count_up(uint32_t &seen) noexcept
    {
        if (!word_.compare_exchange(seen, (seen + 2) & ~uint32_t{1}, seq_cst, relaxed))
            return false;
        futex_wake_all(word_);
        return true;
    }

    atomic<uint32_t> &word_;
};

} // namespace weir
