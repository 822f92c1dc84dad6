// SPDX-License-Identifier: MIT OR Apache-2.0
// Where everything lies in a segment, computed from a few numbers.
#pragma once

#include "core/base/error.hpp"
#include "core/index/bit_tree.hpp"

#include <cstdint>

namespace weir {

inline constexpr unsigned kSectors = 3;
inline constexpr unsigned kSmall = 0;
inline constexpr unsigned kMedium = 1;
inline constexpr unsigned kLarge = 2;

/// Bytes per granule, as powers of two.
inline constexpr unsigned kGranuleShift[kSectors] = {6, 8, 16};
/// The largest request a sector serves by choice.
inline constexpr uint64_t kLargestRequest[kSectors] = {1u << 10, 1u << 20, UINT64_MAX};
/// The sector of a request's size.
constexpr unsigned sector_for(uint64_t size) noexcept
{
    if (WEIR_LIKELY(size <= kLargestRequest[kSmall]))
        return kSmall;
    return size <= kLargestRequest[kMedium] ? kMedium : kLarge;
}

/// A block word counts up to 2^28 - 1 granules; whole chunks.
inline constexpr uint64_t kMaxGranules = (uint64_t{1} << 28) - 4096;

#ifdef WEIR_EXPLORE
inline constexpr uint64_t kLayoutAlign = 64;
inline constexpr uint64_t kDataAlign = 64;
inline constexpr uint64_t kGrowthUnit = 256;
inline constexpr unsigned kWindowsPerParticipant = 3;
#else
/// Tables begin on pages, data on huge pages; sectors grow by multiples of the unit.
inline constexpr uint64_t kLayoutAlign = 4096;
inline constexpr uint64_t kDataAlign = uint64_t{2} << 20;
inline constexpr uint64_t kGrowthUnit = uint64_t{64} << 10;
inline constexpr unsigned kWindowsPerParticipant = 32;
#endif

/// Granules per word of granule hints: the chunk.
inline constexpr unsigned kChunkShift = kRadixShift;
inline constexpr unsigned kChunk = 1u << kChunkShift;

/// The numbers that decide a segment's shape; they stand in its header.
struct GeometryRequest {
    uint64_t capacity = 0;
    uint64_t limit[kSectors] = {};
    uint32_t participants = 0;
    uint32_t roots = 0;
    bool isolate = false;
    bool keep_blocks = false;
    uint32_t mode = 0; ///< of the file, 0: the usual one; no part of the geometry
};

struct SectorGeometry {
    unsigned granule_shift = 0;
    uint64_t max_granules = 0;
    unsigned classes = 0;
    uint64_t words = 0; ///< offset of the block words
    uint64_t hints = 0; ///< offset of the granule hints, one word per chunk
    uint64_t map = 0;   ///< offset of the class map
    uint64_t level[BitTreePlan::kMaxLevels] = {};
    uint64_t data = 0; ///< offset of the blocks' bytes
    BitTreePlan plan;
};

struct Geometry {
    GeometryRequest request;
    uint64_t participants = 0; ///< offset of the slots
    uint64_t windows = 0;      ///< offset of the window counters
    uint64_t roots = 0;        ///< offset of the directory
    uint64_t exchange = 0;     ///< offset of the racks
    uint64_t fixed_end = 0;    ///< everything below is committed at creation
    uint64_t tables_end = 0;   ///< block data begins above
    uint64_t total = 0;
    SectorGeometry sector[kSectors];

    /// EINVAL if a number is out of range.
    static Result<Geometry> plan(GeometryRequest const &request) noexcept;
    /// Tells two geometries apart; stands in the header.
    uint64_t hash() const noexcept;
};

} // namespace weir
