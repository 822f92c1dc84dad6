// SPDX-License-Identifier: MIT OR Apache-2.0
// Creating, validating and mapping a segment; committing memory of a sector.
#include "core/segment/segment.hpp"

#include "core/base/assertion.hpp"
#include "core/base/bits.hpp"
#include "core/base/uuid.hpp"

#include <cstring>
#include <new>

namespace weir {
namespace {
void describe(Geometry const &geometry, Header &header) noexcept
{
    header.magic = kMagic;
    header.format_version = kFormatVersion;
    header.header_bytes = sizeof(Header);
    header.layout_hash = geometry.hash();
    header.total_bytes = geometry.total;
    header.capacity = geometry.request.capacity;
    header.participants = geometry.request.participants;
    header.roots = geometry.request.roots;
    header.isolate = geometry.request.isolate ? 1 : 0;
    header.keep_blocks = geometry.request.keep_blocks ? 1 : 0;
    header.participants_offset = geometry.participants;
    header.windows_offset = geometry.windows;
    header.roots_offset = geometry.roots;
    header.exchange_offset = geometry.exchange;
    for (unsigned i = 0; i < kSectors; ++i) {
        SectorGeometry const &from = geometry.sector[i];
        header.limit[i] = geometry.request.limit[i];
        header.sector[i] = {from.granule_shift, from.classes, from.max_granules, from.words,
                            from.hints,         from.map,     from.data};
    }
}

/// The part of a header that never changes, as plain bytes.
constexpr size_t kConstantPart = offsetof(Header, state);

/// Features that one must know only to write are no obstacle to a reader.
Status check_identity(Header const &found, bool read_only) noexcept
{
    if (found.magic != kMagic)
        return error(kCorrupt);
    if (found.format_version != kFormatVersion || (found.incompat & ~kKnownIncompat) != 0 ||
        (!read_only && (found.ro_compat & ~kKnownRoCompat) != 0))
        return error(kVersion);
    return kOk;
}

/// Computes the geometry that the header's numbers give and compares all it says with that.
Result<Geometry> geometry_of(Header const &found, uint64_t file_length) noexcept
{
    GeometryRequest request;
    request.capacity = found.capacity;
    for (unsigned i = 0; i < kSectors; ++i)
        request.limit[i] = found.limit[i];
    request.participants = found.participants;
    request.roots = found.roots;
    request.isolate = found.isolate != 0;
    request.keep_blocks = found.keep_blocks != 0;
    auto const planned = Geometry::plan(request);
    if (!planned.ok())
        return error(kCorrupt);

    alignas(Header) unsigned char expected[kConstantPart] = {};
    alignas(Header) unsigned char whole[sizeof(Header)] = {};
    describe(*planned, *reinterpret_cast<Header *>(whole));
    std::memcpy(expected, whole, kConstantPart);
    auto &same = *reinterpret_cast<Header *>(whole);
    same.uuid = found.uuid;
    same.ro_compat = found.ro_compat; // check_identity() has judged it
    same.compat = found.compat;
    same.created_at_ns = found.created_at_ns;
    std::memcpy(expected, &same, kConstantPart);
    if (std::memcmp(expected, &found, kConstantPart) != 0 || file_length < planned->total)
        return error(kCorrupt);
    return *planned;
}
} // namespace

void Segment::format(std::byte *base, Geometry const &geometry, Uuid const &uuid) noexcept
{
    auto &header = *reinterpret_cast<Header *>(base);
    describe(geometry, header);
    header.uuid = uuid;
    header.created_at_ns = real_now();
    // release: for an opener that maps the file while it is named; pairs with retired()'s load,
    // which needs nothing more than the value.
    header.state.store(kStateReady, release);
}

Status Segment::create(char const *name, GeometryRequest const &request,
                       MemoryWish const &memory) noexcept
{
    auto const planned = Geometry::plan(request);
    WEIR_TRY(planned);
    WEIR_TRY(backing_.make(name, request.mode, planned->total, memory));
    WEIR_TRY(map(planned->total));
    WEIR_TRY(backing_.arrange(base_, planned->total, memory, true));
    WEIR_TRY(backing_.commit(0, planned->fixed_end));
    geometry_ = *planned;
    random_uuid(uuid_.bytes);
    format(base_, geometry_, uuid_);
    return kOk;
}

Status Segment::attach(char const *name, Access access, MemoryWish const &memory) noexcept
{
    access_ = access;
    WEIR_TRY(backing_.open(name, access.read_only));
    return check_and_map(memory);
}

Status Segment::attach_fd(int fd, Access access, MemoryWish const &memory) noexcept
{
    access_ = access;
    WEIR_TRY(backing_.open_fd(fd, access.read_only));
    return check_and_map(memory);
}

Status Segment::check_and_map(MemoryWish const &memory) noexcept
{
    auto const length = backing_.length();
    WEIR_TRY(length);
    if (!access_.allow_foreign && !backing_.ours())
        return error(EPERM);
    // Read, not mapped: a file that is too short must not raise SIGBUS.
    alignas(Header) unsigned char bytes[sizeof(Header)];
    if (*length < sizeof bytes)
        return error(kCorrupt);
    WEIR_TRY(backing_.read_start(bytes, sizeof bytes));
    auto const &found = *reinterpret_cast<Header const *>(bytes);
    WEIR_TRY(check_identity(found, access_.read_only));
    auto const checked = geometry_of(found, *length);
    WEIR_TRY(checked);
    // relaxed: a copy in our own memory
    if (uint32_t const state = found.state.load(relaxed); state != kStateReady)
        return error(state == kStateRetired ? kRetired : kCorrupt);

    WEIR_TRY(map(checked->total));
    WEIR_TRY(backing_.arrange(base_, checked->total, memory, false));
    geometry_ = *checked;
    uuid_ = found.uuid;
    return kOk;
}

void Segment::adopt(std::byte *base, Geometry const &geometry, Access access) noexcept
{
    access_ = access;
    base_ = base;
    geometry_ = geometry;
    uuid_ = header().uuid;
}

Status Segment::map(uint64_t length) noexcept
{
    auto const mapped = backing_.map(length, kDataAlign);
    WEIR_TRY(mapped);
    base_ = *mapped;
    mapped_ = true;
    geometry_.total = length;
    return kOk;
}

void Segment::unmap() noexcept
{
    if (mapped_)
        backing_.unmap(base_, geometry_.total);
    base_ = nullptr;
    mapped_ = false;
}

/// The parts of the file that granules [from, to) need: `action(offset, length)` for each.
template <class Do>
Status Segment::each_part(unsigned sector, uint64_t from, uint64_t to, Do action) noexcept
{
    SectorGeometry const &g = geometry_.sector[sector];
    WEIR_ASSERT(from < to && to <= g.max_granules);
    WEIR_TRY(action(g.words + from * 8, (to - from) * 8));
    uint64_t first = from >> kChunkShift;
    uint64_t last = (to - 1) >> kChunkShift;
    WEIR_TRY(action(g.hints + first * 8, (last - first + 1) * 8));
    for (unsigned level = 0; level < g.plan.levels; ++level) {
        first >>= kRadixShift;
        last >>= kRadixShift;
        uint64_t const stride = uint64_t{g.classes} * 8;
        // One position more: a search may look one word beyond the last that can have bits.
        uint64_t const end = smaller(last + 2, g.plan.words[level]);
        WEIR_TRY(action(g.level[level] + first * stride, (end - first) * stride));
    }
    return action(g.data + (from << g.granule_shift), (to - from) << g.granule_shift);
}

Status Segment::commit(unsigned sector, uint64_t from, uint64_t to) noexcept
{
    return each_part(sector, from, to, [this](uint64_t offset, uint64_t length) {
        return backing_.commit(offset, length);
    });
}

Status Segment::populate(unsigned sector, uint64_t from, uint64_t to) noexcept
{
    return each_part(sector, from, to, [this](uint64_t offset, uint64_t length) {
        return backing_.populate(base_, offset, length);
    });
}

Status Segment::populate_fixed() noexcept
{
    return backing_.populate(base_, 0, geometry_.fixed_end);
}

Status Segment::commit_data(unsigned sector, uint64_t from, uint64_t to) noexcept
{
    SectorGeometry const &g = geometry_.sector[sector];
    WEIR_ASSERT(from < to && to <= g.max_granules);
    return backing_.commit(g.data + (from << g.granule_shift), (to - from) << g.granule_shift);
}

Status Segment::punch_data(unsigned sector, uint64_t from, uint64_t to) noexcept
{
    SectorGeometry const &g = geometry_.sector[sector];
    WEIR_ASSERT(from < to && to <= g.max_granules);
    return backing_.punch(g.data + (from << g.granule_shift), (to - from) << g.granule_shift);
}

} // namespace weir
