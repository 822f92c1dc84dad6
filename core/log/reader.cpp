// SPDX-License-Identifier: MIT OR Apache-2.0
// Reading on: batch by batch, record by record, chains whole.
#include "core/log/reader.hpp"

#include "core/log/survey.hpp"

#include <cstring>

namespace weir {
namespace {
constexpr size_t kReaderWindow = 256 << 10;
}

Reader::Reader(Io const &io, Superblock const &superblock, LivePage const *live, unsigned flags,
               bool fixed) noexcept
    : io_(io), live_(live), superblock_(superblock), geometry_(geometry_of(superblock)),
      flags_(flags), fixed_(fixed), source_(io_, superblock_, kReaderWindow, false),
      other_(io_, superblock_, kReaderWindow, false), scan_(source_, superblock_)
{
    if ((flags & kReadSalvage) != 0)
        source_.ignore_headers(), other_.ignore_headers();
}

Status Reader::open(Io const &io, LivePage const *live, Lsn from, unsigned flags,
                    Reader *&ret) noexcept
{
    if ((flags & ~kKnownReaderFlags) != 0)
        return error(EINVAL);
    Result<File> const file = io.files->open(io.files_self, kMetaName, kOpenRead, 0);
    if (file.status().code == -ENOENT)
        return meta_missing(io);
    WEIR_TRY(file);
    MetaCopies copies;
    Status status = Meta::read(io, *file, copies);
    if (status.code == -kCorrupt) // perhaps both were read while they were written
        status = Meta::read(io, *file, copies);
    io.files->close(io.files_self, *file);
    WEIR_TRY(status);
    return open_with(io, copies.copy[copies.chosen], live, from, flags, false, ret);
}

Status Reader::open_with(Io const &io, Superblock const &superblock, LivePage const *live, Lsn from,
                         unsigned flags, bool fixed, Reader *&ret) noexcept
{
    Reader *const reader = make<Reader>(io, superblock, live, flags, fixed);
    if (reader == nullptr)
        return error(ENOMEM);
    Status const status = reader->seek(from);
    if (!status.ok()) {
        destroy(reader);
        return status;
    }
    ret = reader;
    return kOk;
}

void Reader::close(Reader *reader) noexcept { destroy(reader); }

Lsn Reader::position() const noexcept
{
    Lsn at = in_batch_ && !walk_.at_end() ? walk_.lsn() : scan_.link().at;
    if (kept_count_ != 0)
        at = reinterpret_cast<Kept const *>(kept_list_.data())[showing_ ? kept_shown_ : 0].lsn;
    return larger(at, from_);
}

Status Reader::fail(Status status, LogFinding finding, Lsn lsn) noexcept
{
    finding_ = finding;
    finding_lsn_ = lsn;
    return status;
}

void Reader::restart(BatchLink const &link) noexcept
{
    scan_.begin_at(link);
    chain_.reset();
    drop_kept();
    in_batch_ = damaged_ = lost_at_end_ = false;
}

Status Reader::shown(Status status) noexcept
{
    if (status.code != kRecord || !after_gap_)
        return status;
    after_gap_ = false;
    return Status{kRecordAfterGap};
}

Status Reader::next(RecordView &ret) noexcept
{
    if (stale_)
        return error(kStale);
    // Ends: each turn shows a record, walks a record, loads a batch, or returns.
    for (;;) {
        if (showing_ && show_kept(ret))
            return shown(Status{kRecord});
        Status const status = in_batch_ ? walk_batch(ret) : load_batch();
        if (!status.ok())
            return status;
        if (status.code != kGoOn)
            return shown(status);
    }
}

// ---- records

/// kRecord: shown. kNoRecord: the limit. kGoOn: look again.
Status Reader::walk_batch(RecordView &ret) noexcept
{
    if (walk_.at_end()) {
        if (damaged_)
            leave_damaged();
        in_batch_ = false;
        return Status{kGoOn};
    }
    if (walk_.lsn() >= limit_ && !unlimited()) {
        WEIR_TRY(refresh_limit(walk_.lsn()));
        if (stale_)
            return error(kStale);
        if (walk_.lsn() >= limit_ && !unlimited())
            return Status{kNoRecord};
    }
    uint32_t const first_outside = walk_.batch().first_outside;
    RecordRef record;
    if (!walk_.next(record))
        return damaged_ ? rescue() : fail(error(kCorrupt), LogFinding::damaged_record, walk_.lsn());
    if (chain_.unknown && first_outside != 0 && record.lsn >= walk_.batch().start + first_outside)
        chain_.reset();
    if (chain_.unknown)
        return Status{kGoOn};
    ChainState const before = chain_;
    Status const taken = take(record, chain_.next(record.header, record.lsn), ret);
    if (!taken.ok()) { // no memory: it is taken again
        chain_ = before;
        walk_.step_back(record.header);
    }
    return taken;
}

Status Reader::take(RecordRef const &record, ChainState::Step step, RecordView &ret) noexcept
{
    if (step == ChainState::wrong)
        return damaged_ ? rescue() : fail(error(kCorrupt), LogFinding::damaged_record, record.lsn);
    if (step == ChainState::voided)
        drop_kept();
    if (record.header.type != kData)
        return Status{kGoOn};
    if (step == ChainState::outside) {
        if (record.lsn < from_)
            return Status{kGoOn};
        ret = {record.payload, record.header.length, record.lsn, record.header.tag};
        return Status{kRecord};
    }
    WEIR_TRY(keep(record));
    showing_ = step == ChainState::ends;
    kept_shown_ = 0;
    return Status{kGoOn};
}

/// Adds a record, or a fragment to the last one.
Status Reader::keep(RecordRef const &record) noexcept
{
    uint64_t const length = record.header.length;
    bool const first = (record.header.flags & kFirst) != 0;
    uint64_t const at = first ? round_up(kept_used_, kRecordAlignment) : kept_used_;
    if (!first && kept_count_ == 0) // cannot be: the chain was checked
        return fail(error(kCorrupt), LogFinding::damaged_record, record.lsn);
    if (at + length > uint64_t{kLargestRecord} * 2)
        return fail(error(kCorrupt), LogFinding::damaged_record, record.lsn);
    if (at + length >= kept_bytes_.size()) // also for an empty one, which then has an address
        WEIR_TRY(kept_bytes_.reserve(larger(at + length + 1, kept_bytes_.size() * 2), kept_used_));
    if (first) {
        size_t const used = kept_count_ * sizeof(Kept);
        if (used + sizeof(Kept) > kept_list_.size())
            WEIR_TRY(kept_list_.reserve(larger(size_t{kPage}, kept_list_.size() * 2), used));
        Kept const kept{record.lsn, at, 0, record.header.tag, false};
        memcpy(kept_list_.data() + used, &kept, sizeof kept);
        ++kept_count_;
    }
    memcpy(kept_bytes_.data() + at, record.payload, length);
    reinterpret_cast<Kept *>(kept_list_.data())[kept_count_ - 1].length += length;
    kept_used_ = at + length;
    return kOk;
}

bool Reader::show_kept(RecordView &ret) noexcept
{
    auto const *const list = reinterpret_cast<Kept const *>(kept_list_.data());
    while (kept_shown_ < kept_count_) {
        Kept const &kept = list[kept_shown_++];
        if (kept.lsn < from_)
            continue;
        after_gap_ = after_gap_ || kept.after_gap;
        ret = {kept_bytes_.data() + kept.offset, kept.length, kept.lsn, kept.tag};
        if (kept_shown_ == kept_count_) // the bytes stay until the next call
            drop_kept();
        return true;
    }
    drop_kept();
    return false;
}

void Reader::drop_kept() noexcept
{
    showing_ = false;
    kept_count_ = kept_shown_ = 0;
    kept_used_ = 0;
}

// ---- batches

/// kGoOn: a batch was loaded, or a gap was skipped. kNoRecord: nothing more now.
Status Reader::load_batch() noexcept
{
    if (salvage_over_)
        return Status{kNoRecord};
    // Twice what changes: META's epoch, and a file's bytes past the page cache.
    for (unsigned attempt = 0; attempt < 8; ++attempt) {
        Lsn const at = scan_.link().at;
        if (at >= limit_)
            WEIR_TRY(refresh_limit(at));
        if (stale_)
            return error(kStale);
        bool const beyond = at >= limit_;
        if (beyond && !unlimited())
            return Status{kNoRecord};
        BatchLink const before = scan_.link();
        LogFinding found;
        WEIR_TRY(scan_.next(found));
        if (found == LogFinding::none) {
            walk_ = RecordWalk(scan_.batch(), 0, true);
            if (begin_batch(walk_.batch(), before, chain_))
                drop_kept();
            in_batch_ = true;
            return Status{kGoOn};
        }
        Lsn const wrong = scan_.wrong_lsn();
        source_.forget();
        source_.leave();
        if (beyond)
            return Status{kNoRecord};
        if (attempt == 0)
            continue;
        bool again;
        WEIR_TRY(explain(found, wrong, again));
        if (again)
            continue;
        if ((flags_ & kReadSalvage) == 0)
            return fail(error(kCorrupt), found, wrong);
        bool walks = false;
        if (found == LogFinding::damaged_record)
            WEIR_TRY(enter_damaged(walks));
        if (stale_)
            return error(kStale);
        return walks ? Status{kGoOn} : skip_gap();
    }
    return fail(error(kCorrupt), LogFinding::meta, scan_.link().at);
}

} // namespace weir
