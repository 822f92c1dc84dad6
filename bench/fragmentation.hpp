// SPDX-License-Identifier: MIT OR Apache-2.0
// Fragmentation on one trace: the matrix beside the yard-stick of good_fit.hpp.
#pragma once

#include <cstdint>

namespace bench {

struct Fragmentation {
    std::uint64_t peak_live = 0;      ///< bytes asked for
    std::uint64_t peak_committed = 0; ///< bytes of memory that stood for them
    std::uint64_t largest_free = 0;   ///< at the end, as the following
    std::uint64_t free_bytes = 0;
    std::uint64_t failures = 0, damaged = 0;

    double peak_ratio() const { return double(peak_committed) / double(peak_live); }
    double largest_share() const { return double(largest_free) / double(free_bytes); }
};

enum class Sizes {
    mixed, ///< 16 to 4096 bytes, evenly
    all,   ///< 16 bytes to 2 MiB: many small ones, a few large ones
};

/// `operations` random ones, the same for both.
Fragmentation fragmentation_of_matrix(Sizes sizes, int operations);
Fragmentation fragmentation_of_good_fit(Sizes sizes, int operations);

} // namespace bench
