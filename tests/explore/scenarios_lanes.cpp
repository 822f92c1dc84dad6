// SPDX-License-Identifier: MIT OR Apache-2.0
// Scenarios of lanes: pops, pushes, refills, flushes and thefts of CACHED blocks. Each program has
// a lane of its own, of two blocks per size here; a free goes there first.
#include "tests/explore/matrix_world.hpp"
#include "tests/explore/scenarios.hpp"

namespace weir::explore {
namespace {

using Pieces = std::vector<Piece>;
using Programs = std::vector<MatrixProgram>;

MatrixPlan lanes_with(Pieces small)
{
    MatrixPlan plan;
    plan.pieces[kSmall] = std::move(small);
    plan.lanes = true;
    return plan;
}

void add_plan(char const *name, char const *about, int deepest, MatrixPlan plan, Programs programs)
{
    scenarios().push_back({"lanes", name, about,
                           [=] { return std::make_unique<MatrixWorld>(plan, programs); }, deepest});
}

void add(char const *name, char const *about, int deepest, Pieces small, Programs programs,
         Granules reserve = 0)
{
    MatrixPlan plan = lanes_with(std::move(small));
    plan.reserve[kSmall] = reserve;
    add_plan(name, about, deepest, plan, std::move(programs));
}

/// The programs are threads of one participant: their blocks and entries have the same owner id.
void add_threads(char const *name, char const *about, int deepest, Pieces small, Programs programs,
                 bool keep = false)
{
    MatrixPlan plan = lanes_with(std::move(small));
    plan.one_process = true;
    plan.keep_blocks = keep;
    add_plan(name, about, deepest, plan, std::move(programs));
}

/// The first two programs are threads of one process; they have a depot for one block of a size.
void add_depot(char const *name, char const *about, int deepest, Pieces small, Programs programs)
{
    MatrixPlan plan = lanes_with(std::move(small));
    plan.threads = 2;
    add_plan(name, about, deepest, plan, std::move(programs));
}

/// The first program has left a batch in the exchange.
void add_shelved(char const *name, char const *about, int deepest, Pieces small, Programs programs)
{
    MatrixPlan plan = lanes_with(std::move(small));
    plan.shelved = true;
    add_plan(name, about, deepest, plan, std::move(programs));
}

/// The second program wants what the others have too much of.
void add_exchange(char const *name, char const *about, int deepest, Pieces small, Programs programs)
{
    MatrixPlan plan = lanes_with(std::move(small));
    plan.wants = 1;
    add_plan(name, about, deepest, plan, std::move(programs));
}

MatrixProgram frees(std::vector<std::size_t> pieces)
{
    return [=](Actor const &me) {
        for (std::size_t piece : pieces)
            me.free_piece(piece);
    };
}

MatrixProgram allocs(Granules granules, Granules align = 1)
{
    return [=](Actor const &me) { me.alloc(granules, align); };
}

MatrixProgram pairs(Granules granules, int times)
{
    return [=](Actor const &me) {
        for (int i = 0; i < times; i++)
            me.alloc_and_free(granules);
    };
}

MatrixProgram frees_and_takes(std::size_t piece, Granules granules)
{
    return [=](Actor const &me) {
        me.free_piece(piece);
        me.alloc(granules);
    };
}

void register_pops()
{
    add("lane_pairs", "two threads allocate and free again", 2, {open(6)},
        {pairs(1, 2), pairs(1, 2)});
    add("mag_quota", "what a lane keeps is no shortage for another", 3, {used(1), used(1), used(2)},
        {frees_and_takes(0, 1), frees_and_takes(1, 1), allocs(1)});
    // Of both blocks one is kept at each moment, but a walk may meet each while it is a user's.
    add("mag_swap", "memory moves from user to lane and back while somebody looks for it", 3,
        {used(1), used(2), used(1)},
        {[](Actor const &me) {
             me.free_piece(1);
             me.free_piece(0);
             me.alloc(2);
         },
         allocs(1)});
    add("mag_late", "a pop beside a late free by the old ref", 3, {used(1), used(3)},
        {[](Actor const &me) {
             Ref const old = me.piece(0);
             me.free(old);
             me.alloc(1);
             if (me.matrix().free(old).ok())
                 fail("a stale ref freed a block");
         },
         allocs(1)});
}

void register_refills()
{
    add("refill_steal", "a refill while another needs it all", 2, {open(4)},
        {allocs(1), allocs(3)});
    add("refill_two", "two refills from one block", 3, {open(6)}, {allocs(2), allocs(2)});
    add("refill_all", "a refill that takes a whole block", 3, {used(1), open(4), used(1)},
        {allocs(2), frees({0})});
    add("refill_old", "an entry of before, inside a block that is being cut again", 3, {open(4)},
        {[](Actor const &me) {
             Ref const got = me.alloc(2); // keeps the other half
             me.alloc(2);                 // unless it was stolen
             if (got.value != 0)
                 me.free(got);
         },
         [](Actor const &me) {
             Ref const got = me.alloc(4);
             if (got.value != 0)
                 me.free(got);
             else
                 me.alloc_and_free(1);
         }});
    add("refill_grow", "a lane and growth", 2, {open(4)}, {pairs(2, 2), allocs(4)}, 8);
}

void register_thefts()
{
    add("steal_merge", "CACHED blocks on both sides of a FREE one", 2,
        {used(1), open(1), used(1), used(1)}, {frees({0}), frees({2}), allocs(3)});
    add("steal_two", "two thieves", 2, {used(2), used(2)}, {frees({0, 1}), allocs(4), allocs(2)});
    add("steal_back", "the owner pops while he is robbed", 3, {used(2), used(1), used(1)},
        {frees_and_takes(0, 2), frees({1}), allocs(3)});
    add("steal_align", "a theft for an aligned request", 2, {used(1), used(2), used(1)},
        {frees({0, 1}), allocs(2, 2)});
    add("steal_own", "an allocation needs what its own lane keeps", 3, {used(1), used(1), used(2)},
        {[](Actor const &me) {
             me.free_piece(0);
             me.free_piece(1);
             if (me.alloc(2).value == 0)
                 fail("what its own lane kept was not found");
         },
         frees({2})});
}

void register_flushes()
{
    add("lane_wait", "who sleeps until there is memory gets what a lane keeps", 2,
        {used(2), used(2)}, {[](Actor const &me) { me.alloc_waiting(2); }, frees({0})});
    add("overflow", "a full magazine gives half of it back", 2,
        {used(1), used(1), used(1), used(2)}, {frees({0, 1, 2}), frees({3})});
    add("overflow_take", "the same beside an allocation of the whole", 2,
        {used(1), used(1), used(1), used(1)}, {frees({0, 1, 2}), allocs(3)});
    add("overflow_two", "two lanes overflow side by side", 2,
        {used(1), used(1), used(1), used(1), used(1), used(1)},
        {frees({0, 2, 4}), frees({1, 3, 5})});
    add("flush_left", "what is given back is merged, the last one freed is the first", 2,
        {used(1), used(1), used(2)},
        {[](Actor const &me) {
             me.free_piece(1);
             me.free_piece(0);
             me.alloc(2);
         },
         frees({2}), [](Actor const &me) { me.heal(); }});
    add("flush_apart", "what is given back does not touch, and another one frees what is between",
        2, {used(1), used(1), used(1), used(1)},
        {[](Actor const &me) {
             me.free_piece(0);
             me.free_piece(2);
             me.alloc(2);
         },
         frees({1})});
    add("lane_heal", "healing while lanes work", 2, {used(1), used(1), open(2)},
        {frees_and_takes(0, 1), [](Actor const &me) { me.heal(); }, frees({1})});
    add("lane_check", "check while lanes work", 2, {used(1), open(2), used(1)},
        {frees_and_takes(0, 1), [](Actor const &me) {
             CheckReport report;
             Status const status = me.matrix().check(false, report);
             if (!status.ok() || report.unmerged_pairs + report.wrong_tails != 0)
                 fail("check finds errors: %d", status.code);
         }});
}

void register_threads()
{
    add_threads("threads_pairs", "two threads of one process allocate and free again", 2, {open(6)},
                {pairs(1, 2), pairs(1, 2)});
    add_threads("threads_pass", "a block freed by the other thread goes to its lane", 2,
                {used(1), used(1), open(2)}, {frees_and_takes(0, 1), frees_and_takes(1, 1)});
    add_threads("threads_steal", "one thread needs what the lane of the other keeps", 2,
                {used(1), used(1), used(2)}, {frees({0, 1}), allocs(2)});
    add_threads("threads_swap", "the same while its owner takes it again", 2,
                {used(2), used(1), used(1)}, {frees_and_takes(0, 2), frees_and_takes(1, 2)});
    // Whose entry a block is cannot be told by its word: both have the same owner id.
    add_threads("threads_entry", "an entry of one lane is meanwhile one of the other", 2,
                {used(2), used(1), used(1)}, {frees_and_takes(0, 2), [](Actor const &me) {
                                                  Ref const got = me.alloc(2); // steals it
                                                  if (got.value == 0)
                                                      return;
                                                  me.free(got);
                                                  me.alloc(2);
                                              }});
    add_threads("threads_three", "three threads, and memory is short", 1,
                {used(1), used(1), used(1), used(1)},
                {frees_and_takes(0, 1), frees_and_takes(1, 1), frees_and_takes(2, 2)});
    add_threads("threads_keep", "a process of two threads dies and its blocks are kept", 2,
                {used(1, 0), used(1, 0), open(2)}, {pairs(1, 2), frees_and_takes(0, 1)}, true);
}

void register_depot()
{
    add_depot("depot_pass", "a thread allocates what another one has too much of", 3,
              {used(1), used(1), used(1), used(1)}, {frees({0, 1, 2}), pairs(1, 2)});
    add_depot("depot_full", "two threads have too much, the depot has room for one", 2,
              {used(1), used(1), used(1), used(1), used(1), used(3)},
              {frees({0, 2, 4, 1}), [](Actor const &me) {
                   me.free_piece(3);
                   me.free_piece(5);
                   me.alloc(1);
               }});
    add_depot("depot_stolen", "a batch whose block another process takes", 3,
              {used(1), used(1), used(1), used(1)}, {frees({0, 1, 2}), allocs(1), allocs(3)});
    add_depot("depot_short", "an allocation needs what the depot keeps", 3,
              {used(1), used(1), used(1), used(1)},
              {[](Actor const &me) {
                   for (std::size_t piece : {0, 1, 2})
                       me.free_piece(piece);
                   if (me.alloc(3).value == 0)
                       fail("what its own process kept was not found");
               },
               frees({3})});
    // The second thread steals both, gives one back, and that one is in both magazines.
    add_depot("depot_twice", "entries of two threads name one block", 3,
              {used(1), used(1), used(2)},
              {[](Actor const &me) {
                   me.free_piece(0);
                   me.free_piece(1);
                   me.alloc(1);
               },
               [](Actor const &me) {
                   me.alloc(1);
                   me.alloc_and_free(1);
                   me.alloc(1);
               }});
}

void register_exchange()
{
    add_exchange("exchange_pass", "a process allocates what another one has too much of", 3,
                 {used(1), used(1), used(1), used(1)}, {frees({0, 1, 2}), pairs(1, 2)});
    add_exchange("exchange_short", "somebody needs it all while a batch changes hands", 3,
                 {used(1), used(1), used(1), used(1)}, {frees({0, 1, 2}), allocs(1), allocs(2)});
    add_exchange("exchange_last", "somebody needs the last block while it changes hands", 3,
                 {used(1), used(1), used(1), used(1)},
                 {[](Actor const &me) {
                      for (std::size_t piece : {0, 1, 2})
                          me.free_piece(piece);
                      me.alloc(1); // what it has kept
                      me.alloc(1);
                  },
                  allocs(1), allocs(1, 2)});
    add_exchange("exchange_two", "two processes want one batch", 3,
                 {used(1), used(1), used(1), used(1)}, {frees({0, 1, 2}), pairs(1, 1), allocs(1)});
    add_exchange("exchange_full", "two processes have too much, there is room for one batch", 2,
                 {used(1), used(1), used(1), used(1), used(1), used(3)},
                 {frees({0, 2, 4}), allocs(1), frees({1, 3, 5})});
    add_exchange("exchange_back", "who gave a batch away needs it", 3,
                 {used(1), used(1), used(1), used(1)},
                 {[](Actor const &me) {
                      for (std::size_t piece : {0, 1, 2})
                          me.free_piece(piece);
                      if (me.alloc(3).value == 0)
                          fail("what it had given away was not found");
                  },
                  frees({3})});
    add_shelved("shelf_take", "a batch is taken while somebody steals from it", 3,
                {kept(1), kept(1), used(2)}, {frees({2}), allocs(1), allocs(2)});
    add_shelved("shelf_resize", "a block grows over a batch that changes hands", 2,
                {used(1, 2), kept(1), kept(1), used(1)},
                {frees({3}), allocs(1), [](Actor const &me) { me.resize(me.piece(0), 3); }});
    add_shelved("shelf_grow", "a block grows over what changes hands and is nobody's meanwhile", 2,
                {used(1, 2), kept(1), kept(1), used(1)},
                {[](Actor const &) {}, allocs(1),
                 [](Actor const &me) {
                     if (!me.resize(me.piece(0), 2)) // the taker has what is behind it
                         fail("what could be had was not found");
                 }});
    add_shelved("shelf_twice", "its giver wants it back", 3, {kept(1), kept(1), used(2)},
                {allocs(1), pairs(1, 1), frees({2})});
    add_exchange("exchange_heal", "healing while a batch changes hands", 2,
                 {used(1), used(1), used(1), used(1)},
                 {frees({0, 1, 2}), allocs(1), [](Actor const &me) { me.heal(); }});
}
} // namespace

void register_lanes()
{
    register_threads();
    register_pops();
    register_refills();
    register_thefts();
    register_flushes();
    register_depot();
    register_exchange();
}

} // namespace weir::explore
