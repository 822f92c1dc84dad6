// SPDX-License-Identifier: MIT OR Apache-2.0
// Which DataOps a log uses, and why.
#pragma once

#include "core/flush/io.hpp"
#include "core/flush/io_posix.hpp"

namespace weir {

enum class BackendKind : uint32_t { automatic = 0, io_uring = 1, pwritev2 = 2 };

struct BackendOptions {
    /// automatic: what WEIR_LOG_BACKEND says (auto, io_uring, pwritev2; not in a set-uid program),
    /// else io_uring where it works. Anything else is forced: -EOPNOTSUPP if it is impossible.
    BackendKind kind = BackendKind::automatic;
    uint32_t threads = 3; ///< of pwritev2
    uint32_t depth = 4;   ///< requests in flight at most (write_depth)
};

/// A backend and what is told about it. `io` is whole: files and data.
struct Backend {
    Io io;
    BackendKind kind = BackendKind::automatic; ///< never automatic after open_backend()
    char const *name = "";                     ///< "io_uring", "pwritev2"
    char const *reason = "";                   ///< why this one; static text
    int reason_code = 0;                       ///< -errno that belongs to the reason, 0: none
};

/// `files` stays the caller's and outlives the backend. On failure `ret` still tells reason and
/// reason_code. -EOPNOTSUPP: forced and impossible. -ENOMEM, -EAGAIN: no memory, no threads.
Status open_backend(PosixFiles *files, BackendOptions const &options, Backend &ret) noexcept;
/// Whether this process can make a ring and write through it, to a file in memory.
bool io_uring_works() noexcept;
/// Every request was reaped. In a fork child it frees memory and descriptors alone.
void release_backend(Backend &backend) noexcept;
/// In a fork child's hook: signal-safe. Descriptors that keep the parent's ring alive are closed.
void forget_backend(Backend &backend) noexcept;

} // namespace weir
