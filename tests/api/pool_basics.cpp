// SPDX-License-Identifier: MIT OR Apache-2.0
// Pools and numbers in one process: every kind, batches, looking, bad input.
#include "tests/api/support.hpp"

#include <climits>

using namespace api;

namespace {
weir_pool_options pool_options(uint64_t capacity = 64, weir_pool_flags flags = 0,
                               uint64_t slot_size = 64)
{
    weir_pool_options options = WEIR_POOL_OPTIONS_INIT;
    options.slot_size = slot_size;
    options.capacity = capacity;
    options.flags = flags;
    return options;
}

weir_pool *private_pool(weir_pool_options const &options)
{
    weir_pool *made = nullptr;
    must(weir_pool_create(&options, &made));
    return made;
}

weir_pool *shared_pool(weir_matrix *matrix, weir_pool_options const &options)
{
    weir_pool *made = nullptr;
    must(weir_pool_create_in(matrix, "pool", &options, &made));
    return made;
}

weir_slot take(weir_pool *pool, void **data = nullptr)
{
    weir_slot slot = 0;
    must(weir_pool_acquire(pool, 0, &slot, data));
    return slot;
}

weir_pool_info stats_of(weir_pool *pool)
{
    weir_pool_info info = WEIR_POOL_INFO_INIT;
    must(weir_pool_stats(pool, &info));
    return info;
}

/// A private pool, one for a single thread, and one in a matrix.
struct Three {
    explicit Three(uint64_t capacity = 64, weir_pool_flags flags = 0)
        : matrix(unnamed(4 * kMiB)), pools{private_pool(pool_options(capacity, flags)),
                                           private_pool(pool_options(
                                               capacity, flags | WEIR_POOL_SINGLE_THREAD)),
                                           shared_pool(matrix, pool_options(capacity, flags))}
    {
    }
    ~Three()
    {
        for (weir_pool *const pool : pools)
            weir_pool_unref(pool);
        check_well(matrix);
        weir_matrix_unref(matrix);
    }
    weir_matrix *matrix;
    weir_pool *pools[3];
};
} // namespace

Test(pool_basics, a_slot_is_acquired_found_and_released)
{
    Three const three;
    for (weir_pool *const pool : three.pools) {
        void *data = nullptr, *again = nullptr;
        weir_slot const slot = take(pool, &data);
        check_ne(slot, WEIR_SLOT_NONE);
        check_eq(reinterpret_cast<uintptr_t>(data) % 64, 0);
        check_eq(weir_pool_slot_size(pool), 64);
        std::memset(data, 7, 64);
        must(weir_pool_data(pool, slot, &again));
        check_eq(data, again);
        weir_slot found = 0;
        must(weir_pool_slot_of(pool, data, &found));
        check_eq(found, slot);
        check_eq(weir_pool_is_live(pool, slot), 1);
        check_eq(stats_of(pool).live, 1);
        must(weir_pool_release(pool, slot));
        check_eq(weir_pool_is_live(pool, slot), 0);
        refuse(-WEIR_E_STALE, weir_pool_release(pool, slot));
        refuse(-WEIR_E_STALE, weir_pool_data(pool, slot, &again));
        refuse(-WEIR_E_STALE, weir_pool_slot_of(pool, data, &found));
        refuse(-WEIR_E_STALE, weir_pool_release_ptr(pool, data));
        refuse(-WEIR_E_STALE, weir_pool_release_many(pool, &slot, 1));
        weir_slot const next = take(pool, &again);
        check_eq(data, again); // the one that was released last
        check_ne(slot, next);
        refuse(-WEIR_E_STALE, weir_pool_release(pool, slot)); // the place is another one's now
        check_eq(weir_pool_is_live(pool, next), 1);
        must(weir_pool_release_ptr(pool, again));
        check_eq(stats_of(pool).live, 0);
    }
    check_eq(weir_pool_slot_size(nullptr), 0);
}

Test(pool_basics, an_empty_pool_is_eagain_and_loses_nothing)
{
    Three const three(5);
    for (weir_pool *const pool : three.pools) {
        weir_slot slots[6];
        void *data[6];
        check_eq(weir_pool_acquire_many(pool, 6, 0, slots, data), 5);
        weir_slot none = 0;
        refuse(-EAGAIN, weir_pool_acquire(pool, 0, &none, nullptr));
        refuse(-EAGAIN, weir_pool_acquire_many(pool, 3, 0, &none, nullptr));
        check_eq(none, 0);
        check_eq(stats_of(pool).live, 5);
        check_eq(weir_pool_release_many(pool, slots, 5), 5);
        check_eq(stats_of(pool).live, 0);
        check_eq(weir_pool_acquire_many(pool, 0, 0, slots, nullptr), 0);
        check_eq(weir_pool_release_many(pool, slots, 0), 0);
    }
    weir_slot none;
    take(three.pools[0]);
    take(three.pools[2]);
    weir_pool *const full[] = {three.pools[0], three.pools[2]};
    for (weir_pool *const pool : full) {
        weir_slot rest[4];
        check_eq(weir_pool_acquire_many(pool, 4, 0, rest, nullptr), 4);
        refuse(-ETIMEDOUT, weir_pool_acquire(pool, kMillisecond, &none, nullptr));
        refuse(-ETIMEDOUT, weir_pool_acquire_many(pool, 1, kMillisecond, &none, nullptr));
    }
    check_eq(weir_pool_acquire(three.pools[1], WEIR_WAIT_FOREVER, &none, nullptr), 0);
    while (weir_pool_acquire(three.pools[1], WEIR_WAIT_FOREVER, &none, nullptr) == 0) {
    } // nobody else could release one, so it does not wait
}

Test(pool_basics, a_batch_stops_at_the_first_that_is_wrong)
{
    Three const three;
    for (weir_pool *const pool : three.pools) {
        weir_slot slots[8];
        check_eq(weir_pool_acquire_many(pool, 8, 0, slots, nullptr), 8);
        must(weir_pool_release(pool, slots[3]));
        check_eq(weir_pool_release_many(pool, slots, 8), 3);
        refuse(-WEIR_E_STALE, weir_pool_release_many(pool, slots + 3, 5));
        check_eq(weir_pool_release_many(pool, slots + 4, 4), 4);
        check_eq(stats_of(pool).live, 0);
    }
}

Test(pool_basics, a_pool_that_may_grow_does_and_its_slots_stay)
{
    Three const three(64, WEIR_POOL_GROWABLE);
    for (weir_pool *const pool : three.pools) {
        weir_slot slots[200];
        void *data[200];
        check_eq(weir_pool_acquire_many(pool, 200, 0, slots, data), 200);
        check_eq(stats_of(pool).capacity, 256);
        for (int i = 0; i < 200; ++i) {
            void *again = nullptr;
            must(weir_pool_data(pool, slots[i], &again));
            check_eq(data[i], again);
        }
        must(weir_pool_grow(pool, 1000));
        check_eq(stats_of(pool).capacity, 2048);
        must(weir_pool_grow(pool, 0));
        refuse(-ENOSPC, weir_pool_grow(pool, uint64_t{1} << 31));
        check_eq(weir_pool_release_many(pool, slots, 200), 200);
    }
    Three const fixed(64);
    for (weir_pool *const pool : fixed.pools)
        refuse(-EOPNOTSUPP, weir_pool_grow(pool, 1));
}

Test(pool_basics, zeroed_slots_are_zero)
{
    Three const three(4, WEIR_POOL_ZERO);
    for (weir_pool *const pool : three.pools)
        for (int i = 0; i < 20; ++i) {
            void *data = nullptr;
            weir_slot const slot = take(pool, &data);
            for (int k = 0; k < 64; ++k)
                check_eq(static_cast<char *>(data)[k], 0);
            std::memset(data, 255, 64);
            must(weir_pool_release(pool, slot));
        }
}

namespace {
struct Walk {
    unsigned count = 0;
    uint64_t last = 0;
    uint64_t owner = 0;
};
int on_slot(weir_slot_info const *info, void *userdata)
{
    auto &walk = *static_cast<Walk *>(userdata);
    uint64_t const index = info->slot & UINT32_MAX;
    cr_assert(walk.count == 0 || index > walk.last);
    walk.last = index;
    walk.owner = info->owner;
    return ++walk.count == 10 ? 99 : 0;
}
} // namespace

Test(pool_basics, a_walk_reports_what_somebody_has_and_may_stop)
{
    Three const three;
    for (weir_pool *const pool : three.pools) {
        weir_slot slots[12];
        check_eq(weir_pool_acquire_many(pool, 12, 0, slots, nullptr), 12);
        must(weir_pool_release(pool, slots[5]));
        Walk walk;
        check_eq(weir_pool_walk(pool, on_slot, &walk), 99);
        check_eq(walk.count, 10);
        check_eq(walk.owner, pool == three.pools[2] ? participant(three.matrix) : 0);
        must(weir_pool_release(pool, slots[0]));
        must(weir_pool_release(pool, slots[1]));
        walk = {};
        check_eq(weir_pool_walk(pool, on_slot, &walk), 0);
        check_eq(walk.count, 9);
    }
}

Test(pool_basics, stats_say_what_it_is)
{
    weir_pool_options options = pool_options(100, WEIR_POOL_ZERO, 100);
    options.alignment = 128;
    options.type_id = 7;
    weir_pool *const pool = private_pool(options);
    weir_pool_info const info = stats_of(pool);
    check_eq(info.slot_size, 100);
    check_eq(info.stride_bytes, 128);
    check_eq(info.capacity, 100);
    check_eq(info.max_capacity, 100);
    check_eq(info.type_id, 7);
    check_eq(info.alignment, 128);
    check_eq(info.flags, WEIR_POOL_ZERO);
    check_eq(info.extents, 1);
    check_ge(info.memory_bytes, 100 * 128);
    weir_pool_unref(pool);
}

Test(pool_basics, bad_input_is_einval_and_changes_nothing)
{
    Three const three;
    weir_pool *made = nullptr;
    weir_slot slot = 0;
    void *data = nullptr;
    auto const wrong = [&](auto change) {
        weir_pool_options options = pool_options();
        change(options);
        refuse(-EINVAL, weir_pool_create(&options, &made));
        refuse(-EINVAL, weir_pool_create_in(three.matrix, "new", &options, &made));
    };
    wrong([](auto &o) { o.slot_size = 0; });
    wrong([](auto &o) { o.slot_size = (uint64_t{1} << 40) + 1; });
    wrong([](auto &o) { o.capacity = (uint64_t{1} << 31) + 1; });
    wrong([](auto &o) { o.max_capacity = 65; });
    wrong([](auto &o) { o.alignment = 48; });
    wrong([](auto &o) { o.alignment = 8192; });
    wrong([](auto &o) { o.flags = 8; });
    wrong([](auto &o) { o.death_policy = 2; });
    wrong([](auto &o) { o.reserved0 = 1; });
    wrong([](auto &o) { o.size = 8; });
    wrong([](auto &o) { o.flags = WEIR_POOL_GROWABLE, o.max_capacity = 63; });
    weir_pool_options options = pool_options(64, WEIR_POOL_SINGLE_THREAD);
    refuse(-EINVAL, weir_pool_create_in(three.matrix, "new", &options, &made));
    options = pool_options();
    refuse(-EINVAL, weir_pool_create(nullptr, &made));
    refuse(-EINVAL, weir_pool_create(&options, nullptr));
    refuse(-EINVAL, weir_pool_create_in(nullptr, "new", &options, &made));
    refuse(-EINVAL, weir_pool_create_in(three.matrix, nullptr, &options, &made));
    refuse(-EINVAL, weir_pool_create_in(three.matrix, "", &options, &made));
    refuse(-EINVAL, weir_pool_create_in(three.matrix, "new", nullptr, &made));
    refuse(-EINVAL, weir_pool_create_in(three.matrix, "new", &options, nullptr));
    refuse(-EINVAL, weir_pool_attach(nullptr, "pool", nullptr, &made));
    refuse(-EINVAL, weir_pool_attach(three.matrix, "a\nb", nullptr, &made));
    refuse(-EINVAL, weir_pool_attach(three.matrix, "pool", nullptr, nullptr));
    cr_assert_null(made);
    refuse(-EINVAL, weir_pool_destroy(nullptr));
    refuse(-EINVAL, weir_pool_acquire(nullptr, 0, &slot, nullptr));
    refuse(-EINVAL, weir_pool_release(nullptr, 1));
    refuse(-EINVAL, weir_pool_release_many(nullptr, &slot, 1));
    refuse(-EINVAL, weir_pool_release_ptr(nullptr, &slot));
    refuse(-EINVAL, weir_pool_acquire_many(nullptr, 1, 0, &slot, nullptr));
    refuse(-EINVAL, weir_pool_data(nullptr, 1, &data));
    refuse(-EINVAL, weir_pool_slot_of(nullptr, &slot, &slot));
    refuse(-EINVAL, weir_pool_is_live(nullptr, 1));
    refuse(-EINVAL, weir_pool_grow(nullptr, 1));
    refuse(-EINVAL, weir_pool_walk(nullptr, on_slot, nullptr));
    weir_pool_info info = WEIR_POOL_INFO_INIT;
    refuse(-EINVAL, weir_pool_stats(nullptr, &info));
    cr_assert_null(weir_pool_unref(nullptr));
    cr_assert_null(weir_pool_ref(nullptr));
    for (weir_pool *const pool : three.pools) {
        void *first = nullptr;
        weir_slot const held = take(pool, &first);
        refuse(-EINVAL, weir_pool_acquire(pool, 0, nullptr, nullptr));
        refuse(-EINVAL, weir_pool_acquire_many(pool, 1, 0, nullptr, nullptr));
        refuse(-EINVAL, weir_pool_acquire_many(pool, size_t{INT_MAX} + 1, 0, &slot, nullptr));
        refuse(-EINVAL, weir_pool_release(pool, WEIR_SLOT_NONE));
        refuse(-EINVAL, weir_pool_release(pool, uint64_t{1} << 32 | 64));
        refuse(-EINVAL, weir_pool_release_many(pool, nullptr, 1));
        refuse(-EINVAL, weir_pool_release_many(pool, &slot, size_t{INT_MAX} + 1));
        refuse(-EINVAL, weir_pool_release_ptr(pool, nullptr));
        refuse(-EINVAL, weir_pool_release_ptr(pool, &slot));                          // foreign
        refuse(-EINVAL, weir_pool_release_ptr(pool, static_cast<char *>(first) + 1)); // interior
        refuse(-EINVAL, weir_pool_slot_of(pool, static_cast<char *>(first) + 63, &slot));
        refuse(-EINVAL, weir_pool_slot_of(pool, first, nullptr));
        refuse(-EINVAL, weir_pool_slot_of(pool, nullptr, &slot));
        refuse(-EINVAL, weir_pool_data(pool, held, nullptr));
        refuse(-EINVAL, weir_pool_data(pool, held + 64, &data));
        refuse(-EINVAL, weir_pool_is_live(pool, UINT64_MAX));
        refuse(-EINVAL, weir_pool_walk(pool, nullptr, nullptr));
        refuse(-EINVAL, weir_pool_stats(pool, nullptr));
        info.size = 4;
        refuse(-EINVAL, weir_pool_stats(pool, &info));
        info = WEIR_POOL_INFO_INIT;
        check_eq(stats_of(pool).live, 1);
        must(weir_pool_release(pool, held));
    }
}

Test(pool_basics, options_of_a_newer_version_are_e2big)
{
    weir_matrix *const matrix = unnamed();
    struct {
        weir_pool_options known;
        uint64_t more;
    } options{pool_options(), 1};
    options.known.size = sizeof options;
    weir_pool *made = nullptr;
    refuse(-E2BIG, weir_pool_create(&options.known, &made));
    refuse(-E2BIG, weir_pool_create_in(matrix, "pool", &options.known, &made));
    refuse(-E2BIG, weir_pool_attach(matrix, "pool", &options.known, &made));
    struct {
        weir_ids_options known;
        uint64_t more;
    } numbers{WEIR_IDS_OPTIONS_INIT, 1};
    numbers.known.size = sizeof numbers;
    weir_ids *ids = nullptr;
    refuse(-E2BIG, weir_ids_create(&numbers.known, &ids));
    weir_matrix_unref(matrix);
}

Test(pool_basics, a_destroyed_pool_is_over_for_all_its_calls)
{
    Three const three(64, WEIR_POOL_GROWABLE);
    for (weir_pool *const pool : three.pools) {
        void *data = nullptr;
        weir_slot slot = take(pool, &data);
        weir_slot const held = slot;
        must(weir_pool_destroy(pool));
        weir_pool_info info = WEIR_POOL_INFO_INIT;
        refuse(-WEIR_E_RETIRED, weir_pool_destroy(pool));
        refuse(-WEIR_E_RETIRED, weir_pool_acquire(pool, 0, &slot, nullptr));
        refuse(-WEIR_E_RETIRED, weir_pool_acquire_many(pool, 1, 0, &slot, nullptr));
        refuse(-WEIR_E_RETIRED, weir_pool_release(pool, held));
        refuse(-WEIR_E_RETIRED, weir_pool_release_many(pool, &held, 1));
        refuse(-WEIR_E_RETIRED, weir_pool_release_ptr(pool, data));
        refuse(-WEIR_E_RETIRED, weir_pool_data(pool, held, &data));
        refuse(-WEIR_E_RETIRED, weir_pool_slot_of(pool, data, &slot));
        refuse(-WEIR_E_RETIRED, weir_pool_is_live(pool, held));
        refuse(-WEIR_E_RETIRED, weir_pool_grow(pool, 1));
        refuse(-WEIR_E_RETIRED, weir_pool_walk(pool, on_slot, nullptr));
        refuse(-WEIR_E_RETIRED, weir_pool_stats(pool, &info));
    }
    check_eq(used_blocks(three.matrix), 1); // until the handle goes
}

Test(pool_basics, no_memory_is_enomem)
{
    weir_pool *made = nullptr;
    weir_pool_options options = pool_options(uint64_t{1} << 20, WEIR_POOL_GROWABLE, 1 << 20);
    weir_matrix *const matrix = unnamed();
    refuse(-ENOMEM, weir_pool_create_in(matrix, "pool", &options, &made));
    options = pool_options(1 << 10, WEIR_POOL_GROWABLE, 512);
    must(weir_pool_create_in(matrix, "pool", &options, &made));
    weir_slot slot = 0;
    for (int i = 0; i < 1024; ++i)
        take(made);
    refuse(-ENOMEM, weir_pool_acquire(made, 0, &slot, nullptr));
    refuse(-ENOMEM, weir_pool_acquire_many(made, 1, 0, &slot, nullptr));
    refuse(-ENOMEM, weir_pool_grow(made, 1));
    refuse(-ETIMEDOUT, weir_pool_acquire(made, kMillisecond, &slot, nullptr));
    check_eq(stats_of(made).live, 1024);
    weir_pool_unref(made);
    weir_matrix_unref(matrix);
    in_child_ok([] {
        if (API_ASAN)
            return kNotHere;
        limit(RLIMIT_AS, 1 << 20);
        weir_pool *none = nullptr;
        weir_ids *numbers = nullptr;
        weir_pool_options const big = pool_options(uint64_t{1} << 30);
        weir_ids_options many = WEIR_IDS_OPTIONS_INIT;
        many.capacity = uint64_t{1} << 30;
        child_refuse(-ENOMEM, weir_pool_create(&big, &none));
        child_refuse(-ENOMEM, weir_ids_create(&many, &numbers));
        return 0;
    });
}

// ---- numbers

Test(ids_basics, numbers_are_taken_once_and_given_back)
{
    for (weir_pool_flags const flags : {weir_pool_flags{0}, WEIR_POOL_SINGLE_THREAD}) {
        weir_ids_options options = WEIR_IDS_OPTIONS_INIT;
        options.capacity = 100;
        options.flags = flags;
        weir_ids *ids = nullptr;
        must(weir_ids_create(&options, &ids));
        check_eq(weir_ids_capacity(ids), 100);
        bool seen[100] = {};
        for (int i = 0; i < 100; ++i) {
            uint32_t id = 1000;
            must(weir_ids_acquire(ids, &id));
            check_lt(id, 100);
            cr_assert(!seen[id]);
            seen[id] = true;
            check_eq(weir_ids_is_free(ids, id), 0);
        }
        uint32_t id = 5;
        refuse(-EAGAIN, weir_ids_acquire(ids, &id));
        check_eq(id, 5);
        must(weir_ids_release(ids, 42));
        check_eq(weir_ids_is_free(ids, 42), 1);
        refuse(-WEIR_E_STALE, weir_ids_release(ids, 42));
        refuse(-EINVAL, weir_ids_release(ids, 100));
        refuse(-EINVAL, weir_ids_is_free(ids, 100));
        refuse(-EOPNOTSUPP, weir_ids_grow(ids, 1));
        must(weir_ids_acquire(ids, &id));
        check_eq(id, 42);
        cr_assert_null(weir_ids_unref(ids));
    }
}

Test(ids_basics, numbers_grow_and_stay)
{
    for (weir_pool_flags const flags : {weir_pool_flags{0}, WEIR_POOL_SINGLE_THREAD}) {
        weir_ids_options options = WEIR_IDS_OPTIONS_INIT;
        options.capacity = 64;
        options.max_capacity = 300;
        options.flags = flags | WEIR_POOL_GROWABLE;
        weir_ids *ids = nullptr;
        must(weir_ids_create(&options, &ids));
        uint32_t id = 0;
        for (int i = 0; i < 65; ++i)
            must(weir_ids_acquire(ids, &id));
        check_eq(weir_ids_capacity(ids), 128);
        must(weir_ids_grow(ids, 100));
        check_eq(weir_ids_capacity(ids), 256);
        refuse(-ENOSPC, weir_ids_grow(ids, 45));
        must(weir_ids_grow(ids, 44));
        check_eq(weir_ids_capacity(ids), 300);
        for (int i = 65; i < 300; ++i)
            must(weir_ids_acquire(ids, &id));
        refuse(-EAGAIN, weir_ids_acquire(ids, &id));
        weir_ids_unref(ids);
    }
}

Test(ids_basics, bad_input_is_einval)
{
    weir_ids *ids = nullptr;
    weir_ids_options options = WEIR_IDS_OPTIONS_INIT;
    options.flags = WEIR_POOL_ZERO;
    refuse(-EINVAL, weir_ids_create(&options, &ids));
    options = WEIR_IDS_OPTIONS_INIT;
    options.reserved0 = 1;
    refuse(-EINVAL, weir_ids_create(&options, &ids));
    options = WEIR_IDS_OPTIONS_INIT;
    options.capacity = (uint64_t{1} << 31) + 1;
    refuse(-EINVAL, weir_ids_create(&options, &ids));
    refuse(-EINVAL, weir_ids_create(nullptr, nullptr));
    must(weir_ids_create(nullptr, &ids));
    check_eq(weir_ids_capacity(ids), 1024);
    uint32_t id = 0;
    refuse(-EINVAL, weir_ids_acquire(nullptr, &id));
    refuse(-EINVAL, weir_ids_acquire(ids, nullptr));
    refuse(-EINVAL, weir_ids_release(nullptr, 0));
    refuse(-EINVAL, weir_ids_is_free(nullptr, 0));
    refuse(-EINVAL, weir_ids_grow(nullptr, 0));
    check_eq(weir_ids_capacity(nullptr), 0);
    weir_ids_unref(ids);
    cr_assert_null(weir_ids_unref(nullptr));
}
