// SPDX-License-Identifier: MIT OR Apache-2.0
// Blocks that change their size: where they are, and by moving.
#include "tests/api/support.hpp"

#include <cstring>
#include <vector>

using namespace api;

namespace {
weir_matrix *matrix = nullptr;
NothingLost *lost = nullptr;

void setup()
{
    auto with = options(4 * kMiB);
    with.flags = WEIR_MATRIX_NO_LANES; // where blocks lie depends on the free ones alone
    matrix = create(nullptr, with);
    lost = new NothingLost(matrix);
}
void still_whole() { lost->verify(); }
void teardown()
{
    delete lost;
    weir_matrix_unref(matrix);
}

size_t size_of(weir_ref block)
{
    size_t size = 0;
    must(weir_block_size(matrix, block, &size));
    return size;
}

unsigned char *bytes_of(weir_ref block)
{
    void *data = nullptr;
    must(weir_matrix_data(matrix, block, &data, nullptr));
    return static_cast<unsigned char *>(data);
}

void fill(weir_ref block, size_t size)
{
    for (size_t i = 0; i < size; ++i)
        bytes_of(block)[i] = static_cast<unsigned char>(i * 7 + 1);
}
void verify(weir_ref block, size_t size)
{
    unsigned char const *const bytes = bytes_of(block);
    for (size_t i = 0; i < size; ++i)
        check_eq(bytes[i], static_cast<unsigned char>(i * 7 + 1), "byte %zu", i);
}

/// Takes all that is free, so that nothing is right of anything.
std::vector<weir_ref> take_all()
{
    std::vector<weir_ref> taken;
    weir_ref block;
    for (size_t const size : {size_t{64 * kKiB}, size_t{1000}, size_t{64}})
        while (weir_matrix_alloc(matrix, size, nullptr, &block, nullptr) == 0)
            taken.push_back(block);
    return taken;
}
void free_all(std::vector<weir_ref> const &blocks)
{
    for (weir_ref const block : blocks)
        must(weir_matrix_free(matrix, block));
}
} // namespace

TestSuite(matrix_resize, .init = setup, .fini = teardown);

WholeTest(matrix_resize, a_block_shrinks_where_it_is_and_its_tail_comes_back)
{
    for (size_t const size : {size_t{1000}, size_t{100000}, size_t{3 * kMiB}}) {
        weir_ref const block = alloc(matrix, size);
        uint64_t const used = stats(matrix).used_bytes;
        size_t const before = size_of(block);
        fill(block, size / 2);
        must(weir_matrix_resize(matrix, block, size / 2));
        check_ge(size_of(block), size / 2);
        check_eq(used - stats(matrix).used_bytes, before - size_of(block));
        check_lt(size_of(block), before);
        verify(block, size / 2);
        must(weir_matrix_resize(matrix, block, 1));
        verify(block, 1);
        check_well(matrix);
        must(weir_matrix_free(matrix, block));
    }
}

WholeTest(matrix_resize, it_grows_into_the_free_block_on_its_right_and_no_further)
{
    weir_ref const wall = alloc(matrix, 640); // blocks are cut from the right end
    weir_ref const right = alloc(matrix, 640);
    weir_ref const block = alloc(matrix, 640);
    cr_assert_eq((block + 640) & 0xffffffffffff, right & 0xffffffffffff);
    fill(block, 640);
    refuse(-ENOSPC, weir_matrix_resize(matrix, block, 641)); // its neighbour is in use
    check_eq(size_of(block), 640);
    must(weir_matrix_free(matrix, right));
    refuse(-ENOSPC, weir_matrix_resize(matrix, block, 1281));
    check_eq(size_of(block), 640);
    must(weir_matrix_resize(matrix, block, 700)); // a part of it
    check_eq(size_of(block), 704);
    must(weir_matrix_resize(matrix, block, 1280)); // all of it, beyond the sizes of its sector
    check_eq(size_of(block), 1280);
    verify(block, 640);
    refuse(-ENOSPC, weir_matrix_resize(matrix, block, 1281));
    check_well(matrix);
    must(weir_matrix_free(matrix, wall));
    must(weir_matrix_free(matrix, block));
}

WholeTest(matrix_resize, the_same_size_changes_nothing)
{
    weir_ref const block = alloc(matrix, 100);
    Raw const raw(matrix);
    uint64_t const word = raw.word(block);
    for (size_t const size : {size_t{65}, size_t{100}, size_t{128}})
        must(weir_matrix_resize(matrix, block, size));
    check_eq(raw.word(block), word);
    must(weir_matrix_free(matrix, block));
}

WholeTest(matrix_resize, state_and_owner_stay)
{
    weir_ref const block = alloc(matrix, 1000);
    must(weir_block_set_state(matrix, block, 99));
    must(weir_matrix_resize(matrix, block, 10));
    check_eq(weir_block_state(matrix, block), 99);
    check_eq(owner_of(matrix, block), participant(matrix));
    weir_ref moved = 0;
    must(weir_matrix_realloc(matrix, block, 100000, nullptr, &moved, nullptr));
    check_ne(moved, block);
    check_eq(weir_block_state(matrix, moved), 99);
    must(weir_matrix_free(matrix, moved));
}

WholeTest(matrix_resize, bad_sizes_are_refused)
{
    weir_ref const block = alloc(matrix, 100);
    weir_ref moved = 77;
    for (size_t const size : {size_t{0}, 4 * kMiB + 1, SIZE_MAX / 2, SIZE_MAX}) {
        refuse(-EINVAL, weir_matrix_resize(matrix, block, size));
        refuse(-EINVAL, weir_matrix_realloc(matrix, block, size, nullptr, &moved, nullptr));
        refuse(-EINVAL, weir_matrix_realloc(matrix, WEIR_REF_NONE, size, nullptr, &moved, nullptr));
    }
    refuse(-EINVAL, weir_matrix_realloc(matrix, block + 1, 100, nullptr, &moved, nullptr));
    check_eq(moved, 77);
    check_eq(size_of(block), 128);
    must(weir_matrix_free(matrix, block));
    refuse(-WEIR_E_STALE, weir_matrix_resize(matrix, block, 10));
    refuse(-WEIR_E_STALE, weir_matrix_realloc(matrix, block, 100, nullptr, &moved, nullptr));
    refuse(-WEIR_E_STALE, weir_matrix_realloc(matrix, block, 10000, nullptr, &moved, nullptr));
}

WholeTest(matrix_resize, only_its_owner_may_do_it)
{
    weir_matrix *other = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(matrix), nullptr, &other));
    weir_ref const block = alloc(matrix, 1000);
    weir_ref moved = 77;
    auto const all_refuse = [&](weir_matrix *by) {
        refuse(-EPERM, weir_matrix_resize(by, block, 10));
        refuse(-EPERM, weir_matrix_resize(by, block, 1000));
        refuse(-EPERM, weir_matrix_realloc(by, block, 10, nullptr, &moved, nullptr));
        refuse(-EPERM, weir_matrix_realloc(by, block, 2 * kMiB, nullptr, &moved, nullptr));
    };
    all_refuse(other);
    must(weir_block_give(matrix, block, WEIR_OWNER_NONE)); // as if bound or posted
    all_refuse(matrix);
    all_refuse(other);
    must(weir_block_take(other, block));
    must(weir_matrix_resize(other, block, 10));
    all_refuse(matrix);
    check_eq(moved, 77);
    must(weir_matrix_free(matrix, block)); // anybody may free
    weir_matrix_unref(other);
}

WholeTest(matrix_resize, realloc_moves_what_cannot_grow_and_keeps_its_bytes)
{
    weir_ref block = WEIR_REF_NONE;
    void *data = nullptr;
    must(weir_matrix_realloc(matrix, WEIR_REF_NONE, 10, nullptr, &block, nullptr));
    fill(block, 10);
    for (size_t size = 10; size <= kMiB; size *= 3) {
        weir_ref const old = block;
        weir_ref const guard = alloc(matrix, size); // whatever is free beside it may be gone
        must(weir_matrix_realloc(matrix, old, size * 3, nullptr, &block, &data));
        verify(block, size);
        check_ge(size_of(block), size * 3);
        check_eq(data == bytes_of(block), 1);
        if (old != block)
            refuse(-WEIR_E_STALE, weir_matrix_free(matrix, old));
        fill(block, size * 3);
        must(weir_matrix_free(matrix, guard));
    }
    weir_ref small = 0;
    must(weir_matrix_realloc(matrix, block, 5, nullptr, &small, nullptr));
    check_eq(small, block); // it shrinks where it is
    verify(small, 5);
    must(weir_matrix_free(matrix, small));
}

WholeTest(matrix_resize, realloc_that_fails_leaves_the_old_block_alone)
{
    weir_ref const block = alloc(matrix, 640);
    weir_ref moved = 77;
    fill(block, 640);
    auto const taken = take_all();
    refuse(-ENOMEM, weir_matrix_realloc(matrix, block, 5000, nullptr, &moved, nullptr));
    weir_alloc_options with = WEIR_ALLOC_OPTIONS_INIT;
    with.timeout_ns = 20 * kMillisecond;
    refuse(-ETIMEDOUT, weir_matrix_realloc(matrix, block, 5000, &with, &moved, nullptr));
    refuse(-ENOSPC, weir_matrix_resize(matrix, block, 5000));
    check_eq(moved, 77);
    check_eq(size_of(block), 640);
    verify(block, 640);
    must(weir_matrix_realloc(matrix, block, 100, &with, &moved, nullptr)); // needs no memory
    check_eq(moved, block);
    free_all(taken);
    must(weir_matrix_free(matrix, block));
}

WholeTest(matrix_resize, options_of_realloc)
{
    weir_ref const block = alloc(matrix, 64);
    weir_ref moved = 77;
    weir_alloc_options with = WEIR_ALLOC_OPTIONS_INIT;
    with.state = 60;
    refuse(-EINVAL, weir_matrix_realloc(matrix, block, 64, &with, &moved, nullptr));
    must(weir_matrix_realloc(matrix, WEIR_REF_NONE, 64, &with, &moved, nullptr));
    check_eq(weir_block_state(matrix, moved), 60);
    must(weir_matrix_free(matrix, moved));
    with.state = 0;
    with.alignment = 3;
    refuse(-EINVAL, weir_matrix_realloc(matrix, block, 64, &with, &moved, nullptr));
    with.alignment = 4096;
    with.flags = WEIR_ALLOC_ZERO;
    fill(block, 64);
    void *data = nullptr;
    must(weir_matrix_realloc(matrix, block, 9000, &with, &moved, &data));
    check_eq(reinterpret_cast<uintptr_t>(data) % 4096, 0);
    verify(moved, 64);
    for (size_t i = 64; i < 9000; ++i)
        check_eq(bytes_of(moved)[i], 0, "byte %zu", i);
    must(weir_matrix_free(matrix, moved));
}

/// In place too: what a larger block gets behind its old bytes is zeroed.
WholeTest(matrix_resize, bytes_that_a_block_gets_in_place_are_zero_if_asked)
{
    weir_ref const wall = alloc(matrix, 640), right = alloc(matrix, 640), block = alloc(matrix, 64);
    std::memset(bytes_of(right), 0xff, 640);
    must(weir_matrix_free(matrix, right));
    fill(block, 64);
    weir_alloc_options with = WEIR_ALLOC_OPTIONS_INIT;
    with.flags = WEIR_ALLOC_ZERO;
    weir_ref same = 0;
    must(weir_matrix_realloc(matrix, block, 500, &with, &same, nullptr));
    check_eq(same, block);
    verify(block, 64);
    for (size_t i = 64; i < 500; ++i)
        check_eq(bytes_of(block)[i], 0, "byte %zu", i);
    must(weir_matrix_free(matrix, block));
    must(weir_matrix_free(matrix, wall));
}

WholeTest(matrix_resize, isolated_sectors_keep_their_sizes)
{
    auto with = options(4 * kMiB);
    with.flags = WEIR_MATRIX_ISOLATE | WEIR_MATRIX_NO_LANES;
    weir_matrix *const isolated = create(nullptr, with);
    weir_ref const wall = alloc(isolated, 640), right = alloc(isolated, 640);
    weir_ref const block = alloc(isolated, 640);
    must(weir_matrix_free(isolated, right));
    refuse(-ENOSPC, weir_matrix_resize(isolated, block, 1025));
    must(weir_matrix_resize(isolated, block, 1024));
    weir_ref const large = alloc(isolated, 2 * kMiB);
    must(weir_matrix_resize(isolated, large, 64)); // shrinking never moves
    weir_ref moved = 0;
    must(weir_matrix_realloc(isolated, block, 1025, nullptr, &moved, nullptr));
    check_ne(moved, block);
    for (weir_ref const each : {wall, moved, large})
        must(weir_matrix_free(isolated, each));
    weir_matrix_unref(isolated);
}

/// What a lane keeps on the right of a block is room for it too.
WholeTest(matrix_resize, it_grows_into_what_lanes_keep)
{
    weir_matrix *const laned = unnamed(64 * kMiB);
    weir_ref blocks[3];
    for (weir_ref &block : blocks)
        block = alloc(laned, 1024);
    weir_ref first = blocks[0];
    for (weir_ref const block : blocks)
        first = (block & 0xffffffffffff) < (first & 0xffffffffffff) ? block : first;
    for (weir_ref const block : blocks)
        if (block != first)
            must(weir_matrix_free(laned, block));
    check_ge(stats(laned).cached_bytes, 2048);
    must(weir_matrix_resize(laned, first, 3072));
    check_well(laned);
    must(weir_matrix_free(laned, first));
    weir_matrix_unref(laned);
}
