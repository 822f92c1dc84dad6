// SPDX-License-Identifier: MIT OR Apache-2.0
// The file behind a segment and the locks on it: the one place with system calls on files.
//
// The explorer links its own version of the members that are used while a segment is in use
// (commit and the locks), so that they become steps of a schedule.
#pragma once

#include "core/base/error.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

class Backing {
  public:
    Backing() noexcept = default;
    Backing(Backing const &) = delete;
    Backing &operator=(Backing const &) = delete;
    ~Backing() { close(); }

    /// A new file without a name: unlinked in the folder of `name`, or a memfd if it is NULL.
    Status make(char const *name, uint32_t mode, uint64_t length) noexcept;
    /// Gives the new file its name. EEXIST if there is one, of a segment that is not retired.
    Status publish(char const *name) noexcept;
    Status open(char const *name) noexcept;
    Status open_fd(int fd) noexcept;
    /// Removes a name if it still stands for this file.
    void unlink_own(char const *name) noexcept;

    /// Length in bytes, and whether the file is a regular one.
    Result<uint64_t> length() const noexcept;
    /// Whether the file is ours or root's.
    bool ours() const noexcept;
    /// Exact read of the file's first bytes.
    Status read_start(void *into, size_t length) const noexcept;
    Result<std::byte *> map(uint64_t length, uint64_t align) noexcept;
    static void unmap(std::byte *base, uint64_t length) noexcept;

    /// Descriptor for passing on. No lock hangs on it.
    int fd() const noexcept { return fd_; }
    void close() noexcept;

    /// Grants memory to a part of the file; idempotent. ENOSPC if the file system is full.
    Status commit(uint64_t offset, uint64_t length) noexcept;

    /// The lock of a participant's byte, held by this process until it ends or unlocks.
    /// The kernel drops it at death, also after SIGKILL. False: somebody else holds it.
    bool lock_slot(uint32_t slot) noexcept;
    void unlock_slot(uint32_t slot) noexcept;
    /// Whether somebody else holds it. Never ask for one's own.
    bool slot_is_locked(uint32_t slot) const noexcept;

    /// In a fork child: lets go of the parent's locks (async-signal-safe).
    void drop_inherited_locks() noexcept;
    /// In a fork child, later: an open file description of its own.
    Status reopen_locks() noexcept;

  private:
    int fd_ = -1;
    int lock_fd_ = -1;
};

/// Whether this machine can make segments of either kind.
bool named_segments_work() noexcept;
bool memfd_segments_work() noexcept;

} // namespace weir
