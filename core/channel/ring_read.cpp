// SPDX-License-Identifier: MIT OR Apache-2.0
// Reading and answering: what both modes share, and the queue.
#include "core/channel/ring.hpp"

#include "core/base/bits.hpp"
#include "core/base/waiting.hpp"
#include "core/channel/ring_hot.hpp"

namespace weir {

Status Ring::read_properly(ReaderState &reader, Message &ret) noexcept
{
    constexpr unsigned kFarLooks = 16; // the hint is never 64 rounds behind
    unsigned far = 0;
    // Each turn but the last lost to somebody, or moved the head hint on; the bounds are for
    // scribblers.
    uint64_t const bound = 1000 + (uint64_t{1} << 26) / capacity();
    for (uint64_t turns = 0; turns < bound && far < kFarLooks; ++turns) {
        Look const seen = look(reader, ret);
        if (seen == Look::found)
            return kOk;
        if (seen == Look::empty)
            return error(EAGAIN);
        far += seen == Look::far ? 1 : 0;
    }
    return error(kCorrupt);
}

/// What most looks at a queue of one level are: nothing waits for redelivery, and the message at
/// the head, or the one behind it, is FULL or not there yet. Again: look() has to find out.
Ring::Look Ring::look_at_head(ReaderState &reader, Message &ret) noexcept
{
    if (redelivery_.find_column(0) == 0)
        return Look::again;
    uint64_t head = levels_[0].head.load(relaxed); // a hint
    for (int step = 0; step < 2; ++step, ++head) {
        Cell &at = *kept(&cell({0, head}));
        CellWord const found = load(at);
        if (found.raw == CellWord::of(Phase::full, lap(head)).raw)
            return grab_hot(reader, {0, head}, at, found, ret) ? Look::found : Look::again;
        if (found.raw == CellWord::of(Phase::empty, lap(head)).raw)
            return Look::empty;
        bool const held = found.is(Phase::held) && found.lap() == lap(head);
        if (!held && found.raw != CellWord::of(Phase::empty, lap(head) + 1).raw)
            return Look::again;
        advance(levels_[0].head, head); // in a hand, or consumed: C5
    }
    return Look::again;
}

/// The highest level first, unless the oldest message of a lower one counts as one of it.
Ring::Look Ring::look(ReaderState &reader, Message &ret) noexcept
{
    unsigned const top = options_.levels - 1;
    if (options_.ageing != 0 && top != 0)
        if (unsigned const aged = most_urgent(reader); aged != top)
            if (Look const seen = look_at_level(reader, aged, ret); seen != Look::empty)
                return seen;
    for (unsigned level = top + 1; level-- > 0;)
        if (Look const seen = look_at_level(reader, level, ret); seen != Look::empty)
            return seen;
    return Look::empty;
}

Ring::Look Ring::look_at_level(ReaderState &reader, unsigned level, Message &ret) noexcept
{
    if (broadcast())
        return look_from_cursor(reader, level, ret);
    Look const seen = look_at_redelivery(reader, level, ret);
    return seen == Look::empty ? look_from_head(reader, level, ret) : seen;
}

/// The level whose first message is the oldest of all that count as the highest.
unsigned Ring::most_urgent(ReaderState const &reader) noexcept
{
    unsigned const top = options_.levels - 1;
    unsigned urgent = top;
    Nanoseconds const now = monotonic_now();
    Nanoseconds oldest = INT64_MAX;
    for (unsigned level = top + 1; level-- > 0;) {
        Spot first;
        if (!find_first(reader, level, first))
            continue;
        // relaxed: a hint; who takes the message takes whatever is there
        auto const at = static_cast<Nanoseconds>(cell(first).posted_at_ns.load(relaxed));
        bool const counts = level == top || at <= now - options_.ageing;
        if (counts && at < oldest) {
            oldest = at;
            urgent = level;
        }
    }
    return urgent;
}

bool Ring::has_message(ReaderState const &reader) noexcept
{
    Spot first;
    for (unsigned level = 0; level < options_.levels; ++level)
        if (find_first(reader, level, first))
            return true;
    return false;
}

bool Ring::find_first(ReaderState const &reader, unsigned level, Spot &ret) noexcept
{
    return broadcast() ? find_first_of_mine(reader, level, ret) : find_first_of_queue(level, ret);
}

bool Ring::find_first_of_queue(unsigned level, Spot &ret) noexcept
{
    if (uint64_t const i = redelivery_.find(column(level), 0); i != BitTree::kNone)
        if (CellWord const found = load((uint64_t{level} << shift_) + i); found.redelivered()) {
            ret = spot_of((uint64_t{level} << shift_) + i, found);
            return true;
        }
    uint64_t p = levels_[level].head.load(relaxed); // a hint
    for (uint64_t step = 0; step < 4 * capacity() + 64; ++step) {
        ret = {level, p};
        CellWord const found = load(ret);
        bool const this_lap = found.lap() == lap(p);
        if (behind(found.lap(), lap(p)) || (this_lap && found.is(Phase::empty)))
            return false;
        if (this_lap && found.is(Phase::full))
            return true;
        p = this_lap ? p + 1 : next_possible(p, found);
    }
    return false;
}

/// A bit counts only if its cell is FULL and was handed out before: a late bit must not make us
/// take a new message out of order.
Ring::Look Ring::look_at_redelivery(ReaderState &reader, unsigned level, Message &ret) noexcept
{
    unsigned const own = column(level);
    if (redelivery_.find_column(own) != own)
        return Look::empty;
    uint64_t const first = uint64_t{level} << shift_;
    for (uint64_t i = redelivery_.find(own, 0); i != BitTree::kNone;
         i = redelivery_.find(own, i + 1)) {
        CellWord const found = load(first + i);
        if (found.redelivered()) {
            Spot const spot = spot_of(first + i, found);
            return grab(reader, spot, found, ret) ? Look::found : Look::again;
        }
        if (!found.is(Phase::empty) && !found.is(Phase::full))
            continue; // its holder clears the bit, or who looks after him if it came late
        redelivery_.clear(own, i);
        if (load(first + i).redelivered()) { // it came back meanwhile
            redelivery_.set(own, i);
            return Look::again;
        }
    }
    return Look::empty;
}

Ring::Look Ring::look_from_head(ReaderState &reader, unsigned level, Message &ret) noexcept
{
    atomic<uint64_t> &hint = levels_[level].head;
    uint64_t const head = hint.load(relaxed); // a hint
    uint64_t window = head;
    uint64_t first_writing = BitTree::kNone;
    // Ends: `window` moves on only over consumed positions, by more than a lap where droppers have
    // left the hint far behind; if it takes longer, others move it on, and the next turn goes on
    // from there.
    uint64_t const steps = 4 * capacity() + 64;
    uint64_t step = 0;
    uint64_t next = head;
    for (uint64_t p = head; p < window + capacity() && step < steps; p = next, ++step) {
        next = p + 1;
        CellWord const found = load(Spot{level, p});
        bool const this_lap = found.lap() == lap(p);
        if (behind(found.lap(), lap(p)) || (this_lap && found.is(Phase::empty)))
            return Look::empty;
        if (this_lap && found.is(Phase::full)) {
            if (first_writing != BitTree::kNone && filled_meanwhile(level, first_writing, p))
                return Look::again;
            return grab(reader, {level, p}, found, ret) ? Look::found : Look::again;
        }
        if (this_lap && found.is(Phase::writing)) {
            if (first_writing == BitTree::kNone)
                first_writing = p;
            continue;
        }
        if (first_writing != BitTree::kNone)
            continue;
        if (!this_lap)
            window = next = next_possible(p, found); // consumed: C5, the window moves along
        if (uint64_t seen = p; seen == hint.load(relaxed))
            hint.compare_exchange(seen, next, relaxed, relaxed); // a hint; losing is fine
    }
    return step == steps ? Look::far : Look::empty;
}

/// Whether a cell that was WRITING when we passed it is FULL now: its message goes first (C4).
bool Ring::filled_meanwhile(unsigned level, uint64_t from, uint64_t to) const noexcept
{
    for (uint64_t p = from; p < to; ++p)
        if (CellWord const found = load(Spot{level, p});
            found.lap() == lap(p) && found.is(Phase::full))
            return true;
    return false;
}

bool Ring::grab(ReaderState &reader, Spot spot, CellWord full, Message &ret) noexcept
{
    return grab_hot(reader, spot, cell(spot), full, ret);
}

WEIR_HOT bool Ring::grab_hot(ReaderState &reader, Spot spot, Cell &at, CellWord full,
                             Message &ret) noexcept
{
    if (options_.ttl != 0 && is_expired(spot)) {
        discard(spot, full, Phase::expiring);
        return false;
    }
    // A line from the poster's processor, fetched while the cell becomes ours. relaxed: published by
    // FULL, which we have read; if the cell is another message's by now, it does not become ours
    Ref const ref{at.ref.load(relaxed)};
    Place block;
    bool const placed = matrix_->place_of(ref, block);
    if (WEIR_LIKELY(placed))
        block.sector->prefetch_word(block.head);
    CellWord const held = full.to(Phase::held, matrix_->me().owner);
    if (!change(at, full, held))
        return false;
    // While we hold it nobody else sets the bit. Of one that was never delivered it is a late one.
    if (full.deliveries() != 0)
        unmark(spot);
    uint64_t const size = size_of_posted(ref, placed, block);
    if (!WEIR_LIKELY(size != 0)) { // somebody freed a block that was in the channel
        pass_on(spot, held);
        __atomic_fetch_add(&reader.missed, 1, __ATOMIC_RELAXED); // a count
        return false;
    }
    reader.hand.put(index(spot), spot.position);
    describe(reader, spot, at, ref, size, ret);
    ret.redeliveries = full.deliveries();
    // relaxed: counts; nothing is read through them
    if (may_lose() && header_->untold.load(relaxed) != 0)
        ret.missed += header_->untold.exchange(0, relaxed);
    return true;
}

void Ring::unmark(Spot spot) noexcept
{
    uint64_t const i = spot.position & mask_;
    if (redelivery_.test(column(spot.level), i))
        redelivery_.clear(column(spot.level), i);
}

// ---- answers

Status Ring::answer_held(ReaderState &reader, Message const &message, Answer how) noexcept
{
    // The caller's memory: what is checked below is what is used.
    Spot const spot{read_once(message.level), read_once(message.position)};
    Ref const named{read_once(message.ref.value)};
    unsigned const redeliveries = read_once(message.redeliveries);
    if (!WEIR_LIKELY(named.value != 0 && spot.level < options_.levels))
        return error(EINVAL);
    uint64_t const i = index(spot);
    Cell &at = *kept(&cells_[i]);
    CellWord const held = load(at);
    // The count tells a message from its next delivery, perhaps to another thread of ours.
    CellWord const ours =
        CellWord::of(Phase::held, lap(spot.position), matrix_->me().owner, redeliveries);
    if (!WEIR_LIKELY(held.raw == ours.raw && redeliveries <= CellWord::kMaxDeliveries))
        return error(kStale);
    Ref const ref{at.ref.load(relaxed)}; // ours: nobody writes it
    if (!(ref == named))
        return error(EINVAL);
    unsigned deliveries;
    if (!reader.hand.begin_answer(i, spot.position, deliveries))
        return error(kStale);

    if (how == Answer::again) {
        reader.hand.end_answer(i);
        give_back(spot, held);
        return kOk;
    }
    // The block first: a death after it is healed as answered, one before as redelivery.
    Status const done = how == Answer::take ? matrix_->move_owner(ref, kNobody, matrix_->me().owner)
                                            : free_posted(ref);
    reader.hand.end_answer(i);
    pass_on(spot, held);
    return done;
}

/// To another reader: FULL first, then the mark; a mark that comes late or twice is only a hint.
void Ring::give_back(Spot spot, CellWord held) noexcept
{
    if (!change(spot, held, held.to_redelivery()))
        return;
    redelivery_.set(column(spot.level), spot.position & (capacity() - 1));
    ring_items();
    tell_dropper(spot.level);
}

} // namespace weir
