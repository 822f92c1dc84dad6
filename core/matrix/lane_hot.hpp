// SPDX-License-Identifier: MIT OR Apache-2.0
// What most allocations and most frees do: a pop, a push. Included by the files that need it inline.
#pragma once

#include "core/matrix/matrix.hpp"

namespace weir {

/// Takes the top entry away. False: its block was stolen, or there is no entry.
WEIR_HOT bool Matrix::pop_one(Lane &lane, Magazine &magazine, uint8_t state,
                              Allocation &ret) noexcept
{
    if (!WEIR_LIKELY(magazine.count != 0))
        return false;
    Kept const kept = magazine.entry[--magazine.count];
    Granule const at = granule_of(kept);
    BlockWord expected{(kept ^ at) | magazine.cached};
    uint64_t const generation = expected.with_next_generation();
    BlockWord const taken{generation | magazine.allocated |
                          uint64_t{state} << BlockWord::kUserShift};
    // acq_rel: as Sector::change()
    if (!WEIR_LIKELY(magazine.words[at].compare_exchange(expected, taken, acq_rel, relaxed)))
        return false; // stolen
    Lane::bump(lane.counters->hits);
    uint64_t const offset = magazine.data + (uint64_t{at} << magazine.shift);
    // make_ref(), with the generation where it stands in the word
    ret.ref.value = lane.salt_in_ref ^
                    (generation << (kRefGenerationShift - BlockWord::kGranulesBits) | offset);
    ret.data = lane.base + offset;
    return true;
}

/// The most recently kept block of this magazine that is still there. False: none is.
WEIR_HOT bool Matrix::pop(Lane &lane, Magazine &magazine, uint8_t state, Allocation &ret) noexcept
{
    while (magazine.count != 0)
        if (WEIR_LIKELY(pop_one(lane, magazine, state, ret)))
            return true;
    return false;
}

/// What most allocations are. False: alloc() has to look properly.
WEIR_HOT bool Matrix::alloc_fast(uint64_t size, Allocation &ret) noexcept
{
    Lane *const lane = WEIR_LIKELY(size - 1 < kLargestLaned) ? lane_here() : nullptr;
    return WEIR_LIKELY(lane != nullptr && !lane->retired()) &&
           pop_one(*lane, lane->magazine[magazine_for(size)], 0, ret);
}

/// An ALLOCATED block, whosever it is, becomes one that we keep. False: somebody else changed it.
/// Who calls tells who waits. The CAS waits for nothing of the magazine.
WEIR_HOT bool Matrix::keep(Lane &lane, atomic<BlockWord> &word, Magazine &magazine, Granule head,
                           BlockWord found) noexcept
{
    constexpr uint64_t kStays = BlockWord::kGenerationBitsMask | BlockWord::kGranulesMask;
    BlockWord const mine{(found.raw & kStays) | lane.cached};
    WindowCounters &counters = *kept(lane.counters);
    uint64_t const window = Lane::open(counters); // memory appears
    // seq_cst: before the look for sleepers in tell_waiting()
    bool const ours = word.compare_exchange(found, mine, seq_cst, relaxed);
    if (WEIR_LIKELY(ours)) {
        magazine.entry[magazine.count++] = kept_of(head, mine);
        Lane::bump(counters.frees);
    }
    Lane::close(counters, window);
    return ours;
}

/// The same for any block. False: it is none that lanes keep, or there is no room, or as keep().
WEIR_HOT bool Matrix::push(Lane &lane, Place const &place) noexcept
{
    unsigned const kept = magazine_of(place.index, place.word.granules());
    if (kept == kMagazines)
        return false;
    Magazine &magazine = lane.magazine[kept];
    if (!WEIR_LIKELY(magazine.count < magazine.most || make_room(lane, magazine)))
        return false;
    bool const ours = keep(lane, magazine.words[place.head], magazine, place.head, place.word);
    tell_waiting();
    return ours;
}

/// The granule at this offset in a sector, if one begins there; else a number beyond all limits.
WEIR_HOT uint64_t granule_at(uint64_t inside, unsigned shift) noexcept
{
    return inside >> shift | inside << (64 - shift);
}

/// Where the word of a block would stand. False: only a proper look can tell.
WEIR_HOT bool Matrix::place_of(Ref ref, Place &ret) noexcept
{
    uint64_t const offset = ref.value & kOffsetMask;
    unsigned const index = (offset >= sectors_[kMedium].data_offset() ? 1 : 0) +
                           (offset >= sectors_[kLarge].data_offset() ? 1 : 0);
    Sector &sector = *kept(&sectors_[index]);
    uint64_t const head = granule_at(offset - sector.data_offset(), sector.granule_shift());
    ret.sector = &sector;
    ret.index = index;
    ret.head = static_cast<Granule>(head);
    return WEIR_LIKELY(head < sector.known_limit());
}

/// Whether the block there, its word read in this order, is the ALLOCATED one of this ref.
WEIR_HOT bool Matrix::is_at(Ref ref, Place &place, Order order) const noexcept
{
    place.word = place.sector->word(place.head, order);
    uint64_t const generation = ref.value >> kRefGenerationShift ^ salt_;
    uint64_t const expected = BlockWord::kAllocatedBits | generation << BlockWord::kGranulesBits;
    // The known limit may be another one than in place_of(), also a smaller one.
    uint64_t const end = uint64_t{place.head} + place.word.granules();
    return WEIR_LIKELY((place.word.raw & BlockWord::kIdentityMask) == expected &&
                       end > place.head && end <= place.sector->known_limit());
}

/// An ALLOCATED block by its ref, its word read in this order. False: it is none, or only a proper
/// look can tell.
WEIR_HOT bool Matrix::find_quickly(Ref ref, Place &ret, Order order) noexcept
{
    return place_of(ref, ret) && is_at(ref, ret, order);
}

/// What most data() are. A size of 0: it has to look properly.
WEIR_HOT Extent Matrix::data_fast(Ref ref) noexcept
{
    Place here;
    return WEIR_LIKELY(find_quickly(ref, here, acquire)) ? extent_of(here) // as in locate()
                                                         : Extent{};
}

/// What most frees are: find_quickly() and push() with what the lane knows. False: nothing was
/// changed, and free() has to look properly, or to say why not. Who calls tells who waits.
WEIR_HOT bool Matrix::free_fast(Ref ref, Owner from) noexcept
{
    Lane *const lane = lane_here(); // ours: then we are a participant
    if (!WEIR_LIKELY(lane != nullptr && !lane->retired()))
        return false;
    uint64_t const offset = ref.value & kOffsetMask;
    LaneSector const &sector = *(&lane->sector[kSmall] + (offset >= lane->sector[kMedium].data));
    uint64_t const head = granule_at(offset - sector.data, sector.shift);
    if (!WEIR_LIKELY(head < sector.limit))
        return false;
    atomic<BlockWord> &word = sector.words[head];
    BlockWord const found = word.load(relaxed); // the CAS orders
    uint64_t const expected =
        ref.value >> kRefGenerationShift << BlockWord::kGranulesBits ^ lane->salt_in_word;
    Granules const length = found.granules();
    if (!WEIR_LIKELY((found.raw & BlockWord::kIdentityMask) == expected &&
                     length - 1 < kLaneGranules && length <= sector.limit - head &&
                     (from == kAnybody || found.owner() == from)))
        return false;
    Magazine &magazine = sector.magazine[length - 1];
    return WEIR_LIKELY(magazine.count < magazine.most) &&
           keep(*lane, word, magazine, static_cast<Granule>(head), found);
}

} // namespace weir
