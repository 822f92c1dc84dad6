// SPDX-License-Identifier: MIT OR Apache-2.0
// The way of a short record into the ring: inline, without a lock and without a system call.
#pragma once

#include "core/flush/ring.hpp"

namespace weir {

/// Where the words of a tail that was seen point to. False: the generation was evicted and its
/// buffer recycled meanwhile.
WEIR_HOT bool FlushRing::locate(uint64_t tail_generation, uint64_t offset,
                                Place &ret) const noexcept
{
    Buffer const &buffer = buffer_of(tail_generation);
    uint64_t const before = buffer.gen.load(acquire); // pairs with recycle()
    uint64_t const mem = buffer.mem.load(relaxed);    // belongs to `before` if `after` is the same
    acquire_fence(); // mem before the second look: a load cannot be ordered before a load otherwise
    uint64_t const after = buffer.gen.load(relaxed); // see above
    ret.generation = before;
    ret.lsn = base_of(before) + offset;
    ret.at = reinterpret_cast<std::byte *>(mem) + offset;
    return before == after && (before & TailWord::kGeneration) == tail_generation;
}

/// Makes the unit visible to the cut, unless it was evicted. [Q] The commit and then the load of
/// `quarantined` are seq_cst, and so are the evictor's store of it and then its CAS of word 1: so
/// either it sees the commit, or we see its mark (Dekker).
WEIR_HOT Status FlushRing::commit_unit(Place const &place, uint64_t word1) noexcept
{
    auto &words = *reinterpret_cast<RecordWords *>(place.at);
    uint64_t expected = reserved_word1(place.bytes, place.lsn);
    // seq_cst: [Q]; also: the unit's bytes are visible to whoever loads the type by acquire
    if (!words.word1.compare_exchange(expected, word1, seq_cst, relaxed))
        return error(kStale);
    // [Q] pairs with begin_eviction() and evict_unit()
    if (WEIR_LIKELY(buffer_of(place.generation).quarantined.load(seq_cst) <= place.generation))
        return kOk;
    return evicted_or_ok(place);
}

WEIR_HOT void FlushRing::look_at_attention(Status &status) noexcept
{
    // [A] seq_cst, after the RMW of the tail; pairs with the I/O thread's store of kDeep before its
    // last look at the tail, and with poison()
    if (!WEIR_LIKELY((attention_.load(seq_cst) & (kDeep | kPoison)) == 0))
        status = attend(status);
}

WEIR_HOT Status FlushRing::append_short(Part const &part, Nanoseconds timeout, Lsn &ret) noexcept
{
    auto const *const source = static_cast<char const volatile *>(part.data);
    if (part.length != 0) {
        if (!WEIR_LIKELY(source != nullptr))
            return error(EINVAL);
        // A bad pointer faults here, before anything is reserved.
        static_cast<void>(source[0]);
        static_cast<void>(source[part.length - 1]);
    }
    uint64_t const need = record_bytes(part.length);
    // relaxed: a hint that keeps the offset of a full ring from growing. Not the tail itself, which
    // others write: a look at it would fetch its line twice.
    if (!WEIR_LIKELY((attention_.load(relaxed) & kFull) == 0) && is_full())
        return append_long(Source(&part, 1, false), timeout, ret);
    // seq_cst: [A]; and by the release sequence pairs with open_next(), which opened the generation
    TailWord const tail{tail_.fetch_add(need, seq_cst)};
    if (!WEIR_LIKELY(tail.offset() + need <= options_.buffer_size))
        return append_overflowed(part, tail, timeout, ret);

    Place place;
    if (!WEIR_LIKELY(locate(tail.generation(), tail.offset(), place)))
        return error(kStale);
    auto &words = *reinterpret_cast<RecordWords *>(place.at);
    place.bytes = need;
    words.word1.store(reserved_word1(need, place.lsn), release); // pairs with evict_unit()
    release_fence(); // the header before any byte of the payload, which are plain stores

    auto const length = static_cast<uint32_t>(part.length);
    uint64_t const word1 = record_word1(kData, kWhole, part.tag, place.lsn);
    Crc32c sum = begin_record_crc(seed_, place.lsn, length, word1);
    sum.copy(place.at + kRecordHeader, part.data, length);
    if (uint64_t const padding = need - kRecordHeader - length; padding != 0)
        sum.add_zeros(padding); // which are there: a buffer opens zeroed (invariant 7)
    words.word0.store(record_word0(sum.value(), length), relaxed); // published by the commit
    Status status = commit_unit(place, word1);
    look_at_attention(status);
    if (WEIR_LIKELY(status.ok()))
        ret = place.lsn;
    return status;
}

} // namespace weir
