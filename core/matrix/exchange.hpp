// SPDX-License-Identifier: MIT OR Apache-2.0
// The exchange: what lanes of different participants pass to each other, in halves of magazines.
//
// What it is
//   Where one process allocates and another frees, as a poster and its reader do, the magazines of the
//   one run empty while those of the other run over. Without an exchange the blocks would be merged
//   and published by the one and found and cut by the other. Here the full one leaves its older half
//   on a shelf, the empty one takes it: depot.hpp, but in the segment. A rack of shelves per block
//   size. Only after somebody else has run empty (`wanted`) is anything left, until there is no room: a
//   process that is alone keeps its blocks, and merges them. Nor are small blocks that lie far apart
//   passed on: merging puts their words in order again (is_scattered() in lane.cpp).
//
//   An entry is a hint, as in a magazine (lane.hpp, L1 and L3): the word decides. While a batch lies
//   here its words say CACHED(giver). Who takes it makes each word CACHED(himself) by a CAS from
//   exactly that.
//
// States of a shelf
//   EMPTY --put--> FILLING(giver) --> FULL(giver, count)
//   FULL --begin_take--> TAKING(taker, giver, count) --end_take--> EMPTY
//   FILLING(dead), FULL(dead, count) --heal--> EMPTY
//   TAKING(taker, dead, count) --heal--> TAKING(taker, nobody, count)
//   TAKING(dead, giver, count) --heal--> FULL(giver, count), or EMPTY if nobody is the giver
//
// Invariants
//   X1  Only who made a shelf FILLING or TAKING touches its entries; others pass it by: nobody waits.
//   X2  From a CACHED word that an entry names exactly, the taker gets a block as a thief would
//       (CACHED(anybody), lane.hpp): by one CAS. A batch that is old, lost, written by a scribbler or
//       taken twice costs a look at each word, and no block. Its granules are compared with the
//       sector's limit, because words and data end there.
//   X3  No window is needed: the memory is CACHED before and after. A thief whose CAS fails by that
//       tries again (Sector::steal()), and has opened a window of his own for it, so that he looks
//       again before he says -ENOMEM (L2).
//   X4  At most kExchangeShelves halves of magazines per block size lie here.
//   X5  While a taker is at work his shelf is not EMPTY: if he dies, what he has not taken yet is for
//       the next one.
//
// Death
//   FILLING(dead): empty again; his words say CACHED(dead), healing meets them on its walk.
//   FULL of a dead giver: empty, for the same reason. TAKING(dead): FULL again, or empty if the giver
//   is gone too, which his healer has written down. What the dead one has taken says CACHED(dead).
//   `wanted` by a dead one: by nobody.
//   A process that is stopped while it holds a shelf costs the others this shelf.
//   fork: the child is nobody until it joins; the shelf is the parent's.
#pragma once

#include "core/base/atomic.hpp"
#include "core/matrix/lane.hpp"
#include "core/segment/layout.hpp"

namespace weir {

static_assert(kMagazines % kExchangeRacks == 0);
static_assert(kExchangeBatch >= kMostBatch && kExchangeBatch <= kLaneDepth);

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

    /// `count`: of owner ids, from 1 on.
    void init(ExchangeRack *racks, Owner count) noexcept
    {
        racks_ = racks;
        count_ = count;
    }

    /// Whether the last one who ran empty, since there was no room, was somebody else.
    bool is_wanted(unsigned magazine, Owner me) const noexcept
    {
        uint64_t const wanted = rack_of(magazine).wanted.load(relaxed); // a hint
        return wanted != kNobody && wanted != me;
    }

    /// Leaves the oldest `count` entries of a magazine, at most kExchangeBatch, which stay there.
    /// False: there is no room.
    bool put(unsigned magazine, Kept const *entries, unsigned count, Owner me) noexcept
    {
        ExchangeRack &rack = rack_of(magazine);
        for (unsigned i = 0; i < kExchangeShelves; ++i) {
            ShelfWord const found{rack.shelf[i].load(relaxed)}; // change() orders
            if (found.state() != ShelfWord::empty ||
                !change(rack.shelf[i], found, ShelfWord::of(ShelfWord::filling, 0, me, me)))
                continue;
            for (unsigned k = 0; k < count; ++k)
                rack.entry[i][k].store(entries[k], relaxed); // published by the store of FULL
            // release: pairs with change() of who takes it
            rack.shelf[i].store(ShelfWord::of(ShelfWord::full, count, kNobody, me).raw, release);
            return true;
        }
        rack.wanted.store(kNobody, relaxed); // who takes some will say so anew
        return false;
    }

    /// A batch for who runs empty: he makes its words his own and calls end_take(). False: there is
    /// none. Who has too many knows now that somebody wants some.
    bool begin_take(unsigned magazine, Owner me, Batch &ret) noexcept
    {
        ExchangeRack &rack = rack_of(magazine);
        if (rack.wanted.load(relaxed) != me) // the look first: others read that line
            rack.wanted.store(me, relaxed);  // a hint
        for (unsigned i = 0; i < kExchangeShelves; ++i) {
            ShelfWord const found{rack.shelf[i].load(relaxed)}; // change() orders
            ShelfWord const taking =
                ShelfWord::of(ShelfWord::taking, found.count(), me, found.giver());
            if (found.state() != ShelfWord::full || !change(rack.shelf[i], found, taking))
                continue;
            ret = {&rack.shelf[i], rack.entry[i], found.count(), found.giver()};
            return true;
        }
        return false;
    }

    static void end_take(Batch const &batch) noexcept
    {
        batch.shelf->store(0, release); // pairs with change() of who fills it next
    }

    /// See Death. May be done twice.
    void heal(Owner dead) noexcept
    {
        for (unsigned i = 0; i < kExchangeRacks; ++i) {
            atomic<uint64_t> &wanted = racks_[i].wanted;
            uint64_t expected = dead;
            if (wanted.load(relaxed) == dead)                                 // a hint
                wanted.compare_exchange(expected, kNobody, relaxed, relaxed); // a hint
            for (atomic<uint64_t> &shelf : racks_[i].shelf)
                heal_shelf(shelf, dead);
        }
    }

  private:
    ExchangeRack &rack_of(unsigned magazine) const noexcept
    {
        return racks_[magazine % kExchangeRacks];
    }
    /// After a look: most shelves are in another state.
    static bool change(atomic<uint64_t> &shelf, ShelfWord from, ShelfWord to) noexcept
    {
        // acquire: pairs with the stores of put() and end_take(), whose access to the entries is over
        return shelf.compare_exchange(from.raw, to.raw, acquire, relaxed);
    }

    /// `dead`, or no participant: a scribbler may have been here. An id that nobody has now is not
    /// told from one that somebody has.
    bool is_gone(Owner owner, Owner dead) const noexcept
    {
        return owner == dead || owner == kNobody || owner > count_;
    }

    /// Nobody else changes what is the dead one's, but who takes a FULL shelf, has taken it, or heals
    /// the other one of a TAKING: then we look again.
    void heal_shelf(atomic<uint64_t> &shelf, Owner dead) const noexcept
    {
        constexpr int kTries = 8; // more than FULL, TAKING, and FULL again by another healer
        for (int i = 0; i < kTries; ++i) {
            ShelfWord const found{shelf.load(relaxed)}; // change() orders
            ShelfWord const healed = without(found, dead);
            if (healed.raw == found.raw || change(shelf, found, healed))
                return;
        }
    }

    /// A shelf as it is when somebody has died.
    ShelfWord without(ShelfWord found, Owner dead) const noexcept
    {
        bool const abandoned = is_gone(found.giver(), dead);
        if (found.state() == ShelfWord::filling || found.state() == ShelfWord::full)
            return abandoned ? ShelfWord{} : found;
        if (found.state() == ShelfWord::empty)
            return found;
        Owner const giver = abandoned ? kNobody : found.giver();
        if (!is_gone(found.holder(), dead))
            return ShelfWord::of(ShelfWord::taking, found.count(), found.holder(), giver);
        return abandoned ? ShelfWord{}
                         : ShelfWord::of(ShelfWord::full, found.count(), kNobody, giver);
    }

    ExchangeRack *racks_ = nullptr;
    Owner count_ = 0;
};

} // namespace weir
