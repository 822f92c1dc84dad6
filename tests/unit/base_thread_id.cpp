// SPDX-License-Identifier: MIT OR Apache-2.0
// The numbers of threads: two live ones never share one, whatever the cache does.
#include "core/base/clock.hpp"
#include "core/base/thread_id.hpp"
#include "tests/unit/support.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>
#include <vector>

using namespace unit;

Test(base_thread_id, live_threads_have_different_numbers, .timeout = 60)
{
    constexpr unsigned kThreads = 150; // more than the cache has room for
    uint32_t const mine = weir::thread_number();
    for (int round = 0; round < 12; ++round) {
        std::vector<uint32_t> early(kThreads), late(kThreads);
        pthread_barrier_t all; // who looks again and again takes the processor from who must come
        check_eq(pthread_barrier_init(&all, nullptr, kThreads), 0);
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < kThreads; ++i)
            threads.emplace_back([&, i] {
                early[i] = weir::thread_number();
                pthread_barrier_wait(&all); // now all have thrown each other out of the cache
                late[i] = weir::thread_number();
                pthread_barrier_wait(&all);
            });
        for (std::thread &thread : threads)
            thread.join();
        check_eq(pthread_barrier_destroy(&all), 0);
        std::set<uint32_t> numbers;
        size_t expected = 0;
        for (unsigned i = 0; i < kThreads; ++i) {
            numbers.insert(early[i]);
            numbers.insert(late[i]);
            expected += 1;
            check_eq(early[i], late[i], "a thread has two numbers");
        }
        check_eq(numbers.size(), expected, "two threads had one number in round %d", round);
        check_eq(numbers.count(mine), 0);
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

Test(base_thread_id, numbers_of_ended_threads_are_used_again)
{
    uint32_t highest = 0;
    for (int i = 0; i < 2000; ++i)
        std::thread([&] { highest = std::max(highest, weir::thread_number()); }).join();
    check_lt(highest, 8, "2000 threads one after the other reach number %u", highest);
}

Test(base_thread_id, a_number_that_comes_back_at_thread_exit_is_given_back_again)
{
    static pthread_key_t late;
    check_eq(pthread_key_create(&late, [](void *) { weir::thread_number(); }), 0);
    uint32_t highest = 0;
    for (int i = 0; i < 200; ++i)
        std::thread([&] {
            highest = std::max(highest, weir::thread_number());
            pthread_setspecific(late, &late);
        }).join();
    check_lt(highest, 8, "numbers are lost: %u", highest);
}

Test(base_thread_id, a_fork_child_takes_the_numbers_of_threads_it_does_not_have)
{
    std::atomic<bool> go_on{false};
    uint32_t const mine = weir::thread_number();
    std::vector<std::thread> threads;
    std::atomic<int> ready{0};
    for (int i = 0; i < 5; ++i)
        threads.emplace_back([&] {
            weir::thread_number();
            ready.fetch_add(1);
            while (!go_on.load())
                weir::sleep_for(weir::kMillisecond);
        });
    while (ready.load() < 5)
        weir::sleep_for(weir::kMillisecond);
    check_eq(in_child([&] {
                 uint32_t other = mine;
                 std::thread([&] { other = weir::thread_number(); }).join();
                 return weir::thread_number() == mine && other != mine && other <= 1 ? 0 : 1;
             }),
             0);
    go_on.store(true);
    for (std::thread &thread : threads)
        thread.join();
}
