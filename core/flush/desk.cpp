// SPDX-License-Identifier: MIT OR Apache-2.0
// Zero-copy reservations: a small table, so that commit() and abort() believe nobody, and a thread
// does not wait for itself.
#include "core/flush/ring.hpp"

#include <cstring>

#ifdef WEIR_EXPLORE
#include "core/base/thread_id.hpp"
#else
#include <pthread.h>
#endif

namespace weir {
namespace {
uint64_t this_thread() noexcept
{
#ifdef WEIR_EXPLORE
    return thread_number() + 1; // fibres share one thread
#else
    return static_cast<uint64_t>(pthread_self());
#endif
}
} // namespace

Status FlushRing::reserve(uint64_t length, uint16_t tag, Nanoseconds timeout, Lsn &ret_lsn,
                          void *&ret_data) noexcept
{
    if (length > options_.max_record || record_bytes(length) > fits_)
        return error(EMSGSIZE);
    auto const taken = take_opening();
    WEIR_TRY(taken);
    Spot spot;
    Status reserved = reserve_unit(record_bytes(length), nullptr, timeout, nullptr, spot);
    if (reserved.ok() && spot.first.at == nullptr)
        reserved = error(kStale);
    Locked const guard(desk_lock_);
    Opening &entry = **taken;
    if (!reserved.ok()) {
        entry = Opening{};
        open_count_.fetch_sub(1, relaxed); // a hint
        return reserved;
    }
    mark_reserved(spot.first);
    entry = {spot.first.lsn,
             spot.first.generation,
             spot.first.bytes,
             length,
             spot.first.at,
             this_thread(),
             tag};
    ret_lsn = spot.first.lsn;
    ret_data = spot.first.at + kRecordHeader;
    return kOk;
}

/// An entry that find_opening() does not find yet: its LSN is 0, which no record has.
Result<FlushRing::Opening *> FlushRing::take_opening() noexcept
{
    Locked const guard(desk_lock_);
    for (Opening &entry : openings_)
        if (entry.bytes == 0) {
            entry.bytes = kRecordHeader;
            open_count_.fetch_add(1, seq_cst); // a hint
            return &entry;
        }
    return error(ENOBUFS);
}

FlushRing::Opening *FlushRing::find_opening(Lsn lsn) noexcept
{
    for (Opening &entry : openings_)
        if (entry.lsn == lsn && lsn != 0)
            return &entry;
    return nullptr;
}

Status FlushRing::commit(Lsn lsn, uint64_t length) noexcept
{
    return end_opening(lsn, length, false);
}

Status FlushRing::abort(Lsn lsn) noexcept { return end_opening(lsn, 0, true); }

/// What was reserved and is not used becomes a PAD of the same unit; ABORTED covers all of it.
Status FlushRing::end_opening(Lsn lsn, uint64_t length, bool abort) noexcept
{
    Opening opening;
    {
        Locked const guard(desk_lock_);
        Opening *const entry = find_opening(lsn);
        if (entry == nullptr)
            return error(kStale);
        if (length > entry->length)
            return error(EINVAL);
        opening = *entry;
        *entry = Opening{};
        open_count_.fetch_sub(1, relaxed); // a hint
    }
    Place const place{opening.lsn, opening.at, opening.generation, opening.bytes};
    if (abort)
        length = opening.bytes - kRecordHeader;
    uint64_t const used = record_bytes(length);
    std::byte *const payload = place.at + kRecordHeader;
    if (abort)
        std::memset(payload, 0, length);
    else
        std::memset(payload + length, 0, place.bytes - kRecordHeader - length);
    if (used < place.bytes) {
        // Found by the cut only behind our commit; its release would do no harm.
        write_pad(place.at + used, place.lsn + used, place.bytes - used);
    }
    uint64_t const word1 =
        record_word1(abort ? kAborted : kData, kWhole, abort ? 0 : opening.tag, place.lsn);
    Crc32c sum = begin_record_crc(seed_, place.lsn, static_cast<uint32_t>(length), word1);
    sum.add(payload, used - kRecordHeader);
    auto &words = *reinterpret_cast<RecordWords *>(place.at);
    words.word0.store(record_word0(sum.value(), static_cast<uint32_t>(length)),
                      relaxed); // published by the commit
    Status status = commit_unit(place, word1);
    look_at_attention(status);
    return status;
}

/// -EDEADLK: this thread would wait for what it has reserved and not committed. Of a chain that goes
/// on behind the last cut one sees the next generation alone: who waits asks again after each cut.
Status FlushRing::check_own(Lsn lsn) noexcept
{
    if (open_count_.load(relaxed) == 0) // ours would be counted
        return kOk;
    Lsn const closed = closed_.load(acquire); // pairs with begin_scan()
    if (cut_whole_.load(acquire) > lsn)       // pairs with finalise()
        return kOk;
    Lsn const cut = cut_.load(acquire); // pairs with finalise(); what is open below was evicted
    Lsn const from = larger(lsn, cut);
    // A cut takes all of a generation that is there.
    Lsn const bound = from < closed ? closed : base_of(generation_of(from) + 1);
    Locked const guard(desk_lock_);
    for (Opening const &entry : openings_)
        if (entry.lsn >= cut && entry.lsn < bound && entry.lsn != 0 &&
            entry.thread == this_thread())
            return error(EDEADLK);
    return kOk;
}

bool FlushRing::is_open_reservation(Lsn lsn) noexcept
{
    Locked const guard(desk_lock_);
    return find_opening(lsn) != nullptr;
}

} // namespace weir
