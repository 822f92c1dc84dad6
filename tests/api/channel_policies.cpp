// SPDX-License-Identifier: MIT OR Apache-2.0
// What a channel does when it is full, levels, time to live, types, batches, descriptors.
#include "tests/api/support.hpp"

#include <poll.h>

#include <climits>

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

weir_channel_options small()
{
    weir_channel_options made = WEIR_CHANNEL_OPTIONS_INIT;
    made.capacity = 16;
    return made;
}

/// A channel with one reader; gone, with all it has, at the end.
struct Ring {
    weir_channel *channel = nullptr;
    weir_subscription *reader = nullptr;

    explicit Ring(weir_channel_options const &options)
    {
        must(weir_channel_create(matrix, "ring", &options, &channel));
        reader = subscribe(channel);
    }
    Ring(Ring const &) = delete;
    Ring &operator=(Ring const &) = delete;
    ~Ring()
    {
        must(weir_channel_retire(channel));
        weir_subscription_close(reader);
        weir_channel_unref(channel);
        cr_expect_eq(used_blocks(matrix), 0);
    }
    int post(uint64_t tag, uint32_t priority = 0, int64_t timeout = 0, size_t length = 8) const
    {
        weir_ref const block = alloc(matrix, 64);
        weir_post_options with = WEIR_POST_OPTIONS_INIT;
        with.tag = tag;
        with.priority = priority;
        int const code = weir_channel_post(channel, block, length, &with, timeout);
        if (code < 0)
            must(weir_matrix_free(matrix, block));
        return code;
    }
    weir_message read() const
    {
        weir_message message;
        must(weir_channel_read(reader, 0, &message, nullptr));
        return message;
    }
    weir_message take_one() const
    {
        weir_message const message = read();
        must(weir_channel_ack(reader, &message));
        return message;
    }
    bool is_empty() const
    {
        weir_message message;
        return weir_channel_read(reader, 0, &message, nullptr) == -EAGAIN;
    }
    weir_channel_info info() const
    {
        weir_channel_info made = WEIR_CHANNEL_INFO_INIT;
        must(weir_channel_inquire(channel, &made));
        return made;
    }
};
} // namespace

TestSuite(channel_policies, .init = setup, .fini = teardown);

WholeTest(channel_policies, drop_new_says_so_and_counts)
{
    weir_channel_options options = small();
    options.overflow = WEIR_CHANNEL_DROP_NEW;
    Ring const ring(options);
    for (uint64_t i = 0; i < 20; ++i)
        check_eq(ring.post(i, 0, WEIR_WAIT_FOREVER), i < 16 ? 0 : 1);
    check_eq(ring.info().dropped, 4);
    check_eq(ring.info().overflow, WEIR_CHANNEL_DROP_NEW);
    for (uint64_t i = 0; i < 16; ++i)
        check_eq(ring.take_one().tag, i);
    cr_assert(ring.is_empty());
}

WholeTest(channel_policies, drop_oldest_keeps_the_newest_and_tells_the_reader)
{
    weir_channel_options options = small();
    options.overflow = WEIR_CHANNEL_DROP_OLDEST;
    Ring const ring(options);
    for (uint64_t i = 0; i < 40; ++i)
        check_eq(ring.post(i), 0);
    check_eq(ring.info().dropped, 24);
    check_eq(ring.info().waiting, 16);
    for (uint64_t i = 24; i < 40; ++i) {
        weir_message const message = ring.take_one();
        check_eq(message.tag, i);
        check_eq(message.missed, i == 24 ? 24 : 0);
    }
    cr_assert(ring.is_empty());
}

/// Nobody reads for thousands of rounds: the place where readers look first is far behind.
WholeTest(channel_policies, a_reader_finds_the_newest_after_many_rounds_without_one)
{
    weir_channel_options options = small();
    options.overflow = WEIR_CHANNEL_DROP_OLDEST;
    Ring const ring(options);
    for (uint64_t i = 0; i < 100000; ++i)
        check_eq(ring.post(i), 0);
    weir_message const first = ring.take_one();
    check_eq(first.tag, 100000 - 16);
    check_eq(first.missed, 100000 - 16);
    for (uint64_t i = 1; i < 16; ++i)
        check_eq(ring.take_one().tag, 100000 - 16 + i);
    cr_assert(ring.is_empty());
}

/// What a reader keeps in its hand for ever is never dropped: the post says that it is full.
WholeTest(channel_policies, drop_oldest_leaves_what_is_in_a_hand)
{
    weir_channel_options options = small();
    options.overflow = WEIR_CHANNEL_DROP_OLDEST;
    Ring const ring(options);
    check_eq(ring.post(0), 0);
    weir_message const held = ring.read();
    for (uint64_t i = 1; i < 16; ++i)
        check_eq(ring.post(i), 0);
    check_eq(ring.post(16), -EAGAIN);
    check_eq(ring.post(16, 0, 20 * kMillisecond), -ETIMEDOUT);
    void *bytes;
    must(weir_matrix_data(matrix, held.block, &bytes, nullptr));
    must(weir_channel_ack(ring.reader, &held));
    for (uint64_t i = 16; i < 30; ++i)
        check_eq(ring.post(i), 0);
    check_eq(ring.take_one().tag, 14);
    check_eq(ring.info().dropped, 13);
}

WholeTest(channel_policies, a_reader_that_stops_for_ever_blocks_nobody_for_longer_than_asked)
{
    for (weir_channel_overflow const overflow :
         {WEIR_CHANNEL_BLOCK, WEIR_CHANNEL_FAIL, WEIR_CHANNEL_DROP_NEW, WEIR_CHANNEL_DROP_OLDEST}) {
        weir_channel_options options = small();
        options.overflow = overflow;
        Ring const ring(options);
        for (uint64_t i = 0; i < 16; ++i)
            check_eq(ring.post(i), 0);
        static_cast<void>(ring.read()); // and it never answers
        int64_t const began = now_ns();
        int const code = ring.post(16, 0, 30 * kMillisecond);
        check_lt(now_ns() - began, 2000 * kMillisecond);
        check_eq(code, overflow == WEIR_CHANNEL_FAIL       ? -EAGAIN
                       : overflow == WEIR_CHANNEL_DROP_NEW ? 1
                                                           : -ETIMEDOUT);
    }
}

WholeTest(channel_policies, higher_levels_are_read_first)
{
    weir_channel_options options = small();
    options.levels = 8;
    Ring const ring(options);
    for (uint64_t i = 0; i < 64; ++i)
        check_eq(ring.post(i, i * 5 % 8), 0);
    check_eq(ring.post(0, 8), -EINVAL);
    weir_channel_info const info = ring.info();
    check_eq(info.levels, 8);
    check_eq(info.waiting, 64);
    for (unsigned level = 0; level < 8; ++level) {
        check_eq(info.level_waiting[level], 8);
        check_eq(info.level_bytes[level], 64);
    }
    check_eq(info.next_priority, 7);
    check_eq(info.next_tag, 3);
    check_eq(info.next_sequence, 0);
    check_eq(info.next_sender, participant(matrix));
    check_ge(info.next_posted_at_ns, 1);
    uint64_t last_tag = 0;
    for (uint64_t i = 0; i < 64; ++i) {
        weir_message const message = ring.take_one();
        check_eq(message.priority, 7 - i / 8);
        check_eq(message.tag * 5 % 8, message.priority);
        check_eq(message.sequence, i % 8);
        if (i % 8 != 0)
            check_lt(last_tag, message.tag);
        last_tag = message.tag;
    }
}

WholeTest(channel_policies, each_level_has_its_own_room)
{
    weir_channel_options options = small();
    options.levels = 2;
    Ring const ring(options);
    for (uint64_t i = 0; i < 16; ++i)
        check_eq(ring.post(i, 0), 0);
    check_eq(ring.post(16, 0), -EAGAIN);
    for (uint64_t i = 0; i < 16; ++i)
        check_eq(ring.post(i, 1), 0);
    check_eq(ring.post(16, 1), -EAGAIN);
    weir_message message = ring.read();
    check_eq(message.priority, 1);
    must(weir_channel_nack(ring.reader, &message));
    message = ring.read();
    check_eq(message.priority, 1); // a redelivery of its level, before its level's others
    check_eq(message.redeliveries, 1);
    weir_message wrong = message;
    wrong.priority = 0;
    refuse(-WEIR_E_STALE, weir_channel_ack(ring.reader, &wrong));
    wrong.priority = 2;
    refuse(-EINVAL, weir_channel_ack(ring.reader, &wrong));
    must(weir_channel_ack(ring.reader, &message));
}

WholeTest(channel_policies, what_has_waited_long_counts_as_the_highest)
{
    weir_channel_options options = small();
    options.levels = 3;
    options.ageing_ns = 30 * kMillisecond;
    Ring const ring(options);
    check_eq(ring.post(1, 0), 0);
    check_eq(ring.post(2, 2), 0);
    check_eq(ring.take_one().tag, 2); // nothing is old
    check_eq(ring.post(3, 1), 0);
    sleep_ms(40);
    check_eq(ring.post(4, 2), 0);
    check_eq(ring.take_one().tag, 1); // both are old: the oldest, then the next
    check_eq(ring.take_one().tag, 3);
    check_eq(ring.take_one().tag, 4);
    check_eq(ring.info().ageing_ns, 30 * kMillisecond);
}

WholeTest(channel_policies, expired_messages_are_freed_counted_and_told)
{
    weir_channel_options options = small();
    options.ttl_ns = 30 * kMillisecond;
    Ring const ring(options);
    for (uint64_t i = 0; i < 5; ++i)
        check_eq(ring.post(i), 0);
    check_eq(ring.take_one().tag, 0);
    weir_message const held = ring.read(); // in the hand it does not expire
    sleep_ms(40);
    check_eq(ring.post(5), 0);
    weir_message const message = ring.take_one();
    check_eq(message.tag, 5);
    check_eq(message.missed, 3);
    check_eq(ring.info().expired, 3);
    check_eq(ring.info().dropped, 0);
    must(weir_channel_ack(ring.reader, &held));
    check_eq(ring.info().ttl_ns, 30 * kMillisecond);
    // Nobody reads: the expired ones make room.
    for (uint64_t i = 0; i < 16; ++i)
        check_eq(ring.post(i), 0);
    check_eq(ring.post(16), -EAGAIN);
    sleep_ms(40);
    check_eq(ring.post(16), 0);
}

WholeTest(channel_policies, types_and_sizes_are_checked)
{
    weir_channel_options options = small();
    options.type_id = 7;
    options.message_size = 24;
    Ring const ring(options);
    weir_channel *other = nullptr;
    for (auto const &pair : {std::pair{uint64_t{8}, uint64_t{0}}, {7, 32}, {0, 8}, {8, 24}}) {
        weir_channel_options with = small();
        with.type_id = pair.first;
        with.message_size = pair.second;
        refuse(-WEIR_E_TYPE, weir_channel_attach(matrix, "ring", &with, &other));
        refuse(-WEIR_E_TYPE, weir_channel_open(matrix, "ring", &with, &other));
    }
    for (auto const &pair : {std::pair{uint64_t{7}, uint64_t{24}}, {0, 24}, {7, 0}, {0, 0}}) {
        weir_channel_options with = small();
        with.type_id = pair.first;
        with.message_size = pair.second;
        must(weir_channel_attach(matrix, "ring", &with, &other));
        weir_channel_unref(other);
    }
    check_eq(ring.post(1, 0, 0, 24), 0);
    weir_ref const block = alloc(matrix, 64);
    refuse(-EMSGSIZE, weir_channel_post(ring.channel, block, 23, nullptr, 0));
    uint64_t const length = 25;
    refuse(-EMSGSIZE,
           weir_channel_post_many(ring.channel, &block, &length, nullptr, 1, nullptr, 0));
    must(weir_matrix_free(matrix, block));
    check_eq(ring.info().message_size, 24);
}

WholeTest(channel_policies, only_the_subscription_that_has_read_may_answer)
{
    Ring const ring(small());
    weir_subscription *const other = subscribe(ring.channel);
    check_eq(ring.post(1), 0);
    weir_message const message = ring.read();
    refuse(-WEIR_E_STALE, weir_channel_ack(other, &message));
    refuse(-WEIR_E_STALE, weir_channel_take(other, &message));
    refuse(-WEIR_E_STALE, weir_channel_nack(other, &message));
    refuse(-WEIR_E_STALE, weir_channel_ack_many(other, &message, 1));
    must(weir_channel_ack(ring.reader, &message));
    check_eq(ring.post(2), 0);
    weir_message his;
    must(weir_channel_read(other, 0, &his, nullptr));
    cr_assert(ring.is_empty());
    weir_subscription_close(other); // what it had goes to another reader
    weir_message const again = ring.take_one();
    check_eq(again.tag, 2);
    check_eq(again.redeliveries, 1);
}

WholeTest(channel_policies, batches_do_what_single_calls_do)
{
    Ring const ring(small());
    weir_ref blocks[20];
    uint64_t lengths[20], tags[20];
    for (unsigned i = 0; i < 20; ++i) {
        blocks[i] = alloc(matrix, 64);
        lengths[i] = i;
        tags[i] = 100 + i;
    }
    check_eq(weir_channel_post_many(ring.channel, blocks, lengths, tags, 0, nullptr, 0), 0);
    lengths[3] = 65;
    check_eq(weir_channel_post_many(ring.channel, blocks, lengths, tags, 20, nullptr, 0), 3);
    refuse(-EINVAL,
           weir_channel_post_many(ring.channel, blocks + 3, lengths + 3, tags, 17, nullptr, 0));
    lengths[3] = 3;
    check_eq(
        weir_channel_post_many(ring.channel, blocks + 3, lengths + 3, tags + 3, 17, nullptr, 0),
        13);
    refuse(-EAGAIN,
           weir_channel_post_many(ring.channel, blocks + 16, lengths, nullptr, 4, nullptr, 0));
    refuse(-ETIMEDOUT, weir_channel_post_many(ring.channel, blocks + 16, lengths, nullptr, 4,
                                              nullptr, 5 * kMillisecond));
    refuse(-EPERM, weir_channel_post_many(ring.channel, blocks, lengths, nullptr, 1, nullptr, 0));
    weir_message messages[20];
    check_eq(weir_channel_read_many(ring.reader, 0, 0, messages, nullptr), 0);
    check_eq(weir_channel_read_many(ring.reader, 10, 0, messages, nullptr), 10);
    check_eq(weir_channel_read_many(ring.reader, 10, WEIR_WAIT_FOREVER, messages + 10, nullptr), 6);
    refuse(-EAGAIN, weir_channel_read_many(ring.reader, 4, 0, messages + 16, nullptr));
    refuse(-ETIMEDOUT,
           weir_channel_read_many(ring.reader, 4, 5 * kMillisecond, messages + 16, nullptr));
    for (unsigned i = 0; i < 16; ++i) {
        check_eq(messages[i].tag, 100 + i);
        check_eq(messages[i].length, i);
    }
    weir_message const kept = messages[5];
    messages[5].block = 0;
    check_eq(weir_channel_ack_many(ring.reader, messages, 16), 5);
    refuse(-EINVAL, weir_channel_ack_many(ring.reader, messages + 5, 11));
    messages[5] = kept;
    check_eq(weir_channel_ack_many(ring.reader, messages + 5, 11), 11);
    refuse(-WEIR_E_STALE, weir_channel_ack_many(ring.reader, messages, 1));
    weir_post_options with = WEIR_POST_OPTIONS_INIT;
    with.tag = 9;
    check_eq(weir_channel_post_many(ring.channel, blocks + 16, lengths, nullptr, 4, &with, 0), 4);
    check_eq(ring.take_one().tag, 9);
    refuse(-WEIR_E_STALE,
           weir_channel_post_many(ring.channel, blocks, lengths, tags, 1, nullptr, 0));
    size_t const much = size_t{INT_MAX} + 1;
    refuse(-EINVAL, weir_channel_post_many(ring.channel, blocks, lengths, tags, much, nullptr, 0));
    refuse(-EINVAL, weir_channel_read_many(ring.reader, much, 0, messages, nullptr));
    refuse(-EINVAL, weir_channel_ack_many(ring.reader, messages, much));
    refuse(-EINVAL, weir_channel_post_many(nullptr, blocks, lengths, tags, 1, nullptr, 0));
    refuse(-EINVAL, weir_channel_post_many(ring.channel, nullptr, lengths, tags, 1, nullptr, 0));
    refuse(-EINVAL, weir_channel_post_many(ring.channel, blocks, nullptr, tags, 1, nullptr, 0));
    refuse(-EINVAL, weir_channel_read_many(nullptr, 1, 0, messages, nullptr));
    refuse(-EINVAL, weir_channel_read_many(ring.reader, 1, 0, nullptr, nullptr));
    refuse(-EINVAL, weir_channel_ack_many(nullptr, messages, 1));
    refuse(-EINVAL, weir_channel_ack_many(ring.reader, nullptr, 1));
    struct {
        weir_post_options known;
        uint64_t more;
    } newer = {WEIR_POST_OPTIONS_INIT, 1};
    newer.known.size = sizeof newer;
    refuse(-E2BIG, weir_channel_post_many(ring.channel, blocks, lengths, tags, 1, &newer.known, 0));
}

WholeTest(channel_policies, an_acknowledged_block_taken_by_its_ref_is_eperm)
{
    Ring const ring(small());
    check_eq(ring.post(1), 0);
    weir_message const message = ring.read();
    must(weir_block_take(matrix, message.block));
    refuse(-EPERM, weir_channel_ack_many(ring.reader, &message, 1));
    must(weir_matrix_free(matrix, message.block));
}

namespace {
bool readable(int fd, int timeout_ms)
{
    pollfd one = {fd, POLLIN, 0};
    return poll(&one, 1, timeout_ms) == 1 && (one.revents & POLLIN) != 0;
}
} // namespace

WholeTest(channel_policies, a_descriptor_is_readable_while_something_waits)
{
    Ring const ring(small());
    check_eq(ring.post(1), 0);
    int const fd = weir_channel_fd(ring.reader);
    check_ge(fd, 0);
    check_eq(weir_channel_fd(ring.reader), fd);
    cr_assert(readable(fd, 5000), "what waited before");
    check_eq(ring.take_one().tag, 1);
    cr_assert(ring.is_empty());
    cr_assert(!readable(fd, 20), "it is armed again");
    int slow = 0;
    for (uint64_t i = 0; i < 50; ++i) {
        check_eq(ring.post(i), 0);
        int64_t const began = now_ns();
        cr_assert(readable(fd, 5000));
        slow += now_ns() - began >= 200 * kMillisecond;
        check_eq(ring.take_one().tag, i);
        cr_assert(ring.is_empty());
    }
    check_lt(slow, 5, "it is woken, and does not wake by itself"); // the machine may stand still
    refuse(-EINVAL, weir_channel_fd(nullptr));
}

WholeTest(channel_policies, many_descriptors_and_a_retired_channel)
{
    weir_channel *channels[3];
    weir_subscription *readers[3];
    int fds[3];
    for (int i = 0; i < 3; ++i) {
        channels[i] = channel(matrix, std::to_string(i).c_str());
        readers[i] = subscribe(channels[i]);
        fds[i] = weir_channel_fd(readers[i]);
        check_ge(fds[i], 0);
    }
    for (int fd : fds)
        cr_assert(!readable(fd, 5));
    must(weir_channel_retire(channels[1]));
    cr_assert(readable(fds[1], 5000));
    cr_assert(!readable(fds[0], 5) && !readable(fds[2], 5));
    weir_message message;
    refuse(-WEIR_E_RETIRED, weir_channel_read(readers[1], 0, &message, nullptr));
    refuse(-WEIR_E_RETIRED, weir_channel_fd(readers[1]));
    must(weir_channel_retire(channels[0]));
    must(weir_channel_retire(channels[2]));
    for (int i = 0; i < 3; ++i) {
        weir_subscription_close(readers[i]);
        weir_channel_unref(channels[i]);
    }
}

// covers: weir_channel_fd -EMFILE -ENFILE -ENOMEM
WholeTest(channel_policies, a_descriptor_that_cannot_be_made_is_an_error)
{
    struct {
        unsigned call;
        int failure, code;
    } const cases[] = {{SYS_eventfd2, EMFILE, -EMFILE},
                       {SYS_eventfd2, ENFILE, -ENFILE},
                       {SYS_eventfd2, ENOMEM, -ENOMEM},
                       {SYS_clone3, EAGAIN, -ENOMEM}};
    for (auto const &one : cases)
        in_child_ok(
            [&] {
                Ring const ring(small());
                if (!fail_system_call(one.call, static_cast<unsigned>(one.failure)))
                    return kNotHere;
                child_check(weir_channel_fd(ring.reader) == one.code);
                child_must(ring.post(1));
                child_check(ring.take_one().tag == 1);
                return 0;
            },
            "no system call filters here");
    must(weir_matrix_heal(matrix, nullptr));
}

WholeTest(channel_policies, a_fork_child_has_a_descriptor_of_its_own)
{
    Ring const ring(small());
    int const fd = weir_channel_fd(ring.reader);
    check_ge(fd, 0);
    pid_t const child = start([&] {
        int const own = weir_channel_fd(ring.reader);
        child_check(own >= 0);
        child_must(ring.post(5));
        child_check(readable(own, 5000));
        weir_message message;
        child_must(weir_channel_read(ring.reader, 0, &message, nullptr));
        child_must(weir_channel_ack(ring.reader, &message));
        return 0;
    });
    check_eq(join(child), 0);
    check_eq(ring.post(6), 0);
    cr_assert(readable(fd, 5000));
    check_eq(ring.take_one().tag, 6);
    must(weir_matrix_heal(matrix, nullptr));
}

WholeTest(channel_policies, batches_after_retirement_are_refused)
{
    weir_channel *const ring = channel(matrix, "ending");
    weir_subscription *const reader = subscribe(ring);
    weir_ref const block = alloc(matrix);
    uint64_t const length = 1;
    weir_message message{};
    must(weir_channel_post(ring, alloc(matrix), 1, nullptr, 0));
    must(weir_channel_read(reader, 0, &message, nullptr));
    must(weir_channel_retire(ring));
    refuse(-WEIR_E_RETIRED, weir_channel_post_many(ring, &block, &length, nullptr, 1, nullptr, 0));
    refuse(-WEIR_E_RETIRED, weir_channel_read_many(reader, 1, 0, &message, nullptr));
    refuse(-WEIR_E_RETIRED,
           weir_channel_subscribers(
               ring, [](weir_subscriber_info const *, void *) { return 0; }, nullptr));
    must(weir_matrix_free(matrix, block));
    weir_subscription_close(reader);
    weir_channel_unref(ring);
}
