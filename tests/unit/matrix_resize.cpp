// SPDX-License-Identifier: MIT OR Apache-2.0
// Blocks that change their size: what a death leaves at each step, by both policies; and aligned
// blocks, whose trims all come back.
#include "tests/unit/matrix_support.hpp"

#include <algorithm>
#include <cstring>

using namespace unit;

namespace {
/// The words of a sector, written one at a time.
struct Steps {
    atomic<BlockWord> *words;
    Owner me;
    unsigned left; ///< how many are carried out

    BlockWord load(Granule at) const { return words[at].load(seq_cst); }
    void write(Granule at, BlockWord word)
    {
        if (left == 0)
            return;
        --left;
        words[at].store(word, seq_cst);
    }
    /// The second half of both: cuts the block at `head`, RESIZING and `all` long (resize.cpp).
    void cut(Granule head, Granules all, Granules length)
    {
        Granule const rest = head + length, last = head + all - 1;
        if (length < all) {
            if (all - length > 1)
                write(last, load(last).as_tail(all - length));
            write(rest, load(rest).as_claimed(me, all - length));
        }
        if (length > 1)
            write(rest - 1, load(rest - 1).as_tail(length));
        write(head, load(head).as_settled(length));
    }
    void begin(Granule head, Granules length)
    {
        write(head, load(head).with_owner(me).as_resizing(length));
    }
};

/// From `from` to `to` granules; the FREE block on the right has `right`. Returns whether all steps
/// were carried out.
bool resize_until(Steps &steps, Granule head, Granules from, Granules right, Granules to)
{
    steps.begin(head, from);
    Granules all = from;
    if (to > from) {
        Granule const next = head + from;
        steps.write(next, steps.load(next).as_claimed(steps.me, right));
        steps.write(head, steps.load(head).as_resizing(from + right));
        if (right > 1)
            steps.write(next, steps.load(next).as_interior());
        all = from + right;
    }
    steps.cut(head, all, to);
    return steps.left > 0;
}

struct Change {
    Granules from, right, to;
};
constexpr Change kChanges[] = {{2, 4, 4}, {2, 4, 6}, {1, 1, 2}, {1, 5, 2}, {3, 2, 4},
                               {4, 3, 2}, {4, 3, 1}, {2, 1, 1}, {5, 2, 4}};

/// Dies after `steps` steps. True if there were more.
bool die_in_resize(bool keep, Change const &change, unsigned steps)
{
    MatrixOptions options = options_for(64 * kKiB);
    options.geometry.keep_blocks = keep;
    Handle const matrix = make_matrix(options);
    Ref const wall = alloc(*matrix, 64).ref;
    Ref const right = alloc(*matrix, change.right * 64).ref;
    Allocation const block = alloc(*matrix, change.from * 64);
    Ref const left = alloc(*matrix, 64).ref;
    std::memset(block.data, 0x5a, change.from * 64);
    free_block(*matrix, right);
    uint64_t const before = change.from * 64;
    int const child = in_child([&] {
        if (!matrix->participant_id().ok())
            return 2;
        Steps doing{words_of(*matrix, kSmall), matrix->me().owner, steps};
        return resize_until(doing, granule_of(*matrix, block.ref), change.from, change.right,
                            change.to)
                   ? 1
                   : 0;
    });
    check_lt(child, 2);
    HealReport report;
    check_eq(matrix->heal(report).code, 0);
    check_eq(report.participants, 1);
    assert_sound(*matrix);
    auto const found = matrix->data(block.ref); // the same ref
    check_eq(found.ok(), keep, "%u -> %u, step %u", change.from, change.to, steps);
    if (keep) {
        check_eq(report.blocks_kept, 1);
        check_ge(found->size, std::min<uint64_t>(change.from, change.to) * 64);
        auto const *const bytes = static_cast<unsigned char const *>(found->data);
        for (uint64_t i = 0; i < std::min(before, found->size); ++i)
            check_eq(bytes[i], 0x5a);
        check_eq(*matrix->owner(block.ref), 0);
        check_eq(matrix->resize(block.ref, 64).code, -EPERM);
        check_eq(matrix->take(block.ref).code, 0);
        check_eq(matrix->resize(block.ref, 64).code, 0);
        free_block(*matrix, block.ref);
    } else {
        check_eq(report.blocks_reclaimed, 1);
    }
    free_block(*matrix, wall);
    free_block(*matrix, left);
    assert_all_free(*matrix);
    return child == 0;
}
} // namespace

Test(matrix_resize, death_at_each_step, .timeout = 120)
{
    for (bool const keep : {false, true})
        for (Change const &change : kChanges) {
            unsigned steps = 1;
            while (die_in_resize(keep, change, steps))
                ++steps;
            check_ge(steps, 3);
        }
}

Test(matrix_resize, a_word_keeps_what_is_the_users)
{
    BlockWord const word = BlockWord::of(Kind::allocated, 200, 1023, 16383, 77);
    check_eq(word.as_resizing(5).raw, BlockWord::of(Kind::resizing, 200, 1023, 16383, 5).raw);
    check_eq(word.as_resizing(5).as_settled(9).raw,
             BlockWord::of(Kind::allocated, 200, 1023, 16383, 9).raw);
}

/// What a sector has not got yet cannot be grown into; what is committed later can.
Test(matrix_resize, the_end_of_the_sector_is_the_end)
{
    Handle const matrix = make_matrix(2 * kMiB);
    Ref const block = alloc(*matrix, 600 * kKiB).ref; // alone, from the right end of its sector
    uint64_t const size = matrix->data(block)->size;
    check_eq(matrix->resize(block, size + 1).code, -ENOSPC);
    for (uint64_t const bad : {uint64_t{0}, 2 * kMiB + 1, UINT64_MAX, UINT64_MAX - 63})
        check_eq(matrix->resize(block, bad).code, -EINVAL);
    check_eq(matrix->data(block)->size, size);
    free_block(*matrix, block);
    assert_all_free(*matrix);
}

// ---- alignment

namespace {
struct Aligned {
    uint64_t size;
    unsigned home;
};
constexpr Aligned kSizes[] = {{1, kSmall},        {640, kSmall},         {1024, kSmall},
                              {5000, kMedium},    {300 * kKiB, kMedium}, {kMiB, kMedium},
                              {kMiB + 1, kLarge}, {3 * kMiB + 5, kLarge}};
} // namespace

/// Between neighbours, in every sector, and all of it is one free block again in the end.
Test(matrix_alignment, every_sector_every_alignment_between_neighbours, .timeout = 120)
{
    for (uint64_t alignment = 1; alignment <= 2 * kMiB; alignment *= 2)
        for (Aligned const &what : kSizes) {
            Handle const matrix = make_matrix(64 * kMiB);
            std::vector<Ref> blocks;
            for (unsigned i = 0; i < 4; ++i) {
                blocks.push_back(
                    alloc(*matrix, what.size).ref); // so that nothing is aligned by itself
                Allocation made;
                check_eq(matrix->alloc({what.size, alignment, true, 0}, made).code, 0);
                check_eq(reinterpret_cast<uintptr_t>(made.data) % alignment, 0);
                check_eq(offset_of(made.ref) % alignment, 0, "in every mapping");
                check_eq(sector_of(*matrix, made.ref), what.home);
                std::memset(made.data, 0xff, what.size);
                blocks.push_back(made.ref);
            }
            assert_sound(*matrix);
            Random random(alignment + what.size);
            while (!blocks.empty()) {
                std::swap(blocks[random.below(blocks.size())], blocks.back());
                free_block(*matrix, blocks.back());
                blocks.pop_back();
            }
            assert_all_free(*matrix);
        }
}

/// What an aligned block leaves on both sides serves others, to the last byte.
Test(matrix_alignment, trims_are_used_and_come_back)
{
    MatrixOptions options = options_for(8 * kMiB);
    options.geometry.isolate = true;
    for (uint64_t const alignment : {uint64_t{4096}, 64 * kKiB, kMiB}) {
        Handle const matrix = make_matrix(options);
        Ref const first = alloc(*matrix, 300).ref; // granule 0 would have every alignment
        Allocation made;
        check_eq(matrix->alloc({300, alignment, false, 0}, made).code, 0);
        MatrixStats stats;
        check_eq(matrix->stats(stats).code, 0);
        uint64_t const committed = stats.sector_committed[kSmall];
        std::vector<Ref> blocks{first, made.ref};
        while (stats.sector_free[kSmall] != 0) {
            blocks.push_back(alloc(*matrix, 64).ref);
            check_eq(matrix->stats(stats).code, 0);
        }
        check_eq(stats.sector_committed[kSmall], committed, "the trims were there to be used");
        check_eq(stats.sector_used[kSmall], committed);
        for (size_t i = 0; i < blocks.size(); i += 2)
            free_block(*matrix, blocks[i]);
        assert_sound(*matrix);
        for (size_t i = 1; i < blocks.size(); i += 2)
            free_block(*matrix, blocks[i]);
        assert_all_free(*matrix);
    }
}

/// A full sector: the alignment decides what fits.
Test(matrix_alignment, out_of_memory_is_exact_for_aligned_requests)
{
    MatrixOptions options = options_for(4 * kMiB);
    options.geometry.limit[kSmall] = options.geometry.limit[kMedium] = kGrowthUnit;
    Handle const matrix = make_matrix(options);
    std::vector<Ref> blocks;
    Allocation made;
    while (matrix->alloc({kMiB + 1, 2 * kMiB, false, 0}, made).ok()) {
        check_eq(offset_of(made.ref) % (2 * kMiB), 0);
        blocks.push_back(made.ref);
    }
    check_ge(blocks.size(), 1);
    check_eq(matrix->alloc({kMiB + 1, 2 * kMiB, false, 0}, made).code, -ENOMEM);
    while (matrix->alloc(64 * kKiB, made).ok()) // between them is room for smaller ones
        blocks.push_back(made.ref);
    check_ge(blocks.size(), 10);
    for (Ref const block : blocks)
        free_block(*matrix, block);
    assert_all_free(*matrix);
}
