// SPDX-License-Identifier: MIT OR Apache-2.0
// Ranges and defaults of the log's options; parts; reports.
#include "capi/src/convert_log.hpp"

#include "core/base/bits.hpp"

#include <cstring>

namespace weir::capi {
namespace {

constexpr int64_t kHour = 3600 * kSecond;
constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;

/// 0 is the default; anything else must lie in the range.
template <class T> bool ranged(T given, T least, T most, T usual, T &ret) noexcept
{
    ret = given == 0 ? usual : given;
    return ret >= least && ret <= most;
}
/// The same, and -1 is allowed.
bool ranged_or_never(int64_t given, int64_t least, int64_t most, int64_t usual,
                     int64_t &ret) noexcept
{
    if (given == -1) {
        ret = -1;
        return true;
    }
    return ranged(given, least, most, usual, ret);
}
template <class T> bool power_of_two(T value) noexcept { return is_power_of_two(value); }

bool sizes(weir_log_options const &from, LogOptions &into) noexcept
{
    RingOptions &ring = into.ring;
    uint64_t segment = 0;
    if (!ranged(from.segment_size, kMiB, 4 * kGiB, 64 * kMiB, segment) || !power_of_two(segment))
        return false;
    into.recovery.segment_size = from.segment_size;
    uint64_t const usual = smaller(512 * (kMiB >> 10), segment / 4);
    // Of a log that exists the segment's size is known later: the ring then takes less.
    bool const buffers =
        ranged(from.buffer_size, 64 * (kMiB >> 10), 16 * kMiB, usual, ring.buffer_size) &&
        power_of_two(ring.buffer_size) &&
        (from.segment_size == 0 || ring.buffer_size <= segment / 4) &&
        ranged(from.buffer_count, 4u, 64u, 8u, ring.buffer_count) &&
        power_of_two(ring.buffer_count);
    return buffers && ranged(from.max_record, uint64_t{1}, kGiB, 16 * kMiB, ring.max_record) &&
           (from.max_bytes == 0 || from.max_bytes >= 4 * segment) &&
           (from.retain_bytes == 0 || from.retain_bytes >= segment) &&
           (from.retain_ns == 0 || from.retain_ns >= kSecond);
}

bool times(weir_log_options const &from, LogOptions &into) noexcept
{
    RingOptions &ring = into.ring;
    bool const windows = from.group_window_ns >= 0 && from.group_window_ns <= 10 * kMillisecond;
    ring.group_window = from.group_window_ns;
    bool const append = from.append_timeout_ns >= -1;
    ring.append_timeout = from.append_timeout_ns == 0 ? -1 : from.append_timeout_ns;
    return windows && append &&
           ranged(from.sync_interval_ns, kMillisecond, kHour, 100 * kMillisecond,
                  ring.sync_interval) &&
           ranged_or_never(from.idle_flush_ns, kMillisecond, kHour, 100 * kMillisecond,
                           ring.idle_flush) &&
           ranged(from.idle_evidence_ns, kMillisecond, 60 * kSecond, 20 * kMillisecond,
                  into.idle_evidence) &&
           ranged_or_never(from.stall_timeout_ns, 100 * kMillisecond, kHour, 10 * kSecond,
                           ring.stall_timeout) &&
           ranged(from.lock_timeout_ns, int64_t{1}, 60 * kSecond, 5 * kSecond,
                  into.recovery.lock_timeout);
}

bool depths(weir_log_options const &from, LogOptions &into) noexcept
{
    RingOptions &ring = into.ring;
    return ranged(from.commit_depth, 1u, 16u, 2u, ring.commit_depth) &&
           ranged(from.write_depth, 1u, 32u, smaller(4u, ring.buffer_count - 1),
                  ring.write_depth) &&
           ring.write_depth < ring.buffer_count &&
           ranged(from.spare_segments, 1u, 16u, 1u, into.spare_segments) &&
           ranged(from.io_threads, 1u, 16u, 3u, into.backend.threads) &&
           ranged(from.prepare_rate, kMiB, UINT64_MAX, 256 * kMiB, into.prepare_rate);
}

bool choices(weir_log_options const &from, LogOptions &into) noexcept
{
    constexpr uint32_t kFlags = WEIR_LOG_NO_CREATE | WEIR_LOG_EXCLUSIVE | WEIR_LOG_READ_ONLY |
                                WEIR_LOG_VERIFY_ALL | WEIR_LOG_ANY_FILESYSTEM;
    bool const known = (from.flags & ~kFlags) == 0 && (from.mode & ~0777u) == 0 &&
                       from.recovery <= WEIR_LOG_RECOVERY_POINT_IN_TIME &&
                       from.durability <= WEIR_LOG_DURABILITY_NONE &&
                       from.evidence <= WEIR_LOG_EVIDENCE_BEFORE_ACK &&
                       from.prepare <= WEIR_LOG_PREPARE_FALLOCATED &&
                       from.backend <= WEIR_LOG_BACKEND_PWRITEV2 &&
                       from.direct <= WEIR_LOG_DIRECT_NEVER && from.reserved0 == 0;
    RecoverOptions &recovery = into.recovery;
    recovery.create = (from.flags & WEIR_LOG_NO_CREATE) == 0;
    recovery.exclusive = (from.flags & WEIR_LOG_EXCLUSIVE) != 0;
    recovery.read_only = (from.flags & WEIR_LOG_READ_ONLY) != 0;
    recovery.verify_all = (from.flags & WEIR_LOG_VERIFY_ALL) != 0;
    recovery.permissions = from.mode == 0 ? 0600 : from.mode;
    recovery.mode = static_cast<RecoveryMode>(from.recovery);
    into.any_filesystem = (from.flags & WEIR_LOG_ANY_FILESYSTEM) != 0;
    into.ring.durability = static_cast<Durability>(from.durability);
    into.evidence_before_ack = from.evidence == WEIR_LOG_EVIDENCE_BEFORE_ACK;
    into.prepare = static_cast<Prepare>(from.prepare);
    into.backend.kind = static_cast<BackendKind>(from.backend);
    into.direct = from.direct == WEIR_LOG_DIRECT_AUTO;
    bool const sense = !(recovery.exclusive && (!recovery.create || recovery.read_only));
    return known && sense;
}

// The core's numbers are the public ones.
template <class T> constexpr bool same(T core, uint32_t shown) noexcept
{
    return static_cast<uint32_t>(core) == shown;
}
static_assert(same(LogVerdict::corrupt, WEIR_LOG_CORRUPT) &&
              same(LogFinding::open_chain, WEIR_LOG_FOUND_OPEN_CHAIN) &&
              same(LogFinding::meta, WEIR_LOG_FOUND_META) &&
              same(LogFinding::cursor_slot, WEIR_LOG_FOUND_CURSOR_SLOT) &&
              kLogFindings == WEIR_LOG_FOUND_CURSOR_SLOT + 2);
static_assert(same(kMendedMetaCopy, WEIR_LOG_MENDED_META_COPY) &&
              same(kSalvaged, WEIR_LOG_MENDED_SALVAGED));

template <size_t kSize> void copy_text(char (&into)[kSize], char const *from) noexcept
{
    size_t const length = strnlen(from, kSize - 1);
    std::memcpy(into, from, length);
    into[length] = '\0';
}

} // namespace

int to_core(weir_log_options const &from, LogOptions &into) noexcept
{
    bool const good =
        choices(from, into) && sizes(from, into) && times(from, into) && depths(from, into);
    if (!good)
        return -EINVAL;
    if (from.lease_bytes != 0)
        return -EOPNOTSUPP;
    into.max_bytes = from.max_bytes;
    into.retain_bytes = from.retain_bytes;
    into.retain = from.retain_ns;
    into.backend.depth = into.ring.write_depth;
    return 0;
}

bool parts_ok(weir_log_part const *parts, size_t count, size_t most) noexcept
{
    if (parts == nullptr || count == 0 || count > most)
        return false;
    for (size_t i = 0; i < count; ++i) {
        bool const readable = parts[i].data != nullptr || parts[i].len == 0;
        if (!readable || parts[i].tag > UINT16_MAX || parts[i].reserved0 != 0)
            return false;
    }
    return true;
}

int append(Log &log, Part const *parts, size_t count, Nanoseconds timeout,
           uint64_t *ret_lsn) noexcept
{
    Lsn lsn = 0;
    Status const done = log.ring().append(parts, count, timeout, lsn);
    if (done.ok() && ret_lsn != nullptr)
        *ret_lsn = lsn;
    return done.code;
}

weir_log_info from_core(LogStats const &from) noexcept
{
    weir_log_info info{};
    info.first_lsn = from.first;
    info.durable_lsn = from.durable;
    info.tail_lsn = from.tail;
    info.epoch = from.epoch;
    info.records = from.ring.records;
    info.record_bytes = from.ring.record_bytes;
    info.batches = from.ring.batches;
    info.batch_bytes = from.ring.batch_bytes;
    info.padding_bytes = from.ring.padding_bytes;
    info.waiter_writes = from.ring.writes_by_waiters;
    info.thread_writes = from.ring.writes_by_io_thread;
    info.flushes = from.ring.flushes;
    info.rotations = from.ring.rotations;
    info.room_waits = from.ring.room_waits;
    info.segment_waits = from.ring.segments_not_ready;
    info.stalls = from.ring.stalls;
    info.evictions = from.ring.evictions;
    info.leaked_bytes = from.ring.leaked_bytes;
    info.segments_made = from.segments.made;
    info.segments_recycled = from.segments.recycled;
    info.segments_removed = from.segments.removed;
    info.segments_unzeroed = from.segments.handed_out_unzeroed;
    info.oldest_inflight_ns = from.ring.oldest_inflight;
    static_assert(sizeof info.write_latency == sizeof from.ring.latency);
    std::memcpy(info.write_latency, from.ring.latency, sizeof info.write_latency);
    copy_text(info.backend, from.backend);
    copy_text(info.backend_reason, from.backend_reason);
    info.backend_error =
        static_cast<uint32_t>(from.backend_code < 0 ? -from.backend_code : from.backend_code);
    info.direct = from.direct;
    info.space_guaranteed = from.space_guaranteed;
    info.volatile_storage = from.volatile_storage;
    info.recovered_verdict = static_cast<weir_log_verdict>(from.recovery.verdict);
    info.recovered_finding = static_cast<weir_log_finding>(from.recovery.finding);
    info.recovered_lsn = from.recovery.lsn;
    info.recovered_batches = from.recovery.batches;
    info.recovered_dropped = from.recovery.dropped_batches;
    info.recovered_mended = from.recovery.mended;
    return info;
}

weir_log_report from_core(LogReport const &from) noexcept
{
    weir_log_report report{};
    report.verdict = static_cast<weir_log_verdict>(from.verdict);
    report.finding = static_cast<weir_log_finding>(from.finding);
    report.segment = from.segment;
    report.offset = from.offset;
    report.lsn = from.lsn;
    report.at_end = static_cast<weir_log_finding>(from.at_end);
    report.mended = from.mended;
    report.first_lsn = from.first;
    report.end_lsn = from.end;
    report.durable_lsn = from.durable;
    report.epoch = from.epoch;
    report.scanned_lsn = from.scanned_from;
    report.segments = from.segments;
    report.batches = from.batches;
    report.records = from.records;
    report.record_bytes = from.record_bytes;
    report.padding_bytes = from.padding_bytes;
    report.has_writer = from.has_writer ? 1 : 0;
    report.void_chains = from.void_chains;
    report.dropped_batches = from.dropped_batches;
    report.quarantined_bytes = from.quarantined_bytes;
    report.gaps = from.gaps;
    report.gap_bytes = from.gap_bytes;
    report.cursors = from.cursors;
    return report;
}

} // namespace weir::capi
