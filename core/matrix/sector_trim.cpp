// SPDX-License-Identifier: MIT OR Apache-2.0
// What trimming does to the words of a sector, and the search for a place among TRIMMED blocks. The
// states, the order of steps and the deaths are in trim.cpp.
#include "core/base/bits.hpp"
#include "core/matrix/sector.hpp"
#include "core/matrix/walker.hpp"

namespace weir {
namespace {
constexpr uint64_t kNever = UINT64_MAX;
/// Hops of one search, over all places that are tried: with many short blocks in a row it would
/// be quadratic.
constexpr uint64_t kMostHops = 1 << 20;
} // namespace

Granules Sector::count_trimmed() const noexcept
{
    OnwardWalker walk(*this);
    Granule at;
    BlockWord found;
    Granules sum = 0;
    while (walk.next(at, found))
        if (found.is(Kind::trimmed) || found.is_claimed_without_memory())
            sum += found.granules();
    return sum;
}

// ---- the search

/// Granules that `place` lacks, in whole units; kNever if something else than free is in the way.
uint64_t Sector::lack_of(Granule from, Run place, Granule top, uint64_t &hops) const noexcept
{
    uint64_t sum = 0;
    Granule bound = limit();
    for (Granule at = from; at < place.end();) {
        if (at >= top || hops == 0)
            return kNever;
        --hops;
        Run piece{at, top - at}; // above the limit: as if TRIMMED
        Granules unit = unit_of(kGrowthUnit);
        bool lacks = true;
        if (at < bound) {
            // acquire: as for a hop
            BlockWord const found = word(at, acquire);
            if (!plausible(at, found, bound))
                return kNever;
            lacks = found.is(Kind::trimmed);
            if (!lacks && !found.is(Kind::free))
                return kNever;
            piece.length = found.granules();
            unit = unit_;
        }
        if (lacks)
            sum += piece.units_for(place, unit).length;
        at = piece.end();
    }
    return sum;
}

uint64_t Sector::lack_at(Run place) const noexcept
{
    uint64_t hops = kMostHops;
    return lack_of(place.head, place, limit(), hops);
}

/// Wherever the best place is, it can be moved until it begins where a block begins, or ends where
/// a FREE one ends, and lacks no more. So these are tried, in the order of addresses.
bool Sector::find_opening(Need need, Granule top, uint64_t room, Opening &ret) const noexcept
{
    uint64_t hops = kMostHops;
    auto const fits = [&](Granule from, uint64_t start) {
        if (start + need.length > top)
            return false;
        Run const place{static_cast<Granule>(start), need.length};
        uint64_t const lack = lack_of(from, place, top, hops);
        if (lack > room)
            return false;
        ret = {from, place, lack};
        return true;
    };
    Walker walk(*this);
    Granule at, row = 0, end = 0; // FREE and TRIMMED blocks side by side
    BlockWord found;
    while (walk.next(at, found)) {
        row = at == end ? row : at;
        end = at + found.granules();
        if (!found.is(Kind::free) && !found.is(Kind::trimmed)) {
            row = end;
            continue;
        }
        Granule start;
        if (fits(at, round_up(at, need.align)) ||
            (found.is(Kind::free) && need.place_in({row, end - row}, start) && fits(row, start)))
            return true;
    }
    Granule const bound = limit();
    return bound < top && fits(bound, round_up(bound, need.align));
}

// ---- the words

Run Sector::claim_part(Run run, BlockWord word, Need part, Owner me) noexcept
{
    return claim_free(run.head, word, me) ? carve(run, part, me) : Run{};
}

void Sector::mark_without_memory(Run run, Owner me) noexcept
{
    BlockWord const marked = own(run.head).as_claimed_without_memory(me, run.length);
    words_[run.head].store(marked, seq_cst); // before the system call that follows
}

void Sector::publish_trimmed(Run run) noexcept
{
    write_tail(run);
    // release: pairs with change() in claim_trimmed(); its TAIL is there. Nobody merges with it,
    // so there is no neighbour to look at.
    words_[run.head].store(own(run.head).as_trimmed(run.length), release);
}

/// At every instant the heads cover the run. The TAIL of `part` is written by whoever publishes it.
void Sector::cut_trimmed(Run run, Run part, Owner me) noexcept
{
    if (Granules const length = run.end() - part.end(); length != 0) {
        Run const rest{part.end(), length};
        run.length -= length;
        write_tail(rest);
        // relaxed: inside our block; the store that shortens it publishes this one
        words_[rest.head].store(own(rest.head).as_trimmed(rest.length), relaxed);
        // release: pairs with the acquire of a hop
        words_[run.head].store(own(run.head).as_claimed_without_memory(me, run.length), release);
    }
    if (Granules const length = part.head - run.head; length != 0) {
        // relaxed: as above
        words_[part.head].store(own(part.head).as_claimed_without_memory(me, part.length), relaxed);
        write_tail({run.head, length});
        words_[run.head].store(own(run.head).as_trimmed(length), release); // as above
    }
}

} // namespace weir
