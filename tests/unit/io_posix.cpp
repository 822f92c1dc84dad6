// SPDX-License-Identifier: MIT OR Apache-2.0
// Files of a real folder: names, transfers, space, locks, and what is refused.
#include "core/base/bits.hpp"
#include "tests/unit/io_support.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <set>
#include <thread>

using namespace unit;
using namespace weir;

namespace {
std::set<std::string> names(Files &files, char const *sub, int *code = nullptr)
{
    std::set<std::string> found;
    Status const done = files.ops.list(
        files.files, sub,
        [](void *set, char const *name) {
            static_cast<std::set<std::string> *>(set)->insert(name);
            return true;
        },
        &found);
    if (code != nullptr)
        *code = done.code;
    return found;
}
} // namespace

Test(io_posix, a_folder_is_made_or_refused)
{
    Folder const folder;
    PosixFiles *files = nullptr;
    std::string const name = folder.path + "/log";
    check_eq(PosixFiles::open(name.c_str(), false, 0700, files).code, -ENOENT);
    check_eq(PosixFiles::open((name + "/deeper").c_str(), true, 0700, files).code, -ENOENT);
    check_eq(PosixFiles::open(name.c_str(), true, 0640, files).code, 0);
    PosixFiles::release(files);
    struct stat found {};
    check_eq(stat(name.c_str(), &found), 0);
    check_eq(found.st_mode & 0777, 0640 | 0110, "x where there is r, but for the umask");
    check_eq(PosixFiles::open(name.c_str(), true, 0700, files).code, 0);
    PosixFiles::release(files);
    std::ofstream(folder.path + "/file") << "x";
    check_eq(PosixFiles::open((folder.path + "/file").c_str(), true, 0700, files).code, -ENOTDIR);
}

Test(io_posix, names_are_made_found_moved_and_removed)
{
    Folder const folder;
    Files files(folder.path);
    check_eq(files.try_open("a", kOpenRead), -ENOENT);
    check_eq(files.try_open("a", kOpenWrite | kOpenCreate | kOpenExclusive), 0);
    check_eq(files.try_open("a", kOpenWrite | kOpenCreate | kOpenExclusive), -EEXIST);
    check_eq(files.try_open("a", kOpenWrite | kOpenCreate), 0);
    check_eq(files.try_open("sub", kOpenFolder), 0);
    check_eq(files.try_open("sub", kOpenFolder), 0);
    check_eq(files.try_open("a", kOpenFolder), -ENOTDIR);
    check_eq(files.try_open("none/a", kOpenWrite | kOpenCreate), -ENOENT);
    check_eq(files.ops.rename(files.files, "a", "sub/b").code, 0);
    check_eq(files.ops.rename(files.files, "a", "c").code, -ENOENT);
    check_eq(files.ops.fsync_dir(files.files, "").code, 0);
    check_eq(files.ops.fsync_dir(files.files, "sub").code, 0);
    check_eq(files.ops.fsync_dir(files.files, "none").code, -ENOENT);
    cr_assert(names(files, "") == std::set<std::string>{"sub"});
    cr_assert(names(files, "sub") == std::set<std::string>{"b"});
    check_eq(files.ops.unlink(files.files, "sub/b").code, 0);
    check_eq(files.ops.unlink(files.files, "sub/b").code, -ENOENT);
    int code = 0;
    names(files, "none", &code);
    check_eq(code, -ENOENT);
}

/// Many entries take several calls; the visitor may end it.
Test(io_posix, a_long_list_is_whole)
{
    Folder const folder;
    Files files(folder.path);
    std::set<std::string> wanted;
    for (int i = 0; i < 700; ++i) {
        std::string const name = "seg-" + std::string(20, '0') + std::to_string(i) + ".log";
        files.close(files.open(name.c_str()));
        wanted.insert(name);
    }
    cr_assert(names(files, "") == wanted);
    int seen = 0;
    check_eq(files.ops
                 .list(
                     files.files, "",
                     [](void *count, char const *) { return ++*static_cast<int *>(count) < 5; },
                     &seen)
                 .code,
             0);
    check_eq(seen, 5);
}

Test(io_posix, what_is_no_file_of_ours_is_corrupt_and_never_followed, .timeout = 20)
{
    Folder const folder;
    Files files(folder.path);
    std::string const outside = folder.path + "/outside";
    std::ofstream(outside) << "precious";
    check_eq(symlink(outside.c_str(), (folder.path + "/link").c_str()), 0);
    check_eq(symlink("/tmp", (folder.path + "/way").c_str()), 0);
    check_eq(mkfifo((folder.path + "/pipe").c_str(), 0600), 0);
    check_eq(mkdir((folder.path + "/dir").c_str(), 0700), 0);
    for (unsigned flags : {+kOpenRead, +kOpenWrite, kOpenWrite | kOpenCreate}) {
        check_eq(files.try_open("link", flags), -kCorrupt);
        check_eq(files.try_open("pipe", flags), -kCorrupt);
        check_eq(files.try_open("dir", flags), -kCorrupt);
    }
    check_eq(files.try_open("link", kOpenWrite | kOpenCreate | kOpenExclusive), -EEXIST);
    check_eq(files.try_open("way/x", kOpenWrite | kOpenCreate), -ENOTDIR);
    for (char const *bad : {"", ".", "..", "/tmp/x", "../x", "a/b/c", "./x", "a/", "a/.."})
        check_eq(files.try_open(bad, kOpenWrite | kOpenCreate), -EINVAL, "name '%s'", bad);
}

Test(io_posix, the_mode_is_what_was_asked_for_and_nothing_stays_nonblocking)
{
    Folder const folder;
    Files files(folder.path);
    mode_t const before = umask(0077);
    Result<File> const made = files.ops.open(files.files, "a", kOpenWrite | kOpenCreate, 0664);
    umask(before);
    cr_assert(made.ok());
    struct stat found {};
    fstat(*made, &found);
    check_eq(found.st_mode & 07777, 0664);
    files.close(*made);
    // io_uring answers EAGAIN on such a file, where it should wait.
    File const again = files.open("a", kOpenWrite | kOpenDirect);
    check_eq(fcntl(again, F_GETFL) & O_NONBLOCK, 0);
    check_eq(fcntl(again, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    files.close(again);
}

Test(io_posix, transfers_are_whole)
{
    Folder const folder;
    Files files(folder.path);
    File const file = files.open("a");
    std::vector<char> const bytes = noise(3000001, 5);
    check_eq(files.ops.pwrite(files.files, file, bytes.data(), bytes.size(), 777).code, 0);
    check_eq(*files.ops.size(files.files, file), 777 + bytes.size());
    cr_assert(files.read(file, 777, bytes.size()) == bytes);
    std::vector<char> const beyond = files.read(file, 777 + 3000000, 100);
    check_eq(beyond.size(), 1, "up to the end");
    check_eq(files.read(file, 1u << 30, 10).size(), 0);
    cr_assert(files.read(file, 0, 777) == std::vector<char>(777));
    check_eq(files.ops.truncate(files.files, file, 1000).code, 0);
    check_eq(*files.ops.size(files.files, file), 1000);
    check_eq(files.ops.fdatasync(files.files, file).code, 0);
    check_eq(files.ops.fsync(files.files, file).code, 0);
    files.ops.drop_cache(files.files, file);
    Result<Nanoseconds> const changed = files.ops.modified(files.files, file);
    check_lt(std::abs(real_now() - *changed), 600 * kSecond);
    files.close(file);
    check_eq(files.ops.fsync(files.files, 12345).code, -EBADF);
}

/// The end of a direct file lies anywhere; a read up to it is short and no error.
Test(io_posix, direct_files_are_read_to_an_end_that_is_not_aligned)
{
    Folder const folder;
    Files files(folder.path);
    std::vector<char> const bytes = noise(100000, 9);
    File const plain = files.open("a");
    check_eq(files.ops.pwrite(files.files, plain, bytes.data(), bytes.size(), 0).code, 0);
    check_eq(files.ops.fsync(files.files, plain).code, 0);
    File const direct = files.open("a", kOpenRead | kOpenDirect);
    Pages const pages(1 << 17);
    Result<size_t> const got = files.ops.pread(files.files, direct, pages.bytes, 1 << 17, 0);
    check_eq(got.status().code, 0);
    check_eq(*got, bytes.size());
    check_eq(std::memcmp(pages.bytes, bytes.data(), bytes.size()), 0);
    files.close(plain);
    files.close(direct);
}

Test(io_posix, space_is_reserved_and_zeros_are_written)
{
    Folder const folder;
    Files files(folder.path);
    for (unsigned const direct : {0u, +kOpenDirect}) {
        File const file = files.open(direct != 0 ? "d" : "b", kOpenWrite | kOpenCreate | direct);
        Pages const pages(8192);
        std::memset(pages.bytes, 0x77, 8192);
        check_eq(files.ops.prealloc(files.files, file, 0, 2 << 20).code, 0);
        check_eq(*files.ops.size(files.files, file), 2 << 20);
        struct stat found {};
        fstat(file, &found);
        check_ge(found.st_blocks * 512, 2 << 20);
        check_eq(files.ops.pwrite(files.files, file, pages.bytes, 8192, 0).code, 0);
        check_eq(files.ops.pwrite(files.files, file, pages.bytes, 8192, 1 << 20).code, 0);
        check_eq(files.ops.prealloc(files.files, file, 0, 3 << 20).code, 0);
        check_eq(files.ops.write_zeros(files.files, file, 4096, (3 << 20) - 4096).code, 0);
        check_eq(*files.ops.size(files.files, file), 3 << 20);
        File const reader = files.open(direct != 0 ? "d" : "b", kOpenRead);
        std::vector<char> const all = files.read(reader, 0, 3 << 20);
        cr_assert(std::all_of(all.begin(), all.begin() + 4096, [](char c) { return c == 0x77; }));
        cr_assert(std::all_of(all.begin() + 4096, all.end(), [](char c) { return c == 0; }));
        files.close(reader);
        files.close(file);
    }
}

Test(io_posix, limits_name_kind_and_alignment)
{
    Folder const folder;
    Files files(folder.path);
    File const direct = files.open("d", kOpenWrite | kOpenCreate | kOpenDirect);
    Limits const found = *files.ops.limits(files.files, direct);
    check_eq(found.network, false);
    cr_assert(is_power_of_two(found.offset_alignment));
    if (found.direct) { // a write of the alignment is taken, as it is promised
        Pages const pages(1 << 16);
        std::memset(pages.bytes, 0, 1 << 16);
        check_eq(pwrite(direct, pages.bytes, found.offset_alignment, found.offset_alignment),
                 found.offset_alignment);
    }
    files.close(direct);
    File const buffered = files.open("b");
    check_eq(files.ops.limits(files.files, buffered)->direct, false);
    files.close(buffered);
    check_eq(files.ops.limits(files.files, 12345).status().code, -EBADF);

    std::string const memory = "/dev/shm/weir-io-" + std::to_string(getpid());
    {
        Files volatile_files(memory);
        File const file = volatile_files.open("x", kOpenWrite | kOpenCreate | kOpenDirect);
        Limits const there = *volatile_files.ops.limits(volatile_files.files, file);
        check_eq(there.volatile_fs, true);
        check_eq(there.direct, false);
        volatile_files.close(file);
    }
    std::filesystem::remove_all(memory);
}

/// A kernel before 6.1 does not tell alignments: they are found by writing.
Test(io_posix, alignments_are_probed_where_statx_does_not_tell)
{
    Folder const folder;
    Files files(folder.path);
    File const file = files.open("d", kOpenWrite | kOpenCreate | kOpenDirect);
    Limits const told = *files.ops.limits(files.files, file);
    int const result = in_child([&] {
        if (!refuse({SYS_statx, ENOSYS}))
            return 9;
        Limits const probed = *files.ops.limits(files.files, file);
        return probed.direct == told.direct && probed.offset_alignment == told.offset_alignment ? 0
                                                                                                : 1;
    });
    check_eq(result, 0);
    int const without_unnamed = in_child([&] { // and where there is no O_TMPFILE
        if (!refuse({SYS_statx, ENOSYS}) ||
            !refuse({SYS_openat, EOPNOTSUPP, 2, O_TMPFILE, O_TMPFILE}))
            return 9;
        Limits const probed = *files.ops.limits(files.files, file);
        return probed.offset_alignment == told.offset_alignment ? 0 : 1;
    });
    check_eq(without_unnamed, 0);
    cr_assert(names(files, "") == std::set<std::string>{"d"}, "the probe's file is gone");
    files.close(file);
}

/// fcntl(F_SETFL, O_DIRECT) is refused: the file is used through the page cache.
Test(io_posix, without_o_direct_files_are_buffered)
{
    Folder const folder;
    Files files(folder.path);
    int const result = in_child([&] {
        if (!refuse({SYS_fcntl, EINVAL, 1, ~0u, F_SETFL, 2, O_DIRECT, O_DIRECT}))
            return 9;
        File const file =
            *files.ops.open(files.files, "d", kOpenWrite | kOpenCreate | kOpenDirect, 0600);
        if (file < 0 || (fcntl(file, F_GETFL) & O_DIRECT) != 0)
            return 1;
        if (files.ops.limits(files.files, file)->direct)
            return 2;
        return files.ops.pwrite(files.files, file, "odd", 3, 1).code == 0 ? 0 : 3;
    });
    check_eq(result, 0);
}

/// What fallocate cannot do is written: what was there stays, what was not is zeros.
Test(io_posix, without_fallocate_space_is_written)
{
    Folder const folder;
    Files files(folder.path);
    std::vector<char> const bytes = noise(300000, 4);
    File const file = files.open("a");
    check_eq(files.ops.pwrite(files.files, file, bytes.data(), bytes.size(), 4096).code, 0);
    int const result = in_child([&] {
        if (!refuse({SYS_fallocate, EOPNOTSUPP}))
            return 9;
        if (files.ops.prealloc(files.files, file, 0, 2500000).code != 0)
            return 1;
        return files.ops.write_zeros(files.files, file, 2500000, 100000).code == 0 ? 0 : 2;
    });
    check_eq(result, 0);
    check_eq(*files.ops.size(files.files, file), 2600000);
    struct stat found {};
    fstat(file, &found);
    check_ge(found.st_blocks * 512, 2600000);
    cr_assert(files.read(file, 4096, bytes.size()) == bytes);
    std::vector<char> const rest = files.read(file, 4096 + bytes.size(), 3000000);
    cr_assert(std::all_of(rest.begin(), rest.end(), [](char c) { return c == 0; }));
    files.close(file);
}

// ---- locks

Test(io_posix, a_lock_is_waited_for_and_refused, .timeout = 30)
{
    Folder const folder;
    Files files(folder.path);
    File const mine = files.open("LOCK"), other = files.open("LOCK");
    check_eq(files.ops.lock(files.files, mine, 0).code, 0);
    check_eq(files.ops.lock(files.files, mine, 0).code, 0, "again by the same file");
    check_eq(files.ops.lock(files.files, other, 0).code, -EBUSY);
    Nanoseconds const start = monotonic_now();
    check_eq(files.ops.lock(files.files, other, 50 * kMillisecond).code, -EBUSY);
    check_ge(monotonic_now() - start, 50 * kMillisecond);
    std::thread closer([&] {
        sleep_for(50 * kMillisecond);
        files.close(mine);
    });
    check_eq(files.ops.lock(files.files, other, 10 * kSecond).code, 0);
    closer.join();
    files.close(other);
    check_eq(files.ops.lock(files.files, 12345, 0).code, -EBADF);
}

/// The child has the descriptor; the parent's close() gives the lock back all the same. The
/// child's close() does not.
Test(io_posix, a_fork_child_neither_keeps_nor_drops_the_lock, .timeout = 30)
{
    Folder const folder;
    Files files(folder.path);
    File const mine = files.open("LOCK");
    check_eq(files.ops.lock(files.files, mine, 0).code, 0);
    int const result = in_child([&] {
        files.close(mine);
        return 0;
    });
    check_eq(result, 0);
    File const other = files.open("LOCK");
    check_eq(files.ops.lock(files.files, other, 0).code, -EBUSY, "the child's close dropped it");
    int gate[2];
    check_eq(pipe(gate), 0);
    pid_t const child = fork();
    if (child == 0) {
        char byte;
        ::close(gate[1]);
        _exit(static_cast<int>(::read(gate[0], &byte, 1)));
    }
    files.close(mine);
    check_eq(files.ops.lock(files.files, other, 0).code, 0, "the child keeps it");
    ::close(gate[1]);
    waitpid(child, nullptr, 0);
    ::close(gate[0]);
    files.close(other);
}

// ---- no space

/// Beyond the limit the kernel sends SIGXFSZ, whose default kills.
Test(io_posix, a_file_size_limit_is_an_error_and_no_signal)
{
    Folder const folder;
    Files files(folder.path);
    File const long_file = files.open("long");
    check_eq(files.ops.prealloc(files.files, long_file, 0, 2 << 20).code, 0);
    int const result = in_child([&] {
        struct rlimit const limit{1 << 20, 1 << 20};
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || signal(SIGXFSZ, SIG_DFL) == SIG_ERR)
            return 9;
        File const file = files.open("new");
        if (files.ops.prealloc(files.files, file, 0, 2 << 20).code != -ENOSPC)
            return 1;
        if (files.ops.write_zeros(files.files, file, 0, 2 << 20).code != -ENOSPC)
            return 2;
        if (files.ops.truncate(files.files, file, 2 << 20).code != -EFBIG)
            return 3;
        if (files.ops.pwrite(files.files, file, "x", 1, 1 << 20).code != -EFBIG)
            return 4;
        if (files.ops.prealloc(files.files, file, 0, 1 << 20).code != 0)
            return 5;
        WriteRequest request; // a file may be longer than a limit that was set later
        request.file = long_file;
        request.length = 4096;
        request.data = "";
        request.offset = 1 << 20;
        return write_whole(request) == -EFBIG ? 0 : 6;
    });
    check_eq(result, 0);
    files.close(long_file);
}

Test(io_posix, a_full_file_system_is_an_error)
{
    Folder const folder;
    int const result = in_child([&] {
        if (unshare(CLONE_NEWNS) != 0 ||
            mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            mount("none", folder.path.c_str(), "tmpfs", 0, "size=1m") != 0)
            return 99;
        Files files(folder.path);
        File const file = files.open("a");
        if (files.ops.prealloc(files.files, file, 0, 512 << 10).code != 0)
            return 1;
        if (files.ops.prealloc(files.files, file, 0, 2 << 20).code != -ENOSPC)
            return 2;
        if (files.ops.write_zeros(files.files, file, 0, 2 << 20).code != -ENOSPC)
            return 3;
        if (files.ops.truncate(files.files, file, 0).code != 0)
            return 4;
        std::vector<char> const all(2 << 20, 'x');
        if (files.ops.pwrite(files.files, file, all.data(), all.size(), 0).code != -ENOSPC)
            return 5;
        File const hole = files.open("hole");
        (void)files.ops.truncate(files.files, hole, 1 << 20);
        for (BackendKind const kind : kBoth) {
            Engine engine(files, kind);
            if (!has(engine))
                continue;
            WriteRequest request;
            request.file = hole;
            request.length = 65536;
            request.data = all.data();
            if (engine.write_now(request) != -ENOSPC)
                return 6;
            std::vector<WriteRequest> one{request};
            engine.run(one);
            if (one[0].result != -ENOSPC)
                return 7;
            // Room for a part: a short write, and no room for its rest.
            Result<uint64_t> const filled = files.ops.size(files.files, file);
            if (files.ops.truncate(files.files, file, *filled - 16384).code != 0)
                return 8;
            engine.run(one); // completed once, and short again
            if (one[0].result != -EIO || engine.write_now(request) != -EIO)
                return 10;
            (void)files.ops.truncate(files.files, hole, 0);
            (void)files.ops.truncate(files.files, hole, 1 << 20);
            (void)files.ops.pwrite(files.files, file, all.data(), all.size(), 0);
        }
        return 0;
    });
    if (result == 99)
        cr_skip_test("mounting a tmpfs needs root");
    check_eq(result, 0);
}
