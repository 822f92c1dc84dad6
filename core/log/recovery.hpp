// SPDX-License-Identifier: MIT OR Apache-2.0
// Recovery: from whatever lies on disk to the one place where the log goes on. Start here.
//
// Glossary
//   P          first position that is no valid continuation (scan.hpp): the log's end
//   D          up to where something on disk proves that it was acknowledged: the hint in META,
//              and the durable LSN in every whole header at its own place from P on
//   evidence   those headers
//   epoch      one life of the log, from open to open. A batch at or behind the epoch's start
//              counts only with the epoch of META, so what an open dropped never comes back
//   torn       not a valid continuation, P >= D: nobody was told that it is durable
//   corrupt    not a valid continuation, P < D
//
// Steps and what a death leaves
//   1 lock LOCK, flush and read META               nothing changed
//   2 lock the segments from the hint's on          nothing changed
//   3 flush them and the folder, read past the cache nothing changed
//   4 scan to P, read on for D                      nothing changed
//   5 decide (table in recovery.cpp)                CORRUPT ends here: nothing was changed
//   5a POINT_IN_TIME: hint <- D in both copies; copy [P, end of its segment) and move later
//      segments to quarantine/, each durable. A death leaves P where it is and, by the hint, D.
//   6 META: epoch + 1, start = P, hint = P, state open: first one copy, then the other. A death
//      between: the newer copy counts. The epoch may have grown twice; nothing else.
//   7 remove segments below truncate-before, oldest first, unused segments that are damaged, and
//      spares. Idempotent.
//
// Invariants
//   1 The same bytes give the same P, whichever step was reached before.
//   2 STRICT that says CORRUPT, and READ_ONLY, change no byte on disk.
//   3 No append before step 6 is durable.
//   4 The segment of the last valid batch is never removed: its header is what the next batch
//      links to. (So truncation keeps one more segment if the end is exactly at a segment's end;
//      removable_before() decides, for recovery and for the log's own truncation.)
//   5 hint >= truncate-before and hint >= epoch start: the scan never begins below a kept segment.
//
// Where this differs from the design
//   Without VERIFY_ALL the segments before the hint's are known by name alone; damage in them is
//   told by readers and by verify. A gap among the names makes the whole log be scanned.
//   What lies behind the end of a log that was closed cleanly is unused, whatever it is.
#pragma once

#include "core/base/clock.hpp"
#include "core/base/error.hpp"
#include "core/flush/io.hpp"
#include "core/flush/ring.hpp"
#include "core/log/layout.hpp"
#include "core/log/meta.hpp"
#include "core/log/report.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

enum class RecoveryMode : uint32_t { strict = 0, point_in_time = 1 };

struct RecoverOptions {
    bool create = true;      ///< a log that is not there is made; else -ENOENT
    bool exclusive = false;  ///< one that is there: -EEXIST
    bool read_only = false;  ///< never writes, never locks
    bool verify_all = false; ///< scans from the oldest segment
    RecoveryMode mode = RecoveryMode::strict;
    uint32_t permissions = 0600;
    /// Of a new log. An existing one has its own: 0, or exactly that (-EINVAL).
    uint64_t segment_size = 0;
    uint32_t block = 0; ///< of a new log; 0: from the file system's limits
    Nanoseconds lock_timeout = 5 * kSecond;
    uint8_t new_uuid[16] = {}; ///< of a new log: random, the caller's
    File held_lock = kNoFile;  ///< LOCK, if the caller has locked it; stays the caller's on failure
};
inline constexpr uint64_t kUsualSegment = 64 << 20;

/// One segment that is open for writing and locked.
struct OpenSegment {
    uint64_t number;
    File file;
};

struct Recovered {
    Meta meta; ///< with the superblock as it was written
    RingStart start;
    Lsn durable = 0; ///< all below is durable now: equal to start.at, for READ_ONLY it is D
    bool created = false;
    File lock = kNoFile;
    /// Existing whole segments: [first_segment, end_segment) without a gap. The one that holds
    /// start.at may be missing (then end_segment is its number).
    uint64_t first_segment = 0, end_segment = 0;
    /// Those of them that are open, ascending: from the one with the last batch below the hint on,
    /// and always the one that holds start.at, if it is there. READ_ONLY: none.
    OpenSegment *open = nullptr;
    size_t open_count = 0;
    Limits limits; ///< of META's file system
    LogReport report;
};

/// Steps 1 to 7 but starting threads, preparing segments and publishing LIVE. Fills in
/// `ret.report` also when it fails. -EBUSY -EIO -ENOSPC -ENOMEM -EACCES -ENOENT -EEXIST -EROFS
/// -EINVAL, kCorrupt, kVersion. After a failure nothing is held.
Status recover(Io const &io, RecoverOptions const &options, Recovered &ret) noexcept;
/// Closes what `recovered` still holds (File is kNoFile, open is null: taken over).
void release_recovered(Io const &io, Recovered &recovered) noexcept;

/// Segments below this number may go when everything below `truncate_before` may and `durable` is
/// durable (invariant 4).
uint64_t removable_before(LogGeometry const &geometry, Lsn truncate_before, Lsn durable) noexcept;
/// Unlinks segments [first, end), oldest first, and makes it durable. Not there: fine.
Status remove_segments(Io const &io, LogGeometry const &geometry, uint64_t first,
                       uint64_t end) noexcept;
/// Writes the header block of a segment file. Not durable.
Status write_segment_header(Io const &io, File file, Superblock const &superblock, uint64_t number,
                            uint32_t reused) noexcept;

} // namespace weir
