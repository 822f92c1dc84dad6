// SPDX-License-Identifier: MIT OR Apache-2.0
// Salvage inside a batch: what is shown of one whose header is whole and whose records are not.
//
// Each record has a sum over its LSN and the epoch, so it can be told whole without its neighbours.
// But it may belong to an atomic batch, of which all or nothing is shown, and only the first and the
// last record of that say so. Behind damage records are therefore in doubt. They stand alone if an
// atomic batch begins next, or if the batch ends outside of all chains. If the end of an atomic batch
// comes, they belonged to that, and its begin is lost. Behind the next damage nobody can tell. What
// begins behind damage and goes on in the next batch is not shown.
#include "core/log/reader.hpp"

#include <cstring>

namespace weir {
namespace {
bool has(RecordRef const &record, unsigned flags) noexcept
{
    return (record.header.flags & flags) == flags;
}
} // namespace

/// The batch is walked record by record, each with its sum. Not: it is gone, or its header is now, or
/// only a part of it may be shown.
Status Reader::enter_damaged(bool &ret_walks) noexcept
{
    ret_walks = false;
    BatchLink const link = scan_.link();
    LogFinding found;
    WEIR_TRY(source_.enter(link.at, found));
    uint8_t const *batch = nullptr;
    if (found == LogFinding::none)
        WEIR_TRY(source_.bytes(link.at, geometry_.block, batch));
    if (batch == nullptr || judge_header(batch, superblock_, link) != LogFinding::none)
        return kOk;
    BatchHeader header;
    memcpy(&header, batch, sizeof header);
    Lsn const end = link.at + header.length;
    if (end > limit_ && !unlimited())
        WEIR_TRY(refresh_limit(end - 1));
    if (stale_ || (end > limit_ && !unlimited()))
        return kOk;
    WEIR_TRY(source_.bytes(link.at, header.length, batch));
    if (batch == nullptr || memcmp(batch, &header, sizeof header) != 0)
        return kOk;
    if (begin_batch(header, link, chain_))
        drop_kept();
    walk_ = RecordWalk(batch, epoch_seed(superblock_.uuid, header.epoch));
    scan_.begin_at({link_after(header, geometry_).at, 0, 0, 0});
    in_batch_ = damaged_ = ret_walks = true;
    return kOk;
}

/// At a record that is wrong: those behind it which are certain are shown next. Without memory
/// nothing has happened.
Status Reader::rescue() noexcept
{
    RecordWalk const before = walk_;
    if (Status const done = rescue_rest(lost_at_end_); !done.ok()) {
        walk_ = before;
        drop_kept();
        return done;
    }
    showing_ = kept_count_ != 0;
    kept_shown_ = 0;
    note_gaps(before.lsn());
    return Status{kGoOn};
}

Status Reader::rescue_rest(bool &ret_lost_at_end) noexcept
{
    drop_kept();
    Certain certain;
    certain.lost = true;
    ChainState chain;
    while (walk_.skip_wrong()) {
        chain.reset();
        chain.unknown = true;
        for (RecordRef record; walk_.next(record);)
            WEIR_TRY(rescue_record(record, chain, certain));
        if (walk_.wrong()) {
            forget_doubtful(certain);
            certain.lost = true;
        }
    }
    if (chain.unknown && (walk_.batch().flags & kEndsInsideChain) == 0)
        believe_all(certain);
    forget_doubtful(certain); // what goes on in the next batch is not joined with that
    ret_lost_at_end = certain.lost;
    return kOk;
}

Status Reader::rescue_record(RecordRef const &record, ChainState &chain, Certain &certain) noexcept
{
    if (record.header.type == kPad)
        return kOk;
    uint32_t const outside = walk_.batch().first_outside;
    if (chain.unknown && outside != 0 && record.lsn == walk_.batch().start + outside) {
        forget_doubtful(certain); // the header says that nothing before it stands alone
        chain.reset();
    }
    bool const ends_unknown = chain.unknown && has(record, kGroupEnd) && !has(record, kGroupBegin);
    if (record.header.type == kAborted || ends_unknown) {
        forget_doubtful(certain); // of a void chain, or of one without its begin
        certain.lost = true;
        chain.reset();
        return kOk;
    }
    if (chain.unknown && has(record, kGroupBegin)) {
        believe_all(certain);
        chain.reset();
    }
    if (chain.unknown && !has(record, kWhole)) {
        certain.lost = true; // a fragment is nothing without those beside it
        return kOk;
    }
    if (chain.unknown)
        return keep_rescued(record, certain);
    ChainState::Step const step = chain.next(record.header, record.lsn);
    if (step == ChainState::wrong) {
        forget_doubtful(certain);
        certain.lost = true;
        chain.reset();
        chain.unknown = true;
        return kOk;
    }
    WEIR_TRY(keep_rescued(record, certain));
    if (step != ChainState::goes_on)
        believe_all(certain);
    return kOk;
}

Status Reader::keep_rescued(RecordRef const &record, Certain &certain) noexcept
{
    size_t const before = kept_count_;
    WEIR_TRY(keep(record));
    if (kept_count_ != before)
        reinterpret_cast<Kept *>(kept_list_.data())[before].after_gap = certain.lost;
    certain.lost = false;
    return kOk;
}

void Reader::believe_all(Certain &certain) const noexcept
{
    certain.count = kept_count_;
    certain.bytes = kept_used_;
}

void Reader::forget_doubtful(Certain &certain) noexcept
{
    certain.lost = certain.lost || kept_count_ != certain.count;
    kept_count_ = certain.count;
    kept_used_ = certain.bytes;
}

/// From `from` to the end of the batch all is missing but what is kept.
void Reader::note_gaps(Lsn from) noexcept
{
    auto const *const list = reinterpret_cast<Kept const *>(kept_list_.data());
    Lsn const end = walk_.batch().start + walk_.batch().length;
    uint64_t kept = 0;
    for (size_t i = 0; i < kept_count_; ++i) {
        kept += record_bytes(list[i].length);
        gaps_ += list[i].after_gap ? 1 : 0;
    }
    gaps_ += lost_at_end_ ? 1 : 0;
    gap_begin_ = from;
    gap_end_ = kept_count_ != 0 ? list[0].lsn : end;
    gap_bytes_ += end - from - smaller(kept, end - from);
}

/// The next batch is looked at as after a gap: what is open is not joined with it.
void Reader::leave_damaged() noexcept
{
    RecordRef none;
    bool const wrong = !walk_.next(none) && walk_.wrong(); // its sums; nothing if some was skipped
    if (kept_count_ != 0 || wrong) {
        Lsn const end = walk_.batch().start + walk_.batch().length;
        gap_end_ = end;
        gap_begin_ =
            kept_count_ != 0 ? reinterpret_cast<Kept const *>(kept_list_.data())->lsn : end;
        gap_bytes_ += end - larger(gap_begin_, walk_.batch().start);
        ++gaps_;
        after_gap_ = true;
    }
    after_gap_ = after_gap_ || lost_at_end_;
    drop_kept();
    chain_.reset();
    damaged_ = lost_at_end_ = false;
}

} // namespace weir
