// SPDX-License-Identifier: MIT OR Apache-2.0
// base: what every other folder of the core stands on. Start here.
//
// What it is
//   The smallest set of tools that the rest needs and that knows nothing of matrices:
//     atomic.hpp     weir::atomic with written-out memory orders, and the explorer's switch
//     error.hpp      Status, Result<T>, WEIR_TRY and the library's own error codes
//     bits.hpp       powers of two, bit scans, rounding
//     assertion.hpp  WEIR_ASSERT, for our own logic only
//     alloc.hpp      process memory, in one place, where tests inject failures
//     clock.hpp      monotonic and real time in nanoseconds, sleeping, deadlines
//     quick_clock.hpp  the monotonic clock for who asks it millions of times a second
//     futex.hpp      waiting on a word that other processes change
//     waiting.hpp    the same without losing a wake-up: a count and a bit in one word
//     fork.hpp       telling a fork child from its parent
//     mutex.hpp      a small lock for threads of one process (never in shared memory)
//     thread_id.hpp  a small number per thread, to keep threads apart; who is told that one ends
//     uuid.hpp       ids of new segments and logs
//
// Glossary
//   cache line: 64 bytes. Words that different threads write stand on lines of their own.
//
// What it trusts and checks
//   Nothing here reads shared memory but futex.hpp, which takes any value. Arguments come from
//   the core and are asserted.
#pragma once

#include <cstddef>

namespace weir {
inline constexpr std::size_t kCacheLine = 64;
inline constexpr std::size_t kPage = 4096;
} // namespace weir

/// For the few functions that each allocation and each free passes: a call would cost as much as
/// the work. And for those that it should not have in its way.
#define WEIR_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define WEIR_HOT inline __attribute__((always_inline))
#define WEIR_COLD __attribute__((noinline, cold))
