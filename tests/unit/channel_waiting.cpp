// SPDX-License-Identifier: MIT OR Apache-2.0
// What a handle learns about its waits.
#include "core/channel/waiting_turns.hpp"

#include "tests/unit/support.hpp"

using namespace unit;
using namespace weir;

// A yield that a stranger used is not repeated soon; one that was short makes up for it.
Test(channel_waiting, long_yields_are_left_for_a_while)
{
    YieldBudget yields;
    auto const waits_without = [&] {
        int waits = 0;
        while (!yields.pays())
            ++waits;
        return waits;
    };
    check_eq(waits_without(), 0);
    for (int expected = YieldBudget::kLeast; expected < YieldBudget::kMost; expected *= 2) {
        yields.learn(true);
        check_eq(waits_without(), expected);
    }
    for (int i = 0; i < 3; ++i) {
        yields.learn(true);
        check_eq(waits_without(), YieldBudget::kMost);
    }
    yields.learn(false);
    check_eq(waits_without(), 0);
    yields.learn(true);
    check_eq(waits_without(), YieldBudget::kMost / 2);
}
