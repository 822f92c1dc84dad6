// SPDX-License-Identifier: MIT OR Apache-2.0
// Size steps, where everything lies in a segment, and the structs that lie there.
#include "core/matrix/size_class.hpp"
#include "core/segment/geometry.hpp"
#include "core/segment/layout.hpp"
#include "core/segment/size_step.hpp"
#include "tests/unit/support.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

using namespace unit;
using namespace weir;

namespace {
GeometryRequest request_for(uint64_t capacity)
{
    GeometryRequest request;
    request.capacity = capacity;
    for (uint64_t &limit : request.limit)
        limit = capacity;
    request.participants = 64;
    request.roots = 256;
    return request;
}

/// The shortest length of a step.
uint64_t shortest_of(unsigned step)
{
    uint64_t low = 1, high = uint64_t{1} << 40;
    while (low < high) {
        uint64_t const middle = (low + high) / 2;
        if (size_step(middle) < step)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct Part {
    uint64_t begin, bytes;
    char const *what;
};

std::vector<Part> parts_of(Geometry const &made)
{
    std::vector<Part> parts = {
        {0, sizeof(Header), "header"},
        {made.participants, made.request.participants * sizeof(ParticipantSlot), "participants"},
        {made.windows, made.request.participants * kWindowsPerParticipant * sizeof(WindowCounters),
         "windows"},
        {made.roots, made.request.roots * sizeof(RootEntry), "roots"}};
    for (SectorGeometry const &sector : made.sector) {
        parts.push_back({sector.map, BitTree::kMapWords * 8, "map"});
        parts.push_back({sector.words, sector.max_granules * 8, "words"});
        parts.push_back({sector.hints, (sector.max_granules + 63) / 64 * 8, "hints"});
        for (unsigned level = 0; level < sector.plan.levels; ++level)
            parts.push_back(
                {sector.level[level], sector.plan.words[level] * sector.classes * 8, "level"});
        parts.push_back({sector.data, sector.max_granules << sector.granule_shift, "data"});
    }
    return parts;
}
} // namespace

Test(segment_size_step, each_block_of_the_step_above_is_long_enough)
{
    auto const holds = [](uint64_t length) {
        unsigned const step = size_step_up(length);
        check_ge(shortest_of(step), length, "length %llu", static_cast<unsigned long long>(length));
        cr_assert(step <= size_step(length) + 1);
    };
    for (uint64_t length = 1; length <= 5000; ++length)
        holds(length);
    Random random(1);
    for (int i = 0; i < 20000; ++i)
        holds(1 + (random.next() >> (30 + random.below(33))));
    for (unsigned shift = 3; shift < 34; ++shift)
        for (uint64_t near = (uint64_t{1} << shift) - 2; near <= (uint64_t{1} << shift) + 2; ++near)
            holds(near);
}

Test(segment_size_step, steps_rise_by_one_and_waste_an_eighth_at_most)
{
    unsigned last = size_step(1);
    check_eq(last, 0);
    for (uint64_t length = 2; length <= 70000; ++length) {
        unsigned const step = size_step(length);
        cr_assert(step == last || step == last + 1);
        last = step;
        cr_assert(length - shortest_of(step) <= length / 8);
    }
    check_lt(size_step(kMaxGranules), BitTree::kMaxColumns);
}

Test(segment_size_step, public_size_classes_rise_with_the_size)
{
    PublicSizeClass last{0, 0};
    for (uint64_t size = 1; size < 100000; ++size) {
        PublicSizeClass const now = public_size_class(size);
        cr_assert(now.first > last.first || (now.first == last.first && now.second >= last.second));
        cr_assert(now.second < 8);
        last = now;
    }
    check_eq(public_size_class(UINT64_MAX).first, 63);
    check_eq(public_size_class(UINT64_MAX).second, 7);
}

Test(segment_geometry, parts_do_not_overlap)
{
    Random random(2);
    for (int round = 0; round < 400; ++round) {
        GeometryRequest request =
            request_for(1 + (random.next() >> (21 + random.below(40)))); // up to 8 TiB
        for (uint64_t &limit : request.limit)
            limit = 1 + random.below(request.capacity);
        request.participants = 2 + static_cast<uint32_t>(random.below(kMaxParticipants - 1));
        request.roots = 1 + static_cast<uint32_t>(random.below(kMaxRoots));
        auto const made = Geometry::plan(request);
        check_eq(made.status().code, 0);
        std::vector<Part> parts = parts_of(*made);
        std::sort(parts.begin(), parts.end(),
                  [](Part const &a, Part const &b) { return a.begin < b.begin; });
        for (size_t i = 0; i + 1 < parts.size(); ++i)
            cr_assert(parts[i].begin + parts[i].bytes <= parts[i + 1].begin, "%s reaches into %s",
                      parts[i].what, parts[i + 1].what);
        cr_assert(parts.back().begin + parts.back().bytes <= made->total);
        for (Part const &part : parts)
            check_eq(part.begin % (std::strcmp(part.what, "data") == 0 ? kDataAlign : 8), 0);
        for (unsigned i = 0; i < kSectors; ++i) {
            SectorGeometry const &sector = made->sector[i];
            cr_assert(sector.max_granules <= kMaxGranules);
            cr_assert(sector.max_granules == kMaxGranules ||
                      sector.max_granules << sector.granule_shift >= request.limit[i]);
            cr_assert(size_step(sector.max_granules) < sector.classes);
        }
        cr_assert(made->fixed_end <= made->tables_end && made->tables_end <= made->total);
    }
}

Test(segment_geometry, numbers_out_of_range_are_refused)
{
    auto const refused = [](auto change) {
        GeometryRequest request = request_for(1 << 20);
        change(request);
        check_eq(Geometry::plan(request).status().code, -EINVAL);
    };
    refused([](GeometryRequest &r) { r.capacity = 0; });
    refused([](GeometryRequest &r) { r.capacity = (uint64_t{8} << 40) + 1; });
    refused([](GeometryRequest &r) { r.capacity = UINT64_MAX; });
    for (unsigned i = 0; i < kSectors; ++i) {
        refused([i](GeometryRequest &r) { r.limit[i] = 0; });
        refused([i](GeometryRequest &r) { r.limit[i] = r.capacity + 1; });
        refused([i](GeometryRequest &r) { r.limit[i] = UINT64_MAX; });
    }
    refused([](GeometryRequest &r) { r.participants = 1; });
    refused([](GeometryRequest &r) { r.participants = kMaxParticipants + 1; });
    refused([](GeometryRequest &r) { r.participants = UINT32_MAX; });
    refused([](GeometryRequest &r) { r.roots = 0; });
    refused([](GeometryRequest &r) { r.roots = kMaxRoots + 1; });
    check_eq(Geometry::plan(request_for(1)).status().code, 0);
    check_eq(Geometry::plan(request_for(uint64_t{8} << 40)).status().code, 0);
}

Test(segment_geometry, the_hash_tells_two_shapes_apart)
{
    GeometryRequest const base = request_for(64 << 20);
    uint64_t const hash = Geometry::plan(base)->hash();
    check_eq(Geometry::plan(base)->hash(), hash);
    auto const differs = [&](auto change) {
        GeometryRequest request = base;
        change(request);
        check_ne(Geometry::plan(request)->hash(), hash);
    };
    differs([](GeometryRequest &r) { r.capacity *= 2; });
    differs([](GeometryRequest &r) { r.participants += 1; });
    differs([](GeometryRequest &r) { r.roots += 1; });
    for (unsigned i = 0; i < kSectors; ++i)
        differs([i](GeometryRequest &r) { r.limit[i] /= 2; });
    Geometry moved = *Geometry::plan(base);
    moved.sector[1].level[0] += 64;
    check_ne(moved.hash(), hash);
}

/// The file format. A change here needs another format version.
Test(segment_layout, structs_stand_where_the_format_says)
{
    check_eq(std::memcmp(&kMagic, "WEIRMTX\n", 8), 0);
    check_eq(kFormatVersion, 1);
    check_eq(offsetof(Header, magic), 0);
    check_eq(offsetof(Header, format_version), 8);
    check_eq(offsetof(Header, header_bytes), 12);
    check_eq(offsetof(Header, incompat), 16);
    check_eq(offsetof(Header, ro_compat), 24);
    check_eq(offsetof(Header, compat), 32);
    check_eq(offsetof(Header, layout_hash), 40);
    check_eq(offsetof(Header, uuid), 48);
    check_eq(offsetof(Header, total_bytes), 64);
    check_eq(offsetof(Header, capacity), 72);
    check_eq(offsetof(Header, limit), 80);
    check_eq(offsetof(Header, participants), 104);
    check_eq(offsetof(Header, roots), 108);
    check_eq(offsetof(Header, isolate), 112);
    check_eq(offsetof(Header, keep_blocks), 116);
    check_eq(offsetof(Header, created_at_ns), 120);
    check_eq(offsetof(Header, participants_offset), 128);
    check_eq(offsetof(Header, windows_offset), 136);
    check_eq(offsetof(Header, roots_offset), 144);
    check_eq(offsetof(Header, sector), 152);
    check_eq(offsetof(Header, exchange_offset), 296);
    check_eq(offsetof(Header, state), 512);
    check_eq(offsetof(Header, next_slot), 576);
    check_eq(offsetof(Header, growth), 640);
    check_eq(offsetof(Header, directory), 704);
    check_eq(offsetof(Header, sector_limit), 768);
    check_eq(sizeof(Header), 960);
    check_eq(sizeof(SectorDescriptor), 48);
    check_eq(sizeof(ParticipantSlot), 64);
    check_eq(sizeof(WindowCounters), 64);
    check_eq(sizeof(RootEntry), 256);
    check_eq(sizeof(ExchangeRack), 1088);
}

Test(segment_slot_word, fields_do_not_touch_each_other)
{
    Random random(3);
    for (int i = 0; i < 10000; ++i) {
        auto const state = static_cast<SlotState>(random.below(3));
        auto const generation = static_cast<uint32_t>(random.next());
        auto const reaper = static_cast<Owner>(random.below(kMaxParticipants + 1));
        auto const its = static_cast<uint32_t>(random.next());
        SlotWord const word = SlotWord::of(state, generation, reaper, its);
        cr_assert(word.state() == state);
        check_eq(word.generation(), generation & SlotWord::kGenerationMask);
        check_eq(word.reaper(), reaper);
        check_eq(word.reaper_generation(), its & SlotWord::kGenerationMask);
        uint64_t const id = participant_id(reaper, generation);
        check_eq(owner_of_id(id), reaper);
        check_eq(generation_of_id(id), generation & SlotWord::kGenerationMask);
    }
}
