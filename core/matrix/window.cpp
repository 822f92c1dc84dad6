// SPDX-License-Identifier: MIT OR Apache-2.0
// Reads everybody's window counters.
#include "core/matrix/window.hpp"

namespace weir {

Snapshot Snapshot::take(Participants const &people) noexcept
{
    Snapshot seen;
    for (Owner owner = 1; owner <= people.count(); ++owner) {
        SlotWord const slot = people.word_of(owner);
        if (slot.state() == SlotState::free && slot.generation() == 0)
            continue; // never used: nothing was ever opened
        for (unsigned pair = 0; pair < kWindowsPerParticipant; ++pair) {
            WindowCounters const &counters = people.windows(owner)[pair];
            // `ended` first: equal values mean that none was open when `ended` was read. seq_cst
            // makes the order one in real time; acquire: pairs with Window::close().
            uint64_t const ended = counters.ended.load(seq_cst);
            uint64_t const begun = counters.begun.load(seq_cst);
            seen.begun += begun;
            if (begun != ended && seen.quiet()) {
                seen.busy = owner;
                seen.pair = pair;
                seen.busy_begun = begun;
            }
        }
    }
    return seen;
}

bool Snapshot::still_open(Participants const &people) const noexcept
{
    if (quiet())
        return false;
    WindowCounters const &counters = people.windows(busy)[pair];
    // seq_cst: in the order of take()
    uint64_t const ended = counters.ended.load(seq_cst);
    return counters.begun.load(seq_cst) == busy_begun && ended != busy_begun;
}

} // namespace weir
