// SPDX-License-Identifier: MIT OR Apache-2.0
// Lays a segment out in the explorer's image and gives its words names.
#include "tests/explore/segment_world.hpp"

#include "tests/explore/seams.hpp"

#include <cstdio>
#include <cstdlib>

namespace weir::explore {

GeometryRequest tiny_request(uint64_t small, uint64_t medium, uint64_t large, uint32_t participants)
{
    GeometryRequest request;
    uint64_t const granules[kSectors] = {small, medium, large};
    for (unsigned i = 0; i < kSectors; i++) {
        request.limit[i] = granules[i] << kGranuleShift[i];
        request.capacity += request.limit[i];
    }
    request.participants = participants;
    request.roots = 1;
    return request;
}

void SegmentWorld::make_segment(GeometryRequest const &request, std::size_t spare)
{
    auto const planned = Geometry::plan(request);
    if (!planned.ok()) {
        std::fprintf(stderr, "explore: no such geometry (%d)\n", planned.status().code);
        std::abort();
    }
    geometry_ = *planned;
    // The bytes of large blocks are not restored: nobody touches them, and they are long.
    uint64_t const live = geometry_.sector[kLarge].data;
    char *const image = reserve_image(geometry_.total + spare, live + spare);
    spare_ = image;
    base_ = reinterpret_cast<std::byte *>(image + spare);
    Segment::format(base_, geometry_, Uuid{});
    reset_locks();
    keep(lock_table(), lock_table_size());

    auto &header = *reinterpret_cast<Header *>(base_);
    name(&header.memory, 1, 4, "memory wait word");
    name(&header.next_slot, 1, 4, "next_slot");
    name(&header.growth, 1, 8, "growth ticket");
    name(&header.directory, 1, 8, "directory ticket");
    name(header.sector_limit, kSectors, sizeof(SectorLimit), "limit");
    name(slots(), request.participants, sizeof(ParticipantSlot), "slot");
    name(base_ + geometry_.windows, request.participants * kWindowsPerParticipant,
         sizeof(WindowCounters), "window");
    name(base_ + geometry_.roots, request.roots, sizeof(RootEntry), "root");
    static char const *const kSectorName[kSectors] = {"small", "medium", "large"};
    for (unsigned i = 0; i < kSectors; i++) {
        SectorGeometry const &s = geometry_.sector[i];
        std::string const sector = kSectorName[i];
        name(base_ + s.words, s.max_granules, 8, sector + ".word");
        name(base_ + s.hints, (s.max_granules + kChunk - 1) / kChunk, 8, sector + ".hints");
        name(base_ + s.map, BitTree::kMapWords, 8, sector + ".map");
        for (unsigned level = 0; level < s.plan.levels; level++)
            name(base_ + s.level[level], s.plan.words[level] * s.classes, 8,
                 sector + ".level" + std::to_string(level));
    }
}

ParticipantSlot *SegmentWorld::slots() const
{
    return reinterpret_cast<ParticipantSlot *>(base_ + geometry_.participants);
}

int SegmentWorld::slot_of_word(void const *address) const
{
    auto const offset = static_cast<char const *>(address) - reinterpret_cast<char *>(slots());
    auto const size = static_cast<std::ptrdiff_t>(sizeof(ParticipantSlot));
    if (offset < 0 || offset % size != 0 || offset / size >= geometry_.request.participants)
        return -1;
    return static_cast<int>(offset / size);
}

void must(Status status, char const *what)
{
    if (status.ok())
        return;
    std::fprintf(stderr, "explore: %s: %d\n", what, status.code);
    std::abort();
}

std::string text_of(SlotWord word)
{
    static char const *const kState[] = {"free", "live", "reaping"};
    unsigned const state = static_cast<unsigned>(word.state());
    char text[80];
    if (word.state() == SlotState::reaping)
        std::snprintf(text, sizeof text, "reaping(gen %u, by %u gen %u)", word.generation(),
                      word.reaper(), word.reaper_generation());
    else
        std::snprintf(text, sizeof text, "%s(gen %u)", state < 3 ? kState[state] : "?",
                      word.generation());
    return text;
}

std::string SegmentWorld::value_of(void const *address, uint64_t value) const
{
    if (slot_of_word(address) >= 0)
        return text_of(SlotWord{value});
    return Scenario::value_of(address, value);
}

} // namespace weir::explore
