// SPDX-License-Identifier: MIT OR Apache-2.0
// Trimming: memory of free blocks goes back to the system, and comes again before it is needed.
//
// What is promised
//   Memory that a user gets has been granted by the file system, so touching it never raises
//   SIGBUS. So what was given back is TRIMMED, not FREE, and is committed again before it is FREE.
//
// States                                          ticket: under the growth ticket alone
//   FREE --claim, carve--> CLAIMED(me) --mark--> CLAIMED(me, without memory) --punch, publish--> TRIMMED
//   TRIMMED --claim--> CLAIMED(me, without memory) --cut, commit--> FREE, by release
//   Commit refused: the hole is punched again and the block is TRIMMED as before.
//
// Invariants
//   T1  A FREE or user's block, and a CLAIMED one without the mark, has memory.
//   T2  TRIMMED blocks begin and end at units (whole pages, and what sectors grow by) and merge
//       with nobody; left_of() and absorb_right() look for FREE alone and pass them by.
//   T3  Only the holder of the growth ticket, and the healer of one who died, mark blocks and change
//       what is TRIMMED. `trimmed` of a sector is the sum of its TRIMMED and marked blocks whenever
//       nobody has the ticket.
//   T4  Limits minus `trimmed`, over all sectors, never exceed the capacity.
//
// Death
//   before the mark: the block has its memory; healing releases it as any CLAIMED one.
//   after the mark, before or after the hole: healing claims it with its mark and makes it TRIMMED,
//     so it is committed again before use. If the hole was not made yet, that costs nothing.
//   TRIMMED, `trimmed` not counted yet: the healer counts anew while the dead one has the ticket.
//   after the commit: still marked, so TRIMMED; committing twice does no harm.
//
// Taking it back
//   A request for which nothing is FREE takes back what it lacks, before the sector grows and
//   also in sectors that may not grow for it. The place is one that lacks no more than the
//   capacity has left, counted together with the room above the limit (find_opening). -ENOMEM is
//   said only if there is none, or if the search has given up after very many short blocks
//   (sector_trim.cpp); what the file system refuses (-ENOSPC) stays TRIMMED.
//   A block that grows (resize.cpp) takes back what is behind it and nothing else.
#include "core/base/bits.hpp"
#include "core/base/clock.hpp"
#include "core/matrix/matrix.hpp"
#include "core/matrix/walker.hpp"
#include "core/segment/ticket.hpp"

namespace weir {
namespace {
/// At most so much at once: others wait for the ticket meanwhile.
constexpr uint64_t kTrimPiece = uint64_t{16} << 20;

/// `part` of `piece`, and up to `more` granules beside it.
Run widened(Run piece, Run part, uint64_t more) noexcept
{
    uint64_t const right = smaller<uint64_t>(more, piece.end() - part.end());
    uint64_t const left = smaller<uint64_t>(more - right, part.head - piece.head);
    return {static_cast<Granule>(part.head - left),
            static_cast<Granules>(part.length + left + right)};
}
} // namespace

// ---- giving back

Status Matrix::trim(uint64_t keep_bytes, uint64_t &ret_bytes) noexcept
{
    WEIR_TRY(enter());
    empty_lanes();
    MatrixStats stats;
    WEIR_TRY(this->stats(stats));
    uint64_t const spare = stats.free_bytes - smaller(keep_bytes, stats.free_bytes);
    uint64_t done = 0;
    Status last = kOk;
    for (unsigned i = kSectors; i-- > 0 && last.ok();) // the longest blocks first
        last = trim_sector(i, spare, done);
    full_fence();   // [C] of waiting.hpp: how much is TRIMMED is no seq_cst store
    tell_waiting(); // another sector may grow by it
    if (done == 0)
        WEIR_TRY(last);
    ret_bytes = done;
    return kOk;
}

Status Matrix::trim_sector(unsigned index, uint64_t spare, uint64_t &done) noexcept
{
    Sector &sector = sectors_[index];
    Granules const unit = sector.unit();
    Walker walk(sector);
    Granule at;
    BlockWord word;
    while (walk.next(at, word)) {
        if (!word.is(Kind::free))
            continue;
        Run const run{at, word.granules()};
        uint64_t const most = smaller(spare - done, kTrimPiece) >> sector.granule_shift();
        auto const length = static_cast<Granules>(
            smaller<uint64_t>(run.whole_units(unit).length, round_down(most, unit)));
        if (length == 0)
            continue;
        auto const trimmed = trim_part(index, run, word, {length, unit});
        WEIR_TRY(trimmed);
        if (*trimmed == 0)
            continue; // somebody was faster
        done += sector.bytes_of(*trimmed);
        walk.resume_at(at); // its left rest
        if (sector.bytes_of(*trimmed) == kTrimPiece)
            sleep_for(kMillisecond); // who wants to grow must not wait for all of it
    }
    return kOk;
}

Result<Granules> Matrix::trim_part(unsigned index, Run run, BlockWord word, Need part) noexcept
{
    WEIR_TRY(take_ticket(segment_.header().growth));
    Undo give([this] { give_ticket(segment_.header().growth); });
    Caller const self = caller();
    Window window(self);
    window.open();
    Sector &sector = sectors_[index];
    Run const mine = sector.claim_part(run, word, part, self.owner());
    if (mine.length == 0)
        return Granules{0};
    sector.mark_without_memory(mine, self.owner()); // before the hole: death
    sector.set_trimmed(sector.trimmed() + mine.length);
    Status const punched = segment_.punch_data(index, mine.head, mine.end());
    if (!punched.ok()) {
        static_cast<void>(add_memory(index, mine)); // if it cannot be had again, it is TRIMMED
        return punched;
    }
    sector.publish_trimmed(mine);
    return mine.length;
}

// ---- taking back

/// Bytes by which all sectors together may grow.
uint64_t Matrix::room() const noexcept
{
    uint64_t const total = committed();
    uint64_t const capacity = segment_.geometry().request.capacity;
    return round_down(capacity - smaller(total, capacity), kGrowthUnit);
}

bool Matrix::find_opening(unsigned index, Need need, bool may_rise, Opening &ret) const noexcept
{
    Sector const &sector = sectors_[index];
    Granule const top = may_rise ? sector.max_granules() : sector.limit();
    return sector.find_opening(need, top, room() >> sector.granule_shift(), ret);
}

/// Whether a sector could serve a need with more memory.
bool Matrix::has_room(unsigned index, Need need, bool may_rise) const noexcept
{
    if (WEIR_LIKELY(sectors_[index].trimmed() == 0))
        return may_rise && growth_step(index, need).ok();
    Opening ignored;
    return find_opening(index, need, may_rise, ignored);
}

/// By the ticket's holder with his window open: makes what a need lacks below the limit FREE.
/// `rise`: whether the limit may rise, and afterwards whether it must. EBUSY: nothing is lacking.
Status Matrix::take_back(unsigned index, Need need, bool &rise) noexcept
{
    Sector &sector = sectors_[index];
    if (WEIR_LIKELY(sector.trimmed() == 0))
        return rise ? kOk : error(ENOMEM);
    Opening opening;
    if (!find_opening(index, need, rise, opening))
        return error(ENOMEM);
    if (opening.lack == 0)
        return error(EBUSY);
    rise = opening.place.end() > sector.limit();
    // An eighth of what there is, so that many small steps are not many system calls.
    uint64_t more = smaller(room(), round_down(committed() / 8, kGrowthUnit));
    more >>= sector.granule_shift();
    more -= smaller(more, opening.lack);
    return take_place(index, opening.from, opening.place, more);
}

/// By the ticket's holder: what is TRIMMED in `place` becomes FREE. Hops from `from` lead there.
Status Matrix::take_place(unsigned index, Granule from, Run place, uint64_t more) noexcept
{
    Sector &sector = sectors_[index];
    Walker walk(sector);
    walk.resume_at(from);
    Granule at;
    BlockWord word;
    while (walk.next(at, word) && at < place.end()) {
        Run const piece{at, word.granules()};
        Run const part = piece.units_for(place, sector.unit());
        if (word.is(Kind::trimmed) && part.length != 0)
            WEIR_TRY(take_part(index, piece, word, part, more));
    }
    return kOk;
}

/// Whether all that `place` lacks could be had within the capacity.
bool Matrix::may_take_back(unsigned index, Run place) const noexcept
{
    Sector const &sector = sectors_[index];
    return sector.trimmed() != 0 && sector.lack_at(place) <= room() >> sector.granule_shift();
}

/// For a block of ours that is RESIZING, with our window open: what is TRIMMED in `place`, right
/// behind it, becomes FREE. If not, the block does not get it.
void Matrix::take_back_right(unsigned index, Run place) noexcept
{
    Ticket ticket(segment_.header().growth);
    if (!ticket.try_take(me().owner))
        return;
    if (may_take_back(index, place)) // what was seen without the ticket was a hint
        static_cast<void>(take_place(index, place.head, place, 0));
    ticket.give_back(me().owner);
}

/// Makes a part of a TRIMMED block FREE, and `more` beside it if the file system has that too.
Status Matrix::take_part(unsigned index, Run piece, BlockWord word, Run part,
                         uint64_t &more) noexcept
{
    Sector &sector = sectors_[index];
    Run const wide = widened(piece, part, round_down(more, sector.unit()));
    if (!sector.claim_trimmed(piece, word, me().owner))
        return error(kCorrupt); // it changed although we hold the ticket
    sector.cut_trimmed(piece, wide, me().owner);
    Status const granted = add_memory(index, wide);
    if (granted.code == -ENOSPC && wide.length > part.length) { // less may be there
        more = 0;
        return take_part(index, wide, sector.word(wide.head, acquire), part, more); // our own word
    }
    more -= wide.length - part.length;
    return granted;
}

/// A marked run becomes FREE, or TRIMMED again if the file system refuses.
Status Matrix::add_memory(unsigned index, Run run) noexcept
{
    Sector &sector = sectors_[index];
    Status const granted = segment_.commit_data(index, run.head, run.end());
    if (!granted.ok()) {
        static_cast<void>(segment_.punch_data(index, run.head, run.end())); // a part was granted
        sector.publish_trimmed(run);
        return granted;
    }
    Granules const trimmed = sector.trimmed();
    sector.set_trimmed(trimmed - smaller(trimmed, run.length)); // somebody may scribble
    sector.release_run(run, me().owner);
    return kOk;
}

/// By the healer of a dead holder of the growth ticket, who has it still.
void Matrix::recount_trimmed() noexcept
{
    for (Sector &sector : sectors_)
        sector.set_trimmed(sector.count_trimmed());
}

} // namespace weir
