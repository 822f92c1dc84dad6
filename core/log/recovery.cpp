// SPDX-License-Identifier: MIT OR Apache-2.0
// The steps of recovery; recovery.hpp says what a death in each of them leaves.
#include "core/log/recovery.hpp"

#include "core/log/cursor.hpp"
#include "core/log/quarantine.hpp"
#include "core/log/survey.hpp"

#include <cstring>
#include <utility>

namespace weir {
namespace {

/// One recovery under way.
struct Recovery {
    Io const &io;
    RecoverOptions const &options;
    Recovered &out;
    SegmentList segments;
    Survey survey;

    LogGeometry geometry() const noexcept { return geometry_of(out.meta.now()); }
};

bool options_sane(RecoverOptions const &options) noexcept
{
    if (options.segment_size != 0 &&
        (!is_power_of_two(options.segment_size) || options.segment_size > kLargestSegment))
        return false;
    return options.block == 0 ||
           (is_power_of_two(options.block) && options.block >= kSmallestBlock &&
            options.block <= kLargestBlock &&
            (options.segment_size == 0 || options.segment_size >= 2ull * options.block));
}

Status exists(Io const &io, char const *name) noexcept
{
    Result<File> const file = io.files->open(io.files_self, name, kOpenRead, 0);
    WEIR_TRY(file);
    io.files->close(io.files_self, *file);
    return kOk;
}

/// Step 1: the one process. Where no log is to be made, nothing is made for its lock either.
Status lock_log(Recovery &r) noexcept
{
    if (r.options.held_lock != kNoFile) {
        r.out.lock = r.options.held_lock;
        return kOk;
    }
    if (!r.options.create)
        WEIR_TRY(exists(r.io, kMetaName));
    Result<File> const lock = r.io.files->open(r.io.files_self, kLockName, kOpenWrite | kOpenCreate,
                                               r.options.permissions);
    WEIR_TRY(lock);
    Status const held = r.io.files->lock(r.io.files_self, *lock, r.options.lock_timeout);
    if (!held.ok()) {
        r.io.files->close(r.io.files_self, *lock);
        return held;
    }
    r.out.lock = *lock;
    return kOk;
}

// ---- a new log

Status first_superblock(Recovery const &r, Superblock &ret) noexcept
{
    memset(&ret, 0, sizeof ret);
    ret.version = kLogVersion;
    ret.block = r.options.block != 0 ? r.options.block
                                     : larger(kSmallestBlock, r.out.limits.offset_alignment);
    ret.segment_size = r.options.segment_size != 0 ? r.options.segment_size : kUsualSegment;
    if (ret.block > kLargestBlock || ret.segment_size < 2ull * ret.block)
        return error(EINVAL);
    memcpy(ret.uuid, r.options.new_uuid, sizeof ret.uuid);
    ret.checksum = kChecksumCrc32c;
    ret.epoch = 1;
    ret.epoch_start = ret.durable_hint = ret.block;
    ret.epoch_start_sequence = 1;
    ret.state = kLogOpen;
    ret.created_ns = real_now();
    return kOk;
}

void start_from(Superblock const &superblock, RingStart &ret) noexcept
{
    memcpy(ret.uuid, superblock.uuid, sizeof ret.uuid);
    ret.epoch = superblock.epoch;
    ret.at = superblock.epoch_start;
    ret.sequence = superblock.epoch_start_sequence;
    ret.prev_crc = superblock.epoch_prev_crc;
}

Status read_limits(Recovery &r, File file) noexcept
{
    Result<Limits> const limits = r.io.files->limits(r.io.files_self, file);
    WEIR_TRY(limits);
    r.out.limits = *limits;
    return kOk;
}

/// Segments without META are no new log.
Status refuse_orphans(Recovery &r) noexcept
{
    Status const status = meta_missing(r.io);
    if (status.code == -ENOENT)
        return kOk;
    if (status.code == -kCorrupt)
        blame(r.out.report, LogVerdict::corrupt, LogFinding::meta);
    return status;
}

Status create_log(Recovery &r) noexcept
{
    WEIR_TRY(refuse_orphans(r));
    if (!r.options.create || r.options.read_only)
        return error(ENOENT);
    WEIR_TRY(read_limits(r, r.out.lock));
    Superblock first;
    WEIR_TRY(first_superblock(r, first));
    WEIR_TRY(r.out.meta.create(r.io, first, r.options.permissions));
    start_from(r.out.meta.now(), r.out.start);
    r.out.durable = r.out.start.at;
    r.out.created = true;
    r.out.report.first = r.out.report.end = r.out.report.durable = r.out.start.at;
    r.out.report.epoch = 1;
    return kOk;
}

// ---- steps 1 to 3

Status read_meta(Recovery &r) noexcept
{
    MetaCopies copies;
    Status const status =
        r.options.read_only ? r.out.meta.open_to_read(r.io, copies) : r.out.meta.open(r.io, copies);
    if (status.code == -kCorrupt)
        blame(r.out.report, LogVerdict::corrupt, LogFinding::meta);
    WEIR_TRY(status);
    Superblock const &now = r.out.meta.now();
    if (now.ro_compat != 0 && !r.options.read_only)
        return error(kVersion);
    if (r.options.segment_size != 0 && r.options.segment_size != now.segment_size)
        return error(EINVAL);
    return r.options.read_only ? kOk : read_limits(r, r.out.meta.file());
}

/// Requests of a killed process keep its files open, and locked, after LOCK is free: they would
/// land on top of new batches.
Status lock_segment(Recovery &r, uint64_t number) noexcept
{
    char name[kSegmentNameBytes];
    segment_name(number * r.geometry().segment_size, name);
    Result<File> const file = r.io.files->open(r.io.files_self, name, kOpenWrite | kOpenDirect, 0);
    WEIR_TRY(file);
    r.out.open[r.out.open_count++] = {number, *file};
    WEIR_TRY(r.io.files->lock(r.io.files_self, *file, r.options.lock_timeout));
    return r.io.files->fdatasync(r.io.files_self, *file);
}

/// Steps 2 and 3. The folder first: what is listed is then durable.
Status lock_and_flush(Recovery &r) noexcept
{
    WEIR_TRY(r.io.files->fsync_dir(r.io.files_self, ""));
    WEIR_TRY(r.segments.read(r.io, r.geometry()));
    uint64_t const first = survey_start(r.out.meta.now(), r.segments);
    r.out.open =
        static_cast<OpenSegment *>(allocate((r.segments.count() + 1) * sizeof(OpenSegment)));
    if (r.out.open == nullptr)
        return error(ENOMEM);
    for (size_t i = 0; i < r.segments.count(); ++i)
        if (r.segments[i] >= first)
            WEIR_TRY(lock_segment(r, r.segments[i]));
    return kOk;
}

// ---- steps 6 and 7

/// What the ring may go on with if the whole beginning is lost and nobody knows the sequence.
void complete_link(Superblock const &superblock, BatchLink &link) noexcept
{
    if (link.sequence != 0)
        return;
    link.sequence = superblock.epoch_start_sequence + 1;
    link.prev_crc = 0;
}

Status begin_epoch(Recovery &r) noexcept
{
    complete_link(r.out.meta.now(), r.survey.end);
    Superblock next = r.out.meta.now();
    if (r.out.meta.copy_is_bad())
        r.out.report.mended |= kMendedMetaCopy;
    next.epoch += 1;
    next.epoch_start = next.durable_hint = r.survey.end.at;
    next.epoch_start_sequence = r.survey.end.sequence;
    next.epoch_prev_crc = r.survey.end.prev_crc;
    next.truncate_before = smaller(next.truncate_before, next.durable_hint);
    next.state = kLogOpen;
    WEIR_TRY(r.out.meta.write_both(r.io, next));
    start_from(r.out.meta.now(), r.out.start);
    r.out.durable = r.out.start.at;
    return kOk;
}

/// Closes and forgets open segments from `number` on.
void close_from(Recovery &r, uint64_t number) noexcept
{
    size_t kept = 0;
    for (size_t i = 0; i < r.out.open_count; ++i) {
        if (r.out.open[i].number < number)
            r.out.open[kept++] = r.out.open[i];
        else
            r.io.files->close(r.io.files_self, r.out.open[i].file);
    }
    r.out.open_count = kept;
}

/// A file that was cut behind the end: it gets its length back.
Status lengthen(Recovery &r, uint64_t number) noexcept
{
    for (size_t i = 0; i < r.out.open_count; ++i) {
        if (r.out.open[i].number != number || !r.survey.end_segment_short)
            continue;
        File const file = r.out.open[i].file;
        WEIR_TRY(r.io.files->prealloc(r.io.files_self, file, 0, r.geometry().segment_size));
        WEIR_TRY(r.io.files->fsync(r.io.files_self, file));
        r.out.report.mended |= kMendedSegmentHeader;
    }
    return kOk;
}

Status unlink_segment(Recovery &r, uint64_t number) noexcept
{
    char name[kSegmentNameBytes];
    segment_name(number * r.geometry().segment_size, name);
    Status const gone = r.io.files->unlink(r.io.files_self, name);
    return gone.code == -ENOENT ? kOk : gone;
}

/// Unused segments that are damaged, or lie behind a gap, go; P's own is mended.
Status mend_unused(Recovery &r) noexcept
{
    uint64_t const own = r.geometry().number(r.out.start.at);
    // Read well a moment ago: what is below P in it must not go because of a second reading.
    if (!r.survey.end_segment_usable &&
        r.out.start.at != r.geometry().place(own * r.geometry().segment_size))
        return error(EIO);
    uint64_t end = r.survey.end_segment_usable ? own + 1 : own;
    for (; r.segments.has(end) && end > own; ++end) {
        Result<SegmentState> const state = look_at_segment(r.io, r.out.meta.now(), end);
        WEIR_TRY(state);
        if (*state != SegmentState::good)
            break;
    }
    if (r.survey.end_segment_usable)
        WEIR_TRY(lengthen(r, own));
    close_from(r, end);
    for (size_t i = 0; i < r.segments.count(); ++i) {
        if (r.segments[i] < end)
            continue;
        WEIR_TRY(unlink_segment(r, r.segments[i]));
        r.out.report.mended |= kRemovedUnusedSegment;
    }
    r.out.end_segment = end;
    return kOk;
}

Status remove_spares(Recovery &r) noexcept
{
    // Names are unlinked one listing at a time: a folder must not change while it is read.
    for (unsigned round = 0; round < 4096; ++round) {
        uint64_t found = UINT64_MAX;
        WEIR_TRY(r.io.files->list(
            r.io.files_self, "",
            [](void *userdata, char const *name) {
                return !parse_spare_name(name, *static_cast<uint64_t *>(userdata));
            },
            &found));
        if (found == UINT64_MAX)
            return kOk;
        char name[kSegmentNameBytes];
        spare_name(found, name);
        WEIR_TRY(r.io.files->unlink(r.io.files_self, name));
        r.out.report.mended |= kRemovedTruncated;
    }
    return kOk;
}

Status clean_up(Recovery &r) noexcept
{
    WEIR_TRY(mend_unused(r));
    uint64_t const first =
        removable_before(r.geometry(), r.out.meta.now().truncate_before, r.out.start.at);
    if (r.segments.count() != 0 && r.segments.first() < first) {
        for (size_t i = 0; i < r.segments.count() && r.segments[i] < first; ++i)
            WEIR_TRY(unlink_segment(r, r.segments[i]));
        r.out.report.mended |= kRemovedTruncated;
    }
    r.out.first_segment = r.segments.count() == 0
                              ? r.out.end_segment
                              : smaller(larger(r.segments.first(), first), r.out.end_segment);
    WEIR_TRY(remove_spares(r));
    auto const mended = mend_cursors(r.io, r.out.meta.now().uuid, r.out.start.at);
    WEIR_TRY(mended);
    if (*mended)
        r.out.report.mended |= kMendedCursor;
    constexpr uint32_t kNames = kRemovedUnusedSegment | kRemovedTruncated;
    return (r.out.report.mended & kNames) != 0 ? r.io.files->fsync_dir(r.io.files_self, "") : kOk;
}

// ---- the whole

/// The log may end far before the segments that were opened.
Status open_end_segment(Recovery &r) noexcept
{
    uint64_t const own = r.geometry().number(r.survey.end.at);
    for (size_t i = 0; i < r.out.open_count; ++i)
        if (r.out.open[i].number == own)
            return kOk;
    return r.segments.has(own) ? lock_segment(r, own) : kOk;
}

Status decide(Recovery &r) noexcept
{
    if (r.survey.verdict != LogVerdict::corrupt) {
        if (r.survey.verdict == LogVerdict::torn && r.out.meta.now().state == kLogOpen)
            r.out.report.mended |= kDroppedTail;
        return kOk;
    }
    bool const meta = r.out.report.finding == LogFinding::higher_epoch ||
                      r.out.report.finding == LogFinding::closed_end;
    if (r.options.mode != RecoveryMode::point_in_time || meta || r.options.read_only)
        return error(kCorrupt);
    // The evidence that D reaches behind P is about to be moved away: META keeps it meanwhile.
    if (r.survey.durable > r.out.meta.now().durable_hint) {
        Superblock next = r.out.meta.now();
        next.durable_hint = r.survey.durable;
        WEIR_TRY(r.out.meta.write_both(r.io, next));
    }
    close_from(r, r.geometry().number(r.survey.end.at) + 1);
    WEIR_TRY(quarantine(r.io, r.out.meta.now(), r.segments, r.survey.end.at,
                        r.survey.end_segment_usable, r.out.report));
    WEIR_TRY(r.segments.read(r.io, r.geometry()));
    return open_end_segment(r);
}

/// Perhaps beside a writer: what it writes between two readings must not look like damage.
Status look_only(Recovery &r) noexcept
{
    MetaCopies copies;
    WEIR_TRY(survey_live(r.io, r.options.verify_all, copies, r.segments, r.survey, r.out.report));
    r.out.meta.adopt(copies);
    start_from(r.out.meta.now(), r.out.start);
    r.out.start.at = r.survey.end.at;
    r.out.start.sequence = r.survey.end.sequence;
    r.out.start.prev_crc = r.survey.end.prev_crc;
    r.out.durable = smaller(r.survey.durable, r.survey.end.at);
    r.out.first_segment = r.segments.first();
    r.out.end_segment = r.segments.end();
    return decide(r);
}

Status recover_steps(Recovery &r) noexcept
{
    if (!options_sane(r.options))
        return error(EINVAL);
    if (!r.options.read_only)
        WEIR_TRY(lock_log(r));
    Status const meta = read_meta(r);
    if (meta.code == -ENOENT)
        return create_log(r);
    WEIR_TRY(meta);
    if (r.options.exclusive)
        return error(EEXIST);
    if (r.options.read_only)
        return look_only(r);
    WEIR_TRY(lock_and_flush(r));
    WEIR_TRY(
        survey(r.io, r.out.meta.now(), r.segments, r.options.verify_all, r.survey, r.out.report));
    if (r.out.meta.copy_is_bad())
        blame(r.out.report, LogVerdict::torn, LogFinding::meta_copy);
    WEIR_TRY(decide(r));
    WEIR_TRY(begin_epoch(r));
    return clean_up(r);
}

} // namespace

Status recover(Io const &io, RecoverOptions const &options, Recovered &ret) noexcept
{
    Recovery r{io, options, ret, {}, {}};
    Status const status = recover_steps(r);
    if (!status.ok()) {
        if (ret.lock == options.held_lock)
            ret.lock = kNoFile;
        release_recovered(io, ret);
    }
    return status;
}

void release_recovered(Io const &io, Recovered &recovered) noexcept
{
    for (size_t i = 0; i < recovered.open_count; ++i)
        if (recovered.open[i].file != kNoFile)
            io.files->close(io.files_self, recovered.open[i].file);
    deallocate(recovered.open);
    recovered.open = nullptr;
    recovered.open_count = 0;
    recovered.meta.close(io);
    if (recovered.lock != kNoFile)
        io.files->close(io.files_self, recovered.lock);
    recovered.lock = kNoFile;
}

uint64_t removable_before(LogGeometry const &geometry, Lsn truncate_before, Lsn durable) noexcept
{
    Lsn const end = geometry.place(durable);
    uint64_t last = geometry.number(end);
    if (end == geometry.place(geometry.base(end)) && last != 0)
        --last; // nothing is in the end's own segment yet
    return smaller(geometry.number(truncate_before), last);
}

Status remove_segments(Io const &io, LogGeometry const &geometry, uint64_t first,
                       uint64_t end) noexcept
{
    for (uint64_t number = first; number < end; ++number) {
        char name[kSegmentNameBytes];
        segment_name(number * geometry.segment_size, name);
        Status const gone = io.files->unlink(io.files_self, name);
        if (gone.code != -ENOENT)
            WEIR_TRY(gone);
    }
    return first < end ? io.files->fsync_dir(io.files_self, "") : kOk;
}

Status write_segment_header(Io const &io, File file, Superblock const &superblock, uint64_t number,
                            uint32_t reused) noexcept
{
    Buffer block;
    WEIR_TRY(block.reserve(superblock.block));
    memset(block.data(), 0, superblock.block);
    make_segment_header(superblock, number, reused,
                        *reinterpret_cast<SegmentHeader *>(block.data()));
    return io.files->pwrite(io.files_self, file, block.data(), superblock.block, 0);
}

} // namespace weir
