// SPDX-License-Identifier: MIT OR Apache-2.0
// What lies in a channel's block: header, levels, subscribers, cells, tallies; and their words.
//
//   63   61 60       55 54   45 44        0
//   | phase | deliveries | owner | lap     |        position = lap * capacity + index of the cell
#pragma once

#include "core/base/atomic.hpp"
#include "core/base/base.hpp"
#include "core/base/clock.hpp"
#include "core/segment/slot_word.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

enum class Phase : unsigned {
    empty = 0,
    writing = 1,
    full = 2,
    held = 3,
    freeing = 4,
    dropping = 5,
    expiring = 6,
};

enum class ChannelMode : uint32_t { queue = 0, broadcast = 1 };
enum class Overflow : uint32_t { block = 0, fail = 1, drop_new = 2, drop_oldest = 3 };

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
        constexpr uint64_t kStays = uint64_t{kMaxDeliveries} << 55 | kLapMask;
        return {of(next, 0, by).raw | (raw & kStays)};
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
inline constexpr unsigned kMaxLevels = 8;
#ifdef WEIR_EXPLORE
inline constexpr unsigned kMaxSubscribers = 3; // each look at them all is so many steps
#else
inline constexpr unsigned kMaxSubscribers = 64;
#endif

/// Begins a channel's block.
struct ChannelHeader {
    uint64_t magic;
    uint32_t version;
    uint32_t mode;
    uint32_t overflow;
    uint32_t capacity_shift; ///< of each level
    uint64_t type_id;
    uint32_t levels;
    uint32_t reserved0;
    uint64_t message_size; ///< bytes of each message; 0: any
    uint64_t ttl_ns;       ///< 0: messages do not expire
    uint64_t ageing_ns;    ///< 0: strict by level
    uint64_t retain_count; ///< newest messages of a level that late joiners get
    uint64_t retain_ns;    ///< and younger ones
    uint64_t reserved1[6];

    /// 1 after retire(). Writer: retire(), once.
    alignas(kCacheLine) atomic<uint64_t> retired;
    /// Broadcast: bit i, subscriber i gets what is posted. Writers: its owner, its sweeper.
    atomic<uint64_t> active;
    /// Messages that DROP_NEW refused. Writers: posters, adding.
    alignas(kCacheLine) atomic<uint64_t> refused;
    /// Queue: messages dropped or expired of which no reader has been told. Writers: who drops
    /// adds, who reads takes all.
    atomic<uint64_t> untold;
    WaitWord items;    ///< readers sleep here
    WaitWord watchers; ///< threads that wait for a reader's descriptor sleep here
    /// Map of the redelivery set: bit i, a message of level `levels - 1 - i` waits for another
    /// reader.
    alignas(kCacheLine) atomic<uint64_t> redelivery_map[4];
};
static_assert(sizeof(ChannelHeader) == 7 * kCacheLine);

/// A ring of its own per priority. Level 0 first, the highest last.
struct Level {
    /// Where the next post looks first: a hint, anybody moves it.
    alignas(kCacheLine) atomic<uint64_t> tail;
    /// Queue: where the next read looks first. Broadcast: the oldest that may be retained. A hint.
    alignas(kCacheLine) atomic<uint64_t> head;
    WaitWord room; ///< posters sleep here
};
static_assert(sizeof(Level) == 3 * kCacheLine);

/// One reader of a broadcast channel. Word: state:2 | owner:10 | generation:52.
struct Subscriber {
    /// Truth. Writers: by CAS, along the states of channel.hpp.
    atomic<uint64_t> word;
    /// Messages that were taken away from it and of which it has not been told.
    atomic<uint64_t> missed;
};
static_assert(sizeof(Subscriber) == 16);

enum class SubscriberState : unsigned { free = 0, active = 1, leaving = 2 };

struct SubscriberWord {
    uint64_t raw;

    static constexpr SubscriberWord of(SubscriberState state, Owner owner,
                                       uint64_t generation) noexcept
    {
        return {static_cast<uint64_t>(state) << 62 | uint64_t{owner & 1023} << 52 |
                (generation & ((uint64_t{1} << 52) - 1))};
    }
    constexpr SubscriberState state() const noexcept
    {
        return static_cast<SubscriberState>(raw >> 62);
    }
    constexpr Owner owner() const noexcept { return raw >> 52 & 1023; }
    constexpr uint64_t generation() const noexcept { return raw & ((uint64_t{1} << 52) - 1); }
    constexpr bool is(SubscriberState wanted) const noexcept { return state() == wanted; }
    constexpr bool is(SubscriberState wanted, Owner by) const noexcept
    {
        return is(wanted) && owner() == by;
    }
    constexpr SubscriberWord to(SubscriberState next, Owner by = kNobody) const noexcept
    {
        return of(next, by, generation() + (next == SubscriberState::free ? 1 : 0));
    }
};

/// How many messages of a cell were lost; only in channels that may lose some. Each word is
/// lap:20 | count:44, so that whoever finishes a dead one's drop counts it once. Writer: who has
/// the cell DROPPING or EXPIRING.
struct Tally {
    atomic<uint64_t> dropped;
    atomic<uint64_t> expired;
    /// Broadcast: from whom the last one counted is taken away.
    atomic<uint64_t> taking;
};
static_assert(sizeof(Tally) == 24);

/// 0 for a time to come: the clock of a post may be a little ahead, and a scribbler's far.
inline Nanoseconds age_since(uint64_t posted_at) noexcept
{
    auto const now = static_cast<uint64_t>(monotonic_now());
    return now > posted_at ? static_cast<Nanoseconds>(now - posted_at) : 0;
}

} // namespace weir
