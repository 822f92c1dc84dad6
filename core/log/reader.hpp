// SPDX-License-Identifier: MIT OR Apache-2.0
// Readers: files and, if it is mapped, the LIVE page; never the ring. One code path for every
// process.
//
// Limit: what a reader shows ends at the durable LSN. A live writer's comes from LIVE. Without
// LIVE it is what the disk proves: META's hint and the durable LSN of headers behind the reader.
// With kReadWritten: LIVE's `written`, without LIVE everything valid.
//
// A batch is checked whole, in memory of the reader, before any record of it is shown. Records of
// several fragments are joined; an atomic batch is kept until its end was seen. What the reader
// cannot continue is read once more past the page cache, and truncation and a new epoch are ruled
// out (kLapped, kStale), before it is CORRUPT. After an error other than kCorrupt the reader
// stays where it is; after kCorrupt too, and says it again.
#pragma once

#include "core/base/error.hpp"
#include "core/flush/io.hpp"
#include "core/log/buffer.hpp"
#include "core/log/layout.hpp"
#include "core/log/scan.hpp"

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

    /// Something beyond `limit()` is there: a cheap look without reading files. For waiting.
    bool live_has_more() const noexcept;
    /// Where the next record would be looked for.
    Lsn position() const noexcept;
    Lsn limit() const noexcept { return limit_; }
    uint8_t const (&uuid() const noexcept)[16] { return superblock_.uuid; }

    /// After an answer of kCorrupt: what and where. After kRecordAfterGap: the gap's bytes.
    LogFinding finding() const noexcept { return finding_; }
    Lsn finding_lsn() const noexcept { return finding_lsn_; }
    Lsn gap_begin() const noexcept { return gap_begin_; }
    Lsn gap_end() const noexcept { return gap_end_; }

    Reader() noexcept = default; // make<Reader>() alone
    Reader(Reader const &) = delete;
    Reader &operator=(Reader const &) = delete;

  private:
    Superblock superblock_{};
    Lsn limit_ = 0;
    LogFinding finding_ = LogFinding::none;
    Lsn finding_lsn_ = 0;
    Lsn gap_begin_ = 0, gap_end_ = 0;
};

} // namespace weir
