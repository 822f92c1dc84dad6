// SPDX-License-Identifier: MIT OR Apache-2.0
// Options of a matrix: ranges, capacity, commit, limits of sectors, isolation, participants.
#include "tests/api/support.hpp"

#include <vector>

using namespace api;

namespace {
/// All functions that take the options refuse these.
void refused(weir_matrix_options const &bad, char const *what)
{
    weir_matrix *made = nullptr;
    Name const name("bad-option");
    check_eq(weir_matrix_create(nullptr, &bad, &made), -EINVAL, "create: %s", what);
    check_eq(weir_matrix_open(name, &bad, &made), -EINVAL, "open: %s", what);
    weir_matrix *const real = create(name, options());
    check_eq(weir_matrix_attach(name, &bad, &made), -EINVAL, "attach: %s", what);
    check_eq(weir_matrix_attach_fd(weir_matrix_fd(real), &bad, &made), -EINVAL, "%s", what);
    cr_assert_null(made);
    weir_matrix_unref(real);
}

/// Allocates until nothing is left; returns how many.
size_t fill(weir_matrix *matrix, size_t size, int expected_code, std::vector<weir_ref> &into)
{
    size_t count = 0;
    for (;; ++count) {
        weir_ref block;
        int const code = weir_matrix_alloc(matrix, size, nullptr, &block, nullptr);
        if (code < 0) {
            check_eq(code, expected_code);
            return count;
        }
        into.push_back(block);
    }
}
} // namespace

// covers: weir_matrix_attach_fd -EINVAL
Test(matrix_limits, options_out_of_range_are_refused)
{
    auto const with = [](auto change, char const *what) {
        weir_matrix_options bad = options();
        change(bad);
        refused(bad, what);
    };
    with([](auto &o) { o.capacity = 64 * kKiB - 1; }, "small capacity");
    with([](auto &o) { o.capacity = (uint64_t{8} << 40) + 1; }, "large capacity");
    with([](auto &o) { o.capacity = UINT64_MAX; }, "largest capacity");
    with([](auto &o) { o.commit = kMiB + 1; }, "commit above capacity");
    with([](auto &o) { o.small_limit = kMiB + 1; }, "small limit");
    with([](auto &o) { o.medium_limit = UINT64_MAX; }, "medium limit");
    with([](auto &o) { o.large_limit = kMiB + 1; }, "large limit");
    with([](auto &o) { o.stall_ns = -1; }, "negative stall");
    with([](auto &o) { o.stall_ns = int64_t{3600} * 1000000000 + 1; }, "long stall");
    with([](auto &o) { o.mode = 01000; }, "sticky");
    with([](auto &o) { o.mode = 04755; }, "set-user-id");
    with([](auto &o) { o.participants = 1; }, "one participant");
    with([](auto &o) { o.participants = 1024; }, "too many participants");
    with([](auto &o) { o.death_policy = 2; }, "unknown policy");
    with([](auto &o) { o.death_policy = UINT32_MAX; }, "unknown policy");
    with([](auto &o) { o.flags = 1u << 31; }, "unknown flag");
    with([](auto &o) { o.flags = UINT32_MAX; }, "unknown flags");
    with([](auto &o) { std::memset(o.participant_name, 'x', 16); }, "name without end");
}

Test(matrix_limits, the_extremes_of_the_ranges_work)
{
    for (uint64_t const capacity : {64 * kKiB, 64 * kKiB + 1, uint64_t{64} << 30}) {
        auto wanted = options(capacity);
        wanted.participants = capacity == 64 * kKiB ? 2 : 1023;
        wanted.stall_ns = int64_t{3600} * 1000000000;
        weir_matrix *const matrix = create(nullptr, wanted);
        check_eq(stats(matrix).capacity, (capacity + 65535) / 65536 * 65536);
        NothingLost(matrix).verify();
        weir_matrix_unref(matrix);
    }
    weir_matrix *defaults = nullptr;
    must(weir_matrix_create(nullptr, nullptr, &defaults));
    check_eq(stats(defaults).capacity, 256 * kMiB);
    weir_matrix_unref(defaults);
}

Test(matrix_limits, a_full_matrix_is_enomem_and_all_of_it_comes_back)
{
    weir_matrix *const matrix = unnamed();
    NothingLost const lost(matrix);
    for (size_t const size : {size_t{64}, size_t{1000}, size_t{30000}}) {
        std::vector<weir_ref> blocks;
        size_t const count = fill(matrix, size, -ENOMEM, blocks);
        check_ge(count * size, kMiB * 8 / 10, "%zu", size);
        for (size_t i = 0; i < blocks.size(); i += 2)
            must(weir_matrix_free(matrix, blocks[i]));
        for (size_t i = 1; i < blocks.size(); i += 2)
            must(weir_matrix_free(matrix, blocks[i]));
        lost.verify();
    }
    weir_matrix_unref(matrix);
}

Test(matrix_limits, the_largest_block_is_the_capacity)
{
    weir_matrix *const matrix = unnamed(4 * kMiB);
    weir_ref block;
    void *data;
    must(weir_matrix_alloc(matrix, 4 * kMiB, nullptr, &block, &data));
    std::memset(data, 1, 4 * kMiB);
    weir_ref other;
    refuse(-ENOMEM, weir_matrix_alloc(matrix, 1, nullptr, &other, nullptr));
    must(weir_matrix_free(matrix, block));
    NothingLost(matrix).verify();
    weir_matrix_unref(matrix);
}

Test(matrix_limits, commit_is_granted_at_creation)
{
    auto wanted = options(16 * kMiB);
    wanted.commit = 8 * kMiB;
    weir_matrix *const matrix = create(nullptr, wanted);
    auto const info = stats(matrix);
    check_eq(info.committed_bytes, 8 * kMiB);
    check_eq(info.sector_committed[0], 2 * kMiB);
    check_eq(info.sector_committed[1], 4 * kMiB);
    check_eq(info.sector_committed[2], 2 * kMiB);
    check_eq(info.free_bytes, 8 * kMiB);
    struct stat found;
    check_eq(fstat(weir_matrix_fd(matrix), &found), 0);
    check_ge(static_cast<uint64_t>(found.st_blocks) * 512, 8 * kMiB);
    check_well(matrix);
    weir_matrix_unref(matrix);
    weir_matrix *const none = create(nullptr, options(16 * kMiB));
    check_eq(stats(none).committed_bytes, 0);
    weir_matrix_unref(none);
}

Test(matrix_limits, a_sector_at_its_limit_leaves_the_rest_to_the_next)
{
    auto wanted = options(4 * kMiB);
    wanted.small_limit = 64 * kKiB;
    weir_matrix *const matrix = create(nullptr, wanted);
    std::vector<weir_ref> blocks;
    size_t const count = fill(matrix, 64, -ENOMEM, blocks);
    check_ge(count, 1024 + 1);
    auto const info = stats(matrix);
    check_eq(info.sector_blocks[0], 1024);
    check_eq(info.sector_committed[0], 64 * kKiB);
    check_ge(info.sector_blocks[1], 1000);
    weir_matrix_unref(matrix);
}

Test(matrix_limits, an_isolated_sector_is_served_alone)
{
    auto wanted = options(4 * kMiB);
    wanted.small_limit = 64 * kKiB;
    wanted.flags = WEIR_MATRIX_ISOLATE;
    weir_matrix *const matrix = create(nullptr, wanted);
    std::vector<weir_ref> blocks;
    check_eq(fill(matrix, 64, -ENOMEM, blocks), 1024);
    auto const info = stats(matrix);
    check_eq(info.sector_blocks[0], 1024);
    check_eq(info.sector_committed[1], 0);
    weir_ref medium;
    must(weir_matrix_alloc(matrix, 5000, nullptr, &medium, nullptr));
    check_eq(stats(matrix).sector_blocks[1], 1);
    weir_matrix_unref(matrix);
}

Test(matrix_limits, as_many_participants_as_there_are_slots)
{
    auto wanted = options();
    wanted.participants = 2;
    Name const name("slots");
    weir_matrix *const first = create(name, wanted);
    weir_matrix *const second = attach(name);
    weir_matrix *third = nullptr;
    int const fds = open_descriptors();
    refuse(-EBUSY, weir_matrix_attach(name, nullptr, &third));
    refuse(-EBUSY, weir_matrix_open(name, nullptr, &third));
    refuse(-EBUSY, weir_matrix_attach_fd(weir_matrix_fd(first), nullptr, &third));
    check_eq(open_descriptors(), fds);
    cr_assert_null(third);
    weir_matrix_unref(second);
    third = attach(name);
    weir_matrix_unref(third);
    NothingLost(first).verify();
    weir_matrix_unref(first);
}

Test(matrix_limits, the_slot_of_a_dead_participant_is_free_for_the_next)
{
    auto wanted = options();
    wanted.participants = 2;
    Name const name("dead-slot");
    weir_matrix *const first = create(name, wanted);
    for (int i = 0; i < 5; ++i)
        check_eq(unit::in_child([&name] { return alloc(attach(name)) == 0 ? 1 : 0; }), 0);
    weir_matrix_unref(attach(name));
    check_eq(used_blocks(first), 0);
    weir_matrix_unref(first);
}
