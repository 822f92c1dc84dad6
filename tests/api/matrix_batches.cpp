// SPDX-License-Identifier: MIT OR Apache-2.0
// Many blocks in one call: all of them, some of them, none.
#include "tests/api/support.hpp"

#include <algorithm>
#include <climits>
#include <vector>

using namespace api;

namespace {
weir_matrix *matrix = nullptr;
NothingLost *lost = nullptr;

void setup()
{
    matrix = unnamed(kMiB);
    lost = new NothingLost(matrix);
}
void still_whole() { lost->verify(); }
void teardown()
{
    delete lost;
    weir_matrix_unref(matrix);
}
} // namespace

TestSuite(matrix_batches, .init = setup, .fini = teardown);

WholeTest(matrix_batches, as_many_blocks_as_asked_for_each_its_own)
{
    constexpr size_t kCount = 500;
    std::vector<weir_ref> blocks(kCount);
    std::vector<void *> data(kCount);
    refuse(int{kCount},
           weir_matrix_alloc_many(matrix, 100, kCount, nullptr, blocks.data(), data.data()));
    for (size_t i = 0; i < kCount; ++i) {
        void *found = nullptr;
        size_t size = 0;
        must(weir_matrix_data(matrix, blocks[i], &found, &size));
        check_eq(found == data[i], 1);
        check_eq(size, 128);
        std::memset(found, static_cast<int>(i & 255), size);
    }
    for (size_t i = 0; i < kCount; ++i)
        for (size_t k = 0; k < 128; ++k)
            check_eq(static_cast<unsigned char *>(data[i])[k], i & 255);
    check_eq(used_blocks(matrix), kCount);
    refuse(int{kCount}, weir_matrix_free_many(matrix, blocks.data(), kCount));
    check_eq(used_blocks(matrix), 0);
}

WholeTest(matrix_batches, a_batch_that_does_not_fit_ends_early)
{
    std::vector<weir_ref> blocks(100, 77);
    int const made = weir_matrix_alloc_many(matrix, 20000, 100, nullptr, blocks.data(), nullptr);
    check_ge(made, 40);
    check_lt(made, 100);
    for (size_t i = static_cast<size_t>(made); i < 100; ++i)
        check_eq(blocks[i], 77);
    weir_ref one = 77; // now there is a reason
    refuse(-ENOMEM, weir_matrix_alloc_many(matrix, 20000, 5, nullptr, &one, nullptr));
    check_eq(one, 77);
    refuse(made, weir_matrix_free_many(matrix, blocks.data(), static_cast<size_t>(made)));
}

WholeTest(matrix_batches, options_hold_for_each_block)
{
    weir_alloc_options with = WEIR_ALLOC_OPTIONS_INIT;
    with.alignment = 4096;
    with.flags = WEIR_ALLOC_ZERO;
    with.state = 55;
    weir_ref blocks[20];
    void *data[20];
    refuse(20, weir_matrix_alloc_many(matrix, 300, 20, &with, blocks, data));
    for (int i = 0; i < 20; ++i) {
        check_eq(reinterpret_cast<uintptr_t>(data[i]) % 4096, 0);
        check_eq(weir_block_state(matrix, blocks[i]), 55);
        for (size_t k = 0; k < 300; ++k)
            check_eq(static_cast<unsigned char *>(data[i])[k], 0);
    }
    refuse(20, weir_matrix_free_many(matrix, blocks, 20));
}

WholeTest(matrix_batches, bad_arguments)
{
    weir_ref block = 77;
    for (size_t const size : {size_t{0}, kMiB + 1, SIZE_MAX})
        refuse(-EINVAL, weir_matrix_alloc_many(matrix, size, 1, nullptr, &block, nullptr));
    for (size_t const count : {size_t{INT_MAX} + 1, SIZE_MAX}) {
        refuse(-EINVAL, weir_matrix_alloc_many(matrix, 64, count, nullptr, &block, nullptr));
        refuse(-EINVAL, weir_matrix_free_many(matrix, &block, count));
    }
    weir_alloc_options with = WEIR_ALLOC_OPTIONS_INIT;
    with.alignment = 48;
    refuse(-EINVAL, weir_matrix_alloc_many(matrix, 64, 1, &with, &block, nullptr));
    refuse(0, weir_matrix_alloc_many(matrix, 64, 0, nullptr, &block, nullptr));
    refuse(0, weir_matrix_free_many(matrix, &block, 0));
    check_eq(block, 77);
}

/// The result is the index of the one that could not be freed; nothing behind it was touched.
WholeTest(matrix_batches, free_many_stops_at_the_first_that_it_cannot_free)
{
    weir_ref blocks[6];
    refuse(6, weir_matrix_alloc_many(matrix, 64, 6, nullptr, blocks, nullptr));
    must(weir_matrix_free(matrix, blocks[2]));
    refuse(2, weir_matrix_free_many(matrix, blocks, 6));
    check_eq(used_blocks(matrix), 3);
    refuse(-WEIR_E_STALE, weir_matrix_free_many(matrix, blocks + 2, 4));
    refuse(3, weir_matrix_free_many(matrix, blocks + 3, 3));
    check_eq(used_blocks(matrix), 0);

    weir_ref const twice = alloc(matrix);
    weir_ref const again[] = {twice, twice, twice};
    refuse(1, weir_matrix_free_many(matrix, again, 3));
    weir_ref const none[] = {WEIR_REF_NONE, twice};
    refuse(-EINVAL, weir_matrix_free_many(matrix, none, 2));
}
