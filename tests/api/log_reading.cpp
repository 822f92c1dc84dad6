// SPDX-License-Identifier: MIT OR Apache-2.0
// Readers: positions, following a writer, being overtaken, cursors.
#include "tests/api/log_support.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

using namespace api;

TestSuite(log_reading);

Test(log_reading, a_reader_begins_at_or_behind_any_position)
{
    LogFolder const folder;
    weir_log *const log = open_log(folder);
    std::vector<uint64_t> lsns;
    for (int i = 0; i < 1000; ++i)
        lsns.push_back(append(log, std::string(static_cast<size_t>(i) * 7 % 5000, 'p')));
    must(weir_log_sync(log));
    weir_log_close(log);
    for (size_t i = 0; i < lsns.size(); i += 37) {
        check_eq(read_all(folder, lsns[i]).front().lsn, lsns[i]);
        if (i + 1 < lsns.size())
            check_eq(read_all(folder, lsns[i] + 1).front().lsn, lsns[i + 1]);
    }
    weir_log_reader *const reader = reader_of(folder);
    for (size_t i : {size_t{999}, size_t{0}, size_t{500}}) {
        must(weir_log_reader_seek(reader, lsns[i]));
        void const *data = nullptr;
        size_t length = 0;
        uint64_t lsn = 0;
        check_eq(weir_log_reader_next(reader, &data, &length, &lsn, nullptr), 1);
        check_eq(lsn, lsns[i]);
    }
    must(weir_log_reader_seek(reader, 0));
    check_eq(read_all(reader).size(), lsns.size());
    weir_log_reader_close(reader);
}

Test(log_reading, a_reader_follows_a_writer_and_is_woken)
{
    LogFolder const folder;
    weir_log *const log = open_log(folder);
    weir_log_reader *const reader = reader_of(folder);
    refuse(-ETIMEDOUT, weir_log_reader_wait(reader, 0));
    refuse(-ETIMEDOUT, weir_log_reader_wait(reader, 20 * kMillisecond));
    constexpr int kRecords = 300;
    std::thread writer([log] {
        for (int i = 0; i < kRecords; ++i) {
            std::string const text = std::to_string(i);
            uint64_t lsn = 0;
            weir_log_append(log, text.data(), text.size(), &lsn);
            weir_log_wait(log, lsn, -1);
        }
    });
    int next = 0;
    while (next < kRecords) {
        must(weir_log_reader_wait(reader, 20000 * kMillisecond));
        for (auto const &record : read_all(reader))
            cr_assert(record.text == std::to_string(next++));
    }
    writer.join();
    weir_log_reader_close(reader);
    weir_log_close(log);
}

/// Whoever was told that a record is durable can send others to it: it is there at once.
Test(log_reading, what_was_waited_for_is_there_for_readers)
{
    LogFolder const folder;
    weir_log *const log = open_log(folder);
    constexpr int kThreads = 4, kRecords = 500;
    std::atomic<int> missed{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t)
        threads.emplace_back([&folder, &missed, log, t] {
            weir_log_reader *const reader = reader_of(folder);
            for (int i = 0; i < kRecords; ++i) {
                uint64_t lsn = 0, found = 0;
                void const *data = nullptr;
                size_t length = 0;
                bool const good = weir_log_append(log, &i, sizeof i, &lsn) == 0 &&
                                  (t == 0 ? weir_log_sync(log) : weir_log_wait(log, lsn, -1)) == 0;
                bool const there =
                    weir_log_reader_seek(reader, lsn) == 0 &&
                    weir_log_reader_next(reader, &data, &length, &found, nullptr) == 1;
                missed += !good || !there || found != lsn;
            }
            weir_log_reader_close(reader);
        });
    for (auto &thread : threads)
        thread.join();
    check_eq(missed.load(), 0);
    weir_log_close(log);
}

Test(log_reading, a_reader_shows_what_is_durable_or_what_is_written)
{
    LogFolder const folder;
    weir_log_options options = small_log();
    options.idle_flush_ns = -1;
    weir_log *const log = open_log(folder, options);
    keep(log, "durable");
    append(log, "not yet");
    check_eq(read_all(folder).size(), 1u);
    check_eq(read_all(folder, 0, WEIR_READER_WRITTEN).size(), 1u);
    must(weir_log_sync(log));
    check_eq(read_all(folder).size(), 2u);
    weir_log_close(log);
}

Test(log_reading, a_reader_that_is_overtaken_says_so)
{
    LogFolder const folder;
    weir_log *const log = open_log(folder);
    uint64_t const first = keep(log, "first");
    weir_log_reader *const reader = reader_of(folder);
    check_eq(read_all(reader).size(), 1u);
    std::string const text(60000, 't');
    uint64_t last = 0;
    for (int i = 0; i < 80; ++i)
        last = keep(log, text);
    must(weir_log_truncate_before(log, last));
    void const *data = nullptr;
    size_t length = 0;
    int code = 1;
    for (int i = 0; i < 80 && code == 1; ++i) // what it has in its hand is still whole
        code = weir_log_reader_next(reader, &data, &length, nullptr, nullptr);
    check_eq(code, -WEIR_E_LAPPED);
    refuse(-WEIR_E_LAPPED, weir_log_reader_next(reader, &data, &length, nullptr, nullptr));
    refuse(-WEIR_E_LAPPED, weir_log_reader_seek(reader, first));
    must(weir_log_reader_seek(reader, 0)); // the oldest there is
    cr_assert(!read_all(reader).empty());
    weir_log_reader_close(reader);
    weir_log_reader *none = nullptr;
    refuse(-WEIR_E_LAPPED, weir_log_reader_open(folder, first, 0, &none));
    weir_log_close(log);
}

Test(log_reading, cursors_are_kept_and_hold_truncation_off)
{
    LogFolder const folder;
    weir_log *log = open_log(folder);
    uint64_t const first = keep(log, "first");
    uint64_t found = 0;
    refuse(-ENOENT, weir_log_cursor_load(folder, "worker", &found));
    must(weir_log_cursor_store(folder, "worker", first, WEIR_CURSOR_HOLD));
    must(weir_log_cursor_load(folder, "worker", &found));
    check_eq(found, first);
    std::string const text(60000, 'c');
    uint64_t last = 0;
    for (int i = 0; i < 60; ++i)
        last = keep(log, text);
    refuse(-EBUSY, weir_log_truncate_before(log, last));
    must(weir_log_cursor_store(folder, "worker", last, WEIR_CURSOR_HOLD));
    must(weir_log_truncate_before(log, last));
    cr_assert(info_of(log).segments_removed > 0);
    weir_log_close(log);
    must(weir_log_cursor_load(folder, "worker", &found));
    check_eq(found, last);
    check_eq(verify_log(folder, WEIR_LOG_WHOLE).cursors, 1u);
    refuse(-EINVAL, weir_log_cursor_store(folder, "../x", 1, 0));
    refuse(-EINVAL, weir_log_cursor_store(folder, ".x", 1, 0));
    refuse(-EINVAL, weir_log_cursor_store(folder, "", 1, 0));
    refuse(-EINVAL, weir_log_cursor_load(folder, "a/b", &found));
    std::string const long_name(65, 'n');
    refuse(-ENAMETOOLONG, weir_log_cursor_store(folder, long_name.c_str(), 1, 0));
    refuse(-ENAMETOOLONG, weir_log_cursor_load(folder, long_name.c_str(), &found));
}

Test(log_reading, retention_by_bytes_keeps_what_it_must)
{
    LogFolder const folder;
    weir_log_options options = small_log();
    options.retain_bytes = 2 * kMiB;
    weir_log *const log = open_log(folder, options);
    std::string const text(60000, 'r');
    for (int i = 0; i < 200; ++i)
        keep(log, text);
    int64_t const end = now_ns() + 10000 * kMillisecond;
    while (info_of(log).segments_removed < 8 && now_ns() < end)
        keep(log, text);
    weir_log_info const info = info_of(log);
    cr_assert(info.segments_removed >= 8);
    cr_assert(info.tail_lsn - info.first_lsn >= 2 * kMiB);
    cr_assert(info.tail_lsn - info.first_lsn <= 6 * kMiB);
    weir_log_close(log);
    verify_log(folder, WEIR_LOG_WHOLE);
}
