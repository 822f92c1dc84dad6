// SPDX-License-Identifier: MIT OR Apache-2.0
// Scenarios of a channel in queue mode: posting, reading, answering, waiting, dying, retirement.
#include "tests/explore/channel_tables.hpp"

namespace weir::explore {
namespace {

using namespace channel_tables;

void register_queue()
{
    add("q_post_read", "one message from poster to reader", 3, ring(2), "a", {posts(1), reads(1)});
    add("q_2post", "two posters, one reader", 2, ring(2), "ab", {posts(1), posts(2), reads(2)});
    add("q_2read", "two readers, and a post", 2, ring(2, 2), "--c", {reads(2), reads(1), posts(3)});
    add("q_wrap", "a full ring goes round", 3, ring(2, 2), "--aa", {posts(3, 4), reads(2)});
    add("q_wrap1", "a ring of one cell, and a nack", 2, ring(1, 1), "-a",
        {posts(2), reads(2), nacks(1)});
    add("q_full", "who finds the ring full keeps his block", 3, ring(1, 1), "-a",
        {posts(2), reads(1)});
    add("q_nack", "one says nack, another one reads", 2, ring(2, 1), "-c",
        {nacks(1), reads(1), posts(2)});
    add("q_nack2", "two nacks, two reads, a post", 2, ring(2, 2), "--c",
        {nacks(2), reads(2), posts(3)});
    add("q_order", "the order of one poster is kept beside another's", 2, ring(4), "abb",
        {posts(1), posts(2, 3), reads(2)});
    add("q_nack_order", "a late redelivery bit takes no new message out of order", 2, ring(2, 2),
        "--cc", {nacks(1), reads(2), posts(3, 4)});

    ChannelPlan forward = ring(2, 1);
    forward.unordered = true;
    add("q_forward", "a block that was read is posted again", 2, forward, "-b",
        {[](Peer &me) {
             if (Ref const ref = me.read_take(); ref.value != 0)
                 me.post_taken(5, ref);
         },
         posts(2), reads(1)});
}

void register_queue_healing()
{
    add("q_heal", "a heal beside a reader and a poster", 2, ring(2, 1), "-c",
        {reads(1), heals_and_reads(1), posts(2)});
    add("q_heal_post", "a heal beside two posters", 2, ring(2), "ac",
        {posts(1), heals_and_reads(1), posts(2)});
    add("q_heal_nack", "a heal beside a nack", 2, ring(2, 1), "-",
        {nacks(1),
         [](Peer &me) {
             me.read_ack();
             me.heal();
         },
         reads(1)});
}

void register_waiting()
{
    add("w_one", "a sleeper and a poster", 2, ring(2), "b", {waits(), posts(1)});
    add("w_two", "two sleepers, two messages", 1, ring(2), "cc", {waits(), waits(), posts(1, 2)});
    add("w_two_posters", "a sleeper and two posters", 1, ring(2), "bc",
        {waits(), posts(1), posts(2)});
    add("w_room", "a poster sleeps until there is room", 2, ring(1, 1), "-a",
        {[](Peer &me) { me.post(2, 600 * kMillisecond); }, reads(1)});
    add("w_room_far", "a poster who waits looks a quarter of the ring ahead", 2, ring(4, 4),
        "----a", {[](Peer &me) { me.post(5, 600 * kMillisecond); }, reads(2)});
    add("w_death", "a sleeper whose waker may die, and a healer", 1, ring(2), "b",
        {waits(), posts(1), [](Peer &me) { me.heal(); }});
    add("w_retire", "retirement ends who sleeps", 2, ring(2), "",
        {waits(), [](Peer &me) { me.end(); }});
    add("w_matrix", "retirement of the matrix ends who sleeps", 2, ring(2), "",
        {waits(), [](Peer &me) { me.end_matrix(); }});
    add("w_matrix_room", "retirement of the matrix ends who sleeps until there is room", 2,
        ring(1, 1), "-a",
        {[](Peer &me) { me.post(2, 600 * kMillisecond); }, [](Peer &me) { me.end_matrix(); }});
}

void register_retirement()
{
    ChannelPlan plan = ring(2, 1);
    plan.retires = true;
    auto const user = [](int message) {
        return [=](Peer &me) {
            if (!me.open())
                return;
            me.post_raw(message);
            me.close();
        };
    };
    auto const retires = [](Peer &me) {
        if (!me.open())
            return;
        me.retire();
        me.close();
    };
    auto const reader = [](Peer &me) {
        if (!me.open())
            return;
        me.read_raw();
        me.close();
    };
    // The unused block of who comes too late stays his.
    add("r_post", "a channel is retired while somebody posts", 2, plan, "-b", {retires, user(2)});
    add("r_read", "a channel is retired while somebody reads", 2, plan, "-", {retires, reader});
    add("r_both", "retired twice, beside a post", 1, plan, "-c", {retires, retires, user(2)});
    add("r_double", "opened twice in one process, beside retirement", 2, plan, "-b",
        {retires, [](Peer &me) {
             if (!me.open())
                 return;
             me.open();
             me.post_raw(2);
             me.close();
         }});
    add("r_bystander", "retirement beside the heal of somebody who has not opened it", 2, plan, "-",
        {retires,
         [](Peer &me) {
             weir::Allocation block;
             if (me.matrix().alloc(64, block).ok())
                 static_cast<void>(me.matrix().free(block.ref));
         },
         [](Peer &me) { me.heal(); }});
    add("r_watch", "retirement beside a read-only look, which leaves no mark", 2, plan, "-b",
        {retires, user(2), [](Peer &me) { me.watch(); }});
    add("r_heal", "retirement beside a heal", 1, plan, "-b",
        {retires, user(2), [](Peer &me) { me.heal(); }});
}

} // namespace

void register_channel()
{
    register_queue();
    register_queue_healing();
    register_waiting();
    register_retirement();
    register_policies();
    register_broadcast();
}

} // namespace weir::explore
