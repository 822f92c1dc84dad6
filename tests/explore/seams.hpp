// SPDX-License-Identifier: MIT OR Apache-2.0
// What the explorer knows of its stand-ins for the kernel.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::explore {

/// The table of slot locks, for Scenario::keep().
void *lock_table();
std::size_t lock_table_size();

/// A new kernel, for a new scenario.
void reset_locks();

/// Thread numbers: the fibre's, or 0 for all, for worlds in which each fibre is a process of its own.
void number_threads(bool by_fibre);

/// Makes the n-th commit() from now fail (0 is the next one); a negative number: none.
void fail_commit_after(int successes);

/// A part of the file without memory, as punch() makes it; and whether there is one.
void make_hole(uint64_t offset, uint64_t length);
bool has_hole(uint64_t offset, uint64_t length);
/// Makes every punch() fail.
void refuse_holes();

} // namespace weir::explore
