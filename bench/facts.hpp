// SPDX-License-Identifier: MIT OR Apache-2.0
// What has no peer: healing, attaching, and the memory that the matrix needs for itself.
#pragma once

#include "workloads.hpp"

#include <cstdint>
#include <string>

namespace bench {

/// How the blocks of the killed process lie.
struct Dead {
    int blocks = 100000;
    std::size_t least = 64, most = 64; ///< bytes of a block
    bool among_the_living = false;     ///< a living process has each other block
};

/// A process allocates, writes and is killed; the healing of its blocks is what is measured. One
/// operation is one block that came back.
Outcome heal(Dead const &dead);

/// Attaching to a matrix of 64 GiB by name; with `first_block`, also its first block, which is
/// written.
Outcome attach(int times, bool first_block);
/// The floor of it: open a sparse file of that size, map it, unmap it.
Outcome open_and_map(int times);

/// What an allocation and a release cost at least here: one CAS each. One operation is both.
Outcome uncontended_cas(int pairs);

struct Overhead {
    double tables = 0; ///< bytes of tables and index by bytes of committed data
    double waste = 0;  ///< what blocks are larger than asked, by what was asked
    std::uint64_t failures = 0;
};

/// Fills `total` bytes with blocks of `least` to `most` bytes. The tables are measured at the file:
/// what the file system granted, less the data, less what an empty matrix has.
Overhead overhead(std::size_t least, std::size_t most, std::size_t total);

/// Bytes that the file of an empty matrix of 64 GiB occupies.
std::uint64_t empty_matrix_bytes();

} // namespace bench
