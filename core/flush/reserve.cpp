// SPDX-License-Identifier: MIT OR Apache-2.0
// Getting a place when the short way does not: units of several headers, a full buffer, a full
// ring.
#include "core/flush/ring.hpp"

#include <utility>

namespace weir {

Status FlushRing::append_long(Source source, Nanoseconds timeout, Lsn &ret) noexcept
{
    if (int const refused = source.check(options_.max_record); refused != 0)
        return error(-refused);
    if (source.bytes() > fits_)
        return append_large(source, timeout, ret);
    Spot spot;
    WEIR_TRY(reserve_unit(source.bytes(), &source, timeout, nullptr, spot));
    return append_into(spot, source, ret);
}

/// A short record whose fetch_add went beyond the end.
Status FlushRing::append_overflowed(Part const &part, TailWord found, Nanoseconds timeout,
                                    Lsn &ret) noexcept
{
    Source source(&part, 1, false);
    Spot spot;
    WEIR_TRY(reserve_unit(source.bytes(), &source, timeout, &found, spot));
    return append_into(spot, source, ret);
}

/// Fills both places in the order of their LSNs. If the first was evicted, the rest must not look
/// as if it belonged to something.
Status FlushRing::append_into(Spot const &spot, Source &source, Lsn &ret) noexcept
{
    Status status = fill(spot.first, source, false);
    if (spot.rest.bytes != 0) {
        Status const rest = fill(spot.rest, source, !status.ok());
        if (status.ok())
            status = rest;
    }
    look_at_attention(status);
    if (status.ok())
        ret = source.lsn();
    return status;
}

/// `found`: what a fetch_add has met already. `source`: may be split between two buffers.
Status FlushRing::reserve_unit(uint64_t need, Source const *source, Nanoseconds timeout,
                               TailWord const *found, Spot &ret) noexcept
{
    Deadline const deadline(timeout);
    for (;;) {
        Take const taken = take(need, source, found, ret);
        found = nullptr;
        if (taken == Take::got)
            return kOk;
        if (taken == Take::again)
            continue;
        auto const room = await_room(deadline, timeout != 0, need, ret);
        if (!room.ok())
            return room.status();
        if (*room)
            return kOk;
    }
}

FlushRing::Take FlushRing::take(uint64_t need, Source const *source, TailWord const *found,
                                Spot &ret) noexcept
{
    TailWord tail{};
    if (found != nullptr)
        tail = *found;
    else if (!add_or_seal(need, tail))
        return Take::room;
    if (tail.offset() + need <= options_.buffer_size) {
        if (!locate(tail.generation(), tail.offset(), ret.first))
            ret.first.at = nullptr; // evicted
        ret.first.bytes = need;
        return Take::got;
    }
    if (tail.offset() > options_.buffer_size)
        return Take::room;
    return overflow(tail, need, source, ret);
}

/// Adds `need` to the tail. False: the buffer is full, by others. A need above kMostAdded is added
/// only if it fits; else SEAL is set, which makes us the overflower: `ret` shows it.
bool FlushRing::add_or_seal(uint64_t need, TailWord &ret) noexcept
{
    TailWord seen{tail_.load(relaxed)}; // hint: what counts is the RMW
    if (seen.offset() > options_.buffer_size)
        return false;
    if (need <= kMostAdded) {
        ret.raw = tail_.fetch_add(need, seq_cst); // as in append_short()
        return true;
    }
    for (;;) {
        if (seen.offset() > options_.buffer_size)
            return false;
        bool const fits = seen.offset() + need <= options_.buffer_size;
        uint64_t const wanted = fits ? seen.raw + need : seen.raw | TailWord::kSeal;
        // seq_cst: as in append_short()
        if (tail_.compare_exchange(seen.raw, wanted, seq_cst, relaxed))
            break;
    }
    ret = seen;
    return true;
}

/// [offset, B), which is its overflower's. If that is nothing, the generation may have been written
/// and its buffer have gone to a later one meanwhile: the duty is ours all the same.
bool FlushRing::locate_end(TailWord tail, Place &ret) const noexcept
{
    if (tail.offset() != options_.buffer_size) {
        ret.bytes = options_.buffer_size - tail.offset();
        return locate(tail.generation(), tail.offset(), ret);
    }
    ret = Place{};
    ret.generation = full_generation(tail);
    ret.lsn = base_of(ret.generation + 1);
    return true;
}

/// We own [offset, B) of the generation, and the duty to open the next one. Nothing of ours is
/// placed before it is open: until then a time limit or an evictor may send us away.
FlushRing::Take FlushRing::overflow(TailWord tail, uint64_t need, Source const *source,
                                    Spot &ret) noexcept
{
    Place end;
    if (!locate_end(tail, end))
        return Take::again; // evicted, and gone since
    if (!claim(end.generation, Duty::idle))
        return Take::again; // an evictor took the duty
    if (!can_open(end.generation + 1)) {
        decline(end.generation); // before the gap: who dies between leaves one that is evicted
        write_pad(end.at, end.lsn, end.bytes);
        return Take::room;
    }
    bool const splits =
        source != nullptr && end.bytes != 0 && source->next(end.bytes, split_from_).type != kPad;
    uint64_t const own = splits ? source->rest_after(end.bytes, split_from_) : need;
    Place next;
    open_next(end.generation, own, false, &next);
    if (splits) {
        ret.first = end;
        ret.rest = next;
        return Take::got;
    }
    write_pad(end.at, end.lsn, end.bytes);
    ret.first = next;
    return Take::got;
}

/// Sleeps until there may be room. True: it was given to us with the rotation that we made.
Result<bool> FlushRing::await_room(Deadline const &deadline, bool may_wait, uint64_t need,
                                   Spot &ret) noexcept
{
    for (bool counted = false;;) {
        note_full();
        if (Status const refused = room_status(); !refused.ok())
            return refused;
        if (try_rotate(need, &ret.first))
            return true;
        if (TailWord{tail_.load(seq_cst)}.offset() <= options_.buffer_size)
            return false;
        if (clean_one())
            continue;
        if (!may_wait)
            return error(EAGAIN);
        Nanoseconds const left = deadline.left();
        if (left == 0)
            return error(ETIMEDOUT);
        if (!std::exchange(counted, true))
            count_.room_waits.fetch_add(1, relaxed); // for people
        uint32_t const seen = room_.enter();
        // seq_cst, after enter(): who makes room changes one of these and then wakes
        bool const full = TailWord{tail_.load(seq_cst)}.offset() > options_.buffer_size;
        DutyWord const duty{duty_.load(seq_cst)};
        bool const mine = duty.duty() == Duty::needed && can_open(duty.generation() + 1);
        if (full && !mine && room_status().ok())
            room_.sleep(seen, left);
        room_.leave();
    }
}

/// We added to a full tail: not again before the next generation, whatever we are told now. Late, it
/// costs looks until that is full.
void FlushRing::note_full() noexcept
{
    // relaxed: a hint for ourselves and others
    if (is_full() && (attention_.load(relaxed) & kFull) == 0)
        attention_.fetch_or(kFull, relaxed);
}

/// Why nobody can have room: the ring's state, or no space for the next segment.
Status FlushRing::room_status() noexcept
{
    WEIR_TRY(open_status());
    DutyWord const duty{duty_.load(seq_cst)};
    if (duty.duty() != Duty::needed || !segment_is_missing(duty.generation() + 1))
        return kOk;
    want_segment_of(duty.generation() + 1);
    uint32_t const code = space_code_.load(seq_cst); // set before who waits is woken
    return code == 0 ? kOk : error(static_cast<int>(code));
}

/// Our generation was evicted from. Were we?
Status FlushRing::evicted_or_ok(Place const &place) noexcept
{
    return is_evicted(place.lsn) ? error(kStale) : kOk;
}

} // namespace weir
