// SPDX-License-Identifier: MIT OR Apache-2.0
// The branching of the index. The explorer uses the smallest one, so that all levels exist in
// memories of a few granules.
#pragma once

#include <cstdint>

namespace weir {

#ifdef WEIR_EXPLORE
inline constexpr unsigned kRadixShift = 1;
#else
inline constexpr unsigned kRadixShift = 6;
#endif

/// Bits used per word of the index.
inline constexpr unsigned kRadix = 1u << kRadixShift;
inline constexpr unsigned kRadixMask = kRadix - 1;

} // namespace weir
