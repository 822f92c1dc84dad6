// SPDX-License-Identifier: MIT OR Apache-2.0
// Scenarios of the matrix: allocation, free, splitting, merging, healing, exact out-of-memory.
#include "core/matrix/sector_hot.hpp"
#include "tests/explore/matrix_world.hpp"
#include "tests/explore/scenarios.hpp"

namespace weir::explore {
namespace {

using Programs = std::vector<MatrixProgram>;
using Pieces = std::vector<Piece>;

void add_plan(char const *name, char const *about, int deepest, MatrixPlan plan, Programs programs,
              std::function<void(MatrixWorld &)> spoil = nullptr,
              std::function<void(MatrixWorld &)> extra_check = nullptr)
{
    scenarios().push_back({"matrix", name, about,
                           [=] {
                               auto world = std::make_unique<MatrixWorld>(plan, programs);
                               world->spoil = spoil;
                               world->extra_check = extra_check;
                               return world;
                           },
                           deepest});
}

void add(char const *name, char const *about, int deepest, Pieces small, Programs programs)
{
    MatrixPlan plan;
    plan.pieces[kSmall] = std::move(small);
    add_plan(name, about, deepest, std::move(plan), std::move(programs));
}

// ---- programs

MatrixProgram frees(std::size_t piece)
{
    return [=](Actor const &me) { me.free_piece(piece); };
}

MatrixProgram allocs(Granules granules, Granules align = 1)
{
    return [=](Actor const &me) { me.alloc(granules, align); };
}

MatrixProgram alloc_free(Granules granules)
{
    return [=](Actor const &me) { me.alloc_and_free(granules); };
}

MatrixProgram heals()
{
    return [](Actor const &me) { me.heal(); };
}

/// A world whose programs share a static variable, which each run sets anew.
struct Starting : MatrixWorld {
    Starting(MatrixPlan plan, Programs programs, std::function<void()> start)
        : MatrixWorld(std::move(plan), std::move(programs)), start_(std::move(start))
    {
    }
    void begin_run() override
    {
        start_();
        MatrixWorld::begin_run();
    }

  private:
    std::function<void()> start_;
};

MatrixProgram then(MatrixProgram first, MatrixProgram second)
{
    return [=](Actor const &me) {
        first(me);
        second(me);
    };
}

/// By the hints alone: a block that this fibre has just freed is found, whoever is stopped.
void must_find(Actor const &me, Granules granules)
{
    Sector sector;
    sector.init(me.matrix().segment(), kSmall);
    Caller const self = me.matrix().caller();
    Window window(self);
    bool contended = false;
    Run const run = sector.search(Need{granules, 1}, 0, window, contended);
    if (run.length != 0) {
        sector.release_run(run, self.owner());
        return;
    }
    if (!contended)
        fail("a block freed by %c cannot be found while another fibre is stopped",
             letter(me.number()));
}

/// The block at 0 is FREE already, perhaps without hints; nobody else wants it.
void alloc_what_is_free(Actor const &me)
{
    bool const is_free = me.word_at(0).is(Kind::free);
    if (me.alloc(2).value == 0 && is_free)
        fail("a FREE block was there all the time, and alloc did not find it");
}

/// Two free the same block: one succeeds, the other is told.
void free_shared(Actor const &me, std::size_t piece, int &successes)
{
    Status const status = me.matrix().free(me.piece(piece));
    if (status.ok())
        successes++;
    else if (status.code != -kStale && status.code != -EINVAL)
        fail("the second free says %d", status.code);
    if (successes > 1)
        fail("one block was freed twice");
}

void register_freeing()
{
    add("free2", "two neighbours freed at once end as one block", 3,
        {used(2), used(2), used(2), used(2)}, {frees(1), frees(2)});
    add("free3", "three neighbours freed at once", 2, {used(1), used(2), used(2), used(2), used(1)},
        {frees(1), frees(2), frees(3)});
    add("free3ones", "one-granule blocks: head and TAIL are one word", 2,
        {used(1), used(1), used(1), used(1)}, {frees(0), frees(1), frees(2)});
    add("freeF3", "the same between FREE blocks", 2, {open(2), used(1), used(1), used(1), open(3)},
        {frees(1), frees(2), frees(3)});
    add("right_to_left", "freed right to left by one fibre", 3,
        {used(1), used(2), used(1), used(2), used(2)},
        {then(then(frees(4), frees(3)), then(frees(2), then(frees(1), frees(0))))});
}

void register_allocation()
{
    add("split_vs_free", "a split's remainder beside a block that is freed", 3, {open(6), used(2)},
        {allocs(2), frees(1)});
    add("split_vs_free3", "the same with two frees", 2, {open(4), used(2), used(2)},
        {allocs(2), frees(1), frees(2)});
    add("split_left", "a split's remainder beside the free of its left neighbour", 3,
        {used(2), open(6)}, {allocs(2), frees(0)});
    add("split_pair", "a split's remainder is taken and given back while its left is merged", 3,
        {used(2), open(6)}, {allocs(2), then(frees(0), alloc_free(4))});
    add("split_pair3", "the same by three", 2, {used(2), open(6)},
        {allocs(2), frees(0), alloc_free(4)});
    add("two_alloc", "two allocations from one block", 3, {open(8)},
        {alloc_free(3), alloc_free(2)});
    add("three_alloc", "three allocations from one block", 2, {open(8)},
        {allocs(3), allocs(2), allocs(1)});
    add("alloc_vs_merge", "a search while its block is merged", 2, {open(2), used(2), open(4)},
        {frees(1), allocs(4), allocs(2)});
    add("alloc_vs_merge2", "the same, with all given back", 3, {open(3), used(1), open(3), used(1)},
        {frees(1), alloc_free(3)});
    add("last", "two want the whole sector", 3, {open(4)}, {alloc_free(4), alloc_free(4)});
    add("quota", "what is withheld for a moment is no shortage", 2, {open(4)},
        {alloc_free(2), alloc_free(1), allocs(1)});
    add("quota_big", "freed by one, wanted by both", 3, {used(2), open(2)},
        {then(frees(0), allocs(2)), alloc_free(2)});
    add("aba_free", "a block freed, merged, taken again", 3, {used(2), used(1), open(2), used(3)},
        {then(frees(0), allocs(2)), allocs(2)});
    add("aba_free3", "the same by three", 2, {used(2), used(1), open(2), used(3)},
        {frees(0), allocs(2), allocs(2)});
    add("aba2", "two searchers, one free beside their block", 2,
        {used(2), used(2), open(2), used(2)}, {frees(0), allocs(2), allocs(2)});
    add("aba_walk", "one-granule blocks come and go under the hop walk", 2,
        {used(1), used(1), open(1), used(1)},
        {then(frees(0), alloc_free(1)), allocs(1), then(alloc_free(1), allocs(1))});
    add("exact_class", "all blocks of the exact class are looked at", 3,
        {open(4), used(1), open(5), used(1), used(5)}, {allocs(5)});
    add("align", "an aligned allocation trims both ends beside frees", 2,
        {used(1), open(6), used(1)}, {allocs(2, 4), frees(2)});
    add("align3", "the same with frees on both sides", 2, {used(1), open(6), used(1)},
        {allocs(2, 4), frees(0), frees(2)});
    add("align_quota", "aligned requests and exact out-of-memory", 2, {open(8)},
        {allocs(2, 4), allocs(4, 4), alloc_free(1)});
}

void register_hints()
{
    add("rule1now", "a freed block is found while another free is stopped", 3,
        {used(1), used(1), used(1), used(1), used(4)}, {frees(0), [](Actor const &me) {
                                                            me.free_piece(2);
                                                            must_find(me, 1);
                                                        }});
    add("rule1", "freed by two, wanted by a third", 2,
        {used(1), used(1), used(1), used(1), used(4)}, {frees(0), frees(2), alloc_free(1)});
    add("hints", "the last bit of a word cleared while another is set", 3,
        {open(1), used(1), used(1), used(1), used(4)}, {allocs(1), frees(2)});
    add("hints3", "the same with a third", 2,
        {open(1), used(1), used(1), used(1), open(1), used(3)},
        {alloc_free(1), frees(2), allocs(1)});
    add("hintsdeep", "the same through all levels of the index", 2,
        {open(1), used(1), used(2), used(1), used(3), used(8)},
        {then(allocs(1), allocs(1)), frees(3), frees(1)});
    // The third allocation begins behind chunk 0, goes round, forgets it, and is content with
    // the large block.
    add("hints_other", "a level is cleared while another chunk's bit comes up", 3,
        {open(1), used(1), open(2), used(1), used(3), open(8)},
        {then(allocs(1), then(allocs(2), allocs(1))), frees(3)});
    // The first cuts 7 to 5, so the step of 6 and 7 stays behind; while it forgets it, the second
    // makes 7 of the 5 and the third cuts 6 off it, which is the same step.
    static Ref cut;
    MatrixPlan plan;
    plan.pieces[kSmall] = {used(1), open(7), used(1), open(8)};
    scenarios().push_back({"matrix", "hintskept",
                           "a step is forgotten while somebody holds its block",
                           [=] {
                               return std::make_unique<Starting>(plan,
                                                                 Programs{[](Actor const &me) {
                                                                              cut = me.alloc(2);
                                                                              me.alloc(6);
                                                                          },
                                                                          [](Actor const &me) {
                                                                              if (cut.value != 0)
                                                                                  me.free(cut);
                                                                          },
                                                                          allocs(1)},
                                                                 [] { cut = {}; });
                           },
                           3});
    // The first cuts 4 to 3, makes it 4 again, and relies on the step of 3 when it cuts once more. The
    // second looks under that step, where it finds nothing that is aligned as it wants, and forgets it.
    Pieces const known{used(1), open(4), used(1), open(8)};
    add("known", "a step that somebody knows is forgotten", 2, known,
        {then(alloc_free(1), allocs(1)), then(alloc_free(1), allocs(3, 8))});
    add("known_heal", "the same, and who forgets it dies", 2, known,
        {then(alloc_free(1), then(heals(), allocs(1))), then(alloc_free(1), allocs(3, 8))});
    // Whose block was the right one twice, with another at its side each time, leaves it and waits.
    add("disturbed", "a block that fits is left alone, because somebody works beside it", 2,
        {used(1), open(1), used(1), used(1)},
        {then(alloc_free(1), then(alloc_free(1), allocs(1))), then(frees(2), alloc_free(1))});
    add("disturbed_heal", "the same, and somebody heals", 2, {used(1), open(1), used(1), used(1)},
        {then(alloc_free(1), then(alloc_free(1), allocs(1))), then(frees(2), alloc_free(1)),
         heals()});
    add("heal_listed", "what the dead one had not listed is in somebody's hand when he is healed",
        2, {used(7), used(1)}, {frees(0), allocs(1), heals()});
    add("late_clear", "the hint of a block that was made where an absorbed one had been", 3,
        {used(2), open(2), used(4)}, {frees(0), [](Actor const &me) {
                                          Ref const right = me.alloc(2);
                                          me.alloc(2);
                                          if (right.value != 0)
                                              me.free(right);
                                      }});
}

void register_misuse()
{
    // Shared by the two programs of one schedule; a schedule begins with the first program's start.
    static int successes;
    auto const both = [](Actor const &me) { free_shared(me, 1, successes); };
    MatrixPlan plan;
    plan.pieces[kSmall] = {used(2), used(2), used(2), used(2)};
    scenarios().push_back(
        {"matrix", "second_free", "one of two frees of one block is refused",
         [=] {
             return std::make_unique<Starting>(plan, Programs{both, both}, [] { successes = 0; });
         },
         3});
    add("free_late", "free, take again, and a free by the old ref", 3, {used(2), used(2), used(4)},
        {[](Actor const &me) {
             Ref const old = me.piece(0);
             me.free(old);
             Ref const next = me.alloc(2);
             if (me.matrix().free(old).ok())
                 fail("a stale ref freed a block");
             if (next.value != 0)
                 me.free(next);
         },
         frees(1)});
}

void register_owners()
{
    add("give_nobody", "a block given to nobody outlives its owner", 3, {used(2, 0), open(2)},
        {[](Actor const &me) {
             if (!me.matrix().give(me.piece(0), 0).ok())
                 fail("give says no");
         },
         [](Actor const &me) {
             Status const status = me.matrix().take(me.piece(0));
             if (status.ok())
                 me.free_piece(0);
         }});
    add("give_to", "a block given to somebody who may die at that moment", 3, {used(2, 0), open(2)},
        {[](Actor const &me) {
             Owner const to = 2;
             Status const status = me.matrix().give(me.piece(0), me.matrix().id_of(to));
             if (!status.ok() && status.code != -ESRCH && status.code != -EINVAL &&
                 status.code != -kStale)
                 fail("give says %d", status.code);
         },
         alloc_free(2), heals()});
    add("transition_free", "a state changes while the block is freed", 3, {used(2), open(2)},
        {[](Actor const &me) {
             Status const status = me.matrix().transition(me.piece(0), 0, 50);
             if (!status.ok() && status.code != -kStale)
                 fail("transition says %d", status.code);
         },
         frees(0)});
}

void register_roots()
{
    static auto const bind = [](Actor const &me, std::size_t piece) {
        Status const status = me.matrix().bind("it", me.piece(piece));
        bool const in_the_way = status.code == -EBUSY && anybody_stopped();
        if (!status.ok() && status.code != -EEXIST && !in_the_way)
            fail("bind says %d", status.code);
    };
    add("bind", "two bind one name, a third looks", 2, {used(2, 0), used(2, 1), open(4)},
        {[](Actor const &me) { bind(me, 0); }, [](Actor const &me) { bind(me, 1); },
         [](Actor const &me) {
             auto const found = me.matrix().lookup("it");
             if (found.ok() && !me.matrix().find(*found).ok())
                 fail("the name leads to no block");
         }});
    add("bind_unbind", "a name bound, looked up, and taken away", 2, {used(2, 0), open(2)},
        {[](Actor const &me) {
             bind(me, 0);
             auto const back = me.matrix().unbind("it");
             if (back.status().code == -EBUSY && anybody_stopped())
                 return;
             if (!back.ok() || !(*back == me.piece(0)))
                 fail("unbind says %d", back.status().code);
         },
         heals()});
}

void register_healing()
{
    MatrixPlan stopped;
    stopped.pieces[kSmall] = {used(2), used(2)};
    add_plan("stopped_free", "a FREE block without hints is found while its publisher is stopped",
             3, stopped, {frees(0), alloc_what_is_free});
    add("heal_conc", "a heal beside frees", 2, {used(2, 0), open(2), used(2), used(2)},
        {frees(0), heals(), frees(2)});
    add("heal_alone", "a heal of blocks between those of others, who free theirs", 2,
        {used(1, 0), used(1), used(2, 0), used(1), used(1), used(1, 0), used(1)},
        {frees(1), heals(), frees(3)});
    add("heal_left", "a heal of a block right of a free one", 2, {used(1), used(2, 0), used(1)},
        {frees(0), heals()});
    add("heal_run", "a heal of a run of blocks, the middle one of which somebody else frees", 2,
        {used(1), used(1, 0), used(2, 0), used(1, 0), used(1)},
        {frees(1), heals(), [](Actor const &me) {
             Status const status = me.matrix().free(me.piece(2));
             if (!status.ok() && !anybody_died())
                 fail("free says %d", status.code);
         }});
    add("heal_groups", "a heal of blocks whose hints stand in two words of the index", 2,
        {used(2, 0), used(1), used(4, 0), used(2), used(1), used(1, 0), used(1), used(2, 0),
         used(2)},
        {frees(0), heals(), alloc_free(1)});
    add("heal_taken", "what healing published is taken before its look at the right", 2,
        {used(1), used(11, 0), used(1), used(3)}, {frees(1), heals(), frees(2), allocs(3)});
    add("heal_split", "a heal beside a split", 2, {open(6), used(2)},
        {allocs(2), heals(), frees(1)});
    add("heal_alloc", "an allocation that must heal", 2, {open(2), used(2), used(2), used(2)},
        {frees(1), allocs(2), heals()});
    add("heal_two", "two dead beside each other", 2, {used(2), used(2), used(2), used(2)},
        {frees(1), frees(2), heals()});
    add("heal_needed3", "the same while another one heals", 2, {used(4, 0), used(4)},
        {frees(0), allocs(3), heals()});
    add("heal_vs_free", "a dead one's block is freed by somebody else during the heal", 3,
        {used(2, 0), open(2), used(2)}, {alloc_free(2), heals(), [](Actor const &me) {
                                             Status const status = me.matrix().free(me.piece(0));
                                             if (!status.ok() && !anybody_died())
                                                 fail("free says %d", status.code);
                                         }});
    add("heal_needed", "what the dead had is found by who needs it", 3, {used(4, 0), used(4)},
        {frees(0), allocs(3)});

    MatrixPlan stale;
    stale.pieces[kSmall] = {used(2), used(2), open(4)};
    add_plan("stale", "a CLAIMED word of an earlier holder inside a FREE block is no evidence", 2,
             stale, {frees(0), heals(), frees(1)}, [](MatrixWorld &world) {
                 auto *const words =
                     reinterpret_cast<BlockWord *>(world.handle(0).segment().at<char>(
                         world.handle(0).segment().geometry().sector[kSmall].words));
                 words[6] = BlockWord::of(Kind::claimed, 0, world.owner_of(0), 0, 2);
             });

    MatrixPlan keep;
    keep.keep_blocks = true;
    keep.pieces[kSmall] = {used(2, 0), open(2), used(2), used(2)};
    add_plan("heal_keep", "the policy `keep` gives the dead one's blocks to nobody", 2, keep,
             {frees(2), alloc_free(2), heals()});
}

/// A check while others work may say that somebody has not come to rest, but finds no error.
void check_live(Actor const &me)
{
    CheckReport report;
    Status const status = me.matrix().check(false, report);
    if (!status.ok())
        fail("check says %d", status.code);
    if (report.broken_chains + report.wrong_tails + report.unmerged_pairs + report.unfindable != 0)
        fail("check finds errors in a healthy matrix: %u chains, %u tails, %u pairs, %u unfindable",
             static_cast<unsigned>(report.broken_chains), static_cast<unsigned>(report.wrong_tails),
             static_cast<unsigned>(report.unmerged_pairs),
             static_cast<unsigned>(report.unfindable));
}

void register_sectors()
{
    add("check_live", "a check beside a free and an allocation finds no error", 2,
        {used(2), used(2), open(4)}, {frees(1), allocs(1), check_live});
    MatrixPlan plan;
    plan.isolate = false;
    plan.pieces[kSmall] = {used(2), used(2)};
    plan.pieces[kMedium] = {open(4)};
    add_plan("spill", "a full sector: the next one serves", 2, plan,
             {allocs(2), frees(0), [](Actor const &me) { me.alloc_in(kMedium, 4); }});
}

} // namespace

void register_matrix()
{
    register_freeing();
    register_allocation();
    register_hints();
    register_misuse();
    register_owners();
    register_roots();
    register_healing();
    register_sectors();
}

} // namespace weir::explore
