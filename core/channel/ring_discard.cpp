// SPDX-License-Identifier: MIT OR Apache-2.0
// Messages that are lost on purpose: dropped for newer ones, or expired. Each is counted once.
//
// Steps, from FULL(p) to EMPTY(p + capacity), by who has the cell:
//   1  DROPPING(p, me) or EXPIRING(p, me)
//   2  broadcast: who has it in hand keeps it (C7), and then it is not dropped: FULL(p) again, so
//      that nobody loses it for a post that has no room. It expires for the others. From whom it is
//      taken away is written down; it is counted; then one after the other is told by his `missed`
//      and loses his bit. If somebody took hold of it meanwhile: FULL(p) again
//   3  the block freed
//   4  queue: counted, in the cell's tally, with the lap: again is not twice
//   5  ref := 0, EMPTY(p + capacity)
// Whoever heals a dead one's cell makes it his own and goes through all steps again; if it was
// counted, with those who were written down, because who pins it since then does not get it. The
// tally is exact whoever dies; `missed` may be one too high for a reader if a death is between its
// two writes, and never too low.
#include "core/channel/ring.hpp"

#include "core/base/bits.hpp"
#include "core/base/waiting.hpp"

namespace weir {

bool Ring::is_expired(Spot spot) const noexcept
{
    if (options_.ttl == 0)
        return false;
    // relaxed: written before FULL, which the caller has read
    return age_since(cell(spot).posted_at_ns.load(relaxed)) >= options_.ttl;
}

/// True: something has changed, look again.
bool Ring::discard(Spot spot, CellWord full, Phase how) noexcept
{
    if (!may_lose())
        return false;
    if (broadcast() && how == Phase::dropping && is_pinned(spot))
        return false;
    CellWord const mine = full.to(how, matrix_->me().owner);
    return !change(spot, full, mine) || finish_discard(spot, mine, false);
}

/// From step 2. False: somebody has it in his hand.
bool Ring::finish_discard(Spot spot, CellWord word, bool healing) noexcept
{
    Phase const how = word.phase();
    if (broadcast()) {
        // Not pinned after DROPPING, it is in nobody's hand: who pins it now sees DROPPING and lets
        // go. A healer does not know whether the dead one had looked.
        bool const sure = how == Phase::dropping && !healing;
        if (sure && is_pinned(spot))
            return put_back(spot, word);
        bool const decided = healing && is_counted(spot, how);
        uint64_t const keepers = sure ? 0 : cell(spot).pins.load(seq_cst); // [P] as in losers()
        take_away(spot,
                  decided ? tallies_[index(spot)].taking.load(relaxed) : losers(spot, keepers),
                  how);
        if (sure ? cell(spot).holders.load(seq_cst) != 0
                 : is_held(cell(spot))) // [P] as in is_held()
            return put_back(spot, word);
    }
    Ref const ref{cell(spot).ref.load(relaxed)};          // in our hand
    static_cast<void>(matrix_->free_owned(ref, kNobody)); // gone already: as good
    if (!broadcast())
        count_lost(spot, how);
    pass_on(spot, word);
    if (broadcast())
        ring_items(); // who waited at this message goes on to the next
    return true;
}

/// False, as for who discards it in vain.
bool Ring::put_back(Spot spot, CellWord word) noexcept
{
    change(spot, word, word.to(Phase::full));
    ring_items(); // who looked meanwhile looks again
    collect(spot);
    return false;
}

bool Ring::is_pinned(Spot spot) const noexcept
{
    return cell(spot).pins.load(seq_cst) != 0; // [P] DROPPING, then this; pairs with pick_up()
}

/// Subscribers who have not got it in hand. `keepers`: who is pinned, read before.
uint64_t Ring::losers(Spot spot, uint64_t keepers) const noexcept
{
    // [P] seq_cst: EXPIRING, then the pins; pairs with pick_up(). The pins before the holders:
    // who answers clears his holder first, so whoever is not pinned here and holds it later has not
    // got it, and nobody but a sweeper clears his bit beside us.
    return cell(spot).holders.load(seq_cst) & ~keepers;
}

void Ring::take_away(Spot spot, uint64_t from, Phase how) noexcept
{
    Cell &at = cell(spot);
    if (from == 0)
        return;
    tallies_[index(spot)].taking.store(from, release); // before the count; ours
    count_lost(spot, how);
    for (uint64_t lost = from & at.holders.load(seq_cst); lost != 0; lost &= lost - 1) {
        unsigned const i = lowest_bit(lost) % kMaxSubscribers;
        subscribers_[i].missed.fetch_add(1, relaxed); // a count, told with its next message
        at.holders.fetch_and(~(uint64_t{1} << lowest_bit(lost)), seq_cst);
    }
}

namespace {
constexpr uint64_t kLaps = (uint64_t{1} << 20) - 1;
constexpr uint64_t kCount = (uint64_t{1} << 44) - 1;
uint64_t mark_of(uint64_t lap) noexcept { return lap % kLaps + 1; } // 0: none yet
} // namespace

bool Ring::is_counted(Spot spot, Phase how) const noexcept
{
    Tally const &tally = tallies_[index(spot)];
    atomic<uint64_t> const &count = how == Phase::dropping ? tally.dropped : tally.expired;
    return count.load(acquire) >> 44 == mark_of(lap(spot.position)); // pairs with count_lost()
}

/// Step 4. The cell is ours, so nobody else writes its tally.
void Ring::count_lost(Spot spot, Phase how) noexcept
{
    if (is_counted(spot, how))
        return;
    Tally &tally = tallies_[index(spot)];
    atomic<uint64_t> &count = how == Phase::dropping ? tally.dropped : tally.expired;
    if (!broadcast())
        header_->untold.fetch_add(1, relaxed); // a count; first, so that it is never too low
    uint64_t const next = (count.load(relaxed) + 1) & kCount; // ours
    // release: pairs with is_counted(), after `taking`
    count.store(mark_of(lap(spot.position)) << 44 | next, release);
}

} // namespace weir
