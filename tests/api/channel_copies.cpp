// SPDX-License-Identifier: MIT OR Apache-2.0
// Batches of copies: what is posted from one buffer is read into another, and nothing stays behind.
#include "tests/api/support.hpp"

#include <climits>

using namespace api;

namespace {
weir_matrix *matrix = nullptr;
weir_channel *ring = nullptr;
weir_subscription *reader = nullptr;
NothingLost *lost = nullptr;

void setup()
{
    matrix = unnamed();
    ring = channel(matrix, "ring");
    reader = subscribe(ring);
    lost = new NothingLost(matrix);
}
void still_whole() { lost->verify(); }
void teardown()
{
    delete lost;
    weir_subscription_close(reader);
    weir_channel_unref(ring);
    weir_matrix_unref(matrix);
}

void answer(weir_message const *messages, size_t count)
{
    check_eq(weir_channel_ack_many(reader, messages, count), static_cast<int>(count));
}

int post(char const *data, size_t stride, size_t count, int64_t timeout_ns = 0,
         weir_channel *to = ring)
{
    return weir_channel_post_copies(to, data, stride, nullptr, nullptr, count, nullptr, timeout_ns);
}
} // namespace

TestSuite(channel_copies, .init = setup, .fini = teardown);

WholeTest(channel_copies, bytes_lengths_and_tags_arrive)
{
    uint64_t const lengths[] = {4, 0, 3};
    uint64_t const tags[] = {7, 8, 9};
    char found[12];
    memset(found, '-', sizeof found);
    weir_message messages[4];
    check_eq(weir_channel_post_copies(ring, "one.....two.", 4, lengths, tags, 3, nullptr, 0), 3);
    check_eq(weir_channel_read_copies(reader, 4, 4, 0, messages, found), 3);
    check_eq(memcmp(found, "one.----two-", sizeof found), 0);
    for (size_t i = 0; i < 3; ++i) {
        check_eq(messages[i].length, lengths[i]);
        check_eq(messages[i].tag, tags[i]);
    }
    answer(messages, 3);
}

WholeTest(channel_copies, without_lengths_and_tags_all_are_alike)
{
    weir_post_options with = WEIR_POST_OPTIONS_INIT;
    with.tag = 5;
    char found[8];
    weir_message messages[2];
    check_eq(weir_channel_post_copies(ring, "abcdefgh", 4, nullptr, nullptr, 2, &with, 0), 2);
    check_eq(weir_channel_read_copies(reader, 4, 2, WEIR_WAIT_FOREVER, messages, found), 2);
    check_eq(memcmp(found, "abcdefgh", sizeof found), 0);
    check_eq(messages[1].tag, 5);
    answer(messages, 2);
}

WholeTest(channel_copies, of_a_longer_message_come_the_first_bytes)
{
    char found[6] = "-----";
    weir_message messages[2];
    check_eq(post("abcdefgh", 4, 2), 2);
    check_eq(weir_channel_read_copies(reader, 2, 2, 0, messages, found), 2);
    check_eq(memcmp(found, "abef-", 6), 0);
    check_eq(messages[0].length, 4);
    answer(messages, 2);
}

WholeTest(channel_copies, a_batch_ends_where_the_ring_is_full)
{
    char const data[20] = {};
    char found[20];
    weir_message messages[20];
    check_eq(post(data, 1, 20), 16);
    refuse(-EAGAIN, weir_channel_post_copies(ring, data, 1, nullptr, nullptr, 1, nullptr, 0));
    refuse(-ETIMEDOUT,
           weir_channel_post_copies(ring, data, 1, nullptr, nullptr, 1, nullptr, 5 * kMillisecond));
    check_eq(weir_channel_read_copies(reader, 1, 20, 0, messages, found), 16);
    refuse(-EAGAIN, weir_channel_read_copies(reader, 1, 20, 0, messages, found));
    refuse(-ETIMEDOUT, weir_channel_read_copies(reader, 1, 20, 5 * kMillisecond, messages, found));
    answer(messages, 16);
}

WholeTest(channel_copies, what_is_refused_leaves_no_block)
{
    uint64_t const much = uint64_t{INT_MAX} + 1;
    uint64_t const lengths[] = {1, 5};
    char found[8];
    weir_message messages[2];
    check_eq(weir_channel_post_copies(ring, "abcd", 4, lengths, nullptr, 2, nullptr, 0), 1);
    refuse(-EINVAL, weir_channel_post_copies(ring, "abcd", 4, lengths + 1, nullptr, 1, nullptr, 0));
    refuse(-EINVAL, weir_channel_post_copies(ring, "abcd", 4, nullptr, nullptr, much, nullptr, 0));
    refuse(-EINVAL, weir_channel_post_copies(ring, nullptr, 4, nullptr, nullptr, 1, nullptr, 0));
    refuse(-EINVAL, weir_channel_post_copies(nullptr, "abcd", 4, nullptr, nullptr, 1, nullptr, 0));
    weir_post_options with = WEIR_POST_OPTIONS_INIT;
    with.priority = 1; // there is one level, 0
    refuse(-EINVAL, weir_channel_post_copies(ring, "abcd", 4, nullptr, nullptr, 1, &with, 0));
    with = WEIR_POST_OPTIONS_INIT;
    with.reserved0 = 1;
    refuse(-EINVAL, weir_channel_post_copies(ring, "abcd", 4, nullptr, nullptr, 1, &with, 0));
    refuse(-EINVAL, weir_channel_read_copies(nullptr, 4, 1, 0, messages, found));
    refuse(-EINVAL, weir_channel_read_copies(reader, 4, 1, 0, nullptr, found));
    refuse(-EINVAL, weir_channel_read_copies(reader, 4, 1, 0, messages, nullptr));
    refuse(-EINVAL, weir_channel_read_copies(reader, 4, much, 0, messages, found));
    check_eq(weir_channel_read_copies(reader, 4, 2, 0, messages, found), 1);
    answer(messages, 1);
    check_eq(post("abcd", 4, 0), 0);
    check_eq(weir_channel_read_copies(reader, 4, 0, 0, messages, found), 0);
}

WholeTest(channel_copies, a_fixed_size_is_held_to)
{
    weir_channel_options options = WEIR_CHANNEL_OPTIONS_INIT;
    options.message_size = 3;
    weir_channel *fixed = nullptr;
    must(weir_channel_create(matrix, "fixed", &options, &fixed));
    refuse(-EMSGSIZE, weir_channel_post_copies(fixed, "abcd", 4, nullptr, nullptr, 1, nullptr, 0));
    check_eq(post("abcd", 3, 1, 0, fixed), 1);
    must(weir_channel_retire(fixed));
    weir_channel_unref(fixed);
}

WholeTest(channel_copies, without_memory_nothing_is_posted)
{
    static char big[kMiB];
    constexpr size_t kMost = 700 * kKiB;
    weir_message message;
    check_eq(post(big, kMost, 1), 1);
    refuse(-ENOMEM, weir_channel_post_copies(ring, big, kMost, nullptr, nullptr, 1, nullptr,
                                             WEIR_WAIT_FOREVER));
    refuse(-EINVAL,
           weir_channel_post_copies(ring, big, SIZE_MAX / 2, nullptr, nullptr, 1, nullptr, 0));
    check_eq(weir_channel_read_copies(reader, kMost, 2, 0, &message, big), 1);
    answer(&message, 1);
}

WholeTest(channel_copies, a_message_whose_block_was_freed_does_not_come)
{
    weir_ref block = 0;
    weir_message message;
    char found[4] = "---";
    must(weir_matrix_alloc(matrix, 4, nullptr, &block, nullptr));
    must(weir_channel_post(ring, block, 4, nullptr, 0));
    must(weir_matrix_free(matrix, block)); // a peer that knows its ref may do that
    refuse(-EAGAIN, weir_channel_read_copies(reader, 4, 1, 0, &message, found));
    check_eq(memcmp(found, "---", 4), 0);
}

WholeTest(channel_copies, after_retirement_batches_are_refused)
{
    weir_channel *const ended = channel(matrix, "ended");
    weir_subscription *const last = subscribe(ended);
    weir_message message;
    char found;
    must(weir_channel_retire(ended));
    refuse(-WEIR_E_RETIRED,
           weir_channel_post_copies(ended, "a", 1, nullptr, nullptr, 1, nullptr, 0));
    refuse(-WEIR_E_RETIRED, weir_channel_read_copies(last, 1, 1, 0, &message, &found));
    weir_subscription_close(last);
    weir_channel_unref(ended);
}
