// SPDX-License-Identifier: MIT OR Apache-2.0
// Named cursors: a durable position of a consumer, one small file each, in cursors/.
//
// Two slots, each under its own sum; the valid one with the higher sequence counts. A store writes
// the slot that does not count, flushes, writes the other, flushes: a torn write leaves one valid
// slot, and afterwards both hold the new position. A new cursor gets its name when it is whole and
// durable. The file's lock keeps two stores apart; a load does not wait for it.
#pragma once

#include "core/base/error.hpp"
#include "core/flush/io.hpp"
#include "core/log/layout.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

inline constexpr size_t kLongestCursorName = 64;

struct CursorView {
    Lsn lsn = 0;
    uint32_t flags = 0; ///< kCursorHold
    int64_t time_ns = 0;
    unsigned bad_slots = 0;
};

/// [A-Za-z0-9._-], 1 to 64, no leading dot. -EINVAL, -ENAMETOOLONG.
Status check_cursor_name(char const *name) noexcept;
/// Both read META for the log's uuid. -ENOENT: no log, or (load) no such cursor. -EBUSY: another
/// store holds it for 5 s. kCorrupt: both slots are damaged, or META.
Status store_cursor(Io const &io, char const *name, Lsn lsn, uint32_t flags) noexcept;
Status load_cursor(Io const &io, char const *name, CursorView &ret) noexcept;
/// Calls `visit` for each cursor; `status` says whether it could be read.
Status for_each_cursor(Io const &io, uint8_t const (&uuid)[16],
                       void (*visit)(void *userdata, char const *name, Status status,
                                     CursorView const &cursor),
                       void *userdata) noexcept;
/// Cursors above `end` come back to it: what will be there they have not seen. A damaged slot is
/// written again from the whole one. Whether there was any such.
Result<bool> mend_cursors(Io const &io, uint8_t const (&uuid)[16], Lsn end) noexcept;
/// The lowest LSN of all cursors with kCursorHold, UINT64_MAX: none. A cursor that cannot be read
/// holds everything: 0.
Result<Lsn> lowest_hold(Io const &io, uint8_t const (&uuid)[16]) noexcept;

} // namespace weir
