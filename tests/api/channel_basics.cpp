// SPDX-License-Identifier: MIT OR Apache-2.0
// Channels in one process: post, read, answers, redelivery, full rings, bad input, retirement.
#include "tests/api/support.hpp"

using namespace api;

namespace {
weir_matrix *matrix = nullptr;
weir_channel *ring = nullptr;
weir_subscription *reader = nullptr;
NothingLost *lost = nullptr;

void setup()
{
    matrix = unnamed(4 * kMiB);
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

weir_ref post(uint64_t tag, weir_channel *to = ring)
{
    weir_ref const block = alloc(matrix, 100);
    weir_post_options with = WEIR_POST_OPTIONS_INIT;
    with.tag = tag;
    must(weir_channel_post(to, block, 100, &with, 0));
    return block;
}

weir_message read(weir_subscription *from = reader)
{
    weir_message message;
    must(weir_channel_read(from, 0, &message, nullptr));
    return message;
}

void *data_of(weir_ref block)
{
    void *data = nullptr;
    must(weir_matrix_data(matrix, block, &data, nullptr));
    return data;
}

weir_channel_info inquire(weir_channel *of = ring)
{
    weir_channel_info info = WEIR_CHANNEL_INFO_INIT;
    must(weir_channel_inquire(of, &info));
    return info;
}
} // namespace

TestSuite(channel_basics, .init = setup, .fini = teardown);

WholeTest(channel_basics, what_is_posted_is_read_in_order_with_all_it_says)
{
    weir_ref blocks[10];
    int64_t const began = now_ns();
    for (unsigned i = 0; i < 10; ++i)
        blocks[i] = post(1000 + i);
    auto const info = inquire();
    check_eq(info.waiting, 10);
    check_eq(info.waiting_bytes, 1000);
    check_eq(info.capacity, 16);
    check_eq(info.next_tag, 1000);
    check_eq(info.next_length, 100);
    check_eq(info.mode, WEIR_CHANNEL_QUEUE);
    check_eq(info.overflow, WEIR_CHANNEL_BLOCK);
    check_ge(info.oldest_age_ns, 0);
    for (unsigned i = 0; i < 10; ++i) {
        weir_message const message = read();
        check_eq(message.block, blocks[i]);
        check_eq(message.tag, 1000 + i);
        check_eq(message.length, 100);
        check_eq(message.sequence, i);
        check_eq(message.sender, participant(matrix));
        check_eq(message.missed, 0);
        check_eq(message.redeliveries, 0);
        check_eq(message.priority, 0);
        check_ge(message.posted_at_ns, began - 1000); // within 1 us
        check_eq(owner_of(matrix, message.block), 0);
        check_eq(inquire().held, 1);
        must(weir_channel_ack(reader, &message));
        refuse(-WEIR_E_STALE, weir_matrix_free(matrix, message.block)); // ack freed it
    }
    check_eq(inquire().posted, 10);
}

WholeTest(channel_basics, reading_tells_where_the_bytes_are)
{
    uint64_t const sizes[] = {1, 64, 100, 5000, 300000};
    for (uint64_t const size : sizes)
        must(weir_channel_post(ring, alloc(matrix, size), size, nullptr, 0));
    weir_message messages[3];
    void *data[4] = {nullptr, nullptr, nullptr, &messages};
    must(weir_channel_read(reader, 0, &messages[0], &data[0]));
    check_eq(data[0], data_of(messages[0].block));
    must(weir_channel_ack(reader, &messages[0]));

    check_eq(weir_channel_read_many(reader, 3, 0, messages, data), 3);
    for (unsigned i = 0; i < 3; ++i)
        check_eq(data[i], data_of(messages[i].block));
    check_eq(data[3], &messages);
    check_eq(weir_channel_ack_many(reader, messages, 3), 3);

    must(weir_channel_read(reader, 0, &messages[0], nullptr));
    must(weir_channel_ack(reader, &messages[0]));
    refuse(-EAGAIN, weir_channel_read(reader, 0, &messages[0], &data[3]));
    refuse(-EAGAIN, weir_channel_read_many(reader, 3, 0, messages, &data[3]));
    check_eq(data[3], &messages);
}

WholeTest(channel_basics, an_empty_channel_is_eagain_or_times_out)
{
    weir_message message;
    message.tag = 77;
    refuse(-EAGAIN, weir_channel_read(reader, 0, &message, nullptr));
    int64_t const began = now_ns();
    refuse(-ETIMEDOUT, weir_channel_read(reader, 50 * kMillisecond, &message, nullptr));
    int64_t const took = now_ns() - began;
    check_ge(took, 50 * kMillisecond);
    check_lt(took, 2000 * kMillisecond);
    refuse(-ETIMEDOUT, weir_channel_read(reader, 1, &message, nullptr));
    check_eq(message.tag, 77);
}

WholeTest(channel_basics, a_full_channel_is_eagain_or_times_out_and_the_block_stays_ours)
{
    for (unsigned i = 0; i < 16; ++i)
        post(i);
    weir_ref const block = alloc(matrix);
    refuse(-EAGAIN, weir_channel_post(ring, block, 1, nullptr, 0));
    int64_t const began = now_ns();
    refuse(-ETIMEDOUT, weir_channel_post(ring, block, 1, nullptr, 50 * kMillisecond));
    int64_t const took = now_ns() - began;
    check_ge(took, 50 * kMillisecond);
    check_lt(took, 2000 * kMillisecond);
    check_eq(owner_of(matrix, block), participant(matrix));
    weir_message const first = read();
    refuse(-EAGAIN,
           weir_channel_post(ring, block, 1, nullptr, 0)); // in the hand it keeps its place
    must(weir_channel_ack(reader, &first));
    must(weir_channel_post(ring, block, 1, nullptr, 0));
    for (unsigned i = 0; i < 16; ++i) {
        weir_message const message = read();
        must(weir_channel_ack(reader, &message));
    }
}

WholeTest(channel_basics, a_channel_made_with_fail_never_waits)
{
    weir_channel *const failing = channel(matrix, "failing", 16, WEIR_CHANNEL_FAIL);
    for (unsigned i = 0; i < 16; ++i)
        post(i, failing);
    weir_ref const block = alloc(matrix);
    int64_t const began = now_ns();
    refuse(-EAGAIN, weir_channel_post(failing, block, 1, nullptr, WEIR_WAIT_FOREVER));
    refuse(-EAGAIN, weir_channel_post(failing, block, 1, nullptr, 10000 * kMillisecond));
    check_lt(now_ns() - began, 2000 * kMillisecond);
    check_eq(inquire(failing).overflow, WEIR_CHANNEL_FAIL);
    must(weir_matrix_free(matrix, block));
    must(weir_channel_retire(failing));
    weir_channel_unref(failing);
}

WholeTest(channel_basics, a_refused_message_is_delivered_again)
{
    post(1);
    post(2);
    for (unsigned i = 0; i < 70; ++i) {
        weir_message const message = read();
        check_eq(message.tag, 1);
        check_eq(message.redeliveries, i < 63 ? i : 63);
        must(weir_channel_nack(reader, &message));
        refuse(-WEIR_E_STALE, weir_channel_nack(reader, &message));
        check_eq(inquire().waiting, 2);
    }
    for (unsigned i = 0; i < 2; ++i) {
        weir_message const message = read();
        must(weir_channel_ack(reader, &message));
    }
}

WholeTest(channel_basics, take_makes_the_block_ours)
{
    weir_ref const block = post(1);
    weir_message const message = read();
    must(weir_channel_take(reader, &message));
    check_eq(owner_of(matrix, block), participant(matrix));
    refuse(-WEIR_E_STALE, weir_channel_take(reader, &message));
    refuse(-WEIR_E_STALE, weir_channel_ack(reader, &message));
    refuse(-WEIR_E_STALE, weir_channel_nack(reader, &message));
    must(weir_matrix_free(matrix, block));
}

WholeTest(channel_basics, answers_to_what_is_no_message_are_refused)
{
    post(1);
    weir_message const message = read();
    weir_message wrong = message;
    wrong.block = 0;
    refuse(-EINVAL, weir_channel_ack(reader, &wrong));
    refuse(-EINVAL, weir_channel_take(reader, &wrong));
    refuse(-EINVAL, weir_channel_nack(reader, &wrong));
    wrong.block = message.block + 64;
    refuse(-EINVAL, weir_channel_ack(reader, &wrong));
    refuse(-EINVAL, weir_channel_nack(reader, &wrong));
    wrong = message;
    for (uint64_t const sequence : {uint64_t{1}, uint64_t{16}, uint64_t{1} << 40, UINT64_MAX}) {
        wrong.sequence = sequence;
        refuse(-WEIR_E_STALE, weir_channel_ack(reader, &wrong));
        refuse(-WEIR_E_STALE, weir_channel_take(reader, &wrong));
        refuse(-WEIR_E_STALE, weir_channel_nack(reader, &wrong));
    }
    must(weir_channel_ack(reader, &message));
    refuse(-WEIR_E_STALE, weir_channel_ack(reader, &message));
}

WholeTest(channel_basics, an_answer_of_another_participant_is_stale)
{
    weir_matrix *other = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(matrix), nullptr, &other));
    weir_channel *his = nullptr;
    must(weir_channel_attach(other, "ring", nullptr, &his));
    weir_subscription *const his_reader = subscribe(his);
    post(1);
    weir_message const message = read();
    refuse(-WEIR_E_STALE, weir_channel_ack(his_reader, &message));
    refuse(-WEIR_E_STALE, weir_channel_take(his_reader, &message));
    refuse(-WEIR_E_STALE, weir_channel_nack(his_reader, &message));
    weir_subscription_close(his_reader);
    weir_channel_unref(his);
    weir_matrix_unref(other);
    must(weir_channel_ack(reader, &message));
}

WholeTest(channel_basics, bad_posts_are_refused)
{
    weir_ref const block = alloc(matrix, 100);
    size_t size = 0;
    must(weir_block_size(matrix, block, &size));
    refuse(-EINVAL, weir_channel_post(ring, block, size + 1, nullptr, 0));
    refuse(-EINVAL, weir_channel_post(ring, block, SIZE_MAX, nullptr, 0));
    refuse(-EINVAL, weir_channel_post(ring, 0, 0, nullptr, 0));
    refuse(-EINVAL, weir_channel_post(ring, block + 1, 0, nullptr, 0));
    refuse(-WEIR_E_STALE, weir_channel_post(ring, block ^ uint64_t{1} << 60, 0, nullptr, 0));
    weir_post_options with = WEIR_POST_OPTIONS_INIT;
    with.priority = 1;
    refuse(-EINVAL, weir_channel_post(ring, block, 1, &with, 0));
    with.priority = 0;
    with.reserved0 = 1;
    refuse(-EINVAL, weir_channel_post(ring, block, 1, &with, 0));
    must(weir_block_give(matrix, block, WEIR_OWNER_NONE));
    refuse(-EPERM, weir_channel_post(ring, block, 1, nullptr, 0));
    must(weir_block_take(matrix, block));
    check_eq(inquire().waiting + inquire().writing + inquire().held, 0);
    must(weir_channel_post(ring, block, 0, nullptr, 0)); // a length of 0 is fine
    refuse(-EPERM, weir_channel_post(ring, block, 0, nullptr, 0));
    weir_message const message = read();
    check_eq(message.length, 0);
    must(weir_channel_ack(reader, &message));
    refuse(-WEIR_E_STALE, weir_channel_post(ring, block, 1, nullptr, 0));
}

WholeTest(channel_basics, bad_names_and_options_are_refused)
{
    weir_channel *made = nullptr;
    std::string const too_long(64, 'n');
    auto const all = [&](char const *name, weir_channel_options const *with, int code) {
        check_eq(weir_channel_create(matrix, name, with, &made), code);
        check_eq(weir_channel_open(matrix, name, with, &made), code);
        check_eq(weir_channel_attach(matrix, name, with, &made), code);
    };
    // covers: weir_channel_create -EINVAL -ENAMETOOLONG
    // covers: weir_channel_open -EINVAL -ENAMETOOLONG
    // covers: weir_channel_attach -EINVAL -ENAMETOOLONG
    for (char const *const name : {"", "new\nline", "\x7f"})
        all(name, nullptr, -EINVAL);
    all(nullptr, nullptr, -EINVAL);
    all(too_long.c_str(), nullptr, -ENAMETOOLONG);
    weir_channel_options with = WEIR_CHANNEL_OPTIONS_INIT;
    for (uint32_t const capacity : {(1u << 20) + 1, UINT32_MAX}) {
        with.capacity = capacity;
        all("n", &with, -EINVAL);
    }
    with = WEIR_CHANNEL_OPTIONS_INIT;
    with.mode = 2;
    all("n", &with, -EINVAL);
    with.mode = 0;
    with.overflow = 4;
    all("n", &with, -EINVAL);
    with.overflow = 0;
    with.levels = 9;
    all("n", &with, -EINVAL);
    with.levels = 0;
    for (int64_t *const time : {&with.ttl_ns, &with.ageing_ns, &with.retain_ns}) {
        *time = -1;
        all("n", &with, -EINVAL);
        *time = 0;
    }
    with.retain_ns = 1; // a queue keeps nothing for later readers
    all("n", &with, -EINVAL);
    with.retain_ns = 0;
    with.retain_count = 1;
    all("n", &with, -EINVAL);
    refuse(-EINVAL, weir_channel_create(nullptr, "n", nullptr, &made));
    refuse(-EINVAL, weir_channel_open(nullptr, "n", nullptr, &made));
    refuse(-EINVAL, weir_channel_attach(nullptr, "n", nullptr, &made));
    refuse(-EINVAL, weir_channel_create(matrix, "n", nullptr, nullptr));
    refuse(-EINVAL, weir_channel_open(matrix, "n", nullptr, nullptr));
    refuse(-EINVAL, weir_channel_attach(matrix, "n", nullptr, nullptr));
    refuse(-ENOENT, weir_channel_attach(matrix, "n", nullptr, &made));
    cr_assert_null(made);
}

WholeTest(channel_basics, null_is_refused_or_ignored)
{
    weir_message message{};
    weir_channel_info info = WEIR_CHANNEL_INFO_INIT;
    weir_subscription *made = nullptr;
    refuse(-EINVAL, weir_channel_post(nullptr, 0, 0, nullptr, 0));
    refuse(-EINVAL, weir_channel_inquire(nullptr, &info));
    refuse(-EINVAL, weir_channel_inquire(ring, nullptr));
    refuse(-EINVAL, weir_channel_subscribe(nullptr, &made));
    refuse(-EINVAL, weir_channel_subscribe(ring, nullptr));
    refuse(-EINVAL, weir_channel_read(nullptr, 0, &message, nullptr));
    refuse(-EINVAL, weir_channel_read(reader, 0, nullptr, nullptr));
    refuse(-EINVAL, weir_channel_ack(nullptr, &message));
    refuse(-EINVAL, weir_channel_ack(reader, nullptr));
    refuse(-EINVAL, weir_channel_take(nullptr, &message));
    refuse(-EINVAL, weir_channel_take(reader, nullptr));
    refuse(-EINVAL, weir_channel_nack(nullptr, &message));
    refuse(-EINVAL, weir_channel_nack(reader, nullptr));
    refuse(-EINVAL, weir_channel_retire(nullptr));
    cr_assert_null(weir_channel_ref(nullptr));
    cr_assert_null(weir_channel_unref(nullptr));
    cr_assert_null(weir_subscription_close(nullptr));
}

WholeTest(channel_basics, a_type_must_match_if_it_is_given)
{
    weir_channel_options with = WEIR_CHANNEL_OPTIONS_INIT;
    with.type_id = 42;
    weir_channel *typed = nullptr, *other = nullptr;
    must(weir_channel_create(matrix, "typed", &with, &typed));
    check_eq(inquire(typed).type_id, 42);
    check_eq(inquire(typed).capacity, 1024);
    with.type_id = 43;
    refuse(-WEIR_E_TYPE, weir_channel_attach(matrix, "typed", &with, &other));
    refuse(-WEIR_E_TYPE, weir_channel_open(matrix, "typed", &with, &other));
    cr_assert_null(other);
    must(weir_channel_attach(matrix, "typed", nullptr, &other));
    check_eq(other, typed); // one handle per process
    weir_channel_unref(other);
    must(weir_channel_retire(typed));
    weir_channel_unref(typed);
}

WholeTest(channel_basics, capacities_are_rounded_up)
{
    for (uint32_t const capacity : {1u, 15u, 16u, 17u, 100u}) {
        weir_channel *const made = channel(matrix, "rounded", capacity);
        check_eq(inquire(made).capacity, capacity <= 16 ? 16 : capacity == 17 ? 32 : 128);
        must(weir_channel_retire(made));
        weir_channel_unref(made);
    }
}

WholeTest(channel_basics, a_channel_that_does_not_fit_is_enomem)
{
    weir_matrix *const small = unnamed(64 * kKiB);
    NothingLost const lost_there(small);
    weir_channel_options with = WEIR_CHANNEL_OPTIONS_INIT;
    with.capacity = 1 << 20;
    weir_channel *made = nullptr;
    refuse(-ENOMEM, weir_channel_create(small, "large", &with, &made));
    refuse(-ENOMEM, weir_channel_open(small, "large", &with, &made));
    with.capacity = 1024; // 64 KiB and its header
    refuse(-ENOMEM, weir_channel_create(small, "large", &with, &made));
    refuse(-ENOENT, weir_channel_attach(small, "large", nullptr, &made));
    lost_there.verify();
    weir_matrix_unref(small);
}

WholeTest(channel_basics, handles_live_as_long_as_their_users)
{
    weir_channel *const again = weir_channel_ref(ring);
    check_eq(again, ring);
    weir_channel_unref(again);
    weir_channel *opened = nullptr;
    must(weir_channel_open(matrix, "ring", nullptr, &opened));
    check_eq(opened, ring);
    weir_channel_unref(opened);
    post(1);
    weir_message const message = read();
    must(weir_channel_ack(reader, &message));
}

WholeTest(channel_basics, a_subscription_and_a_channel_keep_their_matrix_attached)
{
    weir_matrix *own = unnamed();
    weir_channel *const its = channel(own, "its");
    weir_subscription *const last = subscribe(its);
    int const before = open_descriptors();
    weir_matrix_unref(own);
    weir_channel_unref(its);
    check_eq(open_descriptors(), before);
    weir_message message;
    refuse(-EAGAIN, weir_channel_read(last, 0, &message, nullptr));
    weir_subscription_close(last);
    check_lt(open_descriptors(), before);
}

WholeTest(channel_basics, the_channel_stays_when_all_let_go_until_it_is_retired)
{
    weir_channel *kept = channel(matrix, "kept");
    weir_ref const block = post(5, kept);
    weir_channel_unref(kept);
    must(weir_channel_attach(matrix, "kept", nullptr, &kept));
    check_eq(inquire(kept).waiting, 1);
    check_eq(inquire(kept).next_tag, 5);
    must(weir_channel_retire(kept));
    refuse(-WEIR_E_STALE, weir_matrix_free(matrix, block)); // what waited was freed
    weir_channel *late = nullptr;
    refuse(-ENOENT, weir_channel_attach(matrix, "kept", nullptr, &late));
    refuse(-WEIR_E_RETIRED, weir_channel_retire(kept));
    weir_channel_info info = WEIR_CHANNEL_INFO_INIT;
    weir_subscription *made = nullptr;
    refuse(-WEIR_E_RETIRED, weir_channel_inquire(kept, &info));
    refuse(-WEIR_E_RETIRED, weir_channel_subscribe(kept, &made));
    weir_ref const mine = alloc(matrix);
    refuse(-WEIR_E_RETIRED, weir_channel_post(kept, mine, 1, nullptr, 0));
    must(weir_matrix_free(matrix, mine));
    weir_channel_unref(kept);
}

WholeTest(channel_basics, a_message_in_the_hand_survives_the_retirement)
{
    weir_channel *const ending = channel(matrix, "ending");
    weir_subscription *const its = subscribe(ending);
    weir_ref const first = post(1, ending);
    post(2, ending);
    post(3, ending);
    weir_message const kept = read(its), done = read(its);
    must(weir_channel_retire(ending));
    weir_message none;
    refuse(-WEIR_E_RETIRED, weir_channel_read(its, 0, &none, nullptr));
    must(weir_channel_take(its, &kept));
    must(weir_channel_ack(its, &done));
    check_eq(owner_of(matrix, first), participant(matrix));
    must(weir_matrix_free(matrix, first));
    weir_subscription_close(its);
    weir_channel_unref(ending);
}

WholeTest(channel_basics, a_channel_whose_block_is_damaged_is_corrupt)
{
    weir_matrix *const own = unnamed();
    weir_channel *its = channel(own, "damaged");
    weir_channel_unref(its);
    auto const find = [](weir_root_info const *info, void *userdata) {
        *static_cast<weir_ref *>(userdata) = info->block;
        return 0;
    };
    weir_ref block = 0;
    must(weir_matrix_roots(own, find, &block));
    void *data;
    must(weir_matrix_data(own, block, &data, nullptr));
    auto *const words = static_cast<uint32_t *>(data);
    struct {
        unsigned index;
        uint32_t value;
    } const wrong[] = {{0, 1}, {1, 0}, {5, 3}, {5, 31}, {5, 20}};
    for (auto const &damage : wrong) {
        uint32_t const before = words[damage.index];
        words[damage.index] = damage.value;
        refuse(-WEIR_E_CORRUPT, weir_channel_attach(own, "damaged", nullptr, &its));
        refuse(-WEIR_E_CORRUPT, weir_channel_open(own, "damaged", nullptr, &its));
        words[damage.index] = before;
    }
    must(weir_channel_attach(own, "damaged", nullptr, &its));
    weir_channel_unref(its);
    weir_matrix_unref(own);
}

WholeTest(channel_basics, a_block_freed_behind_the_channels_back_is_missed)
{
    weir_ref const block = post(1);
    post(2);
    must(weir_matrix_free(matrix, block));
    weir_message const message = read();
    check_eq(message.tag, 2);
    check_eq(message.missed, 1);
    must(weir_channel_ack(reader, &message));
}

WholeTest(channel_basics, a_block_taken_behind_the_channels_back_is_missed_and_may_be_posted_again)
{
    weir_ref const block = post(1);
    post(2);
    must(weir_block_take(matrix, block));
    weir_message message = read();
    check_eq(message.tag, 2);
    check_eq(message.missed, 1);
    must(weir_channel_ack(reader, &message));
    must(weir_channel_post(ring, block, 8, nullptr, 0));
    message = read();
    check_eq(message.block, block);
    must(weir_channel_ack(reader, &message));
}

WholeTest(channel_basics, a_block_freed_in_the_hand_is_stale_and_the_message_is_over)
{
    for (bool const keep : {false, true}) {
        weir_ref const block = post(1);
        weir_message const message = read();
        must(weir_matrix_free(matrix, block));
        if (keep)
            refuse(-WEIR_E_STALE, weir_channel_take(reader, &message));
        else
            refuse(-WEIR_E_STALE, weir_channel_ack(reader, &message));
        check_eq(inquire().held, 0);
        post(2);
        weir_message const next = read();
        check_eq(next.tag, 2);
        must(weir_channel_ack(reader, &next));
    }
}

/// What a message's block is belongs to the readers; but anybody who knows its ref may take it.
WholeTest(channel_basics, a_block_taken_from_the_hand_is_eperm_and_the_message_is_over)
{
    for (bool const keep : {false, true}) {
        weir_ref const block = post(1);
        weir_message const message = read();
        must(weir_block_take(matrix, block));
        if (keep)
            refuse(-EPERM, weir_channel_take(reader, &message));
        else
            refuse(-EPERM, weir_channel_ack(reader, &message));
        check_eq(inquire().held, 0);
        must(weir_matrix_free(matrix, block));
    }
}

WholeTest(channel_basics, a_damaged_block_in_the_hand_is_corrupt)
{
    Raw const raw(matrix);
    for (bool const keep : {false, true}) {
        weir_ref const block = post(1);
        weir_message const message = read();
        uint64_t const before = raw.word(block);
        raw.word(block) = before | 0xfffffff;
        if (keep)
            refuse(-WEIR_E_CORRUPT, weir_channel_take(reader, &message));
        else
            refuse(-WEIR_E_CORRUPT, weir_channel_ack(reader, &message));
        raw.word(block) = before;
        must(weir_block_take(matrix, block));
        must(weir_matrix_free(matrix, block));
    }
}
