// SPDX-License-Identifier: MIT OR Apache-2.0
// Making, opening, naming and mapping the file behind a segment.
#include "core/segment/backing.hpp"

#include "core/base/base.hpp"
#include "core/base/bits.hpp"
#include "core/base/fork.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstring>

namespace weir {
namespace {
constexpr char kFolder[] = "/dev/shm/";
constexpr char kPrefix[] = "weir.";
constexpr size_t kNameMax = 200;

/// The path of a name, and where its last part begins.
struct Path {
    char text[PATH_MAX];
    size_t folder_length = 0;
};

bool printable(char const *text) noexcept
{
    for (; *text != '\0'; ++text)
        if (static_cast<unsigned char>(*text) < ' ' || *text == 0x7f)
            return false;
    return true;
}

Status path_of_plain_name(char const *name, size_t length, Path &into) noexcept
{
    if (length > kNameMax)
        return error(ENAMETOOLONG);
    size_t const folder = sizeof kFolder - 1;
    size_t const prefix = sizeof kPrefix - 1;
    std::memcpy(into.text, kFolder, folder);
    std::memcpy(into.text + folder, kPrefix, prefix);
    std::memcpy(into.text + folder + prefix, name, length + 1);
    into.folder_length = folder;
    return kOk;
}

Status path_of(char const *name, Path &into) noexcept
{
    size_t const length = strnlen(name, PATH_MAX);
    if (length == 0 || !printable(name))
        return error(EINVAL);
    if (length >= PATH_MAX)
        return error(ENAMETOOLONG);
    char const *const slash = std::strrchr(name, '/');
    if (slash == nullptr)
        return path_of_plain_name(name, length, into);
    if (name[0] != '/' || slash[1] == '\0')
        return error(EINVAL); // relative paths mean different things to different processes
    if (std::strlen(slash + 1) > NAME_MAX)
        return error(ENAMETOOLONG);
    std::memcpy(into.text, name, length + 1);
    into.folder_length = static_cast<size_t>(slash - name) + 1;
    return kOk;
}

void write_proc_path(int fd, char *into) noexcept
{
    constexpr char kProc[] = "/proc/self/fd/";
    std::memcpy(into, kProc, sizeof kProc - 1);
    char digits[16];
    size_t count = 0;
    for (unsigned value = static_cast<unsigned>(fd); count == 0 || value != 0; value /= 10)
        digits[count++] = static_cast<char>('0' + value % 10);
    char *at = into + sizeof kProc - 1;
    while (count > 0)
        *at++ = digits[--count];
    *at = '\0';
}

/// A second open file description of the same file: OFD locks hang on descriptions.
int reopen(int fd) noexcept
{
    char path[40];
    write_proc_path(fd, path);
    int const made = ::open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    return made >= 0 ? made : -errno;
}

Status make_unnamed(char const *name, int &ret_fd) noexcept
{
    Path path;
    WEIR_TRY(path_of(name, path));
    path.text[path.folder_length] = '\0';
    int const fd = ::open(path.text, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) // EISDIR: a kernel or file system without O_TMPFILE
        return error(errno == EISDIR ? EOPNOTSUPP : errno);
    ret_fd = fd;
    return kOk;
}

/// Before the file has a name. open() obeyed the umask; the options say what is wanted.
Status set_access(int fd, uint32_t mode, MemoryWish const &wish) noexcept
{
    if (wish.set_group && fchown(fd, static_cast<uid_t>(-1), wish.group) != 0)
        return error(errno);
    if (mode != 0 && fchmod(fd, mode) != 0)
        return error(errno);
    return kOk;
}

/// Not of the kernel's default size, which may be 1 GiB: the data of sectors is aligned to 2 MiB.
constexpr unsigned kHuge2MiB = 21u << 26; // MFD_HUGE_2MB, which not every C library names

Status make_memfd(MemoryWish const &wish, int &ret_fd) noexcept
{
    unsigned const huge = wish.hugetlb ? MFD_HUGETLB | kHuge2MiB : 0;
    int const fd = memfd_create("weir", MFD_CLOEXEC | MFD_ALLOW_SEALING | huge);
    if (fd < 0) { // EINVAL, ENODEV, EPERM: a kernel without huge pages, or not for us
        bool const lacking = errno == ENOSYS ||
                             (huge != 0 && (errno == EINVAL || errno == ENODEV || errno == EPERM));
        return error(lacking ? EOPNOTSUPP : errno);
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
    if (ftruncate(fd_, static_cast<off_t>(round_up(length, kind_.page_bytes))) != 0)
        return error(errno == EFBIG ? ENOSPC : errno);
    if (name == nullptr && fcntl(fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return error(errno);
    return reopen_locks();
}

Status Backing::publish(char const *name) noexcept
{
    Path path;
    WEIR_TRY(path_of(name, path));
    char from[40];
    write_proc_path(fd_, from);
    if (linkat(AT_FDCWD, from, AT_FDCWD, path.text, AT_SYMLINK_FOLLOW) != 0)
        return error(errno);
    return kOk;
}

Status Backing::open(char const *name, bool read_only) noexcept
{
    Path path;
    WEIR_TRY(path_of(name, path));
    read_only_ = read_only;
    fd_ = ::open(path.text, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd_ < 0) // a link or a folder is no segment
        return error(errno == ELOOP || errno == EISDIR || errno == ENXIO ? kCorrupt : errno);
    find_page_size();
    return read_only ? kOk : reopen_locks();
}

Status Backing::open_fd(int fd, bool read_only) noexcept
{
    read_only_ = read_only;
    fd_ = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (fd_ < 0)
        return error(errno == EINVAL ? EBADF : errno);
    find_page_size();
    return read_only ? kOk : reopen_locks();
}

Status Backing::unlink(char const *name) noexcept
{
    Path path;
    WEIR_TRY(path_of(name, path));
    return ::unlink(path.text) == 0 ? kOk : error(errno);
}

void Backing::unlink_own(char const *name) noexcept
{
    Path path;
    struct stat named, own;
    if (path_of(name, path).ok() && stat(path.text, &named) == 0 && fstat(fd_, &own) == 0 &&
        named.st_dev == own.st_dev && named.st_ino == own.st_ino)
        static_cast<void>(::unlink(path.text)); // somebody may be faster
}

Status Backing::reopen_locks() noexcept
{
    // A fork between the two would leave a child with a descriptor that no handle knows, and with
    // it the lock that must end with this process.
    NoFork const whole;
    lock_fd_ = reopen(fd_);
    if (lock_fd_ >= 0)
        return kOk;
    int const code = -lock_fd_;
    lock_fd_ = -1;
    // ENOENT: no /proc. ENXIO, EISDIR: not a regular file.
    return error(code == ENOENT ? EOPNOTSUPP : code == ENXIO || code == EISDIR ? kCorrupt : code);
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
        return error(errno);
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
            return error(got < 0 ? errno : kCorrupt); // shorter than a header
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
        return error(code == EAGAIN ? ENOMEM : code);
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
    int const fd = ::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    int const second = reopen(fd);
    ::close(fd);
    if (second < 0)
        return false;
    ::close(second);
    return true;
}

bool memfd_segments_work() noexcept
{
    int const fd = memfd_create("weir", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return false;
    int const second = reopen(fd);
    ::close(fd);
    if (second < 0)
        return false;
    ::close(second);
    return true;
}

} // namespace weir
