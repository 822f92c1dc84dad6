// SPDX-License-Identifier: MIT OR Apache-2.0
// Threads that are cancelled while they use a log: no call is a cancellation point, so a thread
// never ends with a place, a batch or a lock of the ring in its hand.
#include "tests/api/cancel_support.hpp"
#include "tests/api/log_support.hpp"

#include <array>

using namespace api;

Test(log_cancel, no_call_on_a_log_is_a_cancellation_point)
{
    skip_with_asan();
    LogFolder const folder;
    std::string const salvaged = folder.beside("salvaged");
    int const before = open_descriptors();
    Steps steps;
    run_cancelled(steps, [&] {
        weir_log_options const options = small_log();
        weir_log *log = nullptr;
        step(weir_log_open(folder, &options, &log));
        uint64_t lsn = 0, end = 0;
        step(weir_log_append(log, "one", 3, &lsn));
        step(weir_log_try_append(log, "two", 3, &lsn));
        std::array<weir_log_part, 2> const parts{{{"a", 1, 0, 0}, {"b", 1, 0, 0}}};
        step(weir_log_appendv(log, parts.data(), parts.size(), &lsn));
        step(weir_log_append_batch(log, parts.data(), parts.size(), &lsn));
        std::string const large(200 * kKiB, 'l'); // several buffers
        step(weir_log_append(log, large.data(), large.size(), &lsn));
        void *data = nullptr;
        step(weir_log_reserve(log, 8, 0, &lsn, &data));
        step(weir_log_abort(log, lsn));
        step(weir_log_reserve(log, 8, 0, &lsn, &data));
        step(weir_log_commit(log, lsn, 0));
        step(weir_log_wait(log, lsn, 10000 * kMillisecond));
        step(weir_log_append(log, "three", 5, &end));
        step(weir_log_wait(log, end, -1));
        step(weir_log_sync(log));
        step(weir_log_fd(log));
        weir_log_info info = WEIR_LOG_INFO_INIT;
        step(weir_log_stats(log, &info));
        step(weir_log_truncate_before(log, lsn));
        weir_log_reader *reader = nullptr;
        step(weir_log_reader_open(folder, 0, 0, &reader));
        size_t length = 0;
        void const *record = nullptr;
        while (weir_log_reader_next(reader, &record, &length, &lsn, nullptr) > 0) {
        }
        step(weir_log_reader_wait(reader, 2 * kMillisecond), -ETIMEDOUT);
        step(weir_log_reader_seek(reader, end));
        weir_log_reader_close(reader);
        step(weir_log_cursor_store(folder, "cursor", end, 0));
        step(weir_log_cursor_load(folder, "cursor", &lsn));
        weir_log_close(log);
        step(0);
        weir_log_report report = WEIR_LOG_REPORT_INIT;
        step(weir_log_verify(folder, &report));
        step(weir_log_repair(folder, nullptr, nullptr, &report));
        weir_log_options salvage = WEIR_LOG_OPTIONS_INIT;
        step(weir_log_open(salvaged.c_str(), &salvage, &log));
        weir_log_close(log);
        step(0);
    });
    steps.must_be(27);
    check_eq(open_descriptors(), before);
    verify_log(folder, WEIR_LOG_WHOLE);
}

namespace {
/// What the threads of one round were told.
struct Told {
    std::atomic<int> turns{0};
    std::atomic<uint64_t> durable{0}; ///< the highest LSN that a wait has acknowledged
    std::atomic<int> code{0};

    void note(int returned) noexcept
    {
        if (returned < 0)
            code = returned;
    }
    void acknowledge(uint64_t lsn) noexcept
    {
        uint64_t known = durable.load();
        while (known < lsn && !durable.compare_exchange_weak(known, lsn)) {
        }
    }
};

/// Appends and waits until it is cancelled, which it is outside of the calls. Every few appends
/// the ring rotates, so it is full, declined and opened by others all the time.
void append_for_ever(weir_log *log, Told &told)
{
    static std::string const text(20 * kKiB, 'c');
    for (int i = 0;; ++i) {
        uint64_t lsn = 0;
        int const appended = weir_log_append(log, text.data(), text.size() - i % 7000, &lsn);
        told.note(appended);
        if (appended == 0 && i % 4 == 0) {
            int const waited = weir_log_wait(log, lsn, i % 8 == 0 ? -1 : 10000 * kMillisecond);
            told.note(waited);
            if (waited == 0)
                told.acknowledge(lsn);
        }
        ++told.turns;
        pthread_testcancel();
    }
}
} // namespace

Test(log_cancel, a_log_lives_on_when_its_threads_are_cancelled, .timeout = 60)
{
    skip_with_asan();
    LogFolder const folder;
    weir_log_options options = small_log();
    options.retain_bytes = 2 * kMiB;
    weir_log *const log = open_log(folder, options);
    Told told;
    for (int round = 0; round < 25; ++round) {
        std::array<std::thread, 3> threads;
        int const until = told.turns + 3 + round % 20;
        for (std::thread &thread : threads)
            thread = std::thread([&] { append_for_ever(log, told); });
        while (told.turns.load() < until && told.code.load() == 0)
            sched_yield();
        for (std::thread &thread : threads)
            check_eq(pthread_cancel(thread.native_handle()), 0);
        for (std::thread &thread : threads)
            thread.join();
        check_eq(told.code.load(), 0);
        must(weir_log_wait(log, append(log, "alive"), 10000 * kMillisecond));
    }
    weir_log_info const info = info_of(log);
    check_eq(info.evictions, 0u);
    check_ge(info.durable_lsn, told.durable.load());
    weir_log_close(log);
    verify_log(folder, WEIR_LOG_WHOLE);
}
