// SPDX-License-Identifier: MIT OR Apache-2.0
// What an earlier flush ring got wrong, one test by the name of each flaw.
#include "tests/unit/flush_support.hpp"

using namespace flush_test;
using weir::kMillisecond;
using weir::kSecond;

// A thread with a stale pointer reserved in a recycled buffer.
Test(flush_regression, a_stale_place_in_a_recycled_buffer_is_refused)
{
    Setup setup;
    setup.options.stall_timeout = 20 * kMillisecond;
    Log log(setup);
    Lsn stale = 0;
    void *data = nullptr;
    check_eq(log.ring->reserve(64, 0, -1, stale, data).code, 0);
    std::vector<Record> expected;
    for (unsigned i = 0; i < 2000; ++i) // several times around
        expected.push_back(log.appended(pattern(i, 300)));
    check_eq(log.ring->wait(expected.back().lsn, 30 * kSecond).code, 0);
    std::memset(data, 'x', 64); // into memory that nothing is written from any more
    check_eq(log.ring->commit(stale, 64).code, -weir::kStale);
    check_contents(log, expected);
    check_eq(log.stats().evictions, 1);
    check_eq(log.stats().leaked_bytes, setup.options.buffer_size);
}

// Sealed by one, rotated by another, flushed by nobody.
Test(flush_regression, what_many_fill_is_written_by_somebody)
{
    Setup setup;
    setup.options.idle_flush = 5 * kMillisecond;
    Log log(setup);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (unsigned i = 0; i < 500; ++i)
                log.append_from(t, pattern(i, 500));
        });
    for (auto &thread : threads)
        thread.join();
    // nobody waits
    for (int i = 0; i < 2000 && log.ring->durable() != log.ring->tail(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    check_eq(log.ring->durable(), log.ring->tail());
    check_eq(log.read().records.size(), 2000);
}

// Written twice; the second completion wiped a live buffer.
Test(flush_regression, a_batch_is_written_once)
{
    Setup setup;
    Log log(setup);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (unsigned i = 0; i < 300; ++i)
                static_cast<void>(
                    log.ring->wait(log.append_from(t, pattern(i, 200)), t % 2 == 0 ? -1 : kSecond));
        });
    for (auto &thread : threads)
        thread.join();
    cr_assert_eq(log.disk.mistakes(), "", "%s", log.disk.mistakes().c_str()); // and none twice
    Contents const found = log.read();
    check_eq(found.batches, log.disk.writes());
    check_eq(found.records.size(), 1200);
}

// Submitted with writers inside.
Test(flush_regression, a_batch_waits_for_its_writers)
{
    Setup setup;
    setup.thread = false;
    Log log(setup);
    Lsn lsn = 0;
    void *data = nullptr;
    check_eq(log.ring->reserve(100, 0, -1, lsn, data).code, 0);
    Record const behind = log.appended("behind");
    std::thread waiter([&] { static_cast<void>(log.ring->wait(behind.lsn, 0)); });
    waiter.join(); // another thread's request: ours would be -EDEADLK
    log.steps();
    check_eq(log.disk.writes(), 0);
    std::memset(data, 'y', 100);
    check_eq(log.ring->commit(lsn, 100).code, 0);
    log.steps();
    check_eq(log.disk.writes(), 1);
    check_contents(log, {{lsn, 0, std::string(100, 'y')}, behind});
}

// The slot was given after the seal: an address that the writer never learns.
Test(flush_regression, an_lsn_is_the_place_in_the_file)
{
    Log log;
    std::vector<Record> all;
    for (unsigned i = 0; i < 700; ++i)
        all.push_back(log.appended(pattern(i, 900)));
    check_eq(log.ring->sync().code, 0);
    for (Record const &record : all) {
        auto const bytes = log.disk.segment(record.lsn / log.setup.options.segment_size);
        size_t const at = record.lsn % log.setup.options.segment_size + sizeof(RecordHeader);
        if (at % log.setup.options.buffer_size + 900 <= log.setup.options.buffer_size)
            check_eq(std::memcmp(bytes.data() + at, record.bytes.data(), 900), 0);
    }
}

// "No space" was success: a payload was lost at each seal.
Test(flush_regression, no_record_is_lost_at_a_seal)
{
    for (size_t size : {40u, 4000u, 4080u, 5000u, 30000u}) {
        Log log;
        std::vector<Record> all;
        for (unsigned i = 0; i < 1000000 / size; ++i)
            all.push_back(log.appended(pattern(i, size)));
        check_eq(log.ring->sync().code, 0);
        check_contents(log, all);
        check_ge(log.stats().rotations, 10u);
    }
}

// Permanent stall, because only the sealer ever rotated.
Test(flush_regression, a_full_ring_goes_on_without_who_filled_it)
{
    Log log;
    log.disk.hold(true);
    std::vector<Record> all;
    for (;;) {
        Record const record = log.appended(pattern(all.size(), 1000), 0);
        if (log.last != 0)
            break;
        all.push_back(record);
    }
    check_eq(log.last, -EAGAIN);
    check_ge(all.size(), 3u * 60u);
    log.append("late", 0, 20 * kMillisecond);
    check_eq(log.last, -ETIMEDOUT);
    std::thread sleeper([&] {
        Lsn const lsn = log.append_from(7, "patient");
        cr_assert_neq(lsn, 0u);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    log.disk.hold(false);
    sleeper.join();
    check_eq(log.ring->sync().code, 0);
    check_eq(log.read().records.size(), all.size() + 1);
    check_ge(log.stats().room_waits, 1u);
}

// Modes that gave no order.
Test(flush_regression, batches_that_end_in_the_wrong_order)
{
    Setup setup;
    setup.options.write_depth = 3;
    Log log(setup);
    log.disk.reverse(true);
    log.disk.hold(true);
    std::vector<Record> all;
    while (log.disk.pending() < 3) {
        Record const record = log.appended(pattern(all.size(), 1000), 0);
        if (log.last == 0)
            all.push_back(record);
        else
            std::this_thread::yield();
        check_eq(log.ring->durable(), 0);
    }
    log.disk.hold(false);
    check_eq(log.ring->sync().code, 0);
    check_contents(log, all);
}

// A waiter took another request's completion.
Test(flush_regression, each_waiter_waits_for_its_own)
{
    Log log;
    log.disk.delay(kMillisecond);
    std::atomic<unsigned> wrong{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 6; ++t)
        threads.emplace_back([&, t] {
            for (unsigned i = 0; i < 50; ++i) {
                Lsn const lsn = log.append_from(t, pattern(i, 100));
                if (!log.ring->wait(lsn, -1).ok() || log.ring->durable() <= lsn)
                    ++wrong;
            }
        });
    for (auto &thread : threads)
        thread.join();
    check_eq(wrong.load(), 0u);
    check_lt(log.disk.writes(), 300u); // in groups
}

// Endless retry on EIO; errors of submission ignored.
Test(flush_regression, the_first_error_is_the_last)
{
    for (Nanoseconds timeout : {Nanoseconds{-1}, Nanoseconds{10 * kSecond}}) {
        Log log;
        Record const good = log.appended("good");
        check_eq(log.ring->wait(good.lsn, -1).code, 0);
        log.disk.fail_write_after(0, EIO);
        Record const bad = log.appended("bad");
        check_eq(log.ring->wait(bad.lsn, timeout).code, -weir::kPoisoned);
        check_eq(log.ring->poison_code(), EIO);
        check_eq(log.ring->poison_lsn(), 8192);
        uint64_t const writes = log.disk.writes();
        log.append("more");
        check_eq(log.last, -weir::kPoisoned);
        check_eq(log.ring->wait(good.lsn, -1).code, 0); // below durable
        check_eq(log.ring->sync().code, -weir::kPoisoned);
        Lsn lsn = 0;
        void *data = nullptr;
        check_eq(log.ring->reserve(1, 0, -1, lsn, data).code, -weir::kPoisoned);
        check_eq(log.disk.writes(), writes);
        check_eq(log.ring->durable(), 8192);
        check_eq(log.close(), -weir::kPoisoned);
    }
}

// The initial value of the watermark meant "all is durable".
Test(flush_regression, nothing_is_durable_at_first)
{
    Log log;
    log.disk.hold(true);
    check_eq(log.ring->durable(), 0);
    Record const record = log.appended("x");
    check_eq(log.ring->wait(record.lsn, 0).code, -EAGAIN);
    check_eq(log.ring->wait(record.lsn, 20 * kMillisecond).code, -ETIMEDOUT);
    check_eq(log.ring->durable(), 0);
    check_eq(log.ring->written(), 0);
    log.disk.hold(false);
    check_eq(log.ring->wait(record.lsn, 10 * kSecond).code, 0);
}

// A failed flush left no trace in the log.
Test(flush_regression, an_aborted_reservation_is_a_record)
{
    Log log;
    Lsn lsn = 0;
    void *data = nullptr;
    check_eq(log.ring->reserve(1000, 0, -1, lsn, data).code, 0);
    std::memset(data, 'z', 1000);
    check_eq(log.ring->abort(lsn).code, 0);
    Record const record = log.appended("x");
    check_eq(log.ring->wait(record.lsn, -1).code, 0);
    check_contents(log, {record});
    check_eq(log.read().aborted, 1);
}

// A dead writer pinned the buffer; what is too large ended the process.
Test(flush_regression, a_writer_that_never_commits_is_evicted)
{
    Setup setup;
    setup.options.stall_timeout = 50 * kMillisecond;
    Log log(setup);
    std::vector<Record> all = {log.appended("before")};
    Lsn lost = 0;
    std::thread writer([&] {
        void *data = nullptr;
        cr_assert_eq(log.ring->reserve(100, 0, -1, lost, data).code, 0);
    });
    writer.join();
    for (unsigned i = 0; i < 5; ++i)
        all.push_back(log.appended(pattern(i, 700)));
    check_eq(log.ring->wait(all.back().lsn, -1).code, 0); // the leader is the evictor
    check_eq(log.ring->abort(lost).code, -weir::kStale);
    all.push_back(log.appended("after"));
    check_eq(log.ring->wait(all.back().lsn, 10 * kSecond).code, 0);
    check_contents(log, all);
    check_eq(log.read().aborted, 1);

    std::string const huge(17 << 20, 'h');
    log.append(huge);
    check_eq(log.last, -EMSGSIZE);
    Lsn lsn = 0;
    void *data = nullptr;
    check_eq(log.ring->reserve(setup.options.buffer_size, 0, -1, lsn, data).code, -EMSGSIZE);
}

// Buffers kept old bytes: old records came back as new ones.
Test(flush_regression, a_buffer_has_no_old_bytes)
{
    Log log;
    std::vector<Record> all;
    for (unsigned i = 0; i < 600; ++i) // full ones first, then what is cut early
        all.push_back(log.appended(pattern(i, 1500)));
    for (unsigned i = 0; i < 100; ++i) {
        all.push_back(log.appended(pattern(i, 10)));
        check_eq(log.ring->wait(all.back().lsn, -1).code, 0);
    }
    check_contents(log, all); // the reader wants each padding to be zeros
}

// The next slot began at a fixed place on each open: reopening overwrote the log.
Test(flush_regression, a_ring_begins_where_it_is_told)
{
    Setup setup;
    setup.start.at = 65536 + 8192;
    setup.start.sequence = 40;
    setup.start.prev_crc = 99;
    Log log(setup);
    Record const record = log.appended("again");
    check_eq(record.lsn, 65536 + 8192 + 80);
    check_eq(log.ring->wait(record.lsn, -1).code, 0);
    auto const bytes = log.disk.segment(0);
    for (size_t i = 0; i < setup.start.at; ++i)
        check_eq(bytes[i], 0);
    check_contents(log, {record});
}

namespace {
/// The device stands still, and no buffer is free behind the open one.
void fill_up_to_the_last_buffer(Log &log, std::vector<Record> &all)
{
    log.disk.hold(true);
    while (log.ring->tail() < 3 * log.setup.options.buffer_size + 10000)
        all.push_back(log.appended(pattern(all.size(), 1000)));
}
} // namespace

// Who waited for a buffer with an open gap behind it was taken for a dead writer.
Test(flush_regression, a_large_unit_that_waits_for_a_slow_device_is_alive)
{
    Setup setup;
    setup.options.stall_timeout = 30 * kMillisecond;
    Log log(setup);
    std::vector<Record> all;
    fill_up_to_the_last_buffer(log, all);
    Record large{0, 9, pattern(7, 200000)};
    std::thread writer([&] { large.lsn = log.append_from(9, large.bytes); });
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    check_eq(log.ring->poison_code(), 0);
    log.disk.hold(false);
    writer.join();
    cr_assert_neq(large.lsn, 0u);
    all.push_back(large);
    check_eq(log.ring->sync().code, 0);
    check_contents(log, all);
}

// And a dead writer beside it is evicted all the same.
Test(flush_regression, a_dead_writer_beside_a_large_unit_that_waits)
{
    Setup setup;
    setup.options.stall_timeout = 30 * kMillisecond;
    Log log(setup);
    std::vector<Record> all;
    fill_up_to_the_last_buffer(log, all);
    Lsn lost = 0;
    std::thread([&] {
        void *data = nullptr;
        cr_assert_eq(log.ring->reserve(100, 0, -1, lost, data).code, 0);
    }).join();
    Record large{0, 9, pattern(7, 200000)};
    std::thread writer([&] { large.lsn = log.append_from(9, large.bytes); });
    for (unsigned i = 0; i < 200 && log.stats().evictions == 0; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    check_eq(log.stats().evictions, 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    check_eq(log.ring->poison_code(), 0);
    log.disk.hold(false);
    writer.join();
    cr_assert_neq(large.lsn, 0u);
    all.push_back(large);
    check_eq(log.ring->sync().code, 0);
    check_contents(log, all);
}

// Its limits hold until its first piece is placed, and the ring goes on.
Test(flush_regression, a_large_unit_that_is_sent_away_leaves_the_ring_open)
{
    Log log;
    std::vector<Record> all;
    fill_up_to_the_last_buffer(log, all);
    log.append(pattern(7, 200000), 0, 20 * kMillisecond);
    check_eq(log.last, -ETIMEDOUT);
    log.append(pattern(7, 200000), 0, 0);
    check_eq(log.last, -EAGAIN);
    log.disk.hold(false);
    all.push_back(log.appended("small"));
    all.push_back(log.appended(pattern(8, 200000)));
    check_eq(log.last, 0);
    check_eq(log.ring->sync().code, 0);
    check_contents(log, all);
}
