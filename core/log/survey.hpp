// SPDX-License-Identifier: MIT OR Apache-2.0
// Survey: what a log's files are, without changing anything: the scan, the reading on, and the
// verdict. Recovery, verify and repair act on it.
#pragma once

#include "core/log/buffer.hpp"
#include "core/log/meta.hpp"
#include "core/log/scan.hpp"

namespace weir {

/// Numbers of the segments that have a name, ascending.
class SegmentList {
  public:
    /// Names that are no segment of this geometry are not of this log and left alone.
    Status read(Io const &io, LogGeometry const &geometry) noexcept;
    bool has(uint64_t number) const noexcept;
    bool has_all(uint64_t first, uint64_t last) const noexcept;
    size_t count() const noexcept { return count_; }
    uint64_t operator[](size_t index) const noexcept { return numbers()[index]; }
    uint64_t first() const noexcept { return count_ == 0 ? 0 : numbers()[0]; }
    uint64_t end() const noexcept { return count_ == 0 ? 0 : numbers()[count_ - 1] + 1; }
    /// The end of the run without a gap that holds `number`; `number` if it is not there.
    uint64_t run_end(uint64_t number) const noexcept;
    Status add(uint64_t number) noexcept;

  private:
    uint64_t const *numbers() const noexcept
    {
        return reinterpret_cast<uint64_t const *>(memory_.data());
    }
    void sort() noexcept;
    Buffer memory_;
    size_t count_ = 0;
};

/// What whole headers at their own place say, from `from` on in all segments that are there. They
/// count if they are on their side of the epoch's start, and of `lowest_epoch` or above.
struct Evidence {
    Lsn durable = 0;
    uint64_t batches = 0;       ///< that count, of the superblock's epoch
    uint64_t highest_epoch = 0; ///< of any, whether it counts or not
    Lsn highest_epoch_at = 0;
    uint64_t highest_sequence = 0;
};
Status read_evidence(SegmentSource &source, Superblock const &superblock,
                     SegmentList const &segments, Lsn from, uint64_t lowest_epoch,
                     Evidence &ret) noexcept;

/// Where a scan that looks no further back than needed begins: the segment of the last batch below
/// the hint.
uint64_t survey_start(Superblock const &superblock, SegmentList const &segments) noexcept;

struct Survey {
    BatchLink end; ///< P and what the batch there must link to; sequence 0: nobody knows
    LogFinding found = LogFinding::none;
    Lsn wrong_lsn = 0;
    Lsn durable = 0; ///< D
    LogVerdict verdict = LogVerdict::whole;
    bool open_chain = false;
    /// P's segment is there and its header is right; its length may be wrong.
    bool end_segment_usable = false;
    bool end_segment_short = false;
    /// Segments behind P, or P's, are short or have a wrong header.
    bool unused_damaged = false;
};

inline constexpr size_t kSurveyWindow = 1 << 20;

/// Scans, reads on, judges. `full`: from the oldest segment. Fills in the report too.
Status survey(Io const &io, Superblock const &superblock, SegmentList const &segments, bool full,
              Survey &ret, LogReport &report) noexcept;

/// Reads META and surveys, beside a writer perhaps: what looks damaged is looked at again while
/// the log goes on. `ret_copies` is what was read of META last.
Status survey_live(Io const &io, bool full, MetaCopies &ret_copies, SegmentList &segments,
                   Survey &ret, LogReport &report) noexcept;

/// What it means that there is no META: kCorrupt if there are segments, else ENOENT, no log.
Status meta_missing(Io const &io) noexcept;

/// Names a finding in the report if it is worse than what is there.
void blame(LogReport &report, LogVerdict verdict, LogFinding finding, LogGeometry const &geometry,
           Lsn lsn) noexcept;
/// For a finding that is no place in the log.
void blame(LogReport &report, LogVerdict verdict, LogFinding finding) noexcept;

enum class SegmentState { missing, short_file, damaged, good };
Result<SegmentState> look_at_segment(Io const &io, Superblock const &superblock,
                                     uint64_t number) noexcept;

} // namespace weir
