// SPDX-License-Identifier: MIT OR Apache-2.0
// What the log says when a record does not fit, a writer stalls, a disk fails or is full, and when
// the system refuses.
#include "tests/api/log_support.hpp"

#include <thread>

using namespace api;

TestSuite(log_failures);

namespace {
/// Every function on the files of a log answers with `code`; for a child process.
int child_all_say(int code, char const *folder)
{
    weir_log *log = nullptr;
    weir_log_reader *reader = nullptr;
    uint64_t lsn = 0;
    child_refuse(code, weir_log_open(folder, nullptr, &log));
    child_refuse(code, weir_log_reader_open(folder, 0, 0, &reader));
    child_refuse(code, weir_log_cursor_load(folder, "cursor", &lsn));
    child_refuse(code, weir_log_cursor_store(folder, "cursor", 1, 0));
    child_refuse(code, weir_log_verify(folder, nullptr));
    child_refuse(code, weir_log_repair(folder, nullptr, nullptr, nullptr));
    return 0;
}

} // namespace

Test(log_failures, records_that_are_too_large_are_refused_and_cost_nothing)
{
    LogFolder const folder;
    weir_log_options options = small_log();
    options.max_record = 1000;
    weir_log *log = open_log(folder, options);
    std::string const text(1001, 'l');
    uint64_t const tail = weir_log_tail(log);
    weir_log_part const part{text.data(), text.size(), 0, 0};
    uint64_t lsn = 0;
    void *data = nullptr;
    refuse(-EMSGSIZE, weir_log_append(log, text.data(), text.size(), &lsn));
    refuse(-EMSGSIZE, weir_log_try_append(log, text.data(), text.size(), &lsn));
    refuse(-EMSGSIZE, weir_log_appendv(log, &part, 1, &lsn));
    refuse(-EMSGSIZE, weir_log_append_batch(log, &part, 1, &lsn));
    refuse(-EMSGSIZE, weir_log_reserve(log, 1001, 0, &lsn, &data));
    check_eq(weir_log_tail(log), tail);
    weir_log_close(log);
    log = open_log(folder);
    std::string const large(100 * kKiB, 'l');
    refuse(-EMSGSIZE, weir_log_try_append(log, large.data(), large.size(), &lsn));
    refuse(-EMSGSIZE, weir_log_reserve(log, large.size(), 0, &lsn, &data));
    must(weir_log_append(log, large.data(), large.size(), &lsn));
    weir_log_close(log);
}

namespace {
/// Fills the ring while one reservation holds everything back.
void fill_ring(weir_log *log, uint64_t &ret_lsn)
{
    void *data = nullptr;
    must(weir_log_reserve(log, 64, 0, &ret_lsn, &data));
    std::string const text(4000, 'f');
    int code = 0;
    while (code == 0)
        code = weir_log_try_append(log, text.data(), text.size(), nullptr);
    check_eq(code, -EAGAIN);
}
} // namespace

Test(log_failures, a_full_ring_says_so_in_time_and_goes_on)
{
    LogFolder const folder;
    weir_log_options options = small_log();
    options.append_timeout_ns = 20 * kMillisecond;
    weir_log *const log = open_log(folder, options);
    uint64_t held = 0;
    fill_ring(log, held);
    std::string const text(4000, 'f');
    weir_log_part const part{text.data(), text.size(), 0, 0};
    uint64_t lsn = 0;
    void *data = nullptr;
    refuse(-EAGAIN, weir_log_try_append(log, text.data(), text.size(), &lsn));
    refuse(-ETIMEDOUT, weir_log_append(log, text.data(), text.size(), &lsn));
    refuse(-ETIMEDOUT, weir_log_appendv(log, &part, 1, &lsn));
    refuse(-ETIMEDOUT, weir_log_append_batch(log, &part, 1, &lsn));
    refuse(-ETIMEDOUT, weir_log_reserve(log, text.size(), 0, &lsn, &data));
    std::thread([&] { // a thread that holds nothing may wait
        refuse(-EAGAIN, weir_log_wait(log, held + 100, 0));
        refuse(-ETIMEDOUT, weir_log_wait(log, held + 100, 20 * kMillisecond));
    })
        .join();
    must(weir_log_commit(log, held, 64));
    must(weir_log_append(log, text.data(), text.size(), &lsn));
    must(weir_log_sync(log));
    weir_log_close(log);
    verify_log(folder, WEIR_LOG_WHOLE);
}

Test(log_failures, a_writer_that_never_commits_is_given_up)
{
    LogFolder const folder;
    weir_log_options options = small_log();
    options.stall_timeout_ns = 100 * kMillisecond;
    weir_log *const log = open_log(folder, options);
    uint64_t held = 0, lsn = 0;
    void *data = nullptr;
    uint64_t const before = append(log, "before");
    must(weir_log_reserve(log, 64, 0, &held, &data));
    std::thread([&] {
        uint64_t const behind = append(log, "behind");
        must(weir_log_wait(log, behind, 20000 * kMillisecond));
    }).join();
    std::memset(data, 'z', 64); // late: never seen
    refuse(-WEIR_E_STALE, weir_log_commit(log, held, 64));
    refuse(-WEIR_E_STALE, weir_log_abort(log, held));
    must(weir_log_append(log, "after", 5, &lsn));
    must(weir_log_sync(log));
    check_eq(info_of(log).evictions, 1u);
    weir_log_close(log);
    auto const found = read_all(folder);
    cr_assert(found.size() == 3 && found[0].lsn == before && found[1].text == "behind" &&
              found[2].text == "after");
    verify_log(folder, WEIR_LOG_WHOLE);
}

Test(log_failures, a_failed_write_ends_the_log_and_loses_nothing_acknowledged)
{
    LogFolder const folder;
    in_child_ok([&]() -> int {
        weir_log_options options = small_log();
        options.backend = WEIR_LOG_BACKEND_PWRITEV2;
        options.idle_flush_ns = -1;
        weir_log *log = nullptr;
        child_must(weir_log_open(folder, &options, &log));
        uint64_t kept = 0, lost = 0;
        child_must(weir_log_append(log, "kept", 4, &kept));
        child_must(weir_log_wait(log, kept, -1));
        uint64_t const durable = weir_log_durable(log);
        uint64_t open = 0, at = 0;
        void *data = nullptr;
        if (!fail_system_call(SYS_pwritev2, EIO)) // of this thread, which writes for itself
            return kNotHere;
        child_must(weir_log_append(log, "lost", 4, &lost));
        child_refuse(-WEIR_E_POISONED, weir_log_wait(log, lost, -1));
        child_check(weir_log_error(log) == EIO);
        child_check(weir_log_durable(log) == durable);
        weir_log_part const part{"x", 1, 0, 0};
        child_refuse(-WEIR_E_POISONED, weir_log_append(log, "x", 1, &at));
        child_refuse(-WEIR_E_POISONED, weir_log_try_append(log, "x", 1, &at));
        child_refuse(-WEIR_E_POISONED, weir_log_appendv(log, &part, 1, &at));
        child_refuse(-WEIR_E_POISONED, weir_log_append_batch(log, &part, 1, &at));
        child_refuse(-WEIR_E_POISONED, weir_log_reserve(log, 1, 0, &open, &data));
        child_refuse(-WEIR_E_POISONED, weir_log_sync(log));
        child_refuse(-WEIR_E_POISONED, weir_log_truncate_before(log, kept));
        child_must(weir_log_wait(log, kept, 0)); // what is durable stays so
        weir_log_close(log);
        return 0;
    });
    auto const found = read_all(folder);
    cr_assert(!found.empty() && found[0].text == "kept" && found.size() <= 2);
    weir_log *const log = open_log(folder);
    keep(log, "goes on");
    weir_log_close(log);
}

Test(log_failures, no_space_is_said_before_a_record_is_accepted)
{
    LogFolder const folder;
    weir_log_options options = small_log();
    options.max_bytes = 4 * kMiB;
    weir_log *const log = open_log(folder, options);
    std::string const text(60000, 'n');
    uint64_t lsn = 0, last = 0;
    int code = 0;
    for (int i = 0; i < 1000 && code == 0; ++i) {
        last = code == 0 && lsn != 0 ? lsn : last;
        code = weir_log_append(log, text.data(), text.size(), &lsn);
    }
    check_eq(code, -ENOSPC);
    weir_log_part const part{text.data(), text.size(), 0, 0};
    void *data = nullptr;
    refuse(-ENOSPC, weir_log_append(log, text.data(), text.size(), &lsn));
    refuse(-ENOSPC, weir_log_try_append(log, text.data(), text.size(), &lsn));
    refuse(-ENOSPC, weir_log_appendv(log, &part, 1, &lsn));
    refuse(-ENOSPC, weir_log_append_batch(log, &part, 1, &lsn));
    refuse(-ENOSPC, weir_log_reserve(log, text.size(), 0, &lsn, &data));
    must(weir_log_sync(log)); // all that was accepted becomes durable
    check_eq(weir_log_error(log), 0u);
    must(weir_log_truncate_before(log, last));
    int64_t const end = now_ns() + 10000 * kMillisecond;
    do
        code = weir_log_append(log, text.data(), text.size(), &lsn);
    while (code == -ENOSPC && now_ns() < end);
    check_eq(code, 0);
    must(weir_log_wait(log, lsn, -1));
    weir_log_close(log);
    verify_log(folder, WEIR_LOG_WHOLE);
}

// covers: weir_log_open -EMFILE
// covers: weir_log_reader_open -EMFILE
// covers: weir_log_cursor_load -EMFILE
// covers: weir_log_cursor_store -EMFILE
// covers: weir_log_verify -EMFILE
// covers: weir_log_repair -EMFILE
Test(log_failures, out_of_descriptors)
{
    LogFolder const folder;
    make_log(folder);
    in_child_ok([&]() -> int {
        weir_log *log = nullptr;
        child_must(weir_log_open(folder.beside("other").c_str(), nullptr, &log));
        weir_log_reader *reader = nullptr;
        child_must(weir_log_reader_open(folder, 0, 0, &reader));
        limit(RLIMIT_NOFILE, 0);
        child_refuse(-EMFILE, weir_log_fd(log));
        void const *data = nullptr;
        size_t length = 0;
        (void)weir_log_reader_next(reader, &data, &length, nullptr, nullptr);
        return child_all_say(-EMFILE, folder);
    });
}

// covers: weir_log_open -EACCES
// covers: weir_log_reader_open -EACCES
// covers: weir_log_cursor_load -EACCES
// covers: weir_log_cursor_store -EACCES
// covers: weir_log_verify -EACCES
// covers: weir_log_repair -EACCES
Test(log_failures, files_that_may_not_be_opened)
{
    LogFolder const folder;
    make_log(folder);
    check_eq(chmod(folder, 0700), 0);
    in_child_ok(
        [&]() -> int {
            if (geteuid() == 0 && setresuid(kNobody, kNobody, kNobody) != 0)
                return kNotHere;
            if (geteuid() != kNobody)
                return kNotHere;
            return child_all_say(-EACCES, folder);
        },
        "needs root, to become somebody else");
}

// covers: weir_log_open -ENFILE -EIO
// covers: weir_log_reader_open -ENFILE -EIO
// covers: weir_log_cursor_load -ENFILE -EIO
// covers: weir_log_cursor_store -ENFILE -EIO
// covers: weir_log_verify -ENFILE -EIO
// covers: weir_log_repair -ENFILE -EIO
Test(log_failures, a_system_that_refuses)
{
    LogFolder const folder;
    make_log(folder);
    in_child_ok([&]() -> int {
        return fail_system_call(SYS_openat, ENFILE) ? child_all_say(-ENFILE, folder) : kNotHere;
    });
    in_child_ok([&]() -> int {
        return fail_system_call(SYS_pread64, EIO) ? child_all_say(-EIO, folder) : kNotHere;
    });
}

Test(log_failures, a_reader_that_cannot_read)
{
    LogFolder const folder;
    make_log(folder);
    in_child_ok([&]() -> int {
        weir_log_reader *reader = nullptr;
        child_must(weir_log_reader_open(folder, 0, 0, &reader));
        if (!fail_system_call(SYS_pread64, EIO))
            return kNotHere;
        void const *data = nullptr;
        size_t length = 0;
        child_refuse(-EIO, weir_log_reader_next(reader, &data, &length, nullptr, nullptr));
        child_refuse(-EIO, weir_log_reader_seek(reader, 0));
        return 0;
    });
}

Test(log_failures, a_backend_that_cannot_be_had)
{
    LogFolder const folder;
    in_child_ok([&]() -> int {
        if (!fail_system_call(SYS_io_uring_setup, EPERM))
            return kNotHere;
        weir_log *log = nullptr;
        weir_log_options options = small_log();
        options.backend = WEIR_LOG_BACKEND_IO_URING;
        child_refuse(-EOPNOTSUPP, weir_log_open(folder, &options, &log));
        options.backend = WEIR_LOG_BACKEND_AUTO;
        child_must(weir_log_open(folder, &options, &log));
        weir_log_info info = WEIR_LOG_INFO_INIT;
        child_must(weir_log_stats(log, &info));
        child_check(std::string(info.backend) == "pwritev2");
        uint64_t lsn = 0;
        child_must(weir_log_append(log, "x", 1, &lsn));
        child_must(weir_log_wait(log, lsn, -1));
        weir_log_close(log);
        return 0;
    });
}

Test(log_failures, io_uring_is_a_feature_where_a_log_can_be_made_to_use_it)
{
    LogFolder const folder;
    weir_log_options options = small_log();
    options.backend = WEIR_LOG_BACKEND_IO_URING;
    weir_log *log = nullptr;
    int const opened = weir_log_open(folder, &options, &log);
    weir_log_close(log);
    check_eq(weir_feature_supported(WEIR_FEATURE_IO_URING), opened == 0 ? 1 : 0);
}
