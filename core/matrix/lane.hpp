// SPDX-License-Identifier: MIT OR Apache-2.0
// A lane: what one thread keeps of the blocks that it freed, for its next allocations.
//
// What it is
//   Magazines, one per small block size, of blocks whose word says CACHED(participant, size). They
//   save the shared path: an allocation pops (one uncontended CAS of a word), a free pushes.
//   Threads find their lane by their number (thread_id.hpp); a thread that ends leaves its lane to
//   the next one with its number; threads beyond kLanes use the shared path. The usual way is
//   shorter: first_lane_ and lane_at_ of the handle lead to lanes of who the handle is now, and a
//   lane whose thread pointer is ours is ours: it is taken out when its thread ends.
//
//   The magazines are process memory, and an entry is a hint: it says where a CACHED block may be,
//   and the word decides. So nobody but the lane's thread touches entries (what threads pass to each
//   other goes through depot.hpp, what processes do through exchange.hpp), a dead process's lane
//   needs no emptying (healing meets its CACHED words on its walk), a fork child forgets its copies
//   (their identity is the parent's), and a scribbling peer cannot lead us outside the segment.
//
// States of a head, besides those of matrix.hpp
//   ALLOCATED --push--> CACHED(me, k) --pop--> ALLOCATED(me, k)
//   CLAIMED --refill--> CACHED(me, k)
//   CACHED(anybody) --steal, flush--> CLAIMED(me) -> released as by free
//   CACHED(other) --a batch of the exchange is taken--> CACHED(me, k)
//
// Invariants
//   L1  Nothing is CACHED inside a block that still spans it (rules.md M5): an old entry may name
//       any granule, and a pop believes the word.
//   L2  CACHED is memory that can be had: an allocation that finds no FREE run takes CACHED blocks
//       of everybody before it says -ENOMEM (search_by_walk()). So -ENOMEM stays exact; the windows
//       are open around a push (memory appears) and a refill, but not around a pop (it takes), nor
//       where a batch changes hands (it is CACHED before and after: X3 in exchange.hpp).
//   L3  An entry may be stale, and several may name one block. It has the generation of its push, and
//       a pop is a CAS from exactly that word, without a look before. Each pop takes its entry away,
//       so a lane never tries one twice.
//
// Death
//   before the push's CAS: the block is ALLOCATED(dead). Behind it: CACHED(dead). In a refill:
//   CLAIMED(dead) or CACHED(dead), each block whole. Healing releases them all.
#pragma once

#include "core/matrix/sector.hpp"

#include <cstdint>

namespace weir {

/// The largest block that a lane keeps, in granules of its sector.
inline constexpr Granules kLaneGranules = 16;
/// Lanes of one participant: its threads that have window counters of their own.
inline constexpr unsigned kLanes = kWindowsPerParticipant - 1;
#ifdef WEIR_EXPLORE
inline constexpr unsigned kLaneDepth = 2;
inline constexpr unsigned kFirstBatch = 2;
#else
inline constexpr unsigned kLaneDepth = 64;
inline constexpr unsigned kFirstBatch = 4;
#endif
inline constexpr unsigned kMostBatch = kLaneDepth / 2;
static_assert(kFirstBatch <= kLaneDepth);

/// Bytes that one magazine keeps at most, so that small matrices are not emptied by their lanes.
constexpr uint64_t magazine_budget(uint64_t capacity) noexcept
{
#ifdef WEIR_EXPLORE
    return capacity == 0 ? 0 : 4 << kGranuleShift[kSmall];
#else
    uint64_t const share = capacity / 1024;
    uint64_t const most = uint64_t{32} << 10;
    return share < most ? share : most;
#endif
}

/// Where a CACHED block is, and its generation: generation << 28 | granule, as in its word. So a pop
/// need not look at the word before its CAS.
using Kept = uint64_t;
constexpr Kept kept_of(Granule at, BlockWord word) noexcept
{
    return (word.raw & BlockWord::kGenerationBitsMask) | at;
}
constexpr Granule granule_of(Kept kept) noexcept
{
    return static_cast<Granule>(kept & BlockWord::kGranulesMask);
}

/// Blocks of one size, the last one freed on top, with all that a pop and a push need.
struct alignas(kCacheLine) Magazine {
    uint32_t count = 0;
    uint32_t most = 0;  ///< by the budget, at most kLaneDepth; 0: no block of this size is kept
    uint16_t batch = 0; ///< blocks of the next refill: doubles each time
    uint16_t shift = 0; ///< of the sector
    Granules length = 0;
    uint64_t cached = 0;    ///< the word of a block that is kept here, but for its generation
    uint64_t allocated = 0; ///< that of a user's block
    atomic<BlockWord> *words = nullptr;
    uint64_t data = 0; ///< offset of the sector's data
    Kept entry[kLaneDepth] = {};
};

/// The largest request that lanes serve.
inline constexpr uint64_t kLargestLaned = uint64_t{kLaneGranules} << kGranuleShift[kMedium];
inline constexpr unsigned kMagazines = 2 * kLaneGranules;

inline constexpr Granules kLeastMedium = 5;

/// Where blocks of this size are kept; kMagazines: nowhere. Medium blocks that serve small requests
/// are not kept: such requests look for small ones.
constexpr unsigned magazine_of(unsigned sector, Granules granules) noexcept
{
    bool const laned = granules - 1 < kLaneGranules &&
                       (sector == kSmall || (sector == kMedium && granules >= kLeastMedium));
    return laned ? sector * kLaneGranules + granules - 1 : kMagazines;
}
/// Where a request of 1 to kLargestLaned bytes finds them.
constexpr unsigned magazine_for(uint64_t size) noexcept
{
    return static_cast<unsigned>(size <= kLargestRequest[kSmall]
                                     ? (size - 1) >> kGranuleShift[kSmall]
                                     : kLaneGranules + ((size - 1) >> kGranuleShift[kMedium]));
}
static_assert(kLargestRequest[kSmall] >> kGranuleShift[kMedium] == kLeastMedium - 1);
static_assert(kLargestRequest[kSmall] >> kGranuleShift[kSmall] == kLaneGranules);
static_assert(magazine_for(1) == magazine_of(kSmall, 1));
static_assert(magazine_for(1025) == magazine_of(kMedium, 5));
static_assert(magazine_for(kLargestLaned) == magazine_of(kMedium, kLaneGranules));

/// What a free has to know of a sector.
struct LaneSector {
    uint64_t data = 0; ///< offset
    atomic<BlockWord> *words = nullptr;
    Magazine *magazine = nullptr; ///< of one granule
    Granule limit = 0;            ///< as Sector::known_limit(), when it was last looked at
    uint8_t shift = 0;
};

/// The first two cache lines and that of a magazine are all that a pop or a push needs of a handle.
struct alignas(kCacheLine) Lane {
    /// Matrix::me_ when it was begun; another one: nothing in it is ours. Not 0: that is a fork
    /// child that has not joined.
    uint64_t identity = UINT64_MAX;
    uint64_t thread = 0;                ///< thread pointer of whose it is; 0: he has ended
    WindowCounters *counters = nullptr; ///< of this thread alone
    std::byte *base = nullptr;          ///< of the mapping
    uint64_t salt_in_ref = 0;
    uint64_t salt_in_word = 0; ///< and ALLOCATED
    uint64_t cached = 0;       ///< the word of a block that we keep, but for generation and length
    LaneSector sector[2];
    Magazine magazine[kMagazines];

    // Relaxed: in another thread's lane any value will do but our own pointer, which only we write.
    bool is_of(uint64_t pointer) const noexcept
    {
        return __atomic_load_n(&thread, __ATOMIC_RELAXED) == pointer;
    }
    void belong_to(uint64_t pointer) noexcept
    {
        __atomic_store_n(&thread, pointer, __ATOMIC_RELAXED);
    }
    Header const &header() const noexcept { return *reinterpret_cast<Header const *>(base); }
    bool retired() const noexcept
    {
        return header().state.load(relaxed) != kStateReady; // as Segment::retired()
    }

    /// As Caller::open() and close(). No other window of this thread is open: both counters are equal
    /// before and after.
    static uint64_t open(WindowCounters &counters) noexcept
    {
        uint64_t const window = counters.begun.load(relaxed) + 1;
        counters.begun.store(window, relaxed);
        return window;
    }
    static void close(WindowCounters &counters, uint64_t window) noexcept
    {
        counters.ended.store(window, release);
    }
    /// Only this thread writes its counters.
    static void bump(atomic<uint64_t> &counter) noexcept
    {
        counter.add_alone(1, relaxed); // for people
    }
};

} // namespace weir
