// SPDX-License-Identifier: MIT OR Apache-2.0
// Looking at what a name stands for, and removing it.
#include "core/segment/name.hpp"

#include "core/base/clock.hpp"
#include "core/base/descriptor.hpp"
#include "core/base/fork.hpp"
#include "core/segment/layout.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

namespace weir {
namespace {
constexpr char kFolder[] = "/dev/shm/";
constexpr char kPrefix[] = "weir.";
constexpr size_t kNameMax = 200;

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
} // namespace

Status Path::of(char const *name, Path &into) noexcept
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

Status file_error(int code) noexcept
{
    switch (code) {
    case EACCES:
    case ELOOP:
    case EMFILE:
    case ENAMETOOLONG:
    case ENFILE:
    case ENOENT:
    case ENOMEM:
    case ENOTDIR:
    case EOPNOTSUPP:
    case EPERM:
    case EROFS:
        return error(code);
    case ETXTBSY: // a program that runs
        return error(EACCES);
    case ENOSYS:
        return error(EOPNOTSUPP);
    default:
        return error(EIO);
    }
}

Status reopen_error(int code) noexcept
{
    bool const no_proc = code == ENOENT || code == ENOTDIR || code == ELOOP || code == ENAMETOOLONG;
    return no_proc ? error(EOPNOTSUPP) : file_error(code);
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

int reopen(int fd, int flags) noexcept
{
    char path[40];
    write_proc_path(fd, path);
    int const made = above_standard(::open(path, flags | O_CLOEXEC | O_NONBLOCK));
    return made >= 0 ? made : -errno;
}

namespace {
/// The regular file that a name stands for, open for reading.
class Found {
  public:
    Found() noexcept = default;
    Found(Found const &) = delete;
    Found &operator=(Found const &) = delete;
    ~Found()
    {
        if (fd_ < 0)
            return;
        // Not by close() alone: a child that another thread made may have the descriptor too.
        flock(fd_, LOCK_UN);
        ::close(fd_);
    }

    Status open(Path const &path) noexcept;
    /// The file's beginning; kCorrupt if it has none of this length.
    Status read(void *into, size_t length) const noexcept;
    FileId id() const noexcept { return id_; }
    /// Removes the name, if it still stands for this file; ENOENT if not.
    Status unlink(Path const &path) noexcept;

  private:
    Status lock() noexcept;

    int fd_ = -1;
    FileId id_;
};

FileId id_of(struct stat const &file) noexcept { return {file.st_dev, file.st_ino}; }

Status Found::open(Path const &path) noexcept
{
    // O_PATH first: opening a device or a pipe could do something.
    int const place = ::open(path.text, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (place < 0)
        return file_error(errno);
    struct stat file {};
    bool const known = fstat(place, &file) == 0;
    int const made = known && S_ISREG(file.st_mode) ? reopen(place, O_RDONLY) : -1;
    ::close(place);
    if (!known)
        return error(EIO);
    if (!S_ISREG(file.st_mode))
        return error(S_ISDIR(file.st_mode) ? EISDIR : kCorrupt);
    if (made < 0)
        return reopen_error(-made);
    fd_ = made;
    id_ = id_of(file);
    return kOk;
}

Status Found::read(void *into, size_t length) const noexcept
{
    constexpr int kTries = 1000; // interrupted that often, something is wrong
    for (int i = 0; i < kTries; ++i) {
        ssize_t const got = pread(fd_, into, length, 0);
        if (got == static_cast<ssize_t>(length))
            return kOk;
        if (got >= 0)
            return error(kCorrupt);
        if (errno != EINTR)
            break;
    }
    return error(EIO);
}

Status Found::lock() noexcept
{
    constexpr int kTries = 100; // of a millisecond each: it is held for two system calls
    for (int i = 0; i < kTries; ++i) {
        if (flock(fd_, LOCK_EX | LOCK_NB) == 0)
            return kOk;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error(EIO);
        sleep_for(kMillisecond);
    }
    return error(EBUSY);
}

Status Found::unlink(Path const &path) noexcept
{
    WEIR_TRY(lock());
    struct stat named {};
    if (lstat(path.text, &named) != 0)
        return file_error(errno);
    if (!(id_of(named) == id_))
        return error(ENOENT); // somebody removed it, and made another one
    if (::unlink(path.text) != 0)
        return errno == EBUSY    ? error(EPERM) // a mount point
               : errno == EISDIR ? error(EISDIR)
                                 : file_error(errno);
    return kOk;
}
} // namespace

Status unlink_name(char const *name) noexcept
{
    Path path;
    WEIR_TRY(Path::of(name, path));
    NoFork const whole;
    Found file;
    WEIR_TRY(file.open(path));
    uint64_t magic = 0;
    WEIR_TRY(file.read(&magic, sizeof magic));
    if (magic != kMagic)
        return error(kCorrupt);
    return file.unlink(path);
}

Status unlink_retired_name(char const *name) noexcept
{
    Path path;
    WEIR_TRY(Path::of(name, path));
    NoFork const whole;
    Found file;
    if (Status const opened = file.open(path); !opened.ok())
        return opened.code == -ENOENT ? kOk : opened;
    alignas(Header) unsigned char bytes[sizeof(Header)];
    WEIR_TRY(file.read(bytes, sizeof bytes));
    auto const &header = *reinterpret_cast<Header const *>(bytes);
    // relaxed: a copy in our own memory
    if (header.magic != kMagic || header.format_version != kFormatVersion ||
        header.state.load(relaxed) != kStateRetired)
        return error(EEXIST);
    Status const done = file.unlink(path);
    return done.code == -ENOENT ? kOk : done;
}

Status unlink_name_of(char const *name, FileId file) noexcept
{
    Path path;
    WEIR_TRY(Path::of(name, path));
    NoFork const whole;
    Found found;
    WEIR_TRY(found.open(path));
    return found.id() == file ? found.unlink(path) : error(ENOENT);
}

} // namespace weir
