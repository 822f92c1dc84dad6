// SPDX-License-Identifier: MIT OR Apache-2.0
// Pools by their core: words, shapes, every kind of pool against a model, exact emptiness, deaths.
#include "tests/unit/matrix_support.hpp"

#include "core/base/alloc.hpp"
#include "core/pool/pool.hpp"

#include <cstring>
#include <set>
#include <thread>

using namespace unit;

namespace {
PoolOptions pool_of(uint64_t slot_size, uint64_t capacity)
{
    PoolOptions options;
    options.slot_size = slot_size;
    options.capacity = capacity;
    return options;
}

/// A pool, private or in a matrix of its own.
struct Made {
    explicit Made(PoolOptions const &options, bool shared = false)
        : matrix(shared ? make_matrix(16 * kMiB) : Handle(Result<Matrix *>(error(ENOENT))))
    {
        auto const made =
            shared ? Pool::create_in(*matrix, "pool", options) : Pool::create(options);
        check_eq(made.status().code, 0);
        pool = *made;
    }
    ~Made() { pool->unref(); }
    Handle matrix;
    Pool *pool;
};

Taken take(Pool &pool)
{
    Taken got;
    check_eq(pool.acquire(0, got).code, 0);
    return got;
}

int take_code(Pool &pool)
{
    Taken got;
    return pool.acquire(0, got).code;
}

PoolStats stats_of(Pool &pool)
{
    PoolStats stats;
    check_eq(pool.stats(stats).code, 0);
    check_eq(stats.live + stats.free + stats.cached, stats.capacity);
    return stats;
}

/// Random acquires and releases against a set; every slot is written and read back.
void play(Pool &pool, uint64_t limit, uint64_t seed, int steps)
{
    struct Held {
        Taken taken;
        uint64_t mark;
    };
    Random random(seed);
    std::vector<Held> held;
    std::set<uint32_t> indexes;
    std::vector<SlotId> gone;
    for (int i = 0; i < steps; ++i) {
        if (random.percent(55)) {
            Taken got;
            int const code = pool.acquire(0, got).code;
            check_eq(code, held.size() < limit ? 0 : -EAGAIN);
            if (code != 0)
                continue;
            cr_assert(indexes.insert(got.slot.index()).second, "slot %u twice", got.slot.index());
            uint64_t const mark = random.next();
            std::memcpy(got.data, &mark, sizeof mark);
            held.push_back({got, mark});
        } else if (!held.empty()) {
            size_t const at = random.below(held.size());
            Held const out = held[at];
            held[at] = held.back();
            held.pop_back();
            check_eq(std::memcmp(out.taken.data, &out.mark, sizeof out.mark), 0);
            indexes.erase(out.taken.slot.index());
            check_eq(pool.release(out.taken.slot).code, 0);
            check_eq(pool.release(out.taken.slot).code, -kStale);
            gone.push_back(out.taken.slot);
        }
        if (!gone.empty()) {
            SlotId const old = gone[random.below(gone.size())];
            check_eq(pool.data(old).status().code, -kStale);
        }
    }
    check_eq(stats_of(pool).live, held.size());
    for (Held const &left : held)
        check_eq(pool.release(left.taken.slot).code, 0);
    check_eq(stats_of(pool).live, 0);
}
} // namespace

Test(pool_word, fields_do_not_touch_each_other)
{
    Random random(1);
    for (int i = 0; i < 20000; ++i) {
        auto const state = static_cast<PoolState>(random.below(3));
        auto const owner = static_cast<Owner>(random.below(kMaxParticipants + 1));
        auto const generation = static_cast<uint32_t>(random.next());
        PoolWord const word = PoolWord::of(state, owner, generation);
        cr_assert(word.is(state));
        check_eq(word.owner(), owner);
        check_eq(word.generation(), generation);
        PoolWord const live = word.to_live(7);
        cr_assert(live.is(PoolState::live) && live.owner() == 7);
        check_ne(live.generation(), generation);
        check_ne(live.generation(), 0);
    }
    check_eq(PoolWord::next_generation(UINT32_MAX), 1);
    cr_assert(PoolWord{0}.is(PoolState::free));
}

Test(pool_layout, indexes_and_extents_fit_together)
{
    for (uint64_t const capacity : {uint64_t{1}, uint64_t{64}, uint64_t{100}, uint64_t{4096}}) {
        PoolOptions options = pool_of(24, capacity);
        options.growable = true;
        options.most = 70000;
        PoolShape shape;
        check_eq(shape_of(options, shape).code, 0);
        check_ge(shape.first, capacity);
        uint64_t next = 0;
        for (unsigned k = 0; k < shape.extents(); ++k) {
            check_eq(shape.begin_of(k), next);
            next = shape.end_of(k);
            for (uint64_t const at : {shape.begin_of(k), shape.end_of(k) - 1})
                check_eq(shape.extent_of(static_cast<uint32_t>(at)), k);
            ExtentPlan const plan = ExtentPlan::of(shape, k);
            check_eq(plan.data % shape.memory_alignment(), 0);
            check_eq(plan.total, plan.data + shape.slots_of(k) * shape.stride);
        }
        check_eq(next, 70000);
    }
}

Test(pool_layout, what_is_no_pool_is_refused)
{
    PoolShape shape;
    auto const refused = [&](PoolOptions const &options) {
        check_eq(shape_of(options, shape).code, -EINVAL);
    };
    refused(pool_of(8, kMostSlots + 1));
    refused(pool_of(kMostSlotSize + 1, 1));
    refused(pool_of(kMostSlotSize, uint64_t{1} << 20)); // more bytes than there may be
    PoolOptions options = pool_of(8, 10);
    for (uint64_t const alignment : {3, 24, 8192}) {
        options.alignment = alignment;
        refused(options);
    }
    options = pool_of(8, 10);
    options.most = 11; // but it does not grow
    refused(options);
    options.growable = true;
    options.most = 9;
    refused(options);
    check_eq(shape_of(pool_of(kMostSlotSize, 64), shape).code, 0);
}

Test(pool, each_kind_behaves_like_a_set)
{
    for (unsigned kind = 0; kind < 16; ++kind) {
        bool const shared = (kind & 1) != 0;
        PoolOptions options = pool_of(kind % 3 == 0 ? 8 : 72, kind % 5 == 0 ? 3 : 100);
        options.single_thread = !shared && (kind & 2) != 0;
        options.growable = (kind & 4) != 0;
        options.zero = (kind & 8) != 0;
        options.most = options.growable ? 300 : 0;
        Made const made(options, shared);
        play(*made.pool, options.growable ? 300 : options.capacity, kind + 1, 6000);
    }
}

Test(pool, slots_are_aligned_and_do_not_overlap)
{
    for (bool const single : {false, true})
        for (uint64_t const alignment : {1, 8, 64, 256, 4096}) {
            PoolOptions options = pool_of(100, 70);
            options.alignment = alignment;
            options.single_thread = single;
            options.growable = true;
            options.most = 200;
            Made const made(options);
            std::set<uintptr_t> places;
            for (int i = 0; i < 200; ++i) {
                Taken const got = take(*made.pool);
                auto const at = reinterpret_cast<uintptr_t>(got.data);
                check_eq(at % alignment, 0);
                std::memset(got.data, i, 100);
                auto const above = places.lower_bound(at);
                cr_assert(above == places.end() || *above - at >= 100);
                cr_assert(above == places.begin() || at - *std::prev(above) >= 100);
                places.insert(at);
            }
            check_eq(take_code(*made.pool), -EAGAIN);
        }
}

Test(pool, zero_means_zero_each_time)
{
    for (unsigned kind = 0; kind < 3; ++kind) {
        PoolOptions options = pool_of(200, 10);
        options.zero = true;
        options.single_thread = kind == 1;
        Made const made(options, kind == 2);
        for (int i = 0; i < 100; ++i) {
            Taken const got = take(*made.pool);
            for (int k = 0; k < 200; ++k)
                check_eq(static_cast<char *>(got.data)[k], 0);
            std::memset(got.data, 0xff, 200);
            check_eq(made.pool->release(got.slot).code, 0);
        }
    }
}

Test(pool, pointers_and_indexes_stay_when_it_grows)
{
    for (bool const shared : {false, true}) {
        PoolOptions options = pool_of(64, 64);
        options.growable = true;
        Made const made(options, shared);
        std::vector<Taken> held;
        for (int i = 0; i < 1000; ++i) {
            held.push_back(take(*made.pool));
            std::memcpy(held.back().data, &i, sizeof i);
        }
        for (int i = 0; i < 1000; ++i) {
            auto const data = made.pool->data(held[static_cast<size_t>(i)].slot);
            check_eq(data.status().code, 0);
            check_eq(*data, held[static_cast<size_t>(i)].data);
            check_eq(std::memcmp(*data, &i, sizeof i), 0);
            auto const slot = made.pool->slot_of(*data);
            check_eq(slot.status().code, 0);
            check_eq((*slot).value, held[static_cast<size_t>(i)].slot.value);
        }
        check_eq(stats_of(*made.pool).capacity, 1024);
        check_eq(stats_of(*made.pool).extents, 5);
        if (shared)
            assert_sound(*made.matrix);
    }
}

Test(pool, what_points_nowhere_is_refused)
{
    for (unsigned kind = 0; kind < 3; ++kind) {
        PoolOptions options = pool_of(64, 100);
        options.single_thread = kind == 1;
        Made const made(options, kind == 2);
        Taken const got = take(*made.pool);
        auto *const inside = static_cast<char *>(got.data) + 8;
        char foreign = 0;
        check_eq(made.pool->slot_of(inside).status().code, -EINVAL);
        check_eq(made.pool->slot_of(&foreign).status().code, -EINVAL);
        check_eq(made.pool->slot_of(static_cast<char *>(got.data) + 64 * 100).status().code,
                 -EINVAL);
        check_eq(made.pool->release({}).code, -EINVAL);
        check_eq(made.pool->release(SlotId::of(1, 100)).code, -EINVAL);
        check_eq(made.pool->release(SlotId::of(0, 1)).code,
                 options.single_thread ? -kStale : -EINVAL);
        check_eq(made.pool->release(SlotId::of(5, 99)).code, -kStale);
        check_eq(made.pool->slot_at(100).status().code, -EINVAL);
        check_eq(made.pool->slot_at(99).status().code, -kStale);
        check_eq(made.pool->release(got.slot).code, 0);
        check_eq(made.pool->slot_of(got.data).status().code, -kStale);
        check_eq(stats_of(*made.pool).live, 0);
    }
}

Test(pool, failing_memory_is_enomem_and_loses_nothing)
{
    for (bool const single : {false, true}) {
        PoolOptions options = pool_of(64, 64);
        options.growable = true;
        options.single_thread = single;
        for (int i = 0;; ++i) {
            fail_allocation_after(i);
            auto const made = Pool::create(options);
            fail_allocation_after(-1);
            if (!made.ok()) {
                check_eq(made.status().code, -ENOMEM);
                continue;
            }
            check_ge(i, 2);
            std::vector<SlotId> held;
            for (int k = 0; k < 64; ++k)
                held.push_back(take(**made).slot);
            fail_allocation_after(0);
            check_eq(take_code(**made), -ENOMEM);
            fail_allocation_after(-1);
            held.push_back(take(**made).slot);
            fail_allocation_after(0);
            check_eq((*made)->grow(1000).code, -ENOMEM);
            fail_allocation_after(-1);
            for (SlotId const slot : held)
                check_eq((*made)->release(slot).code, 0);
            (*made)->unref();
            break;
        }
    }
}

Test(pool, as_many_slots_as_threads_are_always_enough)
{
    constexpr unsigned kThreads = 4;
    for (bool const shared : {false, true}) {
        Made const made(pool_of(64, kThreads), shared);
        Barrier barrier(kThreads);
        std::atomic<int> failures{0};
        std::vector<std::thread> threads;
        for (unsigned t = 0; t < kThreads; ++t)
            threads.emplace_back([&, t] {
                barrier.wait();
                for (int i = 0; i < 20000; ++i) {
                    Taken got;
                    if (!made.pool->acquire(0, got).ok()) {
                        ++failures;
                        continue;
                    }
                    std::memcpy(got.data, &t, sizeof t);
                    if (i % 64 == 0)
                        sched_yield();
                    if (std::memcmp(got.data, &t, sizeof t) != 0 ||
                        !made.pool->release(got.slot).ok())
                        ++failures;
                }
            });
        for (std::thread &thread : threads)
            thread.join();
        check_eq(failures.load(), 0);
        check_eq(stats_of(*made.pool).live, 0);
    }
}

Test(pool, more_threads_than_lanes_share_one)
{
    Made const made(pool_of(64, 200));
    std::vector<std::thread> threads;
    std::atomic<int> failures{0};
    Barrier barrier(kPoolLanes + 6);
    for (unsigned t = 0; t < kPoolLanes + 6; ++t)
        threads.emplace_back([&] {
            barrier.wait(); // all live at once
            for (int i = 0; i < 200; ++i) {
                Taken got;
                if (!made.pool->acquire(0, got).ok() || !made.pool->release(got.slot).ok())
                    ++failures;
            }
            barrier.wait();
        });
    for (std::thread &thread : threads)
        thread.join();
    check_eq(failures.load(), 0);
    check_eq(stats_of(*made.pool).live, 0);
}

Test(pool, a_waiter_gets_what_is_released)
{
    Made const made(pool_of(64, 1));
    Taken const got = take(*made.pool);
    Taken other;
    std::thread waiter([&] { check_eq(made.pool->acquire(-1, other).code, 0); });
    sleep_for(50 * kMillisecond);
    check_eq(made.pool->release(got.slot).code, 0);
    waiter.join();
    check_ne(other.slot.value, got.slot.value);
    check_eq(other.data, got.data);
    check_eq(made.pool->acquire(20 * kMillisecond, other).code, -ETIMEDOUT);
}

// ---- in a matrix

Test(pool_shared, the_slots_of_the_dead_come_back)
{
    for (bool const keep : {false, true}) {
        Handle const matrix = make_matrix(4 * kMiB);
        PoolOptions options = pool_of(64, 64);
        options.growable = true;
        options.keep = keep;
        Pool *const pool = *Pool::create_in(*matrix, "pool", options);
        int const code = in_child([&] {
            for (int i = 0; i < 100; ++i) { // it grows, too
                Taken got;
                if (!pool->acquire(0, got).ok() || (i % 2 == 0 && !pool->release(got.slot).ok()))
                    return 1;
            }
            return 0;
        });
        check_eq(code, 0);
        HealReport report;
        check_eq(matrix->heal(report).code, 0);
        PoolStats const stats = stats_of(*pool);
        check_eq(stats.live, keep ? 50 : 0);
        check_eq(stats.cached, 0);
        uint64_t owners = 0;
        check_eq(pool->walk(
                         [](PoolSlotInfo const &info, void *sum) {
                             *static_cast<uint64_t *>(sum) += info.owner;
                             return 0;
                         },
                         &owners)
                     .code,
                 0);
        check_eq(owners, 0);
        assert_sound(*matrix);
        check_eq(pool->retire().code, 0);
        pool->unref();
        assert_all_free(*matrix);
    }
}

Test(pool_shared, an_acquire_heals_before_it_says_eagain)
{
    Handle const matrix = make_matrix(4 * kMiB);
    Pool *const pool = *Pool::create_in(*matrix, "pool", pool_of(64, 10));
    in_child([&] {
        Taken got;
        while (pool->acquire(0, got).ok()) {
        }
        return 0;
    });
    for (int i = 0; i < 10; ++i)
        take(*pool);
    check_eq(take_code(*pool), -EAGAIN);
    pool->unref();
}

Test(pool_shared, one_process_opens_it_once)
{
    Handle const matrix = make_matrix(4 * kMiB);
    Pool *const pool = *Pool::create_in(*matrix, "pool", pool_of(64, 10));
    check_eq(*Pool::attach(*matrix, "pool", {}), pool);
    Handle const other = second_handle(*matrix);
    check_eq(Pool::attach(*other, "none", {}).status().code, -ENOENT);
    pool->unref();
    check_eq(pool->retire().code, 0);
    check_eq(pool->retire().code, -kRetired);
    check_eq(take_code(*pool), -kRetired);
    pool->unref();
    assert_all_free(*matrix);
}

namespace {
PoolHeader &header_of(Pool &pool) { return pool.slots().header(); }

int attach_code(Matrix &matrix)
{
    auto const made = Pool::attach(matrix, "pool", {});
    if (made.ok())
        (*made)->unref();
    return made.status().code;
}
} // namespace

Test(pool_shared, a_header_that_makes_no_sense_is_refused)
{
    Handle const matrix = make_matrix(4 * kMiB);
    PoolOptions options = pool_of(64, 64);
    options.growable = true;
    Pool *const pool = *Pool::create_in(*matrix, "pool", options);
    PoolHeader &header = header_of(*pool);
    uint64_t *const fields[] = {&header.magic,     &header.slot_size, &header.stride,
                                &header.alignment, &header.first,     &header.most};
    check_eq(attach_code(*matrix), 0);
    for (uint64_t *const field : fields)
        for (uint64_t const value : {uint64_t{0}, uint64_t{3}, UINT64_MAX, uint64_t{1} << 40}) {
            uint64_t const was = *field;
            if (value == was || (field == &header.slot_size && value == 3) ||
                (field == &header.most && value > 64 && value < kMostSlots))
                continue;
            *field = value;
            check_eq(attach_code(*matrix), -kCorrupt, "field %td", field - fields[0]);
            *field = was;
        }
    header.version = 2;
    check_eq(attach_code(*matrix), -kVersion);
    header.version = 1;
    header.flags |= 64;
    check_eq(attach_code(*matrix), -kVersion);
    header.flags &= 7;
    for (uint64_t const extents : {uint64_t{0}, uint64_t{2}, UINT64_MAX}) {
        header.extents.store(extents, relaxed);
        check_eq(attach_code(*matrix), -kCorrupt);
        uint64_t had;
        int const code = pool->capacity(had).code;
        check_eq(code, -kCorrupt);
    }
    header.extents.store(1, relaxed);
    check_eq(attach_code(*matrix), 0);
    pool->unref();
}

Test(pool_shared, words_that_make_no_sense_cost_no_more_than_slots)
{
    Handle const matrix = make_matrix(4 * kMiB);
    Pool *const pool = *Pool::create_in(*matrix, "pool", pool_of(64, 64));
    Random random(3);
    for (int round = 0; round < 300; ++round) {
        for (uint32_t i = 0; i < 64; ++i)
            pool->slots().word(i).store(random.percent(50) ? random.next() : 0, relaxed);
        header_of(*pool).gate.store(static_cast<uint32_t>(random.next()), relaxed);
        for (int i = 0; i < 100; ++i) {
            Taken got;
            if (pool->acquire(0, got).ok())
                std::memset(got.data, 1, 64);
            static_cast<void>(pool->release({random.next() >> 26}));
            static_cast<void>(pool->data({random.next() >> 26}));
        }
        HealReport report;
        check_eq(matrix->heal(report).code, 0);
    }
    assert_sound(*matrix);
    pool->unref();
}

/// The rows "ticket, …" of the table in pool.hpp, set up by hand.
Test(pool_shared, growth_of_the_dead_is_finished_or_undone)
{
    for (int row = 0; row < 3; ++row) {
        Handle const matrix = make_matrix(4 * kMiB);
        PoolOptions options = pool_of(64, 64);
        options.growable = true;
        Pool *const pool = *Pool::create_in(*matrix, "pool", options);
        PoolHeader &header = header_of(*pool);
        check_eq(in_child([&] {
                     if (!matrix->enter().ok())
                         return 1;
                     Allocation block;
                     if (!matrix->take_ticket(header.growth).ok() ||
                         !matrix->alloc({8192, 64, true, 0}, block).ok())
                         return 2;
                     if (row >= 1)
                         header.ref[0].store(block.ref.value, release);
                     if (row >= 2 &&
                         !matrix->move_owner(block.ref, matrix->me().owner, kNobody).ok())
                         return 3;
                     return 0;
                 }),
                 0);
        HealReport report;
        check_eq(matrix->heal(report).code, 0);
        check_eq(header.growth.word.load(relaxed) & 0xffff, 0);
        check_eq(header.extents.load(relaxed), row == 2 ? 2 : 1);
        check_eq(header.ref[0].load(relaxed) != 0, row == 2);
        assert_sound(*matrix);
        check_eq(pool->retire().code, 0);
        pool->unref();
        assert_all_free(*matrix);
    }
}
