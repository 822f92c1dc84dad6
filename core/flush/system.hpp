// SPDX-License-Identifier: MIT OR Apache-2.0
// System calls on files, by number: most functions of the C library for them are cancellation
// points, and a thread that is cancelled must not end inside the core with a batch or a lock in its
// hand. Each answers what the kernel says: a count or -errno. EINTR is repeated here.
#pragma once

#include "core/base/bits.hpp"
#include "core/base/descriptor.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace weir::sys {

inline constexpr int kInterruptions = 1000; ///< interrupted that often, something is wrong

/// The call is repeated with the same arguments: only for calls that do nothing when interrupted.
template <class... Arguments> long call(long number, Arguments... arguments) noexcept
{
    for (int i = 0; i < kInterruptions; ++i) {
        long const result = ::syscall(number, arguments...);
        if (result >= 0)
            return result;
        if (errno != EINTR)
            return -errno;
    }
    return -EIO;
}

/// None of the standard streams: see above_standard().
inline int open_at(int folder, char const *name, int flags, unsigned mode) noexcept
{
    long const opened = call(SYS_openat, folder, name, flags | O_CLOEXEC, mode);
    if (opened < 0)
        return static_cast<int>(opened);
    int const fd = above_standard(static_cast<int>(opened));
    return fd < 0 ? -errno : fd;
}
inline int memory_file(char const *name) noexcept
{
    return static_cast<int>(call(SYS_memfd_create, name, unsigned{MFD_CLOEXEC}));
}
/// Linux closes the descriptor whatever it answers; repeating would close somebody else's.
inline void close(int fd) noexcept { ::syscall(SYS_close, fd); }

inline long pread(int fd, void *data, size_t length, uint64_t offset) noexcept
{
    return call(SYS_pread64, fd, data, length, offset);
}
inline long pwrite(int fd, void const *data, size_t length, uint64_t offset) noexcept
{
    return call(SYS_pwrite64, fd, data, length, offset);
}
inline long pwritev2(int fd, void const *data, size_t length, uint64_t offset, int flags) noexcept
{
    iovec const piece{const_cast<void *>(data), length};
    return call(SYS_pwritev2, fd, &piece, 1UL, offset, 0UL, flags); // high half: 32-bit machines
}
inline int fallocate(int fd, int mode, uint64_t offset, uint64_t length) noexcept
{
    return static_cast<int>(call(SYS_fallocate, fd, mode, offset, length));
}
/// Interrupted, it has not told anybody of a failed write-back: the next call still would.
inline int fdatasync(int fd) noexcept { return static_cast<int>(call(SYS_fdatasync, fd)); }
inline int fsync(int fd) noexcept { return static_cast<int>(call(SYS_fsync, fd)); }

/// -EFBIG if a write up to `end` would pass RLIMIT_FSIZE: the kernel would send SIGXFSZ, also for a
/// file that is that long already, and its default is to kill the process.
int check_file_limit(uint64_t end) noexcept;

/// Where a transfer to or from `offset` on that stopped after `done` bytes goes on, counted from there:
/// direct ones need an aligned place, and whatever block the file system has, a multiple of this is one.
inline uint64_t rest_begins(uint64_t offset, uint64_t done) noexcept
{
    constexpr uint64_t kAnyBlock = 64 << 10;
    uint64_t const aligned = round_down(offset + done, kAnyBlock);
    return aligned < offset ? 0 : aligned - offset;
}

} // namespace weir::sys
