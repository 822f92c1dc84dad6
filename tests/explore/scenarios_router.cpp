// SPDX-License-Identifier: MIT OR Apache-2.0
// Scenarios of a router's rules: reading them while they change, two who change them, posting by them,
// deaths.
#include "tests/explore/router_world.hpp"
#include "tests/explore/scenarios.hpp"

#include <set>

namespace weir::explore {
namespace router_tables {

static bool is_in_the_way(Status status) { return status.code == -EBUSY && anybody_stopped(); }

uint64_t Hand::add(uint64_t tag) const
{
    uint64_t id = 0;
    Status const done = world_.rules_of(actor_.number()).add(rule_for(tag), 0, id);
    if (done.ok())
        world_.added(id);
    else if (!is_in_the_way(done))
        fail("add says %d", done.code);
    return done.ok() ? id : 0;
}

void Hand::remove(uint64_t id) const
{
    Status const done = world_.rules_of(actor_.number()).remove(id);
    if (done.ok())
        world_.removed(id);
    else if (done.code != -ENOENT && !is_in_the_way(done))
        fail("remove says %d", done.code);
}

void Hand::route(uint64_t tag) const
{
    RouteRules rules = world_.rules_of(actor_.number());
    std::size_t const since = world_.versions() - 1;
    Rule rule;
    Status const done = rules.find(tag, nullptr, rule);
    world_.check_found(actor_.number(), since, tag, done, rule);
    if (!done.ok())
        return;
    rules.count(rule, &RuleCounters::matched, 1);
    world_.counted(rule.id);
}

void Hand::post(uint64_t tag) const
{
    auto const opened = Router::attach(actor_.matrix(), "r");
    if (!opened.ok())
        return fail("attach says %d", opened.status().code);
    int const me = actor_.number();
    std::size_t const since = world_.versions() - 1;
    Ref const ref = world_.block_of(me);
    Status const done = (*opened)->post({ref, 1, tag, nullptr, 0}, 0);
    say("post says %d", done.code);
    if (done.code == 1)
        world_.posted(me);
    else if (done.code != -ENOENT)
        fail("post says %d", done.code);
    else
        world_.check_found(me, since, tag, done, {});
    if (!done.ok() && !actor_.matrix().free(ref).ok())
        fail("the block of a message that was not posted is not its poster's any more");
    (*opened)->unref();
}

void Hand::retire() const
{
    world_.ended();
    auto const open = actor_.matrix().open_object("r", RootKind::router);
    if (!open.ok())
        return fail("open says %d", open.status().code);
    Status const done = actor_.matrix().retire_object(*open);
    if (!done.ok() && !is_in_the_way(done))
        fail("retire says %d", done.code);
    actor_.matrix().close_object(*open);
}

void Hand::watch() const
{
    MatrixOptions options;
    options.access.read_only = true;
    options.root_ops = kRootOps;
    Matrix watcher;
    Segment &segment = actor_.matrix().segment();
    must(watcher.adopt(segment.base(), segment.geometry(), options), "watch");
    auto const opened = Router::attach(watcher, "r");
    if (!opened.ok() && opened.status().code != -ENOENT)
        fail("who only looks is told %d", opened.status().code);
    if (!opened.ok())
        return;
    Status const looked = (*opened)->rules([](Rule const &, void *) { return 0; }, nullptr);
    if (!looked.ok() && looked.code != -kRetired)
        fail("who only looks at rules is told %d", looked.code);
    (*opened)->unref();
}

} // namespace router_tables

namespace {

using namespace router_tables;

constexpr RootOps const *kPostingOps[kRootKinds] = {nullptr, nullptr, &kChannelRootOps, nullptr,
                                                    &kRouterRootOps};

/// A router to the channel B, and a block for each of the first two.
class PostingWorld : public RouterWorld {
  public:
    explicit PostingWorld(std::vector<RouterProgram> const &programs)
        : RouterWorld(programs, plan_with_blocks())
    {
        root_ops = kPostingOps;
        counts_exactly_ = false; // a post does not tell by which rule it went
    }

    void prepare() override
    {
        RouterWorld::prepare();
        act_as(kOutsider);
        Matrix &maker = handle(outsider());
        ChannelOptions options;
        options.capacity = 2;
        Allocation block;
        must(maker.alloc({Ring::bytes_for(options), kCacheLine, true, 0}, block), "channel block");
        Ring::format(block.data, options);
        must(maker.bind_object("B", RootKind::channel, block.ref), "bind");
        auto const ring = Ring::of(maker, block.ref);
        must(ring.status(), "ring");
        cells_ = ring->cell_array();
        count_ = ring->cells();
        name(cells_, count_, sizeof(Cell), "cell");
        act_as(kNoFibre);
    }
    void posted(int who) override { posted_.insert(who); }
    Ref block_of(int who) const override
    {
        return piece(kSmall, static_cast<std::size_t>(who) + 1);
    }

  protected:
    static MatrixPlan plan_with_blocks()
    {
        MatrixPlan plan = plan_of_memory();
        plan.pieces[kSmall] = {used(1), used(1, 0), used(1, 1), used(1), open(32)};
        plan.roots = 2;
        return plan;
    }
    void begin_run() override
    {
        RouterWorld::begin_run();
        posted_.clear();
    }
    void settle() override
    {
        RouterWorld::settle();
        for (int who = 0; who < 2 && !has_failed(); who++)
            check_message(who);
        check_counts();
    }

  private:
    void check_message(int who)
    {
        Ref const ref = block_of(who);
        int found = 0;
        for (uint64_t i = 0; i < count_; i++) {
            CellWord const word{raw(cells_[i].word)};
            if (!word.is(Phase::empty) && !word.is(Phase::full))
                return fail("a cell is in somebody's hand at rest");
            found += word.is(Phase::full) && raw(cells_[i].ref) == ref.value ? 1 : 0;
        }
        unsigned sector = 0;
        Granule head = 0;
        BlockWord const block =
            place_of(ref, sector, head) ? monitor(sector).word(head) : BlockWord{0};
        bool const nobodys = block.is(Kind::allocated) && block.owner() == weir::kNobody;
        if (found > 1 || nobodys != (found == 1))
            fail("the message of %c is there %d times, its block is %s", letter(who), found,
                 nobodys ? "nobody's" : "not");
        else if (posted_.count(who) != 0 && found != 1)
            fail("the message of %c was posted and lost", letter(who));
        else if (posted_.count(who) == 0 && found != 0 && !is_dead(who))
            fail("the message of %c is there, and it was told that it is not", letter(who));
        if (nobodys)
            monitor(sector).make_known(head);
    }
    /// R2: only those that the posts fit.
    void check_counts()
    {
        for (unsigned i = 0; i < kMaxRules; i++) {
            Rule rule;
            if (!rules_of(outsider()).at(i, rule).ok())
                return;
            if (rule.tag != 1 && rule.matched + rule.posted + rule.refused != 0)
                fail("R2: rule %d counts what was posted by another one",
                     static_cast<int>(rule.id));
            if (rule.posted > 2 || rule.posted + rule.refused > rule.matched)
                fail("R2: rule %d counts more than was posted", static_cast<int>(rule.id));
        }
    }

    std::set<int> posted_; ///< whose post said so
    Cell *cells_ = nullptr;
    uint64_t count_ = 0;
};

void add(char const *name, char const *about, int deepest, std::vector<RouterProgram> programs)
{
    scenarios().push_back(
        {"router", name, about, [=] { return std::make_unique<RouterWorld>(programs); }, deepest});
}

void add_posting(char const *name, char const *about, int deepest,
                 std::vector<RouterProgram> programs)
{
    scenarios().push_back(
        {"router", name, about, [=] { return std::make_unique<PostingWorld>(programs); }, deepest});
}

RouterProgram posts(uint64_t tag)
{
    return [=](Hand const &me) { me.post(tag); };
}

RouterProgram adds(uint64_t tag)
{
    return [=](Hand const &me) { me.add(tag); };
}

RouterProgram routes(uint64_t tag)
{
    return [=](Hand const &me) { me.route(tag); };
}

RouterProgram removes(uint64_t id)
{
    return [=](Hand const &me) { me.remove(id); };
}

} // namespace

void register_router()
{
    RouterProgram const comes_and_goes = [](Hand const &me) {
        if (uint64_t const id = me.add(2); id != 0)
            me.remove(id);
    };
    add("rt_change", "rules are read while they change twice", 2, {comes_and_goes, routes(2)});
    add("rt_replace", "a rule makes place for another one while it is read", 2,
        {[](Hand const &me) {
             me.remove(1);
             me.add(2);
         },
         routes(1)});
    add("rt_line", "a line of counters gets another rule while it is counted in", 1,
        {[](Hand const &me) {
             me.remove(1);
             me.add(2);
             me.add(3); // in the line of the first
         },
         routes(1)});
    add("rt_two", "one adds a rule and one removes another one, which is read", 1,
        {adds(2), removes(1), routes(1)});
    add("rt_remove", "two remove the same rule", 2, {removes(1), removes(1)});
    add("rt_count", "two are counted while a rule is added", 1, {adds(2), routes(1), routes(1)});
    add_posting("rt_post", "two post by a rule that is removed and replaced", 1,
                {posts(1), posts(1), [](Hand const &me) {
                     me.remove(1);
                     me.add(2);
                     me.add(3); // in the line of the first
                 }});
    add_posting("rt_post_heal", "one posts while rules come and go, beside a heal", 1,
                {posts(1), comes_and_goes, [](Hand const &me) { me.heal(); }});
    add("rt_watch", "a read-only handle opens a router that is retired", 2,
        {[](Hand const &me) { me.retire(); }, [](Hand const &me) { me.watch(); }});
    add("rt_heal", "a heal beside who changes the rules", 1,
        {removes(1), [](Hand const &me) { me.heal(); }, adds(2)});
}

} // namespace weir::explore
