// SPDX-License-Identifier: MIT OR Apache-2.0
// How far a reader may read: LIVE, META, and evidence on disk. And whether what cannot be read was
// truncated or belongs to another epoch.
#include "core/log/reader.hpp"

#include <cstring>

namespace weir {

/// A whole page of this log's writer, and one moment of it. False: nobody writes.
bool Reader::live_limit(Lsn &ret, uint64_t &ret_epoch) const noexcept
{
    if (live_ == nullptr || memcmp(live_->magic, kLiveMagic, sizeof live_->magic) != 0 ||
        live_->version != kLogVersion || memcmp(live_->uuid, superblock_.uuid, 16) != 0)
        return false;
    // acquire: pairs with the log's release stores; the epoch twice, so that the watermark is its.
    uint64_t const epoch = live_->epoch.load(acquire);
    bool const written = (flags_ & kReadWritten) != 0;
    // acquire: as above; what it covers can be read from the files
    Lsn const limit = written ? live_->written.load(acquire) : live_->durable.load(acquire);
    // acquire: ordered behind the watermark's load by that one's acquire
    if (epoch == 0 || live_->epoch.load(acquire) != epoch)
        return false;
    ret = smaller(limit, kLastLsn);
    ret_epoch = epoch;
    return true;
}

bool Reader::live_has_more() const noexcept
{
    Lsn limit;
    uint64_t epoch;
    if (!live_limit(limit, epoch))
        return false;
    return epoch != superblock_.epoch || limit > position() || position() < limit_;
}

/// META again. A new epoch that began below what was read makes the reader stale.
Status Reader::refresh_meta(bool &ret_changed) noexcept
{
    ret_changed = false;
    if (fixed_)
        return kOk;
    Result<File> const file = io_.files->open(io_.files_self, kMetaName, kOpenRead, 0);
    WEIR_TRY(file);
    MetaCopies copies;
    Status status = Meta::read(io_, *file, copies);
    if (status.code == -kCorrupt)
        status = Meta::read(io_, *file, copies);
    io_.files->close(io_.files_self, *file);
    if (status.code == -kCorrupt)
        return fail(status, LogFinding::meta, 0);
    WEIR_TRY(status);
    Superblock const &now = copies.copy[copies.chosen];
    if (memcmp(now.uuid, superblock_.uuid, sizeof now.uuid) != 0 ||
        now.segment_size != superblock_.segment_size || now.block != superblock_.block)
        return fail(error(kCorrupt), LogFinding::meta, 0);
    if (now.sequence < superblock_.sequence)
        return kOk; // one copy, read in between
    ret_changed = now.epoch != superblock_.epoch || now.sequence != superblock_.sequence;
    if (now.epoch != superblock_.epoch) {
        Lsn const read_to = scan_.link().at;
        bool const next_epoch = now.epoch == superblock_.epoch + 1;
        stale_ |= next_epoch ? geometry_.place(now.epoch_start) < read_to
                             : read_to > geometry_.place(known_durable_);
    }
    superblock_ = now;
    known_durable_ = larger(known_durable_, now.durable_hint);
    return kOk;
}

Status Reader::refresh_limit(Lsn at) noexcept
{
    Lsn limit = 0;
    uint64_t epoch = 0;
    bool changed;
    bool live = live_limit(limit, epoch);
    if (live && epoch != superblock_.epoch) {
        WEIR_TRY(refresh_meta(changed));
        live = live_limit(limit, epoch) && epoch == superblock_.epoch;
    }
    unlimited_ = !live && (flags_ & kReadWritten) != 0;
    if (!live)
        return static_limit(at);
    limit_ = larger(limit_, limit);
    if ((flags_ & kReadWritten) == 0)
        known_durable_ = larger(known_durable_, limit);
    source_.prefetch_below(limit_);
    return kOk;
}

/// Without LIVE: what the disk proves. All of it is read once at each place where the reader comes
/// to an end; asked there again, only what continues there is looked at.
Status Reader::static_limit(Lsn at) noexcept
{
    bool changed;
    WEIR_TRY(refresh_meta(changed));
    Lsn durable = geometry_.place(known_durable_);
    if (at >= durable && evidence_from_ != scan_.link().at) {
        SegmentList segments;
        WEIR_TRY(segments.read(io_, geometry_));
        Evidence evidence;
        WEIR_TRY(read_evidence(other_, superblock_, segments, scan_.link().at, scan_.link().epoch,
                               evidence));
        evidence_from_ = scan_.link().at;
        durable = larger(durable, evidence.durable);
    } else if (at >= durable) {
        WEIR_TRY(walk_on(durable));
    }
    other_.leave();
    known_durable_ = larger(known_durable_, durable);
    limit_ = larger(limit_, durable);
    source_.prefetch_below(limit_);
    return kOk;
}

/// Evidence in the batches that follow, while they are valid.
Status Reader::walk_on(Lsn &ret_durable) noexcept
{
    constexpr unsigned kMostBatches = 64; // of one look; the next goes on from there
    other_.discard();
    Scan ahead(other_, superblock_);
    ahead.begin_at(scan_.link());
    for (unsigned i = 0; i < kMostBatches; ++i) {
        LogFinding found;
        WEIR_TRY(ahead.next(found));
        if (found != LogFinding::none)
            break;
    }
    ret_durable = larger(ret_durable, ahead.durable_seen());
    return kOk;
}

/// What is not valid below the limit: truncated, of a new epoch, or damaged. `ret_again`: META has
/// changed, look again.
Status Reader::explain(LogFinding found, Lsn lsn, bool &ret_again) noexcept
{
    WEIR_TRY(refresh_meta(ret_again));
    if (stale_)
        return error(kStale);
    Lsn truncated = superblock_.truncate_before;
    Lsn limit;
    uint64_t epoch;
    if (live_limit(limit, epoch)) // acquire: pairs with the log's release store
        truncated = larger(truncated, live_->truncated.load(acquire));
    // What lies below the place that was asked for may be gone all the time.
    if (geometry_.place(truncated) > larger(scan_.link().at, from_))
        return fail(error(kLapped), found, lsn);
    return kOk;
}

} // namespace weir
