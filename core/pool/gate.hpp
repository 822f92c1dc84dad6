// SPDX-License-Identifier: MIT OR Apache-2.0
// Who waits for a slot, and who has to know that none came back while he looked.
//
// One word: {count, somebody looks, somebody sleeps}. Who makes a slot available (seq_cst) looks for
// the bits afterwards [W]; if one is set he counts up and clears both, and wakes all if somebody
// sleeps. A sleeper does as in core/base/waiting.hpp.
//
// Who looks for the last slot sets his bit [B], looks at every slot, and reads the word again [R]. If
// it is what he set, "there is none" is exact: a slot that became available behind his back was
// released by somebody who has not come to [W], so whose call has not returned and can be counted as
// later.
#pragma once

#include "core/base/base.hpp"
#include "core/base/futex.hpp"

namespace weir {

class SlotGate {
  public:
    static constexpr uint32_t kSleeps = 1;
    static constexpr uint32_t kLooks = 2;

    explicit SlotGate(atomic<uint32_t> &word) noexcept : word_(word) {}

    uint32_t begin() const noexcept { return word_.load(seq_cst); } // [R] pairs with count_up()

    /// False: the word changed since begin(); look again.
    bool announce(uint32_t &seen, uint32_t bits) noexcept
    {
        if ((seen & bits) == bits)
            return true;                                                  // another one said so
        if (!word_.compare_exchange(seen, seen | bits, seq_cst, relaxed)) // [B]
            return false;
        seen |= bits;
        return true;
    }

    void sleep(uint32_t seen, Nanoseconds limit) const noexcept { futex_wait(word_, seen, limit); }

    /// After a slot became available, which was seq_cst.
    WEIR_HOT void notice() noexcept
    {
        uint32_t const seen = word_.load(seq_cst); // [W] pairs with [B]
        if (!WEIR_LIKELY((seen & (kSleeps | kLooks)) == 0))
            tell(word_, seen);
    }

    /// By a healer or who ends the pool: who was about to say so may have died.
    void notice_always() noexcept
    {
        uint32_t seen = word_.load(seq_cst);
        for (int i = 0; i < kTries && !count_up(seen, true); ++i) {
        }
    }

  private:
    /// As in Waiting: a peer that scribbles must not hold us up.
    static constexpr int kTries = 1000;

    WEIR_COLD static void tell(atomic<uint32_t> &word, uint32_t seen) noexcept
    {
        for (int i = 0; i < kTries && (seen & (kSleeps | kLooks)) != 0; ++i)
            if (SlotGate(word).count_up(seen))
                return;
    }
    /// `always`: the last one may have counted up and died before he woke anybody.
    bool count_up(uint32_t &seen, bool always = false) noexcept
    {
        bool const wakes = always || (seen & kSleeps) != 0;
        uint32_t const next = (seen + 4) & ~(kSleeps | kLooks);
        if (!word_.compare_exchange(seen, next, seq_cst, relaxed))
            return false;
        if (wakes)
            futex_wake_all(word_);
        return true;
    }

    atomic<uint32_t> &word_;
};

} // namespace weir
