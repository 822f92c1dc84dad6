// SPDX-License-Identifier: MIT OR Apache-2.0
// Waiting on a 32-bit word in shared memory, across processes.
#pragma once

#include "core/base/atomic.hpp"
#include "core/base/clock.hpp"

namespace weir {

/// Sleeps while `word` is `expected`, at most `limit` nanoseconds. It may return early for no
/// reason: every caller looks at its condition again.
void futex_wait(atomic<uint32_t> const &word, uint32_t expected, Nanoseconds limit) noexcept;

/// Wakes everybody who sleeps on `word`.
void futex_wake_all(atomic<uint32_t> const &word) noexcept;

/// Wakes one who sleeps on `word`. False: nobody does.
bool futex_wake_one(atomic<uint32_t> const &word) noexcept;

} // namespace weir
