// SPDX-License-Identifier: MIT OR Apache-2.0
// Whose turn it is on the shared path; time is a count of windows.
#include "core/matrix/turns.hpp"
#include "tests/unit/support.hpp"

using namespace unit;
using namespace weir;

namespace {
constexpr uint64_t kLater = 10000;

int meetings_until_wait(Turns &turns, uint64_t from, uint64_t apart)
{
    for (int i = 1; i <= 100; ++i, from += apart) {
        turns.meet(from);
        if (turns.is_others(from))
            return i;
    }
    return 0;
}
} // namespace

Test(matrix_turns, meetings_in_a_row_make_one_wait)
{
    Turns turns{};
    check_eq(meetings_until_wait(turns, kLater, 1), 3);
}

Test(matrix_turns, many_looks_are_one_meeting)
{
    Turns turns{};
    check_eq(meetings_until_wait(turns, kLater, 0), 0);
}

Test(matrix_turns, now_and_then_is_no_reason)
{
    Turns turns{};
    check_eq(meetings_until_wait(turns, kLater, 24), 0);
    check_ne(meetings_until_wait(turns, 2 * kLater, 2), 0);
}

Test(matrix_turns, who_has_just_waited_has_his_turn)
{
    Turns turns{};
    check_eq(meetings_until_wait(turns, kLater - 2, 1), 3);
    turns.end(kLater);
    cr_assert(!turns.is_others(kLater));
    uint64_t now = kLater + 1;
    for (; now < kLater + 64; ++now) {
        turns.meet(now);
        cr_assert(!turns.is_others(now)); // he stays, however often he meets somebody
    }
    turns.meet(now);
    cr_assert(turns.is_others(now));
}

Test(matrix_turns, what_was_long_ago_is_forgotten)
{
    Turns turns{};
    check_eq(meetings_until_wait(turns, kLater, 1), 3);
    cr_assert(!turns.is_others(kLater + 100));
    check_eq(meetings_until_wait(turns, kLater + 100, 1), 3);
}

Test(matrix_turns, the_same_block_with_others_beside_it)
{
    Turns turns{};
    int fits = 0;
    while (!turns.is_disturbed(7, static_cast<uint64_t>(fits), kLater))
        check_lt(++fits, 100);
    check_eq(fits, 4); // the first has nothing to be compared with
    for (uint64_t i = 0; i < 100; ++i) {
        cr_assert(!turns.is_disturbed(8, 55, kLater));     // nobody changes anything
        cr_assert(!turns.is_disturbed(10 + i, i, kLater)); // another block each time
    }
}

Test(matrix_turns, waits_in_vain_become_rare)
{
    Turns turns{};
    uint64_t now = kLater, beside = 0;
    auto const fits_until_wait = [&] {
        int fits = 0;
        while (!turns.is_disturbed(7, ++beside, now += 100))
            check_lt(++fits, 1 << 20);
        turns.end(now);
        return fits;
    };
    int const first = fits_until_wait();
    int before = first;
    for (int i = 0; i < 6; ++i) {
        turns.note_vain(true);
        int const fits = fits_until_wait();
        check_ge(fits, before + before / 2);
        before = fits;
    }
    turns.note_vain(false);
    check_lt(fits_until_wait(), first + 1);
}
