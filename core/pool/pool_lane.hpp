// SPDX-License-Identifier: MIT OR Apache-2.0
// A lane: what one thread keeps of the slots that it gave back, for its next ones.
//
// As the lanes of the matrix (core/matrix/lane.hpp): process memory, found by the thread's number,
// touched by its thread alone; an entry is a hint that a slot may be CACHED by this process, and the
// slot's word decides. So whoever finds nothing FREE takes CACHED slots by their words, and a dead
// process's lane needs no emptying.
#pragma once

#include "core/base/thread_id.hpp"
#include "core/pool/pool_word.hpp"

#include "core/base/atomic.hpp"

#include <cstdint>

namespace weir {

inline constexpr uint32_t kPoolLanes = 64;
#ifdef WEIR_EXPLORE
inline constexpr uint32_t kPoolDepth = 2;
inline constexpr uint32_t kFirstPoolBatch = 2;
#else
inline constexpr uint32_t kPoolDepth = 64;
inline constexpr uint32_t kFirstPoolBatch = 4;
#endif

struct PoolEntry {
    atomic<uint64_t> *word = nullptr;
    uint64_t cached = 0; ///< its word when it was kept: if it is another one, the slot was stolen
    std::byte *data = nullptr;
    uint64_t index = 0;
};

struct PoolLane {
    /// Of the participant (or process) when it was begun; another one: nothing in it is ours.
    uint64_t identity = UINT64_MAX;
    uint32_t count = 0;
    uint32_t most = 0;     ///< entries; an eighth of the pool at most
    uint32_t batch = 0;    ///< slots of the next refill: doubles each time
    uint32_t position = 0; ///< where its searches begin
    uint64_t cached = 0;   ///< the word of a slot that is kept here, but for its generation
    uint64_t live = 0;     ///< that of a user's slot
    PoolEntry entry[kPoolDepth];
};

/// The last eighth of a pool's slots is not worth a lane.
constexpr uint32_t pool_lane_depth(uint64_t capacity) noexcept
{
    uint64_t const share = capacity / 8;
    return static_cast<uint32_t>(share < 1 ? 1 : share > kPoolDepth ? kPoolDepth : share);
}

} // namespace weir
