// SPDX-License-Identifier: MIT OR Apache-2.0
// Descriptors that are none of the standard streams.
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace weir {

/// A program that has closed its standard streams may print to 0, 1 and 2 all the same: were one of
/// them a segment, that would destroy it. Takes the new descriptor `fd`, which is below 0 if there
/// is none; returns one that is none of them, or -1 and errno. By number: no cancellation point.
inline int above_standard(int fd) noexcept
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    long const moved = ::syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int const code = errno;
    ::syscall(SYS_close, fd);
    errno = code;
    return static_cast<int>(moved);
}

} // namespace weir
