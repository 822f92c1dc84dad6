// SPDX-License-Identifier: MIT OR Apache-2.0
// A log when the system has not enough: memory, threads, space, descriptors; and readers that meet
// a new life of the log.
#include "tests/api/log_support.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

using namespace api;

TestSuite(log_scarce);

namespace {
/// Reads until something else than a record comes.
int read_on(weir_log_reader *reader)
{
    void const *data = nullptr;
    size_t length = 0;
    int code = 1;
    while (code == 1)
        code = weir_log_reader_next(reader, &data, &length, nullptr, nullptr);
    return code;
}

void damage_superblocks(LogFolder const &folder)
{
    int const fd = open(folder.file("META").c_str(), O_WRONLY | O_CLOEXEC);
    check_eq(pwrite(fd, "x", 1, 100), ssize_t{1});
    check_eq(pwrite(fd, "x", 1, 65536 + 100), ssize_t{1});
    close(fd);
}
} // namespace

// covers: weir_log_open -ENOMEM
// covers: weir_log_reader_open -ENOMEM
// covers: weir_log_reader_next -ENOMEM
// covers: weir_log_reader_seek -ENOMEM
// covers: weir_log_verify -ENOMEM
// covers: weir_log_repair -ENOMEM
Test(log_scarce, no_memory)
{
    if (API_ASAN)
        cr_skip_test("AddressSanitizer ends a process that has no memory");
    LogFolder const folder;
    weir_log *const log = open_log(folder);
    keep(log, std::string(12 * kMiB, 'l'));
    weir_log_close(log);
    in_child_ok([&]() -> int {
        weir_log_reader *reader = nullptr;
        child_must(weir_log_reader_open(folder, 0, 0, &reader));
        limit(RLIMIT_AS, 0);
        for (size_t size = 16 * kMiB; size >= 64; size /= 2) // what the C library still has
            for (void *volatile got = malloc(size); got != nullptr;)
                got = malloc(size);
        child_refuse(-ENOMEM, read_on(reader));
        child_refuse(-ENOMEM, weir_log_reader_seek(reader, 0));
        weir_log *again = nullptr;
        weir_log_reader *other = nullptr;
        child_refuse(-ENOMEM, weir_log_open(folder, nullptr, &again));
        child_refuse(-ENOMEM, weir_log_reader_open(folder, 0, 0, &other));
        child_refuse(-ENOMEM, weir_log_verify(folder, nullptr));
        child_refuse(-ENOMEM, weir_log_repair(folder, nullptr, nullptr, nullptr));
        return 0;
    });
}

Test(log_scarce, no_thread)
{
    LogFolder const folder;
    in_child_ok([&]() -> int {
        if (!fail_system_call(SYS_clone3, EAGAIN))
            return kNotHere;
        weir_log *log = nullptr;
        weir_log_options const options = small_log();
        child_refuse(-EAGAIN, weir_log_open(folder, &options, &log));
        return 0;
    });
    weir_log_close(open_log(folder));
}

Test(log_scarce, no_space)
{
    LogFolder const folder;
    in_child_ok([&]() -> int {
        if (!fail_system_call(SYS_fallocate, ENOSPC))
            return kNotHere;
        weir_log *log = nullptr;
        child_refuse(-ENOSPC, weir_log_open(folder, nullptr, &log));
        return 0;
    });
    make_log(folder);
    damage_superblocks(folder);
    in_child_ok([&]() -> int {
        if (!fail_system_call(SYS_pwrite64, ENOSPC))
            return kNotHere;
        child_refuse(-ENOSPC, weir_log_repair(folder, nullptr, nullptr, nullptr));
        return 0;
    });
    check_eq(weir_log_repair(folder, nullptr, nullptr, nullptr), 1);
    in_child_ok([&]() -> int {
        if (!fail_system_call(SYS_pwrite64, ENOSPC))
            return kNotHere;
        child_refuse(-ENOSPC, weir_log_cursor_store(folder, "cursor", 2, 0));
        return 0;
    });
}

/// For a child process that is root.
bool mount_small_disk(std::string const &at, char const *size)
{
    return unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           mount("none", at.c_str(), "tmpfs", 0, size) == 0;
}

/// Appends until there is no space. How many records were accepted; 0: something else happened.
unsigned append_until_full(weir_log *log, std::vector<uint64_t> &lsns)
{
    std::string const bytes(10000, 'f');
    for (unsigned i = 0; i < 10000; ++i) {
        uint64_t lsn = 0;
        int const code = weir_log_append(log, bytes.data(), bytes.size(), &lsn);
        if (code == -ENOSPC)
            return i;
        if (code != 0 || (i % 16 == 0 && weir_log_wait(log, lsn, -1) != 0))
            return 0;
        lsns.push_back(lsn);
    }
    return 0;
}

// A real file system that is full: what was accepted has its place, and there is a way out.
Test(log_scarce, a_full_file_system_ends_nothing)
{
    LogFolder const folder;
    std::string const disk = folder.beside("disk");
    check_eq(mkdir(disk.c_str(), 0700), 0);
    in_child_ok(
        [&]() -> int {
            if (!mount_small_disk(disk, "size=6m"))
                return kNotHere;
            std::string const inside = disk + "/log";
            weir_log_options const options = small_log();
            weir_log *log = nullptr;
            std::vector<uint64_t> lsns;
            child_must(weir_log_open(inside.c_str(), &options, &log));
            child_check(append_until_full(log, lsns) > 300);
            child_check(weir_log_error(log) == 0);
            child_must(weir_log_sync(log)); // all that was accepted
            child_check(weir_log_durable(log) == weir_log_tail(log));
            // Truncation makes room, at once.
            uint64_t kept = lsns[lsns.size() / 2];
            child_must(weir_log_truncate_before(log, kept));
            child_check(append_until_full(log, lsns) > 50);
            child_must(weir_log_sync(log));
            // Opening wants the segment that the log ends in.
            kept = lsns[lsns.size() - 200];
            child_must(weir_log_truncate_before(log, kept));
            lsns.push_back(0);
            child_must(weir_log_append(log, std::string(10000, 'l').data(), 10000, &lsns.back()));
            weir_log_close(log);
            // Nothing accepted is missing.
            child_must(weir_log_open(inside.c_str(), &options, &log));
            weir_log_close(log);
            weir_log_reader *reader = nullptr;
            child_must(weir_log_reader_open(inside.c_str(), kept, 0, &reader));
            for (uint64_t const wanted : lsns) {
                uint64_t lsn = 0;
                void const *data = nullptr;
                size_t length = 0;
                if (wanted < kept)
                    continue;
                child_check(weir_log_reader_next(reader, &data, &length, &lsn, nullptr) == 1);
                child_check(lsn == wanted && length == 10000);
            }
            child_check(read_on(reader) == 0);
            weir_log_reader_close(reader);
            child_check(weir_log_verify(inside.c_str(), nullptr) == 0);
            return 0;
        },
        "only root can mount");
}

// The log ends where a segment does, so opening wants another one.
Test(log_scarce, retention_opens_a_log_that_fills_the_file_system)
{
    LogFolder const folder;
    std::string const disk = folder.beside("disk");
    check_eq(mkdir(disk.c_str(), 0700), 0);
    in_child_ok(
        [&]() -> int {
            if (!mount_small_disk(disk, "size=4400k"))
                return kNotHere;
            std::string const inside = disk + "/log";
            weir_log_options options = small_log();
            options.max_bytes = 4 << 20;
            weir_log *log = nullptr;
            std::vector<uint64_t> lsns;
            child_must(weir_log_open(inside.c_str(), &options, &log));
            child_check(append_until_full(log, lsns) > 300);
            weir_log_close(log);
            child_refuse(-ENOSPC, weir_log_open(inside.c_str(), &options, &log));
            options.retain_bytes = 1 << 20;
            child_must(weir_log_open(inside.c_str(), &options, &log));
            lsns.push_back(0);
            child_must(weir_log_append(log, std::string(10000, 'l').data(), 10000, &lsns.back()));
            child_must(weir_log_wait(log, lsns.back(), -1));
            weir_log_close(log);
            weir_log_reader *reader = nullptr;
            uint64_t const kept = lsns[lsns.size() - 100];
            child_must(weir_log_reader_open(inside.c_str(), kept, 0, &reader));
            for (size_t i = lsns.size() - 100; i < lsns.size(); ++i) {
                uint64_t lsn = 0;
                void const *data = nullptr;
                size_t length = 0;
                child_check(weir_log_reader_next(reader, &data, &length, &lsn, nullptr) == 1);
                child_check(lsn == lsns[i] && length == 10000);
            }
            weir_log_reader_close(reader);
            child_check(weir_log_verify(inside.c_str(), nullptr) == 0);
            return 0;
        },
        "only root can mount");
}

Test(log_scarce, a_file_system_that_may_not_be_written)
{
    LogFolder const folder;
    make_log(folder);
    in_child_ok([&]() -> int {
        if (!fail_system_call(SYS_openat, EROFS))
            return kNotHere;
        weir_log *log = nullptr;
        child_refuse(-EROFS, weir_log_open(folder, nullptr, &log));
        child_refuse(-EROFS, weir_log_cursor_store(folder, "cursor", 2, 0));
        child_refuse(-EROFS, weir_log_repair(folder, nullptr, nullptr, nullptr));
        return 0;
    });
}

// covers: weir_log_fd -ENFILE -ENOMEM
Test(log_scarce, no_eventfd)
{
    for (unsigned const code : {unsigned{ENFILE}, unsigned{ENOMEM}}) {
        LogFolder const folder;
        in_child_ok([&]() -> int {
            weir_log *log = nullptr;
            child_must(weir_log_open(folder, nullptr, &log));
            if (!fail_system_call(SYS_eventfd2, code))
                return kNotHere;
            child_refuse(-static_cast<int>(code), weir_log_fd(log));
            uint64_t lsn = 0;
            child_must(weir_log_append(log, "goes on", 7, &lsn));
            weir_log_close(log);
            return 0;
        });
    }
}

// covers: weir_log_reader_next -EACCES -EMFILE -ENFILE
// covers: weir_log_reader_seek -EACCES -EMFILE -ENFILE
Test(log_scarce, a_reader_that_cannot_open_the_next_segment)
{
    LogFolder const folder;
    make_log(folder, 60, 60000);
    for (unsigned const code : {unsigned{EACCES}, unsigned{EMFILE}, unsigned{ENFILE}})
        in_child_ok([&]() -> int {
            weir_log_reader *reader = nullptr;
            child_must(weir_log_reader_open(folder, 0, 0, &reader));
            if (!fail_system_call(SYS_openat, code))
                return kNotHere;
            child_refuse(-static_cast<int>(code), read_on(reader));
            child_refuse(-static_cast<int>(code), weir_log_reader_seek(reader, 0));
            return 0;
        });
}

Test(log_scarce, a_reader_whose_log_goes_away_or_is_damaged)
{
    LogFolder const folder;
    make_log(folder);
    weir_log_reader *const reader = reader_of(folder);
    damage_superblocks(folder);
    refuse(-WEIR_E_CORRUPT, weir_log_reader_seek(reader, 0));
    check_eq(unlink(folder.file("META").c_str()), 0);
    refuse(-ENOENT, weir_log_reader_seek(reader, 0));
    weir_log_reader_close(reader);
}

Test(log_scarce, a_cursor_that_somebody_else_stores)
{
    LogFolder const folder;
    make_log(folder);
    int const fd = open(folder.file("cursors/cursor").c_str(), O_RDWR | O_CLOEXEC);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    check_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
    refuse(-EBUSY, weir_log_cursor_store(folder, "cursor", 2, 0));
    close(fd);
    must(weir_log_cursor_store(folder, "cursor", 2, 0));
}

Test(log_scarce, a_failed_note_of_a_truncation_ends_the_log)
{
    LogFolder const folder;
    in_child_ok([&]() -> int {
        weir_log *log = nullptr;
        weir_log_options const options = small_log();
        child_must(weir_log_open(folder, &options, &log));
        uint64_t lsn = 0, held = 0, other = 0;
        void *data = nullptr;
        child_must(weir_log_append(log, "kept", 4, &lsn));
        child_must(weir_log_wait(log, lsn, -1));
        child_must(weir_log_reserve(log, 10, 0, &held, &data));
        child_must(weir_log_reserve(log, 10, 0, &other, &data));
        if (!fail_system_call(SYS_pwrite64, EIO))
            return kNotHere;
        child_refuse(-EIO, weir_log_truncate_before(log, lsn));
        child_check(weir_log_error(log) == EIO);
        child_refuse(-WEIR_E_POISONED, weir_log_commit(log, held, 10));
        child_refuse(-WEIR_E_POISONED, weir_log_abort(log, other));
        weir_log_close(log);
        return 0;
    });
}

Test(log_scarce, a_reader_of_what_a_power_cut_took_is_told)
{
    LogFolder const folder;
    Gate ready;
    pid_t const child = start([&] {
        weir_log *log = nullptr;
        weir_log_options options = small_log();
        options.durability = WEIR_LOG_DURABILITY_NONE;
        options.idle_flush_ns = kMillisecond;
        child_must(weir_log_open(folder, &options, &log));
        uint64_t first = 0, second = 0;
        child_must(weir_log_append(log, "acknowledged", 12, &first));
        child_must(weir_log_wait(log, first, -1));
        sleep_ms(100); // evidence
        child_must(weir_log_append(log, "written", 7, &second));
        ready.open(second);
        pause();
        return 0;
    });
    uint64_t const second = ready.pass();
    weir_log_reader *const reader = reader_of(folder, 0, WEIR_READER_WRITTEN);
    std::vector<LogRecord> seen;
    int64_t const end = now_ns() + 10000 * kMillisecond;
    while (seen.size() < 2 && now_ns() < end)
        for (auto const &record : read_all(reader))
            seen.push_back(record);
    kill_and_join(child);
    check_eq(seen.size(), 2u);
    check_eq(seen[1].lsn, second);
    // What was written and not flushed is gone, as after a power cut.
    std::string const zeros(8192, '\0');
    int const fd = open(folder.file("seg-00000000000000000000.log").c_str(), O_WRONLY | O_CLOEXEC);
    off_t const batch = static_cast<off_t>(second / 4096 * 4096);
    check_eq(pwrite(fd, zeros.data(), zeros.size(), batch), static_cast<ssize_t>(zeros.size()));
    close(fd);
    weir_log *const log = open_log(folder);
    keep(log, "another one");
    void const *data = nullptr;
    size_t length = 0;
    refuse(-WEIR_E_STALE, weir_log_reader_next(reader, &data, &length, nullptr, nullptr));
    must(weir_log_reader_seek(reader, second));
    auto const now = read_all(reader);
    cr_assert(now.size() == 1 && now[0].text == "another one");
    weir_log_reader_close(reader);
    weir_log_close(log);
}
