// SPDX-License-Identifier: MIT OR Apache-2.0
// Verify: a survey of the whole, META's copies, cursors.
#include "core/log/verify.hpp"

#include "core/log/cursor.hpp"
#include "core/log/survey.hpp"

#include <cerrno>

namespace weir {
namespace {

struct Cursors {
    LogReport &report;
    Status unread = kOk; ///< why one could not be read, which says nothing about it
};

/// Whether it is us who cannot read it, rather than that it is damaged.
bool is_unreadable(Status status) noexcept
{
    int const code = -status.code;
    return code == EACCES || code == EIO || code == EMFILE || code == ENFILE || code == ENOMEM;
}

void note_cursor(void *userdata, char const *, Status status, CursorView const &cursor) noexcept
{
    auto &[report, unread] = *static_cast<Cursors *>(userdata);
    ++report.cursors;
    if (is_unreadable(status))
        unread = status;
    else if (!status.ok())
        blame(report, LogVerdict::corrupt, LogFinding::cursor);
    else if (cursor.bad_slots != 0)
        blame(report, LogVerdict::torn, LogFinding::cursor_slot);
}

} // namespace

Status verify(Io const &io, LogReport &ret) noexcept
{
    MetaCopies copies;
    SegmentList segments;
    Survey found;
    Status const looked = survey_live(io, true, copies, segments, found, ret);
    if (looked.code == -kCorrupt)
        return Status{static_cast<int>(LogVerdict::corrupt)};
    WEIR_TRY(looked);
    Superblock const &now = copies.copy[copies.chosen];
    if (copies.state[copies.chosen ^ 1] == CopyState::invalid)
        blame(ret, LogVerdict::torn, LogFinding::meta_copy);
    Cursors cursors{ret};
    WEIR_TRY(for_each_cursor(io, now.uuid, note_cursor, &cursors));
    WEIR_TRY(cursors.unread);
    return Status{static_cast<int>(ret.verdict)};
}

} // namespace weir
