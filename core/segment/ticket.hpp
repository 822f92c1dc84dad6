// SPDX-License-Identifier: MIT OR Apache-2.0
// A lock in shared memory for rare work (growth, the directory), whose holder may die.
//
// The word names the holder. Nobody waits in here: who does not get it looks whether the holder
// is dead, heals it, or waits as for any stopped process. A count of uses above the owner keeps
// a late give_back() of one holder from freeing the ticket of the next.
#pragma once

#include "core/segment/layout.hpp"

namespace weir {

class Ticket {
  public:
    explicit Ticket(TicketWord &word) noexcept : word_(word.word) {}

    /// False if somebody has it.
    bool try_take(Owner me) noexcept
    {
        uint64_t found = word_.load(relaxed); // the CAS decides
        if (owner_of(found) != kNobody)
            return false;
        // acq_rel: pairs with give_back(); what the last holder wrote is visible
        return word_.compare_exchange(found, found | me, acq_rel, relaxed);
    }

    void give_back(Owner me) noexcept
    {
        uint64_t found = word_.load(relaxed); // ours: only a healer of ours could change it
        for (int i = 0; owner_of(found) == me; ++i) {
            // release: pairs with try_take()
            if (word_.compare_exchange(found, next(found), acq_rel, relaxed))
                return;
            if (i == kTries) // nobody but a scribbler changes what is ours
                return word_.store(next(found), release); // as above
        }
    }

    Owner holder() const noexcept { return owner_of(word_.load(acquire)); }

  private:
    static constexpr int kTries = 1000;

    static Owner owner_of(uint64_t word) noexcept { return word & 0xffff; }
    static uint64_t next(uint64_t word) noexcept { return (word >> 16 << 16) + 0x10000; }

    atomic<uint64_t> &word_;
};

} // namespace weir
