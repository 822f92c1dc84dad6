// SPDX-License-Identifier: MIT OR Apache-2.0
// What recovery, verify and repair tell about a log.
#pragma once

#include "core/flush/format.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

enum class LogVerdict : uint32_t {
    whole = 0,
    torn = 1, ///< something unacknowledged is dropped, or something spare is mended
    corrupt = 2,
};

/// What was found. Up to segment_damaged: what lies where the valid part ends.
enum class LogFinding : uint32_t {
    none = 0,
    zeros,
    earlier_use,    ///< a whole header of a lower LSN: what a recycled file held before
    dropped,        ///< a whole header for this place, of an epoch that ended before it
    damaged_header, ///< no header, and not zeros
    damaged_record, ///< a record, their number or their digest is wrong
    misdirected,    ///< a whole header of another place in this file or behind it
    broken_link,    ///< sequence or prev_crc is wrong
    segment_missing,
    segment_damaged, ///< too short, or its header is wrong
    open_chain,      ///< the last batch ends inside a chain and nothing follows
    // elsewhere
    meta,           ///< no superblock is valid, or both contradict each other
    higher_epoch,   ///< a batch of an epoch that META does not know: the newer superblock is lost
    closed_end,     ///< META says closed cleanly, and the end is elsewhere
    meta_copy,      ///< one superblock is invalid
    unused_segment, ///< a segment behind the end is short or its header is wrong
    cursor,         ///< both slots of a cursor
    cursor_slot,    ///< one slot of a cursor
};
inline constexpr unsigned kLogFindings = 19;

/// What recovery or repair changed, besides what each open changes.
enum LogMended : uint32_t {
    kMendedMetaCopy = 1,
    kMendedMeta = 2, ///< built anew from the segments
    kMendedSegmentHeader = 4,
    kRemovedUnusedSegment = 8,
    kRemovedTruncated = 16, ///< segments below truncate-before, spares
    kDroppedTail = 32,      ///< something unacknowledged lay behind the end
    kQuarantined = 64,
    kMendedCursor = 128,
    kSalvaged = 256,
};

struct LogReport {
    LogVerdict verdict = LogVerdict::whole;
    /// What decided the verdict; none: nothing to tell. `segment` (its number), `offset` (in its
    /// file) and `lsn` say where, 0 if it is no place in the log.
    LogFinding finding = LogFinding::none;
    uint64_t segment = 0;
    uint64_t offset = 0;
    Lsn lsn = 0;
    /// What lies behind the valid part, whether it decided anything or not.
    LogFinding at_end = LogFinding::none;
    uint32_t mended = 0; ///< LogMended
    Lsn first = 0;       ///< the oldest position that is kept
    Lsn end = 0;         ///< P
    Lsn durable = 0;     ///< D: up to where anything on disk proves that it was acknowledged
    uint64_t epoch = 0;  ///< the log's, when it was looked at
    Lsn scanned_from = 0;
    uint64_t segments = 0;                                                  ///< that exist
    uint64_t batches = 0, records = 0, record_bytes = 0, padding_bytes = 0; ///< in what was scanned
    uint64_t void_chains = 0;
    uint64_t dropped_batches = 0; ///< whole headers of this epoch behind the end
    uint64_t quarantined_bytes = 0;
    uint64_t gaps = 0, gap_bytes = 0; ///< salvage
    uint64_t cursors = 0;
    bool has_writer = false; ///< somebody had it open for appending
};

/// Beside a writer what lies behind the end is its next batch, or none yet: no torn tail.
void beside_writer(LogReport &report) noexcept;

/// "torn tail", "damaged record", ...: for people. Never null.
char const *log_finding_text(LogFinding finding) noexcept;

} // namespace weir
