// SPDX-License-Identifier: MIT OR Apache-2.0
// Units larger than a buffer: the writer keeps the duty to rotate and fills generations alone, so
// that its fragments lie one behind the other. It can be sent away until the first is placed;
// afterwards only poison ends it. While it sleeps all behind it is committed, so that a scan never
// waits for who waits for a buffer; with the duty CLAIMED it never waits for a segment.
#include "core/flush/ring.hpp"

namespace weir {

Status FlushRing::append_large(Source &source, Nanoseconds timeout, Lsn &ret) noexcept
{
    Deadline const deadline(timeout);
    bool const may_wait = timeout != 0;
    Place place;
    WEIR_TRY(begin_large(source.bytes(), deadline, may_wait, place));
    Status status;
    for (;;) {
        if (place.bytes != 0) {
            Status const filled = fill(place, source, !status.ok());
            if (status.ok())
                status = filled;
        }
        uint64_t const left = source.bytes();
        if (source.done() || !status.ok()) {
            // An evicted fragment: the chain is void, and nothing more of it is placed.
            open_or_decline(place.generation);
            break;
        }
        if (Status const gone = await_next(place.generation, Deadline(-1)); !gone.ok())
            return gone;
        uint64_t const room = options_.buffer_size - first_offset(place.generation + 1);
        bool const last = left <= room;
        open_next(place.generation, left, !last, &place);
        if (last) {
            status = fill(place, source, false);
            break;
        }
    }
    look_at_attention(status);
    if (status.ok())
        ret = source.lsn();
    return status;
}

/// An LSN that a large unit does not reach if it begins at `from`.
Lsn FlushRing::last_of(Lsn from, uint64_t bytes) const noexcept
{
    uint64_t const room = options_.buffer_size - options_.block - kBatchHeader - kRecordHeader;
    return from + (div_up(bytes, room) + 2) * options_.buffer_size;
}

/// All segments that the unit may reach must be ready before anything is placed.
Status FlushRing::await_segments(uint64_t bytes, Deadline const &deadline, bool may_wait) noexcept
{
    Lsn const last = last_of(tail(), bytes);
    want_segment_of(generation_of(last));
    for (;;) {
        WEIR_TRY(open_status());
        uint32_t const seen = room_.enter();
        bool const ready = ready_upto_.load(seq_cst) > last; // [R] pairs with space_ready()
        uint32_t const code = space_code_.load(seq_cst);     // pairs with space_status()
        Nanoseconds const left = ready || code != 0 ? 0 : deadline.left();
        if (left != 0 && may_wait && open_status().ok())
            room_.sleep(seen, left);
        room_.leave();
        if (ready)
            return kOk;
        if (code != 0)
            return error(static_cast<int>(code));
        if (left == 0)
            return error(may_wait ? ETIMEDOUT : EAGAIN);
    }
}

/// Becomes the overflower by SEAL, keeps the duty CLAIMED, and has the next buffer free. `ret` is
/// the end of the generation, or no bytes behind it if we had to sleep for that buffer.
Status FlushRing::begin_large(uint64_t bytes, Deadline const &deadline, bool may_wait,
                              Place &ret) noexcept
{
    for (;;) {
        WEIR_TRY(await_segments(bytes, deadline, may_wait));
        TailWord tail{};
        Spot none;
        // Never fits. Buffers that are smaller than kMostAdded are the explorer's: there it adds.
        if (!add_or_seal(options_.buffer_size + 1, tail) || tail.offset() > options_.buffer_size) {
            auto const room = await_room(deadline, may_wait, 0, none);
            WEIR_TRY(room);
            continue;
        }
        if (!locate_end(tail, ret) || !claim(ret.generation, Duty::idle))
            continue; // evicted
        // [R] others may have come far meanwhile
        bool const ready = ready_upto_.load(seq_cst) > last_of(ret.lsn + ret.bytes, bytes);
        if (ready && can_open(ret.generation + 1))
            return kOk;
        Status next = open_status();
        if (ready && next.ok()) {
            next = may_wait ? await_first(ret, deadline) : error(EAGAIN);
            if (next.ok())
                return kOk;
        }
        decline(ret.generation); // before the gap, as in overflow()
        write_pad(ret.at, ret.lsn, ret.bytes);
        WEIR_TRY(next); // else the segments are missing, which is waited for without the duty
    }
}

/// The generation is full, by us, and the buffer of the next one is not free: a slow device. The
/// gap comes before the sleep, or whoever scans would take us for dead.
Status FlushRing::await_first(Place &place, Deadline const &deadline) noexcept
{
    write_pad(place.at, place.lsn, place.bytes);
    place.bytes = 0;
    kick(); // the I/O thread cuts it, and our buffer comes from that
    return await_next(place.generation, deadline);
}

/// Until the buffer of the next generation is free, whose duty we have CLAIMED. Nothing of ours is
/// uncommitted meanwhile, and is_being_opened() is told so.
Status FlushRing::await_next(uint64_t generation, Deadline const &deadline) noexcept
{
    uint64_t const next = generation + 1;
    opener_sleeps_.store(next, seq_cst); // after our last commit; pairs with is_being_opened()
    Status const come = await_buffer(next, deadline);
    opener_sleeps_.store(0, seq_cst); // before the duty moves
    return come;
}

Status FlushRing::await_buffer(uint64_t generation, Deadline const &deadline) noexcept
{
    for (;;) {
        if (is_poisoned())
            return error(kPoisoned);
        if (clean_one())
            continue;
        uint32_t const seen = room_.enter();
        // [D] [R] seq_cst: who frees the buffer or brings the segment wakes `room_` afterwards
        bool const free = buffer_of(generation).free_for.load(seq_cst) == generation &&
                          !segment_is_missing(generation);
        Nanoseconds const left = free ? 0 : deadline.left();
        if (left != 0 && !is_poisoned())
            room_.sleep(seen, left);
        room_.leave();
        if (free)
            return kOk;
        if (left == 0)
            return error(ETIMEDOUT);
        kick(); // the generation that we have filled is the I/O thread's to cut
    }
}

/// Nothing more of ours: the next generation is everybody's.
void FlushRing::open_or_decline(uint64_t generation) noexcept
{
    if (can_open(generation + 1))
        open_next(generation, 0, false, nullptr);
    else
        decline(generation);
}

} // namespace weir
