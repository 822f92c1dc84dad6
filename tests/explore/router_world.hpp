// SPDX-License-Identifier: MIT OR Apache-2.0
// A tiny router in a tiny matrix, and what a specification knows of its rules.
#pragma once

#include "core/channel/router.hpp"
#include "tests/explore/matrix_world.hpp"

#include <map>
#include <set>
#include <vector>

namespace weir::explore::router_tables {

/// Indexed by RootKind, as the C boundary has it.
inline constexpr RootOps const *kRootOps[kRootKinds] = {nullptr, nullptr, nullptr, nullptr,
                                                        &kRouterRootOps};

inline uint64_t raw(atomic<uint64_t> const &word)
{
    return __atomic_load_n(word.address(), __ATOMIC_SEQ_CST);
}

/// Messages with this tag go to the channel of this letter: half a rule says something else.
inline Rule rule_for(uint64_t tag)
{
    Rule rule;
    rule.match = RuleMatch::tag;
    rule.tag = rule.mask = tag;
    rule.targets = 1;
    rule.target[0][0] = static_cast<char>('A' + tag);
    return rule;
}

inline bool is_whole(Rule const &rule)
{
    return rule.match == RuleMatch::tag && rule.tag == rule.mask && rule.targets == 1 &&
           rule.target[0][0] == static_cast<char>('A' + rule.tag);
}

class RouterWorld;

/// What a program may do.
class Hand {
  public:
    Hand(RouterWorld &world, Actor const &actor) : world_(world), actor_(actor) {}
    /// The number of the new rule, 0 if there was none.
    uint64_t add(uint64_t tag) const;
    void remove(uint64_t id) const;
    /// As a post does: finds the rule and counts.
    void route(uint64_t tag) const;
    /// Posts its block through a handle of its own.
    void post(uint64_t tag) const;
    void heal() const { actor_.heal(); }
    /// Ends the router: its block goes with its last user.
    void retire() const;
    /// Opens and reads it as a read-only handle does: without a mark.
    void watch() const;

  private:
    RouterWorld &world_;
    Actor const &actor_;
};

using RouterProgram = std::function<void(Hand const &)>;

inline std::vector<MatrixProgram> as_matrix_programs(RouterWorld *world,
                                                     std::vector<RouterProgram> const &programs)
{
    std::vector<MatrixProgram> all;
    for (auto const &program : programs)
        all.push_back([=](Actor const &actor) { program(Hand(*world, actor)); });
    return all;
}

inline MatrixPlan plan_of_memory()
{
    MatrixPlan plan;
    plan.pieces[kSmall] = {used(1)};
    plan.pieces[kMedium] = {used(1), open(15)};
    return plan;
}

/// One rule, number 1, of tag 1, before the schedule.
class RouterWorld : public MatrixWorld {
  public:
    explicit RouterWorld(std::vector<RouterProgram> const &programs,
                         MatrixPlan const &memory = plan_of_memory())
        : MatrixWorld(memory, as_matrix_programs(this, programs))
    {
        root_ops = kRootOps;
    }

    void prepare() override
    {
        MatrixWorld::prepare();
        act_as(kOutsider);
        Matrix &maker = handle(outsider());
        Allocation block;
        must(maker.alloc({sizeof(RouterHeader), kCacheLine, true, 0}, block), "router block");
        RouteRules::format(block.data);
        must(maker.bind_object("r", RootKind::router, block.ref), "bind");
        ref_ = block.ref;
        uint64_t id = 0;
        must(rules_of(outsider()).add(rule_for(1), 0, id), "rule");
        header_ = static_cast<RouterHeader *>(block.data);
        name(&header_->writer, 1, 8, "ticket");
        name(&header_->current, 1, 8, "current");
        name(header_->counters, kMaxRules, sizeof(RuleCounters), "counters");
        name(header_->table, 2, sizeof(RouteTable), "table");
        act_as(kNoFibre);
    }

    RouteRules rules_of(int fibre)
    {
        auto const rules = RouteRules::of(handle(fibre), ref_);
        must(rules.status(), "rules");
        return *rules;
    }

    std::size_t versions() const { return history_.size(); }
    void added(uint64_t id)
    {
        alive_.insert(id);
        if (!given_.insert(id).second)
            fail("R2: the number %d is given twice", static_cast<int>(id));
    }
    void removed(uint64_t id) { alive_.erase(id); }
    void counted(uint64_t id) { ++hits_[id]; }
    virtual void posted(int) {}
    virtual Ref block_of(int) const { return {}; }
    void ended() { over_ = true; }

    /// What a read says was true at some moment between its begin and its end.
    void check_found(int who, std::size_t since, uint64_t tag, Status status, Rule const &rule)
    {
        if (status.ok() && !is_whole(rule))
            fail("R1: %c reads half a rule", letter(who));
        for (std::size_t i = since; i < history_.size(); i++) {
            auto const found = history_[i].find(tag);
            bool const there = found != history_[i].end();
            if (there ? status.ok() && found->second == rule.id : status.code == -ENOENT)
                return;
        }
        fail("R1: %c reads what no rules have said (%d)", letter(who), status.code);
    }

    void changed(void const *address, int who) override
    {
        MatrixWorld::changed(address, who);
        if (header_ == nullptr || history_.empty())
            return;
        auto const *const at = static_cast<char const *>(address);
        auto const *const tables = reinterpret_cast<char const *>(header_->table);
        bool const in_table = at >= tables && at < tables + sizeof header_->table;
        bool const is_version = address == header_->current.address();
        if (!in_table && !is_version)
            return;
        if ((raw(header_->writer.word) & 0xffff) != owner_of(who))
            fail("%c changes the rules without the ticket", letter(who));
        auto const table = static_cast<uint64_t>(at - tables) / sizeof(RouteTable);
        if (in_table && table == (raw(header_->current) & 1))
            fail("R1: %c writes into the rules that count", letter(who));
        if (is_version)
            history_.push_back(rules_now());
    }

  protected:
    bool counts_exactly_ = true; ///< each use is known by its rule
    void begin_run() override
    {
        MatrixWorld::begin_run();
        history_.assign(1, rules_now());
        alive_ = given_ = {1};
        hits_.clear();
        over_ = false;
    }

    void settle() override
    {
        if (over_)
            return; // the memory may be another's
        if ((raw(header_->writer.word) & 0xffff) != weir::kNobody)
            return fail("the ticket is somebody's at rest");
        RouteTable const &table = header_->table[raw(header_->current) & 1];
        std::set<uint64_t> ids, lines;
        for (uint64_t i = 0; i < raw(table.rules); i++) {
            uint64_t const id = raw(table.rule[i].id), line = raw(table.rule[i].shape) >> 24;
            ids.insert(id);
            lines.insert(line);
            uint64_t const count = raw(header_->counters[line % kMaxRules].matched);
            uint64_t const matched = count & RuleCount::kCount;
            bool const exact = counts_exactly_ && !anybody_died();
            if (matched < hits_[id] || (exact && matched != hits_[id]))
                fail("R2: rule %d was used %d times, and counts %d", static_cast<int>(id),
                     static_cast<int>(hits_[id]), static_cast<int>(matched));
        }
        if (ids.size() != raw(table.rules) || lines.size() != raw(table.rules))
            fail("R2: two rules share a number or a line of counters");
        if (!anybody_died() && ids != alive_)
            fail("a rule was lost, or is there although it was removed");
    }

  private:
    /// Tag and number of each rule that counts.
    std::map<uint64_t, uint64_t> rules_now() const
    {
        std::map<uint64_t, uint64_t> now;
        RouteTable const &table = header_->table[raw(header_->current) & 1];
        for (uint64_t i = 0; i < raw(table.rules); i++)
            now[raw(table.rule[i].tag)] = raw(table.rule[i].id);
        return now;
    }

    Ref ref_;
    RouterHeader *header_ = nullptr;
    std::vector<std::map<uint64_t, uint64_t>> history_; ///< one for each version
    std::set<uint64_t> alive_, given_;                  ///< added and not removed; added
    std::map<uint64_t, uint64_t> hits_;
    bool over_ = false;
};

} // namespace weir::explore::router_tables
