// SPDX-License-Identifier: MIT OR Apache-2.0
// WEIR_ASSERT: checks of what this process itself did. What comes from shared memory, files or
// users is never asserted but checked in every build.
#pragma once

#ifdef WEIR_ASSERTIONS
namespace weir {
/// Writes the place to standard error and traps.
[[noreturn]] void assertion_failed(char const *what, char const *file, int line) noexcept;
} // namespace weir
#define WEIR_ASSERT(condition)                                                                     \
    ((condition) ? void(0) : ::weir::assertion_failed(#condition, __FILE__, __LINE__))
#else
#define WEIR_ASSERT(condition) static_cast<void>(sizeof(condition))
#endif
