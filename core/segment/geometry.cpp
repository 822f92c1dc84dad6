// SPDX-License-Identifier: MIT OR Apache-2.0
// Computes the layout: fixed tables, then each sector's tables, then each sector's data.
#include "core/segment/geometry.hpp"

#include "core/base/bits.hpp"
#include "core/segment/layout.hpp"
#include "core/segment/size_step.hpp"

namespace weir {
namespace {
inline constexpr uint64_t kMaxCapacity = uint64_t{8} << 40;

/// Hands out offsets one after the other.
struct Cursor {
    uint64_t at;
    uint64_t take(uint64_t bytes, uint64_t align) noexcept
    {
        uint64_t const begin = round_up(at, align);
        at = begin + bytes;
        return begin;
    }
};

Result<SectorGeometry> plan_tables(unsigned index, uint64_t limit, Cursor &cursor) noexcept
{
    SectorGeometry sector;
    sector.granule_shift = kGranuleShift[index];
    sector.max_granules =
        smaller(round_up(limit, kGrowthUnit) >> sector.granule_shift, kMaxGranules);
    if (sector.max_granules == 0)
        return error(EINVAL);
    uint64_t const chunks = div_up(sector.max_granules, kChunk);
    sector.classes = size_step(sector.max_granules) + 1;
    sector.plan = BitTreePlan::of(chunks);

    sector.words = cursor.take(sector.max_granules * 8, kLayoutAlign);
    sector.hints = cursor.take(chunks * 8, kLayoutAlign);
    for (unsigned level = 0; level < sector.plan.levels; ++level)
        sector.level[level] =
            cursor.take(sector.plan.words[level] * sector.classes * 8, kLayoutAlign);
    return sector;
}

bool in_range(GeometryRequest const &request) noexcept
{
    if (request.capacity == 0 || request.capacity > kMaxCapacity)
        return false;
    for (uint64_t const limit : request.limit)
        if (limit == 0 || limit > request.capacity)
            return false;
    return request.participants >= 2 && request.participants <= kMaxParticipants &&
           request.roots >= 1 && request.roots <= kMaxRoots;
}
} // namespace

Result<Geometry> Geometry::plan(GeometryRequest const &request) noexcept
{
    if (!in_range(request))
        return error(EINVAL);
    Geometry made;
    made.request = request;
    made.request.capacity = round_up(request.capacity, kGrowthUnit);

    Cursor cursor{sizeof(Header)};
    for (unsigned i = 0; i < kSectors; ++i)
        made.sector[i].map = cursor.take(BitTree::kMapWords * 8, 64);
    uint64_t maps[kSectors];
    for (unsigned i = 0; i < kSectors; ++i)
        maps[i] = made.sector[i].map;
    made.participants = cursor.take(request.participants * sizeof(ParticipantSlot), 64);
    made.windows =
        cursor.take(request.participants * kWindowsPerParticipant * sizeof(WindowCounters), 64);
    made.roots = cursor.take(request.roots * sizeof(RootEntry), 64);
    made.exchange = cursor.take(kExchangeRacks * sizeof(ExchangeRack), 64);
    made.fixed_end = cursor.at;

    for (unsigned i = 0; i < kSectors; ++i) {
        auto const planned = plan_tables(i, request.limit[i], cursor);
        WEIR_TRY(planned);
        made.sector[i] = *planned;
        made.sector[i].map = maps[i];
    }
    made.tables_end = cursor.at;
    for (unsigned i = 0; i < kSectors; ++i)
        made.sector[i].data =
            cursor.take(made.sector[i].max_granules << made.sector[i].granule_shift, kDataAlign);
    made.total = round_up(cursor.at, kLayoutAlign);
    return made;
}

uint64_t Geometry::hash() const noexcept
{
    // FNV-1a 64 over the offsets: two versions of the planner that differ give different hashes.
    uint64_t value = 14695981039346656037u;
    auto const mix = [&value](uint64_t word) {
        for (unsigned i = 0; i < 8; ++i) {
            value ^= (word >> (8 * i)) & 0xff;
            value *= 1099511628211u;
        }
    };
    mix(request.capacity);
    mix(participants);
    mix(windows);
    mix(roots);
    mix(exchange);
    mix(fixed_end); // the tables below begin on pages
    mix(total);
    for (SectorGeometry const &s : sector) {
        mix(s.granule_shift);
        mix(s.max_granules);
        mix(s.classes);
        mix(s.words);
        mix(s.hints);
        mix(s.map);
        for (unsigned level = 0; level < s.plan.levels; ++level)
            mix(s.level[level]);
        mix(s.data);
    }
    return value;
}

} // namespace weir
