// SPDX-License-Identifier: MIT OR Apache-2.0
// Scenarios of what a queue does when it is full, of levels, of time to live, of waking one.
#include "tests/explore/channel_tables.hpp"

namespace weir::explore {
namespace {

using namespace channel_tables;

ChannelPlan ring_that(Overflow overflow, uint32_t capacity, int before = 0)
{
    ChannelPlan plan = ring(capacity, before);
    plan.overflow = overflow;
    return plan;
}

void register_overflow()
{
    ChannelPlan const oldest = ring_that(Overflow::drop_oldest, 1, 1);
    add("o_read", "the oldest is dropped while it is read", 3, oldest, "-b", {reads(1), posts(2)});
    add("o_nack", "the oldest is dropped while it is given back", 2, oldest, "-c",
        {nacks(1), reads(1), posts(2)});
    add("o_two", "two droppers and a reader", 2, oldest, "-bc", {reads(2), posts(2), posts(3)});
    add("o_many", "one drops several in a row", 2, ring_that(Overflow::drop_oldest, 2, 2), "--bb",
        {reads(1), posts(3, 4)});
    add("o_heal", "a heal beside a dropper", 2, oldest, "-ac",
        {posts(2), [](Peer &me) { me.heal(); }, posts(3)});
    add("o_new", "what is new is dropped and counted", 2, ring_that(Overflow::drop_new, 1, 1),
        "-bc", {reads(1), posts(2), posts(3)});
    ChannelPlan retired = oldest;
    retired.retires = true;
    add("o_retire", "retirement beside a dropper", 2, retired, "-b",
        {[](Peer &me) {
             if (!me.open())
                 return;
             me.retire();
             me.close();
         },
         [](Peer &me) {
             if (!me.open())
                 return;
             me.post_raw(2);
             me.close();
         }});
}

void register_expiry()
{
    ChannelPlan plan = ring(1, 1);
    plan.ttl = 1; // every message is too old when somebody looks at it
    add("t_read", "an expired message is counted, not read", 2, plan, "--", {reads(1), reads(1)});
    add("t_post", "an expired message makes room", 2, plan, "-b", {reads(1), posts(2)});
    plan.ttl = 2500; // some are, depending on the schedule
    add("t_race", "a message expires while it is read", 2, plan, "-b", {reads(2), posts(2)});
    add("t_nack", "a message expires while it is given back", 2, plan, "-c",
        {nacks(1), reads(1), posts(2)});
}

void register_levels()
{
    ChannelPlan plan = ring(1);
    plan.levels = 2;
    add("l_order", "the order of a poster is kept in each level", 2, plan, "aa",
        {[](Peer &me) {
             me.post(1, 0, 0);
             me.post(2, 0, 1);
         },
         reads(2)});
    add("l_nack", "a message of a level comes back", 2, plan, "ac",
        {[](Peer &me) { me.post(1, 0, 1); }, nacks(1),
         [](Peer &me) {
             me.post(2, 0, 0);
             me.read_ack();
         }});
    plan.ageing = 1;
    add("l_aged", "what is old counts as the highest", 2, plan, "ab",
        {[](Peer &me) { me.post(1, 0, 0); }, [](Peer &me) { me.post(2, 0, 1); }, reads(2)});
    plan.ageing = 0;
    add("w_levels", "posters of two levels sleep until there is room", 1, plan, "ab",
        {[](Peer &me) { me.post(1, 600 * kMillisecond, 0); },
         [](Peer &me) { me.post(2, 600 * kMillisecond, 1); }, reads(2)});
}

/// Each wakes one: nobody may be forgotten.
void register_wake_one()
{
    add("w_rooms", "two posters sleep, one reader frees both cells", 1, ring(2, 2), "--ab",
        {[](Peer &me) { me.post(3, 600 * kMillisecond); },
         [](Peer &me) { me.post(4, 600 * kMillisecond); }, reads(2)});
    add("w_rooms_back", "two posters sleep, and the later cell is freed first", 1, ring(2, 2),
        "--ab",
        {[](Peer &me) { me.post(3, 600 * kMillisecond); },
         [](Peer &me) { me.post(4, 600 * kMillisecond); },
         [](Peer &me) { me.read_two_ack_back(); }});
    add("w_intruder", "a poster who does not sleep takes the room", 1, ring(2, 2), "--abc",
        {[](Peer &me) { me.post(3, 600 * kMillisecond); },
         [](Peer &me) { me.post(4, 600 * kMillisecond); },
         [](Peer &me) {
             me.read_ack();
             me.post(5);
             me.read_ack();
         }});
    add("w_give_up", "a sleeper whose time is up beside another", 1, ring(2), "cc",
        {[](Peer &me) { me.read_ack(300); }, waits(), posts(1, 2)});
    add("w_drop", "a poster sleeps until a reader lets go of the oldest", 1,
        ring_that(Overflow::drop_oldest, 1, 1), "-a",
        {[](Peer &me) { me.post(2, 600 * kMillisecond); }, reads(1)});
    add("w_drop_nack", "a poster sleeps until a reader gives the oldest back", 1,
        ring_that(Overflow::drop_oldest, 1, 1), "-a",
        {[](Peer &me) { me.post(2, 600 * kMillisecond); }, nacks(1)});
    add("w_drop_two", "two posters sleep until a reader lets go of the oldest", 1,
        ring_that(Overflow::drop_oldest, 1, 1), "-ab",
        {[](Peer &me) { me.post(2, 600 * kMillisecond); },
         [](Peer &me) { me.post(3, 600 * kMillisecond); }, reads(1)});
}

} // namespace

void register_policies()
{
    register_overflow();
    register_expiry();
    register_levels();
    register_wake_one();
}

} // namespace weir::explore
