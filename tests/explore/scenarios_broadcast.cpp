// SPDX-License-Identifier: MIT OR Apache-2.0
// Scenarios of broadcast: the last holder, joining and leaving, dropping, retention, deaths.
#include "tests/explore/channel_tables.hpp"

namespace weir::explore {
namespace {

using namespace channel_tables;

ChannelPlan cast(uint32_t capacity, int subscribed, int before = 0)
{
    ChannelPlan plan = ring(capacity, before);
    plan.mode = ChannelMode::broadcast;
    plan.subscribed = subscribed;
    return plan;
}

ChannelPlan cast_that_drops(uint32_t capacity, int subscribed, int before)
{
    ChannelPlan plan = cast(capacity, subscribed, before);
    plan.overflow = Overflow::drop_oldest;
    return plan;
}

ChannelProgram reads_and_leaves(int count)
{
    return [=](Peer &me) {
        for (int i = 0; i < count; i++)
            me.read_ack();
        me.leave();
    };
}

ChannelProgram joins_and_reads(int count)
{
    return [=](Peer &me) {
        if (!me.join())
            return;
        for (int i = 0; i < count; i++)
            me.read_ack();
    };
}

ChannelProgram joins_and_leaves()
{
    return [](Peer &me) {
        if (me.join())
            me.leave();
    };
}

ChannelProgram leaves()
{
    return [](Peer &me) { me.leave(); };
}

ChannelProgram heals()
{
    return [](Peer &me) { me.heal(); };
}

void register_holders()
{
    add("b_basic", "two subscribers, who leave, and a post", 2, cast(2, 2, 1), "-c",
        {reads_and_leaves(1), reads_and_leaves(1), posts(2)});
    add("b_last", "two let go of one message at once", 3, cast(1, 2, 1), "-", {reads(1), reads(1)});
    add("b_order", "messages of one poster come in order", 2, cast(2, 1), "bb",
        {reads(2), posts(1, 2)});
    add("b_wrap", "a full ring goes round", 2, cast(1, 1, 1), "-b",
        {reads(2), [](Peer &me) { me.post(2); }});
    add("b_nobody", "a post that nobody gets", 2, cast(2, 0), "ab", {posts(1), posts(2)});
    add("b_nack", "nack gives it to the same subscriber again", 2, cast(2, 1, 1), "-b",
        {[](Peer &me) {
             me.read_nack();
             me.read_nack();
             me.read_ack();
         },
         posts(2)});
    add("b_take", "the last holder takes the block", 2, cast(1, 2, 1), "-",
        {[](Peer &me) { me.read_take_or_ack(); }, [](Peer &me) { me.read_take_or_ack(); }});
}

void register_joining()
{
    add("b_join", "subscribing beside two posts", 2, cast(2, 0), "bc",
        {joins_and_reads(2), posts(1), posts(2)});
    add("b_leave", "leaving beside a post and a subscription", 2, cast(2, 1), "b",
        {leaves(), posts(1), joins_and_reads(1)});
    add("b_leave1", "leaving a ring of one cell beside two posts", 2, cast(1, 1), "bc",
        {leaves(), posts(1), posts(2)});
    add("b_reuse", "a place is left and taken again", 2, cast(2, 1), "b",
        {leaves(), posts(1), joins_and_leaves()});
    ChannelPlan last = cast(1, 1);
    last.taken = kMaxSubscribers - 1;
    add("b_rejoin", "a slow sweeper and the next user of the place", 2, last, "bb",
        {leaves(), posts(1, 2), [](Peer &me) { me.join(); }});
    add("b_comeback", "a place whose leave a dead poster holds up", 2, last, "b",
        {[](Peer &me) {
             bool const is_over = is_dead(1);
             me.leave();
             if (!me.join() && is_over)
                 fail("there is no place though nobody is at work");
         },
         posts(1)});
}

/// Threads of one process read through one subscription, beside a third one that posts.
void register_sharing()
{
    ChannelPlan plan = cast(1, 1, 1);
    plan.shared = plan.unordered = true;
    add("b_threads", "two threads read the messages of one cell", 2, plan, "-c",
        {reads(1), reads(1), posts(2)});
    plan.overflow = Overflow::drop_oldest;
    add("b_threads_drop", "two threads read, and the oldest is dropped", 2, plan, "-c",
        {reads(2), reads(1), posts(2)});
    plan.overflow = Overflow::block;
    add("b_threads_nack", "one thread says nack beside another", 2, plan, "-c",
        {nacks(1), reads(1), posts(2)});
}

void register_dropping()
{
    add("b_drop", "the oldest is dropped while it is read", 2, cast_that_drops(1, 1, 1), "-b",
        {reads(1), posts(2)});
    add("b_drop2", "dropped twice beside a reader", 2, cast_that_drops(1, 1, 1), "-bc",
        {reads(2), posts(2), posts(3)});
    add("b_drop3", "dropped beside two readers", 2, cast_that_drops(2, 2, 2), "--c",
        {reads(2), reads(2), posts(3)});
    add("b_hold", "what is in a hand is not dropped", 2, cast_that_drops(1, 2, 1), "-c",
        {[](Peer &me) { me.read_hold(); }, reads(1), posts(2)});
    add("b_drop_leave", "dropped while its holder leaves", 2, cast_that_drops(1, 1, 1), "-b",
        {leaves(), posts(2)});
    ChannelPlan plan = cast(1, 2, 1);
    plan.ttl = 1;
    add("b_ttl", "an expired message is counted, not read", 2, plan, "-c",
        {reads(1), reads(1), posts(2)});
    plan.ttl = 2500;
    add("b_ttl_race", "a message expires while it is read", 2, plan, "-c",
        {reads(1), reads(1), posts(2)});
}

void register_retention()
{
    ChannelPlan plan = cast(2, 1, 1);
    plan.retain_count = 1;
    auto const gets_it = [](Peer &me) {
        if (me.join() && !me.read_ack() && !anybody_died())
            fail("a late joiner does not get what is retained");
    };
    add("b_late", "a late joiner gets what the last holder lets go of", 2, plan, "-",
        {reads(1), gets_it});
    add("b_late2", "late joiners, and the ring goes round", 2, plan, "-bb",
        {reads(1), posts(2, 3), joins_and_reads(1)});
    add("b_late_leave", "a late joiner leaves, and what it holds falls out of retention", 2, plan,
        "-bb", {reads(1), posts(2, 3), joins_and_leaves()});
    ChannelPlan one = plan;
    one.capacity = 1;
    add("b_late1", "a late joiner, and room is needed", 2, one, "-c",
        {reads(1), joins_and_reads(1), posts(2)});
}

void register_broadcast_waiting()
{
    auto const sleeps = [](Peer &me) { me.read_ack(600 * kMillisecond); };
    add("w_cast", "two subscribers sleep until a message comes", 1, cast(2, 2), "c",
        {sleeps, sleeps, posts(1)});
    add("w_cast_room", "a poster sleeps until the slowest has read", 1, cast(1, 2, 1), "-c",
        {reads(1), reads(1), [](Peer &me) { me.post(2, 600 * kMillisecond); }});
    add("w_cast_drop", "a subscriber sleeps while the oldest is dropped", 1,
        cast_that_drops(1, 1, 1), "-b",
        {[](Peer &me) { me.read_ack(600 * kMillisecond); }, posts(2)});
    add("w_cast_hold", "a poster sleeps until the oldest is in no hand any more", 1,
        cast_that_drops(1, 2, 1), "-c",
        {reads(1), [](Peer &) {}, [](Peer &me) { me.post(2, 600 * kMillisecond); }});
    add("w_cast_hold_nack", "a poster sleeps until the oldest is given back", 1,
        cast_that_drops(1, 1, 1), "-b",
        {nacks(1), [](Peer &me) { me.post(2, 600 * kMillisecond); }});
    add("w_cast_dead", "a message that a dead poster did not finish", 1, cast(2, 1), "bc",
        {sleeps, posts(1), posts(2)});
}

void register_broadcast_healing()
{
    add("b_heal", "a heal beside a reader and a poster", 2, cast(2, 1, 1), "-c",
        {reads(1), heals(), posts(2)});
    add("b_heal_post", "a heal beside a poster and one who joins", 2, cast(2, 0), "a",
        {posts(1), heals(), joins_and_reads(1)});
    add("b_heal_drop", "a heal beside a dropper", 2, cast_that_drops(1, 1, 1), "-b",
        {reads(1), posts(2), heals()});
    add("b_heal_leave", "a heal beside one who leaves", 2, cast(1, 2, 1), "-",
        {leaves(), heals(), joins_and_leaves()});
}

} // namespace

void register_broadcast()
{
    register_holders();
    register_joining();
    register_sharing();
    register_dropping();
    register_retention();
    register_broadcast_waiting();
    register_broadcast_healing();
}

} // namespace weir::explore
