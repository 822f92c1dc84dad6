// SPDX-License-Identifier: MIT OR Apache-2.0
// Scenarios of the hierarchical bitset alone: things that appear and disappear, and their hints.
#include "core/index/index.hpp"
#include "tests/explore/explorer.hpp"
#include "tests/explore/scenarios.hpp"

#include <vector>

namespace weir::explore {
namespace {

constexpr unsigned kColumns = 2;

/// One fibre's work in the words of the scenario.
struct Step {
    enum Kind {
        publish,      ///< the thing appears, then its bit
        publish_seen, ///< the same, and now it must be found, whoever else is stopped
        take,         ///< the thing at this member is claimed, its bit cleared (M4)
        take_any,     ///< the same for whatever a search finds
        look,         ///< a search that clears bits without a thing (rule 3)
    } kind;
    unsigned column;
    uint64_t member;
};
using Program = std::vector<Step>;

class IndexWorld : public Scenario {
  public:
    IndexWorld(uint64_t members, std::vector<Step> present, std::vector<Program> programs)
        : members_(members), present_(std::move(present)), programs_(std::move(programs))
    {
    }

    void prepare() override
    {
        BitTreePlan const plan = BitTreePlan::of(members_);
        constexpr std::size_t kSize = 16384;
        auto *at = reinterpret_cast<atomic<uint64_t> *>(reserve_image(kSize, kSize));
        things_ = at;
        name(things_, kColumns * members_, 8, "thing");
        at += kColumns * members_;
        atomic<uint64_t> *level[BitTreePlan::kMaxLevels] = {};
        for (unsigned i = 0; i < plan.levels; i++) {
            level[i] = at;
            at += plan.words[i] * kColumns;
            name(level[i], plan.words[i] * kColumns, 8, "level" + std::to_string(i));
        }
        name(at, BitTree::kMapWords, 8, "map");
        tree_.init(plan, kColumns, level, at);
        for (Step const &s : present_)
            run_step(s);
    }

    void run() override
    {
        for (Program const &program : programs_)
            spawn(true, [this, &program] {
                for (Step const &s : program)
                    run_step(s);
            });
        if (!run_all())
            return;
        for (bool killable : {true, false}) {
            spawn(killable, [this] {
                if (anybody_died())
                    heal();
            });
            if (!run_all())
                return;
        }
        check_at_rest();
    }

  private:
    atomic<uint64_t> &thing(unsigned column, uint64_t member)
    {
        return things_[column * members_ + member];
    }

    void run_step(Step const &s)
    {
        switch (s.kind) {
        case Step::publish:
        case Step::publish_seen:
            thing(s.column, s.member).store(1, seq_cst);
            tree_.set(s.column, s.member);
            if (s.kind == Step::publish_seen)
                must_find(s.column, s.member);
            break;
        case Step::take:
            take(s.column, s.member);
            break;
        case Step::take_any:
            look(s.column, true);
            break;
        case Step::look:
            look(s.column, false);
            break;
        }
    }

    bool take(unsigned column, uint64_t member)
    {
        uint64_t there = 1;
        if (!thing(column, member).compare_exchange(there, 0, acq_rel, relaxed))
            return false;
        tree_.clear(column, member);
        return true;
    }

    void look(unsigned column, bool take_it)
    {
        for (uint64_t at = tree_.find(column, 0); at != BitTree::kNone;
             at = tree_.find(column, at + 1)) {
            if (thing(column, at).load(seq_cst) != 0) {
                if (take_it && take(column, at))
                    return;
                continue;
            }
            tree_.clear(column, at);
            if (thing(column, at).load(seq_cst) != 0)
                tree_.set(column, at);
        }
    }

    void must_find(unsigned column, uint64_t member)
    {
        if (tree_.find_column(0) > column) {
            fail("the column of what this fibre has just published is not in the map");
            return;
        }
        for (uint64_t at = tree_.find(column, 0); at != BitTree::kNone;
             at = tree_.find(column, at + 1))
            if (at == member)
                return;
        fail("member %llu, just published, cannot be found while another fibre is stopped",
             static_cast<unsigned long long>(member));
    }

    void heal()
    {
        for (unsigned column = 0; column < kColumns; column++)
            for (uint64_t m = 0; m < members_; m++)
                if (thing(column, m).load(seq_cst) != 0)
                    tree_.set(column, m);
    }

    void check_at_rest()
    {
        for (unsigned column = 0; column < kColumns; column++)
            for (uint64_t m = 0; m < members_; m++)
                if (thing(column, m).load(seq_cst) != 0 && !tree_.reachable(column, m))
                    fail("I1: member %llu of column %u cannot be found at rest",
                         static_cast<unsigned long long>(m), column);
    }

    uint64_t members_;
    std::vector<Step> present_;
    std::vector<Program> programs_;
    atomic<uint64_t> *things_ = nullptr;
    BitTree tree_;
};

void add(char const *name, char const *about, int deepest, uint64_t members,
         std::vector<Step> present, std::vector<Program> programs)
{
    scenarios().push_back({"index", name, about,
                           [=] { return std::make_unique<IndexWorld>(members, present, programs); },
                           deepest});
}

} // namespace

void register_index()
{
    auto const publish = [](uint64_t m, unsigned c = 0) { return Step{Step::publish, c, m}; };
    auto const seen = [](uint64_t m, unsigned c = 0) { return Step{Step::publish_seen, c, m}; };
    auto const take = [](uint64_t m, unsigned c = 0) { return Step{Step::take, c, m}; };
    Step const any{Step::take_any, 0, 0}, look{Step::look, 0, 0};

    add("bits_rule1", "a published member is found while its word's other setter is stopped", 3, 8,
        {}, {{publish(0)}, {seen(1)}});
    add("bits_rule1_deep", "the same through all levels and the map", 3, 16, {},
        {{publish(0)}, {publish(2)}, {seen(6)}});
    add("bits_set_clear", "a set and a clear in one word lose nothing", 3, 8, {publish(0)},
        {{take(0)}, {publish(1)}});
    add("bits_set_clear_deep", "sets and clears meet at every level", 2, 16, {publish(0)},
        {{take(0), publish(0)}, {publish(3)}, {publish(6), take(6)}});
    add("bits_columns", "the map of two columns loses nothing", 3, 8, {publish(0), publish(3, 1)},
        {{take(0)}, {take(3, 1), publish(2, 1)}, {publish(5)}});
    add("bits_rule3", "who clears a bit without a thing looks again", 3, 8, {},
        {{publish(2), take(2), publish(2)}, {look}});
    add("bits_search", "searchers take and clear while others publish", 2, 16,
        {publish(1), publish(4)}, {{any, any}, {publish(5)}, {any, publish(0)}});
}

} // namespace weir::explore
