// SPDX-License-Identifier: MIT OR Apache-2.0
// What most allocations and most frees do: a pop, a push. Included by the files that need it inline.
#pragma once

#include "core/matrix/matrix.hpp"

namespace weir {

/// The most recently kept block of this magazine, as the caller's. False: none is left.
WEIR_HOT bool Matrix::pop(Lane &lane, Magazine &magazine, uint8_t state, Allocation &ret) noexcept
{
    while (WEIR_LIKELY(magazine.count != 0)) {
        Granule const at = magazine.entry[--magazine.count];
        atomic<BlockWord> &word = magazine.words[at];
        BlockWord found = word.load(relaxed); // the CAS orders
        if (!WEIR_LIKELY((found.raw & ~BlockWord::kGenerationBitsMask) == magazine.cached))
            continue; // stolen
        BlockWord const taken{(found.with_next_generation() | magazine.allocated) |
                              uint64_t{state} << BlockWord::kUserShift};
        // acq_rel: as Sector::change()
        if (!WEIR_LIKELY(word.compare_exchange(found, taken, acq_rel, relaxed)))
            continue;
        Lane::bump(lane.counters->hits, relaxed); // for people
        uint64_t const offset = magazine.data + (uint64_t{at} << magazine.shift);
        ret.ref = make_ref(offset, taken);
        ret.data = segment_.base() + offset;
        return true;
    }
    return false;
}

/// An ALLOCATED block, whosever it is, becomes one that we keep. False: it is none that lanes keep,
/// or somebody else changed it.
WEIR_HOT bool Matrix::push(Lane &lane, Place const &place) noexcept
{
    unsigned const kept = magazine_of(place.index, place.word.granules());
    if (kept == kMagazines)
        return false;
    Magazine &magazine = lane.magazine[kept];
    if (!WEIR_LIKELY(magazine.count < magazine.most || make_room(lane, magazine)))
        return false;
    BlockWord found = place.word;
    BlockWord const mine{(found.raw & BlockWord::kGenerationBitsMask) | magazine.cached};
    lane.open(); // memory appears
    bool const ours = place.sector->change(place.head, found, mine);
    if (WEIR_LIKELY(ours)) {
        magazine.entry[magazine.count++] = place.head;
        Lane::bump(lane.counters->frees, relaxed); // for people
    }
    lane.close();
    return ours;
}

} // namespace weir
