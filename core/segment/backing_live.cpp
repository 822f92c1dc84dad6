// SPDX-License-Identifier: MIT OR Apache-2.0
// What is done to the file while a segment is in use: committing memory, and the locks that say
// who lives. The explorer replaces this file.
#include "core/base/bits.hpp"
#include "core/segment/backing.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace weir {
namespace {
/// Lock bytes lie far beyond any data; a lock needs no byte that exists.
constexpr off_t kLockBase = off_t{1} << 62;
/// A signal undoes an unfinished fallocate on tmpfs: short pieces end before the next one.
constexpr uint64_t kCommitPiece = uint64_t{16} << 20;

struct flock lock_of(uint32_t slot, short type) noexcept
{
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = kLockBase + slot;
    lock.l_len = 1;
    return lock; // l_pid must be 0 for OFD locks
}

int commit_piece(int fd, uint64_t offset, uint64_t length) noexcept
{
    constexpr int kTries = 1000; // interrupted that often, something is wrong
    for (int i = 0; i < kTries; ++i) {
        if (fallocate(fd, 0, static_cast<off_t>(offset), static_cast<off_t>(length)) == 0)
            return 0;
        if (errno != EINTR)
            return errno;
    }
    return EINTR;
}
} // namespace

Status Backing::commit(uint64_t offset, uint64_t length) noexcept
{
    for (uint64_t done = 0; done < length; done += kCommitPiece) {
        int const code = commit_piece(fd_, offset + done, smaller(kCommitPiece, length - done));
        if (code != 0)
            return error(code == EOPNOTSUPP || code == ENOSYS ? EOPNOTSUPP : ENOSPC);
    }
    return kOk;
}

bool Backing::lock_slot(uint32_t slot) noexcept
{
    struct flock lock = lock_of(slot, F_WRLCK);
    return fcntl(lock_fd_, F_OFD_SETLK, &lock) == 0;
}

void Backing::unlock_slot(uint32_t slot) noexcept
{
    struct flock lock = lock_of(slot, F_UNLCK);
    fcntl(lock_fd_, F_OFD_SETLK, &lock); // cannot fail for a byte that is locked
}

bool Backing::slot_is_locked(uint32_t slot) const noexcept
{
    struct flock lock = lock_of(slot, F_WRLCK);
    // If the kernel cannot say, everybody lives: nothing is taken from anybody.
    return fcntl(lock_fd_, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

} // namespace weir
