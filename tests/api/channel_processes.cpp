// SPDX-License-Identifier: MIT OR Apache-2.0
// Channels between processes: waking, retiring with waiters, deaths of readers and posters.
#include "tests/api/support.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>

using namespace api;

namespace {
int post_one(weir_channel *to, weir_matrix *matrix, uint64_t tag, int64_t timeout = 0)
{
    weir_ref block;
    void *data;
    int code = weir_matrix_alloc(matrix, sizeof tag, nullptr, &block, &data);
    if (code < 0)
        return code;
    std::memcpy(data, &tag, sizeof tag);
    weir_post_options with = WEIR_POST_OPTIONS_INIT;
    with.tag = tag;
    code = weir_channel_post(to, block, sizeof tag, &with, timeout);
    if (code < 0)
        static_cast<void>(weir_matrix_free(matrix, block));
    return code;
}

/// Waits until so many processes sleep in the kernel (or a second has passed).
void let_them_sleep() { sleep_ms(100); }
} // namespace

namespace {
/// Who sleeps looks up by himself after 250 ms. So a wake-up is one that comes before that; the
/// best of five counts, for the machine may be busy.
template <class Wake> int64_t best_of_five(Gate &woken_at, Wake wake)
{
    int64_t best = INT64_MAX;
    for (uint64_t i = 0; i < 5; ++i) {
        sleep_ms(60);
        int64_t const began = now_ns();
        wake(i);
        int64_t const took = static_cast<int64_t>(woken_at.pass()) - began;
        best = took < best ? took : best;
    }
    return best;
}
} // namespace

Test(channel_processes, a_waiting_reader_is_woken_by_a_post)
{
    weir_matrix *const matrix = unnamed();
    weir_channel *const ring = channel(matrix, "ring");
    Gate woken_at;
    pid_t const child = start([&] {
        weir_subscription *const reader = subscribe(ring);
        for (uint64_t i = 0; i < 5; ++i) {
            weir_message message;
            child_must(weir_channel_read(reader, WEIR_WAIT_FOREVER, &message, nullptr));
            woken_at.open(static_cast<uint64_t>(now_ns()));
            child_check(message.tag == i);
            child_must(weir_channel_ack(reader, &message));
        }
        return 0;
    });
    int64_t const best =
        best_of_five(woken_at, [&](uint64_t i) { must(post_one(ring, matrix, i)); });
    check_eq(join(child), 0);
    check_lt(best, 100 * kMillisecond);
}

Test(channel_processes, a_waiting_poster_is_woken_by_an_answer)
{
    weir_matrix *const matrix = unnamed();
    weir_channel *const ring = channel(matrix, "ring");
    weir_subscription *const reader = subscribe(ring);
    for (uint64_t i = 0; i < 16; ++i)
        must(post_one(ring, matrix, i));
    Gate woken_at;
    pid_t const child = start([&] {
        for (uint64_t i = 16; i < 21; ++i) {
            child_must(post_one(ring, matrix, i, WEIR_WAIT_FOREVER));
            woken_at.open(static_cast<uint64_t>(now_ns()));
        }
        return 0;
    });
    uint64_t next = 0;
    auto const answer = [&](uint64_t) {
        weir_message message;
        must(weir_channel_read(reader, 10000 * kMillisecond, &message, nullptr));
        check_eq(message.tag, next);
        ++next;
        must(weir_channel_ack(reader, &message));
    };
    int64_t const best = best_of_five(woken_at, answer);
    check_eq(join(child), 0);
    check_lt(best, 100 * kMillisecond);
    while (next < 21)
        answer(0);
    weir_subscription_close(reader);
}

Test(channel_processes, retire_wakes_who_waits_in_other_processes)
{
    weir_matrix *const matrix = unnamed(4 * kMiB);
    weir_channel *const empty = channel(matrix, "empty"), *const full = channel(matrix, "full");
    for (uint64_t i = 0; i < 16; ++i)
        must(post_one(full, matrix, i));
    pid_t children[6];
    for (int i = 0; i < 6; ++i)
        children[i] = start([&, i] {
            if (i % 2 == 0) {
                weir_message message;
                child_refuse(-WEIR_E_RETIRED, weir_channel_read(subscribe(empty), WEIR_WAIT_FOREVER,
                                                                &message, nullptr));
            } else {
                child_refuse(-WEIR_E_RETIRED, post_one(full, matrix, 99, WEIR_WAIT_FOREVER));
            }
            return 0;
        });
    let_them_sleep();
    int64_t const began = now_ns();
    must(weir_channel_retire(empty));
    must(weir_channel_retire(full));
    for (pid_t const child : children)
        check_eq(join(child), 0);
    check_lt(now_ns() - began, 5000 * kMillisecond);
    must(weir_matrix_heal(matrix, nullptr));
    weir_channel_unref(empty);
    weir_channel_unref(full);
    check_eq(used_blocks(matrix), 0); // both are gone with all they had
    check_well(matrix);
    weir_matrix_unref(matrix);
}

namespace {
/// Things on which one can sleep: a channel without messages, one without room, a router to it, and
/// a pool without slots.
struct Beds {
    weir_matrix *matrix = unnamed();
    weir_channel *empty = channel(matrix, "empty");
    weir_channel *full = channel(matrix, "full");
    weir_router *router = nullptr;
    weir_pool *pool = nullptr;

    Beds()
    {
        for (uint64_t i = 0; i < 16; ++i)
            must(post_one(full, matrix, i));
        must(weir_router_create(matrix, "router", &router));
        weir_router_rule rule = WEIR_ROUTER_RULE_INIT;
        rule.channels = "full";
        uint64_t id;
        must(weir_router_add_rule(router, &rule, &id));
        weir_pool_options with = WEIR_POOL_OPTIONS_INIT;
        with.slot_size = 8;
        with.capacity = 1;
        weir_slot slot;
        must(weir_pool_create_in(matrix, "pool", &with, &pool));
        must(weir_pool_acquire(pool, 0, &slot, nullptr));
    }
    ~Beds()
    {
        weir_pool_unref(pool);
        weir_router_unref(router);
        weir_channel_unref(full);
        weir_channel_unref(empty);
        weir_matrix_unref(matrix);
    }
    static constexpr int kWays = 5;
    int sleep(int way) const
    {
        weir_message message;
        weir_slot slot;
        weir_ref block;
        if (way == 0)
            return weir_channel_read(subscribe(empty), WEIR_WAIT_FOREVER, &message, nullptr);
        if (way == 1)
            return post_one(full, matrix, 99, WEIR_WAIT_FOREVER);
        if (way == 2)
            return weir_pool_acquire(pool, WEIR_WAIT_FOREVER, &slot, nullptr);
        if (way == 3) {
            child_must(weir_matrix_alloc(matrix, 8, nullptr, &block, nullptr));
            return weir_router_post(router, block, 8, nullptr, WEIR_WAIT_FOREVER);
        }
        weir_subscription *const reader = subscribe(empty);
        pollfd one{weir_channel_fd(reader), POLLIN, 0};
        child_check(poll(&one, 1, -1) == 1);
        return weir_channel_read(reader, 0, &message, nullptr);
    }
};

/// How long it takes until all are told, each in its own process.
int64_t retire_with_sleepers()
{
    Beds const beds;
    pid_t children[Beds::kWays];
    for (int i = 0; i < Beds::kWays; ++i)
        children[i] = start([&, i] {
            child_refuse(-WEIR_E_RETIRED, beds.sleep(i));
            return 0;
        });
    let_them_sleep();
    int64_t const began = now_ns();
    must(weir_matrix_retire(beds.matrix));
    for (pid_t const child : children)
        check_eq(join(child), 0);
    return now_ns() - began;
}
} // namespace

Test(channel_processes, retiring_the_matrix_wakes_all_who_wait)
{
    int64_t best = INT64_MAX;
    for (int i = 0; i < 5 && best > 100 * kMillisecond; ++i) {
        int64_t const took = retire_with_sleepers();
        best = took < best ? took : best;
    }
    check_lt(best, 100 * kMillisecond); // by himself one looks after 250 ms
}

Test(channel_processes, a_message_in_a_dead_readers_hand_is_delivered_again)
{
    weir_matrix *const matrix = unnamed();
    weir_channel *const ring = channel(matrix, "ring");
    weir_subscription *const reader = subscribe(ring);
    must(post_one(ring, matrix, 7));
    in_child_ok([&] {
        weir_message message;
        child_must(weir_channel_read(subscribe(ring), 0, &message, nullptr));
        child_check(message.tag == 7 && message.redeliveries == 0);
        return 0;
    });
    weir_message message;
    must(
        weir_channel_read(reader, 10000 * kMillisecond, &message, nullptr)); // heals while it waits
    check_eq(message.tag, 7);
    check_eq(message.redeliveries, 1);
    must(weir_channel_ack(reader, &message));
    check_eq(used_blocks(matrix), 1);
    check_well(matrix);
    weir_subscription_close(reader);
}

Test(channel_processes, a_message_that_a_dead_reader_took_is_not)
{
    weir_matrix *const matrix = unnamed();
    weir_channel *const ring = channel(matrix, "ring");
    weir_subscription *const reader = subscribe(ring);
    must(post_one(ring, matrix, 7));
    in_child_ok([&] {
        weir_message message;
        weir_subscription *const own = subscribe(ring);
        child_must(weir_channel_read(own, 0, &message, nullptr));
        child_must(weir_channel_take(own, &message));
        return 0;
    });
    must(weir_matrix_heal(matrix, nullptr));
    weir_message message;
    refuse(-EAGAIN, weir_channel_read(reader, 0, &message, nullptr));
    check_eq(used_blocks(matrix), 1); // the channel alone
    check_well(matrix);
    weir_subscription_close(reader);
}

Test(channel_processes, what_a_dead_poster_posted_is_read)
{
    weir_matrix *const matrix = unnamed();
    weir_channel *const ring = channel(matrix, "ring");
    weir_subscription *const reader = subscribe(ring);
    in_child_ok([&] {
        for (uint64_t i = 0; i < 5; ++i)
            child_must(post_one(ring, matrix, i));
        return 0;
    });
    must(weir_matrix_heal(matrix, nullptr));
    for (uint64_t i = 0; i < 5; ++i) {
        weir_message message;
        must(weir_channel_read(reader, 0, &message, nullptr));
        uint64_t content;
        void *data;
        must(weir_matrix_data(matrix, message.block, &data, nullptr));
        std::memcpy(&content, data, sizeof content);
        check_eq(content, i);
        must(weir_channel_ack(reader, &message));
    }
    check_well(matrix);
    weir_subscription_close(reader);
}

Test(channel_processes, a_channel_whose_last_user_died_is_collected_when_retired)
{
    Name const name("collected");
    weir_matrix *const matrix = create(name, options());
    weir_channel *const ring = channel(matrix, "ring");
    Gate ready;
    pid_t const child = start([&] {
        weir_matrix *const own = attach(name);
        weir_channel *its;
        child_must(weir_channel_attach(own, "ring", nullptr, &its));
        ready.open();
        pause();
        return 0;
    });
    ready.pass();
    must(weir_channel_retire(ring));
    weir_channel_unref(ring);
    check_eq(used_blocks(matrix), 1); // the child has it open
    kill_and_join(child);
    must(weir_matrix_heal(matrix, nullptr));
    check_eq(used_blocks(matrix), 0);
    check_well(matrix);
    weir_matrix_unref(matrix);
}

Test(channel_processes, messages_of_many_processes_arrive_once_each)
{
    constexpr unsigned kPosters = 3, kReaders = 2;
    constexpr uint64_t kEach = 2000;
    weir_matrix *const matrix = unnamed(4 * kMiB);
    weir_channel *const ring = channel(matrix, "ring", 64);
    auto *const seen = static_cast<unsigned char *>(
        mmap(nullptr, kPosters * kEach, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    pid_t posters[kPosters], readers[kReaders];
    for (unsigned p = 0; p < kPosters; ++p)
        posters[p] = start([&, p] {
            for (uint64_t i = 0; i < kEach; ++i)
                child_must(post_one(ring, matrix, p * kEach + i, WEIR_WAIT_FOREVER));
            return 0;
        });
    for (pid_t &pid : readers)
        pid = start([&] {
            weir_subscription *const reader = subscribe(ring);
            uint64_t last[kPosters] = {};
            for (;;) {
                weir_message message;
                int const code = weir_channel_read(reader, 2000 * kMillisecond, &message, nullptr);
                if (code == -ETIMEDOUT)
                    return 0;
                child_must(code);
                void *data;
                child_must(weir_matrix_data(matrix, message.block, &data, nullptr));
                child_check(std::memcmp(data, &message.tag, sizeof message.tag) == 0);
                uint64_t const poster = message.tag / kEach, number = message.tag % kEach + 1;
                child_check(number > last[poster]); // in the poster's order
                last[poster] = number;
                __atomic_fetch_add(&seen[message.tag], 1, __ATOMIC_RELAXED);
                child_must(weir_channel_ack(reader, &message));
            }
        });
    for (pid_t const pid : posters)
        check_eq(join(pid), 0);
    for (pid_t const pid : readers)
        check_eq(join(pid), 0);
    for (uint64_t i = 0; i < kPosters * kEach; ++i)
        check_eq(seen[i], 1, "message %llu", static_cast<unsigned long long>(i));
    must(weir_matrix_heal(matrix, nullptr));
    check_eq(used_blocks(matrix), 1);
    check_well(matrix);
}

namespace {
void *wait_for_message(void *userdata)
{
    weir_message message;
    int const code = weir_channel_read(static_cast<weir_subscription *>(userdata),
                                       WEIR_WAIT_FOREVER, &message, nullptr);
    if (code == 0)
        static_cast<void>(weir_channel_ack(static_cast<weir_subscription *>(userdata), &message));
    return reinterpret_cast<void *>(static_cast<intptr_t>(code));
}
} // namespace

Test(channel_processes, threads_of_one_process_wait_side_by_side)
{
    weir_matrix *const matrix = unnamed();
    weir_channel *const ring = channel(matrix, "ring");
    weir_subscription *const reader = subscribe(ring);
    pthread_t threads[4];
    for (pthread_t &thread : threads)
        check_eq(pthread_create(&thread, nullptr, wait_for_message, reader), 0);
    let_them_sleep();
    for (uint64_t i = 0; i < 4; ++i)
        must(post_one(ring, matrix, i));
    for (pthread_t const thread : threads) {
        void *code;
        pthread_join(thread, &code);
        check_eq(reinterpret_cast<intptr_t>(code), 0);
    }
    check_eq(used_blocks(matrix), 1);
    weir_subscription_close(reader);
}

namespace {
/// What posters count in memory that outlives them.
struct Tally {
    uint64_t posted;
};

/// Posts until it is killed; counts after each post, so a kill hides at most one.
int post_for_ever(weir_channel *to, weir_matrix *matrix, Tally *tally)
{
    for (uint64_t i = 0;; ++i) {
        int const code = post_one(to, matrix, i);
        child_check(code == 0 || code == -EAGAIN);
        if (code == 0)
            __atomic_fetch_add(&tally->posted, 1, __ATOMIC_SEQ_CST);
    }
}
} // namespace

/// Posters that drop the oldest are killed at any step, beside readers: what was posted was read,
/// dropped, or waits, and no block is left.
Test(channel_processes, counts_are_exact_whoever_is_killed, .timeout = 60)
{
    for (weir_channel_mode const mode : {WEIR_CHANNEL_QUEUE, WEIR_CHANNEL_BROADCAST}) {
        weir_matrix *const matrix = unnamed(4 * kMiB);
        auto *const tally = static_cast<Tally *>(
            mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
        weir_channel_options with = WEIR_CHANNEL_OPTIONS_INIT;
        with.capacity = 16;
        with.mode = mode;
        with.overflow = WEIR_CHANNEL_DROP_OLDEST;
        weir_channel *ring = nullptr;
        must(weir_channel_create(matrix, "ring", &with, &ring));
        weir_subscription *const reader = subscribe(ring);
        uint64_t kills = 0, read = 0, missed = 0;
        auto const read_some = [&](int most) {
            weir_message message;
            for (int i = 0; i < most && weir_channel_read(reader, 0, &message, nullptr) == 0; ++i) {
                ++read;
                missed += message.missed;
                must(weir_channel_ack(reader, &message));
            }
        };
        for (int round = 0; round < 60; ++round) {
            pid_t posters[2];
            for (pid_t &poster : posters)
                poster = start([&] { return post_for_ever(ring, matrix, tally); });
            int64_t const end = now_ns() + (1 + round % 4) * kMillisecond;
            while (now_ns() < end)
                read_some(round % 5);
            for (pid_t const poster : posters) {
                kill(poster, SIGKILL);
                static_cast<void>(join(poster));
                ++kills;
            }
            must(weir_matrix_heal(matrix, nullptr));
        }
        weir_channel_info info = WEIR_CHANNEL_INFO_INIT;
        must(weir_channel_inquire(ring, &info));
        uint64_t const seen = read + info.dropped + info.waiting;
        check_ge(seen, tally->posted);
        check_ge(tally->posted + kills, seen);
        check_eq(info.held + info.writing, 0);
        // Nothing may wait, and what was lost is told with a message.
        must(post_one(ring, matrix, 0));
        read_some(100);
        check_ge(missed, info.dropped);
        must(weir_channel_retire(ring));
        weir_subscription_close(reader);
        weir_channel_unref(ring);
        check_eq(used_blocks(matrix), 0);
        check_well(matrix);
        weir_matrix_unref(matrix);
        munmap(tally, 4096);
    }
}
