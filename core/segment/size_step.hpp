// SPDX-License-Identifier: MIT OR Apache-2.0
// The size classes of the index: eight steps per power of two, in granules.
//
// Source: two-level segregated fit, Masmano et al., ECRTS 2004.
#pragma once

#include "core/base/bits.hpp"

#include <cstdint>

namespace weir {

#ifdef WEIR_EXPLORE
inline constexpr unsigned kStepShift = 1; // 1 | 2 3 | 4-5 6-7 | 8-11 …
#else
inline constexpr unsigned kStepShift = 3; // 1 … 7 | 8 … 15 | 16-17 … 30-31 | 32-35 …
#endif
inline constexpr unsigned kSteps = 1u << kStepShift;

/// The class of a block of `granules` (at least 1): below kSteps each length has its own.
constexpr unsigned size_step(uint64_t granules) noexcept
{
    if (granules < kSteps)
        return static_cast<unsigned>(granules) - 1;
    unsigned const first = floor_log2(granules);
    unsigned const second = static_cast<unsigned>(granules >> (first - kStepShift)) & (kSteps - 1);
    return kSteps - 1 + (first - kStepShift) * kSteps + second;
}

/// The first class whose every block is at least `granules` long.
constexpr unsigned size_step_up(uint64_t granules) noexcept
{
    if (granules < kSteps)
        return size_step(granules);
    unsigned const first = floor_log2(granules);
    return size_step(granules + (uint64_t{1} << (first - kStepShift)) - 1);
}

/// Lengths of one class lie in a row of so many, which begins at a multiple of it.
constexpr uint32_t step_width(uint32_t granules) noexcept
{
    return uint32_t{1} << (floor_log2(granules | kSteps) - kStepShift);
}

/// Whether two lengths are of one class; false if `a` is 0.
constexpr bool same_step(uint64_t a, uint64_t b) noexcept
{
    return ((a ^ b) >> (floor_log2(a | kSteps) - kStepShift)) == 0;
}

static_assert(size_step(1) == 0);
static_assert(same_step(1, 1) && !same_step(0, 1) && same_step(2 * kSteps, 2 * kSteps + 1));
static_assert(!same_step(2 * kSteps - 1, 2 * kSteps) && !same_step(kSteps, 2 * kSteps));
static_assert(size_step(kSteps) == kSteps - 1);
static_assert(step_width(1) == 1 && step_width(2 * kSteps - 1) == 1 && step_width(2 * kSteps) == 2);

} // namespace weir
