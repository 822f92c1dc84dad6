// SPDX-License-Identifier: MIT OR Apache-2.0
// The hierarchical bitset against std::set, at every size where a level begins, on hostile words.
#include "core/index/index.hpp"
#include "tests/unit/support.hpp"

#include <atomic>
#include <memory>
#include <set>
#include <thread>
#include <vector>

using namespace unit;
using namespace weir;

namespace {
/// A tree in memory of its own.
class OwnTree {
  public:
    explicit OwnTree(uint64_t members, unsigned columns = 1) : plan(BitTreePlan::of(members))
    {
        for (unsigned i = 0; i < plan.levels; ++i) {
            words[i].reset(new atomic<uint64_t>[plan.words[i] * columns]());
            levels_[i] = words[i].get();
        }
        tree.init(plan, columns, levels_, map);
    }
    BitTree *operator->() { return &tree; }
    uint64_t word_count(unsigned level) const { return plan.words[level] * tree.columns(); }

    BitTreePlan plan;
    BitTree tree;
    std::unique_ptr<atomic<uint64_t>[]> words[BitTreePlan::kMaxLevels];
    atomic<uint64_t> map[BitTree::kMapWords] = {};

  private:
    atomic<uint64_t> *levels_[BitTreePlan::kMaxLevels] = {};
};

void expect_same(OwnTree &tree, unsigned column, std::set<uint64_t> const &model)
{
    uint64_t at = 0;
    for (uint64_t const member : model) {
        check_eq(tree->find(column, at), member);
        cr_assert(tree->test(column, member) && tree->reachable(column, member));
        at = member + 1;
    }
    check_eq(tree->find(column, at), BitTree::kNone);
}
} // namespace

Test(index_plan, levels_cover_all_members)
{
    for (uint64_t members : {1ul, 2ul, 63ul, 64ul, 65ul, 4095ul, 4096ul, 4097ul, 262144ul, 262145ul,
                             16777216ul, 16777217ul, uint64_t{1} << 28, uint64_t{1} << 40}) {
        BitTreePlan const plan = BitTreePlan::of(members);
        uint64_t below = members;
        for (unsigned i = 0; i < plan.levels; ++i) {
            check_eq(plan.words[i], (below + 63) / 64);
            below = plan.words[i];
        }
        check_eq(below, 1, "the top is one word");
        check_eq(plan.members, members);
        cr_assert(plan.levels == 1 || plan.words[plan.levels - 2] > 1, "a level too many");
    }
}

Test(index_bit_tree, first_and_last_member_at_each_size)
{
    for (uint64_t members : {1, 2, 63, 64, 65, 4095, 4096, 4097, 262143, 262144, 262145}) {
        OwnTree tree(members);
        for (uint64_t member : {uint64_t{0}, members / 2, members - 1}) {
            check_eq(tree->find(0, 0), BitTree::kNone);
            tree->set(0, member);
            tree->set(0, member);
            check_eq(tree->find(0, 0), member);
            check_eq(tree->find(0, member), member);
            check_eq(tree->find(0, member + 1), BitTree::kNone);
            check_eq(tree->find_column(0), 0);
            tree->clear(0, member);
            cr_assert(!tree->test(0, member));
            check_eq(tree->find_column(0), 1);
            tree->clear(0, member); // of what is not there
        }
        check_eq(tree->find(0, members), BitTree::kNone);
        check_eq(tree->find(0, members + 1000000), BitTree::kNone);
    }
}

Test(index_bit_tree, random_operations_match_a_set)
{
    Random random(11);
    for (uint64_t members : {5, 64, 70, 4100, 300000}) {
        for (uint64_t spread : {members, members / 40 + 1}) { // everywhere, and close together
            OwnTree tree(members, 3);
            std::set<uint64_t> model[3];
            for (int i = 0; i < 20000; ++i) {
                auto const column = static_cast<unsigned>(random.below(3));
                uint64_t const member = members - 1 - random.below(spread);
                if (random.percent(50)) {
                    tree->set(column, member);
                    model[column].insert(member);
                } else {
                    tree->clear(column, member);
                    model[column].erase(member);
                }
                uint64_t const from = random.below(members);
                auto const next = model[column].lower_bound(from);
                check_eq(tree->find(column, from),
                         next == model[column].end() ? BitTree::kNone : *next);
            }
            for (unsigned column = 0; column < 3; ++column) {
                expect_same(tree, column, model[column]);
                for (uint64_t const member : model[column])
                    tree->clear(column, member);
            }
            for (unsigned level = 0; level < tree.plan.levels; ++level) // no level keeps a bit
                for (uint64_t i = 0; i < tree.word_count(level); ++i)
                    check_eq(tree.words[level][i].load(relaxed), 0);
            check_eq(tree->find_column(0), 3);
        }
    }
}

Test(index_bit_tree, the_map_names_the_columns_in_use)
{
    OwnTree tree(100, BitTree::kMaxColumns);
    std::set<unsigned> model;
    Random random(12);
    for (int i = 0; i < 5000; ++i) {
        auto const column = static_cast<unsigned>(random.below(BitTree::kMaxColumns));
        if (random.percent(40)) {
            tree->set(column, 99);
            model.insert(column);
        } else {
            tree->clear(column, 99);
            model.erase(column);
        }
        auto const from = static_cast<unsigned>(random.below(BitTree::kMaxColumns + 10));
        auto const next = model.lower_bound(from);
        check_eq(tree->find_column(from), next == model.end() ? BitTree::kMaxColumns : *next);
    }
}

Test(index_bit_tree, columns_do_not_touch_each_other)
{
    OwnTree tree(5000, 200);
    for (unsigned column = 0; column < 200; ++column)
        tree->set(column, column * 25);
    for (unsigned column = 0; column < 200; ++column) {
        check_eq(tree->find(column, 0), column * 25);
        check_eq(tree->find(column, column * 25 + 1), BitTree::kNone);
    }
}

/// Only numbers below the size, and each search ends, whatever the words say.
Test(index_bit_tree, hostile_words_lead_nowhere_else, .timeout = 30)
{
    Random random(13);
    for (int round = 0; round < 300; ++round) {
        uint64_t const members = 1 + random.below(5000);
        OwnTree tree(members, 70);
        auto const density = static_cast<unsigned>(random.below(101));
        auto const word = [&] {
            return random.percent(density) ? random.next() : random.percent(50) ? ~uint64_t{0} : 0;
        };
        for (unsigned level = 0; level < tree.plan.levels; ++level)
            for (uint64_t i = 0; i < tree.word_count(level); ++i)
                tree.words[level][i].store(word(), relaxed);
        for (atomic<uint64_t> &map : tree.map)
            map.store(word(), relaxed);
        for (unsigned column = tree->find_column(0); column < 70;
             column = tree->find_column(column + 1)) {
            uint64_t last = 0;
            for (uint64_t at = tree->find(column, 0); at != BitTree::kNone;
                 at = tree->find(column, at + 1)) {
                cr_assert(at < members && at >= last);
                last = at;
            }
            tree->clear(column, random.below(members));
            uint64_t const member = random.below(members);
            tree->set(column, member);
            cr_assert(tree->reachable(column, member));
        }
        cr_assert(tree->find_column(0) <= 70);
    }
}

/// Rules 1 and 2: threads share words on all levels, and what is set at the end can be found.
Test(index_bit_tree, bits_of_several_threads_are_not_lost, .timeout = 60)
{
    constexpr unsigned kThreads = 3;
    OwnTree tree(70000);
    std::atomic<unsigned> lost{0};
    std::vector<std::thread> threads;
    for (unsigned self = 0; self < kThreads; ++self)
        threads.emplace_back([&, self] {
            Random random(self + 20);
            for (int i = 0; i < 60000; ++i) {
                // few members, far apart: words become empty and full all the time
                uint64_t const member = random.below(8) * 8192 + self;
                tree->set(0, member);
                lost += tree->reachable(0, member) ? 0 : 1; // rule 1: at once
                tree->clear(0, member);
                lost += tree->test(0, member) ? 1 : 0;
            }
            tree->set(0, self * 8192 + self);
        });
    for (std::thread &thread : threads)
        thread.join();
    uint64_t at = 0;
    for (unsigned self = 0; self < kThreads; ++self) {
        check_eq(tree->find(0, at), self * 8192 + self);
        at = self * 8192 + self + 1;
    }
    check_eq(tree->find(0, at), BitTree::kNone);
    // rule 1 holds for a setter alone; a clearer between two levels may hide a bit for an instant
    check_lt(lost.load(), kThreads * 60000 / 10);
}

/// Rule 2: one sets a member while another clears the only other member of the same word.
Test(index_bit_tree, a_clear_does_not_hide_what_is_set_meanwhile, .timeout = 60)
{
    OwnTree tree(70000);
    Barrier barrier(2);
    unsigned lost = 0;
    auto const work = [&](unsigned self) {
        for (unsigned round = 0; round < 60000; ++round) {
            if (self == 0)
                tree->set(0, 8192);
            barrier.wait();
            // later than the other by more and more: it is met at all of its steps
            for (unsigned i = 0; self == round % 2 && i < round / 2 % 256; ++i)
                __asm__ volatile("" ::: "memory");
            if (self == 0)
                tree->clear(0, 8192);
            else
                tree->set(0, 8193);
            barrier.wait();
            if (self == 0) {
                lost += tree->find_column(0) == 0 && tree->find(0, 0) == 8193 ? 0 : 1;
                tree->clear(0, 8193);
            }
        }
    };
    std::thread other(work, 1);
    work(0);
    other.join();
    check_eq(lost, 0);
}
