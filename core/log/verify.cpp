// SPDX-License-Identifier: MIT OR Apache-2.0
// Verify: a survey of the whole, META's copies, cursors.
#include "core/log/verify.hpp"

#include "core/log/cursor.hpp"
#include "core/log/survey.hpp"

namespace weir {
namespace {

void note_cursor(void *userdata, char const *, Status status, CursorView const &cursor) noexcept
{
    auto &report = *static_cast<LogReport *>(userdata);
    ++report.cursors;
    if (!status.ok())
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
    WEIR_TRY(for_each_cursor(io, now.uuid, note_cursor, &ret));
    return Status{static_cast<int>(ret.verdict)};
}

} // namespace weir
