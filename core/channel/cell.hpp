// SPDX-License-Identifier: MIT OR Apache-2.0
// What lies in a channel's block: its header, its cells, and the word of a cell.
//
//   63   61 60       55 54   45 44        0
//   | phase | deliveries | owner | lap     |        position = lap * capacity + index of the cell
#pragma once

#include "core/base/atomic.hpp"
#include "core/base/base.hpp"
#include "core/segment/slot_word.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

enum class Phase : unsigned { empty = 0, writing = 1, full = 2, held = 3, freeing = 4 };

struct CellWord {
    static constexpr unsigned kLapBits = 45;
    static constexpr uint64_t kLapMask = (uint64_t{1} << kLapBits) - 1;
    static constexpr unsigned kMaxDeliveries = 63;

    uint64_t raw; ///< 0 is EMPTY in the first lap, so zeroed memory is an empty ring

    static constexpr CellWord of(Phase phase, uint64_t lap, Owner owner = kNobody,
                                 unsigned deliveries = 0) noexcept
    {
        return {static_cast<uint64_t>(phase) << 61 | uint64_t{deliveries & 63} << 55 |
                uint64_t{owner & 1023} << 45 | (lap & kLapMask)};
    }
    constexpr Phase phase() const noexcept { return static_cast<Phase>(raw >> 61); }
    constexpr unsigned deliveries() const noexcept { return raw >> 55 & 63; }
    constexpr Owner owner() const noexcept { return raw >> 45 & 1023; }
    constexpr uint64_t lap() const noexcept { return raw & kLapMask; }
    constexpr bool is(Phase wanted) const noexcept { return phase() == wanted; }
    constexpr bool redelivered() const noexcept { return is(Phase::full) && deliveries() > 0; }

    constexpr CellWord to(Phase next, Owner by = kNobody) const noexcept
    {
        return of(next, lap(), by, deliveries());
    }
    constexpr CellWord to_next_lap() const noexcept { return of(Phase::empty, lap() + 1); }
    /// FULL again for another reader.
    constexpr CellWord to_redelivery() const noexcept
    {
        unsigned const count = deliveries() < kMaxDeliveries ? deliveries() + 1 : kMaxDeliveries;
        return of(Phase::full, lap(), kNobody, count);
    }
};

/// One message. All but `word` is written while WRITING by its owner, and published by FULL.
struct alignas(kCacheLine) Cell {
    /// Truth. Writers: by CAS, along the states of channel.hpp.
    atomic<uint64_t> word;
    /// 0 in every EMPTY cell.
    atomic<uint64_t> ref;
    atomic<uint64_t> length;
    atomic<uint64_t> tag;
    atomic<uint64_t> posted_at_ns;
    atomic<uint64_t> sender;
    /// Broadcast: who must still get it, and who has it in hand. 0 in a queue.
    atomic<uint64_t> holders;
    atomic<uint64_t> pins;
};
static_assert(sizeof(Cell) == kCacheLine);

/// Something to sleep on. Bit 0: somebody sleeps. Above: counts wakes. Writers: anybody by CAS.
struct alignas(kCacheLine) WaitWord {
    atomic<uint32_t> word;
};

inline constexpr uint64_t kChannelMagic = 0x0a4e484352494557; // "WEIRCHN\n", little endian
inline constexpr uint32_t kChannelVersion = 1;

/// Begins a channel's block. The cells follow after the levels of the redelivery set.
struct ChannelHeader {
    uint64_t magic;
    uint32_t version;
    uint32_t mode;
    uint32_t overflow;
    uint32_t capacity_shift;
    uint64_t type_id;
    uint32_t priorities; ///< levels; 1 in this version
    uint32_t reserved0;
    uint64_t reserved1[3];

    /// Where the next post looks first: a hint, anybody advances it.
    alignas(kCacheLine) atomic<uint64_t> tail;
    /// Where the next read looks first: a hint, anybody advances it.
    alignas(kCacheLine) atomic<uint64_t> head;
    /// 1 after retire(). Writer: retire(), once.
    alignas(kCacheLine) atomic<uint64_t> retired;
    WaitWord items; ///< readers sleep here
    WaitWord room;  ///< posters sleep here
    /// Map of the redelivery set: not 0 if a message waits for another reader.
    alignas(kCacheLine) atomic<uint64_t> redelivery_map[4];
};
static_assert(sizeof(ChannelHeader) == 7 * kCacheLine);

} // namespace weir
