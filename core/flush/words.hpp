// SPDX-License-Identifier: MIT OR Apache-2.0
// The packed words of the flush ring: tail, duty to rotate, batch, and a record's two.
#pragma once

#include "core/base/atomic.hpp"
#include "core/base/bits.hpp"
#include "core/flush/format.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

/// generation:24 (its low bits) | offset:40. Bit 39 of the offset is SEAL; its low four bits, which
/// no reservation touches, say where the open batch begins, for FlushRing::tail(): OPENED, at the
/// generation's beginning; else where the cut of that number (three bits) ended.
/// Reservations that fail run past the end, and Linux has at most 2^22 threads. Long ones (64 KiB at
/// most) fail once per look at a tail that was not full; short ones (4 KiB) until their thread has
/// noted kFull, which is cleared once per generation: together below 2^39, which is SEAL.
struct TailWord {
    static constexpr unsigned kShift = 40;
    static constexpr unsigned kCuts = 8;
    static constexpr uint64_t kOpened = 1;
    static constexpr uint64_t kOffset = (bit(kShift) - 1) & ~(kRecordAlignment - 1);
    static constexpr uint64_t kSeal = bit(39);
    static constexpr uint64_t kGeneration = bit(24) - 1;

    uint64_t raw;

    /// As a rotation leaves it, which does not count as a cut.
    static constexpr TailWord opened(uint64_t generation, uint64_t offset, unsigned cuts) noexcept
    {
        return {generation << kShift | (offset & kOffset) | uint64_t{cuts} << 1 | kOpened};
    }
    static constexpr TailWord cut(uint64_t generation, uint64_t offset, unsigned cuts) noexcept
    {
        return {generation << kShift | (offset & kOffset) | uint64_t{cuts} << 1};
    }
    constexpr uint64_t generation() const noexcept { return raw >> kShift; }
    constexpr uint64_t offset() const noexcept { return raw & kOffset; }
    constexpr unsigned cuts() const noexcept { return raw >> 1 & (kCuts - 1); }
    constexpr bool is_opened() const noexcept { return (raw & kOpened) != 0; }
    constexpr bool is_in(uint64_t full_generation) const noexcept
    {
        return generation() == (full_generation & kGeneration);
    }
};

/// Who has the duty to open generation + 1. generation:56 | state:8.
enum class Duty : uint8_t { idle, needed, claimed };
struct DutyWord {
    uint64_t raw;
    static constexpr DutyWord of(uint64_t generation, Duty duty) noexcept
    {
        return {generation << 8 | static_cast<uint8_t>(duty)};
    }
    constexpr uint64_t generation() const noexcept { return raw >> 8; }
    constexpr Duty duty() const noexcept { return static_cast<Duty>(raw & 0xff); }
};

/// sequence:56 | state:8.
enum class BatchState : uint8_t { free, ready, writing, written, failed };
struct BatchWord {
    uint64_t raw;
    static constexpr BatchWord of(uint64_t sequence, BatchState state) noexcept
    {
        return {sequence << 8 | static_cast<uint8_t>(state)};
    }
    constexpr uint64_t sequence() const noexcept { return raw >> 8; }
    constexpr BatchState state() const noexcept { return static_cast<BatchState>(raw & 0xff); }
};

/// A record's header in memory.
struct RecordWords {
    /// {crc, length}. Writer: the unit's.
    atomic<uint64_t> word0;
    /// {type, flags, tag, lsn_low}; see reserved_word1(). Writers: the unit's, and by CAS who evicts it. Committed types
    /// protect word 0 and the unit's bytes.
    atomic<uint64_t> word1;
};
static_assert(sizeof(RecordWords) == sizeof(RecordHeader));

inline RecordWords &words_at(std::byte *at) noexcept
{
    return *reinterpret_cast<RecordWords *>(at);
}

/// RESERVED: 24 bits count the unit's bytes in 16s, and a buffer has at most 2^20 of these. Here
/// and not in word 0: who evicts takes size and state at once, and word 0 becomes {crc, length}
/// while the unit is still RESERVED.
constexpr uint64_t reserved_word1(uint64_t bytes, Lsn lsn) noexcept
{
    return kReserved | bytes / kRecordAlignment << 8 | lsn << 32;
}
constexpr uint64_t reserved_bytes(uint64_t word1) noexcept
{
    return (word1 >> 8 & (bit(24) - 1)) * kRecordAlignment;
}
static_assert(kMostBatchBytes / kRecordAlignment < bit(24));

constexpr uint8_t record_type(uint64_t word1) noexcept { return static_cast<uint8_t>(word1); }
constexpr uint8_t record_flags(uint64_t word1) noexcept { return static_cast<uint8_t>(word1 >> 8); }
constexpr uint32_t word0_length(uint64_t word0) noexcept
{
    return static_cast<uint32_t>(word0 >> 32);
}
/// Bytes that a committed record takes.
constexpr uint64_t committed_bytes(uint64_t word0) noexcept
{
    return record_bytes(word0_length(word0));
}

} // namespace weir
