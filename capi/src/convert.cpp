// SPDX-License-Identifier: MIT OR Apache-2.0
// Field by field between the public structs and the core's, with defaults and ranges.
#include "capi/src/convert.hpp"

#include "capi/src/internal.hpp"

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
constexpr RootOps const *kRootOps[kRootKinds] = {nullptr, nullptr, &kChannelRootOps, &kPoolRootOps,
                                                 &kRouterRootOps};

uint64_t or_default(uint64_t value, uint64_t fallback) noexcept
{
    return value == 0 ? fallback : value;
}

constexpr uint32_t kMostNodes = 1024;

/// What a flag makes count must be 0 without it: else somebody forgot the flag.
bool memory_in_range(weir_matrix_options const &o) noexcept
{
    bool const on_node = (o.flags & WEIR_MATRIX_ON_NODE) != 0;
    bool const set_group = (o.flags & WEIR_MATRIX_SET_GROUP) != 0;
    return o.huge_pages <= WEIR_EFFORT_REQUIRE && o.lock <= WEIR_EFFORT_REQUIRE &&
           o.numa_node < (on_node ? kMostNodes : 1) &&
           (set_group ? o.group != UINT32_MAX : o.group == 0);
}

void memory_to_core(weir_matrix_options const &from, MemoryWish &into) noexcept
{
    static_assert(static_cast<unsigned>(Effort::attempt) == WEIR_EFFORT_TRY);
    static_assert(static_cast<unsigned>(Effort::require) == WEIR_EFFORT_REQUIRE);
    into.huge_pages = static_cast<Effort>(from.huge_pages);
    into.lock = static_cast<Effort>(from.lock);
    into.set_node = (from.flags & WEIR_MATRIX_ON_NODE) != 0;
    into.node = from.numa_node;
    into.set_group = (from.flags & WEIR_MATRIX_SET_GROUP) != 0;
    into.group = from.group;
}

bool in_range(weir_matrix_options const &o) noexcept
{
    uint64_t const capacity = or_default(o.capacity, kDefaultCapacity);
    constexpr uint32_t kFlags = WEIR_MATRIX_ISOLATE | WEIR_MATRIX_ALLOW_FOREIGN |
                                WEIR_MATRIX_READ_ONLY | WEIR_MATRIX_ON_NODE |
                                WEIR_MATRIX_SET_GROUP | WEIR_MATRIX_NO_LANES;
    return capacity >= kSmallestCapacity && capacity <= kLargestCapacity && o.commit <= capacity &&
           o.small_limit <= capacity && o.medium_limit <= capacity && o.large_limit <= capacity &&
           o.stall_ns >= 0 && o.stall_ns <= kLongestStall && (o.mode & ~uint32_t{0777}) == 0 &&
           (o.participants == 0 || (o.participants >= 2 && o.participants <= kMaxParticipants)) &&
           o.death_policy <= WEIR_DEATH_KEEP && (o.flags & ~kFlags) == 0 && memory_in_range(o) &&
           std::memchr(o.participant_name, '\0', sizeof o.participant_name) != nullptr;
}
} // namespace

int to_core(weir_alloc_options const *from, size_t size, AllocRequest &into) noexcept
{
    weir_alloc_options given;
    if (int const code = read_options(from, sizeof(weir_alloc_options), given); code < 0)
        return code;
    if ((given.flags & ~uint32_t{WEIR_ALLOC_ZERO}) != 0 || !user_state_ok(given.state))
        return -EINVAL;
    into.size = size;
    into.alignment = given.alignment == 0 ? 1 : given.alignment;
    into.zero = (given.flags & WEIR_ALLOC_ZERO) != 0;
    into.state = static_cast<uint8_t>(given.state);
    into.timeout = given.timeout_ns;
    return 0;
}

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
    into.geometry.mode = from.mode;
    into.commit = from.commit;
    into.stall = from.stall_ns == 0 ? kDefaultStall : from.stall_ns;
    into.access.allow_foreign = (from.flags & WEIR_MATRIX_ALLOW_FOREIGN) != 0;
    into.access.read_only = (from.flags & WEIR_MATRIX_READ_ONLY) != 0;
    into.lanes = (from.flags & WEIR_MATRIX_NO_LANES) == 0;
    memory_to_core(from, into.memory);
    into.root_ops = kRootOps;
    std::memcpy(into.participant_name, from.participant_name, sizeof into.participant_name);
    return 0;
}

int to_core(weir_channel_options const &from, ChannelOptions &into) noexcept
{
    constexpr uint32_t kLargest = 1u << kMaxCapacityShift;
    if (from.capacity > kLargest || from.mode > WEIR_CHANNEL_BROADCAST ||
        from.overflow > WEIR_CHANNEL_DROP_OLDEST || from.levels > kMaxLevels)
        return -EINVAL;
    bool const retains = from.retain_ns != 0 || from.retain_count != 0;
    if (from.ttl_ns < 0 || from.ageing_ns < 0 || from.retain_ns < 0 ||
        (retains && from.mode != WEIR_CHANNEL_BROADCAST))
        return -EINVAL;
    into.type_id = from.type_id;
    into.message_size = from.message_size;
    into.capacity = from.capacity == 0 ? 1024 : from.capacity;
    into.levels = from.levels == 0 ? 1 : from.levels;
    into.mode = static_cast<ChannelMode>(from.mode);
    into.overflow = static_cast<Overflow>(from.overflow);
    into.ttl = from.ttl_ns;
    into.ageing = from.ageing_ns;
    into.retain = from.retain_ns;
    into.retain_count = from.retain_count;
    return 0;
}

int to_core(weir_pool_options const &from, PoolOptions &into) noexcept
{
    constexpr uint32_t kFlags = WEIR_POOL_SINGLE_THREAD | WEIR_POOL_GROWABLE | WEIR_POOL_ZERO;
    if ((from.flags & ~kFlags) != 0 || from.death_policy > WEIR_DEATH_KEEP || from.reserved0 != 0)
        return -EINVAL;
    into.slot_size = from.slot_size;
    into.capacity = from.capacity;
    into.most = from.max_capacity;
    into.alignment = from.alignment;
    into.type_id = from.type_id;
    into.single_thread = (from.flags & WEIR_POOL_SINGLE_THREAD) != 0;
    into.growable = (from.flags & WEIR_POOL_GROWABLE) != 0;
    into.zero = (from.flags & WEIR_POOL_ZERO) != 0;
    into.keep = from.death_policy == WEIR_DEATH_KEEP;
    return 0;
}

int to_core(weir_ids_options const &from, PoolOptions &into) noexcept
{
    constexpr uint32_t kFlags = WEIR_POOL_SINGLE_THREAD | WEIR_POOL_GROWABLE;
    if ((from.flags & ~kFlags) != 0 || from.reserved0 != 0)
        return -EINVAL;
    into.capacity = from.capacity;
    into.most = from.max_capacity;
    into.single_thread = (from.flags & WEIR_POOL_SINGLE_THREAD) != 0;
    into.growable = (from.flags & WEIR_POOL_GROWABLE) != 0;
    return 0;
}

weir_pool_info from_core(PoolStats const &from) noexcept
{
    weir_pool_info into{};
    into.size = sizeof into;
    into.slot_size = from.slot_size;
    into.stride_bytes = from.stride;
    into.capacity = from.capacity;
    into.max_capacity = from.most;
    into.type_id = from.type_id;
    into.live = from.live;
    into.free = from.free;
    into.cached = from.cached;
    into.extents = from.extents;
    into.memory_bytes = from.bytes;
    into.alignment = static_cast<uint32_t>(from.alignment);
    into.flags = (from.single_thread ? WEIR_POOL_SINGLE_THREAD : 0) |
                 ((from.flags & kPoolGrowable) != 0 ? WEIR_POOL_GROWABLE : 0) |
                 ((from.flags & kPoolZero) != 0 ? WEIR_POOL_ZERO : 0);
    return into;
}

weir_slot_info from_core(PoolSlotInfo const &from) noexcept
{
    return {from.slot.value, from.owner};
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
    into.cached_bytes = from.cached_bytes;
    into.trimmed_bytes = from.trimmed_bytes;
    into.largest_free_bytes = from.largest_free_bytes;
    into.scattered_bytes = from.scattered_bytes;
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
        into.sector_trimmed[i] = from.sector_trimmed[i];
        into.sector_blocks[i] = from.sector_blocks[i];
        into.sector_granule[i] = from.sector_granule[i];
    }
    return into;
}

weir_memory_info from_core(MemoryKind const &kind, MemoryUse const &use) noexcept
{
    static_assert(static_cast<unsigned>(Pages::transparent) == WEIR_PAGES_TRANSPARENT);
    static_assert(static_cast<unsigned>(Pages::hugetlb) == WEIR_PAGES_HUGETLB);
    weir_memory_info into{};
    into.size = sizeof into;
    into.mapped_bytes = use.mapped;
    into.file_bytes = use.file;
    into.resident_bytes = use.resident;
    into.huge_bytes = use.huge;
    into.page_bytes = kind.page_bytes;
    into.pages = static_cast<weir_pages>(kind.pages);
    into.huge_error = kind.huge_error;
    into.locked = kind.locked ? 1 : 0;
    into.lock_error = kind.lock_error;
    into.numa_node = kind.node;
    into.numa_error = kind.node_error;
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
    into.trimmed_bytes = from.trimmed_bytes;
    into.dead_blocks = from.dead_blocks;
    into.orphans = from.orphans;
    into.orphan_bytes = from.orphan_bytes;
    into.broken_chains = from.broken_chains;
    into.wrong_tails = from.wrong_tails;
    into.unmerged_pairs = from.unmerged_pairs;
    into.unfindable = from.unfindable;
    into.miscounted = from.miscounted;
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
    static_assert(static_cast<unsigned>(Kind::trimmed) == WEIR_BLOCK_TRIMMED);
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
    into.type_id = from.options.type_id;
    into.capacity = from.capacity;
    into.waiting = from.waiting;
    into.waiting_bytes = from.waiting_bytes;
    into.held = from.held;
    into.writing = from.writing;
    into.oldest_age_ns = from.oldest_age_ns;
    into.posted = from.posted;
    into.next_tag = from.next_tag;
    into.next_length = from.next_length;
    into.next_sequence = from.next_position;
    into.next_sender = from.next_sender;
    into.next_posted_at_ns = from.next_posted_at_ns;
    into.next_priority = from.next_level;
    into.dropped = from.dropped;
    into.expired = from.expired;
    into.message_size = from.options.message_size;
    into.ttl_ns = from.options.ttl;
    into.ageing_ns = from.options.ageing;
    into.retain_ns = from.options.retain;
    into.retain_count = from.options.retain_count;
    into.levels = from.options.levels;
    into.subscribers = from.subscribers;
    static_assert(sizeof into.level_waiting / sizeof *into.level_waiting == kMaxLevels);
    for (unsigned i = 0; i < kMaxLevels; ++i) {
        into.level_waiting[i] = from.level[i].waiting;
        into.level_bytes[i] = from.level[i].waiting_bytes;
    }
    into.mode = static_cast<weir_channel_mode>(from.options.mode);
    into.overflow = static_cast<weir_channel_overflow>(from.options.overflow);
    return into;
}

weir_subscriber_info from_core(SubscriberInfo const &from) noexcept
{
    weir_subscriber_info into{};
    into.participant = from.participant;
    into.lag = from.lag;
    into.missed = from.missed;
    into.slot = from.number;
    return into;
}

namespace {
/// Copies a text of at most 63 bytes, up to `end`, into a zeroed name.
int copy_name(char const *from, size_t length, char *into) noexcept
{
    if (length >= kNameBytes)
        return -ENAMETOOLONG;
    std::memcpy(into, from, length);
    return 0;
}

/// One name, or several with a newline between them.
int copy_targets(char const *from, Rule &into) noexcept
{
    for (char const *at = from;; ++at) {
        size_t const length = std::strcspn(at, "\n");
        if (length == 0 || into.targets == kMaxTargets)
            return -EINVAL;
        if (int const code = copy_name(at, length, into.target[into.targets]); code < 0)
            return code;
        ++into.targets;
        at += length;
        if (*at == '\0')
            return 0;
    }
}
} // namespace

int to_core(weir_router_rule const &from, Rule &into) noexcept
{
    bool const drops = from.action == WEIR_ROUTER_DROP;
    bool const by_topic = from.condition == WEIR_ROUTER_TOPIC;
    bool const never = from.condition == WEIR_ROUTER_MASK && (from.tag & ~from.mask) != 0;
    if (never || from.condition > WEIR_ROUTER_OTHERWISE || from.action > WEIR_ROUTER_DROP ||
        drops != (from.channels == nullptr) || by_topic != (from.topic != nullptr))
        return -EINVAL;
    into.match = static_cast<RuleMatch>(from.condition);
    into.action = static_cast<RuleAction>(from.action);
    into.tag = from.tag;
    into.mask = from.mask;
    if (by_topic)
        if (int const code = copy_name(from.topic, strnlen(from.topic, kNameBytes), into.topic);
            code < 0)
            return code;
    if (drops)
        return 0;
    if (int const code = copy_targets(from.channels, into); code < 0)
        return code;
    return from.action == WEIR_ROUTER_TO && into.targets != 1 ? -EINVAL : 0;
}

weir_rule_info from_core(Rule const &from) noexcept
{
    weir_rule_info into{};
    into.id = from.id;
    into.tag = from.tag;
    into.mask = from.mask;
    into.matched = from.matched;
    into.posted = from.posted;
    into.refused = from.refused;
    into.condition = static_cast<weir_router_condition>(from.match);
    into.action = static_cast<weir_router_action>(from.action);
    static_assert(sizeof into.topic == sizeof from.topic);
    static_assert(sizeof into.channels == kMaxTargets * kNameBytes);
    std::memcpy(into.topic, from.topic, sizeof into.topic);
    char *at = into.channels;
    for (unsigned i = 0; i < from.targets; ++i) {
        size_t const length = strnlen(from.target[i], kNameBytes - 1);
        if (i != 0)
            *at++ = '\n';
        std::memcpy(at, from.target[i], length);
        at += length;
    }
    return into;
}

} // namespace weir::capi
