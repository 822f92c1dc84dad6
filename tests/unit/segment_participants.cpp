// SPDX-License-Identifier: MIT OR Apache-2.0
// Slots: attaching, leaving, taking over from the dead, and who may heal whom.
#include "tests/unit/matrix_support.hpp"

#include "core/base/clock.hpp"

#include <set>

using namespace unit;

namespace {
/// A fork child that attaches anew and dies with its slot LIVE.
void let_one_die(Matrix &matrix, unsigned blocks = 0)
{
    check_eq(in_child([&] {
                 if (!matrix.participant_id().ok())
                     return 1;
                 Allocation made;
                 for (unsigned i = 0; i < blocks; ++i)
                     if (!matrix.alloc(64, made).ok())
                         return 2;
                 return 0;
             }),
             0);
}

unsigned slots_in(Matrix &matrix, SlotState state)
{
    unsigned count = 0;
    for (Owner owner = 1; owner <= matrix.people().count(); ++owner)
        count += matrix.people().word_of(owner).state() == state ? 1 : 0;
    return count;
}
} // namespace

Test(segment_participants, ids_are_unique_and_end_with_the_owner)
{
    Handle const matrix = make_matrix(options_for(kMiB, 20));
    std::set<uint64_t> ids = {*matrix->participant_id()};
    std::vector<Handle> others;
    for (unsigned i = 1; i < 20; ++i) {
        others.push_back(second_handle(*matrix));
        uint64_t const id = *others.back()->participant_id();
        cr_assert(ids.insert(id).second, "twice the same id");
        check_eq(owner_of_id(id), others.back()->me().owner);
        cr_assert(others.back()->me().owner >= 1 && others.back()->me().owner <= 20);
    }
    check_eq(slots_in(*matrix, SlotState::live), 20);
}

Test(segment_participants, a_full_house_of_the_living_is_busy)
{
    Handle const matrix = make_matrix(options_for(kMiB, 2));
    Handle other = second_handle(*matrix);
    uint64_t const first_id = *other->participant_id();
    for (int i = 0; i < 3; ++i) {
        Handle const third(Matrix::attach_fd(matrix->fd(), options_for(kMiB)));
        check_eq(third.code(), -EBUSY);
    }
    check_eq(in_child([&] { return matrix->participant_id().status().code == -EBUSY ? 0 : 1; }), 0);
    other.close();
    Handle const again = second_handle(*matrix);
    check_ne(*again->participant_id(), first_id, "a slot's next holder has another id");
    check_eq(owner_of_id(*again->participant_id()), owner_of_id(first_id));
}

Test(segment_participants, generations_go_up_with_each_holder)
{
    Handle const matrix = make_matrix(options_for(kMiB, 2));
    uint32_t last = 0;
    for (int i = 0; i < 50; ++i) {
        if (i % 2 == 0) {
            Handle const other = second_handle(*matrix);
            uint32_t const now = other->me().generation;
            cr_assert(i == 0 || now > last);
            last = now;
        } else {
            let_one_die(*matrix);
            HealReport report;
            check_eq(matrix->heal(report).code, 0);
            check_eq(report.participants, 1);
        }
    }
    check_eq(slots_in(*matrix, SlotState::free), 1);
}

/// Every slot has a dead holder: who comes takes one over, and heals the others.
Test(segment_participants, the_dead_make_room_when_all_slots_are_taken, .timeout = 30)
{
    constexpr uint32_t kSlots = 6;
    std::string const name = unique_name("all-dead");
    check_eq(in_child([&] { // the maker dies too
                 auto const made = Matrix::create(name.c_str(), options_for(kMiB, kSlots));
                 if (!made.ok())
                     return 1;
                 for (uint32_t i = 1; i < kSlots; ++i) {
                     Allocation block;
                     auto const other = Matrix::attach(name.c_str(), options_for(kMiB));
                     if (!other.ok() || !(*other)->alloc(5000, block).ok())
                         return 2;
                 }
                 return 0;
             }),
             0);
    Handle const heir(Matrix::attach(name.c_str(), options_for(kMiB)));
    check_eq(heir.code(), 0);
    check_eq(slots_in(*heir, SlotState::live), 1);
    check_eq(slots_in(*heir, SlotState::free), kSlots - 1);
    check_ge(heir->me().generation, 2);
    assert_all_free(*heir);
    free_block(*heir, alloc(*heir, 100).ref);
    std::vector<Handle> others; // and all the other slots work again
    for (uint32_t i = 1; i < kSlots; ++i)
        others.push_back(second_handle(*heir));
    cr_assert(heir->people().is_alive(others[0]->me().owner, heir->me()));
    check_eq(heir->retire().code, 0);
}

Test(segment_participants, the_living_are_not_reaped)
{
    Handle const matrix = make_matrix(kMiB);
    Handle const other = second_handle(*matrix);
    Owner const its = other->me().owner;
    cr_assert(matrix->people().is_alive(its, matrix->me()));
    cr_assert(matrix->people().is_alive(matrix->me().owner, matrix->me()));
    cr_assert(!matrix->people().begin_reaping(its, matrix->me()));
    cr_assert(!matrix->heal_dead());
    check_eq(matrix->people().word_of(its).state() == SlotState::live, 1);
    cr_assert(!matrix->people().is_alive(0, matrix->me()));
    cr_assert(!matrix->people().is_alive(matrix->people().count() + 1, matrix->me()));
    cr_assert(!matrix->people().is_alive(UINT32_MAX, matrix->me()));
}

Test(segment_participants, one_reaper_works_at_a_time)
{
    Handle const matrix = make_matrix(kMiB);
    Handle const other = second_handle(*matrix);
    let_one_die(*matrix, 3);
    Owner dead = kNobody;
    for (Owner owner = 1; owner <= matrix->people().count(); ++owner)
        if (matrix->people().word_of(owner).state() == SlotState::live &&
            !matrix->people().is_alive(owner, matrix->me()))
            dead = owner;
    check_ne(dead, kNobody);
    uint32_t const generation = matrix->people().word_of(dead).generation();
    cr_assert(matrix->people().begin_reaping(dead, matrix->me()));
    cr_assert(!other->people().begin_reaping(dead, other->me()));
    cr_assert(other->people().is_being_healed(dead, other->me()));
    cr_assert(!other->heal_dead(), "it has a living reaper");
    matrix->people().finish_reaping(dead, matrix->me());
    cr_assert(matrix->people().word_of(dead).state() == SlotState::free);
    check_eq(matrix->people().word_of(dead).generation(), generation + 1);
}

/// A reaper that dies, in turn, is replaced; and its reaper too.
Test(segment_participants, a_dead_reaper_is_replaced)
{
    Handle const matrix = make_matrix(kMiB);
    let_one_die(*matrix, 3);
    Owner dead = kNobody;
    for (Owner owner = 1; owner <= matrix->people().count(); ++owner)
        if (matrix->people().word_of(owner).state() == SlotState::live &&
            owner != matrix->me().owner)
            dead = owner;
    for (int i = 0; i < 3; ++i)
        check_eq(in_child([&] {
                     return matrix->participant_id().ok() &&
                                    matrix->people().begin_reaping(dead, matrix->me())
                                ? 0
                                : 1;
                 }),
                 0);
    cr_assert(matrix->people().word_of(dead).state() == SlotState::reaping);
    cr_assert(!matrix->people().is_being_healed(dead, matrix->me()));
    HealReport report;
    check_eq(matrix->heal(report).code, 0);
    check_eq(report.participants, 4);
    check_eq(report.blocks_reclaimed, 3);
    check_eq(slots_in(*matrix, SlotState::live), 1);
    check_eq(slots_in(*matrix, SlotState::reaping), 0);
    assert_all_free(*matrix);
}

Test(segment_participants, leaving_gives_blocks_back_by_policy)
{
    for (bool keep : {false, true}) {
        MatrixOptions options = options_for(kMiB);
        options.geometry.keep_blocks = keep;
        Handle const matrix = make_matrix(options);
        Handle other = second_handle(*matrix);
        Allocation const block = alloc(*other, 64);
        uint64_t const id = *other->participant_id();
        other.close();
        check_eq(matrix->data(block.ref).status().code, keep ? 0 : -kStale);
        check_eq(slots_in(*matrix, SlotState::live), 1);
        Ref const own = alloc(*matrix, 64).ref;
        check_eq(matrix->give(own, id).code, -ESRCH); // that holder is gone
        check_eq(*matrix->owner(own), *matrix->participant_id());
        assert_sound(*matrix);
    }
}

Test(segment_participants, a_fork_child_is_somebody_else)
{
    Handle const matrix = make_matrix(kMiB);
    Allocation const block = alloc(*matrix, 64);
    uint64_t const mine = *matrix->participant_id();
    check_eq(in_child([&] {
                 auto const id = matrix->participant_id();
                 if (!id.ok() || *id == mine)
                     return 1;
                 if (matrix->give(block.ref, 0).code != -EPERM)
                     return 2; // the block is the parent's
                 if (!matrix->people().is_alive(owner_of_id(mine), matrix->me()))
                     return 3;
                 matrix->unref(); // an orderly leave of the child leaves the parent alone
                 return 0;
             }),
             0);
    check_eq(slots_in(*matrix, SlotState::live), 1);
    check_eq(*matrix->participant_id(), mine);
    check_eq(*matrix->owner(block.ref), mine);
    check_eq(in_child([] { return 0; }), 0); // a child that never calls
    HealReport report;
    check_eq(matrix->heal(report).code, 0);
    check_eq(report.participants, 0);
    free_block(*matrix, block.ref);
}

/// The parent dies first: its locks must not live on in the child.
Test(segment_participants, a_child_does_not_keep_its_dead_parent_alive, .timeout = 30)
{
    Handle const matrix = make_matrix(kMiB);
    int const pipes = [] { // the grandchild stays until the test has looked
        int ends[2];
        return pipe(ends) == 0 ? ends[0] << 16 | ends[1] : -1;
    }();
    check_eq(in_child([&] {
                 Allocation made;
                 if (!matrix->alloc(64, made).ok())
                     return 1;
                 if (fork() == 0) {
                     close(pipes & 0xffff);
                     char byte;
                     _exit(static_cast<int>(read(pipes >> 16, &byte, 1)));
                 }
                 return 0;
             }),
             0);
    HealReport report; // the grandchild lets go of the lock as soon as it runs
    for (int i = 0; i < 1000 && report.participants == 0; ++i) {
        check_eq(matrix->heal(report).code, 0);
        sleep_for(kMillisecond);
    }
    check_eq(report.participants, 1);
    check_eq(report.blocks_reclaimed, 1);
    close(pipes & 0xffff);
    close(pipes >> 16);
}

Test(segment_participants, hostile_slot_words_are_handled)
{
    Handle const matrix = make_matrix(kMiB);
    Owner const mine = matrix->me().owner;
    Random random(4);
    for (int round = 0; round < 300; ++round) {
        for (Owner owner = 1; owner <= matrix->people().count(); ++owner) {
            if (owner == mine)
                continue;
            uint64_t const reaper = random.percent(50) ? random.below(1024) : owner;
            uint64_t const word = random.next() & ~(uint64_t{0xffff} << 24) & ~(uint64_t{12} << 60);
            matrix->people().slot(owner).word.store(word | reaper << 24, seq_cst);
            matrix->people().is_alive(owner, matrix->me());
            matrix->people().is_being_healed(owner, matrix->me());
        }
        matrix->heal_dead();
        Handle const other(Matrix::attach_fd(matrix->fd(), options_for(kMiB)));
        cr_assert(other.code() == 0 || other.code() == -EBUSY);
    }
}
