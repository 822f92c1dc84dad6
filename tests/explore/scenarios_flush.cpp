// SPDX-License-Identifier: MIT OR Apache-2.0
// Scenarios of the flush ring: reserving, overflowing, cutting, waiting, full, poisoned, closed, and
// writers that stop or die between reserve and commit.
#include "tests/explore/flush_world.hpp"
#include "tests/explore/scenarios.hpp"

namespace weir::explore {
namespace {

using Programs = std::vector<FlushProgram>;

void add(char const *name, char const *about, int deepest, FlushPlan const &plan, Programs programs)
{
    scenarios().push_back({"flush", name, about,
                           [=] { return std::make_unique<FlushWorld>(plan, programs); }, deepest,
                           0.08});
}

// Of a buffer of 512 bytes 432 are for records. 128 of them: three fit, and are not split.
constexpr uint64_t kThird = 112;
constexpr uint64_t kExactThird = 128;
constexpr uint64_t kHalf = 176;

FlushProgram appends(unsigned count, uint64_t length = kThird)
{
    return [=](Appender &me) {
        for (unsigned i = 0; i < count; i++)
            me.append(length);
    };
}

/// Appends and waits, `count` times.
FlushProgram commits(unsigned count, uint64_t length = kThird, Nanoseconds timeout = -1)
{
    return [=](Appender &me) {
        for (unsigned i = 0; i < count; i++)
            if (me.append(length) == 0)
                me.wait(timeout);
    };
}

void register_appending()
{
    FlushPlan const plan;
    add("f_append", "two append beside each other", 3, plan, {appends(1), appends(1)});
    add("f_overflow", "the last of four overflows, and the gap is padded", 2, plan,
        {appends(2), appends(2)});
    add("f_exact", "the overflower of a buffer that is full to the last byte", 1, plan,
        {appends(4, kExactThird), appends(3, kExactThird)});
    add("f_split", "a record is split between two buffers", 2, plan,
        {appends(2, kHalf), appends(1, kHalf)});
    add("f_batch", "an atomic batch beside a record", 2, plan,
        {[](Appender &me) {
             me.batch({kThird, kThird});
         },
         appends(2)});
    add("f_full", "a full ring: who finds no room sleeps until there is some", 1, plan,
        {appends(5), appends(3)});
    add("f_try", "nobody waits for room, and the next buffer opens by itself", 2, plan,
        {[](Appender &me) {
             for (int i = 0; i < 5; i++)
                 me.append(kThird, 0);
         },
         [](Appender &me) {
             for (int i = 0; i < 3; i++)
                 me.append(kThird, 0);
         }});
    FlushPlan reversed;
    reversed.newest_first = true;
    add("f_order", "writes that end in the wrong order", 1, reversed, {appends(8), commits(1)});
    add("f_large", "a record larger than a buffer, beside small ones", 1, plan,
        {appends(1, 900), commits(2)});
    add("f_large_wait", "a record larger than a buffer is waited for: its pieces share a flush", 1,
        plan, {commits(1, 900), commits(1)});
    add("f_split_wait", "a record in two pieces is waited for, beside one that is written through",
        2, plan,
        {[](Appender &me) {
             me.append(kHalf);
             commits(1, kHalf)(me);
         },
         commits(1)});
    add("f_place", "a reservation in place, beside a record", 2, plan,
        {[](Appender &me) {
             if (me.reserve(kThird) == 0)
                 me.commit(64);
         },
         commits(1)});
    FlushPlan short_of_space;
    short_of_space.options.segment_size = 1024;
    short_of_space.space = 1024;
    add("f_space", "a segment that is not ready when it is wanted", 2, short_of_space,
        {appends(4), [](Appender &me) { me.ring().space_ready(8192); }});
    FlushPlan used_up = short_of_space;
    used_up.space = 3072; // enough for the large one, if others do not come first
    add("f_large_space", "a record larger than a buffer, and others take the last segment", 1,
        used_up, {appends(1, 300), [](Appender &me) {
                      me.ring().space_status(ENOSPC);
                      for (int i = 0; i < 8; i++)
                          me.append(280);
                  }});
}

void register_waiting()
{
    FlushPlan const plan;
    FlushPlan alone;
    alone.has_owner = false;
    add("f_wait", "one appends and waits", 2, plan, {commits(2), appends(1)});
    add("f_wait2", "two wait, one of them leads", 2, alone, {commits(1), commits(1)});
    add("f_wait2more", "two wait, twice", 1, plan, {commits(2), commits(2)});
    FlushPlan deep = plan;
    deep.options.commit_depth = 2;
    add("f_depth2", "two wait, and both may write", 2, deep, {commits(1), commits(1)});
    add("f_wait3", "three wait", 1, deep, {commits(1), commits(1), commits(1)});
    add("f_timed", "one waits with a time limit: the I/O thread writes", 2, plan,
        {commits(1, kThird, kSecond), appends(1)});
    add("f_timed2", "one waits with a time limit, one without", 1, plan,
        {commits(1, kThird, kSecond), commits(1)});
    FlushPlan none;
    none.options.durability = Durability::none;
    add("f_flush", "without RWF_DSYNC: who waits flushes", 2, none, {commits(1), commits(1)});
    add("f_flush2", "a batch is written while another one is flushed", 1, none,
        {commits(2), commits(1, kHalf, kSecond)});
    add("f_sync", "a sync beside a record in two pieces", 1, plan,
        {appends(3, kHalf), [](Appender &me) { me.sync(); }});
}

void register_ends()
{
    FlushPlan broken;
    broken.poison = EIO;
    broken.fail_write = 0;
    add("f_poison", "the first write fails", 2, broken, {commits(1), commits(1)});
    add("f_poison_full", "a write fails while others sleep for room", 1, broken,
        {appends(4), appends(4)});
    FlushPlan flushless;
    flushless.poison = EIO;
    flushless.fail_flush = 0;
    flushless.options.durability = Durability::none;
    add("f_poison_flush", "a flush fails", 2, flushless, {commits(1), commits(1)});
    FlushPlan called;
    called.poison = EIO;
    add("f_poisoned", "poison from outside, beside appends and a rotation", 2, called,
        {appends(4), [](Appender &me) { me.ring().poison(5, 0); }});
}

/// Flushes of what was written without RWF_DSYNC: pieces of one record, or another durability.
void register_flushes()
{
    FlushPlan once;
    once.poison = EIO;
    once.flush_fails_once = true;
    add("f_flush_once", "a flush fails, the next one would not, and what it covered is lost", 2,
        once, {commits(1, 900), commits(1)});
    once.options.durability = Durability::none;
    add("f_flush_once_none", "the same with Durability::none", 2, once, {commits(1), commits(1)});
    FlushPlan cache;
    cache.poison = EIO;
    cache.shares_errors = true;
    cache.options.commit_depth = 2;
    add("f_cache_well", "who comes while others are flushed gathers, and is woken", 2, cache,
        {commits(1), commits(1)});
    for (cache.fail_writeback = 0; cache.fail_writeback < 2; cache.fail_writeback++)
        add(cache.fail_writeback == 0 ? "f_cache" : "f_cache_later",
            "the page cache fails to write, and tells one of two", 2, cache,
            {commits(1), commits(1)});
    FlushPlan plan;
    add("f_behind", "a piece is written while others are flushed, and nobody waits for it", 2, plan,
        {commits(1, 900), appends(4)});
    add("f_mixed_large", "with a time limit, and one who leads, for records in pieces", 2, plan,
        {commits(1, 600), commits(1, kHalf, kSecond), commits(1)});
    plan.options.commit_depth = 2;
    plan.options.segment_size = 1024;
    add("f_segments", "one flush for pieces in several segments", 2, plan,
        {commits(1, 900), commits(2, kHalf)});
}

void register_evictions()
{
    FlushPlan plan;
    plan.deaths = true;
    plan.poison = ETIMEDOUT; // who dies with the duty takes the log with him
    plan.options.stall_timeout = kMillisecond;
    add("f_dead", "a writer dies between reserve and commit", 1, plan, {appends(1), commits(1)});
    add("f_dead_last", "a writer dies as the last one of a buffer", 1, plan,
        {appends(3), commits(1)});
    add("f_stopped", "a writer is evicted and comes back", 2, plan, {appends(1), commits(1)});
    add("f_stopped_later", "an evicted writer comes back when its buffer is used again", 1, plan,
        {appends(1), commits(6)});
    FlushPlan early = plan;
    early.options.stall_timeout = 0;
    add("f_early", "a writer that is only slow is evicted, and goes on", 2, early,
        {appends(1), commits(6)});
    add("f_early_split",
        "the first piece of a record is evicted, and the rest must not stand alone", 2, early,
        {appends(3, kHalf), commits(2)});
    add("f_evict_place", "a reservation is evicted, and then committed", 2, plan,
        {[](Appender &me) {
             if (me.reserve(kThird) == 0)
                 me.commit(64);
         },
         commits(1)});
}

} // namespace

void register_flush()
{
    register_appending();
    register_waiting();
    register_ends();
    register_flushes();
    register_evictions();
}

} // namespace weir::explore
