// SPDX-License-Identifier: MIT OR Apache-2.0
// Blocks: sizes, alignment, bad sizes, double free, refs that are stale, inside or foreign, owners.
#include "tests/api/support.hpp"

#include <vector>

using namespace api;

namespace {
weir_matrix *matrix = nullptr;
NothingLost *lost = nullptr;

void setup()
{
    matrix = unnamed(4 * kMiB);
    lost = new NothingLost(matrix);
}
void still_whole() { lost->verify(); }
void teardown()
{
    delete lost;
    weir_matrix_unref(matrix);
}

weir_alloc_options aligned(size_t alignment)
{
    weir_alloc_options made = WEIR_ALLOC_OPTIONS_INIT;
    made.alignment = alignment;
    return made;
}

/// A matrix whose refs differ from those of `other` for sure, not only nearly always.
weir_matrix *another(weir_matrix *other)
{
    weir_uuid mine, its;
    must(weir_matrix_uuid(other, &its));
    for (;;) {
        weir_matrix *const made = unnamed(4 * kMiB);
        must(weir_matrix_uuid(made, &mine));
        if (std::memcmp(mine.value, its.value, 2) != 0)
            return made;
        weir_matrix_unref(made);
    }
}

/// Every function that takes a ref refuses this one.
void all_refuse(weir_ref block, int code, char const *what)
{
    void *data = nullptr;
    size_t size = 77;
    uint64_t owner = 77;
    check_eq(weir_matrix_free(matrix, block), code, "free: %s", what);
    check_eq(weir_matrix_free_many(matrix, &block, 1), code, "free_many: %s", what);
    check_eq(weir_matrix_resize(matrix, block, 10), code, "resize: %s", what);
    check_eq(weir_matrix_data(matrix, block, &data, &size), code, "data: %s", what);
    check_eq(weir_block_size(matrix, block, &size), code, "size: %s", what);
    check_eq(weir_block_state(matrix, block), code, "state: %s", what);
    check_eq(weir_block_set_state(matrix, block, 50), code, "set_state: %s", what);
    check_eq(weir_block_transition(matrix, block, 0, 50), code, "transition: %s", what);
    check_eq(weir_block_owner(matrix, block, &owner), code, "owner: %s", what);
    check_eq(weir_block_give(matrix, block, WEIR_OWNER_NONE), code, "give: %s", what);
    check_eq(weir_block_take(matrix, block), code, "take: %s", what);
    check_eq(weir_matrix_bind(matrix, "never", block), code, "bind: %s", what);
    cr_assert_null(data);
    check_eq(size, 77);
    check_eq(owner, 77);
}
} // namespace

TestSuite(matrix_blocks, .init = setup, .fini = teardown);

WholeTest(matrix_blocks, a_block_is_as_large_as_asked_and_its_bytes_are_its_own)
{
    std::vector<weir_ref> blocks;
    std::vector<size_t> sizes;
    unit::Random random(1);
    for (int i = 0; i < 300; ++i) {
        size_t const size = 1 + random.below(i % 10 == 0 ? 20000 : 600);
        weir_ref block;
        void *data;
        must(weir_matrix_alloc(matrix, size, nullptr, &block, &data));
        size_t real = 0;
        must(weir_block_size(matrix, block, &real));
        check_ge(real, size);
        check_eq(reinterpret_cast<uintptr_t>(data) % 64, 0);
        std::memset(data, i & 255, real);
        blocks.push_back(block);
        sizes.push_back(real);
    }
    for (size_t i = 0; i < blocks.size(); ++i) {
        void *data;
        size_t size;
        must(weir_matrix_data(matrix, blocks[i], &data, &size));
        check_eq(size, sizes[i]);
        auto const *const bytes = static_cast<unsigned char *>(data);
        for (size_t k = 0; k < size; ++k)
            check_eq(bytes[k], i & 255);
        must(weir_matrix_free(matrix, blocks[i]));
    }
}

WholeTest(matrix_blocks, bad_sizes_are_refused_and_write_nothing)
{
    weir_ref block = 77;
    void *data = &block;
    for (size_t const size : {size_t{0}, 4 * kMiB + 1, SIZE_MAX / 2, SIZE_MAX - 63, SIZE_MAX}) {
        refuse(-EINVAL, weir_matrix_alloc(matrix, size, nullptr, &block, &data));
        auto const with = aligned(64);
        refuse(-EINVAL, weir_matrix_alloc(matrix, size, &with, &block, &data));
    }
    check_eq(block, 77);
    check_eq(data, &block);
}

WholeTest(matrix_blocks, bad_alignments_are_refused)
{
    weir_ref block = 77;
    for (size_t const bad : {size_t{3}, size_t{65}, size_t{96}, size_t{4 * kMiB}, SIZE_MAX,
                             SIZE_MAX / 2 + 1, size_t{2 * kMiB} + 1}) {
        auto const with = aligned(bad);
        refuse(-EINVAL, weir_matrix_alloc(matrix, 64, &with, &block, nullptr));
    }
    check_eq(block, 77);
}

WholeTest(matrix_blocks, every_good_alignment_is_kept)
{
    weir_matrix *const large = unnamed(64 * kMiB);
    for (size_t alignment = 1; alignment <= 2 * kMiB; alignment *= 2) {
        auto const with = aligned(alignment);
        for (size_t const size : {size_t{1}, size_t{1000}, size_t{100000}}) {
            weir_ref block;
            void *data;
            must(weir_matrix_alloc(large, size, &with, &block, &data));
            check_eq(reinterpret_cast<uintptr_t>(data) % alignment, 0, "%zu", alignment);
            must(weir_matrix_free(large, block));
        }
    }
    NothingLost(large).verify();
    weir_matrix_unref(large);
}

WholeTest(matrix_blocks, bad_flags_and_states_are_refused)
{
    weir_ref block = 77;
    for (uint32_t const flags : {2u, 0x80000000u, UINT32_MAX}) {
        auto with = aligned(0);
        with.flags = flags;
        refuse(-EINVAL, weir_matrix_alloc(matrix, 64, &with, &block, nullptr));
    }
    for (uint32_t const state : {1u, 48u, 256u, 304u, UINT32_MAX}) {
        auto with = aligned(0);
        with.state = state;
        refuse(-EINVAL, weir_matrix_alloc(matrix, 64, &with, &block, nullptr));
    }
    check_eq(block, 77);
}

WholeTest(matrix_blocks, zero_means_zero)
{
    auto with = aligned(0);
    with.flags = WEIR_ALLOC_ZERO;
    for (int round = 0; round < 20; ++round) {
        weir_ref block;
        void *data;
        must(weir_matrix_alloc(matrix, 5000, &with, &block, &data));
        for (size_t i = 0; i < 5000; ++i)
            check_eq(static_cast<unsigned char *>(data)[i], 0);
        std::memset(data, 0xff, 5000);
        must(weir_matrix_free(matrix, block));
    }
}

WholeTest(matrix_blocks, null_is_refused_everywhere)
{
    weir_ref block = alloc(matrix);
    weir_ref none = 0;
    void *data = nullptr;
    size_t size = 0;
    uint64_t owner = 0;
    refuse(-EINVAL, weir_matrix_alloc(nullptr, 64, nullptr, &none, nullptr));
    refuse(-EINVAL, weir_matrix_alloc(matrix, 64, nullptr, nullptr, &data));
    refuse(-EINVAL, weir_matrix_free(nullptr, block));
    refuse(-EINVAL, weir_matrix_free_many(nullptr, &block, 1));
    refuse(-EINVAL, weir_matrix_free_many(matrix, nullptr, 1));
    refuse(-EINVAL, weir_matrix_alloc_many(nullptr, 64, 1, nullptr, &none, nullptr));
    refuse(-EINVAL, weir_matrix_alloc_many(matrix, 64, 1, nullptr, nullptr, &data));
    refuse(-EINVAL, weir_matrix_resize(nullptr, block, 10));
    refuse(-EINVAL, weir_matrix_realloc(nullptr, block, 10, nullptr, &none, nullptr));
    refuse(-EINVAL, weir_matrix_realloc(matrix, block, 10, nullptr, nullptr, &data));
    refuse(-EINVAL, weir_matrix_data(nullptr, block, &data, &size));
    refuse(-EINVAL, weir_matrix_data(matrix, block, nullptr, &size));
    must(weir_matrix_data(matrix, block, &data, nullptr));
    refuse(-EINVAL, weir_matrix_ref_of(nullptr, data, 1, &none));
    refuse(-EINVAL, weir_matrix_ref_of(matrix, nullptr, 1, &none));
    refuse(-EINVAL, weir_matrix_ref_of(matrix, data, 1, nullptr));
    refuse(-EINVAL, weir_block_size(nullptr, block, &size));
    refuse(-EINVAL, weir_block_size(matrix, block, nullptr));
    refuse(-EINVAL, weir_block_state(nullptr, block));
    refuse(-EINVAL, weir_block_set_state(nullptr, block, 50));
    refuse(-EINVAL, weir_block_transition(nullptr, block, 0, 50));
    refuse(-EINVAL, weir_block_owner(nullptr, block, &owner));
    refuse(-EINVAL, weir_block_owner(matrix, block, nullptr));
    refuse(-EINVAL, weir_block_give(nullptr, block, 0));
    refuse(-EINVAL, weir_block_take(nullptr, block));
    check_eq(none, 0);
    must(weir_matrix_free(matrix, block));
}

// covers: weir_matrix_free -EINVAL -WEIR_E_STALE
// covers: weir_matrix_free_many -EINVAL -WEIR_E_STALE
// covers: weir_matrix_resize -EINVAL -WEIR_E_STALE
// covers: weir_matrix_data -WEIR_E_STALE
// covers: weir_block_size -WEIR_E_STALE
// covers: weir_block_state -WEIR_E_STALE
// covers: weir_block_set_state -WEIR_E_STALE
// covers: weir_block_transition -WEIR_E_STALE
// covers: weir_block_owner -WEIR_E_STALE
// covers: weir_block_give -WEIR_E_STALE
// covers: weir_block_take -WEIR_E_STALE
// covers: weir_matrix_bind -WEIR_E_STALE
WholeTest(matrix_blocks, a_second_free_and_any_use_after_free_are_stale)
{
    for (size_t const size : {size_t{64}, size_t{5000}, size_t{2 * kMiB}}) {
        weir_ref const block = alloc(matrix, size);
        must(weir_matrix_free(matrix, block));
        all_refuse(block, -WEIR_E_STALE, "freed");
        weir_ref const next = alloc(matrix, size); // the same place, perhaps
        check_ne(next, block);
        all_refuse(block, -WEIR_E_STALE, "freed and used again");
        must(weir_matrix_free(matrix, next));
    }
}

WholeTest(matrix_blocks, refs_that_can_be_none_are_refused)
{
    weir_ref const block = alloc(matrix, 10000);
    all_refuse(WEIR_REF_NONE, -EINVAL, "none");
    all_refuse(UINT64_MAX, -EINVAL, "all bits");
    for (unsigned const off : {1u, 8u, 32u, 63u})
        all_refuse(block + off, -EINVAL, "not on a granule");
    all_refuse(block & (uint64_t{0xffff} << 48), -EINVAL, "in the header");
    all_refuse((block & (uint64_t{0xffff} << 48)) | stats(matrix).segment_bytes, -EINVAL,
               "behind the end");
    must(weir_matrix_free(matrix, block));
}

WholeTest(matrix_blocks, interior_refs_are_refused)
{
    weir_ref const block = alloc(matrix, 10000); // granules of 256 bytes
    for (unsigned granule = 1; granule < 39; ++granule)
        all_refuse(block + 256 * granule, -WEIR_E_STALE, "inside");
    must(weir_matrix_free(matrix, block));
}

WholeTest(matrix_blocks, another_generation_is_stale)
{
    weir_ref const block = alloc(matrix);
    for (unsigned bit = 48; bit < 64; ++bit)
        all_refuse(block ^ uint64_t{1} << bit, -WEIR_E_STALE, "another generation");
    must(weir_matrix_free(matrix, block));
}

WholeTest(matrix_blocks, a_ref_of_another_matrix_is_stale)
{
    weir_matrix *const other = another(matrix);
    weir_ref const mine = alloc(matrix), its = alloc(other);
    check_eq(mine & 0xffffffffffff, its & 0xffffffffffff); // the same place in both
    all_refuse(its, -WEIR_E_STALE, "of another matrix");
    must(weir_matrix_free(other, its));
    must(weir_matrix_free(matrix, mine));
    weir_matrix_unref(other);
}

WholeTest(matrix_blocks, ref_of_finds_a_block_by_its_first_byte_alone)
{
    weir_ref block, found = 77;
    void *data;
    must(weir_matrix_alloc(matrix, 1000, nullptr, &block, &data));
    size_t size;
    must(weir_block_size(matrix, block, &size));
    must(weir_matrix_ref_of(matrix, data, size, &found));
    check_eq(found, block);
    must(weir_matrix_ref_of(matrix, data, 1, &found));
    check_eq(found, block);
    found = 77;
    char *const bytes = static_cast<char *>(data);
    refuse(-EINVAL, weir_matrix_ref_of(matrix, bytes + 1, 1, &found));
    refuse(-EINVAL, weir_matrix_ref_of(matrix, &found, 8, &found));
    refuse(-EINVAL, weir_matrix_ref_of(matrix, data, size + 1, &found));
    refuse(-EINVAL, weir_matrix_ref_of(matrix, data, SIZE_MAX, &found));
    refuse(-EINVAL, weir_matrix_ref_of(matrix, data, 0, &found));
    refuse(-EINVAL, weir_matrix_ref_of(matrix, reinterpret_cast<void *>(uintptr_t{64}), 1, &found));
    refuse(-EINVAL,
           weir_matrix_ref_of(matrix, reinterpret_cast<void *>(UINTPTR_MAX - 63), 1, &found));
    refuse(-WEIR_E_STALE, weir_matrix_ref_of(matrix, bytes + 64, 1, &found));
    must(weir_matrix_free(matrix, block));
    refuse(-WEIR_E_STALE, weir_matrix_ref_of(matrix, data, 1, &found));
    check_eq(found, 77);
}

WholeTest(matrix_blocks, states_of_the_user_and_no_others)
{
    auto with = aligned(0);
    with.state = 77;
    weir_ref block;
    must(weir_matrix_alloc(matrix, 64, &with, &block, nullptr));
    check_eq(weir_block_state(matrix, block), 77);
    must(weir_block_set_state(matrix, block, 0));
    for (uint32_t state = WEIR_STATE_USER_MIN; state <= WEIR_STATE_USER_MAX; ++state) {
        must(weir_block_set_state(matrix, block, state));
        check_eq(weir_block_state(matrix, block), state);
    }
    for (uint32_t const bad : {1u, 48u, 256u, 256u + 50u, UINT32_MAX}) {
        refuse(-EINVAL, weir_block_set_state(matrix, block, bad));
        refuse(-EINVAL, weir_block_transition(matrix, block, 255, bad));
        refuse(-EINVAL, weir_block_transition(matrix, block, bad, 50));
    }
    refuse(-EAGAIN, weir_block_transition(matrix, block, 50, 51));
    check_eq(weir_block_state(matrix, block), 255);
    must(weir_block_transition(matrix, block, 255, 49));
    check_eq(weir_block_state(matrix, block), 49);
    must(weir_block_transition(matrix, block, 49, 49));
    must(weir_matrix_free(matrix, block));
}

WholeTest(matrix_blocks, owners_give_and_take)
{
    weir_matrix *other = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(matrix), nullptr, &other));
    uint64_t const me = participant(matrix), him = participant(other);
    check_ne(me, him);
    check_ne(me, 0);
    weir_ref const block = alloc(matrix);
    check_eq(owner_of(matrix, block), me);
    refuse(-EPERM, weir_block_give(other, block, him)); // not his
    refuse(-EPERM, weir_block_take(other, block));
    must(weir_block_give(matrix, block, him));
    check_eq(owner_of(matrix, block), him);
    refuse(-EPERM, weir_block_give(matrix, block, me));
    must(weir_block_give(other, block, WEIR_OWNER_NONE));
    check_eq(owner_of(matrix, block), 0);
    must(weir_block_take(matrix, block));
    check_eq(owner_of(matrix, block), me);
    for (uint64_t const bad : {uint64_t{0xffff}, uint64_t{1024}, uint64_t{1} << 16, UINT64_MAX})
        refuse(-EINVAL, weir_block_give(matrix, block, bad));
    refuse(-ESRCH, weir_block_give(matrix, block, him + 0x10000)); // another generation
    weir_matrix_unref(other);
    refuse(-ESRCH, weir_block_give(matrix, block, him));
    check_eq(owner_of(matrix, block), me);
    must(weir_matrix_free(matrix, block));
}

WholeTest(matrix_blocks, any_participant_may_free_a_block)
{
    weir_matrix *other = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(matrix), nullptr, &other));
    must(weir_matrix_free(other, alloc(matrix)));
    weir_matrix_unref(other);
}

/// As if the block's owner were changing its size and stopped in the middle.
WholeTest(matrix_blocks, a_block_that_changes_its_size_is_busy)
{
    weir_ref const block = alloc(matrix);
    weir_channel *const ring = channel(matrix, "ring");
    weir_subscription *const reader = subscribe(ring);
    Raw const raw(matrix);
    uint64_t &word = raw.word(block);
    uint64_t const before = word;
    word = Raw::with_kind(before, WEIR_BLOCK_RESIZING);
    refuse(-EBUSY, weir_matrix_free(matrix, block));
    weir_ref moved = 77;
    refuse(-EBUSY, weir_matrix_resize(matrix, block, 10));
    refuse(-EBUSY, weir_matrix_realloc(matrix, block, 10, nullptr, &moved, nullptr));
    check_eq(moved, 77);
    refuse(-EBUSY, weir_block_give(matrix, block, WEIR_OWNER_NONE));
    refuse(-EBUSY, weir_block_take(matrix, block));
    refuse(-EBUSY, weir_block_set_state(matrix, block, 50));
    refuse(-EBUSY, weir_block_transition(matrix, block, 0, 50));
    refuse(-EBUSY, weir_channel_post(ring, block, 1, nullptr, 0));
    uint64_t const length = 1;
    refuse(-EBUSY, weir_channel_post_many(ring, &block, &length, nullptr, 1, nullptr, 0));
    weir_router *router = nullptr;
    must(weir_router_create(matrix, "router", &router));
    weir_router_rule rule = WEIR_ROUTER_RULE_INIT;
    rule.channels = "ring";
    uint64_t id = 0;
    must(weir_router_add_rule(router, &rule, &id));
    refuse(-EBUSY, weir_router_post(router, block, 1, nullptr, 0));
    must(weir_router_retire(router));
    weir_router_unref(router);
    word = before;
    must(weir_channel_post(ring, block, 1, nullptr, 0));
    weir_message message;
    // The place of the refused post is passed over.
    must(weir_channel_read(reader, 0, &message, nullptr));
    check_eq(message.block, block);
    must(weir_channel_ack(reader, &message));
    weir_subscription_close(reader);
    must(weir_channel_retire(ring));
    weir_channel_unref(ring);
}
