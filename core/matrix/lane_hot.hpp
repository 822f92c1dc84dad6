// SPDX-License-Identifier: MIT OR Apache-2.0
// What most allocations and most frees do: a pop, a push. Included by the files that need it inline.
#pragma once

#include "core/matrix/matrix.hpp"

namespace weir {

/// Takes the top entry away. A ref of 0: its block was stolen, or there is no entry.
WEIR_HOT Allocation Matrix::pop_one(Lane &lane, Magazine &magazine, uint8_t state) noexcept
{
    if (!WEIR_LIKELY(magazine.count != 0))
        return {};
    Granule const at = magazine.entry[--magazine.count];
    atomic<BlockWord> &word = magazine.words[at];
    BlockWord found = word.load(relaxed); // the CAS orders
    if (!WEIR_LIKELY((found.raw & ~BlockWord::kGenerationBitsMask) == magazine.cached))
        return {}; // stolen
    BlockWord const taken{(found.with_next_generation() | magazine.allocated) |
                          uint64_t{state} << BlockWord::kUserShift};
    // acq_rel: as Sector::change()
    if (!WEIR_LIKELY(word.compare_exchange(found, taken, acq_rel, relaxed)))
        return {};
    Lane::bump(lane.counters->hits, relaxed); // for people
    uint64_t const offset = magazine.data + (uint64_t{at} << magazine.shift);
    return {make_ref(offset, taken), segment_.base() + offset};
}

/// The most recently kept block of this magazine that is still there. False: none is.
WEIR_HOT bool Matrix::pop(Lane &lane, Magazine &magazine, uint8_t state, Allocation &ret) noexcept
{
    while (magazine.count != 0) {
        ret = pop_one(lane, magazine, state);
        if (WEIR_LIKELY(ret.ref.value != 0))
            return true;
    }
    return false;
}

/// What most allocations are. A ref of 0: alloc() has to look properly.
WEIR_HOT Allocation Matrix::alloc_fast(uint64_t size) noexcept
{
    Lane *const lane = WEIR_LIKELY(size - 1 < kLargestLaned) ? lane_here() : nullptr;
    if (!WEIR_LIKELY(lane != nullptr && !segment_.retired()))
        return {};
    return pop_one(*lane, lane->magazine[magazine_for(size)], 0);
}

/// An ALLOCATED block, whosever it is, becomes one that we keep. False: somebody else changed it.
WEIR_HOT bool Matrix::keep(Lane &lane, Magazine &magazine, Granule head, BlockWord found) noexcept
{
    BlockWord const mine{(found.raw & BlockWord::kGenerationBitsMask) | magazine.cached};
    lane.open(); // memory appears
    // seq_cst: before the look for sleepers in tell_waiting()
    bool const ours = magazine.words[head].compare_exchange(found, mine, seq_cst, relaxed);
    if (WEIR_LIKELY(ours)) {
        magazine.entry[magazine.count++] = head;
        Lane::bump(lane.counters->frees, relaxed); // for people
    }
    lane.close();
    tell_waiting();
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
    return keep(lane, magazine, place.head, place.word);
}

/// An ALLOCATED block by its ref. False: it is none, or only a proper look can tell.
WEIR_HOT bool Matrix::find_quickly(Ref ref, Place &ret) noexcept
{
    uint64_t const offset = ref.value & kOffsetMask;
    unsigned const index = offset < sectors_[kMedium].data_offset() ? kSmall : kMedium;
    Sector &sector = sectors_[index];
    uint64_t const inside = offset - sector.data_offset();
    uint64_t const head = inside >> kGranuleShift[index];
    Granules const limit = sector.known_limit();
    if (!WEIR_LIKELY(head < limit && (inside & ((1u << kGranuleShift[index]) - 1)) == 0))
        return false;
    ret.sector = &sector;
    ret.index = index;
    ret.head = static_cast<Granule>(head);
    ret.word = sector.word(ret.head, relaxed); // for who changes it: his CAS orders
    uint64_t const generation = ref.value >> 48 ^ salt_;
    uint64_t const expected = BlockWord::kAllocatedBits | generation << BlockWord::kGranulesBits;
    return WEIR_LIKELY((ret.word.raw & BlockWord::kIdentityMask) == expected &&
                       ret.word.granules() - 1 < limit - ret.head);
}

/// What most frees are. False: nothing was changed, and free() has to look properly, or to say why
/// not.
WEIR_HOT bool Matrix::free_fast(Ref ref) noexcept
{
    Lane *const lane = lane_here(); // ours: then we are a participant
    Place found;
    if (!WEIR_LIKELY(lane != nullptr && !segment_.retired() && find_quickly(ref, found)))
        return false;
    unsigned const kept = magazine_of(found.index, found.word.granules());
    if (!WEIR_LIKELY(kept != kMagazines))
        return false;
    Magazine &magazine = lane->magazine[kept];
    return WEIR_LIKELY(magazine.count < magazine.most) &&
           keep(*lane, magazine, found.head, found.word);
}

} // namespace weir
