// SPDX-License-Identifier: MIT OR Apache-2.0
// The ring's errors and edges: space, evidence, closing, flushes that fail, limits.
#include "tests/unit/flush_support.hpp"

#include "core/base/alloc.hpp"

using namespace flush_test;
using weir::kMillisecond;
using weir::kSecond;

Test(flush_limits, impossible_options_are_refused)
{
    auto const refused = [](auto change) {
        Setup setup;
        setup.thread = false;
        change(setup);
        Log const log(setup);
        return log.code == -EINVAL;
    };
    cr_assert(refused([](Setup &s) { s.options.buffer_size = 65537; }));
    cr_assert(refused([](Setup &s) { s.options.buffer_count = 3; }));
    cr_assert(refused([](Setup &s) { s.options.buffer_count = 128; }));
    cr_assert(refused([](Setup &s) { s.options.segment_size = 4096; }));
    cr_assert(refused([](Setup &s) { s.options.block = 3000; }));
    cr_assert(refused([](Setup &s) { s.options.commit_depth = 0; }));
    cr_assert(refused([](Setup &s) { s.start.at = 100; }));
    cr_assert(refused([](Setup &s) { s.start.sequence = 0; }));
}

Test(flush_limits, bad_arguments_lose_nothing)
{
    Setup setup;
    setup.options.max_record = 1000;
    Log log(setup);
    Lsn lsn = 77;
    weir::Part const none{nullptr, 5, 0};
    check_eq(log.ring->append(&none, 1, -1, lsn).code, -EINVAL);
    check_eq(log.ring->append(nullptr, 0, -1, lsn).code, -EINVAL);
    check_eq(log.ring->append_batch(&none, 0, -1, lsn).code, -EINVAL);
    log.append(std::string(1001, 'x'));
    check_eq(log.last, -EMSGSIZE);
    log.append_batch({std::string(600, 'x'), std::string(600, 'x')});
    check_eq(log.last, -EMSGSIZE);
    check_eq(lsn, 77);
    check_eq(log.ring->commit(4176, 1).code, -weir::kStale);
    check_eq(log.ring->abort(0).code, -weir::kStale);
    check_eq(log.ring->wait(0, -1).code, -ERANGE);
    Record const record = log.appended("x");
    check_eq(record.lsn, 4176);
    check_eq(log.ring->wait(record.lsn + 32, -1).code, -ERANGE);
}

Test(flush_limits, so_many_reservations_and_no_more)
{
    Setup setup;
    Log log(setup);
    std::vector<Lsn> all(weir::kMostReservations);
    void *data = nullptr;
    for (Lsn &lsn : all)
        check_eq(log.ring->reserve(16, 0, -1, lsn, data).code, 0);
    Lsn one_more = 0;
    check_eq(log.ring->reserve(16, 0, -1, one_more, data).code, -ENOBUFS);
    check_eq(log.ring->commit(all[100], 16).code, 0);
    check_eq(log.ring->reserve(16, 0, -1, one_more, data).code, 0);
    all[100] = one_more;
    for (Lsn const lsn : all)
        check_eq(log.ring->commit(lsn, 16).code, 0);
    check_eq(log.ring->sync().code, 0);
    check_eq(log.read().records.size(), weir::kMostReservations + 1);
}

Test(flush_limits, own_reservation_in_a_later_buffer_is_no_deadlock)
{
    Log log;
    Record const first = log.appended("first");
    while (log.ring->tail() < 65536 + 200)
        log.append(pattern(1, 2000));
    Lsn mine = 0;
    void *data = nullptr;
    check_eq(log.ring->reserve(16, 0, -1, mine, data).code, 0);
    check_eq(log.ring->wait(first.lsn, -1).code, 0);
    check_eq(log.ring->wait(mine, kSecond).code, -EDEADLK);
    check_eq(log.ring->commit(mine, 16).code, 0);
    check_eq(log.ring->wait(mine, -1).code, 0);
}

// It was looked for in the first generation alone, and the cut went on to the chain's end.
Test(flush_limits, own_reservation_beside_the_end_of_a_chain_is_a_deadlock)
{
    Setup setup;
    setup.options.stall_timeout = 500 * kMillisecond;
    Log log(setup);
    for (Nanoseconds const timeout : {Nanoseconds{-1}, 10 * kSecond}) {
        Record const chain = log.appended(pattern(2, 100000));
        Lsn mine = 0;
        void *data = nullptr;
        check_eq(log.ring->reserve(16, 0, -1, mine, data).code, 0);
        check_eq(log.ring->wait(chain.lsn, timeout).code, -EDEADLK);
        check_eq(log.ring->commit(mine, 16).code, 0); // it was not taken away meanwhile
        check_eq(log.ring->wait(chain.lsn, -1).code, 0);
        check_eq(log.ring->sync().code, 0);
    }
    check_eq(log.stats().evictions, 0);
}

Test(flush_limits, no_space_is_said_before_anything_is_taken)
{
    Setup setup;
    setup.space = false; // only the first segment
    Log log(setup);
    std::vector<Record> all;
    log.ring->space_status(ENOSPC);
    for (;;) {
        Record const record = log.appended(pattern(all.size(), 1000));
        if (log.last != 0)
            break;
        all.push_back(record);
    }
    check_eq(log.last, -ENOSPC);
    check_ge(all.size(), 240u);
    check_eq(log.ring->space_wanted(), 2 * setup.options.segment_size);
    log.append(std::string(300000, 'l'));
    check_eq(log.last, -ENOSPC);
    check_ge(log.ring->space_wanted(), 3 * setup.options.segment_size);
    log.ring->space_status(0);
    log.append("x", 0, 20 * kMillisecond);
    check_eq(log.last, -ETIMEDOUT);
    std::thread preparer([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        log.ring->space_ready(8 * setup.options.segment_size);
    });
    all.push_back(log.appended("goes on"));
    check_eq(log.last, 0);
    check_eq(all.back().lsn, setup.options.segment_size + 4096 + 80);
    std::string const large = pattern(3, 300000);
    all.push_back(log.appended(large));
    check_eq(log.last, 0);
    preparer.join();
    check_eq(log.ring->sync().code, 0);
    check_contents(log, all);
    check_ge(log.stats().segments_not_ready, 1u);
}

namespace {
struct Evidence {
    MemoryDisk *disk;
    std::atomic<Lsn> proven{0};
    std::atomic<int> calls{0}, code{0};
    std::atomic<FlushRing *> ring{nullptr};
    std::atomic<bool> early{false};
    static int prove(void *self, Lsn lsn)
    {
        auto &me = *static_cast<Evidence *>(self);
        ++me.calls;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        if (me.ring.load() != nullptr && me.ring.load()->durable() >= lsn)
            me.early = true;
        if (me.code == 0)
            me.proven = lsn;
        return me.code;
    }
    static File file_at(void *, Lsn lsn) { return static_cast<File>(lsn / (256 << 10)); }
};
} // namespace

Test(flush_limits, evidence_comes_before_the_acknowledgement)
{
    Evidence evidence;
    Setup setup;
    setup.host = {};
    setup.host.self = &evidence;
    setup.host.file_at = Evidence::file_at;
    setup.host.evidence = Evidence::prove;
    Log log(setup);
    evidence.ring = log.ring;
    std::atomic<unsigned> wrong{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (unsigned i = 0; i < 30; ++i) {
                Lsn const lsn = log.append_from(t, "x");
                if (!log.ring->wait(lsn, -1).ok() || evidence.proven <= lsn)
                    ++wrong;
            }
        });
    for (auto &thread : threads)
        thread.join();
    check_eq(wrong.load(), 0u);
    cr_assert(!evidence.early);
    check_lt(evidence.calls.load(), 121); // who comes together shares one
    Lsn const before = log.ring->durable();
    evidence.code = -EIO;
    Record const record = log.appended("y");
    check_eq(log.ring->wait(record.lsn, -1).code, -weir::kPoisoned);
    check_eq(log.ring->durable(), before);
}

Test(flush_limits, a_flush_that_failed_is_not_repeated)
{
    Setup setup;
    setup.options.durability = weir::Durability::periodic;
    setup.options.sync_interval = 3600 * kSecond;
    Log log(setup);
    Record const good = log.appended("good");
    check_eq(log.ring->wait(good.lsn, -1).code, 0);
    log.disk.fail_flush_after(0, EIO); // once
    Record const bad = log.appended("bad");
    check_eq(log.ring->wait(bad.lsn, -1).code, -weir::kPoisoned);
    uint64_t const flushes = log.disk.flushes();
    check_eq(log.ring->wait(bad.lsn, kSecond).code, -weir::kPoisoned);
    check_eq(log.ring->sync().code, -weir::kPoisoned);
    check_eq(log.close(), -weir::kPoisoned);
    check_eq(log.disk.flushes(), flushes);
    check_eq(log.ring->durable(), 8192);
}

Test(flush_limits, periodic_flushes_by_itself)
{
    Setup setup;
    setup.options.durability = weir::Durability::periodic;
    setup.options.sync_interval = 5 * kMillisecond;
    setup.options.idle_flush = 2 * kMillisecond;
    Log log(setup);
    log.append("x");
    for (int i = 0; i < 1000 && log.ring->durable() != log.ring->tail(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    check_eq(log.ring->durable(), 8192);
}

Test(flush_limits, pieces_of_a_record_share_one_flush)
{
    Setup setup;
    Log log(setup);
    Lsn const lsn = log.append(pattern(1, 3 * setup.options.buffer_size));
    check_eq(log.last, 0);
    check_eq(log.ring->wait(lsn, -1).code, 0);
    check_eq(log.ring->durable(), log.ring->tail());
    check_eq(log.disk.flushes(), 1);
}

Test(flush_limits, pieces_of_a_record_become_durable_though_nobody_waits)
{
    Setup setup;
    setup.options.idle_flush = 2 * kMillisecond;
    Log log(setup);
    log.append(pattern(1, 3 * setup.options.buffer_size));
    for (int i = 0; i < 1000 && log.ring->durable() != log.ring->tail(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    check_eq(log.ring->durable(), log.ring->tail());
}

// Only the highest LSN that anybody asked for is known: who asks on and on hid the others.
Test(flush_limits, a_flush_that_was_asked_for_does_not_wait_for_later_ones)
{
    for (auto durability : {weir::Durability::periodic, weir::Durability::none}) {
        Setup setup;
        setup.thread = false;
        setup.options.durability = durability;
        setup.options.sync_interval = 3600 * kSecond;
        Log log(setup);
        Record const first = log.appended("first");
        check_eq(log.ring->wait(first.lsn, 0).code, -EAGAIN);
        for (unsigned i = 0; i < 5; ++i) {
            log.ring->step_without_sleep();
            Record const later = log.appended(pattern(i, 100)); // never written by this step
            check_eq(log.ring->wait(later.lsn, 0).code, -EAGAIN);
        }
        check_eq(log.ring->wait(first.lsn, 0).code, 0);
    }
}

Test(flush_limits, somebody_polls_and_need_not_ask)
{
    Setup setup;
    setup.options.idle_flush = -1;
    Log log(setup);
    log.append("x");
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    check_eq(log.ring->durable(), 0); // nobody wants it
    log.ring->flush_eagerly();
    for (unsigned n = 1; n < 20; ++n) {
        for (int i = 0; i < 2000 && log.ring->durable() != log.ring->tail(); ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        check_eq(log.ring->durable(), log.ring->tail());
        log.append("y");
    }
}

Test(flush_limits, an_idle_log_wakes_nobody)
{
    Setup setup;
    setup.options.idle_flush = kMillisecond;
    Log log(setup);
    log.append("x");
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    uint64_t const reaps = log.disk.reaps();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    check_eq(log.disk.reaps(), reaps);
    log.append("y"); // and it is heard
    for (int i = 0; i < 1000 && log.ring->durable() != log.ring->tail(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    check_eq(log.ring->durable(), log.ring->tail());
}

Test(flush_limits, closing_ends_everything)
{
    Setup setup;
    setup.options.stall_timeout = -1; // close evicts nevertheless
    Log log(setup);
    std::vector<Record> all = {log.appended("one")};
    Lsn open = 0;
    void *data = nullptr;
    check_eq(log.ring->reserve(100, 0, -1, open, data).code, 0);
    all.push_back(log.appended("two"));
    check_eq(log.close(), 0);
    std::memset(data, 'x', 100);
    check_eq(log.ring->commit(open, 100).code, -weir::kStale);
    check_eq(log.ring->durable(), log.ring->tail());
    log.append("three");
    check_eq(log.last, -EINVAL);
    check_eq(log.ring->wait(log.ring->tail(), -1).code, -EINVAL);
    check_contents(log, all);
}

Test(flush_limits, closing_a_full_ring)
{
    Log log;
    log.disk.hold(true);
    while (log.last == 0)
        log.append(pattern(1, 1000), 0, 0);
    check_eq(log.last, -EAGAIN);
    std::thread late([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        log.disk.hold(false);
    });
    check_eq(log.close(), 0);
    late.join();
    check_eq(log.ring->durable(), log.ring->tail());
    cr_assert_eq(log.read().wrong, "");
}

Test(flush_limits, an_eviction_without_memory_poisons)
{
    Setup setup;
    setup.options.stall_timeout = 10 * kMillisecond;
    setup.thread = false;
    Log log(setup);
    // The table of ranges is what can be made to fail here: 62 entries are there from the start.
    std::vector<Lsn> open(100);
    void *data = nullptr;
    for (Lsn &lsn : open)
        check_eq(log.ring->reserve(16, 0, -1, lsn, data).code, 0);
    log.start_thread();
    weir::fail_allocation_after(0);
    std::thread waiter([&] { static_cast<void>(log.ring->wait(open.back(), 30 * kSecond)); });
    waiter.join();
    weir::fail_allocation_after(-1);
    check_eq(log.ring->poison_code(), ENOMEM);
}
