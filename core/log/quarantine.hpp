// SPDX-License-Identifier: MIT OR Apache-2.0
// quarantine/: what point-in-time recovery takes out of a log. Nothing is deleted there.
#pragma once

#include "core/log/survey.hpp"

namespace weir {

/// Copies [end, end of its segment) and moves later segments (and the end's own if it holds
/// nothing before `end`, or is not usable) to quarantine/, durably. May be repeated: the names
/// depend on the log's epoch and the place alone.
Status quarantine(Io const &io, Superblock const &superblock, SegmentList const &segments, Lsn end,
                  bool end_segment_usable, LogReport &report) noexcept;

} // namespace weir
