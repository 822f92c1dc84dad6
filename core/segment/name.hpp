// SPDX-License-Identifier: MIT OR Apache-2.0
// Names of segments: the paths they stand for, and how a name is taken away.
//
// A name goes by unlink_name(), by retire(), and when a new segment wants the name of a retired one.
// Each of them looks at the file first, and must not remove what another one put there after the
// look. So: who wants to remove a name locks the file that he looked at (flock), asks once more
// whether the name stands for it, and then removes it. A name is given by linkat() only while it is
// free, and only the holder of the lock makes it free: so it still stands for that file.
//
//   Death: the kernel drops the lock. Between RETIRED and the removal: whoever makes or opens a
//   segment of that name removes it.
//   Others: who renames or removes files in the folder by other means (mv, rm) is not stopped by a
//   lock; then the file that goes may be one that was not looked at.
#pragma once

#include "core/base/error.hpp"

#include <climits>
#include <cstddef>

namespace weir {

/// The path of a name, and where its last part begins.
struct Path {
    char text[PATH_MAX];
    size_t folder_length = 0;

    /// EINVAL or ENAMETOOLONG.
    static Status of(char const *name, Path &into) noexcept;
};

/// A file's number in the whole system.
struct FileId {
    uint64_t device = 0;
    uint64_t inode = 0;
    bool operator==(FileId other) const noexcept
    {
        return device == other.device && inode == other.inode;
    }
};

/// What the kernel said of a file, as one of the codes that weir.h lists; EIO for all others.
Status file_error(int code) noexcept;

/// A second open file description of the same file, for OFD locks, which hang on descriptions, and
/// for rights that the first one lacks. A descriptor, or a negated errno.
int reopen(int fd, int flags) noexcept;
/// What it failed with, as file_error(); EOPNOTSUPP if there is no /proc.
Status reopen_error(int code) noexcept;
/// "/proc/self/fd/N"; `into` has room for 40 bytes.
void write_proc_path(int fd, char *into) noexcept;

/// Removes the name of a segment of any version. kCorrupt if it is something else, EBUSY if
/// somebody who does not move is removing it.
Status unlink_name(char const *name) noexcept;
/// The same, only for a retired segment of this version: EEXIST if it is another file. Success if
/// the name is free.
Status unlink_retired_name(char const *name) noexcept;
/// The same, only if the name still stands for this file.
Status unlink_name_of(char const *name, FileId file) noexcept;

} // namespace weir
