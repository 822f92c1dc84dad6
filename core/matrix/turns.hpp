// SPDX-License-Identifier: MIT OR Apache-2.0
// When a thread of the shared path leaves the memory to others for a while.
//
// Threads that want the same FREE block pass its cache lines to and fro with each operation. It
// costs all of them less if one works and the others wait for as long as a thousand operations
// take. So who meets somebody at nearly every operation waits, unless he has hardly done anything
// since he last waited: then the one whom he meets has had his turn, and waits.
//
// Two whose blocks lie side by side meet as well, although they never want the same block: each
// changes a word of a line that the other needs. The one whose freed block cannot merge, because the
// other's lies between it and the rest, takes it again and again, with another neighbour each time.
// At his turn's end he leaves it FREE, to merge with what the other frees, and both want the same
// block from then on. If it is still there as it was, perhaps he himself changes what lies beside
// it: then it takes twice as many such operations until he waits again.
//
// These are hints of one process, relaxed, no truth. Time is the thread's count of windows, one or two
// an operation (participants.hpp). Threads beyond the first 31 share a count and places: they may wait
// sooner, or not at all.
#pragma once

#include "core/base/bits.hpp"

#include <cstdint>

namespace weir {

class Turns {
  public:
    /// Somebody has, or just had, in hand what we want. A second look in one window is the same.
    void meet(uint64_t now) noexcept
    {
        if (now == load(met_at_))
            return;
        store(met_, met(now) + kMeeting);
        store(met_at_, now);
    }
    /// Whether to wait, before the next look.
    bool is_others(uint64_t now) const noexcept { return met(now) >= kOften && is_over(now); }

    /// We got `at`, a FREE block exactly as long as we want; `beside` changes with its neighbours.
    /// Whether to leave it and wait.
    bool is_disturbed(uint64_t at, uint64_t beside, uint64_t now) noexcept
    {
        bool const again = at == load(exact_at_) && beside != load(beside_);
        uint64_t const fits = again ? load(exact_fits_) + 1 : 0;
        store(exact_fits_, fits);
        store(exact_at_, at);
        store(beside_, beside);
        return fits >= kDisturbances << smaller(load(vain_), kMostVain) && is_over(now);
    }

    /// Before a wait.
    void end(uint64_t now) noexcept
    {
        store(met_, 0);
        store(exact_fits_, 0);
        store(waited_at_, now);
    }

    /// After a wait beside a block: nobody took it, nobody merged it.
    void note_vain(bool vain) noexcept
    {
        store(vain_, vain ? smaller(load(vain_) + 1, kMostVain) : 0);
    }

  private:
#ifdef WEIR_EXPLORE // each more shows nothing new
    static constexpr uint64_t kOften = 1, kDisturbances = 1, kTurn = 0;
#else
    /// Of kMeeting for a meeting, less 1 for a window: three operations in a row.
    static constexpr uint64_t kOften = 64;
    static constexpr uint64_t kDisturbances = 4; // in a row: once is chance
    static constexpr uint64_t kTurn = 64;        // windows
#endif
    static constexpr uint64_t kMeeting = 24;
    static constexpr uint64_t kMostVain = 16;

    /// How often lately.
    uint64_t met(uint64_t now) const noexcept
    {
        uint64_t const passed = now - load(met_at_), before = load(met_);
        return passed < before ? before - passed : 0;
    }
    bool is_over(uint64_t now) const noexcept { return now - load(waited_at_) >= kTurn; }

    static uint64_t load(uint64_t const &hint) noexcept
    {
        return __atomic_load_n(&hint, __ATOMIC_RELAXED);
    }
    static void store(uint64_t &hint, uint64_t value) noexcept
    {
        __atomic_store_n(&hint, value, __ATOMIC_RELAXED);
    }

    uint64_t met_;    ///< how often, as it was
    uint64_t met_at_; ///< when we last met somebody
    uint64_t waited_at_;
    uint64_t exact_fits_; ///< in a row
    uint64_t exact_at_;   ///< where the last of them was,
    uint64_t beside_;     ///< and what lay at its sides then
    uint64_t vain_;       ///< waits in a row
};

} // namespace weir
