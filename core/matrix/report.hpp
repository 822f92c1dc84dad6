// SPDX-License-Identifier: MIT OR Apache-2.0
// What the matrix tells about itself: the core's side of the public info structs.
#pragma once

#include "core/matrix/block_word.hpp"
#include "core/segment/geometry.hpp"

#include <cstdint>

namespace weir {

struct MatrixStats {
    uint64_t capacity, segment_bytes, committed_bytes, used_bytes, free_bytes, claimed_bytes;
    uint64_t cached_bytes, trimmed_bytes, largest_free_bytes, scattered_bytes;
    uint64_t overhead_bytes, used_blocks, free_blocks;
    uint64_t allocs, frees, failures, stalls, deaths, participants;
    uint64_t sector_committed[kSectors], sector_used[kSectors], sector_free[kSectors];
    uint64_t sector_trimmed[kSectors];
    uint64_t sector_blocks[kSectors], sector_granule[kSectors];
};

struct BlockInfo {
    uint64_t ref; ///< 0 unless allocated
    uint64_t offset;
    uint64_t length;
    uint64_t owner; ///< participant id
    unsigned sector;
    Kind kind;
    uint8_t state;
    uint32_t generation;
};

enum class ParticipantState : unsigned { live = 1, dead = 2, reaping = 3 };

struct ParticipantInfo {
    uint64_t id;
    int64_t attached_at_ns;
    uint64_t started_at;
    uint64_t allocs, frees, stalls, running;
    int32_t pid;
    uint32_t uid;
    ParticipantState state;
    uint32_t slot;
    char name[16];
};

struct CheckReport {
    uint64_t blocks = 0, used_blocks = 0, used_bytes = 0, free_bytes = 0, dead_blocks = 0;
    uint64_t orphans = 0, orphan_bytes = 0;
    uint64_t broken_chains = 0, wrong_tails = 0, unmerged_pairs = 0, unfindable = 0;
    uint64_t trimmed_bytes = 0, miscounted = 0;
    uint64_t repaired = 0, dangling = 0, freed_roots = 0, unsettled = 0;
    uint64_t first_error_offset = 0;
    uint64_t waits = 0; ///< of the check itself
};

struct HealReport {
    uint64_t participants = 0, blocks_reclaimed = 0, reclaimed_bytes = 0, blocks_kept = 0;
    uint64_t interrupted = 0;
    int64_t duration_ns = 0;
};

enum class RootKind : unsigned { block = 1, channel = 2, pool = 3, router = 4 };
inline constexpr unsigned kRootKinds = 5;

struct RootInfo {
    uint64_t ref;
    RootKind kind;
    bool retired;
    char name[64];
};

// Callbacks: anything but 0 ends the walk and is returned by it.
using BlockFn = int (*)(BlockInfo const &info, void *userdata);
using ParticipantFn = int (*)(ParticipantInfo const &info, void *userdata);
using RootFn = int (*)(RootInfo const &info, void *userdata);
using ProgressFn = int (*)(uint64_t done, uint64_t total, void *userdata);

} // namespace weir
