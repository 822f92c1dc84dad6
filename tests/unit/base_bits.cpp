// SPDX-License-Identifier: MIT OR Apache-2.0
// Scans and rounding against the plainest code that does the same; undo and results.
#include "core/base/bits.hpp"
#include "core/base/error.hpp"
#include "tests/unit/support.hpp"

using namespace unit;

Test(base_bits, scans_find_the_highest_and_the_lowest_bit)
{
    Random random(1);
    for (unsigned i = 0; i < 64; ++i)
        for (int round = 0; round < 20; ++round) {
            uint64_t const below = i == 0 ? 0 : random.next() & (weir::bit(i) - 1);
            check_eq(weir::floor_log2(weir::bit(i) | below), i);
            uint64_t const above = i == 63 ? 0 : random.next() << (i + 1);
            check_eq(weir::lowest_bit(weir::bit(i) | above), i);
        }
}

Test(base_bits, powers_of_two_are_told_from_other_numbers)
{
    cr_assert(!weir::is_power_of_two(0));
    for (unsigned i = 0; i < 64; ++i) {
        cr_assert(weir::is_power_of_two(weir::bit(i)));
        if (i > 1) {
            cr_assert(!weir::is_power_of_two(weir::bit(i) - 1));
            cr_assert(!weir::is_power_of_two(weir::bit(i) + 1));
        }
    }
}

Test(base_bits, rounding_gives_the_nearest_multiple)
{
    Random random(2);
    for (int i = 0; i < 10000; ++i) {
        uint64_t const to = weir::bit(static_cast<unsigned>(random.below(40)));
        uint64_t const value = random.next() >> (2 + random.below(60));
        uint64_t const up = weir::round_up(value, to);
        uint64_t const down = weir::round_down(value, to);
        check_eq(up % to, 0);
        check_eq(down % to, 0);
        cr_assert(down <= value && value <= up && up - down <= to);
        check_eq(up == down, value % to == 0);
        check_eq(weir::div_up(value, to), up / to);
    }
}

Test(base_error, undo_runs_unless_cancelled)
{
    int runs = 0;
    {
        weir::Undo undo([&] { ++runs; });
        check_eq(runs, 0);
    }
    check_eq(runs, 1);
    {
        weir::Undo undo([&] { ++runs; });
        undo.cancel();
    }
    check_eq(runs, 1);
}

Test(base_error, results_carry_a_value_or_a_code)
{
    weir::Result<int> const good = 7;
    weir::Result<int> const bad = weir::error(ENOENT);
    cr_assert(good.ok() && *good == 7 && good.status().code == 0);
    cr_assert(!bad.ok() && bad.status().code == -ENOENT);
    cr_assert(weir::Status{3}.ok()); // a count
    auto const passed_on = [&]() -> weir::Status {
        WEIR_TRY(good);
        WEIR_TRY(bad);
        return weir::kOk;
    };
    check_eq(passed_on().code, -ENOENT);
}
