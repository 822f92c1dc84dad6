// SPDX-License-Identifier: MIT OR Apache-2.0
// Making, opening, naming and mapping the file behind a segment.
#include "core/segment/backing.hpp"

#include "core/base/base.hpp"
#include "core/base/bits.hpp"
#include "core/base/cancel.hpp"
#include "core/base/descriptor.hpp"
#include "core/base/fork.hpp"
#include "core/segment/name.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir {
namespace {
/// What only making a file can fail with, besides the rest.
Status making_error(int code) noexcept
{
    if (code == EFBIG)
        return error(code);
    return code == ENOSPC || code == EDQUOT ? error(ENOSPC) : file_error(code);
}

Status make_unnamed(char const *name, int &ret_fd) noexcept
{
    Path path;
    WEIR_TRY(Path::of(name, path));
    path.text[path.folder_length] = '\0';
    int const fd = above_standard(::open(path.text, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (fd < 0) // EISDIR: a kernel or file system without O_TMPFILE
        return errno == EISDIR ? error(EOPNOTSUPP) : making_error(errno);
    ret_fd = fd;
    return kOk;
}

/// Before the file has a name. open() obeyed the umask; the options say what is wanted.
Status set_access(int fd, uint32_t mode, MemoryWish const &wish) noexcept
{
    if (wish.set_group && fchown(fd, static_cast<uid_t>(-1), wish.group) != 0)
        return making_error(errno);
    if (mode != 0 && fchmod(fd, mode) != 0)
        return making_error(errno);
    return kOk;
}

/// A process that makes a file larger than its limit is killed by SIGXFSZ, unless it asks first.
Status check_file_limit(uint64_t length) noexcept
{
    struct rlimit found {};
    if (getrlimit(RLIMIT_FSIZE, &found) == 0 && found.rlim_cur != RLIM_INFINITY &&
        found.rlim_cur < length)
        return error(EFBIG);
    return kOk;
}

/// Not of the kernel's default size, which may be 1 GiB: the data of sectors is aligned to 2 MiB.
constexpr unsigned kHuge2MiB = 21u << 26; // MFD_HUGE_2MB, which not every C library names

Status make_memfd(MemoryWish const &wish, int &ret_fd) noexcept
{
    unsigned const huge = wish.hugetlb ? MFD_HUGETLB | kHuge2MiB : 0;
    int const fd = above_standard(memfd_create("weir", MFD_CLOEXEC | MFD_ALLOW_SEALING | huge));
    if (fd < 0) { // EINVAL, ENODEV, EPERM: a kernel without huge pages, or not for us
        bool const lacking = errno == ENOSYS ||
                             (huge != 0 && (errno == EINVAL || errno == ENODEV || errno == EPERM));
        return lacking ? error(EOPNOTSUPP) : making_error(errno);
    }
    ret_fd = fd;
    return kOk;
}
} // namespace

Status Backing::make(char const *name, uint32_t mode, uint64_t length,
                     MemoryWish const &wish) noexcept
{
    WEIR_TRY(name != nullptr ? make_unnamed(name, fd_) : make_memfd(wish, fd_));
    WEIR_TRY(set_access(fd_, mode == 0 && name != nullptr ? 0600 : mode, wish));
    find_page_size();
    uint64_t const bytes = round_up(length, kind_.page_bytes);
    WEIR_TRY(check_file_limit(bytes));
    if (ftruncate(fd_, static_cast<off_t>(bytes)) != 0)
        return making_error(errno);
    if (name == nullptr && fcntl(fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return making_error(errno);
    return reopen_locks();
}

Status Backing::publish(char const *name) noexcept
{
    constexpr int kTries = 100; // others may take the name and retire what has it all the time
    Path path;
    WEIR_TRY(Path::of(name, path));
    char from[40];
    write_proc_path(fd_, from);
    for (int i = 0; i < kTries; ++i) {
        if (linkat(AT_FDCWD, from, AT_FDCWD, path.text, AT_SYMLINK_FOLLOW) == 0)
            return kOk;
        if (errno != EEXIST)
            return making_error(errno);
        if (!unlink_retired_name(name).ok())
            return error(EEXIST);
    }
    return error(EEXIST);
}

/// A link, a folder, a socket and a program that runs are no segments.
static Status not_opened(Path const &path, int code) noexcept
{
    struct stat found {};
    bool const link = code == ELOOP && lstat(path.text, &found) == 0 && S_ISLNK(found.st_mode);
    if (link || code == EISDIR || code == ENXIO || code == ETXTBSY)
        return error(kCorrupt);
    return file_error(code);
}

Status Backing::open(char const *name, bool read_only) noexcept
{
    Path path;
    WEIR_TRY(Path::of(name, path));
    read_only_ = read_only;
    int const access = read_only ? O_RDONLY : O_RDWR;
    fd_ = above_standard(::open(path.text, access | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (fd_ < 0)
        return not_opened(path, errno);
    find_page_size();
    return read_only ? kOk : reopen_locks();
}

Status Backing::open_fd(int fd, bool read_only) noexcept
{
    read_only_ = read_only;
    fd_ = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (fd_ < 0)
        return errno == EINVAL || errno == EBADF ? error(EBADF) : file_error(errno);
    WEIR_TRY(this->length()); // a folder or a pipe could not be opened again for writing
    find_page_size();
    return read_only ? kOk : reopen_locks();
}

void Backing::unlink_own(char const *name) noexcept
{
    struct stat own {};
    if (fstat(fd_, &own) == 0)
        static_cast<void>(unlink_name_of(name, {own.st_dev, own.st_ino})); // somebody may be faster
}

Status Backing::reopen_locks() noexcept
{
    // A fork between the two would leave a child with a descriptor that no handle knows, and with
    // it the lock that must end with this process.
    NoFork const whole;
    lock_fd_ = reopen(fd_, O_RDWR);
    if (lock_fd_ >= 0)
        return kOk;
    int const code = -lock_fd_;
    lock_fd_ = -1;
    return reopen_error(code);
}

void Backing::close() noexcept
{
    if (fd_ >= 0)
        ::close(fd_);
    if (lock_fd_ >= 0)
        ::close(lock_fd_);
    fd_ = lock_fd_ = -1;
}

Result<uint64_t> Backing::length() const noexcept
{
    struct stat found;
    if (fstat(fd_, &found) != 0)
        return error(EIO);
    if (!S_ISREG(found.st_mode))
        return error(kCorrupt);
    return static_cast<uint64_t>(found.st_size);
}

bool Backing::ours() const noexcept
{
    struct stat found;
    return fstat(fd_, &found) == 0 && (found.st_uid == geteuid() || found.st_uid == 0);
}

Status Backing::read_start(void *into, size_t length) const noexcept
{
    auto *at = static_cast<char *>(into);
    off_t offset = 0;
    while (length > 0) {
        ssize_t const got = pread(fd_, at, length, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error(got == 0         ? kCorrupt // shorter than a header
                         : errno == EBADF ? EACCES   // a descriptor for writing alone
                                          : EIO);
        at += got;
        offset += got;
        length -= static_cast<size_t>(got);
    }
    return kOk;
}

Result<std::byte *> Backing::map(uint64_t length, uint64_t align) noexcept
{
    // Reserve more, so that the base can be aligned: then an aligned offset is an aligned address
    // in every process.
    length = round_up(length, kind_.page_bytes);
    align = larger(align, kind_.page_bytes);
    uint64_t const reserved = length + align;
    void *const space =
        mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED)
        return error(ENOMEM);
    uint64_t const begin = reinterpret_cast<uint64_t>(space);
    uint64_t const base = round_up(begin, align);
    uint64_t const end = base + length;
    if (mmap(reinterpret_cast<void *>(base), length, PROT_READ | (read_only_ ? 0 : PROT_WRITE),
             MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd_, 0) == MAP_FAILED) {
        int const code = errno;
        munmap(space, reserved);
        return code == EAGAIN ? error(ENOMEM) : file_error(code);
    }
    if (base > begin)
        munmap(space, base - begin);
    if (begin + reserved > end)
        munmap(reinterpret_cast<void *>(end), begin + reserved - end);
    return reinterpret_cast<std::byte *>(base);
}

void Backing::unmap(std::byte *base, uint64_t length) const noexcept
{
    munmap(base, round_up(length, kind_.page_bytes));
}

void Backing::drop_inherited_locks() noexcept
{
    if (lock_fd_ >= 0)
        ::close(lock_fd_);
    lock_fd_ = -1;
    was_locked_ = was_locked_ || kind_.locked;
    kind_.locked = false;
}

bool named_segments_work() noexcept
{
    NoCancel const whole;
    int const fd = ::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    int const second = reopen(fd, O_RDWR);
    ::close(fd);
    if (second < 0)
        return false;
    ::close(second);
    return true;
}

bool memfd_segments_work() noexcept
{
    NoCancel const whole;
    int const fd = memfd_create("weir", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return false;
    int const second = reopen(fd, O_RDWR);
    ::close(fd);
    if (second < 0)
        return false;
    ::close(second);
    return true;
}

} // namespace weir
