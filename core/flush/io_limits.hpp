// SPDX-License-Identifier: MIT OR Apache-2.0
// What a file system is like: its kind by the magic number of statfs, alignments by statx or probe.
#pragma once

#include "core/flush/io_posix.hpp"

namespace weir {

/// Of the file system that `fd` lies on.
Status kind_of_file_system(int fd, Limits &ret, bool &ret_btrfs) noexcept;

/// `kind` with `direct` and the alignments of an open file. Where the kernel does not tell them, a
/// file without a name is written to.
Result<Limits> limits_of_file(PosixFiles &files, File file, Limits kind) noexcept;

} // namespace weir
