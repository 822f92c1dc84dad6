// SPDX-License-Identifier: MIT OR Apache-2.0
// META and segment headers from what else there is.
#pragma once

#include "core/log/survey.hpp"

namespace weir {

/// A superblock that fits the segments: geometry and uuid from their headers; the highest epoch of
/// any batch and header, + 1; its start and the hint where the valid part or the evidence ends,
/// whichever is later. kCorrupt: no header is whole.
Status rebuild_superblock(Io const &io, Superblock &ret, LogReport &report) noexcept;
/// Writes headers that are damaged, in segments that hold a whole batch of their place, anew.
Status rebuild_segment_headers(Io const &io, Superblock const &superblock,
                               LogReport &report) noexcept;

} // namespace weir
