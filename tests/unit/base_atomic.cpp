// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/base/atomic.hpp"

#include <criterion/criterion.h>

#include <cstdint>

using namespace weir;

TestSuite(base_atomic);

// The constant is seen by the compiler, so that the sum may be one instruction beside memory.
Test(base_atomic, a_constant_is_added_to_all_of_a_word)
{
    static atomic<uint64_t> word;
    word.store(UINT32_MAX, relaxed);
    word.add_alone(1, relaxed);
    cr_assert_eq(word.load(relaxed), uint64_t{UINT32_MAX} + 1);
    word.add_alone(uint64_t{} - 1, relaxed);
    cr_assert_eq(word.load(relaxed), uint64_t{UINT32_MAX});
}

Test(base_atomic, adding_to_a_short_word_leaves_its_neighbour)
{
    static struct {
        atomic<uint32_t> word;
        atomic<uint32_t> neighbour;
    } pair;
    pair.word.store(UINT32_MAX, relaxed);
    pair.neighbour.store(7, relaxed);
    pair.word.add_alone(1, relaxed);
    cr_assert_eq(pair.word.load(relaxed), 0u);
    cr_assert_eq(pair.neighbour.load(relaxed), 7u);
}
