// SPDX-License-Identifier: MIT OR Apache-2.0
// Who this process is, for people to read in a list of participants.
#pragma once

#include <cstdint>

namespace weir {

struct ProcessInfo {
    uint32_t pid = 0;
    uint32_t uid = 0;
    uint64_t started_at = 0;   ///< clock ticks since boot, as in /proc/PID/stat
    uint64_t name[2] = {0, 0}; ///< 15 bytes and NUL
};

/// `name` may be NULL or empty: then the program's name is taken.
ProcessInfo describe_process(char const *name) noexcept;

} // namespace weir
