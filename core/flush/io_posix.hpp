// SPDX-License-Identifier: MIT OR Apache-2.0
// FileOps on a folder of a real file system.
//
// Everything is relative to one O_DIRECTORY descriptor, so a log that is renamed while it is open
// stays whole. Links are not followed below it, and what is no regular file is -kCorrupt: a log's
// folder is as untrusted as any file.
//
// Locks are OFD locks: they belong to the open file, so a request in flight keeps them after its
// process died (log.md 5.2), and close() gives them back at once even if a fork child has the
// descriptor still. In a fork child close() leaves the parent's locks alone.
//
// Threads: all functions may be called by any thread. None raises SIGXFSZ: what would pass
// RLIMIT_FSIZE is refused before (-ENOSPC of prealloc() and write_zeros(), else -EFBIG).
#pragma once

#include "core/flush/io.hpp"

#include <sys/types.h>

namespace weir {

class PosixFiles {
  public:
    /// With `create` the folder is made if it is not there (its parent must be) and its name is
    /// durable then; its mode is `mode` with x where there is r.
    static Status open(char const *folder, bool create, uint32_t mode, PosixFiles *&ret) noexcept;
    /// Files that are open stay open.
    static void release(PosixFiles *files) noexcept;

    static FileOps const kOps;

    /// What is known of the whole file system; alignments are those of kOps.limits().
    Limits const &kind() const noexcept { return kind_; }
    /// kOpenDirect does not count from now on.
    void never_direct() noexcept { direct_ = false; }
    /// A file for reading and writing that has no name any more; kOpenDirect counts.
    Result<File> scratch(unsigned flags) noexcept;

  private:
    friend struct PosixCalls; // the functions of kOps

    int folder_ = -1;
    pid_t process_ = 0;
    bool btrfs_ = false;
    bool direct_ = true;
    Limits kind_;
};

} // namespace weir
