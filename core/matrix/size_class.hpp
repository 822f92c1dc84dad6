// SPDX-License-Identifier: MIT OR Apache-2.0
// The two-level size class of a byte size, as users see it.
//
// Source: two-level segregated fit, Masmano et al., ECRTS 2004.
#pragma once

#include "core/base/bits.hpp"

#include <cstdint>

namespace weir {

struct PublicSizeClass {
    uint32_t first;
    uint32_t second;
};

/// `size` is not 0. Below 128: first level 0, steps of 16; above: power of two and its eighth.
constexpr PublicSizeClass public_size_class(uint64_t size) noexcept
{
    if (size < 128)
        return {0, static_cast<uint32_t>(size / 16)};
    unsigned const first = floor_log2(size);
    return {first, static_cast<uint32_t>(size >> (first - 3) & 7)};
}

} // namespace weir
