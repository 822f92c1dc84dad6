// SPDX-License-Identifier: MIT OR Apache-2.0
// What is done to the file while a segment is in use: committing memory, populating it, giving it
// back, and the locks that say who lives. The explorer replaces this file.
#include "core/base/base.hpp"
#include "core/base/bits.hpp"
#include "core/segment/backing.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
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

int allocate_piece(int fd, int mode, uint64_t offset, uint64_t length) noexcept
{
    constexpr int kTries = 1000; // interrupted that often, something is wrong
    for (int i = 0; i < kTries; ++i) {
        // Not by the C library, whose function is a cancellation point: a thread that is cancelled
        // must not end with a ticket in its hand.
        if (syscall(SYS_fallocate, fd, mode, offset, length) == 0)
            return 0;
        if (errno != EINTR)
            return errno;
    }
    return EINTR;
}

// Kernel numbers that not every C library names.
constexpr int kPopulateWrite = 23; // MADV_POPULATE_WRITE, Linux 5.14
constexpr int kCollapse = 25;      // MADV_COLLAPSE, Linux 6.1
constexpr uint64_t kHugePage = 2u << 20;
/// Long enough for few system calls, short enough to be cancelled in between.
constexpr uint64_t kPiece = uint64_t{16} << 20;

/// Writes what is there back, so that the kernel gives the page for writing. A compare-exchange
/// and not an addition of 0, which a compiler may turn into a load.
void touch(std::byte *page) noexcept
{
    auto *const word = reinterpret_cast<uint64_t *>(page);
    constexpr int kTries = 100; // others may write there all the time: then the page is there too
    uint64_t found = __atomic_load_n(word, __ATOMIC_RELAXED);
    for (int i = 0; i < kTries; ++i)
        if (__atomic_compare_exchange_n(word, &found, found, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return;
}

Status populate_piece(std::byte *begin, std::byte *end) noexcept
{
    if (madvise(begin, static_cast<size_t>(end - begin), kPopulateWrite) == 0)
        return kOk;
    if (errno != EINVAL) // EFAULT: the file is shorter than it was; EHWPOISON: broken memory
        return error(errno == EFAULT ? kCorrupt : ENOMEM);
    for (std::byte *page = begin; page < end; page += kPage) // an older kernel
        touch(page);
    return kOk;
}
} // namespace

Status Backing::commit(uint64_t offset, uint64_t length) noexcept
{
    for (uint64_t done = 0; done < length; done += kCommitPiece) {
        int const code =
            allocate_piece(fd_, 0, offset + done, smaller(kCommitPiece, length - done));
        if (code != 0)
            return error(code == EOPNOTSUPP || code == ENOSYS ? EOPNOTSUPP : ENOSPC);
    }
    return kOk;
}

Status Backing::punch(uint64_t offset, uint64_t length) noexcept
{
    int const code =
        allocate_piece(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
    return code == 0 ? kOk : error(code == EPERM || code == ENOSYS ? EOPNOTSUPP : code); // a seal
}

Status Backing::populate(std::byte *base, uint64_t offset, uint64_t length) noexcept
{
    uint64_t const end = round_up(offset + length, kind_.page_bytes);
    uint64_t next = 0;
    for (uint64_t at = round_down(offset, kind_.page_bytes); at < end; at = next) {
        next = smaller(round_down(at, kPiece) + kPiece, end);
        // What is committed already is so at once; nobody may find a hole, and SIGBUS, below.
        WEIR_TRY(commit(at, next - at));
        WEIR_TRY(populate_piece(base + at, base + next));
        uint64_t const first = round_up(larger(at, offset), kHugePage);
        uint64_t const last = round_down(smaller(next, offset + length), kHugePage);
        // Only huge pages that lie in the part as a whole: others would commit more than asked.
        if (kind_.pages == Pages::transparent && first < last)
            madvise(base + first, last - first, kCollapse); // as good as it goes
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
    // A reader has no description for locks, and a fork child none yet; to ask, any one will do.
    int const fd = lock_fd_ >= 0 ? lock_fd_ : fd_;
    // If the kernel cannot say, everybody lives: nothing is taken from anybody.
    return fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

} // namespace weir
