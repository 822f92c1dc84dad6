// SPDX-License-Identifier: MIT OR Apache-2.0
// The file behind a segment and the locks on it: the one place with system calls on files.
//
// The explorer links its own version of the members that are used while a segment is in use
// (commit, punch, populate and the locks), so that they become steps of a schedule.
#pragma once

#include "core/base/error.hpp"
#include "core/segment/geometry.hpp"
#include "core/segment/memory_kind.hpp"

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
    Status make(char const *name, uint32_t mode, uint64_t length, MemoryWish const &wish) noexcept;
    /// Gives the new file its name. EEXIST if there is one, of a segment that is not retired.
    Status publish(char const *name) noexcept;
    /// Read-only: neither the file nor a lock on it is ever written through this object.
    Status open(char const *name, bool read_only) noexcept;
    Status open_fd(int fd, bool read_only) noexcept;
    /// Removes a name if it still stands for this file.
    void unlink_own(char const *name) noexcept;

    /// Length in bytes, and whether the file is a regular one.
    Result<uint64_t> length() const noexcept;
    /// Whether the file is ours or root's.
    bool ours() const noexcept;
    /// Exact read of the file's first bytes.
    Status read_start(void *into, size_t length) const noexcept;
    Result<std::byte *> map(uint64_t length, uint64_t align) noexcept;
    void unmap(std::byte *base, uint64_t length) const noexcept;

    // Memory of a mapping that map() made (backing_memory.cpp).
    /// Arranges for what is wished, before anything is committed. A node counts for a new file
    /// alone, whose policy all processes then share. EINVAL: there is no such node. EOPNOTSUPP,
    /// EAGAIN: huge pages or locking are required and cannot be had.
    Status arrange(std::byte *base, uint64_t length, MemoryWish const &wish, bool is_new) noexcept;
    /// In a fork child, which inherits no lock on memory: as good as it goes.
    void lock_memory_again(std::byte *base, uint64_t length) noexcept;
    /// Commits a part and puts it into this process's page tables, for writing; by huge pages if
    /// they were wished. Contents stay as they are. ENOMEM, ENOSPC.
    Status populate(std::byte *base, uint64_t offset, uint64_t length) noexcept;
    MemoryKind const &kind() const noexcept { return kind_; }
    /// Why this file is not one of huge pages.
    void note_no_huge_pages(Status why) noexcept { kind_.huge_error = why.code; }
    /// Asks the kernel. What it does not tell is 0.
    MemoryUse measure(std::byte const *base, uint64_t length) const noexcept;

    /// Descriptor for passing on. No lock hangs on it.
    int fd() const noexcept { return fd_; }
    void close() noexcept;

    /// Grants memory to a part of the file; idempotent. ENOSPC if the file system is full.
    Status commit(uint64_t offset, uint64_t length) noexcept;
    /// Gives the memory of a part of the file back: it is a hole of zeros until commit(). Whole
    /// pages. EOPNOTSUPP if the file system cannot.
    Status punch(uint64_t offset, uint64_t length) noexcept;
    /// What memory is given back in: a power of two.
    uint64_t page_bytes() const noexcept { return kind_.page_bytes; }

    /// The lock of a participant's byte, held by this process until it ends or unlocks.
    /// The kernel drops it at death, also after SIGKILL. False: somebody else holds it.
    bool lock_slot(uint32_t slot) noexcept;
    void unlock_slot(uint32_t slot) noexcept;
    /// Whether somebody else holds it. Never ask for one's own. Needs no right to write.
    bool slot_is_locked(uint32_t slot) const noexcept;

    /// In a fork child: lets go of the parent's locks, those on memory too (async-signal-safe).
    void drop_inherited_locks() noexcept;
    /// In a fork child, later: an open file description of its own.
    Status reopen_locks() noexcept;

  private:
    void find_page_size() noexcept;
    void bind_to_node(std::byte *base, uint64_t length, uint32_t node) noexcept;
    void advise_huge(std::byte *base, uint64_t length) noexcept;
    void lock_memory(std::byte *base, uint64_t length) noexcept;

    int fd_ = -1;
    int lock_fd_ = -1;
    bool read_only_ = false;
    bool was_locked_ = false; ///< in the parent of this fork child
    MemoryKind kind_;
};

/// Whether this machine can make segments of either kind.
bool named_segments_work() noexcept;
bool memfd_segments_work() noexcept;

} // namespace weir
