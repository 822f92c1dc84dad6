// SPDX-License-Identifier: MIT OR Apache-2.0
// Scenarios of allocations that sleep until memory comes back: nobody is forgotten.
#include "tests/explore/matrix_world.hpp"
#include "tests/explore/scenarios.hpp"

namespace weir::explore {
namespace {

void add(char const *name, char const *about, int deepest, std::vector<Piece> small,
         std::vector<MatrixProgram> programs, Granules reserve = 0)
{
    MatrixPlan plan;
    plan.pieces[kSmall] = std::move(small);
    plan.reserve[kSmall] = reserve;
    scenarios().push_back({"wait", name, about,
                           [=] {
                               auto world = std::make_unique<MatrixWorld>(plan, programs);
                               world->may_spin_on = true; // to come to the sleep
                               world->step_limit = 20000;
                               return world;
                           },
                           deepest});
}

MatrixProgram waits(Granules granules)
{
    return [=](Actor const &me) {
        if (me.alloc_waiting(granules).value == 0 && !anybody_died() && !anybody_stopped())
            fail("nothing came for seconds");
    };
}

/// Makes room for the next one.
MatrixProgram wait_frees(Granules granules)
{
    return [=](Actor const &me) {
        Ref const ref = me.alloc_waiting(granules);
        if (ref.value != 0)
            me.free(ref);
        else if (!anybody_died() && !anybody_stopped())
            fail("nothing came for seconds");
    };
}

MatrixProgram frees(std::size_t piece)
{
    return [=](Actor const &me) { me.free_piece(piece); };
}

} // namespace

void register_wait()
{
    add("wait_free", "a sleeper and a free", 2, {used(2), used(2)}, {waits(2), frees(1)});
    add("wait_merge", "what two free together is enough", 1, {used(2), used(2), used(4)},
        {waits(4), frees(0), frees(1)});
    add("wait_two", "two sleepers, one after the other", 1, {used(2), used(2)},
        {wait_frees(2), wait_frees(2), frees(1)});
    add("wait_shrink", "a block that becomes smaller wakes too", 2, {used(4, 1), used(4)},
        {waits(2), [](Actor const &me) { me.resize(me.piece(0), 2); }});
    add("wait_death", "who frees may die before he wakes, and somebody heals", 1,
        {used(2), used(2, 1)}, {waits(2), frees(1), [](Actor const &me) { me.heal(); }});
    add("wait_alloc", "a sleeper beside an allocation that takes and gives", 1,
        {used(2), open(1), used(2), used(3)},
        {waits(2), [](Actor const &me) { me.alloc_and_free(1); }, frees(2)});
    add("wait_retire", "a sleeper is told when the matrix is retired", 2, {used(2), used(2)},
        {[](Actor const &me) { me.alloc_waiting(2); },
         [](Actor const &me) {
             if (!me.matrix().retire().ok())
                 fail("retire says no");
         }});
}

} // namespace weir::explore
