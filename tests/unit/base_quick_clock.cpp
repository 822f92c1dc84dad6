// SPDX-License-Identifier: MIT OR Apache-2.0
// The quick clock beside the clock itself, on counters that run evenly, drift, jump and stop.
#include "core/base/quick_clock.hpp"
#include "tests/unit/support.hpp"

#include <atomic>
#include <cstdlib>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

using namespace unit;
using namespace weir;

namespace {
/// A machine: `moment` is the truth in nanoseconds.
struct Machine {
    static Nanoseconds moment;
    static uint64_t offset;       ///< of its counter
    static double rate;           ///< ticks a nanosecond
    static Nanoseconds stop;      ///< between the next look at the clock and the counter
    static Nanoseconds slow_once; ///< as `stop`, of one look
    static bool is_steady;
    static int looks;

    static std::function<void()> after_ticks; ///< once

    static uint64_t ticks()
    {
        uint64_t const seen = offset + static_cast<uint64_t>(double(moment) * rate);
        if (std::function<void()> const then = std::exchange(after_ticks, nullptr))
            then();
        return seen;
    }
    static Nanoseconds exact()
    {
        ++looks;
        Nanoseconds const slow = std::exchange(slow_once, 0);
        moment += 25 + stop + slow;
        return moment - stop - slow - 10;
    }
    static bool steady() { return is_steady; }
};
Nanoseconds Machine::moment, Machine::stop, Machine::slow_once;
uint64_t Machine::offset;
double Machine::rate;
bool Machine::is_steady;
std::function<void()> Machine::after_ticks;
int Machine::looks;

using Clock = QuickClock<Machine>;

void start_machine()
{
    Machine::moment = 1000 * kSecond;
    Machine::offset = 12345;
    Machine::rate = 2.6;
    Machine::stop = 0;
    Machine::is_steady = true;
    Machine::looks = 0;
}

/// Asks every `step` for so long; returns how far off the worst answer was.
Nanoseconds worst(Clock &clock, Nanoseconds duration, Nanoseconds step)
{
    Nanoseconds most = 0;
    for (Nanoseconds const end = Machine::moment + duration; Machine::moment < end;) {
        Machine::moment += step;
        most = larger(most, std::abs(clock.now() - Machine::moment));
    }
    return most;
}
} // namespace

TestSuite(base_quick_clock, .init = start_machine);

Test(base_quick_clock, it_looks_once_a_millisecond)
{
    Clock clock;
    check_lt(worst(clock, 10 * kMillisecond, 100), 1000);
    int const before = Machine::looks;
    check_lt(worst(clock, kSecond, 1000), 1000);
    check_lt(Machine::looks - before, 1100);
    check_ge(Machine::looks - before, 900);
}

Test(base_quick_clock, who_looks_a_moment_later_changes_nothing)
{
    Clock clock;
    check_lt(worst(clock, 100 * kMillisecond, 1000), 1000);
    int const before = Machine::looks;
    for (int i = 0; i < 1000; ++i) {
        Machine::after_ticks = [&clock] { clock.now(); }; // another thread, as long as the look
        check_lt(worst(clock, kMillisecond, 1000), 1000);
    }
    check_lt(Machine::looks - before, 2200);
}

Test(base_quick_clock, a_machine_that_has_just_started)
{
    for (Nanoseconds const began : {Nanoseconds{1}, 300 * kMillisecond, 500 * kMillisecond}) {
        Machine::moment = began;
        Machine::offset = uint64_t{13} << 30; // the counter did before
        Clock clock;
        check_lt(worst(clock, 3 * kSecond, 10000), 1000);
    }
}

Test(base_quick_clock, whatever_the_counter_runs_at)
{
    for (double const rate : {0.001, 0.025, 1.0, 4.9, 9.9}) {
        Machine::rate = rate;
        Clock clock;
        auto const tick = static_cast<Nanoseconds>(1 / rate);
        check_lt(worst(clock, 50 * kMillisecond, 1000), 1000 + 2 * tick, "rate %g", rate);
    }
}

Test(base_quick_clock, it_follows_a_counter_that_drifts)
{
    Clock clock;
    for (int i = 0; i < 200; ++i) {
        check_lt(worst(clock, 10 * kMillisecond, 500), 1000);
        double const before = Machine::rate; // the clock is slewed by 500 ppm
        Machine::rate *= i % 2 == 0 ? 1.0005 : 0.9995;
        Machine::offset +=
            static_cast<uint64_t>(double(Machine::moment) * (before - Machine::rate));
    }
}

Test(base_quick_clock, a_counter_that_jumps_is_looked_at_again)
{
    Clock clock;
    check_lt(worst(clock, 10 * kMillisecond, 1000), 1000);
    for (int64_t const jump : {int64_t{1} << 50, -(int64_t{1} << 40), int64_t{30000000}}) {
        Machine::offset += static_cast<uint64_t>(jump);
        check_lt(worst(clock, 10 * kMillisecond, 1000), 1000, "%ld", static_cast<long>(jump));
    }
}

Test(base_quick_clock, an_interrupted_look_teaches_nothing)
{
    Clock clock;
    check_lt(worst(clock, 10 * kMillisecond, 1000), 1000);
    for (int i = 0; i < 50; ++i) {
        Machine::stop = kMillisecond;
        Machine::moment += 2 * kMillisecond; // so that it looks
        Nanoseconds const before = Machine::moment;
        Nanoseconds const seen = clock.now();
        check_ge(seen, before);
        check_lt(seen, Machine::moment);
        Machine::stop = 0;
        check_lt(worst(clock, 3 * kMillisecond, 1000), 1000);
    }
}

Test(base_quick_clock, after_a_long_rest_it_learns_anew)
{
    Clock clock;
    check_lt(worst(clock, 10 * kMillisecond, 1000), 1000);
    for (Nanoseconds const rest :
         {500 * kMillisecond, 2 * kSecond, 6 * kSecond, 100000 * kSecond}) {
        Machine::moment += rest;
        check_lt(worst(clock, 10 * kMillisecond, 1000), 1000);
    }
}

Test(base_quick_clock, who_asks_seldom_looks_cold_and_is_no_reason_to_give_up)
{
    Clock clock;
    check_lt(worst(clock, 10 * kMillisecond, 1000), 1000);
    for (int i = 0; i < 1000; ++i) { // the first look of each is slow, the next one not
        Machine::moment += 10 * kMillisecond;
        Machine::slow_once = 5 * kMicrosecond;
        clock.now();
    }
    int const before = Machine::looks;
    check_lt(worst(clock, 10 * kMillisecond, 1000), 1000);
    check_lt(Machine::looks - before, 200);
}

Test(base_quick_clock, a_machine_that_becomes_slower_is_learnt)
{
    Clock clock;
    check_lt(worst(clock, 10 * kMillisecond, 1000), 1000);
    Machine::stop = 300; // each look takes as long, from now on
    check_lt(worst(clock, 300 * kMillisecond, 1000), 1000);
    int const before = Machine::looks;
    check_lt(worst(clock, 100 * kMillisecond, 1000), 1000);
    check_lt(Machine::looks - before, 200);
}

/// One of a row was quick: the next row is measured by itself.
Test(base_quick_clock, a_lucky_look_counts_for_one_row)
{
    Machine::rate = 2; // a look takes 50 ticks, at most 1000 are of use
    Clock clock;
    check_lt(worst(clock, 10 * kMillisecond, 1000), 1000);
    Machine::stop = 300;
    for (int i = 0; i < 99; ++i) {
        Machine::moment += 2 * kMillisecond; // so that it looks
        clock.now();
    }
    Machine::stop = 85; // 220 ticks: quicker than the others, not as quick as before
    Machine::moment += 2 * kMillisecond;
    clock.now();
    Machine::stop = 450; // 950: more than four times that, for ever
    check_lt(worst(clock, 300 * kMillisecond, 1000), 1000);
    int const before = Machine::looks;
    check_lt(worst(clock, 100 * kMillisecond, 1000), 1000);
    check_lt(Machine::looks - before, 200);
}

Test(base_quick_clock, an_uneven_counter_is_not_used)
{
    Machine::is_steady = false;
    Clock clock;
    for (int i = 0; i < 1000; ++i) {
        Nanoseconds const seen = clock.now();
        check_eq(seen, Machine::moment - 10);
        Machine::moment += kMicrosecond;
        Machine::rate *= 1.01;
    }
    check_eq(Machine::looks, 1000);
}

Test(base_quick_clock, a_counter_that_is_slow_to_read_is_not_used)
{
    Machine::stop = 2 * kMicrosecond;
    Clock clock;
    check_lt(worst(clock, 10 * kMillisecond, 10000), 5 * kMicrosecond);
    int const before = Machine::looks;
    check_lt(worst(clock, 10 * kMillisecond, 10000), 5 * kMicrosecond);
    check_ge(Machine::looks - before, 800); // each time
}

/// Ticks that are the clock itself, so that each answer is right to the tick. A look holds for a
/// moment only: a reader who mixed two of them would be off by that moment.
struct Even {
    static uint64_t ticks() { return static_cast<uint64_t>(monotonic_now()) + 12345; }
    static Nanoseconds exact() { return monotonic_now(); }
    static bool steady() { return true; }
};

Test(base_quick_clock, nobody_mixes_two_looks)
{
    static QuickClock<Even, 10 * kMicrosecond> clock;
    std::atomic<int> mixed{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t)
        threads.emplace_back([&mixed] {
            for (int i = 0; i < 1000000; ++i) {
                Nanoseconds const before = monotonic_now();
                Nanoseconds const seen = clock.now();
                Nanoseconds const after = monotonic_now();
                mixed += seen < before - kMicrosecond || seen > after + kMicrosecond;
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    check_eq(mixed.load(), 0);
}

/// The real one. The machine may stand still between two looks, so the best of many counts.
Test(base_quick_clock, on_this_machine_it_is_the_clock)
{
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t)
        threads.emplace_back([] {
            int outside = 0;
            for (int i = 0; i < 300000; ++i) {
                Nanoseconds const before = monotonic_now();
                Nanoseconds const seen = quick_now();
                Nanoseconds const after = monotonic_now();
                outside += seen < before - kMicrosecond || seen > after + kMicrosecond;
            }
            check_lt(outside, 300);
        });
    for (std::thread &thread : threads)
        thread.join();
}
