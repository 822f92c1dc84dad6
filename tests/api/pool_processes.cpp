// SPDX-License-Identifier: MIT OR Apache-2.0
// Pools between processes: passing slots, waiting, deaths, forks, names, damage.
#include "tests/api/support.hpp"

using namespace api;

namespace {
weir_pool *make_pool(weir_matrix *matrix, uint64_t capacity = 64, weir_pool_flags flags = 0,
                     weir_death_policy policy = WEIR_DEATH_RECLAIM)
{
    weir_pool_options options = WEIR_POOL_OPTIONS_INIT;
    options.slot_size = 64;
    options.capacity = capacity;
    options.flags = flags;
    options.death_policy = policy;
    options.type_id = 7;
    weir_pool *made = nullptr;
    must(weir_pool_create_in(matrix, "pool", &options, &made));
    return made;
}

uint64_t live(weir_pool *pool)
{
    weir_pool_info info = WEIR_POOL_INFO_INIT;
    must(weir_pool_stats(pool, &info));
    return info.live;
}

/// Where the header of the matrix's pool is.
uint64_t *header_of(weir_matrix *matrix)
{
    weir_ref block = 0;
    must(weir_matrix_roots(
        matrix,
        [](weir_root_info const *info, void *userdata) {
            if (info->kind == WEIR_ROOT_POOL)
                *static_cast<weir_ref *>(userdata) = info->block;
            return 0;
        },
        &block));
    void *data = nullptr;
    must(weir_matrix_data(matrix, block, &data, nullptr));
    return static_cast<uint64_t *>(data);
}
constexpr size_t kExtents = 128 / 8;
constexpr size_t kTicket = 384 / 8;
} // namespace

Test(pool_processes, a_slot_passes_from_process_to_process)
{
    weir_matrix *const matrix = unnamed();
    weir_pool *const pool = make_pool(matrix);
    void *data = nullptr;
    weir_slot slot = 0;
    must(weir_pool_acquire(pool, 0, &slot, &data));
    std::strcpy(static_cast<char *>(data), "hello");
    in_child_ok([&] {
        void *its = nullptr;
        child_must(weir_pool_data(pool, slot, &its));
        child_check(std::strcmp(static_cast<char *>(its), "hello") == 0);
        child_must(weir_pool_release(pool, slot));
        child_refuse(-WEIR_E_STALE, weir_pool_release(pool, slot));
        return 0;
    });
    check_eq(weir_pool_is_live(pool, slot), 0);
    check_eq(live(pool), 0);
    weir_pool_unref(pool);
    weir_matrix_unref(matrix);
}

Test(pool_processes, a_sleeper_gets_what_another_process_releases)
{
    weir_matrix *const matrix = unnamed();
    weir_pool *const pool = make_pool(matrix, 1);
    int64_t best = INT64_MAX; // of three: the machine may stand still for a moment
    for (int i = 0; i < 3 && best >= 200 * kMillisecond; ++i) {
        weir_slot slot = 0;
        must(weir_pool_acquire(pool, 0, &slot, nullptr));
        Gate woken_at;
        pid_t const child = start([&] {
            weir_slot its = 0;
            child_must(weir_pool_acquire(pool, WEIR_WAIT_FOREVER, &its, nullptr));
            woken_at.open(static_cast<uint64_t>(now_ns()));
            child_must(weir_pool_release(pool, its));
            return 0;
        });
        sleep_ms(100);
        int64_t const began = now_ns();
        must(weir_pool_release(pool, slot));
        int64_t const took = static_cast<int64_t>(woken_at.pass()) - began;
        best = took < best ? took : best;
        check_eq(join(child), 0);
    }
    check_lt(best, 200 * kMillisecond);
    weir_pool_unref(pool);
    weir_matrix_unref(matrix);
}

Test(pool_processes, the_end_wakes_who_waits)
{
    weir_matrix *const matrix = unnamed();
    weir_pool *const pool = make_pool(matrix, 1);
    weir_slot slot = 0;
    must(weir_pool_acquire(pool, 0, &slot, nullptr));
    pid_t const child = start([&] {
        weir_slot its = 0;
        child_refuse(-WEIR_E_RETIRED, weir_pool_acquire(pool, WEIR_WAIT_FOREVER, &its, nullptr));
        return 0;
    });
    sleep_ms(100);
    must(weir_pool_destroy(pool));
    check_eq(join(child), 0);
    weir_pool *again = make_pool(matrix); // the name is free
    weir_pool_unref(again);
    weir_pool_unref(pool);
    must(weir_matrix_heal(matrix, nullptr));
    check_eq(used_blocks(matrix), 1);
    check_well(matrix);
    weir_matrix_unref(matrix);
}

Test(pool_processes, slots_of_the_killed_come_back_by_policy)
{
    for (weir_death_policy const policy : {WEIR_DEATH_RECLAIM + 0, WEIR_DEATH_KEEP + 0}) {
        weir_matrix *const matrix = unnamed();
        weir_pool *const pool = make_pool(matrix, 8, 0, policy);
        Gate ready;
        pid_t const child = start([&] {
            weir_slot slots[8];
            child_must(weir_pool_acquire_many(pool, 8, 0, slots, nullptr));
            ready.open();
            pause();
            return 0;
        });
        ready.pass();
        weir_slot slot = 0;
        refuse(-EAGAIN, weir_pool_acquire(pool, 0, &slot, nullptr));
        kill_and_join(child);
        if (policy == WEIR_DEATH_RECLAIM) {
            must(weir_pool_acquire(pool, 0, &slot, nullptr)); // it heals
            check_eq(live(pool), 1);
        } else {
            refuse(-EAGAIN, weir_pool_acquire(pool, 0, &slot, nullptr));
            check_eq(live(pool), 8);
        }
        check_well(matrix);
        weir_pool_unref(pool);
        weir_matrix_unref(matrix);
    }
}

Test(pool_processes, killed_at_any_moment_nothing_is_lost)
{
    weir_matrix *const matrix = unnamed(4 * kMiB);
    weir_pool *const pool = make_pool(matrix, 64, WEIR_POOL_GROWABLE);
    for (unsigned round = 0; round < 60; ++round) {
        pid_t children[2];
        for (pid_t &child : children)
            child = start([&] {
                for (;;) {
                    weir_slot slots[90];
                    int const got = weir_pool_acquire_many(pool, 90, 0, slots, nullptr);
                    child_must(got);
                    child_must(weir_pool_release_many(pool, slots, static_cast<size_t>(got)));
                }
            });
        timespec const little{0, 200000 + static_cast<long>(round) * 37000};
        nanosleep(&little, nullptr);
        for (pid_t const child : children)
            kill_and_join(child);
        must(weir_matrix_heal(matrix, nullptr));
        check_eq(live(pool), 0, "round %u", round);
        check_well(matrix);
    }
    weir_pool_info info = WEIR_POOL_INFO_INIT;
    must(weir_pool_stats(pool, &info));
    for (uint64_t i = 0; i < info.capacity; ++i) { // each is there
        weir_slot slot = 0;
        must(weir_pool_acquire(pool, 0, &slot, nullptr));
    }
    must(weir_pool_destroy(pool));
    weir_pool_unref(pool);
    check_eq(used_blocks(matrix), 0);
    weir_matrix_unref(matrix);
}

Test(pool_processes, a_fork_child_has_a_private_pool_of_its_own)
{
    for (weir_pool_flags const flags : {weir_pool_flags{0}, WEIR_POOL_SINGLE_THREAD}) {
        weir_pool_options options = WEIR_POOL_OPTIONS_INIT;
        options.slot_size = 64;
        options.capacity = 64;
        options.flags = flags;
        weir_pool *pool = nullptr;
        must(weir_pool_create(&options, &pool));
        weir_slot slot = 0;
        must(weir_pool_acquire(pool, 0, &slot, nullptr));
        in_child_ok([&] {
            child_must(weir_pool_release(pool, slot));
            weir_slot slots[64];
            child_check(weir_pool_acquire_many(pool, 64, 0, slots, nullptr) == 64);
            return 0;
        });
        check_eq(weir_pool_is_live(pool, slot), 1);
        check_eq(live(pool), 1);
        weir_pool_unref(pool);
    }
}

// ---- names

Test(pool_processes, names_and_types_are_checked)
{
    Name const name("names");
    weir_matrix *const matrix = create(name, options());
    weir_pool *const pool = make_pool(matrix);
    weir_pool *made = nullptr;
    weir_pool_options with = WEIR_POOL_OPTIONS_INIT;
    with.slot_size = 64;
    refuse(-EEXIST, weir_pool_create_in(matrix, "pool", &with, &made));
    std::string const too_long(64, 'x');
    refuse(-ENAMETOOLONG, weir_pool_create_in(matrix, too_long.c_str(), &with, &made));
    refuse(-ENAMETOOLONG, weir_pool_attach(matrix, too_long.c_str(), nullptr, &made));
    refuse(-ENOENT, weir_pool_attach(matrix, "none", nullptr, &made));
    weir_channel *const ring = channel(matrix, "ring");
    refuse(-WEIR_E_TYPE, weir_pool_attach(matrix, "ring", nullptr, &made));
    with.type_id = 8;
    refuse(-WEIR_E_TYPE, weir_pool_attach(matrix, "pool", &with, &made));
    with.type_id = 7;
    with.slot_size = 65;
    refuse(-WEIR_E_TYPE, weir_pool_attach(matrix, "pool", &with, &made));
    with.slot_size = 64;
    must(weir_pool_attach(matrix, "pool", &with, &made));
    check_eq(made, pool);
    check_eq(weir_pool_ref(pool), pool);
    for (int i = 0; i < 2; ++i)
        weir_pool_unref(made);

    weir_matrix_options looking = WEIR_MATRIX_OPTIONS_INIT;
    looking.flags = WEIR_MATRIX_READ_ONLY;
    weir_matrix *watcher = nullptr;
    must(weir_matrix_attach(name, &looking, &watcher));
    refuse(-EROFS, weir_pool_create_in(watcher, "new", &with, &made));
    refuse(-EROFS, weir_pool_attach(watcher, "pool", nullptr, &made));
    weir_check_report report = WEIR_CHECK_REPORT_INIT;
    check_eq(weir_matrix_check(watcher, 0, &report), 0);
    check_eq(report.orphans, 0);
    weir_matrix_unref(watcher);

    must(weir_matrix_retire(matrix));
    weir_slot slot = 0;
    refuse(-WEIR_E_RETIRED, weir_pool_acquire(pool, 0, &slot, nullptr));
    refuse(-WEIR_E_RETIRED, weir_pool_attach(matrix, "pool", nullptr, &made));
    refuse(-WEIR_E_RETIRED, weir_pool_create_in(matrix, "new", &with, &made));
    weir_channel_unref(ring);
    weir_pool_unref(pool);
    weir_matrix_unref(matrix);
}

Test(pool_processes, roots_run_out_and_memory_does)
{
    weir_matrix *const matrix = unnamed(4 * kMiB);
    weir_pool_options with = WEIR_POOL_OPTIONS_INIT;
    with.slot_size = 8;
    with.capacity = 1;
    weir_pool *pools[256];
    for (int i = 0; i < 256; ++i)
        must(weir_pool_create_in(matrix, std::to_string(i).c_str(), &with, &pools[i]));
    weir_pool *none = nullptr;
    refuse(-ENOSPC, weir_pool_create_in(matrix, "more", &with, &none));
    for (weir_pool *const pool : pools) {
        must(weir_pool_destroy(pool));
        weir_pool_unref(pool);
    }
    check_eq(used_blocks(matrix), 0);
    weir_matrix_unref(matrix);
}

/// A full file system, as the segment's file meets it.
Test(pool_processes, a_full_file_system_is_enospc)
{
    weir_matrix *const matrix = unnamed(64 * kMiB);
    weir_pool *const pool = make_pool(matrix, 64, WEIR_POOL_GROWABLE);
    weir_slot slots[64];
    check_eq(weir_pool_acquire_many(pool, 64, 0, slots, nullptr), 64);
    in_child_ok(
        [&] {
            weir_ref block = 0;
            child_must(weir_matrix_alloc(matrix, 64, nullptr, &block, nullptr)); // it has joined
            if (!fail_system_call(SYS_fallocate, ENOSPC))
                return kNotHere;
            weir_slot slot = 0;
            int code = 0;
            while (code == 0)
                code = weir_pool_acquire(pool, 0, &slot, nullptr);
            child_check(code == -ENOSPC);
            child_refuse(-ENOSPC, weir_pool_acquire(pool, 0, &slot, nullptr));
            child_refuse(-ENOSPC, weir_pool_acquire_many(pool, 1, 0, &slot, nullptr));
            return 0;
        },
        "no system call filters here");
    check_eq(weir_pool_release_many(pool, slots, 64), 64);
    weir_pool_unref(pool);
    weir_matrix_unref(matrix);
}

/// A live participant seems to add slots and does not move.
Test(pool_processes, a_stopped_grower_makes_others_busy_not_hang)
{
    auto impatient = options();
    impatient.stall_ns = 20 * kMillisecond;
    weir_matrix *const matrix = create(nullptr, impatient);
    weir_matrix *other = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(matrix), &impatient, &other));
    weir_pool *const pool = make_pool(matrix, 64, WEIR_POOL_GROWABLE);
    weir_slot slots[64];
    check_eq(weir_pool_acquire_many(pool, 64, 0, slots, nullptr), 64);
    header_of(matrix)[kTicket] |= participant(other) & 0xffff;
    weir_slot slot = 0;
    refuse(-EBUSY, weir_pool_acquire(pool, 0, &slot, nullptr));
    refuse(-EBUSY, weir_pool_acquire_many(pool, 1, 0, &slot, nullptr));
    refuse(-EBUSY, weir_pool_grow(pool, 1));
    weir_matrix_unref(other); // his leave gives it back
    must(weir_pool_acquire(pool, 0, &slot, nullptr));
    weir_pool_unref(pool);
    check_well(matrix);
    weir_matrix_unref(matrix);
}

Test(pool_processes, a_stopped_holder_of_the_directory_is_ebusy)
{
    auto impatient = options();
    impatient.stall_ns = 20 * kMillisecond;
    weir_matrix *const matrix = create(nullptr, impatient);
    weir_matrix *other = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(matrix), &impatient, &other));
    weir_pool *const pool = make_pool(matrix);
    Raw const raw(matrix);
    raw.at<uint64_t>(Raw::kDirectory) |= participant(other) & 0xffff;
    weir_pool_options with = WEIR_POOL_OPTIONS_INIT;
    with.slot_size = 64;
    weir_pool *made = nullptr;
    refuse(-EBUSY, weir_pool_create_in(matrix, "new", &with, &made));
    refuse(-EBUSY, weir_pool_destroy(pool));
    weir_matrix_unref(other);
    must(weir_pool_destroy(pool));
    weir_pool_unref(pool);
    weir_matrix_unref(matrix);
}

Test(pool_processes, a_damaged_pool_is_corrupt)
{
    Name const name("damaged");
    weir_matrix *const matrix = create(name, options());
    weir_pool *const pool = make_pool(matrix, 64, WEIR_POOL_GROWABLE);
    weir_matrix *const other = attach(name);
    uint64_t *const header = header_of(matrix);
    weir_pool *made = nullptr;
    weir_slot slots[64], slot = 0;
    check_eq(weir_pool_acquire_many(pool, 64, 0, slots, nullptr), 64);
    header[kExtents] = 3;
    weir_pool_info info = WEIR_POOL_INFO_INIT;
    refuse(-WEIR_E_CORRUPT, weir_pool_acquire(pool, 0, &slot, nullptr));
    refuse(-WEIR_E_CORRUPT, weir_pool_acquire_many(pool, 1, 0, &slot, nullptr));
    refuse(-WEIR_E_CORRUPT, weir_pool_grow(pool, 1));
    refuse(-WEIR_E_CORRUPT, weir_pool_stats(pool, &info));
    refuse(-WEIR_E_CORRUPT, weir_pool_walk(
                                pool, [](weir_slot_info const *, void *) { return 0; }, nullptr));
    refuse(-WEIR_E_CORRUPT, weir_pool_attach(other, "pool", nullptr, &made));
    header[kExtents] = 1;
    check_eq(weir_pool_release_many(pool, slots, 64), 64);
    uint64_t const version = header[1];
    header[1] = version + 1;
    refuse(-WEIR_E_VERSION, weir_pool_attach(other, "pool", nullptr, &made));
    header[1] = version;
    must(weir_pool_attach(other, "pool", nullptr, &made));
    weir_pool_unref(made);
    weir_pool_unref(pool);
    weir_matrix_unref(other);
    check_well(matrix);
    weir_matrix_unref(matrix);
}

// ---- in a fork child that cannot join

namespace {
struct World {
    explicit World(uint32_t participants)
    {
        auto with = options();
        with.participants = participants;
        matrix = create(nullptr, with);
        pool = make_pool(matrix, 64, WEIR_POOL_GROWABLE);
        must(weir_pool_acquire(pool, 0, &slot, &data));
    }
    ~World()
    {
        must(weir_pool_release(pool, slot));
        weir_pool_unref(pool);
        check_well(matrix);
        weir_matrix_unref(matrix);
    }
    weir_matrix *matrix;
    weir_pool *pool;
    weir_slot slot = 0;
    void *data = nullptr;
};

template <int kCode> int all_refuse(World const &w)
{
    weir_slot slot = 0;
    void *data = nullptr;
    weir_pool *made = nullptr;
    weir_pool_info info = WEIR_POOL_INFO_INIT;
    weir_pool_options with = WEIR_POOL_OPTIONS_INIT;
    with.slot_size = 8;
    child_refuse(kCode, weir_pool_create_in(w.matrix, "new", &with, &made));
    child_refuse(kCode, weir_pool_attach(w.matrix, "pool", nullptr, &made));
    child_refuse(kCode, weir_pool_acquire(w.pool, 0, &slot, &data));
    child_refuse(kCode, weir_pool_acquire_many(w.pool, 1, 0, &slot, &data));
    child_refuse(kCode, weir_pool_release(w.pool, w.slot));
    child_refuse(kCode, weir_pool_release_many(w.pool, &w.slot, 1));
    child_refuse(kCode, weir_pool_release_ptr(w.pool, w.data));
    child_refuse(kCode, weir_pool_data(w.pool, w.slot, &data));
    child_refuse(kCode, weir_pool_slot_of(w.pool, w.data, &slot));
    child_refuse(kCode, weir_pool_is_live(w.pool, w.slot));
    child_refuse(kCode, weir_pool_grow(w.pool, 1));
    child_refuse(kCode, weir_pool_walk(
                            w.pool, [](weir_slot_info const *, void *) { return 0; }, nullptr));
    child_refuse(kCode, weir_pool_stats(w.pool, &info));
    child_refuse(kCode, weir_pool_destroy(w.pool));
    child_check(slot == 0 && data == nullptr && made == nullptr);
    return 0;
}
} // namespace

// covers: weir_pool_attach -EBUSY -EMFILE -WEIR_E_FORKED
// covers: weir_pool_create_in -EMFILE -WEIR_E_FORKED
// covers: weir_pool_acquire -EMFILE -WEIR_E_FORKED
// covers: weir_pool_acquire_many -EMFILE -WEIR_E_FORKED
// covers: weir_pool_release -EBUSY -EMFILE -WEIR_E_FORKED
// covers: weir_pool_release_many -EBUSY -EMFILE -WEIR_E_FORKED
// covers: weir_pool_release_ptr -EBUSY -EMFILE -WEIR_E_FORKED
// covers: weir_pool_data -EBUSY -EMFILE -WEIR_E_FORKED
// covers: weir_pool_slot_of -EBUSY -EMFILE -WEIR_E_FORKED
// covers: weir_pool_is_live -EBUSY -EMFILE -WEIR_E_FORKED
// covers: weir_pool_grow -EMFILE -WEIR_E_FORKED
// covers: weir_pool_walk -EBUSY -EMFILE -WEIR_E_FORKED
// covers: weir_pool_stats -EBUSY -EMFILE -WEIR_E_FORKED
// covers: weir_pool_destroy -EMFILE -WEIR_E_FORKED
Test(pool_processes, a_fork_child_that_cannot_join_is_told_so)
{
    World const full(2);
    weir_matrix *other = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(full.matrix), nullptr, &other));
    in_child_ok([&] { return all_refuse<-EBUSY>(full); });
    weir_matrix_unref(other);

    World const world(8);
    in_child_ok([&] {
        limit(RLIMIT_NOFILE, 0);
        if (int const failed = all_refuse<-EMFILE>(world); failed != 0)
            return failed;
        limit(RLIMIT_NOFILE, 256);
        weir_slot slot = 0;
        child_must(weir_pool_acquire(world.pool, 0, &slot, nullptr));
        return 0;
    });
    in_child_ok(
        [&] {
            if (!fail_system_call(SYS_openat, EACCES))
                return kNotHere;
            return all_refuse<-WEIR_E_FORKED>(world);
        },
        "no system call filters here");
    must(weir_matrix_heal(world.matrix, nullptr));
}
