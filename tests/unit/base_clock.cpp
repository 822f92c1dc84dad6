// SPDX-License-Identifier: MIT OR Apache-2.0
// Deadlines and the futex behind every wait.
#include "core/base/clock.hpp"
#include "core/base/futex.hpp"
#include "tests/unit/support.hpp"

#include <thread>

using namespace unit;
using namespace weir;

Test(base_clock, a_timeout_of_zero_has_passed_at_once)
{
    Deadline const deadline(0);
    cr_assert(deadline.passed() && !deadline.never());
    check_eq(deadline.left(), 0);
}

Test(base_clock, a_negative_timeout_never_ends)
{
    for (Nanoseconds timeout : {Nanoseconds{-1}, Nanoseconds{INT64_MIN}}) {
        Deadline const deadline(timeout);
        cr_assert(!deadline.passed() && deadline.never());
        check_eq(deadline.left(), INT64_MAX);
    }
}

Test(base_clock, the_longest_timeout_does_not_overflow)
{
    for (Nanoseconds timeout : {Nanoseconds{INT64_MAX}, Nanoseconds{INT64_MAX - 1}}) {
        Deadline const deadline(timeout);
        cr_assert(!deadline.passed() && !deadline.never());
        check_ge(deadline.left(), INT64_MAX / 2);
    }
}

Test(base_clock, a_deadline_passes_after_its_time)
{
    Nanoseconds const began = monotonic_now();
    Deadline const deadline(20 * kMillisecond);
    cr_assert(!deadline.passed());
    cr_assert(deadline.left() <= 20 * kMillisecond);
    while (!deadline.passed())
        sleep_for(kMillisecond);
    check_ge(monotonic_now() - began, 20 * kMillisecond);
    check_eq(deadline.left(), 0);
}

Test(base_clock, the_real_clock_is_later_than_this_test_was_written)
{
    check_ge(real_now(), Nanoseconds{1700000000} * kSecond);
}

Test(base_futex, a_wait_on_another_value_returns_at_once)
{
    atomic<uint32_t> word;
    word.store(5, relaxed);
    Nanoseconds const began = monotonic_now();
    futex_wait(word, 4, 10 * kSecond);
    check_lt(monotonic_now() - began, kSecond);
}

Test(base_futex, a_wait_ends_with_its_time)
{
    atomic<uint32_t> word;
    word.store(5, relaxed);
    Nanoseconds const began = monotonic_now();
    futex_wait(word, 5, 30 * kMillisecond);
    cr_assert(monotonic_now() - began < 5 * kSecond);
}

Test(base_futex, a_wake_ends_all_waits, .timeout = 30)
{
    atomic<uint32_t> word;
    word.store(0, relaxed);
    auto const sleeper = [&] {
        while (word.load(acquire) == 0)
            futex_wait(word, 0, 20 * kSecond);
    };
    std::thread first(sleeper);
    std::thread second(sleeper);
    sleep_for(20 * kMillisecond);
    Nanoseconds const began = monotonic_now();
    word.store(1, release);
    futex_wake_all(word);
    first.join();
    second.join();
    check_lt(monotonic_now() - began, 10 * kSecond);
}
