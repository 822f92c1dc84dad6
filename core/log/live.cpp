// SPDX-License-Identifier: MIT OR Apache-2.0
// Mapping LIVE, and moving its watermarks.
#include "core/log/live.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/base/futex.hpp"
#include "core/flush/system.hpp"

#include <cstring>

namespace weir {
namespace {

int open_in(char const *folder, int flags, uint32_t mode) noexcept
{
    int const at = sys::open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0);
    if (at < 0)
        return at;
    int const fd = sys::open_at(at, "LIVE", flags | O_NOFOLLOW | O_NONBLOCK, mode);
    sys::close(at);
    return fd;
}

/// -kCorrupt: not a file, or too short to be mapped without SIGBUS.
Status check_file(int fd) noexcept
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return error(errno);
    bool const good =
        S_ISREG(about.st_mode) && about.st_size >= static_cast<off_t>(sizeof(LivePage));
    return good ? kOk : error(kCorrupt);
}

/// The page has its place on disk: a mapping must not meet SIGBUS, neither ours nor a reader's, so
/// the file is never shortened either. Without fallocate() the bytes are written.
Status make_certain(int fd) noexcept
{
    if (sys::check_file_limit(sizeof(LivePage)) != 0)
        return error(ENOSPC);
    int const code = sys::fallocate(fd, 0, 0, sizeof(LivePage));
    if (code != -EOPNOTSUPP && code != -ENOSYS)
        return code == 0 ? kOk : error(-code);
    char bytes[sizeof(LivePage)] = {};
    if (sys::pread(fd, bytes, sizeof bytes, 0) < 0)
        return error(EIO);
    long const written = sys::pwrite(fd, bytes, sizeof bytes, 0);
    if (written < 0)
        return error(static_cast<int>(-written));
    return written == static_cast<long>(sizeof bytes) ? kOk : error(ENOSPC);
}

/// Never back. A failure is another thread's higher mark, or a peer that scribbles: that one must
/// not hold the writer up.
void raise(atomic<uint64_t> &word, uint64_t value) noexcept
{
    constexpr int kTries = 1000;
    uint64_t found = word.load(relaxed); // the CAS orders
    // release: pairs with the acquire in Reader::live_limit(); what is below can be read
    for (int i = 0; i < kTries && found < value; ++i)
        if (word.compare_exchange(found, value, release, relaxed))
            return;
}

} // namespace

Status Live::map(int fd, bool writable) noexcept
{
    int const access = PROT_READ | (writable ? PROT_WRITE : 0);
    void *const place = mmap(nullptr, sizeof(LivePage), access, MAP_SHARED, fd, 0);
    if (place == MAP_FAILED)
        return error(errno);
    page_ = static_cast<LivePage *>(place);
    writable_ = writable;
    return kOk;
}

bool somebody_locks(File lock) noexcept
{
    struct flock asked {};
    asked.l_type = F_WRLCK;
    asked.l_whence = SEEK_SET;
    return ::fcntl(lock, F_OFD_GETLK, &asked) != 0 || asked.l_type != F_UNLCK;
}

bool has_writer(Io const &io) noexcept
{
    Result<File> const lock = io.files->open(io.files_self, kLockName, kOpenRead, 0);
    if (!lock.ok())
        return false;
    bool const locked = somebody_locks(*lock);
    io.files->close(io.files_self, *lock);
    return locked;
}

Status Live::publish(char const *folder, uint32_t mode, uint8_t const (&uuid)[16], uint64_t epoch,
                     Lsn durable, Lsn truncated) noexcept
{
    int const fd = open_in(folder, O_RDWR | O_CREAT, mode);
    if (fd < 0)
        return error(-fd);
    Status status = make_certain(fd);
    if (status.ok())
        status = check_file(fd);
    if (status.ok())
        status = map(fd, true);
    sys::close(fd);
    WEIR_TRY(status);

    LivePage &page = *page_;
    page.epoch.store(0, release); // pairs with Reader::live_limit(): who looks now sees nobody
    std::memcpy(page.magic, kLiveMagic, sizeof page.magic);
    page.version = kLogVersion;
    page.reserved = 0;
    page.sleepers.store(0, relaxed); // a hint of readers that were killed; who sleeps comes back
    std::memcpy(page.uuid, uuid, sizeof page.uuid);
    // release: pairs with the acquire in Reader::live_limit(), which then finds the epoch gone
    page.written.store(durable, release);
    page.durable.store(durable, release);
    page.truncated.store(truncated, release);
    page.epoch.store(epoch, release); // pairs with the acquire in Reader::live_limit()
    wake();
    return kOk;
}

Status Live::open(char const *folder) noexcept
{
    int fd = open_in(folder, O_RDWR, 0);
    bool const writable = fd >= 0;
    if (!writable)
        fd = open_in(folder, O_RDONLY, 0);
    if (fd < 0)
        return error(-fd);
    Status status = check_file(fd);
    if (status.ok())
        status = map(fd, writable);
    sys::close(fd);
    return status;
}

void Live::close() noexcept
{
    if (page_ != nullptr)
        munmap(page_, sizeof *page_);
    page_ = nullptr;
}

void Live::wake() const noexcept
{
    page_->wake.fetch_add(1, seq_cst); // [W] pairs with LogReader::sleep_on_page()
    if (page_->sleepers.load(seq_cst) != 0)
        futex_wake_all(page_->wake);
}

void Live::advance(Lsn written, Lsn durable) const noexcept
{
    raise(page_->written, written);
    raise(page_->durable, durable);
    wake();
}

void Live::truncated(Lsn lsn) noexcept { raise(page_->truncated, lsn); }

void Live::end() noexcept
{
    page_->epoch.store(0, release); // pairs with the acquire in Reader::live_limit()
    wake();
}

} // namespace weir
