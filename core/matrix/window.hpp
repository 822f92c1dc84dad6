// SPDX-License-Identifier: MIT OR Apache-2.0
// What makes -ENOMEM exact: a snapshot of all windows before and after an exhaustive search.
//
// If no window was open at the first snapshot and none was opened until the second, then nobody
// withheld or added memory while the search looked at everything, so what it did not find was not
// there (rules.md M6 to M8).
#pragma once

#include "core/segment/participants.hpp"

namespace weir {

struct Snapshot {
    /// Windows begun, over all participants. Never falls, so equal sums mean: none was opened.
    uint64_t begun = 0;
    /// Somebody whose window is open: its owner and pair, or kNobody.
    Owner busy = kNobody;
    unsigned pair = 0;
    uint64_t busy_begun = 0;

    bool quiet() const noexcept { return busy == kNobody; }

    static Snapshot take(Participants const &people) noexcept;
    /// Whether the window that was open is the same one, still open.
    bool still_open(Participants const &people) const noexcept;
};

} // namespace weir
