// SPDX-License-Identifier: MIT OR Apache-2.0
// The packing of a block's word, and where a need fits into a run.
#include "core/matrix/block_word.hpp"
#include "tests/unit/support.hpp"

using namespace unit;
using namespace weir;

Test(matrix_block_word, fields_do_not_touch_each_other)
{
    Random random(1);
    for (int i = 0; i < 20000; ++i) {
        auto const kind = static_cast<Kind>(random.below(16));
        auto const user = static_cast<uint8_t>(random.next());
        auto const owner = static_cast<Owner>(random.below(kMaxParticipants + 1));
        auto const generation = static_cast<uint32_t>(random.below(BlockWord::kGenerationMask + 1));
        auto const granules = static_cast<Granules>(random.below(BlockWord::kGranulesMask + 1));
        BlockWord const word = BlockWord::of(kind, user, owner, generation, granules);
        cr_assert(word.kind() == kind && word.is(kind));
        check_eq(word.user(), user);
        check_eq(word.owner(), owner);
        check_eq(word.generation(), generation);
        check_eq(word.granules(), granules);
    }
}

Test(matrix_block_word, values_too_large_do_not_spill)
{
    BlockWord const word = BlockWord::of(Kind::free, 0, UINT32_MAX, UINT32_MAX, UINT32_MAX);
    cr_assert(word.is(Kind::free));
    check_eq(word.user(), 0);
    check_eq(word.owner(), 1023);
    check_eq(word.generation(), BlockWord::kGenerationMask);
    check_eq(word.granules(), BlockWord::kGranulesMask);
}

Test(matrix_block_word, the_next_word_keeps_the_generation)
{
    BlockWord const word = BlockWord::of(Kind::allocated, 77, 12, 345, 6);
    BlockWord const next[] = {word.as_interior(),    word.as_tail(9),    word.as_free(9),
                              word.as_claimed(5, 9), word.with_owner(3), word.with_user(200)};
    for (BlockWord const &each : next)
        check_eq(each.generation(), 345);
    cr_assert(word.as_interior().is(Kind::interior) && word.as_interior().granules() == 0);
    cr_assert(word.as_tail(9).is(Kind::tail) && word.as_tail(9).granules() == 9);
    cr_assert(word.as_free(9).is(Kind::free) && word.as_free(9).owner() == kNobody);
    cr_assert(word.as_claimed(5, 9).is(Kind::claimed) && word.as_claimed(5, 9).owner() == 5);
    check_eq(word.as_free(9).user(), 0);
    cr_assert(word.with_owner(3) == BlockWord::of(Kind::allocated, 77, 3, 345, 6));
    cr_assert(word.with_user(200) == BlockWord::of(Kind::allocated, 200, 12, 345, 6));
}

Test(matrix_block_word, a_new_block_is_a_new_generation)
{
    BlockWord word{0};
    for (uint32_t life = 1; life <= BlockWord::kGenerationMask; ++life) {
        word = word.as_claimed(1, 3).as_allocated(2, 50, 3);
        check_eq(word.generation(), life);
    }
    word = word.as_allocated(2, 50, 3);
    check_eq(word.generation(), 0);
    cr_assert(word.is(Kind::allocated) && word.owner() == 2 && word.user() == 50);
}

Test(matrix_block_word, kinds_are_told_apart)
{
    for (unsigned kind = 0; kind < 16; ++kind) {
        BlockWord const word = BlockWord::of(static_cast<Kind>(kind), 0, 0, 0, 1);
        check_eq(word.is_head(), kind >= 2 && kind <= 7);
        check_eq(word.is_users(), kind == 4 || kind == 6);
    }
    cr_assert(BlockWord{0}.is(Kind::interior), "a page of zeros is valid");
}

Test(matrix_need, fits_wherever_an_aligned_place_is)
{
    for (Granules align = 1; align <= 16; align *= 2)
        for (Granules length = 1; length <= 12; ++length)
            for (Granule head = 0; head < 20; ++head)
                for (Granules run = 1; run <= 30; ++run) {
                    Need const need{length, align};
                    bool possible = false;
                    for (Granule at = head; at + length <= head + run; ++at)
                        possible = possible || at % align == 0;
                    Granule start = 0;
                    check_eq(need.place_in({head, run}, start), possible);
                    if (possible)
                        cr_assert(start % align == 0 && start >= head &&
                                  start + length <= head + run);
                    cr_assert(possible || run < need.worst(), "worst() fits anywhere");
                }
}
