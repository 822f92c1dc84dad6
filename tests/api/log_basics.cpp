// SPDX-License-Identifier: MIT OR Apache-2.0
// An open log in one process: appending in every form, waiting, watermarks, reopening.
#include "tests/api/log_support.hpp"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <thread>

using namespace api;

TestSuite(log_basics);

Test(log_basics, what_was_appended_is_read_back_in_order_after_reopening)
{
    LogFolder const folder;
    std::vector<uint64_t> lsns;
    for (int life = 0; life < 3; ++life) {
        weir_log *const log = open_log(folder);
        check_eq(info_of(log).epoch, uint64_t(life + 1));
        for (int i = 0; i < 100; ++i)
            lsns.push_back(append(log, "record " + std::to_string(lsns.size())));
        cr_assert(weir_log_close(log) == nullptr);
    }
    auto const found = read_all(folder);
    check_eq(found.size(), lsns.size());
    for (size_t i = 0; i < found.size(); ++i) {
        check_eq(found[i].lsn, lsns[i]);
        check_eq(found[i].tag, 0u);
        cr_assert(found[i].text == "record " + std::to_string(i));
        cr_assert(i == 0 || found[i].lsn > found[i - 1].lsn);
    }
    weir_log_report const report = verify_log(folder, WEIR_LOG_WHOLE);
    check_eq(report.epoch, 3u);
    check_eq(report.finding, uint32_t(WEIR_LOG_FOUND_NOTHING));
}

Test(log_basics, durable_follows_the_tail_when_somebody_waits)
{
    LogFolder const folder;
    weir_log_options options = small_log();
    options.idle_flush_ns = -1; // only who waits
    weir_log *const log = open_log(folder, options);
    check_eq(weir_log_durable(log), weir_log_tail(log));
    uint64_t const lsn = append(log, "one");
    check_eq(lsn, weir_log_tail(log) - 32);
    cr_assert(weir_log_durable(log) <= lsn);
    must(weir_log_wait(log, lsn, -1));
    cr_assert(weir_log_durable(log) > lsn);
    check_eq(weir_log_durable(log), weir_log_tail(log));
    must(weir_log_wait(log, lsn, 0)); // already
    append(log, "two");
    append(log, "three");
    must(weir_log_sync(log));
    check_eq(weir_log_durable(log), weir_log_tail(log));
    check_eq(weir_log_error(log), 0u);
    weir_log_close(log);
}

Test(log_basics, a_record_may_be_empty_and_may_be_larger_than_all_buffers)
{
    LogFolder const folder;
    weir_log *const log = open_log(folder);
    std::string large(3 * kMiB + 12345, 'x');
    for (size_t i = 0; i < large.size(); ++i)
        large[i] = static_cast<char>(i * 2654435761u >> 13);
    append(log, "");
    append(log, large);
    append(log, "behind");
    must(weir_log_append(log, nullptr, 0, nullptr));
    weir_log_close(log);
    auto const found = read_all(folder);
    check_eq(found.size(), 4u);
    cr_assert(found[0].text.empty() && found[1].text == large && found[2].text == "behind" &&
              found[3].text.empty());
    verify_log(folder, WEIR_LOG_WHOLE);
}

Test(log_basics, pieces_make_one_record_and_parts_of_a_batch_one_each)
{
    LogFolder const folder;
    weir_log *const log = open_log(folder);
    weir_log_part const parts[] = {{"alpha", 5, 7, 0}, {nullptr, 0, 8, 0}, {"beta", 4, 65535, 0}};
    uint64_t gathered = 0, last = 0;
    must(weir_log_appendv(log, parts, 3, &gathered));
    must(weir_log_append_batch(log, parts, 3, &last));
    must(weir_log_wait(log, last, -1));
    auto const found = read_all(folder);
    check_eq(found.size(), 4u);
    cr_assert(found[0].text == "alphabeta" && found[0].tag == 7 && found[0].lsn == gathered);
    cr_assert(found[1].text == "alpha" && found[1].tag == 7);
    cr_assert(found[2].text.empty() && found[2].tag == 8);
    cr_assert(found[3].text == "beta" && found[3].tag == 65535 && found[3].lsn == last);
    weir_log_close(log);
}

Test(log_basics, a_batch_larger_than_a_buffer_is_whole)
{
    LogFolder const folder;
    weir_log *const log = open_log(folder);
    std::string const text(1000, 'b');
    std::vector<weir_log_part> parts(500, weir_log_part{text.data(), text.size(), 3, 0});
    uint64_t last = 0;
    must(weir_log_append_batch(log, parts.data(), parts.size(), &last));
    must(weir_log_wait(log, last, -1));
    weir_log_close(log);
    auto const found = read_all(folder);
    check_eq(found.size(), parts.size());
    check_eq(found.back().lsn, last);
    cr_assert(std::all_of(found.begin(), found.end(),
                          [&](LogRecord const &r) { return r.text == text && r.tag == 3; }));
}

Test(log_basics, a_reservation_is_filled_in_place_shortened_or_aborted)
{
    LogFolder const folder;
    weir_log *const log = open_log(folder);
    uint64_t first = 0, second = 0, third = 0;
    void *data = nullptr;
    must(weir_log_reserve(log, 100, 5, &first, &data));
    check_eq(reinterpret_cast<uintptr_t>(data) % 16, 0u);
    std::memset(data, 'r', 100);
    must(weir_log_reserve(log, 50, 6, &second, &data));
    std::memset(data, 's', 50);
    must(weir_log_reserve(log, 10, 7, &third, &data));
    refuse(-EINVAL, weir_log_commit(log, first, 101));
    refuse(-EDEADLK, weir_log_wait(log, third, -1));
    refuse(-EDEADLK, weir_log_sync(log));
    must(weir_log_commit(log, first, 40));
    must(weir_log_commit(log, second, 50));
    must(weir_log_abort(log, third));
    refuse(-WEIR_E_STALE, weir_log_commit(log, second, 50));
    refuse(-WEIR_E_STALE, weir_log_abort(log, third));
    must(weir_log_sync(log));
    auto const found = read_all(folder);
    check_eq(found.size(), 2u);
    cr_assert(found[0].text == std::string(40, 'r') && found[0].tag == 5 && found[0].lsn == first);
    cr_assert(found[1].text == std::string(50, 's') && found[1].tag == 6);
    weir_log_close(log);
    verify_log(folder, WEIR_LOG_WHOLE);
}

Test(log_basics, at_most_256_reservations_are_open)
{
    LogFolder const folder;
    weir_log *const log = open_log(folder);
    std::vector<uint64_t> open(256);
    void *data = nullptr;
    for (uint64_t &lsn : open)
        must(weir_log_reserve(log, 16, 0, &lsn, &data));
    uint64_t one = 0;
    refuse(-ENOBUFS, weir_log_reserve(log, 16, 0, &one, &data));
    for (uint64_t const lsn : open)
        must(weir_log_commit(log, lsn, 16));
    must(weir_log_reserve(log, 16, 0, &one, &data));
    must(weir_log_abort(log, one));
    weir_log_close(log);
}

Test(log_basics, threads_that_wait_share_writes)
{
    LogFolder const folder;
    weir_log *const log = open_log(folder);
    constexpr int kThreads = 8, kEach = 200;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < kEach; ++i) {
                std::string const text = std::to_string(t) + ":" + std::to_string(i);
                uint64_t lsn = 0;
                bool const good = weir_log_append(log, text.data(), text.size(), &lsn) == 0 &&
                                  weir_log_wait(log, lsn, -1) == 0 && weir_log_durable(log) > lsn;
                wrong += good ? 0 : 1;
            }
        });
    for (auto &thread : threads)
        thread.join();
    check_eq(wrong.load(), 0);
    weir_log_info const info = info_of(log);
    check_eq(info.records, uint64_t{kThreads * kEach});
    cr_assert(info.batches < info.records); // not one write each
    weir_log_close(log);
    std::vector<int> next(kThreads);
    for (auto const &record : read_all(folder)) { // each thread's in its order
        size_t const colon = record.text.find(':');
        int const t = std::stoi(record.text), i = std::stoi(record.text.substr(colon + 1));
        check_eq(i, next[static_cast<size_t>(t)]++);
    }
    cr_assert(std::all_of(next.begin(), next.end(), [](int count) { return count == kEach; }));
}

Test(log_basics, the_descriptor_says_when_durable_grows)
{
    LogFolder const folder;
    weir_log_options options = small_log();
    options.idle_flush_ns = -1;
    weir_log *const log = open_log(folder, options);
    int const fd = weir_log_fd(log);
    must(fd);
    check_eq(weir_log_fd(log), fd);
    uint64_t const lsn = append(log, "polled"); // nobody waits: the log's own thread flushes
    pollfd waiting{fd, POLLIN, 0};
    check_eq(poll(&waiting, 1, 10000), 1);
    uint64_t count = 0;
    check_eq(read(fd, &count, sizeof count), ssize_t{8});
    cr_assert(weir_log_durable(log) > lsn);
    weir_log_close(log);
}

Test(log_basics, a_limit_of_zero_starts_the_flush_and_does_not_wait)
{
    LogFolder const folder;
    weir_log_options options = small_log();
    options.idle_flush_ns = -1;
    weir_log *const log = open_log(folder, options);
    uint64_t const lsn = append(log, "later");
    int code = weir_log_wait(log, lsn, 0);
    cr_assert(code == -EAGAIN || code == 0);
    int64_t const end = now_ns() + 10000 * kMillisecond;
    while (weir_log_durable(log) <= lsn && now_ns() < end)
        sleep_ms(1);
    cr_assert(weir_log_durable(log) > lsn);
    must(weir_log_wait(log, append(log, "in time"), 10000 * kMillisecond));
    weir_log_close(log);
}

Test(log_basics, fragments_are_no_records_in_the_counts)
{
    LogFolder const folder;
    weir_log *const log = open_log(folder);
    for (int i = 0; i < 3; ++i) // several buffers each
        must(weir_log_wait(log, append(log, std::string(150 * kKiB, 'x')), -1));
    check_eq(info_of(log).records, 3);
    check_eq(info_of(log).record_bytes, 3 * 150 * kKiB);
    weir_log_close(log);
}

// Of two writes through the page cache that are synced at once, one may be told of the other's failure.
Test(log_basics, what_goes_through_the_page_cache_is_durable_by_flushes_alone)
{
    constexpr unsigned kCommits = 5;
    for (uint32_t backend : {WEIR_LOG_BACKEND_AUTO, WEIR_LOG_BACKEND_PWRITEV2}) {
        LogFolder const folder;
        weir_log_options options = small_log();
        options.direct = WEIR_LOG_DIRECT_NEVER;
        options.backend = backend;
        weir_log *const log = open_log(folder, options);
        for (unsigned i = 0; i < kCommits; ++i)
            must(weir_log_wait(log, append(log, "committed"),
                               i % 2 == 0 ? -1 : 10000 * kMillisecond));
        weir_log_info const stats = info_of(log);
        check_eq(stats.direct, 0);
        check_ge(stats.flushes, kCommits);
        weir_log_close(log);
        check_eq(read_all(folder).size(), kCommits);
    }
}

Test(log_basics, each_durability_makes_durable_what_is_waited_for)
{
    for (uint32_t durability :
         {WEIR_LOG_DURABILITY_SYNC, WEIR_LOG_DURABILITY_PERIODIC, WEIR_LOG_DURABILITY_NONE})
        for (uint32_t backend : {WEIR_LOG_BACKEND_AUTO, WEIR_LOG_BACKEND_PWRITEV2})
            for (uint32_t evidence : {WEIR_LOG_EVIDENCE_IDLE, WEIR_LOG_EVIDENCE_BEFORE_ACK}) {
                LogFolder const folder;
                weir_log_options options = small_log();
                options.durability = durability;
                options.backend = backend;
                options.evidence = evidence;
                weir_log *const log = open_log(folder, options);
                for (int i = 0; i < 50; ++i)
                    keep(log, std::string(static_cast<size_t>(i) * 100, 'd'));
                check_eq(weir_log_durable(log), weir_log_tail(log));
                weir_log_info const info = info_of(log);
                cr_assert(
                    std::string(info.backend) == "pwritev2" ||
                    (backend == WEIR_LOG_BACKEND_AUTO && std::string(info.backend) == "io_uring"));
                cr_assert(info.backend_reason[0] != '\0');
                weir_log_close(log);
                check_eq(read_all(folder).size(), 50u);
                verify_log(folder, WEIR_LOG_WHOLE);
            }
}

Test(log_basics, segments_are_made_ahead_and_used_again_after_truncation)
{
    LogFolder const folder;
    weir_log *const log = open_log(folder);
    std::string const text(60000, 's');
    for (int round = 0; round < 200; ++round) { // 12 MiB through segments of 1 MiB
        uint64_t const lsn = keep(log, text);
        if (round % 20 == 19)
            must(weir_log_truncate_before(log, lsn));
    }
    weir_log_info const info = info_of(log);
    cr_assert(info.segments_removed >= 8);
    cr_assert(info.segments_recycled >= 4);
    cr_assert(info.first_lsn > 0);
    weir_log_close(log);
    auto const found = read_all(folder);
    cr_assert(found.size() >= 1 && found.size() < 60);
    cr_assert(found.back().text == text);
    verify_log(folder, WEIR_LOG_WHOLE);
}

Test(log_basics, a_read_only_log_tells_and_changes_nothing)
{
    LogFolder const folder;
    weir_log *log = open_log(folder);
    uint64_t const lsn = keep(log, "kept");
    uint64_t const durable = weir_log_durable(log);
    weir_log_options look = small_log();
    look.flags = WEIR_LOG_READ_ONLY;
    weir_log *watcher = open_log(folder, look); // beside the writer
    cr_assert(weir_log_durable(watcher) <= durable);
    refuse(-EROFS, weir_log_append(watcher, "x", 1, nullptr));
    refuse(-EROFS, weir_log_try_append(watcher, "x", 1, nullptr));
    weir_log_part const part{"x", 1, 0, 0};
    refuse(-EROFS, weir_log_appendv(watcher, &part, 1, nullptr));
    refuse(-EROFS, weir_log_append_batch(watcher, &part, 1, nullptr));
    uint64_t at = 0;
    void *data = nullptr;
    refuse(-EROFS, weir_log_reserve(watcher, 1, 0, &at, &data));
    refuse(-EROFS, weir_log_commit(watcher, lsn, 1));
    refuse(-EROFS, weir_log_abort(watcher, lsn));
    refuse(-EROFS, weir_log_wait(watcher, lsn, 0));
    refuse(-EROFS, weir_log_sync(watcher));
    refuse(-EROFS, weir_log_fd(watcher));
    refuse(-EROFS, weir_log_truncate_before(watcher, 0));
    weir_log_close(watcher);
    weir_log_close(log);
    watcher = open_log(folder, look);
    check_eq(weir_log_durable(watcher), durable);
    check_eq(weir_log_error(watcher), 0u);
    weir_log_close(watcher);
    log = open_log(folder);
    check_eq(weir_log_durable(log), durable);
    weir_log_close(log);
}
