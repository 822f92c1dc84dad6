// SPDX-License-Identifier: MIT OR Apache-2.0
// Field by field between the public structs and the core's, with defaults and ranges.
#include "capi/src/convert.hpp"

#include <cstring>

namespace weir::capi {
namespace {
constexpr uint64_t kDefaultCapacity = uint64_t{256} << 20;
constexpr uint64_t kSmallestCapacity = uint64_t{64} << 10;
constexpr uint64_t kLargestCapacity = uint64_t{8} << 40;
constexpr uint32_t kDefaultParticipants = 128;
constexpr uint32_t kRoots = 256;
constexpr Nanoseconds kDefaultStall = 100 * kMillisecond;
constexpr Nanoseconds kLongestStall = 3600 * kSecond;

/// By RootKind: none, block, channel, pool, router.
constexpr RootOps const *kRootOps[kRootKinds] = {nullptr, nullptr, &kChannelRootOps, nullptr,
                                                 nullptr};

uint64_t or_default(uint64_t value, uint64_t fallback) noexcept
{
    return value == 0 ? fallback : value;
}

bool in_range(weir_matrix_options const &o) noexcept
{
    uint64_t const capacity = or_default(o.capacity, kDefaultCapacity);
    constexpr uint32_t kFlags = WEIR_MATRIX_ISOLATE | WEIR_MATRIX_ALLOW_FOREIGN;
    return capacity >= kSmallestCapacity && capacity <= kLargestCapacity && o.commit <= capacity &&
           o.small_limit <= capacity && o.medium_limit <= capacity && o.large_limit <= capacity &&
           o.stall_ns >= 0 && o.stall_ns <= kLongestStall && (o.mode & ~uint32_t{0777}) == 0 &&
           (o.participants == 0 || (o.participants >= 2 && o.participants <= kMaxParticipants)) &&
           o.death_policy <= WEIR_DEATH_KEEP && (o.flags & ~kFlags) == 0 &&
           std::memchr(o.participant_name, '\0', sizeof o.participant_name) != nullptr;
}
} // namespace

int to_core(weir_matrix_options const &from, MatrixOptions &into) noexcept
{
    if (!in_range(from))
        return -EINVAL;
    uint64_t const capacity = or_default(from.capacity, kDefaultCapacity);
    into.geometry.capacity = capacity;
    into.geometry.limit[kSmall] = or_default(from.small_limit, capacity);
    into.geometry.limit[kMedium] = or_default(from.medium_limit, capacity);
    into.geometry.limit[kLarge] = or_default(from.large_limit, capacity);
    into.geometry.participants = from.participants == 0 ? kDefaultParticipants : from.participants;
    into.geometry.roots = kRoots;
    into.geometry.isolate = (from.flags & WEIR_MATRIX_ISOLATE) != 0;
    into.geometry.keep_blocks = from.death_policy == WEIR_DEATH_KEEP;
    into.geometry.mode = from.mode == 0 ? 0600 : from.mode;
    into.commit = from.commit;
    into.stall = from.stall_ns == 0 ? kDefaultStall : from.stall_ns;
    into.allow_foreign = (from.flags & WEIR_MATRIX_ALLOW_FOREIGN) != 0;
    into.root_ops = kRootOps;
    std::memcpy(into.participant_name, from.participant_name, sizeof into.participant_name);
    return 0;
}

int to_core(weir_channel_options const &from, ChannelOptions &into) noexcept
{
    constexpr uint32_t kLargest = 1u << kMaxCapacityShift;
    if (from.capacity > kLargest || from.mode != WEIR_CHANNEL_QUEUE ||
        from.overflow > WEIR_CHANNEL_FAIL || from.reserved0 != 0)
        return -EINVAL;
    into.type_id = from.type_id;
    into.capacity = from.capacity == 0 ? 1024 : from.capacity;
    into.fail_when_full = from.overflow == WEIR_CHANNEL_FAIL;
    return 0;
}

Message to_core(weir_message const &from) noexcept
{
    Message into;
    into.ref = {from.block};
    into.position = from.sequence;
    into.redeliveries = from.redeliveries;
    return into;
}

weir_message from_core(Message const &from) noexcept
{
    weir_message into{};
    into.block = from.ref.value;
    into.length = from.length;
    into.tag = from.tag;
    into.sequence = from.position;
    into.sender = from.sender;
    into.posted_at_ns = from.posted_at_ns;
    into.missed = from.missed;
    into.redeliveries = from.redeliveries;
    return into;
}

weir_matrix_info from_core(MatrixStats const &from) noexcept
{
    weir_matrix_info into{};
    into.size = sizeof into;
    into.capacity = from.capacity;
    into.segment_bytes = from.segment_bytes;
    into.committed_bytes = from.committed_bytes;
    into.used_bytes = from.used_bytes;
    into.free_bytes = from.free_bytes;
    into.claimed_bytes = from.claimed_bytes;
    into.largest_free_bytes = from.largest_free_bytes;
    into.overhead_bytes = from.overhead_bytes;
    into.used_blocks = from.used_blocks;
    into.free_blocks = from.free_blocks;
    into.allocs = from.allocs;
    into.frees = from.frees;
    into.failures = from.failures;
    into.stalls = from.stalls;
    into.deaths = from.deaths;
    into.participants = from.participants;
    for (unsigned i = 0; i < kSectors; ++i) {
        into.sector_committed[i] = from.sector_committed[i];
        into.sector_used[i] = from.sector_used[i];
        into.sector_free[i] = from.sector_free[i];
        into.sector_blocks[i] = from.sector_blocks[i];
        into.sector_granule[i] = from.sector_granule[i];
    }
    return into;
}

weir_check_report from_core(CheckReport const &from) noexcept
{
    weir_check_report into{};
    into.size = sizeof into;
    into.blocks = from.blocks;
    into.used_blocks = from.used_blocks;
    into.used_bytes = from.used_bytes;
    into.free_bytes = from.free_bytes;
    into.dead_blocks = from.dead_blocks;
    into.orphans = from.orphans;
    into.orphan_bytes = from.orphan_bytes;
    into.broken_chains = from.broken_chains;
    into.wrong_tails = from.wrong_tails;
    into.unmerged_pairs = from.unmerged_pairs;
    into.unfindable = from.unfindable;
    into.repaired = from.repaired;
    into.dangling = from.dangling;
    into.freed_roots = from.freed_roots;
    into.unsettled = from.unsettled;
    into.first_error_offset = from.first_error_offset;
    return into;
}

weir_heal_report from_core(HealReport const &from) noexcept
{
    weir_heal_report into{};
    into.size = sizeof into;
    into.participants = from.participants;
    into.blocks_reclaimed = from.blocks_reclaimed;
    into.reclaimed_bytes = from.reclaimed_bytes;
    into.blocks_kept = from.blocks_kept;
    into.interrupted = from.interrupted;
    into.duration_ns = from.duration_ns;
    return into;
}

weir_block_info from_core(BlockInfo const &from) noexcept
{
    static_assert(static_cast<unsigned>(Kind::free) == WEIR_BLOCK_FREE);
    static_assert(static_cast<unsigned>(Kind::claimed) == WEIR_BLOCK_CLAIMED);
    static_assert(static_cast<unsigned>(Kind::allocated) == WEIR_BLOCK_ALLOCATED);
    static_assert(static_cast<unsigned>(Kind::cached) == WEIR_BLOCK_CACHED);
    static_assert(static_cast<unsigned>(Kind::resizing) == WEIR_BLOCK_RESIZING);
    weir_block_info into{};
    into.block = from.ref;
    into.offset = from.offset;
    into.length = from.length;
    into.owner = from.owner;
    into.sector = from.sector;
    into.kind = static_cast<weir_block_kind>(from.kind);
    into.state = from.state;
    into.generation = from.generation;
    return into;
}

weir_participant_info from_core(ParticipantInfo const &from) noexcept
{
    weir_participant_info into{};
    into.participant = from.id;
    into.attached_at_ns = from.attached_at_ns;
    into.started_at = from.started_at;
    into.allocs = from.allocs;
    into.frees = from.frees;
    into.stalls = from.stalls;
    into.running = from.running;
    into.pid = from.pid;
    into.uid = from.uid;
    into.state = static_cast<weir_participant_state>(from.state);
    into.slot = from.slot;
    static_assert(sizeof into.name == sizeof from.name);
    std::memcpy(into.name, from.name, sizeof into.name);
    return into;
}

weir_root_info from_core(RootInfo const &from) noexcept
{
    weir_root_info into{};
    into.block = from.ref;
    into.kind = static_cast<weir_root_kind>(from.kind);
    into.retired = from.retired ? 1 : 0;
    static_assert(sizeof into.name == sizeof from.name);
    std::memcpy(into.name, from.name, sizeof into.name);
    return into;
}

weir_channel_info from_core(ChannelInfo const &from) noexcept
{
    weir_channel_info into{};
    into.size = sizeof into;
    into.type_id = from.type_id;
    into.capacity = from.capacity;
    into.waiting = from.waiting;
    into.waiting_bytes = from.waiting_bytes;
    into.held = from.held;
    into.writing = from.writing;
    into.oldest_age_ns = from.oldest_age_ns;
    into.posted = from.posted;
    into.next_tag = from.next_tag;
    into.next_length = from.next_length;
    into.mode = WEIR_CHANNEL_QUEUE;
    into.overflow = from.fail_when_full ? WEIR_CHANNEL_FAIL : WEIR_CHANNEL_BLOCK;
    return into;
}

} // namespace weir::capi
