// SPDX-License-Identifier: MIT OR Apache-2.0
// Flaws that a reading of the log found, each by its name.
#include "tests/api/log_support.hpp"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <thread>

using namespace api;

TestSuite(log_regression);

namespace {
/// A log of segments of 1 MiB that are not zeroed first.
weir_log_options quick_log(weir_log_durability durability = WEIR_LOG_DURABILITY_SYNC)
{
    weir_log_options options = small_log();
    options.durability = durability;
    options.prepare = WEIR_LOG_PREPARE_FALLOCATED;
    return options;
}
} // namespace

Test(log_regression, a_burst_that_is_not_flushed_does_not_run_out_of_segments)
{
    for (weir_log_durability const durability :
         {WEIR_LOG_DURABILITY_NONE, WEIR_LOG_DURABILITY_PERIODIC}) {
        LogFolder const folder;
        int const before = open_descriptors();
        weir_log *const log = open_log(folder, quick_log(durability));
        std::string const text(64000, 'b');
        for (int i = 0; i < 600; ++i) // 37 segments
            append(log, text);
        must(weir_log_sync(log));
        check_eq(weir_log_error(log), 0u);
        weir_log_close(log);
        check_eq(open_descriptors(), before);
        check_eq(read_all(folder).size(), 600u);
    }
}

Test(log_regression, a_log_that_is_full_can_be_opened_and_truncated)
{
    LogFolder const folder;
    weir_log_options options = quick_log();
    options.max_bytes = 4 * kMiB;
    weir_log *log = open_log(folder, options);
    std::string const text(1000, 'f');
    uint64_t lsn = 0, last = 0;
    while (weir_log_append(log, text.data(), text.size(), &lsn) == 0)
        last = lsn;
    must(weir_log_sync(log));
    weir_log_close(log);
    log = open_log(folder, options);
    must(weir_log_truncate_before(log, last));
    int64_t const end = now_ns() + 10000 * kMillisecond;
    int code = -ENOSPC;
    while (code == -ENOSPC && now_ns() < end)
        code = weir_log_append(log, text.data(), text.size(), &lsn);
    check_eq(code, 0);
    weir_log_close(log);
    verify_log(folder, WEIR_LOG_WHOLE);
}

Test(log_regression, who_polls_is_told_of_a_failure)
{
    LogFolder const folder;
    in_child_ok([&]() -> int {
        weir_log_options options = small_log();
        options.backend = WEIR_LOG_BACKEND_PWRITEV2;
        weir_log *log = nullptr;
        child_must(weir_log_open(folder, &options, &log));
        int const fd = weir_log_fd(log);
        child_must(fd);
        if (!fail_system_call(SYS_pwrite64, EIO)) // the note of a truncation, by this thread
            return kNotHere;
        uint64_t lsn = 0;
        child_must(weir_log_append(log, "x", 1, &lsn));
        child_must(weir_log_wait(log, lsn, -1));
        uint64_t count = 0;
        pollfd waiting{fd, POLLIN, 0};
        child_check(poll(&waiting, 1, 5000) == 1); // who waited may be told first
        child_check(read(fd, &count, sizeof count) == 8);
        child_refuse(-EIO, weir_log_truncate_before(log, lsn));
        child_check(poll(&waiting, 1, 5000) == 1);
        child_check(weir_log_error(log) == EIO);
        weir_log_close(log);
        return 0;
    });
}

Test(log_regression, a_page_of_a_dead_writer_is_not_believed)
{
    LogFolder const folder;
    Gate ready;
    pid_t const child = start([&] {
        weir_log *log = nullptr;
        weir_log_options const options = small_log();
        child_must(weir_log_open(folder, &options, &log));
        for (int i = 0; i < 100; ++i) {
            uint64_t lsn = 0;
            child_must(weir_log_append(log, "acknowledged", 12, &lsn));
            child_must(weir_log_wait(log, lsn, -1));
            if (i == 49 || i == 99) {
                sleep_ms(100); // the hint is on disk
                ready.open(static_cast<uint64_t>(i));
            }
            if (i == 49)
                sleep_ms(300); // the test looks at LIVE
        }
        pause();
        return 0;
    });
    ready.pass();
    std::string const live = folder.file("LIVE"), old = folder.beside("LIVE.old");
    std::filesystem::copy_file(live, old);
    ready.pass();
    kill_and_join(child);
    std::filesystem::copy_file(old, live, std::filesystem::copy_options::overwrite_existing);
    check_eq(read_all(folder).size(), 100u); // as after a power cut
    int const fd = open(live.c_str(), O_WRONLY | O_CLOEXEC);
    uint64_t const ahead = 1 << 20;
    check_eq(pwrite(fd, &ahead, sizeof ahead, 48), ssize_t{8});
    close(fd);
    check_eq(read_all(folder).size(), 100u);
}

Test(log_regression, retention_by_age_does_not_put_the_evidence_off)
{
    LogFolder const folder;
    weir_log_options options = quick_log();
    options.retain_ns = int64_t{3600} * 1000000000;
    weir_log *const log = open_log(folder, options);
    std::string const text(64000, 'e');
    for (int i = 0; i < 40; ++i)
        keep(log, text);
    sleep_ms(300);
    uint64_t const kept = keep(log, "evidence");
    sleep_ms(500); // idle_evidence_ns is 20 ms
    uint64_t hints[2];
    int const fd = open(folder.file("META").c_str(), O_RDONLY | O_CLOEXEC);
    check_eq(pread(fd, &hints[0], 8, 96), ssize_t{8});
    check_eq(pread(fd, &hints[1], 8, 65536 + 96), ssize_t{8});
    close(fd);
    cr_assert(std::max(hints[0], hints[1]) > kept);
    weir_log_close(log);
}

Test(log_regression, what_a_writer_is_writing_is_no_torn_tail)
{
    LogFolder const folder;
    weir_log *const log = open_log(folder);
    std::atomic<bool> ends{false};
    std::thread writer([&] {
        std::string const text(700, 'w');
        while (!ends.load(std::memory_order_relaxed))
            must(weir_log_wait(log, append(log, text), -1));
    });
    for (int i = 0; i < 60; ++i)
        check_eq(verify_log(folder, WEIR_LOG_WHOLE).has_writer, 1u);
    ends.store(true, std::memory_order_relaxed);
    writer.join();
    weir_log_close(log);
    check_eq(verify_log(folder, WEIR_LOG_WHOLE).has_writer, 0u);
}

Test(log_regression, a_cursor_beyond_the_end_comes_back_to_it)
{
    LogFolder const folder;
    make_log(folder, 3);
    must(weir_log_cursor_store(folder, "cursor", 10 * kMiB, WEIR_CURSOR_HOLD));
    weir_log *log = open_log(folder);
    check_eq(info_of(log).recovered_mended, unsigned{WEIR_LOG_MENDED_CURSOR});
    uint64_t const lsn = append(log, "new");
    weir_log_close(log);
    uint64_t cursor = 0;
    must(weir_log_cursor_load(folder, "cursor", &cursor));
    auto const found = read_all(folder, cursor);
    cr_assert(found.size() == 1 && found[0].lsn == lsn);
    log = open_log(folder); // and stays there
    check_eq(info_of(log).recovered_mended, 0u);
    weir_log_close(log);
}
