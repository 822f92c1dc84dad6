// SPDX-License-Identifier: MIT OR Apache-2.0
// DataOps by io_uring, for the I/O thread alone; what other threads write goes by pwritev2.
#pragma once

#include "core/flush/io.hpp"

namespace weir {

class UringData;

/// Why io_uring is not used: the step that failed, and what it failed with (-errno, 0: none).
struct UringRefusal {
    char const *step = nullptr;
    int code = 0;
};

struct UringOptions {
    uint32_t depth = 4;       ///< requests of the caller in flight at most
    bool old_kernels = false; ///< also without COOP_TASKRUN (before 5.19)
};

/// Looks whether this process may use it, with one real write to `scratch`, a file of the log's
/// file system whose direct transfers are aligned to `alignment`. `refusal` is set on failure.
Status create_uring(UringOptions const &options, File scratch, uint32_t alignment, UringData *&ret,
                    UringRefusal &refusal) noexcept;
/// Every request was reaped. In a fork child: the child's descriptors are closed, no more.
void release_uring(UringData *data) noexcept;
/// For a fork child, at once and signal-safe: descriptors that keep the parent's ring alive go.
void forget_uring(UringData *data) noexcept;

extern DataOps const kUringOps;

} // namespace weir
