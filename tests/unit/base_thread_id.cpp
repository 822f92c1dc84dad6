// SPDX-License-Identifier: MIT OR Apache-2.0
// The numbers of threads: two live ones never share one, whatever the cache does.
#include "core/base/clock.hpp"
#include "core/base/thread_id.hpp"
#include "tests/unit/support.hpp"

#include <atomic>
#include <set>
#include <thread>
#include <vector>

using namespace unit;

Test(base_thread_id, live_threads_have_different_numbers, .timeout = 60)
{
    constexpr unsigned kThreads = 150; // more than the cache has room for
    for (int round = 0; round < 12; ++round) {
        std::vector<uint32_t> early(kThreads), late(kThreads);
        std::atomic<unsigned> arrived{0};
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < kThreads; ++i)
            threads.emplace_back([&, i] {
                early[i] = weir::thread_number();
                arrived.fetch_add(1);
                while (arrived.load() < kThreads) // now all have thrown each other out of the cache
                    weir::sleep_for(100 * weir::kMicrosecond);
                late[i] = weir::thread_number();
                arrived.fetch_add(1);
                while (arrived.load() < 2 * kThreads)
                    weir::sleep_for(100 * weir::kMicrosecond);
            });
        for (std::thread &thread : threads)
            thread.join();
        std::set<uint32_t> numbers;
        size_t expected = 0;
        for (unsigned i = 0; i < kThreads; ++i) {
            numbers.insert(early[i]);
            numbers.insert(late[i]);
            expected += early[i] == late[i] ? 1 : 2; // a dead one's number is given up for an own
        }
        check_eq(numbers.size(), expected, "two threads had one number in round %d", round);
        check_eq(numbers.count(weir::thread_number()), 0);
    }
}

Test(base_thread_id, a_thread_keeps_its_number)
{
    uint32_t const mine = weir::thread_number();
    for (int i = 0; i < 1000; ++i)
        check_eq(weir::thread_number(), mine);
    check_eq(weir::look_up_thread_number(), mine);
    check_eq(in_child([&] { return weir::thread_number() == mine ? 0 : 1; }), 0);
}
