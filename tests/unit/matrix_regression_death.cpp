// SPDX-License-Identifier: MIT OR Apache-2.0
// The flaws of an earlier design that a death brings out, each by its name. What a dead process
// leaves behind is written word by word by a child, which then ends without cleaning up.
#include "tests/unit/matrix_support.hpp"

#include "core/base/clock.hpp"

#include <dirent.h>

#include <cstring>
#include <thread>
#include <vector>

using namespace unit;

namespace {
bool shared_memory_has(std::string const &part)
{
    DIR *const folder = opendir("/dev/shm");
    bool found = false;
    while (dirent const *const entry = readdir(folder))
        found = found || std::strstr(entry->d_name, part.c_str()) != nullptr;
    closedir(folder);
    return found;
}

/// The steps of a merge of the block at `head` with its free right neighbour (rules.md M2, M3).
/// Carries out the first `steps` of them.
void merge_until(Matrix &matrix, Granule head, Owner me, unsigned steps)
{
    atomic<BlockWord> *const words = words_of(matrix, kSmall);
    auto const load = [&](Granule at) { return words[at].load(seq_cst); };
    Granules const mine = load(head).granules();
    Granule const right = head + mine;
    Granules const its = load(right).granules();
    Granule const last = right + its - 1;
    unsigned step = 0;
    if (step++ < steps)
        words[head].store(load(head).as_claimed(me, mine), seq_cst);
    if (step++ < steps)
        words[right].store(load(right).as_claimed(me, its), seq_cst);
    if (step++ < steps)
        words[head].store(load(head).as_claimed(me, mine + its), seq_cst);
    if (step++ < steps && right != last)
        words[right].store(load(right).as_interior(), seq_cst);
    if (step++ < steps)
        words[last].store(load(last).as_tail(mine + its), seq_cst);
    if (step++ < steps)
        words[head].store(load(head).as_free(mine + its), seq_cst); // and no hints
}
constexpr unsigned kMergeSteps = 6;

/// Those of a split of the block at `head`, which is ALLOCATED, after `cut` granules.
void split_until(Matrix &matrix, Granule head, Granules cut, Owner me, unsigned steps)
{
    atomic<BlockWord> *const words = words_of(matrix, kSmall);
    auto const load = [&](Granule at) { return words[at].load(seq_cst); };
    Granules const all = load(head).granules();
    Granule const last = head + all - 1;
    unsigned step = 0;
    if (step++ < steps)
        words[head].store(load(head).as_claimed(me, all), seq_cst);
    if (step++ < steps && all - cut > 1)
        words[last].store(load(last).as_tail(all - cut), seq_cst);
    if (step++ < steps)
        words[head + cut].store(load(head + cut).as_claimed(me, all - cut), seq_cst);
    if (step++ < steps)
        words[head].store(load(head).as_claimed(me, cut), seq_cst);
    if (step++ < steps && cut > 1)
        words[head + cut - 1].store(load(head + cut - 1).as_tail(cut), seq_cst);
    if (step++ < steps)
        words[head].store(load(head).as_free(cut), seq_cst); // and no hints
}
constexpr unsigned kSplitSteps = 6;

struct Shape {
    Granules left, right;
};
constexpr Shape kShapes[] = {{1, 1}, {1, 5}, {5, 1}, {4, 4}, {2, 9}};
} // namespace

Test(matrix_regression, death_in_mid_merge, .timeout = 60)
{
    for (Shape const shape : kShapes)
        for (unsigned steps = 0; steps <= kMergeSteps; ++steps) {
            Handle const matrix = make_matrix(64 * kKiB);
            alloc(*matrix, 64);
            Ref const right = alloc(*matrix, shape.right * 64).ref;
            Ref const left = alloc(*matrix, shape.left * 64).ref; // cut from the right end
            Ref const wall = alloc(*matrix, 64).ref;
            check_eq(offset_of(left) + shape.left * 64, offset_of(right));
            free_block(*matrix, right);
            int const child = in_child([&] {
                if (!matrix->participant_id().ok())
                    return 1;
                merge_until(*matrix, granule_of(*matrix, left), matrix->me().owner, steps);
                return 0;
            });
            check_eq(child, 0);
            HealReport report;
            check_eq(matrix->heal(report).code, 0);
            check_eq(report.participants, 1);
            assert_sound(*matrix);
            if (steps == 0)
                free_block(*matrix, left); // nothing had happened: still ours
            free_block(*matrix, wall);
            assert_sound(*matrix);
            MatrixStats stats;
            check_eq(matrix->stats(stats).code, 0);
            check_eq(stats.used_bytes, 64, "left %u right %u step %u", shape.left, shape.right,
                     steps);
            check_eq(stats.free_bytes, 64 * kKiB - 64);
        }
}

/// Published beside a free neighbour, then died before the second look at it.
Test(matrix_regression, death_before_the_second_look)
{
    for (Shape const shape : kShapes) {
        Handle const matrix = make_matrix(64 * kKiB);
        Ref const right = alloc(*matrix, shape.right * 64).ref;
        Ref const left = alloc(*matrix, shape.left * 64).ref;
        alloc(*matrix, 64);
        free_block(*matrix, right);
        check_eq(in_child([&] {
                     if (!matrix->participant_id().ok())
                         return 1;
                     atomic<BlockWord> &word = words_of(*matrix, kSmall)[granule_of(*matrix, left)];
                     word.store(word.load(seq_cst).as_free(shape.left), seq_cst);
                     return 0;
                 }),
                 0);
        HealReport report;
        check_eq(matrix->heal(report).code, 0);
        assert_sound(*matrix);
        for (BlockInfo const &info : free_blocks_of(*matrix, kSmall))
            if (info.offset == offset_of(left))
                check_eq(info.length, (shape.left + shape.right) * 64);
    }
}

Test(matrix_regression, death_in_mid_split, .timeout = 60)
{
    for (Shape const shape : kShapes)
        for (unsigned steps = 0; steps <= kSplitSteps; ++steps) {
            Handle const matrix = make_matrix(64 * kKiB);
            Ref const block = alloc(*matrix, (shape.left + shape.right) * 64).ref;
            int const child = in_child([&] {
                if (!matrix->participant_id().ok())
                    return 1;
                split_until(*matrix, granule_of(*matrix, block), shape.left, matrix->me().owner,
                            steps);
                return 0;
            });
            check_eq(child, 0);
            HealReport report;
            check_eq(matrix->heal(report).code, 0);
            if (steps == 0)
                free_block(*matrix, block);
            assert_all_free(*matrix);
        }
}

/// Without an explicit heal: who needs the memory finds the dead one.
Test(matrix_regression, shortage_heals_the_dead)
{
    Handle const matrix = make_matrix(64 * kKiB);
    int const child = in_child([&] {
        Allocation made;
        int count = 0;
        while (matrix->alloc(1024, made).ok())
            ++count;
        return count;
    });
    check_eq(child, 64);
    for (int i = 0; i < 64; ++i)
        alloc(*matrix, 1024);
    Allocation made;
    check_eq(matrix->alloc(64, made).code, -ENOMEM);
}

Test(matrix_regression, dead_creator_does_not_hang_attach, .timeout = 60)
{
    std::string const name = unique_name("dead-creator");
    Random random(3);
    for (int round = 0; round < 40; ++round) {
        pid_t const creator = fork();
        if (creator == 0) {
            for (;;) { // is killed somewhere in here
                auto const made = Matrix::create(name.c_str(), options_for(kMiB));
                if (made.ok())
                    (*made)->unref();
                static_cast<void>(Matrix::unlink(name.c_str()));
            }
        }
        sleep_for(static_cast<Nanoseconds>(random.below(3000)) * kMicrosecond);
        kill(creator, SIGKILL);
        waitpid(creator, nullptr, 0);

        Nanoseconds const began = monotonic_now();
        Handle opened(Matrix::open(name.c_str(), options_for(kMiB)));
        check_eq(opened.code(), 0);
        check_lt(monotonic_now() - began, kSecond);
        free_block(*opened, alloc(*opened, 5000).ref);
        assert_all_free(*opened);
        check_eq(opened->retire().code, 0);
        opened.close();
        cr_assert(!shared_memory_has(name), "a file was left behind");
    }
}

/// The creator dies after others could find the name, with blocks and the tickets in hand.
Test(matrix_regression, dead_creator_leaves_a_usable_matrix)
{
    std::string const name = unique_name("dead-maker");
    int const child = in_child([&] {
        auto const made = Matrix::create(name.c_str(), options_for(kMiB));
        if (!made.ok())
            return 1;
        Allocation block;
        for (int i = 0; i < 100; ++i)
            if (!(*made)->alloc(2000, block).ok())
                return 2;
        Header &header = (*made)->segment().header();
        if (!(*made)->take_ticket(header.growth).ok() ||
            !(*made)->take_ticket(header.directory).ok())
            return 3;
        return 0;
    });
    check_eq(child, 0);
    Handle const opened(Matrix::attach(name.c_str(), options_for(kMiB)));
    check_eq(opened.code(), 0);
    assert_all_free(*opened);
    Ref const large = alloc(*opened, 700 * kKiB).ref; // grows: the ticket is back
    check_eq(opened->bind("large", large).code, 0);
    check_eq(opened->unbind("large")->value, large.value);
    free_block(*opened, large);
    check_eq(opened->retire().code, 0);
}

/// A dead process's blocks go by policy: here they are kept, for nobody.
Test(matrix_regression, kept_blocks_survive_their_maker)
{
    MatrixOptions options = options_for(kMiB);
    options.geometry.keep_blocks = true;
    Handle const matrix = make_matrix(options);
    Ref const given = alloc(*matrix, 64).ref;
    check_eq(matrix->give(given, 0).code, 0);
    int const child = in_child([&] {
        Allocation made;
        if (!matrix->take(given).ok() || !matrix->alloc(64, made).ok())
            return 1;
        std::memset(made.data, 0x5a, 64);
        return matrix->bind("kept", made.ref).ok() && matrix->take(made.ref).ok() ? 0 : 2;
    });
    check_eq(child, 0);
    HealReport report;
    check_eq(matrix->heal(report).code, 0);
    check_eq(report.blocks_kept, 2);
    auto const kept = matrix->lookup("kept");
    check_eq(kept.status().code, 0);
    auto const extent = matrix->data(*kept);
    check_eq(static_cast<uint8_t *>(extent->data)[63], 0x5a);
    check_eq(*matrix->owner(*kept), 0);
    check_eq(matrix->take(given).code, 0);
    assert_sound(*matrix);
}

/// Healing must not go back to the sector's start for each block that it merges: then its hops, which
/// are bounded, are used up before the last block.
Test(matrix_regression, all_blocks_of_a_dead_process_come_back)
{
    MatrixOptions options = options_for(16 * kMiB);
    options.lanes = true;
    Handle const matrix = make_matrix(options);
    int const child = in_child([&] {
        for (int i = 0; i < 60000; ++i) {
            Allocation made;
            if (!matrix->alloc(i % 7 == 0 ? 300 : 64, made).ok())
                return 1;
            if (i % 3 == 0 && !matrix->give(made.ref, 0).ok())
                return 2;
        }
        return 0;
    });
    check_eq(child, 0);
    HealReport report;
    check_eq(matrix->heal(report).code, 0);
    check_eq(report.blocks_reclaimed, 40000);
    CheckReport found;
    check_eq(matrix->check(false, found).code, 0);
    check_eq(found.used_blocks, 20000); // nobody's, between those that came back
}

/// The same for who takes CACHED blocks because memory is short.
Test(matrix_regression, all_cached_blocks_can_be_had)
{
    MatrixOptions options = options_for(4 * kMiB);
    options.lanes = true;
    Handle const matrix = make_matrix(options);
    std::vector<Ref> refs;
    for (int i = 0; i < 4000; ++i)
        refs.push_back(alloc(*matrix, 64 * (1 + i % 16)).ref);
    for (Ref const ref : refs)
        free_block(*matrix, ref);
    MatrixStats stats;
    check_eq(matrix->stats(stats).code, 0);
    check_ne(stats.cached_bytes, 0);
    check_eq(stats.used_bytes, 0);
    Ref const whole = alloc(*matrix, 4 * kMiB - stats.sector_committed[kSmall]).ref;
    Ref const rest = alloc(*matrix, stats.sector_committed[kSmall]).ref;
    free_block(*matrix, whole);
    free_block(*matrix, rest);
    assert_all_free(*matrix);
}

/// A block can name an id that belongs to nobody: it was given to somebody who was healed at that
/// moment, and the giver died before he took it back. The next healer of anybody gives it back, and
/// touches nothing else.
Test(matrix_regression, a_block_of_an_id_that_left_comes_back)
{
    for (bool const keep : {false, true}) {
        MatrixOptions options = options_for(kMiB, 8);
        options.geometry.keep_blocks = keep;
        Handle const matrix = make_matrix(options);
        Handle const other = second_handle(*matrix);
        Owner const self = matrix->me().owner;
        Owner const left = 7;
        check_eq(static_cast<int>(matrix->people().word_of(left).state()),
                 static_cast<int>(SlotState::free));
        // Side by side, and each of another owner; 999 is beyond the participants of this matrix.
        Owner const owners[] = {self, left, other->me().owner, kNobody, left, 999, self};
        std::vector<Ref> blocks;
        for (Owner const owner : owners) {
            blocks.push_back(alloc(*matrix, 64).ref);
            auto &word = words_of(*matrix, kSmall)[granule_of(*matrix, blocks.back())];
            word.store(word.load(seq_cst).with_owner(owner), seq_cst);
        }
        check_eq(in_child([&] { return matrix->participant_id().ok() ? 0 : 1; }), 0); // he dies
        HealReport report;
        check_eq(matrix->heal(report).code, 0);
        check_eq(report.participants, 1);
        check_eq(report.blocks_reclaimed, keep ? 0 : 2);
        check_eq(report.blocks_kept, keep ? 2 : 0);
        for (size_t i = 0; i < blocks.size(); ++i) {
            BlockWord const word =
                words_of(*matrix, kSmall)[granule_of(*matrix, blocks[i])].load(seq_cst);
            bool const was_left = owners[i] == left;
            check_eq(word.is(Kind::allocated), !was_left || keep, "block %zu", i);
            if (word.is(Kind::allocated))
                check_eq(word.owner(), was_left ? kNobody : owners[i], "block %zu", i);
        }
        assert_sound(*matrix);
    }
}
