// SPDX-License-Identifier: MIT OR Apache-2.0
// Scenarios of a pool in a matrix: the last slot, stealing, growth, waiting, dying, the end.
#include "tests/explore/pool_world.hpp"
#include "tests/explore/scenarios.hpp"

namespace weir::explore {
namespace {

using Programs = std::vector<PoolProgram>;

void add(char const *name, char const *about, int deepest, PoolPlan plan, Programs programs)
{
    MatrixPlan matrix;
    matrix.pieces[kSmall] = {used(1), open(60)};
    bool const waits = std::string(name).find("wait") != std::string::npos;
    scenarios().push_back({"pool", name, about,
                           [=] {
                               auto world = std::make_unique<PoolWorld>(plan, matrix, programs);
                               world->may_spin_on = waits; // to come to the sleep
                               return world;
                           },
                           deepest});
}

PoolPlan slots(uint64_t capacity, char const *taken = "")
{
    PoolPlan plan;
    plan.capacity = capacity;
    plan.taken = taken;
    return plan;
}

PoolPlan growing(uint64_t capacity, uint64_t most, char const *taken = "")
{
    PoolPlan plan = slots(capacity, taken);
    plan.most = most;
    return plan;
}

PoolProgram pairs(int count)
{
    return [=](Swimmer const &me) { me.acquire_and_release(count); };
}

PoolProgram takes(int count)
{
    return [=](Swimmer const &me) {
        for (int i = 0; i < count; i++)
            me.acquire();
    };
}

PoolProgram gives(unsigned index)
{
    return [=](Swimmer const &me) { me.release(me.before(index)); };
}

/// Sleeps until there is a slot.
PoolProgram waits()
{
    return [](Swimmer const &me) { me.acquire_and_release(1, 600 * kMillisecond); };
}

PoolProgram heals()
{
    return [](Swimmer const &me) { me.heal(); };
}

void register_usual()
{
    add("pool_last", "two want the last slot", 3, slots(1), {takes(1), takes(1)});
    add("pool_one", "two take turns with one slot", 2, slots(1), {pairs(2), pairs(1)});
    add("pool_enough", "three with one slot each never find the pool empty", 1, slots(3),
        {pairs(2), pairs(1), pairs(1)});
    add("pool_pairs", "two take and give back, two slots", 2, slots(2), {pairs(2), pairs(2)});
    add("pool_steal", "a slot that one keeps is another's last", 2, slots(1, "a"),
        {gives(0), takes(1), takes(1)});
    add("pool_many", "a lane overflows while another one takes", 2, slots(4, "aa"),
        {[](Swimmer const &me) {
             me.release(me.before(0));
             me.release(me.before(1));
             me.acquire_and_release();
         },
         takes(2)});
    add("pool_moves", "the free slot is another one all the time, and there is always one", 3,
        slots(2, "ab"),
        {gives(0),
         [](Swimmer const &me) {
             me.release(me.before(1));
             me.acquire();
         },
         takes(1)});
    PoolPlan late = slots(3, "aaa");
    late.stale = true;
    add("pool_stale", "a hint without a slot, beside a release", 2, late,
        {[](Swimmer const &me) {
             for (unsigned i = 0; i < 3; i++)
                 me.release(me.before(i));
         },
         takes(1)});
    add("pool_passing", "a slot is released by another one than its user", 2, slots(2, "aa"),
        {[](Swimmer const &me) {
             me.release(me.before(0));
             me.acquire();
         },
         gives(1), takes(1)});
    add("pool_hint", "a hint is dropped beside a release", 2, slots(2, "ab"),
        {[](Swimmer const &me) {
             me.release(me.before(0));
             me.acquire_and_release();
         },
         [](Swimmer const &me) {
             me.release(me.before(1));
             me.acquire_and_release();
         },
         takes(1)});
}

void register_growth_of_pools()
{
    add("pool_grow", "growth beside an acquire that needs it", 2, growing(1, 2, "-"),
        {[](Swimmer const &me) { me.grow(1); }, takes(1)});
    add("pool_grow_two", "two need the same growth", 2, growing(1, 2, "-"), {takes(1), takes(1)});
    add("pool_grow_release", "growth beside a release", 2, growing(1, 4, "b"),
        {takes(2), gives(0)});
    add("pool_grow_heal", "growth beside a heal", 1, growing(1, 4, "-"),
        {takes(1), heals(), takes(1)});
}

void register_waiting_for_slots()
{
    add("pool_wait", "a sleeper and a release", 2, slots(1, "b"), {waits(), gives(0)});
    add("pool_wait_two", "two sleepers, one slot", 1, slots(1, "c"), {waits(), waits(), gives(0)});
    add("pool_wait_grow", "a sleeper and growth", 1, growing(1, 2, "-"),
        {waits(), [](Swimmer const &me) { me.grow(1); }});
    add("pool_wait_death", "a sleeper whose waker may die, and a healer", 1, slots(1, "b"),
        {waits(), gives(0), heals()});
    PoolPlan ends = slots(1, "-");
    ends.retires = true;
    add("pool_wait_end", "a sleeper in a pool that is destroyed", 2, ends,
        {waits(), [](Swimmer const &me) { me.retire(); }});
    add("pool_wait_matrix", "a sleeper in a pool whose matrix is retired", 2, ends,
        {waits(), [](Swimmer const &me) {
             if (!me.matrix().retire().ok())
                 fail("retiring the matrix says no");
         }});
}

void register_healing_of_slots()
{
    add("pool_heal", "a heal beside an acquire and a release", 2, slots(2, "a"),
        {gives(0), heals(), takes(1)});
    PoolPlan keeps = slots(2, "a");
    keeps.keep = true;
    add("pool_keep", "the slots of the dead stay", 2, keeps, {takes(1), heals(), pairs(1)});
    add("pool_keep_release", "a slot of the dead is released while it is kept", 2, keeps,
        {takes(0), heals(), gives(0)});
    PoolPlan ends = growing(1, 2, "-");
    ends.retires = true;
    add("pool_end", "a pool is destroyed while somebody acquires and grows it", 1, ends,
        {[](Swimmer const &me) { me.retire(); }, takes(1), heals()});
}

} // namespace

void register_pool()
{
    register_usual();
    register_growth_of_pools();
    register_waiting_for_slots();
    register_healing_of_slots();
}

} // namespace weir::explore
