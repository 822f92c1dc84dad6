// SPDX-License-Identifier: MIT OR Apache-2.0
// The ring from outside: what is appended is written, read back and waited for.
#include "tests/unit/flush_support.hpp"

using namespace flush_test;
using weir::kSecond;

Test(flush, the_first_record_is_where_the_format_says)
{
    Log log;
    check_eq(log.ring->tail(), 0);
    Lsn const lsn = log.append("hello", 7);
    check_eq(lsn, 4096 + 80);
    check_eq(log.ring->wait(lsn, -1).code, 0);
    check_eq(log.ring->durable(), 8192);
    check_eq(log.ring->tail(), 8192);
    check_contents(log, {{lsn, 7, "hello"}});
}

Test(flush, records_of_all_sizes_come_back)
{
    Setup setup;
    Log log(setup);
    std::vector<Record> expected;
    for (size_t i = 0; i < 600; ++i) {
        std::string const bytes = pattern(i, i * 37 % 9000);
        Lsn const lsn = log.append(bytes, static_cast<uint16_t>(i));
        check_eq(log.last, 0);
        expected.push_back({lsn, static_cast<uint16_t>(i), bytes});
        if (i % 50 == 0)
            check_eq(log.ring->wait(lsn, i % 100 == 0 ? -1 : 10 * kSecond).code, 0);
    }
    check_eq(log.ring->sync().code, 0);
    check_eq(log.ring->durable(), log.ring->tail());
    check_contents(log, expected);
}

Test(flush, a_batch_comes_back_as_a_whole)
{
    Log log;
    std::vector<Record> expected;
    for (size_t round = 0; round < 60; ++round) {
        std::vector<std::string> all;
        for (size_t i = 0; i < 1 + round % 9; ++i)
            all.push_back(pattern(round * 10 + i, (round * 701 + i * 333) % 6000));
        Lsn const last = log.append_batch(all);
        check_eq(log.last, 0);
        for (size_t i = 0; i < all.size(); ++i)
            expected.push_back({0, static_cast<uint16_t>(i), all[i]});
        expected.back().lsn = last;
    }
    check_eq(log.ring->sync().code, 0);
    Contents const found = log.read();
    cr_assert_eq(found.wrong, "", "%s", found.wrong.c_str());
    check_eq(found.records.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
        cr_assert(found.records[i].bytes == expected[i].bytes, "record %zu", i);
        check_eq(found.records[i].tag, expected[i].tag);
        if (expected[i].lsn != 0)
            check_eq(found.records[i].lsn, expected[i].lsn);
    }
}

Test(flush, a_gathered_record_is_one)
{
    Log log;
    weir::Part const parts[] = {{"one ", 4, 5}, {"", 0, 6}, {"two", 3, 7}};
    Lsn lsn = 0;
    check_eq(log.ring->append(parts, 3, -1, lsn).code, 0);
    check_eq(log.ring->wait(lsn, -1).code, 0);
    check_contents(log, {{lsn, 5, "one two"}});
}

Test(flush, records_larger_than_the_ring)
{
    Log log;
    std::vector<Record> expected;
    for (size_t size : {70000u, 64u, 1000000u, 3000000u, 100u, 65536u, 65440u}) {
        std::string const bytes = pattern(size, size);
        Lsn const lsn = log.append(bytes, 3);
        check_eq(log.last, 0, "%zu", size);
        expected.push_back({lsn, 3, bytes});
        check_eq(log.ring->wait(lsn, -1).code, 0);
        check_ge(log.ring->durable(), lsn + size);
    }
    check_contents(log, expected);
}

// Too large for a buffer wherever it begins, and yet it fits one that was just opened.
Test(flush, a_large_record_that_ends_in_the_buffer_where_it_begins)
{
    Log log;
    uint64_t const buffer = log.setup.options.buffer_size, block = log.setup.options.block;
    std::vector<Record> expected;
    auto const keep = [&](uint64_t length) {
        expected.push_back(log.appended(pattern(length, length)));
        check_eq(log.ring->wait(expected.back().lsn, -1).code, 0);
    };
    for (uint64_t less = 0; less < block; less += 400) {
        // A batch that ends with its buffer opens the next one for nobody.
        while (log.ring->tail() % buffer != 0) {
            uint64_t const room = buffer - log.ring->tail() % buffer - weir::kBatchHeader;
            keep(room < buffer / 2 ? room - 100 : buffer / 4);
        }
        keep(buffer - weir::kBatchHeader - weir::kRecordHeader - less);
    }
    check_contents(log, expected);
}

Test(flush, reservations_are_written_in_place)
{
    Log log;
    Lsn one = 0, two = 0, three = 0;
    void *data = nullptr;
    check_eq(log.ring->reserve(100, 1, -1, one, data).code, 0);
    check_eq(reinterpret_cast<uintptr_t>(data) % 16, 0);
    std::memset(data, 'a', 100);
    void *other = nullptr;
    check_eq(log.ring->reserve(50, 2, -1, two, other).code, 0);
    std::memset(other, 'b', 50);
    check_eq(log.ring->reserve(50, 3, -1, three, other).code, 0);
    std::memset(other, 'c', 50);
    check_eq(log.ring->wait(one, -1).code, -EDEADLK);
    check_eq(log.ring->sync().code, -EDEADLK);
    check_eq(log.ring->commit(one, 101).code, -EINVAL);
    check_eq(log.ring->commit(one, 10).code, 0); // the rest is padded
    check_eq(log.ring->commit(one, 10).code, -weir::kStale);
    check_eq(log.ring->abort(two).code, 0);
    check_eq(log.ring->commit(three, 50).code, 0);
    check_eq(log.ring->sync().code, 0);
    check_contents(log, {{one, 1, std::string(10, 'a')}, {three, 3, std::string(50, 'c')}});
    check_eq(log.read().aborted, 1);
}

Test(flush, a_ring_goes_on_inside_a_generation)
{
    for (Lsn at : {Lsn{0}, Lsn{4096}, Lsn{8192}, Lsn{65536}, Lsn{65536 * 3 + 61440}, Lsn{262144}}) {
        Setup setup;
        setup.start.at = at;
        setup.start.sequence = 9;
        setup.start.prev_crc = 1234;
        setup.start.epoch = 5;
        Log log(setup);
        check_eq(log.code, 0);
        check_eq(log.ring->tail(), at);
        check_eq(log.ring->durable(), at);
        std::vector<Record> expected;
        for (size_t i = 0; i < 100; ++i) {
            std::string const bytes = pattern(i, 3000);
            expected.push_back({log.append(bytes, 1), 1, bytes});
        }
        check_eq(expected[0].lsn, (at % 262144 == 0 ? at + 4096 : at) + 80);
        check_eq(log.ring->sync().code, 0);
        check_contents(log, expected);
    }
}

Test(flush, many_threads_append_and_wait)
{
    Setup setup;
    Log log(setup);
    constexpr unsigned kThreads = 8, kEach = 300;
    std::vector<Record> expected[kThreads];
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t)
        threads.emplace_back([&, t] {
            for (unsigned i = 0; i < kEach; ++i) {
                std::string const bytes = pattern(t * 1000 + i, (t * 77 + i * 13) % 3000);
                weir::Part const part{bytes.data(), bytes.size(), static_cast<uint16_t>(t)};
                Lsn lsn = 0;
                if (!log.ring->append(&part, 1, -1, lsn).ok())
                    return;
                expected[t].push_back({lsn, static_cast<uint16_t>(t), bytes});
                if (i % 5 == 0 && !log.ring->wait(lsn, t % 2 == 0 ? -1 : kSecond).ok())
                    return;
            }
        });
    for (auto &thread : threads)
        thread.join();
    check_eq(log.ring->sync().code, 0);
    std::vector<Record> all;
    for (auto const &some : expected) {
        check_eq(some.size(), kEach);
        all.insert(all.end(), some.begin(), some.end());
    }
    std::sort(all.begin(), all.end(), [](auto const &a, auto const &b) { return a.lsn < b.lsn; });
    check_contents(log, all);
}

Test(flush, other_durabilities)
{
    for (auto durability : {weir::Durability::periodic, weir::Durability::none}) {
        Setup setup;
        setup.options.durability = durability;
        Log log(setup);
        Lsn lsn = 0;
        for (size_t i = 0; i < 300; ++i)
            lsn = log.append(pattern(i, 2000));
        check_eq(log.ring->wait(lsn, -1).code, 0);
        cr_assert_gt(log.disk.flushes(), 0u);
        lsn = log.append("x");
        check_eq(log.ring->wait(lsn, 10 * kSecond).code, 0);
        check_eq(log.read().records.size(), 301);
    }
}
