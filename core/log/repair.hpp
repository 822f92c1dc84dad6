// SPDX-License-Identifier: MIT OR Apache-2.0
// Repair: makes a log that STRICT refuses one that opens, without dropping anything that is whole
// unless the caller names it.
//
//   always          both superblocks lost: META from the segments' headers and batches; headers of
//                   segments from META and their place; one superblock, a torn tail: as open does
//   POINT_IN_TIME   the log ends before the first damage; the rest goes to quarantine/
//   salvage         what is whole goes, record by record, into a new log in another, empty folder;
//                   the old one is not changed. LSNs are new: it is another log
//
// A death: META and headers are written whole and then renamed or flushed, in this order: headers,
// META, then recovery's own steps. Each step leaves a log that a second repair repairs.
#pragma once

#include "core/base/clock.hpp"
#include "core/base/error.hpp"
#include "core/flush/io.hpp"
#include "core/log/recovery.hpp"
#include "core/log/report.hpp"

namespace weir {

struct RepairOptions {
    RecoveryMode mode = RecoveryMode::strict;
    Io const *salvage_to = nullptr; ///< an empty folder: salvage
    uint32_t permissions = 0600;
    Nanoseconds lock_timeout = 5 * kSecond;
    uint8_t new_uuid[16] = {}; ///< of the salvaged log: random, the caller's
};

/// 0: nothing to do, 1: repaired, as Status.code. kCorrupt: damaged records, and no mode that may
/// drop them. -EEXIST: the folder to salvage to is not empty. -EBUSY -EIO -ENOSPC -ENOENT -ENOMEM
/// kVersion.
Status repair(Io const &io, RepairOptions const &options, LogReport &ret) noexcept;

} // namespace weir
