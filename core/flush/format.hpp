// SPDX-License-Identifier: MIT OR Apache-2.0
// The bytes of the log that the ring makes: batches and records (docs/FORMAT.md has the tables).
// Little endian, naturally aligned. Each byte of a batch is under exactly one CRC32C.
#pragma once

#include "core/base/bits.hpp"
#include "core/flush/crc32c.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

/// A position in the concatenation of all segments. 0: none.
using Lsn = uint64_t;

inline constexpr uint32_t kBatchMagic = 0x54414257; // "WBAT"
inline constexpr uint64_t kRecordAlignment = 16;
inline constexpr uint32_t kMostBatchBytes = 16u << 20;
inline constexpr uint32_t kLargestRecord = 1u << 30;

enum BatchFlags : uint32_t {
    kBeginsInsideChain = 1,
    kEndsInsideChain = 2,
    kKnownBatchFlags = 3,
};

struct BatchHeader {
    uint32_t magic;
    uint32_t crc; ///< over the epoch seed, bytes 0 to 3, bytes 8 to 79
    Lsn start;
    uint64_t sequence; ///< the first is 1
    uint64_t epoch;
    Lsn durable; ///< when the batch was finalised
    int64_t time_ns;
    uint32_t length; ///< of the whole batch: a multiple of the block
    uint32_t records;
    uint32_t digest;        ///< over the CRC fields of its records
    uint32_t prev_crc;      ///< of the batch before, 0 for the first
    uint32_t first_outside; ///< offset in the batch of the first record outside a chain, 0: none
    uint32_t flags;
    uint64_t reserved;
};
static_assert(sizeof(BatchHeader) == 80 && offsetof(BatchHeader, length) == 48);
inline constexpr uint64_t kBatchHeader = sizeof(BatchHeader);

enum RecordType : uint8_t {
    kEmpty = 0,
    kData = 1,
    kPad = 2,
    kAborted = 3,
    // In memory alone:
    kEvicted = 0xE0,
    kReserved = 0xF0,
};

enum RecordFlags : uint8_t {
    kFirst = 1,
    kLast = 2,
    kWhole = kFirst | kLast,
    kGroupBegin = 4,
    kGroupEnd = 8,
    kKnownRecordFlags = 15, ///< 16 and 32 need an incompat bit
};

struct RecordHeader {
    uint32_t crc;    ///< over the epoch seed, the LSN, bytes 4 to 15, payload, padding
    uint32_t length; ///< of the payload
    uint8_t type;
    uint8_t flags;
    uint16_t tag;
    uint32_t lsn_low;
};
static_assert(sizeof(RecordHeader) == 16);
inline constexpr uint64_t kRecordHeader = sizeof(RecordHeader);

/// Bytes that a record of this payload takes.
constexpr uint64_t record_bytes(uint64_t payload) noexcept
{
    return kRecordHeader + round_up(payload, kRecordAlignment);
}

/// Words 0 and 1 of a record's header, as the ring writes them.
constexpr uint64_t record_word0(uint32_t crc, uint32_t length) noexcept
{
    return crc | uint64_t{length} << 32;
}
constexpr uint64_t record_word1(uint8_t type, uint8_t flags, uint16_t tag, Lsn lsn) noexcept
{
    return type | uint64_t{flags} << 8 | uint64_t{tag} << 16 | lsn << 32;
}

/// What makes sums of one log and one epoch unlike all others.
inline uint32_t epoch_seed(uint8_t const (&uuid)[16], uint64_t epoch) noexcept
{
    return Crc32c().add(uuid, sizeof uuid).add64(epoch).value();
}

/// The sum of a record up to its payload; the payload and its padding are added to it.
inline Crc32c begin_record_crc(uint32_t seed, Lsn lsn, uint32_t length, uint64_t word1) noexcept
{
    // Whole words: a word that is loaded from the stack where halves of it were just stored waits
    // until they have left the store buffer.
    uint64_t const head[] = {seed | lsn << 32, lsn >> 32 | uint64_t{length} << 32, word1};
    return Crc32c().add(head, sizeof head);
}

inline uint32_t batch_crc(uint32_t seed, BatchHeader const &header) noexcept
{
    return Crc32c()
        .add32(seed)
        .add(&header.magic, 4)
        .add(&header.start, sizeof header - offsetof(BatchHeader, start))
        .value();
}

} // namespace weir
