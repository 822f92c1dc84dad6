// SPDX-License-Identifier: MIT OR Apache-2.0
// Readers: files and, if it is mapped, the LIVE page; never the ring. One code path for every
// process.
//
// Limit: what a reader shows ends at the durable LSN. A live writer's comes from LIVE. Without
// LIVE it is what the disk proves: META's hint and the durable LSN of headers behind the reader.
// With kReadWritten: LIVE's `written`, without LIVE everything valid.
//
// A batch is checked whole, in memory of the reader, before any record of it is shown; in salvage
// each record of a damaged one is checked alone. Records of several fragments are joined; an atomic
// batch is kept until its end was seen. What the reader cannot continue is read once more past the
// page cache, and truncation and a new epoch are ruled out (kLapped, kStale), before it is CORRUPT.
// After an error other than kCorrupt the reader stays where it is; after kCorrupt too, and says it
// again.
#pragma once

#include "core/base/error.hpp"
#include "core/flush/io.hpp"
#include "core/log/buffer.hpp"
#include "core/log/layout.hpp"
#include "core/log/survey.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

enum ReaderFlags : unsigned {
    kReadSalvage = 1, ///< damage is a gap and not an error
    kReadWritten = 2, ///< up to what was written, durable or not
};
inline constexpr unsigned kKnownReaderFlags = 3;

struct RecordView {
    void const *data = nullptr; ///< until the next call
    uint64_t length = 0;
    Lsn lsn = 0;
    uint16_t tag = 0;
};

/// Next: 0 nothing more now, 1 a record, 2 a record after a gap (salvage alone).
enum : int { kNoRecord = 0, kRecord = 1, kRecordAfterGap = 2 };

class Reader {
  public:
    /// `io` is copied and must stay usable; `live` may be null and must stay mapped.
    /// First record at or after `from`; 0: the oldest. -ENOENT: no log. kLapped: `from` was
    /// truncated. kCorrupt (META), kVersion, -EIO, -ENOMEM.
    static Status open(Io const &io, LivePage const *live, Lsn from, unsigned flags,
                       Reader *&ret) noexcept;
    static void close(Reader *reader) noexcept;

    /// Status.code is 0, 1 or 2, or negative: -EIO, -ENOMEM, kLapped, kCorrupt; kStale: a new epoch
    /// began before this position, seek.
    Status next(RecordView &ret) noexcept;
    Status seek(Lsn lsn) noexcept;

    /// LIVE says that there is more than was read: a cheap look without reading files, for waiting.
    bool live_has_more() const noexcept;
    /// From now on this page is the writer's; null: nobody writes, and what it says may be old.
    void believe(LivePage const *live) noexcept { live_ = live; }
    /// Where the next record is looked for.
    Lsn position() const noexcept;
    Lsn limit() const noexcept { return limit_; }
    uint8_t const (&uuid() const noexcept)[16] { return superblock_.uuid; }

    /// After an answer of kCorrupt: what and where. After kRecordAfterGap: the gap's bytes.
    LogFinding finding() const noexcept { return finding_; }
    Lsn finding_lsn() const noexcept { return finding_lsn_; }
    Lsn gap_begin() const noexcept { return gap_begin_; }
    Lsn gap_end() const noexcept { return gap_end_; }
    /// Salvage: bytes of all gaps, and how many.
    uint64_t gap_bytes() const noexcept { return gap_bytes_; }
    uint64_t gaps() const noexcept { return gaps_; }

    /// For open() and repair, which may have no META on disk.
    static Status open_with(Io const &io, Superblock const &superblock, LivePage const *live,
                            Lsn from, unsigned flags, bool fixed, Reader *&ret) noexcept;
    Reader(Io const &io, Superblock const &superblock, LivePage const *live, unsigned flags,
           bool fixed) noexcept;
    Reader(Reader const &) = delete;
    Reader &operator=(Reader const &) = delete;

  private:
    /// One record of a chain that is kept until its end was seen.
    struct Kept {
        Lsn lsn;
        uint64_t offset, length;
        uint16_t tag;
        bool after_gap; ///< something was lost before it, behind the one before
    };

    /// Of what is kept, what will be shown.
    struct Certain {
        size_t count = 0;
        uint64_t bytes = 0;
        bool lost = false; ///< something, behind the last one that is kept
    };

    static constexpr int kGoOn = 3; ///< of the private steps: nothing to tell yet

    // reader.cpp
    Status load_batch() noexcept;
    Status walk_batch(RecordView &ret) noexcept;
    Status take(RecordRef const &record, ChainState::Step step, RecordView &ret) noexcept;
    Status keep(RecordRef const &record) noexcept;
    bool show_kept(RecordView &ret) noexcept;
    void drop_kept() noexcept;
    Status shown(Status status) noexcept;
    Status fail(Status status, LogFinding finding, Lsn lsn) noexcept;
    void restart(BatchLink const &link) noexcept;

    // reader_limit.cpp
    Status refresh_limit(Lsn at) noexcept;
    Status refresh_meta(bool &ret_changed) noexcept;
    bool live_limit(Lsn &ret, uint64_t &ret_epoch) const noexcept;
    Status static_limit(Lsn at) noexcept;
    Status walk_on(Lsn &ret_durable) noexcept;
    Status explain(LogFinding found, Lsn lsn, bool &ret_again) noexcept;
    bool unlimited() const noexcept { return unlimited_; }

    // reader_seek.cpp
    Status find_start(Lsn lsn, BatchLink &ret) noexcept;
    Status hop(uint64_t segment, Lsn lsn, BatchLink &ret, bool &ret_found) noexcept;
    Status skip_gap() noexcept;
    Status next_whole_header(Lsn from, Lsn &ret) noexcept;

    // reader_rescue.cpp
    Status enter_damaged(bool &ret_walks) noexcept;
    Status rescue() noexcept;
    Status rescue_rest(bool &ret_lost_at_end) noexcept;
    Status rescue_record(RecordRef const &record, ChainState &chain, Certain &certain) noexcept;
    void believe_all(Certain &certain) const noexcept;
    Status keep_rescued(RecordRef const &record, Certain &certain) noexcept;
    void forget_doubtful(Certain &certain) noexcept;
    void note_gaps(Lsn from) noexcept;
    void leave_damaged() noexcept;

    Io io_;
    LivePage const *live_;
    Superblock superblock_;
    LogGeometry geometry_;
    unsigned flags_;
    bool fixed_;             ///< META is not read again
    bool unlimited_ = false; ///< written, without LIVE: all that is valid
    bool in_batch_ = false;
    bool damaged_ = false;     ///< salvage: the batch under way is
    bool lost_at_end_ = false; ///< of it something, behind all that is shown
    bool showing_ = false;     ///< a kept chain has ended and is shown
    bool stale_ = false;
    bool after_gap_ = false;
    bool salvage_over_ = false;
    SegmentSource source_; ///< the batch under way lies in its memory
    SegmentSource other_;  ///< for looking elsewhere
    Scan scan_;
    ChainState chain_; ///< where the walk is; the scan's is at the batch's end
    RecordWalk walk_;
    Buffer kept_bytes_, kept_list_;
    uint64_t kept_used_ = 0;
    size_t kept_count_ = 0, kept_shown_ = 0;
    Lsn from_ = 0;
    Lsn limit_ = 0;
    Lsn known_durable_ = 0;
    Lsn evidence_from_ = 0; ///< everything behind it was read for evidence once
    LogFinding finding_ = LogFinding::none;
    Lsn finding_lsn_ = 0;
    Lsn gap_begin_ = 0, gap_end_ = 0;
    uint64_t gap_bytes_ = 0, gaps_ = 0;
};

} // namespace weir
