// SPDX-License-Identifier: MIT OR Apache-2.0
// What most acquires and most releases do. Included by the files that need it inline.
#pragma once

#include "core/pool/pool.hpp"

namespace weir {

/// Takes the top entry away. A slot of 0: it was stolen, or there is no entry.
WEIR_HOT Taken Pool::pop_one(PoolLane &lane) noexcept
{
    if (!WEIR_LIKELY(lane.count != 0))
        return {};
    PoolEntry const &entry = lane.entry[--lane.count];
    uint64_t found = entry.cached;
    uint64_t const generation = PoolWord::next_generation(static_cast<uint32_t>(found));
    // acq_rel: as Slots::claim()
    if (!WEIR_LIKELY(entry.word->compare_exchange(found, lane.live | generation, acq_rel, relaxed)))
        return {}; // stolen
    return {SlotId{generation << 32 | entry.index}, entry.data};
}

/// A slot of 0: acquire() has to look properly, or to write zeros.
WEIR_HOT Taken Pool::acquire_fast() noexcept
{
    if (fast_single_ != nullptr)
        return fast_single_->acquire_fast();
    PoolLane *const lane = lane_of(known_thread_number());
    if (!WEIR_LIKELY(lane != nullptr && !zero_ && !ended()))
        return {};
    return pop_one(*lane);
}

/// A user's slot becomes one that we keep; the lane has room. False: somebody else changed it.
WEIR_HOT bool Pool::keep(PoolLane &lane, uint32_t index, PoolWord found) noexcept
{
    atomic<uint64_t> &word = slots_.word(index);
    uint64_t const mine = lane.cached | found.generation();
    // [A] seq_cst: before the look for who waits (gate.hpp)
    if (!WEIR_LIKELY(word.compare_exchange(found.raw, mine, seq_cst, relaxed)))
        return false;
    lane.entry[lane.count++] = {&word, mine, slots_.data(index), index};
    slots_.gate().notice();
    return true;
}

/// False: nothing was changed, and release() has to look properly, or to say why not.
WEIR_HOT bool Pool::release_fast(SlotId slot) noexcept
{
    if (fast_single_ != nullptr)
        return fast_single_->release_fast(slot);
    PoolLane *const lane = lane_of(known_thread_number()); // ours: then we are a participant
    uint32_t const index = slot.index();
    if (!WEIR_LIKELY(lane != nullptr && !ended() && index < slots_.capacity()))
        return false;
    PoolWord const found{slots_.word(index).load(relaxed)}; // the CAS orders
    uint64_t const live = PoolWord::of(PoolState::live, kNobody, slot.generation()).raw;
    if (!WEIR_LIKELY((found.raw & ~PoolWord::kOwnerMask) == live && lane->count < lane->most))
        return false;
    return WEIR_LIKELY(keep(*lane, index, found));
}

} // namespace weir
