// SPDX-License-Identifier: MIT OR Apache-2.0
// Names, whole transfers, locks and space: FileOps by the system calls of Linux.
#include "core/flush/io_posix.hpp"

#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <linux/fs.h>

#include <cstring>

#include "core/base/alloc.hpp"
#include "core/base/base.hpp"
#include "core/base/bits.hpp"
#include "core/flush/io_limits.hpp"
#include "core/flush/system.hpp"

namespace weir {

int sys::check_file_limit(uint64_t end) noexcept
{
    struct rlimit found {};
    if (getrlimit(RLIMIT_FSIZE, &found) == 0 && found.rlim_cur != RLIM_INFINITY &&
        found.rlim_cur < end)
        return -EFBIG;
    return 0;
}

namespace {

constexpr size_t kFilePiece = 1 << 20; // of zeros, and of what is read and written back
constexpr int kChanges = 100;          // of a name, while we try to open or to make it

constexpr Status from(long code) noexcept { return Status{static_cast<int>(code)}; }

/// Never written: reading them costs no memory but the page of zeros.
alignas(kPage) char g_piece_of_zeros[kFilePiece];

Status space_error(int code) noexcept
{
    return code == -EFBIG || code == -EDQUOT ? error(ENOSPC) : from(code);
}

// ---- names

/// The folder of a name and its last part. A name has one '/' at most.
class FilePlace {
  public:
    FilePlace() noexcept = default;
    FilePlace(FilePlace const &) = delete;
    FilePlace &operator=(FilePlace const &) = delete;
    ~FilePlace()
    {
        if (own_ >= 0)
            sys::close(own_);
    }
    Status find(int top, char const *name) noexcept
    {
        char const *const slash = std::strchr(name, '/');
        folder = top;
        last = slash == nullptr ? name : slash + 1;
        if (!is_plain(last))
            return error(EINVAL);
        return slash == nullptr ? kOk : enter(top, name, static_cast<size_t>(slash - name));
    }
    int folder = -1;
    char const *last = nullptr;

  private:
    static bool is_plain(char const *part) noexcept
    {
        return *part != '\0' && std::strchr(part, '/') == nullptr && std::strcmp(part, ".") != 0 &&
               std::strcmp(part, "..") != 0;
    }
    Status enter(int top, char const *name, size_t length) noexcept
    {
        char sub[256];
        if (length >= sizeof sub)
            return error(ENAMETOOLONG);
        std::memcpy(sub, name, length);
        sub[length] = '\0';
        if (!is_plain(sub))
            return error(EINVAL);
        own_ = sys::open_at(top, sub, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
        folder = own_;
        return from(own_ < 0 ? own_ : 0);
    }
    int own_ = -1;
};

/// A descriptor of the folder itself or of one in it, for reading names and for fsync.
int open_folder(int top, char const *sub) noexcept
{
    char const *const name = *sub == '\0' ? "." : sub;
    return sys::open_at(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

bool is_regular(int fd) noexcept
{
    struct stat found {};
    return fstat(fd, &found) == 0 && S_ISREG(found.st_mode);
}

/// Overwriting in place needs no new space then. Only an empty file takes the flag.
void keep_in_place(int fd) noexcept
{
    int flags = 0;
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
        flags |= FS_NOCOW_FL;
        (void)ioctl(fd, FS_IOC_SETFLAGS, &flags); // limits() tells whether it took
    }
}

/// Not by open(): it would make the file and then refuse.
bool set_status(int fd, long wanted) noexcept
{
    long const flags = sys::call(SYS_fcntl, fd, F_GETFL, 0L);
    return flags >= 0 && sys::call(SYS_fcntl, fd, F_SETFL, (flags & ~O_NONBLOCK) | wanted) == 0;
}

/// Who cannot go past the page cache goes through it.
void try_direct(int fd) noexcept { (void)set_status(fd, O_DIRECT); }

/// What is no file of ours: a link, a folder, a pipe, a device.
int not_ours(int code) noexcept
{
    bool const strange = code == -ELOOP || code == -EISDIR || code == -ENXIO || code == -ENODEV;
    return strange ? -kCorrupt : code;
}

int open_old(FilePlace const &place, unsigned flags) noexcept
{
    int const access = (flags & kOpenWrite) != 0 ? O_RDWR : O_RDONLY;
    // O_NONBLOCK: a pipe would hold us up before we see that it is one. Not longer: io_uring would
    // answer EAGAIN where a write has to wait.
    int const fd = sys::open_at(place.folder, place.last, access | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0)
        return not_ours(fd);
    if (is_regular(fd) && set_status(fd, 0))
        return fd;
    sys::close(fd);
    return -kCorrupt;
}

/// open() obeyed the umask; `mode` says what is wanted.
int open_new(FilePlace const &place, uint32_t mode, bool btrfs) noexcept
{
    int const fd =
        sys::open_at(place.folder, place.last, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode & 0777);
    if (fd < 0)
        return fd;
    (void)fchmod(fd, mode & 0777); // some file systems have no modes
    if (btrfs)
        keep_in_place(fd);
    return fd;
}

int open_any(FilePlace const &place, unsigned flags, uint32_t mode, bool btrfs) noexcept
{
    bool const create = (flags & kOpenCreate) != 0;
    if (create && (flags & kOpenExclusive) != 0)
        return open_new(place, mode, btrfs);
    for (int i = 0; i < kChanges; ++i) { // somebody may remove and make it all the time
        int fd = open_old(place, flags);
        if (fd != -ENOENT || !create)
            return fd;
        fd = open_new(place, mode, btrfs);
        if (fd != -EEXIST)
            return fd;
    }
    return -EEXIST;
}

Status make_folder(FilePlace const &place, uint32_t mode) noexcept
{
    unsigned const enter = (mode & 0444) >> 2; // who may read may also look for names
    long const made = sys::call(SYS_mkdirat, place.folder, place.last, (mode & 0777) | enter);
    if (made != -EEXIST)
        return from(made);
    struct stat found {};
    if (fstatat(place.folder, place.last, &found, AT_SYMLINK_NOFOLLOW) != 0)
        return error(errno);
    return S_ISDIR(found.st_mode) ? kOk : error(ENOTDIR);
}

// ---- transfers

constexpr int kShort = 1000; // transfers of less than was asked for, in one call
constexpr int kStuck = 10;   // of them without a step forward

Status write_all(int fd, char const *data, size_t length, uint64_t offset) noexcept
{
    if (int const refused = sys::check_file_limit(offset + length); refused != 0)
        return from(refused);
    size_t from_byte = 0;
    int stuck = 0;
    for (int i = 0; i < kShort && stuck < kStuck; ++i) {
        long const done = sys::pwrite(fd, data + from_byte, length - from_byte, offset + from_byte);
        if (done < 0)
            return from(done);
        size_t const reached = from_byte + static_cast<size_t>(done);
        if (reached >= length)
            return kOk;
        size_t const next = sys::rest_begins(offset, reached);
        stuck = next > from_byte ? 0 : stuck + 1;
        from_byte = next;
    }
    return error(EIO);
}

Result<uint64_t> size_of(int fd) noexcept
{
    struct stat found {};
    if (fstat(fd, &found) != 0)
        return error(errno);
    return static_cast<uint64_t>(found.st_size);
}

Result<size_t> read_all(int fd, char *data, size_t length, uint64_t offset) noexcept
{
    size_t reached = 0;
    size_t from_byte = 0;
    for (int i = 0; i < kShort && reached < length; ++i) {
        long const done = sys::pread(fd, data + from_byte, length - from_byte, offset + from_byte);
        if (done < 0)
            return from(done);
        reached = from_byte + static_cast<size_t>(done);
        if (reached == length)
            break;
        Result<uint64_t> const end = size_of(fd); // a short one is the end, or an interruption
        if (!end.ok() || done == 0 || offset + reached >= *end)
            return end.ok() ? Result<size_t>(reached) : Result<size_t>(end.status());
        from_byte = sys::rest_begins(offset, reached);
    }
    return reached;
}

// ---- space

/// A file system without fallocate: what is there is written again, what is not is zeros. Nobody
/// else writes to the file meanwhile: it is being prepared.
Status write_again(int fd, uint64_t offset, uint64_t length) noexcept
{
    char *const piece = static_cast<char *>(allocate(kFilePiece + kPage));
    if (piece == nullptr)
        return error(ENOMEM);
    auto const free_piece = Undo([piece] { deallocate(piece); });
    char *const data =
        reinterpret_cast<char *>(round_up(reinterpret_cast<uintptr_t>(piece), kPage));
    while (length != 0) {
        size_t const now = length < kFilePiece ? length : kFilePiece;
        Result<size_t> const got = read_all(fd, data, now, offset);
        WEIR_TRY(got);
        std::memset(data + *got, 0, now - *got);
        WEIR_TRY(write_all(fd, data, now, offset));
        offset += now;
        length -= now;
    }
    return kOk;
}

Status reserve_space(int fd, uint64_t offset, uint64_t length) noexcept
{
    if (int const refused = sys::check_file_limit(offset + length); refused != 0)
        return space_error(refused);
    int const done = sys::fallocate(fd, 0, offset, length);
    if (done != -EOPNOTSUPP && done != -ENOSYS)
        return space_error(done);
    return space_error(write_again(fd, offset, length).code);
}

constexpr int kWriteZeroes = 0x80; // FALLOC_FL_WRITE_ZEROES, Linux 6.17

Status write_zeros_by_hand(int fd, uint64_t offset, uint64_t length) noexcept
{
    while (length != 0) {
        size_t const now = length < kFilePiece ? length : kFilePiece;
        WEIR_TRY(write_all(fd, g_piece_of_zeros, now, offset));
        offset += now;
        length -= now;
    }
    return kOk;
}
} // namespace

// ---- the functions of the table

struct PosixCalls {
    static PosixFiles &of(void *self) noexcept { return *static_cast<PosixFiles *>(self); }

    static Result<File> open(void *self, char const *name, unsigned flags, uint32_t mode)
    {
        PosixFiles const &files = of(self);
        FilePlace place;
        WEIR_TRY(place.find(files.folder_, name));
        if ((flags & kOpenFolder) != 0) {
            WEIR_TRY(make_folder(place, mode));
            return File{0};
        }
        int const fd = open_any(place, flags, mode, files.btrfs_);
        if (fd < 0)
            return from(fd);
        if ((flags & kOpenDirect) != 0 && files.direct_ && !files.kind_.volatile_fs)
            try_direct(fd);
        return fd;
    }

    static void close(void *self, File file)
    {
        if (file < 0)
            return;
        // A fork child's copy would keep the lock; in the child the lock is the parent's.
        if (getpid() == of(self).process_) {
            struct flock whole {};
            whole.l_type = F_UNLCK;
            (void)sys::call(SYS_fcntl, file, F_OFD_SETLK, &whole);
        }
        sys::close(file);
    }

    static Status list(void *self, char const *sub, bool (*visit)(void *userdata, char const *name),
                       void *userdata)
    {
        int const fd = open_folder(of(self).folder_, sub);
        if (fd < 0)
            return from(fd);
        auto const close_folder = Undo([fd] { sys::close(fd); });
        return read_names(fd, visit, userdata);
    }

    static Result<uint64_t> size(void *, File file) { return size_of(file); }

    static Result<Nanoseconds> modified(void *, File file)
    {
        struct stat found {};
        if (fstat(file, &found) != 0)
            return error(errno);
        return found.st_mtim.tv_sec * kSecond + found.st_mtim.tv_nsec;
    }

    static Result<Limits> limits(void *self, File file)
    {
        PosixFiles &files = of(self);
        Limits limits = files.kind_;
        if (files.btrfs_)
            limits.copy_on_write = !stays_in_place(file);
        return limits_of_file(files, file, limits);
    }

    static Status prealloc(void *, File file, uint64_t offset, uint64_t length)
    {
        return length == 0 ? kOk : reserve_space(file, offset, length);
    }

    static Status write_zeros(void *, File file, uint64_t offset, uint64_t length)
    {
        if (length == 0)
            return kOk;
        if (int const refused = sys::check_file_limit(offset + length); refused != 0)
            return space_error(refused);
        if (sys::fallocate(file, kWriteZeroes, offset, length) == 0)
            return kOk;
        // Whatever it refused with, the slow way tells what is really wrong. Space first: fewer
        // extents, and a full disk is known before a gigabyte was written.
        int const space = sys::fallocate(file, 0, offset, length);
        if (space < 0 && space != -EOPNOTSUPP && space != -ENOSYS)
            return space_error(space);
        return space_error(write_zeros_by_hand(file, offset, length).code);
    }

    static Status truncate(void *, File file, uint64_t length)
    {
        Result<uint64_t> const now = size_of(file);
        WEIR_TRY(now);
        if (length > *now && sys::check_file_limit(length) != 0)
            return error(EFBIG);
        return from(sys::call(SYS_ftruncate, file, length));
    }

    static Result<size_t> pread(void *, File file, void *data, size_t length, uint64_t offset)
    {
        return read_all(file, static_cast<char *>(data), length, offset);
    }

    static Status pwrite(void *, File file, void const *data, size_t length, uint64_t offset)
    {
        return length == 0 ? kOk : write_all(file, static_cast<char const *>(data), length, offset);
    }

    static Status fdatasync(void *, File file) { return from(sys::fdatasync(file)); }
    static Status fsync(void *, File file) { return from(sys::fsync(file)); }

    static Status fsync_dir(void *self, char const *sub)
    {
        int const fd = open_folder(of(self).folder_, sub);
        if (fd < 0)
            return from(fd);
        int const done = sys::fsync(fd);
        sys::close(fd);
        return from(done);
    }

    static void drop_cache(void *, File file)
    {
        (void)sys::call(SYS_fadvise64, file, 0L, 0L, POSIX_FADV_DONTNEED);
    }

    static Status rename(void *self, char const *from_name, char const *to_name)
    {
        FilePlace source, target;
        WEIR_TRY(source.find(of(self).folder_, from_name));
        WEIR_TRY(target.find(of(self).folder_, to_name));
        return from(
            sys::call(SYS_renameat2, source.folder, source.last, target.folder, target.last, 0));
    }

    static Status unlink(void *self, char const *name)
    {
        FilePlace place;
        WEIR_TRY(place.find(of(self).folder_, name));
        return from(sys::call(SYS_unlinkat, place.folder, place.last, 0));
    }

    static Status lock(void *, File file, Nanoseconds timeout)
    {
        Deadline const deadline(timeout);
        struct flock whole {};
        whole.l_type = F_WRLCK;
        Nanoseconds pause = 100 * kMicrosecond; // the kernel's own wait has no time limit
        for (;;) {                              // ends with the lock, an error, or the deadline
            long const done = sys::call(SYS_fcntl, file, F_OFD_SETLK, &whole);
            if (done != -EAGAIN && done != -EACCES)
                return from(done);
            Nanoseconds const left = deadline.left();
            if (left == 0)
                return error(EBUSY);
            sleep_for(left < pause ? left : pause);
            pause = pause < 5 * kMillisecond ? 2 * pause : pause;
        }
    }

  private:
    static bool stays_in_place(int fd) noexcept
    {
        int flags = 0;
        return ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_NOCOW_FL) != 0;
    }

    /// As the kernel writes an entry; <dirent.h> has a function that allocates instead.
    struct Entry {
        uint64_t inode;
        int64_t next;
        uint16_t length;
        uint8_t type;
        char name[1]; ///< and on
    };

    static Status read_names(int fd, bool (*visit)(void *, char const *), void *userdata) noexcept
    {
        alignas(Entry) char entries[4096];
        for (;;) { // ends with the folder
            long const got = sys::call(SYS_getdents64, fd, entries, sizeof entries);
            if (got <= 0)
                return from(got);
            for (long at = 0; at < got;) {
                auto const *const entry = reinterpret_cast<Entry const *>(entries + at);
                at += entry->length;
                bool const itself =
                    std::strcmp(entry->name, ".") == 0 || std::strcmp(entry->name, "..") == 0;
                if (!itself && !visit(userdata, entry->name))
                    return kOk;
            }
        }
    }
};

FileOps const PosixFiles::kOps = {
    PosixCalls::open,     PosixCalls::close,     PosixCalls::list,       PosixCalls::size,
    PosixCalls::modified, PosixCalls::limits,    PosixCalls::prealloc,   PosixCalls::write_zeros,
    PosixCalls::truncate, PosixCalls::pread,     PosixCalls::pwrite,     PosixCalls::fdatasync,
    PosixCalls::fsync,    PosixCalls::fsync_dir, PosixCalls::drop_cache, PosixCalls::rename,
    PosixCalls::unlink,   PosixCalls::lock,
};

namespace {
/// The folder's name lies in its parent. Perhaps it is new: made by us, or by somebody who died before
/// this.
Status make_name_durable(int folder) noexcept
{
    int const parent = sys::open_at(folder, "..", O_RDONLY | O_DIRECTORY, 0);
    if (parent < 0)
        return parent == -EACCES ? kOk : from(parent); // may be entered, not be read
    int const done = sys::fsync(parent);
    sys::close(parent);
    // A file system that is not written to has no new name; ours is mounted in it then.
    bool const no_fsync = done == -EINVAL || done == -EROFS || done == -EOPNOTSUPP;
    return from(no_fsync ? 0 : done);
}

Status open_top(char const *folder, bool create, uint32_t mode, int &ret) noexcept
{
    if (create) {
        unsigned const enter = (mode & 0444) >> 2;
        long const made = sys::call(SYS_mkdirat, AT_FDCWD, folder, (mode & 0777) | enter);
        if (made < 0 && made != -EEXIST)
            return from(made);
    }
    ret = sys::open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0);
    if (ret < 0)
        return from(ret);
    return create ? make_name_durable(ret) : kOk;
}
} // namespace

Status PosixFiles::open(char const *folder, bool create, uint32_t mode, PosixFiles *&ret) noexcept
{
    auto *const files = make<PosixFiles>();
    if (files == nullptr)
        return error(ENOMEM);
    auto undo = Undo([files] { release(files); });
    WEIR_TRY(open_top(folder, create, mode, files->folder_));
    files->process_ = getpid();
    WEIR_TRY(kind_of_file_system(files->folder_, files->kind_, files->btrfs_));
    undo.cancel();
    ret = files;
    return kOk;
}

void PosixFiles::release(PosixFiles *files) noexcept
{
    if (files != nullptr && files->folder_ >= 0)
        sys::close(files->folder_);
    destroy(files);
}

Result<File> PosixFiles::scratch(unsigned flags) noexcept
{
    int fd = sys::open_at(folder_, ".", O_RDWR | O_TMPFILE, 0600);
    if (fd < 0) { // a file system or kernel without it
        static constexpr char kName[] = ".scratch";
        (void)sys::call(SYS_unlinkat, folder_, kName, 0); // of a process that died
        fd = sys::open_at(folder_, kName, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
        if (fd < 0)
            return from(fd);
        (void)sys::call(SYS_unlinkat, folder_, kName, 0);
    }
    if (btrfs_)
        keep_in_place(fd);
    if ((flags & kOpenDirect) != 0 && direct_ && !kind_.volatile_fs)
        try_direct(fd);
    return fd;
}

} // namespace weir
