// SPDX-License-Identifier: MIT OR Apache-2.0
// Broadcast channels: each to all, slow and dead subscribers, joining late, dropping, expiring.
#include "tests/api/support.hpp"

#include <thread>

using namespace api;

namespace {
weir_matrix *matrix = nullptr;
NothingLost *lost = nullptr;

void setup()
{
    matrix = unnamed(8 * kMiB);
    lost = new NothingLost(matrix);
}
void still_whole() { lost->verify(); }
void teardown()
{
    delete lost;
    weir_matrix_unref(matrix);
}

weir_channel_options cast(weir_channel_overflow overflow = WEIR_CHANNEL_BLOCK)
{
    weir_channel_options made = WEIR_CHANNEL_OPTIONS_INIT;
    made.capacity = 16;
    made.mode = WEIR_CHANNEL_BROADCAST;
    made.overflow = overflow;
    return made;
}

struct Cast {
    weir_channel *channel = nullptr;

    explicit Cast(weir_channel_options const &options)
    {
        must(weir_channel_create(matrix, "cast", &options, &channel));
    }
    Cast(Cast const &) = delete;
    Cast &operator=(Cast const &) = delete;
    ~Cast()
    {
        must(weir_channel_retire(channel));
        weir_channel_unref(channel);
        must(weir_matrix_heal(matrix, nullptr)); // of children who have ended
        cr_expect_eq(used_blocks(matrix), kept);
    }
    uint64_t kept = 0; ///< blocks that are not the channel's
    int post(uint64_t tag, int64_t timeout = 0) const
    {
        weir_ref const block = alloc(matrix, 64);
        weir_post_options with = WEIR_POST_OPTIONS_INIT;
        with.tag = tag;
        int const code = weir_channel_post(channel, block, 8, &with, timeout);
        if (code < 0)
            must(weir_matrix_free(matrix, block));
        return code;
    }
    weir_channel_info info() const
    {
        weir_channel_info made = WEIR_CHANNEL_INFO_INIT;
        must(weir_channel_inquire(channel, &made));
        return made;
    }
};

weir_message read(weir_subscription *from)
{
    weir_message message;
    void *data = nullptr, *expected = nullptr;
    must(weir_channel_read(from, 0, &message, &data));
    must(weir_matrix_data(matrix, message.block, &expected, nullptr));
    check_eq(data, expected);
    return message;
}
weir_message take_one(weir_subscription *from)
{
    weir_message const message = read(from);
    must(weir_channel_ack(from, &message));
    return message;
}
bool is_empty(weir_subscription *from)
{
    weir_message message;
    return weir_channel_read(from, 0, &message, nullptr) == -EAGAIN;
}
} // namespace

TestSuite(channel_broadcast, .init = setup, .fini = teardown);

WholeTest(channel_broadcast, every_subscriber_gets_every_message_in_order)
{
    Cast const cast_all(cast());
    weir_subscription *readers[64];
    for (auto &reader : readers)
        reader = subscribe(cast_all.channel);
    weir_subscription *one_more = nullptr;
    refuse(-ENOSPC, weir_channel_subscribe(cast_all.channel, &one_more));
    check_eq(cast_all.info().subscribers, 64);
    check_eq(cast_all.info().mode, WEIR_CHANNEL_BROADCAST);
    for (uint64_t round = 0; round < 10; ++round) {
        for (uint64_t i = 0; i < 16; ++i)
            check_eq(cast_all.post(16 * round + i), 0);
        check_eq(cast_all.post(0), -EAGAIN);
        for (auto *reader : readers)
            for (uint64_t i = 0; i < 16; ++i)
                check_eq(take_one(reader).tag, 16 * round + i);
        for (auto *reader : readers)
            cr_assert(is_empty(reader));
        check_eq(cast_all.info().waiting, 0);
    }
    weir_subscription_close(readers[20]);
    readers[20] = subscribe(cast_all.channel); // its place is free again
    check_eq(cast_all.post(7), 0);
    check_eq(take_one(readers[20]).tag, 7);
    for (auto *reader : readers)
        weir_subscription_close(reader);
    check_eq(cast_all.info().waiting, 0);
    check_eq(cast_all.info().subscribers, 0);
    check_eq(cast_all.post(8), 0); // nobody gets it, and nobody keeps it
    check_eq(cast_all.info().waiting, 0);
}

WholeTest(channel_broadcast, who_comes_while_others_post_finds_a_place)
{
    auto options = cast(WEIR_CHANNEL_DROP_OLDEST);
    options.capacity = 1024;
    options.levels = 2;
    options.retain_count = 8;
    Cast const cast_all(options);
    bool over = false;
    std::thread posters[3];
    for (auto &poster : posters)
        poster = std::thread([&] {
            while (!__atomic_load_n(&over, __ATOMIC_RELAXED))
                cast_all.post(1);
        });
    int refused = 0;
    for (int i = 0; i < 20000; ++i) { // each leave may meet a post that is under way
        weir_subscription *reader = nullptr;
        refused += weir_channel_subscribe(cast_all.channel, &reader) == 0 ? 0 : 1;
        weir_subscription_close(reader);
    }
    __atomic_store_n(&over, true, __ATOMIC_RELAXED);
    for (auto &poster : posters)
        poster.join();
    check_eq(refused, 0);
}

WholeTest(channel_broadcast, a_block_is_freed_by_the_last_who_answers)
{
    Cast const shared(cast());
    weir_subscription *const first = subscribe(shared.channel);
    weir_subscription *const second = subscribe(shared.channel);
    check_eq(shared.post(1), 0);
    weir_message const a = read(first), b = read(second);
    check_eq(a.block, b.block);
    must(weir_channel_ack(first, &a));
    refuse(-WEIR_E_STALE, weir_channel_ack(first, &a));
    refuse(-WEIR_E_STALE, weir_channel_nack(first, &a));
    void *bytes;
    must(weir_matrix_data(matrix, b.block, &bytes, nullptr));
    must(weir_channel_ack(second, &b));
    refuse(-WEIR_E_STALE, weir_matrix_free(matrix, b.block));
    refuse(-WEIR_E_STALE, weir_channel_ack(second, &b));
    weir_subscription_close(first);
    weir_subscription_close(second);
}

WholeTest(channel_broadcast, the_last_one_may_take_the_block)
{
    Cast const shared(cast());
    weir_subscription *const first = subscribe(shared.channel);
    weir_subscription *const second = subscribe(shared.channel);
    check_eq(shared.post(1), 0);
    weir_message const a = read(first), b = read(second);
    refuse(-EBUSY, weir_channel_take(first, &a));
    must(weir_channel_ack(first, &a));
    must(weir_channel_take(second, &b));
    refuse(-WEIR_E_STALE, weir_channel_take(second, &b));
    check_eq(owner_of(matrix, b.block), participant(matrix));
    must(weir_matrix_free(matrix, b.block));
    check_eq(shared.info().waiting, 0);
    weir_subscription_close(first);
    weir_subscription_close(second);
}

WholeTest(channel_broadcast, a_refused_message_comes_again_to_the_same_subscriber)
{
    Cast const shared(cast());
    weir_subscription *const first = subscribe(shared.channel);
    weir_subscription *const second = subscribe(shared.channel);
    for (uint64_t i = 0; i < 3; ++i)
        check_eq(shared.post(i), 0);
    weir_message const a = read(first), b = read(first);
    must(weir_channel_nack(first, &a));
    weir_message const again = read(first);
    check_eq(again.tag, 0);
    check_eq(again.redeliveries, 1);
    must(weir_channel_ack(first, &again));
    check_eq(take_one(first).tag, 2);
    must(weir_channel_ack(first, &b));
    cr_assert(is_empty(first));
    for (uint64_t i = 0; i < 3; ++i) {
        weir_message const message = take_one(second);
        check_eq(message.tag, i);
        check_eq(message.redeliveries, 0);
    }
    weir_subscription_close(first);
    weir_subscription_close(second);
}

WholeTest(channel_broadcast, a_slow_subscriber_under_each_policy)
{
    for (weir_channel_overflow const overflow :
         {WEIR_CHANNEL_BLOCK, WEIR_CHANNEL_FAIL, WEIR_CHANNEL_DROP_NEW, WEIR_CHANNEL_DROP_OLDEST}) {
        Cast const shared(cast(overflow));
        weir_subscription *const fast = subscribe(shared.channel);
        weir_subscription *const slow = subscribe(shared.channel);
        for (uint64_t i = 0; i < 16; ++i) {
            check_eq(shared.post(i), 0);
            check_eq(take_one(fast).tag, i);
        }
        int64_t const began = now_ns();
        int const code = shared.post(16, 30 * kMillisecond);
        check_lt(now_ns() - began, 2000 * kMillisecond);
        bool const drops = overflow == WEIR_CHANNEL_DROP_OLDEST;
        check_eq(code, drops                               ? 0
                       : overflow == WEIR_CHANNEL_FAIL     ? -EAGAIN
                       : overflow == WEIR_CHANNEL_DROP_NEW ? 1
                                                           : -ETIMEDOUT);
        weir_message const message = take_one(slow);
        check_eq(message.tag, drops ? 1 : 0);
        check_eq(message.missed, drops ? 1 : 0);
        check_eq(shared.info().dropped, drops || overflow == WEIR_CHANNEL_DROP_NEW ? 1 : 0);
        if (drops) {
            weir_message const next = take_one(fast);
            check_eq(next.tag, 16);
            check_eq(next.missed, 0);
        }
        weir_subscription_close(fast);
        weir_subscription_close(slow);
        check_eq(shared.info().waiting, 0);
    }
}

WholeTest(channel_broadcast, what_is_in_a_hand_is_not_dropped)
{
    Cast const shared(cast(WEIR_CHANNEL_DROP_OLDEST));
    weir_subscription *const holder = subscribe(shared.channel);
    weir_subscription *const other = subscribe(shared.channel);
    for (uint64_t i = 0; i < 16; ++i)
        check_eq(shared.post(i), 0);
    weir_message const held = read(holder);
    check_eq(shared.post(16), -EAGAIN);
    void *bytes;
    must(weir_matrix_data(matrix, held.block, &bytes, nullptr));
    check_eq(shared.info().dropped, 0);
    weir_message message = take_one(other);
    check_eq(message.tag, 0); // a post that has no room takes it away from nobody
    check_eq(message.missed, 0);
    must(weir_channel_ack(holder, &held));
    for (uint64_t i = 16; i < 18; ++i)
        check_eq(shared.post(i), 0); // the second one drops
    check_eq(shared.info().dropped, 1);
    message = take_one(other);
    check_eq(message.tag, 2);
    check_eq(message.missed, 1);
    check_eq(take_one(holder).missed, 1);
    weir_subscription_close(holder);
    weir_subscription_close(other);
}

/// By himself he looks after 250 ms; the best of five counts, for the machine may be busy.
WholeTest(channel_broadcast, who_waits_to_drop_is_woken_when_the_oldest_leaves_the_hand)
{
    Cast const shared(cast(WEIR_CHANNEL_DROP_OLDEST));
    weir_subscription *const holder = subscribe(shared.channel);
    weir_subscription *const other = subscribe(shared.channel);
    for (uint64_t i = 0; i < 16; ++i)
        check_eq(shared.post(i), 0);
    int64_t best = INT64_MAX;
    for (uint64_t i = 16; i < 21 && best > 100 * kMillisecond; ++i) {
        weir_message const held = read(holder);
        int64_t done_at = 0;
        std::thread poster([&] {
            check_eq(shared.post(i, WEIR_WAIT_FOREVER), 0);
            done_at = now_ns();
        });
        sleep_ms(50);
        int64_t const began = now_ns();
        must(weir_channel_ack(holder, &held));
        poster.join();
        best = done_at - began < best ? done_at - began : best;
    }
    check_lt(best, 100 * kMillisecond);
    weir_subscription_close(holder);
    weir_subscription_close(other);
}

WholeTest(channel_broadcast, late_joiners_get_what_is_retained)
{
    weir_channel_options options = cast();
    options.retain_count = 3;
    Cast const shared(options);
    weir_subscription *const early = subscribe(shared.channel);
    for (uint64_t i = 0; i < 40; ++i) {
        check_eq(shared.post(i), 0);
        check_eq(take_one(early).tag, i);
        check_lt(shared.info().waiting, 5);
    }
    weir_subscription *const late = subscribe(shared.channel);
    for (uint64_t i = 37; i < 40; ++i)
        check_eq(take_one(late).tag, i);
    cr_assert(is_empty(late));
    check_eq(shared.info().retain_count, 3);
    check_eq(shared.post(40), 0);
    check_eq(take_one(late).tag, 40);
    check_eq(take_one(early).tag, 40);
    weir_subscription_close(early);
    weir_subscription_close(late);
    for (uint64_t i = 0; i < 100; ++i)
        check_eq(shared.post(i), 0); // what is only kept never stops a post
}

WholeTest(channel_broadcast, late_joiners_get_what_is_young)
{
    weir_channel_options options = cast();
    options.retain_ns = 60 * kMillisecond;
    Cast const shared(options);
    check_eq(shared.post(1), 0);
    sleep_ms(70);
    check_eq(shared.post(2), 0);
    weir_subscription *const late = subscribe(shared.channel);
    check_eq(take_one(late).tag, 2);
    cr_assert(is_empty(late));
    check_eq(shared.info().retain_ns, 60 * kMillisecond);
    weir_subscription_close(late);
}

WholeTest(channel_broadcast, expired_messages_are_counted_once)
{
    weir_channel_options options = cast();
    options.ttl_ns = 30 * kMillisecond;
    Cast const shared(options);
    weir_subscription *const first = subscribe(shared.channel);
    weir_subscription *const second = subscribe(shared.channel);
    check_eq(shared.post(1), 0);
    check_eq(shared.post(2), 0);
    check_eq(take_one(first).tag, 1);
    sleep_ms(40);
    check_eq(shared.post(3), 0);
    weir_message const a = take_one(first), b = take_one(second);
    check_eq(a.tag, 3);
    check_eq(a.missed, 1);
    check_eq(b.tag, 3);
    check_eq(b.missed, 2);
    check_eq(shared.info().expired, 2);
    weir_subscription_close(first);
    weir_subscription_close(second);
}

WholeTest(channel_broadcast, subscribers_are_shown_with_their_lag)
{
    Cast const shared(cast());
    weir_subscription *const first = subscribe(shared.channel);
    weir_subscription *const second = subscribe(shared.channel);
    for (uint64_t i = 0; i < 5; ++i)
        check_eq(shared.post(i), 0);
    take_one(first);
    uint64_t lags[2] = {};
    must(weir_channel_subscribers(
        shared.channel,
        [](weir_subscriber_info const *info, void *into) {
            static_cast<uint64_t *>(into)[info->slot] = info->lag;
            return info->participant != 0 && info->missed == 0 ? 0 : 1;
        },
        lags));
    check_eq(lags[0], 4);
    check_eq(lags[1], 5);
    refuse(-EINVAL, weir_channel_subscribers(shared.channel, nullptr, nullptr));
    refuse(-EINVAL, weir_channel_subscribers(
                        nullptr, [](weir_subscriber_info const *, void *) { return 0; }, nullptr));
    check_eq(weir_channel_subscribers(
                 shared.channel, [](weir_subscriber_info const *, void *) { return 42; }, nullptr),
             42);
    weir_subscription_close(first);
    weir_subscription_close(second);
}

WholeTest(channel_broadcast, a_dead_subscriber_holds_up_nobody)
{
    Cast const shared(cast());
    Gate ready;
    pid_t const child = start([&] {
        weir_subscription *const mine = subscribe(shared.channel);
        ready.open(1);
        weir_message message;
        child_must(weir_channel_read(mine, WEIR_WAIT_FOREVER, &message, nullptr)); // and keeps it
        ready.open(2);
        for (;;)
            sleep_ms(1000);
        return 0;
    });
    check_eq(ready.pass(), 1);
    for (uint64_t i = 0; i < 16; ++i)
        check_eq(shared.post(i), 0);
    check_eq(ready.pass(), 2);
    check_eq(shared.post(16), -EAGAIN);
    kill(child, SIGKILL);
    static_cast<void>(join(child));
    check_eq(shared.post(16, 5000 * kMillisecond), 0); // who waits heals
    check_eq(shared.info().waiting, 0);
    check_eq(shared.info().subscribers, 0);
}

WholeTest(channel_broadcast, a_fork_child_may_not_use_its_parents_subscription)
{
    Cast const shared(cast());
    weir_subscription *const mine = subscribe(shared.channel);
    check_eq(shared.post(1), 0);
    check_eq(shared.post(2), 0);
    weir_message const held = read(mine);
    in_child_ok([&] {
        weir_message message = held;
        child_refuse(-WEIR_E_FORKED, weir_channel_read(mine, 0, &message, nullptr));
        child_refuse(-WEIR_E_FORKED, weir_channel_ack(mine, &message));
        child_refuse(-WEIR_E_FORKED, weir_channel_nack(mine, &message));
        child_refuse(-WEIR_E_FORKED, weir_channel_take(mine, &message));
        child_refuse(-WEIR_E_FORKED, weir_channel_fd(mine));
        weir_subscription_close(mine);
        weir_subscription *const own = subscribe(shared.channel);
        child_must(shared.post(3));
        child_must(weir_channel_read(own, 0, &message, nullptr));
        child_check(message.tag == 3);
        child_must(weir_channel_ack(own, &message));
        weir_subscription_close(own);
        return 0;
    });
    must(weir_channel_ack(mine, &held));
    check_eq(take_one(mine).tag, 2);
    check_eq(take_one(mine).tag, 3);
    weir_subscription_close(mine);
}

WholeTest(channel_broadcast, retirement_wakes_subscribers_and_frees_all)
{
    Cast *const shared = new Cast(cast());
    weir_subscription *const mine = subscribe(shared->channel);
    pid_t const child = start([&] {
        weir_message message;
        weir_subscription *const own = subscribe(shared->channel);
        child_refuse(-WEIR_E_RETIRED, weir_channel_read(own, WEIR_WAIT_FOREVER, &message, nullptr));
        weir_subscription_close(own);
        return 0;
    });
    sleep_ms(100);
    weir_channel *const again = weir_channel_ref(shared->channel);
    shared->kept = 1; // the channel itself, until we let go as well
    delete shared;
    check_eq(join(child), 0);
    weir_subscription_close(mine);
    weir_channel_unref(again);
    must(weir_matrix_heal(matrix, nullptr));
}
