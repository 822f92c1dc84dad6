// SPDX-License-Identifier: MIT OR Apache-2.0
// Broadcast: reading at a cursor, answering, and collecting what nobody holds any more.
#include "core/channel/ring.hpp"

#include "core/base/bits.hpp"
#include "core/base/waiting.hpp"
#include "core/channel/ring_hot.hpp"

namespace weir {
namespace {
uint64_t bit_of(ReaderState const &reader) noexcept
{
    return uint64_t{1} << static_cast<unsigned>(reader.slot);
}

// Threads share a subscription's cursor. Relaxed: a hint, as whose the message is its hand and its
// bit decide; it only must not be left behind one that was refused.
uint64_t cursor_of(ReaderState const &reader, unsigned level) noexcept
{
    return __atomic_load_n(&reader.cursor[level], __ATOMIC_RELAXED);
}
void move_cursor(ReaderState &reader, unsigned level, uint64_t from, uint64_t to) noexcept
{
    __atomic_compare_exchange_n(&reader.cursor[level], &from, to, false, __ATOMIC_RELAXED,
                                __ATOMIC_RELAXED);
}
} // namespace

// ---- read

/// What most looks at a channel of one level are that loses nothing: the message at the cursor is FULL
/// and ours, or not there yet. Again: look() has to find out.
Ring::Look Ring::look_at_cursor(ReaderState &reader, Message &ret) noexcept
{
    Spot const spot{0, cursor_of(reader, 0)};
    Cell &at = *kept(&cell(spot));
    CellWord const found = load(at);
    if (found.raw == CellWord::of(Phase::empty, lap(spot.position)).raw)
        return Look::empty;
    // seq_cst: as in look_from_cursor()
    bool const mine = found.raw == CellWord::of(Phase::full, lap(spot.position)).raw &&
                      (at.holders.load(seq_cst) & bit_of(reader)) != 0;
    return WEIR_LIKELY(mine) ? pick_up(reader, spot, at, found, ret) : Look::again;
}

Ring::Look Ring::look_from_cursor(ReaderState &reader, unsigned level, Message &ret) noexcept
{
    uint64_t const bit = bit_of(reader);
    // Ends: each turn moves the cursor on, or another thread of ours has; the bound is for
    // scribblers.
    for (uint64_t turns = 0; turns < 4 * capacity() + 64; ++turns) {
        Spot const spot{level, cursor_of(reader, level)};
        CellWord const found = load(spot);
        bool const this_lap = found.lap() == lap(spot.position);
        if (behind(found.lap(), lap(spot.position)) || (this_lap && found.is(Phase::empty)) ||
            (this_lap && found.is(Phase::writing)))
            return Look::empty;
        // seq_cst: pairs with the collector's FREEING; a bit that is not there never comes
        bool const mine = this_lap && (cell(spot).holders.load(seq_cst) & bit) != 0;
        if (!mine) {
            if (load(spot).raw == found.raw || !this_lap)
                move_cursor(reader, level, spot.position, next_possible(spot.position, found));
            continue;
        }
        if (!found.is(Phase::full))
            return Look::empty; // somebody drops or collects it: it is FULL again, or he wakes us
        if (is_expired(spot) && discard(spot, found, Phase::expiring))
            continue;
        if (Look const seen = pick_up(reader, spot, cell(spot), found, ret); seen != Look::again)
            return seen;
    }
    return Look::far;
}

/// Where the next message can be after one that is not ours. A cell that is a lap ahead tells that
/// all up to the lap before it are gone; one that is only EMPTY there, a lap less.
uint64_t Ring::next_possible(uint64_t position, CellWord found) const noexcept
{
    uint64_t const laps = (found.lap() - lap(position)) & CellWord::kLapMask;
    uint64_t const back = found.is(Phase::empty) ? 2 : 1;
    return position + 1 + (laps > back ? (laps - back) << shift_ : 0);
}

/// FULL(p) with our bit: ours, if no other thread of this process has it. Where messages may be
/// taken away, a pin says that we have it in hand. Empty: a thread of ours that is at the cell's
/// last message will read this one, or wake us.
WEIR_HOT Ring::Look Ring::pick_up(ReaderState &reader, Spot spot, Cell &at, CellWord full,
                                  Message &ret) noexcept
{
    uint64_t const bit = bit_of(reader);
    uint64_t const i = index(spot);
    unsigned deliveries;
    Grip const grip = reader.hand.pick_up(i, spot.position, deliveries);
    if (!WEIR_LIKELY(grip == Grip::mine)) {
        if (grip == Grip::theirs)
            step_over(reader, spot);
        return grip == Grip::busy ? Look::empty : Look::again;
    }
    if (may_lose())
        at.pins.fetch_or(bit, seq_cst); // [P] then a look; pairs with take_away(), collect()
    // The word first: it may have been DROPPING and be FULL again, but then our bit is gone.
    bool const mine = load(at).raw == full.raw && (at.holders.load(seq_cst) & bit) != 0;
    Ref const ref{at.ref.load(relaxed)}; // published by FULL
    Place block;
    uint64_t const size =
        WEIR_LIKELY(mine) ? size_of_posted(ref, matrix_->place_of(ref, block), block) : 0;
    if (!WEIR_LIKELY(size != 0)) {
        hand_back(reader, spot, mine);
        return Look::again;
    }
    describe(reader, spot, at, ref, size, ret);
    ret.redeliveries = deliveries;
    atomic<uint64_t> &missed = subscribers_[static_cast<unsigned>(reader.slot)].missed;
    if (missed.load(relaxed) != 0) // a count, told once
        ret.missed += missed.exchange(0, relaxed);
    move_cursor(reader, spot.level, spot.position, spot.position + 1);
    return Look::found;
}

/// It was not ours after all, or it is `gone`: somebody freed a block that was in the channel.
WEIR_COLD void Ring::hand_back(ReaderState &reader, Spot spot, bool gone) noexcept
{
    uint64_t const bit = bit_of(reader);
    if (gone) {
        __atomic_fetch_add(&reader.missed, 1, __ATOMIC_RELAXED); // a count
        cell(spot).holders.fetch_and(~bit, seq_cst);
    }
    if (may_lose())
        unpin(spot, bit);
    // Our pin may have stopped the collector. One of the next message, which a drop has let in
    // meanwhile, is not stopped by it: that one is ours too, so we come to it.
    collect(spot);
    reader.hand.put_back(index(spot));
    rewind(reader, spot); // a dropper may have it only until he finds another one's pin
    ring_items();         // who found us at the cell looks again
}

/// Another thread of ours has it. He may give it back between our look at his hand and our step.
void Ring::step_over(ReaderState &reader, Spot spot) noexcept
{
    move_cursor(reader, spot.level, spot.position, spot.position + 1);
    full_fence(); // the cursor, then the hand; pairs with rewind()
    if (!reader.hand.is_taken(index(spot), spot.position))
        rewind(reader, spot);
}

/// After it was given back: whoever has stepped over it comes again.
void Ring::rewind(ReaderState &reader, Spot spot) noexcept
{
    full_fence(); // the hand, then the cursor; pairs with step_over()
    for (uint64_t at = cursor_of(reader, spot.level); at > spot.position;
         at = cursor_of(reader, spot.level))
        move_cursor(reader, spot.level, at, spot.position);
}

bool Ring::find_first_of_mine(ReaderState const &reader, unsigned level, Spot &ret) noexcept
{
    if (reader.slot < 0)
        return false;
    uint64_t const begin = cursor_of(reader, level);
    uint64_t p = begin;
    for (uint64_t turns = 0; turns < 4 * capacity() + 64; ++turns) {
        ret = {level, p};
        CellWord const found = load(ret);
        bool const this_lap = found.lap() == lap(p);
        if (behind(found.lap(), lap(p)) || (this_lap && found.is(Phase::empty)))
            return false;
        // seq_cst: as in look_from_cursor()
        if (this_lap && found.is(Phase::full) &&
            (cell(ret).holders.load(seq_cst) & bit_of(reader)) != 0)
            return true;
        if (this_lap && found.is(Phase::writing))
            return false;
        p = next_possible(p, found);
    }
    return false;
}

// ---- answers

Status Ring::answer_shared(ReaderState &reader, Message const &message, Answer how) noexcept
{
    // The caller's memory: what is checked below is what is used.
    Spot const spot{read_once(message.level), read_once(message.position)};
    Ref const named{read_once(message.ref.value)};
    if (!WEIR_LIKELY(named.value != 0 && spot.level < options_.levels))
        return error(EINVAL);
    uint64_t const i = index(spot);
    Cell &at = *kept(&cells_[i]);
    CellWord const full = load(at);
    if (full.lap() != lap(spot.position) || full.is(Phase::empty) || full.is(Phase::writing))
        return error(kStale);
    if (at.ref.load(relaxed) != named.value) // counts only if it is in hand, below
        return error(EINVAL);
    unsigned deliveries;
    if (!reader.hand.begin_answer(i, spot.position, deliveries))
        return error(kStale);

    if (!WEIR_LIKELY(how == Answer::done))
        return answer_otherwise(reader, spot, full, deliveries, how);
    let_go(at, spot, bit_of(reader));
    return kOk;
}

/// It is in our hand, and an answer to it has begun that does not only let it go.
WEIR_COLD Status Ring::answer_otherwise(ReaderState &reader, Spot spot, CellWord full,
                                        unsigned deliveries, Answer how) noexcept
{
    uint64_t const i = index(spot);
    uint64_t const bit = bit_of(reader);
    if (how == Answer::again) {
        if (may_lose())
            unpin(spot, bit);
        reader.hand.refuse(i, spot.position, deliveries);
        rewind(reader, spot);
        ring_items(); // other threads of ours
        return kOk;
    }
    Status const done = take_shared(spot, full, bit);
    if (load(spot).lap() == lap(spot.position)) // it is in the cell still, and our bit
        reader.hand.keep(i, spot.position, deliveries);
    return done;
}

/// Holder first, then pin: between them a dropper finds a message that it must not take away.
WEIR_HOT void Ring::let_go(Cell &at, Spot spot, uint64_t bit) noexcept
{
    at.holders.fetch_and(~bit, seq_cst);
    if (may_lose())
        unpin(spot, bit);
    // A look of its own, so that the step before it is one instruction; of all who let go the last
    // one finds nobody. Two may: collect() settles it. seq_cst: after the steps of all before
    if (may_lose() || at.holders.load(seq_cst) == 0)
        collect(spot);
}

void Ring::unpin(Spot spot, uint64_t bit) noexcept
{
    cell(spot).pins.fetch_and(~bit, seq_cst); // [P] pairs with is_pinned() and losers()
    tell_dropper(spot.level);
}

/// The last one who holds a message may keep its block. EBUSY: others wait for it.
Status Ring::take_shared(Spot spot, CellWord full, uint64_t bit) noexcept
{
    Cell &at = cell(spot);
    CellWord const freeing = full.to(Phase::freeing, matrix_->me().owner);
    auto const others = [&] {
        return ((at.holders.load(seq_cst) | at.pins.load(seq_cst)) & ~bit) != 0;
    };
    if (!full.is(Phase::full) || others() || is_retained(spot) || !change(spot, full, freeing))
        return error(EBUSY);
    if (others()) { // a late joiner: as in collect()
        change(spot, freeing, full);
        ring_items();
        return error(EBUSY);
    }
    Ref const ref{at.ref.load(relaxed)}; // in our hand
    Status const done = matrix_->move_owner(ref, kNobody, matrix_->me().owner);
    at.holders.store(0, relaxed); // published by the word
    at.pins.store(0, relaxed);    // published by the word
    pass_on(spot, freeing);
    return done;
}

// ---- who is the last

bool Ring::is_held(Cell const &at) const noexcept
{
    // [P] seq_cst: FREEING or DROPPING, then this; pairs with pick_up() and hold_retained()
    return at.holders.load(seq_cst) != 0 || (may_lose() && at.pins.load(seq_cst) != 0);
}

WEIR_HOT bool Ring::is_retained(Spot spot) const noexcept
{
    if (options_.retain_count != 0) {
        uint64_t const tail = levels_[spot.level].tail.load(relaxed); // a hint: a little late
        if (tail - spot.position <= options_.retain_count)
            return true;
    }
    if (options_.retain == 0)
        return false;
    // relaxed: written before FULL, which the caller has read
    return age_since(cell(spot).posted_at_ns.load(relaxed)) < options_.retain;
}

/// Frees a message that nobody holds: FULL(p) -> FREEING(p, me) -> EMPTY(p + capacity). Anybody
/// does it. Who finds a holder after FREEING puts it back, and looks again, because that holder
/// may have let go while it was FREEING.
void Ring::collect(Spot spot, bool also_retained) noexcept
{
    constexpr int kTries = 1000; // each turn is a late joiner's; or a scribbler's
    Cell &at = *kept(&cell(spot));
    for (int i = 0; i < kTries; ++i) {
        CellWord const full = load(at);
        if (full.lap() != lap(spot.position) || !full.is(Phase::full) || is_held(at) ||
            (!also_retained && is_retained(spot)))
            return;
        CellWord const freeing = full.to(Phase::freeing, matrix_->me().owner);
        if (!change(at, full, freeing))
            continue;
        if (is_held(at)) {
            change(at, freeing, full);
            ring_items(); // who looked meanwhile looks again
            continue;
        }
        Ref const ref{at.ref.load(relaxed)}; // in our hand
        static_cast<void>(free_posted(ref)); // gone already: as good
        pass_on(spot, freeing);
        return;
    }
}

/// After a post: what is not retained any more goes, a little at a time.
void Ring::tidy(unsigned level) noexcept
{
    constexpr int kMostSteps = 2; // more than come in
    if (options_.retain_count == 0 && options_.retain == 0)
        return;
    atomic<uint64_t> &hint = levels_[level].head;
    for (int i = 0; i < kMostSteps; ++i) {
        Spot const spot{level, hint.load(relaxed)}; // a hint
        CellWord const found = load(spot);
        bool const gone = behind(lap(spot.position), found.lap());
        if (!gone && !found.is(Phase::full))
            return;
        if (!gone && is_retained(spot))
            return;
        if (!gone)
            collect(spot);
        advance(hint, spot.position); // gone, or whoever holds it last collects it
    }
}

/// A late joiner takes hold of what is kept for it. First the bit, then the word again: still
/// FULL(p), it is ours. Else the bit stays: what comes there was posted after we joined.
void Ring::hold_retained(unsigned level, uint64_t bit) noexcept
{
    uint64_t const tail = levels_[level].tail.load(relaxed); // a hint
    for (uint64_t i = 1; i <= capacity() && i <= tail; ++i) {
        Spot const spot{level, tail - i};
        CellWord const found = load(spot);
        if (found.lap() == lap(spot.position) && found.is(Phase::full) && is_retained(spot))
            cell(spot).holders.fetch_or(bit, seq_cst); // [H] pairs with is_held() after FREEING
    }
}

} // namespace weir
