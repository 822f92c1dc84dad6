// SPDX-License-Identifier: MIT OR Apache-2.0
// Sleeping until somebody has changed something, without losing a wake-up.
//
// One word: {count, somebody sleeps}. A sleeper reads the word, looks at what he waits for, sets
// the bit, looks again, and sleeps while the word is what he set. Who makes a change looks for the
// bit afterwards; if it is set he counts up, clears it and wakes all (Dekker).
//
// The changer: the change [C], then the load of the bit [W]; both are seq_cst, or a full fence
// stands between them. The sleeper: the bit [B], or the load that finds it set by another sleeper,
// both seq_cst; then a full fence [F]; then the second look, whose loads may have any order. If [W]
// does not see the bit, it is before [B] in the one order of seq_cst operations, so [C] is before
// [F], and the second look sees the change. Without [F] a look of relaxed loads could be done before
// the bit is visible, on machines whose atomic read-modify-write is no full barrier.
//
// A changer may die before [W]: sleeps are bounded, and a healer wakes all. A peer may scribble
// over the word: no loop in here goes round for ever by it, and who cannot announce himself sleeps
// a little without being woken.
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

    /// Says that somebody is going to sleep, on `ret_seen`. The second look comes after it. False: a
    /// peer changes the word all the time, so do not count on being woken.
    bool announce(uint32_t &ret_seen) noexcept
    {
        uint32_t seen = begin(); // [B] if another one said so already
        for (int i = 0; (seen & 1) == 0; ++i) {
            if (i == kTries)
                return false;
            if (word_.compare_exchange(seen, seen | 1, seq_cst, relaxed)) // [B] pairs with [W]
                seen |= 1;
        }
        full_fence(); // [F] pairs with [C] and [W]
        ret_seen = seen;
        return true;
    }

    void sleep(uint32_t seen, Nanoseconds limit) const noexcept { futex_wait(word_, seen, limit); }

    /// After a change [C]: whether wake() has anything to do.
    bool is_awaited() const noexcept { return (word_.load(seq_cst) & 1) != 0; } // [W]

    /// After a change [C].
    void wake() noexcept
    {
        uint32_t const seen = word_.load(seq_cst); // [W] pairs with [B]
        if (!WEIR_LIKELY((seen & 1) == 0))
            wake_sleepers(word_, seen);
    }

    /// After a change [C] that one sleeper can use.
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
