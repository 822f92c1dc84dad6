// SPDX-License-Identifier: MIT OR Apache-2.0
// Repair, in its order: META, headers of segments, then recovery.
#include "core/log/repair.hpp"

#include "core/log/rebuild.hpp"
#include "core/log/salvage.hpp"

namespace weir {
namespace {

struct Repair {
    Io const &io;
    RepairOptions const &options;
    LogReport &report;
    File lock = kNoFile;
    Superblock superblock{};
    bool rebuilt = false; ///< META on disk is of no use
};

/// An empty folder gets no LOCK.
Status something_is_there(Io const &io) noexcept
{
    SegmentList segments;
    WEIR_TRY(segments.read(io, LogGeometry{1, 1}));
    if (segments.count() != 0)
        return kOk;
    Result<File> const meta = io.files->open(io.files_self, kMetaName, kOpenRead, 0);
    WEIR_TRY(meta);
    io.files->close(io.files_self, *meta);
    return kOk;
}

Status lock_log(Repair &r) noexcept
{
    WEIR_TRY(something_is_there(r.io));
    Result<File> const lock = r.io.files->open(r.io.files_self, kLockName, kOpenWrite | kOpenCreate,
                                               r.options.permissions);
    WEIR_TRY(lock);
    r.lock = *lock;
    return r.io.files->lock(r.io.files_self, r.lock, r.options.lock_timeout);
}

/// META as it is, or from the segments. A batch of a higher epoch, or an end behind a clean one,
/// shows that what is valid there is too old.
Status find_superblock(Repair &r) noexcept
{
    MetaCopies copies;
    SegmentList segments;
    Survey found;
    Status const status = survey_live(r.io, true, copies, segments, found, r.report);
    bool const outdated =
        r.report.finding == LogFinding::higher_epoch || r.report.finding == LogFinding::closed_end;
    if (status.ok() && !outdated) {
        r.superblock = copies.copy[copies.chosen];
        if (copies.state[copies.chosen ^ 1] == CopyState::invalid)
            blame(r.report, LogVerdict::torn, LogFinding::meta_copy);
        return kOk;
    }
    if (!status.ok() && status.code != -kCorrupt && status.code != -ENOENT)
        return status;
    if (status.code == -ENOENT)
        blame(r.report, LogVerdict::corrupt, LogFinding::meta);
    r.rebuilt = true;
    return rebuild_superblock(r.io, r.superblock, r.report);
}

Status write_rebuilt(Repair &r) noexcept
{
    Meta meta;
    Status const status = meta.create(r.io, r.superblock, r.options.permissions);
    meta.close(r.io);
    return status;
}

RecoverOptions recover_options(Repair const &r) noexcept
{
    RecoverOptions options;
    options.create = false;
    options.verify_all = true;
    options.mode = r.options.mode;
    options.permissions = r.options.permissions;
    options.lock_timeout = r.options.lock_timeout;
    options.held_lock = r.lock;
    return options;
}

/// Recovery, and a clean end, so that verify finds nothing any more.
Status recover_and_close(Repair &r) noexcept
{
    uint32_t const mended = r.report.mended;
    LogReport const before = r.report;
    Recovered log;
    Status const status = recover(r.io, recover_options(r), log);
    r.report = log.report;
    r.report.mended |= mended;
    if (r.report.finding == LogFinding::none)
        blame(r.report, before.verdict, before.finding);
    WEIR_TRY(status);
    Superblock next = log.meta.now();
    next.state = kLogClosed;
    Status const closed = log.meta.write_both(r.io, next);
    log.lock = kNoFile; // ours
    release_recovered(r.io, log);
    return closed;
}

Status repair_in_place(Repair &r) noexcept
{
    WEIR_TRY(find_superblock(r));
    if (r.options.salvage_to != nullptr) {
        WEIR_TRY(salvage(r.io, r.superblock, *r.options.salvage_to, r.options.new_uuid,
                         r.options.permissions, r.report));
        return Status{1};
    }
    if (r.report.verdict == LogVerdict::whole)
        return Status{0};
    WEIR_TRY(rebuild_segment_headers(r.io, r.superblock, r.report));
    if (r.rebuilt)
        WEIR_TRY(write_rebuilt(r));
    WEIR_TRY(recover_and_close(r));
    return Status{1};
}

} // namespace

Status repair(Io const &io, RepairOptions const &options, LogReport &ret) noexcept
{
    Repair r{io, options, ret};
    Status status = lock_log(r);
    if (status.ok())
        status = repair_in_place(r);
    if (r.lock != kNoFile)
        io.files->close(io.files_self, r.lock);
    return status;
}

} // namespace weir
