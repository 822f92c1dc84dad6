// SPDX-License-Identifier: MIT OR Apache-2.0
// What lies in a pool's memory: its header, and where an extent has its words, hints and data.
#pragma once

#include "core/base/bits.hpp"
#include "core/index/bit_tree.hpp"
#include "core/segment/layout.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

#ifdef WEIR_EXPLORE
inline constexpr unsigned kMinPoolShift = 0;
#else
inline constexpr unsigned kMinPoolShift = 6;
#endif
inline constexpr unsigned kMaxPoolShift = 31;
inline constexpr uint64_t kMostSlots = uint64_t{1} << kMaxPoolShift;
/// A pool that begins with 64 slots has doubled 25 times then.
inline constexpr unsigned kMaxExtents = kMaxPoolShift - kMinPoolShift + 1;
inline constexpr uint64_t kMostSlotSize = uint64_t{1} << 40;
inline constexpr uint64_t kMostBytes = uint64_t{1}
                                       << 46; ///< of all slots, so that no sum overflows

/// What a pool is: constant after creation.
struct PoolShape {
    uint64_t slot_size = 0;
    uint64_t stride = 0;    ///< from slot to slot: slot_size rounded up to the alignment
    uint64_t alignment = 1; ///< power of two, at most a page
    uint64_t first = 0;     ///< slots of extent 0
    uint64_t most = 0;      ///< slots of all extents that there may be
    unsigned shift = 0;     ///< 1 << shift is the span of indexes of extent 0

    bool is_valid() const noexcept;
    /// What a number of slots in extent 0 makes of the span.
    static unsigned shift_for(uint64_t slots) noexcept
    {
        unsigned const needed = slots <= 1 ? 0 : floor_log2(slots - 1) + 1;
        return larger(needed, kMinPoolShift);
    }
    /// The extent of an index: 0 up to the span, then each as long as all before it.
    unsigned extent_of(uint32_t index) const noexcept
    {
        uint32_t const spans = index >> shift;
        return WEIR_LIKELY(spans == 0) ? 0 : floor_log2(uint64_t{spans} << 1 | 1);
    }
    uint64_t begin_of(unsigned extent) const noexcept
    {
        return extent == 0 ? 0 : uint64_t{1} << (shift + extent - 1);
    }
    uint64_t end_of(unsigned extent) const noexcept
    {
        return extent == 0 ? first : smaller(uint64_t{1} << (shift + extent), most);
    }
    uint64_t slots_of(unsigned extent) const noexcept { return end_of(extent) - begin_of(extent); }
    /// How many there may be.
    unsigned extents() const noexcept
    {
        return first == most ? 1 : extent_of(static_cast<uint32_t>(most - 1)) + 1;
    }
    uint64_t memory_alignment() const noexcept { return larger<uint64_t>(alignment, kCacheLine); }
};

/// Where the parts of an extent are, bytes from its start.
struct ExtentPlan {
    BitTreePlan tree;
    uint64_t words = 0;
    uint64_t map = 0;
    uint64_t level[BitTreePlan::kMaxLevels] = {};
    uint64_t data = 0;
    uint64_t total = 0;

    static ExtentPlan of(PoolShape const &shape, unsigned extent) noexcept;
};

inline constexpr uint64_t kPoolMagic = 0x0a4c4f5052494557; // "WEIRPOL\n", little endian
inline constexpr uint32_t kPoolVersion = 1;

inline constexpr uint32_t kPoolGrowable = 1;
inline constexpr uint32_t kPoolZero = 2;
inline constexpr uint32_t kPoolKeep = 4;
inline constexpr uint32_t kPoolFlags = 7;

/// Begins extent 0.
struct PoolHeader {
    uint64_t magic;
    uint32_t version;
    uint32_t flags; ///< 1 growable, 2 zeroed when acquired, 4 the dead's slots stay
    uint64_t type_id;
    uint64_t slot_size;
    uint64_t stride;
    uint64_t alignment;
    uint64_t first; ///< slots of extent 0
    uint64_t most;  ///< slots of all extents that there may be

    /// Who waits for a slot sleeps here. Bit 0: somebody sleeps; bit 1: somebody looks for the last
    /// slot; above: counts wakes. Writers: anybody by CAS.
    alignas(kCacheLine) atomic<uint32_t> gate;
    /// 1 after the end. Writer: retire(), once.
    atomic<uint32_t> retired;
    /// Extents that exist. Writers: the holder of the growth ticket, and his healer. Only grows.
    alignas(kCacheLine) atomic<uint64_t> extents;
    /// The blocks of extents 1 … Writers: as of `extents`; who frees them in the end.
    atomic<uint64_t> ref[31];
    /// Who may add an extent.
    TicketWord growth;
};
static_assert(sizeof(PoolHeader) == 7 * kCacheLine);
#ifndef WEIR_EXPLORE
static_assert(kMaxExtents - 1 <= 31);
#endif

} // namespace weir
