// SPDX-License-Identifier: MIT OR Apache-2.0
// Looking inside: statistics, walks, participants, check and repair, heal; retired; contradictions.
#include "tests/api/support.hpp"

using namespace api;

namespace {
struct Seen {
    int blocks = 0;
    uint64_t bytes[8] = {};
    weir_block_info used{};
    int answer = 0;
};
int on_block(weir_block_info const *info, void *userdata)
{
    auto &seen = *static_cast<Seen *>(userdata);
    ++seen.blocks;
    seen.bytes[info->kind & 7] += info->length;
    if (info->kind == WEIR_BLOCK_ALLOCATED)
        seen.used = *info;
    return seen.answer;
}
struct People {
    int count = 0;
    weir_participant_info last{};
    int answer = 0;
};
int on_participant(weir_participant_info const *info, void *userdata)
{
    auto &people = *static_cast<People *>(userdata);
    ++people.count;
    people.last = *info;
    return people.answer;
}
} // namespace

Test(matrix_inside, statistics_and_walk_agree)
{
    weir_matrix *const matrix = unnamed();
    weir_alloc_options with = WEIR_ALLOC_OPTIONS_INIT;
    with.state = 200;
    weir_ref block;
    must(weir_matrix_alloc(matrix, 1000, &with, &block, nullptr));
    auto const info = stats(matrix);
    check_eq(info.capacity, kMiB);
    check_eq(info.used_blocks, 1);
    check_eq(info.used_bytes, 1024);
    check_eq(info.sector_used[WEIR_SECTOR_SMALL], 1024);
    check_eq(info.sector_blocks[WEIR_SECTOR_SMALL], 1);
    check_eq(info.used_bytes + info.free_bytes + info.claimed_bytes, info.committed_bytes);
    check_eq(info.allocs, 1);
    check_eq(info.frees, 0);
    check_eq(info.participants, 1);
    check_eq(info.deaths, 0);
    check_ge(info.segment_bytes, info.capacity);
    check_eq(info.sector_granule[0], 64);
    check_eq(info.sector_granule[1], 256);
    check_eq(info.sector_granule[2], 65536);
    Seen seen;
    check_eq(weir_matrix_walk(matrix, on_block, &seen), 0);
    check_eq(seen.bytes[WEIR_BLOCK_ALLOCATED], info.used_bytes);
    check_eq(seen.bytes[WEIR_BLOCK_FREE], info.free_bytes);
    check_eq(seen.used.block, block);
    check_eq(seen.used.offset, block & 0xffffffffffff);
    check_eq(seen.used.owner, participant(matrix));
    check_eq(seen.used.state, 200);
    check_eq(seen.used.sector, WEIR_SECTOR_SMALL);
    for (int const answer : {7, -7}) {
        seen = {};
        seen.answer = answer;
        check_eq(weir_matrix_walk(matrix, on_block, &seen), answer);
        check_eq(seen.blocks, 1);
    }
    weir_matrix_unref(matrix);
}

Test(matrix_inside, failures_are_counted)
{
    weir_matrix *const matrix = unnamed(64 * kKiB);
    weir_ref block = 77;
    must(weir_matrix_alloc(matrix, 1000, nullptr, &block, nullptr));
    refuse(-ENOMEM, weir_matrix_alloc(matrix, 64 * kKiB, nullptr, &block, nullptr));
    check_eq(stats(matrix).failures, 1);
    NothingLost(matrix).verify();
    weir_matrix_unref(matrix);
}

Test(matrix_inside, participants_are_who_they_are)
{
    auto named = options();
    std::strcpy(named.participant_name, "somebody");
    weir_matrix *const matrix = create(nullptr, named);
    People people;
    check_eq(weir_matrix_participants(matrix, on_participant, &people), 0);
    check_eq(people.count, 1);
    check_eq(people.last.participant, participant(matrix));
    check_eq(people.last.pid, getpid());
    check_eq(people.last.uid, geteuid());
    check_eq(people.last.state, WEIR_PARTICIPANT_LIVE);
    cr_assert_str_eq(people.last.name, "somebody");
    check_eq(people.last.running, 0);
    weir_matrix *second = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(matrix), nullptr, &second));
    people = {};
    check_eq(weir_matrix_participants(matrix, on_participant, &people), 0);
    check_eq(people.count, 2);
    for (int const answer : {3, -3}) {
        people = {};
        people.answer = answer;
        check_eq(weir_matrix_participants(matrix, on_participant, &people), answer);
        check_eq(people.count, 1);
    }
    weir_matrix_unref(second);
    weir_matrix_unref(matrix);
}

Test(matrix_inside, null_and_bad_flags_are_refused)
{
    weir_matrix *const matrix = unnamed();
    weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
    weir_check_report report = WEIR_CHECK_REPORT_INIT;
    weir_heal_report healed = WEIR_HEAL_REPORT_INIT;
    uint64_t id = 0;
    refuse(-EINVAL, weir_matrix_stats(nullptr, &info));
    refuse(-EINVAL, weir_matrix_stats(matrix, nullptr));
    refuse(-EINVAL, weir_matrix_walk(nullptr, on_block, nullptr));
    refuse(-EINVAL, weir_matrix_walk(matrix, nullptr, nullptr));
    refuse(-EINVAL, weir_matrix_participants(nullptr, on_participant, nullptr));
    refuse(-EINVAL, weir_matrix_participants(matrix, nullptr, nullptr));
    refuse(-EINVAL, weir_matrix_check(nullptr, 0, &report));
    refuse(-EINVAL, weir_matrix_check(matrix, 0, nullptr));
    refuse(-EINVAL, weir_matrix_check(matrix, 2, &report));
    refuse(-EINVAL, weir_matrix_check(matrix, UINT32_MAX, &report));
    refuse(-EINVAL, weir_matrix_heal(nullptr, &healed));
    check_eq(weir_matrix_heal(matrix, nullptr), 0);
    refuse(-EINVAL, weir_matrix_participant_id(nullptr, &id));
    refuse(-EINVAL, weir_matrix_participant_id(matrix, nullptr));
    weir_matrix_unref(matrix);
}

Test(matrix_inside, check_sees_orphans_and_counts_no_error)
{
    weir_matrix *const matrix = unnamed();
    weir_ref const block = alloc(matrix);
    must(weir_block_give(matrix, block, WEIR_OWNER_NONE));
    auto const report = check_well(matrix);
    check_eq(report.orphans, 1);
    check_eq(report.orphan_bytes, 64);
    check_eq(report.used_blocks, 1);
    must(weir_block_take(matrix, block));
    check_eq(check_well(matrix).orphans, 0);
    weir_matrix_unref(matrix);
}

Test(matrix_inside, check_repairs_an_index_that_misses_free_blocks)
{
    weir_matrix *const matrix = unnamed();
    must(weir_matrix_free(matrix, alloc(matrix)));
    {
        Raw const raw(matrix); // the small sector's class map and levels: all hints gone
        auto const map = raw.at<uint64_t>(Raw::kSectors + 32);
        std::memset(raw.base() + map, 0, 32);
        std::memset(raw.base() + raw.at<uint64_t>(Raw::kSectors + 24), 0, 8);
    }
    weir_check_report report = WEIR_CHECK_REPORT_INIT;
    check_eq(weir_matrix_check(matrix, 0, &report), 1);
    check_eq(report.unfindable, 1);
    check_ne(report.first_error_offset, 0);
    check_eq(weir_matrix_check(matrix, WEIR_CHECK_REPAIR, &report), 0);
    check_eq(report.repaired, 1);
    check_eq(weir_matrix_check(matrix, 0, &report), 0);
    check_eq(report.unfindable, 0);
    NothingLost(matrix).verify();
    weir_matrix_unref(matrix);
}

Test(matrix_inside, a_table_that_contradicts_itself_is_corrupt)
{
    weir_matrix *const matrix = unnamed();
    weir_ref block;
    void *data;
    must(weir_matrix_alloc(matrix, 2000, nullptr, &block, &data));
    Raw const raw(matrix);
    uint64_t &word = raw.word(block);
    uint64_t const before = word;
    weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
    weir_check_report report = WEIR_CHECK_REPORT_INIT;
    weir_channel *const ring = channel(matrix, "ring");
    for (uint64_t const wrong :
         {(before & ~uint64_t{0xfffffff}) | 0xfffffff, before & ~uint64_t{0xfffffff}}) {
        word = wrong; // far too long, or of no length
        refuse(-WEIR_E_CORRUPT, weir_matrix_stats(matrix, &info));
        Seen seen;
        refuse(-WEIR_E_CORRUPT, weir_matrix_walk(matrix, on_block, &seen));
        refuse(-WEIR_E_CORRUPT, weir_matrix_trim(matrix, 0, nullptr));
        check_ge(weir_matrix_check(matrix, 0, &report), 1);
        check_ge(report.broken_chains, 1);
        refuse(-WEIR_E_CORRUPT, weir_channel_post(ring, block, 1, nullptr, 0));
        uint64_t const length = 1;
        refuse(-WEIR_E_CORRUPT,
               weir_channel_post_many(ring, &block, &length, nullptr, 1, nullptr, 0));
        weir_ref found = 77;
        size_t size = 77;
        uint64_t owner = 77;
        weir_ref moved = 77;
        refuse(-WEIR_E_CORRUPT, weir_matrix_free(matrix, block));
        refuse(-WEIR_E_CORRUPT, weir_matrix_free_many(matrix, &block, 1));
        refuse(-WEIR_E_CORRUPT, weir_matrix_resize(matrix, block, 3000));
        refuse(-WEIR_E_CORRUPT, weir_matrix_realloc(matrix, block, 3000, nullptr, &moved, nullptr));
        check_eq(moved, 77);
        refuse(-WEIR_E_CORRUPT, weir_matrix_data(matrix, block, &data, &size));
        refuse(-WEIR_E_CORRUPT, weir_matrix_ref_of(matrix, data, 1, &found));
        refuse(-WEIR_E_CORRUPT, weir_matrix_bind(matrix, "n", block));
        refuse(-WEIR_E_CORRUPT, weir_block_size(matrix, block, &size));
        refuse(-WEIR_E_CORRUPT, weir_block_state(matrix, block));
        refuse(-WEIR_E_CORRUPT, weir_block_set_state(matrix, block, 50));
        refuse(-WEIR_E_CORRUPT, weir_block_transition(matrix, block, 0, 50));
        refuse(-WEIR_E_CORRUPT, weir_block_owner(matrix, block, &owner));
        refuse(-WEIR_E_CORRUPT, weir_block_give(matrix, block, WEIR_OWNER_NONE));
        refuse(-WEIR_E_CORRUPT, weir_block_take(matrix, block));
        check_eq(found + size + owner, 3 * 77);
        must(weir_matrix_free(matrix, alloc(matrix))); // others go on
    }
    word = before;
    check_well(matrix);
    must(weir_matrix_free(matrix, block));
    weir_channel_unref(ring);
    weir_matrix_unref(matrix);
}

Test(matrix_inside, everything_of_a_retired_matrix_is_retired)
{
    Name const name("retired");
    weir_matrix *const matrix = create(name, options());
    weir_ref const block = alloc(matrix);
    weir_channel *const ring = channel(matrix, "ring");
    weir_subscription *const reader = subscribe(ring);
    weir_ref const posted = alloc(matrix);
    must(weir_channel_post(ring, posted, 1, nullptr, 0));
    weir_message message;
    must(weir_channel_read(reader, 0, &message, nullptr));
    must(weir_matrix_retire(matrix));
    refuse(-WEIR_E_RETIRED, weir_matrix_retire(matrix));

    weir_ref other = 77;
    uint64_t id = 77;
    weir_channel *made = nullptr;
    weir_subscription *another = nullptr;
    weir_channel_info info = WEIR_CHANNEL_INFO_INIT;
    weir_message none;
    refuse(-WEIR_E_RETIRED, weir_matrix_alloc(matrix, 64, nullptr, &other, nullptr));
    refuse(-WEIR_E_RETIRED, weir_matrix_alloc_many(matrix, 64, 1, nullptr, &other, nullptr));
    refuse(-WEIR_E_RETIRED, weir_matrix_free(matrix, block));
    refuse(-WEIR_E_RETIRED, weir_matrix_free_many(matrix, &block, 1));
    refuse(-WEIR_E_RETIRED, weir_matrix_resize(matrix, block, 100));
    refuse(-WEIR_E_RETIRED, weir_matrix_realloc(matrix, block, 100, nullptr, &other, nullptr));
    refuse(-WEIR_E_RETIRED, weir_matrix_bind(matrix, "n", block));
    refuse(-WEIR_E_RETIRED, weir_matrix_lookup(matrix, "n", &other));
    refuse(-WEIR_E_RETIRED, weir_matrix_unbind(matrix, "n", &other));
    refuse(-WEIR_E_RETIRED, weir_matrix_heal(matrix, nullptr));
    refuse(-WEIR_E_RETIRED, weir_matrix_participant_id(matrix, &id));
    refuse(-WEIR_E_RETIRED, weir_block_set_state(matrix, block, 50));
    refuse(-WEIR_E_RETIRED, weir_block_transition(matrix, block, 0, 50));
    refuse(-WEIR_E_RETIRED, weir_block_give(matrix, block, WEIR_OWNER_NONE));
    refuse(-WEIR_E_RETIRED, weir_block_take(matrix, block));
    refuse(-WEIR_E_RETIRED, weir_channel_create(matrix, "c", nullptr, &made));
    refuse(-WEIR_E_RETIRED, weir_channel_attach(matrix, "ring", nullptr, &made));
    refuse(-WEIR_E_RETIRED, weir_channel_open(matrix, "ring", nullptr, &made));
    refuse(-WEIR_E_RETIRED, weir_channel_post(ring, block, 1, nullptr, 0));
    refuse(-WEIR_E_RETIRED, weir_channel_post(ring, block, 1, nullptr, WEIR_WAIT_FOREVER));
    refuse(-WEIR_E_RETIRED, weir_channel_inquire(ring, &info));
    refuse(-WEIR_E_RETIRED, weir_channel_subscribe(ring, &another));
    refuse(-WEIR_E_RETIRED, weir_channel_read(reader, 0, &none, nullptr));
    refuse(-WEIR_E_RETIRED, weir_channel_read(reader, WEIR_WAIT_FOREVER, &none, nullptr));
    refuse(-WEIR_E_RETIRED, weir_channel_ack(reader, &message));
    refuse(-WEIR_E_RETIRED, weir_channel_ack_many(reader, &message, 1));
    refuse(-WEIR_E_RETIRED, weir_channel_nack(reader, &message));
    refuse(-WEIR_E_RETIRED, weir_channel_take(reader, &message));
    refuse(-WEIR_E_RETIRED, weir_channel_retire(ring));
    check_eq(other, 77);
    check_eq(id, 77);

    void *data = nullptr; // looking is still allowed
    must(weir_matrix_data(matrix, block, &data, nullptr));
    check_eq(stats(matrix).used_blocks, 3);
    check_well(matrix);
    weir_matrix *late = nullptr;
    refuse(-WEIR_E_RETIRED, weir_matrix_attach_fd(weir_matrix_fd(matrix), nullptr, &late));
    refuse(-ENOENT, weir_matrix_attach(name, nullptr, &late)); // its name went too
    weir_subscription_close(reader);
    weir_channel_unref(ring);
    weir_matrix_unref(matrix);
    weir_matrix *const anew = create(name, options());
    NothingLost(anew).verify();
    weir_matrix_unref(anew);
}

Test(matrix_inside, retire_leaves_a_name_alone_that_is_another_segments)
{
    Name const name("renamed");
    weir_matrix *const first = create(name, options());
    must(weir_matrix_unlink(name));
    weir_matrix *const second = create(name, options());
    must(weir_matrix_retire(first));
    weir_matrix_unref(attach(name));
    weir_matrix_unref(first);
    weir_matrix_unref(second);
}
