// SPDX-License-Identifier: MIT OR Apache-2.0
// The directory: names, their rules, and entries that a dead writer left half done.
#include "core/matrix/roots.hpp"
#include "tests/unit/matrix_support.hpp"

#include <atomic>
#include <thread>

using namespace unit;

namespace {
RootEntry *entries_of(Matrix &matrix)
{
    return matrix.segment().at<RootEntry>(matrix.segment().geometry().roots);
}

std::vector<std::string> names_in(Matrix &matrix)
{
    std::vector<std::string> names;
    check_eq(matrix
                 .roots(
                     [](RootInfo const &info, void *userdata) {
                         static_cast<std::vector<std::string> *>(userdata)->push_back(info.name);
                         return 0;
                     },
                     &names)
                 .code,
             0);
    return names;
}
} // namespace

Test(matrix_roots, a_name_leads_to_its_block)
{
    Handle const matrix = make_matrix(kMiB);
    Handle const other = second_handle(*matrix);
    Ref const block = alloc(*matrix, 100).ref;
    check_eq(matrix->lookup("one").status().code, -ENOENT);
    check_eq(matrix->bind("one", block).code, 0);
    check_eq(*matrix->owner(block), 0, "a bound block is nobody's");
    check_eq(other->lookup("one")->value, block.value);
    check_eq(matrix->bind("one", alloc(*matrix, 5).ref).code, -EEXIST);
    check_eq(names_in(*other).size(), 1);
    check_eq(other->unbind("one")->value, block.value);
    check_eq(*matrix->owner(block), *other->participant_id(), "who unbinds owns it");
    check_eq(other->unbind("one").status().code, -ENOENT);
    check_eq(names_in(*other).size(), 0);
    assert_sound(*matrix);
}

Test(matrix_roots, names_have_rules)
{
    Handle const matrix = make_matrix(kMiB);
    Ref const block = alloc(*matrix, 100).ref;
    std::string const longest(63, 'x');
    check_eq(matrix->bind("", block).code, -EINVAL);
    check_eq(matrix->bind("a\nb", block).code, -EINVAL);
    check_eq(matrix->bind("a\x7f", block).code, -EINVAL);
    check_eq(matrix->bind((longest + "x").c_str(), block).code, -ENAMETOOLONG);
    check_eq(matrix->bind(longest.c_str(), block).code, 0);
    check_eq(matrix->lookup(longest.c_str())->value, block.value);
    check_eq(matrix->lookup(longest.substr(1).c_str()).status().code, -ENOENT);
    check_eq(matrix->lookup("").status().code, -EINVAL);
    check_eq(matrix->bind("\xc3\xa4", block).code, 0, "any other byte will do");
}

Test(matrix_roots, a_full_directory_says_so)
{
    Handle const matrix = make_matrix(kMiB);
    std::vector<std::string> names;
    for (int i = 0; i < 16; ++i) {
        names.push_back("name-" + std::to_string(i));
        check_eq(matrix->bind(names.back().c_str(), alloc(*matrix, 10).ref).code, 0);
    }
    Ref const block = alloc(*matrix, 10).ref;
    check_eq(matrix->bind("one more", block).code, -ENOSPC);
    check_eq(*matrix->owner(block), *matrix->participant_id(), "still ours");
    check_eq(matrix->unbind(names[7].c_str()).status().code, 0);
    check_eq(matrix->bind("one more", block).code, 0);
    check_eq(names_in(*matrix).size(), 16);
}

Test(matrix_roots, only_a_block_of_mine_or_nobodys_is_bound)
{
    Handle const matrix = make_matrix(kMiB);
    Handle const other = second_handle(*matrix);
    Ref const foreign = alloc(*other, 100).ref;
    check_eq(matrix->bind("foreign", foreign).code, -EPERM);
    check_eq(matrix->lookup("foreign").status().code, -ENOENT);
    check_eq(other->give(foreign, 0).code, 0);
    check_eq(matrix->bind("foreign", foreign).code, 0);
    Ref const freed = alloc(*matrix, 100).ref;
    free_block(*matrix, freed);
    check_eq(matrix->bind("stale", freed).code, -kStale);
    check_eq(matrix->bind("nothing", {}).code, -EINVAL);
    check_eq(names_in(*matrix).size(), 1);
}

Test(matrix_roots, a_channels_name_is_not_a_blocks)
{
    Handle const matrix = make_matrix(kMiB);
    auto const channel = Channel::create(*matrix, "channel", {});
    check_eq(channel.status().code, 0);
    check_eq(matrix->lookup("channel").status().code, -kType);
    check_eq(matrix->unbind("channel").status().code, -kType);
    check_eq(matrix->bind("channel", alloc(*matrix, 10).ref).code, -EEXIST);
    check_eq(matrix->bind("block", alloc(*matrix, 10).ref).code, 0);
    check_eq(Channel::attach(*matrix, "block", {}).status().code, -kType);
    (*channel)->unref();
}

Test(matrix_roots, one_of_many_binds_wins, .timeout = 60)
{
    Handle const matrix = make_matrix(kMiB);
    for (int round = 0; round < 200; ++round) {
        std::atomic<unsigned> won{0};
        std::atomic<unsigned> wrong{0};
        std::vector<std::thread> threads;
        for (unsigned self = 0; self < 3; ++self)
            threads.emplace_back([&] {
                Allocation made;
                wrong += matrix->alloc(64, made).ok() ? 0 : 1;
                int const code = matrix->bind("contested", made.ref).code;
                won += code == 0 ? 1 : 0;
                wrong += code == 0 || code == -EEXIST ? 0 : 1;
                if (code != 0)
                    wrong += matrix->free(made.ref).ok() ? 0 : 1;
            });
        for (std::thread &thread : threads)
            thread.join();
        check_eq(won.load(), 1);
        check_eq(wrong.load(), 0);
        auto const bound = matrix->unbind("contested");
        check_eq(bound.status().code, 0);
        free_block(*matrix, *bound);
    }
    assert_all_free(*matrix);
}

/// An entry as a dead binder or unbinder leaves it (table of roots.hpp).
Test(matrix_roots, half_written_entries_are_healed)
{
    enum class Left { nothing, ref_only, handed_over };
    for (Left const left : {Left::nothing, Left::ref_only, Left::handed_over}) {
        Handle const matrix = make_matrix(kMiB);
        check_eq(in_child([&] {
                     Allocation made;
                     RootName name;
                     if (!matrix->alloc(64, made).ok() || !RootName::of("half", name).ok() ||
                         !matrix->take_ticket(matrix->segment().header().directory).ok())
                         return 1;
                     RootEntry &entry = entries_of(*matrix)[3];
                     Owner const me = matrix->me().owner;
                     entry.word.store(RootWord::of(RootState::writing,
                                                   static_cast<unsigned>(RootKind::block), me, 1)
                                          .raw,
                                      seq_cst);
                     if (left == Left::nothing)
                         return 0;
                     for (unsigned i = 0; i < 8; ++i)
                         entry.name[i].store(name.word[i], seq_cst);
                     entry.ref.store(made.ref.value, seq_cst);
                     return left == Left::ref_only || matrix->give(made.ref, 0).ok() ? 0 : 2;
                 }),
                 0);
        HealReport report;
        check_eq(matrix->heal(report).code, 0);
        auto const found = matrix->lookup("half");
        check_eq(found.status().code, left == Left::handed_over ? 0 : -ENOENT);
        if (left == Left::handed_over)
            free_block(*matrix, *matrix->unbind("half"));
        check_eq(entries_of(*matrix)[3].ref.load(seq_cst), 0);
        cr_assert(RootWord{entries_of(*matrix)[3].word.load(seq_cst)}.is(RootState::free));
        assert_all_free(*matrix);
        Ref const block = alloc(*matrix, 10).ref; // the ticket is free again
        check_eq(matrix->bind("next", block).code, 0);
    }
}

Test(matrix_roots, hostile_entries_are_handled, .timeout = 60)
{
    Random random(8);
    MatrixOptions options = options_for(kMiB);
    options.stall = kMillisecond;
    for (int round = 0; round < 100; ++round) {
        Handle const matrix = make_matrix(options);
        check_eq(matrix->bind("good", alloc(*matrix, 100).ref).code, 0);
        auto *const words = reinterpret_cast<uint64_t *>(entries_of(*matrix));
        for (unsigned i = 0; i < 16 * sizeof(RootEntry) / 8; ++i)
            if (random.percent(round % 2 == 0 ? 5 : 80))
                words[i] = random.percent(50) ? random.next()
                                              : random.below(8) << 60 | random.below(8) << 52;
        auto const found = matrix->lookup("good");
        cr_assert(!found.ok() || found->value != 0 || round % 2 == 0);
        static_cast<void>(matrix->unbind("good"));
        static_cast<void>(matrix->bind("new", alloc(*matrix, 10).ref));
        for (Owner dead = 1; dead <= 8; ++dead)
            Directory(*matrix).heal(dead);
        CheckReport report;
        static_cast<void>(matrix->check(false, report));
        names_in(*matrix);
        if (auto const channel = Channel::open(*matrix, "channel", {}); channel.ok())
            (*channel)->unref();
    }
}
