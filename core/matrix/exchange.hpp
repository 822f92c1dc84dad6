// SPDX-License-Identifier: MIT OR Apache-2.0
// The exchange: what lanes of different participants pass to each other, in halves of magazines.
//
// What it is
//   Where one process allocates and another frees, as a poster and its reader do, the magazines of the
//   one run empty while those of the other run over. Without an exchange the blocks would be merged
//   and published by the one and found and cut by the other. Here the full one leaves its older half
//   on a shelf, the empty one takes it: depot.hpp, but in the segment. A rack of shelves per block
//   size. Only where somebody else has looked in vain (`wanted`) is anything left, so a process that
//   frees what it allocates keeps its blocks, and merges them, as before. Nor are blocks that lie far
//   apart passed on: merging puts their words in order again (is_scattered() in lane.cpp).
//
//   An entry is a hint, as in a magazine (lane.hpp, L1 and L3): the word decides. While a batch lies
//   here its words say CACHED(giver). Who takes it makes each word CACHED(himself) by a CAS from
//   exactly that.
//
// States of a shelf
//   EMPTY --put--> FILLING(giver) --> FULL(giver, count)
//   FULL --begin_take--> TAKING(taker, giver, count) --end_take--> EMPTY
//
// Invariants
//   X1  Only who made a shelf FILLING or TAKING touches its entries; others pass it by: nobody waits.
//   X2  From a CACHED word that an entry names exactly, the taker gets a block as a thief would
//       (CACHED(anybody), lane.hpp): by one CAS. A batch that is old, lost, written by a scribbler or
//       taken twice costs a look at each word, and no block. Its granules are compared with the
//       sector's limit, because words and data end there.
//   X3  No window is needed: the memory is CACHED before and after. A thief whose CAS fails by that
//       has opened a window of his own for it, so he looks again before he says -ENOMEM (L2).
//   X4  At most kExchangeShelves halves of magazines per block size lie here.
//   X5  While a taker is at work his shelf is not EMPTY: if he dies, what he has not taken yet is for
//       the next one.
//
// Death
//   FILLING(dead): empty again; his words say CACHED(dead), healing meets them on its walk.
//   FULL of a dead giver: empty, for the same reason. TAKING(dead): FULL again, or empty if the giver
//   is dead too. What he has taken says CACHED(dead).
//   A process that is stopped while it holds a shelf costs the others this shelf.
//   fork: the child is nobody until it joins; the shelf is the parent's.
#pragma once

#include "core/base/atomic.hpp"
#include "core/matrix/lane.hpp"
#include "core/segment/layout.hpp"

namespace weir {

static_assert(kExchangeRacks == kMagazines);
static_assert(kExchangeBatch == kMostBatch);

/// The word of a shelf.
struct ShelfWord {
    enum State : uint64_t { empty, filling, full, taking };
    static constexpr uint64_t kOwner = UINT16_MAX;

    uint64_t raw = 0;

    static constexpr ShelfWord of(State state, unsigned count, Owner holder, Owner giver) noexcept
    {
        return {state | uint64_t{count} << 8 | uint64_t{holder} << 16 | uint64_t{giver} << 32};
    }
    constexpr State state() const noexcept { return static_cast<State>(raw & 3); }
    /// Never more than a shelf has: a scribbler may have been here.
    constexpr unsigned count() const noexcept
    {
        return smaller(static_cast<unsigned>(raw >> 8 & UINT8_MAX), kExchangeBatch);
    }
    constexpr Owner holder() const noexcept { return static_cast<Owner>(raw >> 16 & kOwner); }
    constexpr Owner giver() const noexcept { return static_cast<Owner>(raw >> 32 & kOwner); }
};

class Exchange {
  public:
    /// A batch that is being taken.
    struct Batch {
        atomic<uint64_t> *shelf = nullptr;
        atomic<uint64_t> const *entry = nullptr;
        unsigned count = 0;
        Owner giver = kNobody;
    };

    void init(ExchangeRack *racks) noexcept { racks_ = racks; }

    /// Whether somebody else has looked for a batch in vain.
    bool is_wanted(unsigned magazine, Owner me) const noexcept
    {
        uint64_t const wanted = racks_[magazine].wanted.load(relaxed); // a hint
        return wanted != kNobody && wanted != me;
    }

    /// Leaves the oldest `count` entries of a magazine, at most kExchangeBatch, which stay there.
    /// False: there is no room.
    bool put(unsigned magazine, Kept const *entries, unsigned count, Owner me) noexcept
    {
        ExchangeRack &rack = racks_[magazine];
        for (unsigned i = 0; i < kExchangeShelves; ++i) {
            ShelfWord const filling = ShelfWord::of(ShelfWord::filling, 0, me, me);
            if (!change(rack.shelf[i], {}, filling))
                continue;
            for (unsigned k = 0; k < count; ++k)
                rack.entry[i][k].store(entries[k], relaxed); // published by the store of FULL
            // release: pairs with change() of who takes it
            rack.shelf[i].store(ShelfWord::of(ShelfWord::full, count, kNobody, me).raw, release);
            return true;
        }
        return false;
    }

    /// A batch for who runs empty: he makes its words his own and calls end_take(). False: there is
    /// none, and who has too many knows now that somebody wants some.
    bool begin_take(unsigned magazine, Owner me, Batch &ret) noexcept
    {
        ExchangeRack &rack = racks_[magazine];
        for (unsigned i = 0; i < kExchangeShelves; ++i) {
            ShelfWord const found{rack.shelf[i].load(relaxed)}; // change() orders
            ShelfWord const taking =
                ShelfWord::of(ShelfWord::taking, found.count(), me, found.giver());
            if (found.state() != ShelfWord::full || !change(rack.shelf[i], found, taking))
                continue;
            ret = {&rack.shelf[i], rack.entry[i], found.count(), found.giver()};
            return true;
        }
        if (rack.wanted.load(relaxed) != me) // the look first: others read that line
            rack.wanted.store(me, relaxed);
        return false;
    }

    static void end_take(Batch const &batch) noexcept
    {
        batch.shelf->store(0, release); // pairs with change() of who fills it next
    }

    /// See Death. May be done twice.
    void heal(Owner dead) noexcept
    {
        for (unsigned rack = 0; rack < kExchangeRacks; ++rack)
            for (atomic<uint64_t> &shelf : racks_[rack].shelf)
                heal_shelf(shelf, dead);
    }

  private:
    static bool change(atomic<uint64_t> &shelf, ShelfWord from, ShelfWord to) noexcept
    {
        // relaxed look first: most shelves are in another state. acquire: pairs with the stores of
        // put() and end_take(), whose access to the entries is over
        return shelf.load(relaxed) == from.raw &&
               shelf.compare_exchange(from.raw, to.raw, acquire, relaxed);
    }

    /// Nobody else changes what is the dead one's, but who takes a FULL shelf.
    static void heal_shelf(atomic<uint64_t> &shelf, Owner dead) noexcept
    {
        ShelfWord const found{shelf.load(relaxed)}; // change() orders
        bool const held = found.state() == ShelfWord::taking && found.holder() == dead;
        if (found.state() != ShelfWord::empty && found.giver() == dead &&
            (held || found.state() != ShelfWord::taking))
            change(shelf, found, {});
        else if (held)
            change(shelf, found,
                   ShelfWord::of(ShelfWord::full, found.count(), kNobody, found.giver()));
    }

    ExchangeRack *racks_ = nullptr;
};

} // namespace weir
