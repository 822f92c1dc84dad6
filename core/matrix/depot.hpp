// SPDX-License-Identifier: MIT OR Apache-2.0
// The depot: what the lanes of one handle pass to each other, in halves of magazines.
//
// What it is
//   Where one thread allocates and another frees, the magazines of the one run empty while those of
//   the other run over. The full one leaves its older half here, the empty one takes a half before
//   it goes to the shared path. Process memory of a handle, some shelves per magazine; a batch is
//   entries as in a magazine (lane.hpp): hints. No word of the segment changes when one is handed
//   over, because CACHED names the participant and not the thread. So there is no window, and
//   -ENOMEM is as exact as before: thieves and walks look at words alone.
//
// States of a shelf
//   EMPTY --put--> HELD --> FULL --take--> HELD --> EMPTY
//
// Invariants
//   D1  Only who made a shelf HELD touches its batch. Others pass it by: nobody waits.
//   D2  An entry proves nothing (L1, L3): its block may have been stolen, or be in use again. So a
//       batch that is old, lost or taken twice costs a look at each word, and no block.
//   D3  At most one shelf per lane of the handle is used, and none with a single lane: per size all
//       threads together keep at most half as much again as their lanes may.
//
// Death
//   of the process, at any time: the depot is gone, the words say CACHED(dead), healing meets them.
//   A thread that is stopped while it holds a shelf costs the others this shelf.
//   fork: the child's copy is void, a HELD shelf would stay so; it begins with empty ones. The words
//   are the parent's.
//   The end of a thread leaves its batches to the others.
#pragma once

#include "core/base/atomic.hpp"
#include "core/matrix/lane.hpp"

#include <cstring>

namespace weir {

#ifdef WEIR_EXPLORE
inline constexpr unsigned kShelves = 1;
#else
inline constexpr unsigned kShelves = 8;
#endif

class Depot {
  public:
    /// Takes the oldest `count` entries of a magazine, at most kMostBatch, which stay there. False:
    /// there is no room. `shelves`: how many may be used (D3).
    bool put(unsigned magazine, Kept const *entries, unsigned count, unsigned shelves) noexcept
    {
        Rack &rack = rack_[magazine];
        for (unsigned i = 0; i < kShelves && i < shelves; ++i) {
            if (!hold(rack.state[i], kEmpty))
                continue;
            rack.batch[i].count = count;
            std::memcpy(rack.batch[i].entry, entries, count * sizeof(Kept));
            rack.state[i].store(kFull, release); // pairs with hold()
            return true;
        }
        return false;
    }

    /// Gives a batch; 0: there is none.
    unsigned take(unsigned magazine, Kept *ret_entries) noexcept
    {
        Rack &rack = rack_[magazine];
        for (unsigned i = 0; i < kShelves; ++i) {
            if (!hold(rack.state[i], kFull))
                continue;
            unsigned const count = rack.batch[i].count;
            std::memcpy(ret_entries, rack.batch[i].entry, count * sizeof(Kept));
            rack.state[i].store(kEmpty, release); // pairs with hold()
            return count;
        }
        return 0;
    }

    /// In a fork child, where nobody else is.
    void reset() noexcept
    {
        for (Rack &rack : rack_)
            for (atomic<uint32_t> &state : rack.state)
                state.store(kEmpty, relaxed);
    }

  private:
    static constexpr uint32_t kEmpty = 0;
    static constexpr uint32_t kHeld = 1;
    static constexpr uint32_t kFull = 2;

    struct Batch {
        uint32_t count;
        Kept entry[kMostBatch];
    };
    struct alignas(kCacheLine) Rack {
        /// Writers: from EMPTY and FULL anybody by CAS, from HELD who made it so.
        atomic<uint32_t> state[kShelves];
        Batch batch[kShelves];
    };

    static bool hold(atomic<uint32_t> &state, uint32_t from) noexcept
    {
        // relaxed look first: most shelves are in the other state. acquire: pairs with the stores
        // of put() and take(), whose access to the batch is over
        return state.load(relaxed) == from && state.compare_exchange(from, kHeld, acquire, relaxed);
    }

    Rack rack_[kMagazines];
};

} // namespace weir
