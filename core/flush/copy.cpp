// SPDX-License-Identifier: MIT OR Apache-2.0
// Writing records, fragments and gaps into a place, and committing them as one.
#include "core/flush/ring.hpp"

namespace weir {
/// Writes as much of the source as the place takes. `abort`: what came before it was evicted, so
/// all of it becomes ABORTED; it is zeros already.
Status FlushRing::fill(Place const &place, Source &source, bool abort) noexcept
{
    if (place.at == nullptr)
        return error(kStale); // evicted before we came to it
    mark_reserved(place);
    uint64_t word1 = 0;
    if (!abort) {
        write_pieces(place, source, word1);
        return commit_unit(place, word1);
    }
    auto const length = static_cast<uint32_t>(place.bytes - kRecordHeader);
    word1 = record_word1(kAborted, kWhole, 0, place.lsn);
    Crc32c sum = begin_record_crc(seed_, place.lsn, length, word1);
    sum.add_zeros(length);
    words_at(place.at).word0.store(record_word0(sum.value(), length), relaxed); // see below
    static_cast<void>(commit_unit(place, word1));
    return error(kStale);
}

void FlushRing::mark_reserved(Place const &place) noexcept
{
    RecordWords &words = words_at(place.at);
    words.word1.store(reserved_word1(place.bytes, place.lsn), release); // pairs with evict_unit()
    release_fence(); // the header before any byte of the payload, which are plain stores
}

/// All headers but the first are written at once: nobody comes to them before that one is
/// committed, which is the caller's.
void FlushRing::write_pieces(Place const &place, Source &source, uint64_t &ret_word1) noexcept
{
    if (source.is_whole(place.bytes))
        return write_whole(place, source, ret_word1);
    for (uint64_t at = 0; at < place.bytes;) {
        Piece piece = source.next(place.bytes - at, split_from_);
        Lsn const lsn = place.lsn + at;
        uint64_t const word1 = record_word1(piece.type, piece.flags, piece.tag, lsn);
        Crc32c sum = begin_record_crc(seed_, lsn, piece.length, word1);
        source.copy(piece, place.at + at + kRecordHeader, sum);
        RecordWords &words = words_at(place.at + at);
        words.word0.store(record_word0(sum.value(), piece.length), relaxed); // by the commit
        if (at == 0)
            ret_word1 = word1;
        else
            words.word1.store(word1, relaxed); // published by the commit of the unit
        source.advance(piece, lsn);
        at += piece.bytes;
    }
}

/// The same without a look at splits: short records are what batches are for.
void FlushRing::write_whole(Place const &place, Source &source, uint64_t &ret_word1) noexcept
{
    for (uint64_t at = 0; at < place.bytes;) {
        Lsn const lsn = place.lsn + at;
        uint8_t flags = 0;
        Part const &part = source.take_record(lsn, flags);
        auto const length = static_cast<uint32_t>(part.length);
        uint64_t const word1 = record_word1(kData, flags, part.tag, lsn);
        Crc32c sum = begin_record_crc(seed_, lsn, length, word1);
        std::byte *const to = place.at + at;
        sum.copy(to + kRecordHeader, part.data, length);
        uint64_t const bytes = record_bytes(length);
        if (uint64_t const padding = bytes - kRecordHeader - length; padding != 0)
            sum.add_zeros(padding);
        words_at(to).word0.store(record_word0(sum.value(), length), relaxed); // by the commit
        if (at == 0)
            ret_word1 = word1;
        else
            words_at(to).word1.store(word1, relaxed); // published by the commit of the unit
        at += bytes;
    }
}

/// A gap of the ring's own: no memory of users is touched, so no marker is needed. 0 bytes: none.
void FlushRing::write_pad(std::byte *at, Lsn lsn, uint64_t bytes) noexcept
{
    if (bytes == 0)
        return;
    RecordWords &words = words_at(at);
    auto const length = static_cast<uint32_t>(bytes - kRecordHeader);
    uint64_t const word1 = record_word1(kPad, kWhole, 0, lsn);
    Crc32c sum = begin_record_crc(seed_, lsn, length, word1);
    sum.add_zeros(length);
    words.word0.store(record_word0(sum.value(), length), relaxed); // published by word 1
    words.word1.store(word1, release);                             // pairs with look_at()
}

} // namespace weir
