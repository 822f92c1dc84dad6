// SPDX-License-Identifier: MIT OR Apache-2.0
// Lanes: what a thread keeps, who may have it, and what becomes of it at the end of a thread, in a
// fork child and after a death.
#include "tests/unit/matrix_support.hpp"

#include "core/base/clock.hpp"

#include <atomic>
#include <cstring>
#include <functional>
#include <set>
#include <thread>
#include <vector>

using namespace unit;

namespace {
void in_thread(std::function<void()> work) { std::thread(std::move(work)).join(); }
} // namespace

Test(matrix_lanes, the_block_freed_last_comes_first)
{
    Handle const matrix = make_matrix(with_lanes(kMiB));
    Ref const first = alloc(*matrix, 64).ref;
    Ref const second = alloc(*matrix, 64).ref;
    free_block(*matrix, first);
    free_block(*matrix, second);
    Ref const third = alloc(*matrix, 1).ref;
    check_eq(offset_of(third), offset_of(second));
    check_ne(third.value, second.value, "the generation is the same");
    check_eq(offset_of(alloc(*matrix, 33).ref), offset_of(first));
    assert_sound(*matrix);
}

// Else who passes blocks on would share each line of words with who got the block before.
Test(matrix_lanes, blocks_in_a_row_have_their_words_in_different_lines)
{
    constexpr uint64_t kBlocksOfALine = 64 / 8;
    Handle const matrix = make_matrix(with_lanes(64 * kMiB));
    for (uint64_t const size : {64u, 128u, 192u}) {
        for (int i = 0; i < 128; ++i) // refills become larger
            alloc(*matrix, size);
        uint64_t last = offset_of(alloc(*matrix, size).ref);
        for (int i = 0; i < 128; ++i) {
            uint64_t const next = offset_of(alloc(*matrix, size).ref);
            check_ge(larger(next, last) - smaller(next, last), (kBlocksOfALine - 2) * 64,
                     "size %lu, block %d", size, i);
            last = next;
        }
    }
    assert_sound(*matrix);
}

Test(matrix_lanes, a_kept_block_is_nobodys)
{
    Handle const matrix = make_matrix(with_lanes(kMiB));
    Ref const ref = alloc(*matrix, 64).ref;
    free_block(*matrix, ref);
    check_eq(matrix->free(ref).code, -kStale);
    check_eq(matrix->data(ref).status().code, -kStale);
    check_eq(matrix->owner(ref).status().code, -kStale);
    check_eq(matrix->transition(ref, 0, 50).code, -kStale);
    check_eq(matrix->give(ref, 0).code, -kStale);
    check_eq(matrix->take(ref).code, -kStale);
    MatrixStats const stats = stats_of(*matrix);
    check_eq(stats.used_blocks, 0);
    check_ge(stats.cached_bytes, 64);
}

Test(matrix_lanes, options_count_for_what_a_lane_gives)
{
    Handle const matrix = make_matrix(with_lanes(kMiB));
    Allocation made = alloc(*matrix, 200);
    std::memset(made.data, 0x77, 200);
    free_block(*matrix, made.ref);
    Allocation again;
    check_eq(matrix->alloc({200, 64, true, 99}, again).code, 0);
    check_eq(again.data, made.data);
    check_eq(*matrix->state(again.ref), 99);
    for (int i = 0; i < 200; ++i)
        check_eq(static_cast<uint8_t *>(again.data)[i], 0);
    free_block(*matrix, again.ref);
    check_eq(*matrix->state(alloc(*matrix, 200).ref), 0);
}

Test(matrix_lanes, every_small_size_gets_a_block_of_its_own)
{
    Handle const matrix = make_matrix(with_lanes(16 * kMiB));
    std::set<uint64_t> offsets;
    for (int round = 0; round < 3; ++round) {
        std::vector<Allocation> live;
        for (uint64_t size = 1; size <= 5000; size += 13) {
            live.push_back(alloc(*matrix, size));
            check_eq(reinterpret_cast<uintptr_t>(live.back().data) % 64, 0);
            auto const extent = matrix->data(live.back().ref);
            check_ge(extent->size, size);
            check_lt(extent->size, size + 256);
            std::memset(live.back().data, static_cast<int>(size), size);
        }
        size_t i = 0;
        for (uint64_t size = 1; size <= 5000; size += 13, ++i) {
            auto const *const bytes = static_cast<uint8_t *>(live[i].data);
            check_eq(bytes[0], static_cast<uint8_t>(size));
            check_eq(bytes[size - 1], static_cast<uint8_t>(size));
            free_block(*matrix, live[i].ref);
        }
        assert_sound(*matrix);
    }
}

Test(matrix_lanes, a_lane_keeps_to_its_budget)
{
    Handle const matrix = make_matrix(with_lanes(64 * kMiB));
    for (uint64_t const size : {64u, 256u, 1024u, 2048u, 4096u}) {
        std::vector<Ref> refs;
        for (int i = 0; i < 1000; ++i)
            refs.push_back(alloc(*matrix, size).ref);
        uint64_t const before = stats_of(*matrix).cached_bytes;
        for (Ref const ref : refs)
            free_block(*matrix, ref);
        check_lt(stats_of(*matrix).cached_bytes, before + magazine_budget(64 * kMiB) + 1);
        check_eq(stats_of(*matrix).used_blocks, 0);
    }
    assert_sound(*matrix);
}

Test(matrix_lanes, the_smallest_matrix_keeps_hardly_anything)
{
    Handle const matrix = make_matrix(with_lanes(64 * kKiB));
    std::vector<Ref> refs;
    Allocation made;
    while (matrix->alloc(64, made).ok())
        refs.push_back(made.ref);
    check_eq(refs.size(), 1024);
    for (Ref const ref : refs)
        free_block(*matrix, ref);
    check_lt(stats_of(*matrix).cached_bytes, 129);
    free_block(*matrix, alloc(*matrix, 64 * kKiB).ref); // all of it
    assert_sound(*matrix);
}

Test(matrix_lanes, another_thread_gets_what_this_one_keeps_if_there_is_nothing_else)
{
    Handle const matrix = make_matrix(with_lanes(kMiB));
    std::vector<Ref> refs;
    Allocation made;
    while (matrix->alloc(128, made).ok())
        refs.push_back(made.ref);
    for (Ref const ref : refs)
        free_block(*matrix, ref);
    in_thread([&] { free_block(*matrix, alloc(*matrix, kMiB).ref); });
    Handle const other = second_handle(*matrix);
    free_block(*other, alloc(*other, kMiB).ref);
    check_eq(stats_of(*matrix).cached_bytes, 0);
    for (int i = 0; i < 100; ++i) // the entries of what was stolen lead nowhere
        free_block(*matrix, alloc(*matrix, 128).ref);
    assert_sound(*matrix);
}

Test(matrix_lanes, a_block_freed_by_another_thread_goes_to_its_lane)
{
    Handle const matrix = make_matrix(with_lanes(kMiB));
    Ref const ref = alloc(*matrix, 700).ref;
    in_thread([&] {
        free_block(*matrix, ref);
        check_eq(offset_of(alloc(*matrix, 700).ref), offset_of(ref));
    });
}

Test(matrix_lanes, a_thread_that_only_frees_for_others_has_a_lane)
{
    Handle const matrix = make_matrix(with_lanes(kMiB));
    Ref const ref = alloc(*matrix, 64).ref;
    check_eq(matrix->give(ref, 0).code, 0);
    uint64_t const before = stats_of(*matrix).cached_bytes;
    // As who answers messages, and never allocates.
    in_thread([&] { check_eq(matrix->free_owned(ref, kNobody).code, 0); });
    check_eq(stats_of(*matrix).cached_bytes, before + 64);
    assert_sound(*matrix);
}

Test(matrix_lanes, the_next_thread_takes_over_the_lane_of_an_ended_one)
{
    Handle const matrix = make_matrix(with_lanes(kMiB));
    uint64_t offset = 0;
    in_thread([&] {
        Ref const ref = alloc(*matrix, 300).ref;
        offset = offset_of(ref);
        free_block(*matrix, ref);
    });
    in_thread([&] { check_eq(offset_of(alloc(*matrix, 300).ref), offset); });
    uint64_t const most = stats_of(*matrix).cached_bytes + kMostBatch * 320;
    for (int i = 0; i < 500; ++i)
        in_thread([&] { free_block(*matrix, alloc(*matrix, 300).ref); });
    check_lt(stats_of(*matrix).cached_bytes, most, "each thread leaves something behind");
}

/// The C library gives a new thread the stack of an ended one, and with it its thread pointer.
Test(matrix_lanes, who_has_an_ended_threads_stack_has_not_its_lane, .timeout = 60)
{
    Handle const matrix = make_matrix(with_lanes(kMiB));
    std::atomic<int> step{0};
    auto const wait_for = [&](int wanted) {
        while (step.load() < wanted)
            weir::sleep_for(kMillisecond);
    };
    uint32_t heir = 0;
    std::thread other([&] { // there before the stack is free
        wait_for(1);
        heir = weir::thread_number();
        step.store(2);
        wait_for(3);
    });
    uint32_t number = 0;
    uint64_t pointer = 0;
    in_thread([&] {
        number = weir::thread_number();
        pointer = weir::thread_pointer();
        free_block(*matrix, alloc(*matrix, 64).ref); // a block in its lane
        free_block(*matrix, alloc(*matrix, 64).ref);
    });
    step.store(1);
    wait_for(2);
    check_eq(heir, number);
    auto &hits = matrix->people().windows(matrix->me().owner)[number].hits;
    uint64_t const before = hits.load(weir::relaxed);
    in_thread([&] {
        check_eq(weir::thread_pointer(), pointer, "the stack was not used again");
        check_ne(weir::thread_number(), number);
        free_block(*matrix, alloc(*matrix, 64).ref);
    });
    check_eq(hits.load(weir::relaxed), before, "the lane is another thread's now");
    step.store(3);
    other.join();
}

Test(matrix_lanes, what_one_thread_has_too_much_of_another_one_gets)
{
    Handle const matrix = make_matrix(with_lanes(64 * kMiB));
    std::vector<Ref> refs;
    std::set<uint64_t> offsets;
    for (unsigned i = 0; i < kLaneDepth + 1; ++i) {
        refs.push_back(alloc(*matrix, 192).ref);
        offsets.insert(offset_of(refs.back()));
    }
    Lane *const mine = matrix->prepare_lane();
    unsigned const kept = mine->magazine[magazine_for(192)].count; // what a refill left
    uint64_t const flushes = mine->counters->flushes.load(relaxed);
    in_thread([&] {
        check_eq(matrix->prepare_lane() != nullptr, true); // now there are two lanes
        free_block(*matrix, alloc(*matrix, 64).ref);
    });
    for (Ref const ref : refs)
        free_block(*matrix, ref);
    check_eq(mine->counters->flushes.load(relaxed), flushes, "it went to the shared path");
    check_lt(mine->magazine[magazine_for(192)].count, kLaneDepth);
    in_thread([&] {
        Lane *const lane = matrix->prepare_lane();
        uint64_t const refills = lane->counters->refills.load(relaxed);
        unsigned old = 0;
        for (unsigned i = 0; i < kMostBatch; ++i)
            old += static_cast<unsigned>(offsets.count(offset_of(alloc(*matrix, 192).ref)));
        check_ge(old + kept, kMostBatch);
        check_eq(lane->counters->refills.load(relaxed), refills);
    });
    assert_sound(*matrix);
}

Test(matrix_lanes, the_depot_keeps_to_its_budget)
{
    Handle const matrix = make_matrix(with_lanes(64 * kMiB));
    constexpr unsigned kThreads = 2;
    std::vector<Ref> refs;
    for (unsigned i = 0; i < 4000; ++i)
        refs.push_back(alloc(*matrix, 512).ref);
    std::atomic<unsigned> arrived{0};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; ++i)
        threads.emplace_back([&, i] {
            free_block(*matrix, alloc(*matrix, 256).ref);
            arrived.fetch_add(1);
            while (arrived.load() < kThreads)
                sched_yield();
            for (unsigned k = i; k < refs.size(); k += kThreads)
                free_block(*matrix, refs[k]);
        });
    for (std::thread &thread : threads)
        thread.join();
    uint64_t const each = magazine_budget(64 * kMiB);
    uint64_t const lanes = kThreads + 1;                            // this thread's, too
    uint64_t const most = each * lanes + each / 2 * lanes;          // of 512 B
    uint64_t const others = kThreads * kFirstBatch * uint64_t{256}; // of 256 B
    check_ge(most + others, stats_of(*matrix).cached_bytes);
    assert_sound(*matrix);
}

Test(matrix_lanes, a_fork_while_other_threads_use_the_depot)
{
#if defined(__SANITIZE_ADDRESS__)
    cr_skip_test("a fork child of a process with threads waits for AddressSanitizer's allocator");
#endif
    Handle const matrix = make_matrix(with_lanes(8 * kMiB, 40));
    std::atomic<bool> done{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i)
        threads.emplace_back([&] {
            while (!done.load()) { // more than a magazine takes
                std::vector<Ref> refs;
                for (unsigned k = 0; k < 2 * kLaneDepth; ++k)
                    refs.push_back(alloc(*matrix, 64).ref);
                for (Ref const ref : refs)
                    free_block(*matrix, ref);
            }
        });
    for (int round = 0; round < 20; ++round) {
        int const child = in_child([&] {
            std::vector<Allocation> live;
            for (unsigned i = 0; i < 300; ++i) {
                Allocation made;
                if (!matrix->alloc(64, made).ok())
                    return 1;
                std::memset(made.data, 0x33, 64);
                live.push_back(made);
            }
            std::thread other([&] {
                for (Allocation const &made : live)
                    if (*static_cast<uint8_t *>(made.data) != 0x33 || !matrix->free(made.ref).ok())
                        _exit(2);
            });
            other.join();
            return 0;
        });
        check_eq(child, 0);
    }
    done.store(true);
    for (std::thread &thread : threads)
        thread.join();
    HealReport report;
    check_eq(matrix->heal(report).code, 0);
    check_eq(stats_of(*matrix).used_blocks, 0);
    assert_sound(*matrix);
}

Test(matrix_lanes, more_threads_than_lanes)
{
    constexpr unsigned kThreads = kLanes + 20;
    Handle const matrix = make_matrix(with_lanes(64 * kMiB)); // all may have all at once: 23 MB
    std::atomic<unsigned> arrived{0};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; ++i)
        threads.emplace_back([&, i] {
            arrived.fetch_add(1);
            while (arrived.load() < kThreads)
                sched_yield();
            std::vector<Allocation> live;
            for (unsigned k = 0; k < 300; ++k) {
                live.push_back(alloc(*matrix, 1 + (i * 37 + k * 101) % 3000));
                std::memset(live.back().data, static_cast<int>(i), 1);
            }
            for (Allocation const &made : live) {
                check_eq(*static_cast<uint8_t *>(made.data), static_cast<uint8_t>(i));
                free_block(*matrix, made.ref);
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    check_eq(stats_of(*matrix).used_blocks, 0);
    check_eq(stats_of(*matrix).allocs, kThreads * 300);
    check_eq(stats_of(*matrix).frees, kThreads * 300);
    assert_sound(*matrix);
}

Test(matrix_lanes, a_fork_child_has_nothing_of_its_parents_lanes)
{
    Handle const matrix = make_matrix(with_lanes(kMiB));
    Ref const kept = alloc(*matrix, 64).ref;
    free_block(*matrix, kept);
    int const child = in_child([&] {
        for (int i = 0; i < 100; ++i) {
            Allocation made;
            if (!matrix->alloc(64, made).ok())
                return 1;
            if (offset_of(made.ref) == offset_of(kept))
                return 2;
            if (i % 2 == 0 && !matrix->free(made.ref).ok())
                return 3;
        }
        return 0;
    });
    check_eq(child, 0);
    check_eq(offset_of(alloc(*matrix, 64).ref), offset_of(kept));
    HealReport report;
    check_eq(matrix->heal(report).code, 0);
    check_eq(report.blocks_reclaimed, 50);
    assert_sound(*matrix);
}

Test(matrix_lanes, a_fork_while_other_threads_work)
{
    Handle const matrix = make_matrix(with_lanes(8 * kMiB, 40));
    constexpr unsigned kThreads = 3;
    std::atomic<bool> done{false};
    std::atomic<unsigned> with_lane{0};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; ++i)
        threads.emplace_back([&, i] {
            auto const work = [&] { free_block(*matrix, alloc(*matrix, 64 + 64 * i).ref); };
            work();
            with_lane.fetch_add(1);
            while (!done.load())
                work();
        });
#if defined(__SANITIZE_ADDRESS__)
    // A fork child waits for its allocator if another thread is inside, and lanes come from there.
    while (with_lane.load() < kThreads)
        sched_yield();
#endif
    for (int round = 0; round < 20; ++round) {
        int const child = in_child([&] {
            std::vector<Ref> refs;
            for (int i = 0; i < 200; ++i) {
                Allocation made;
                if (!matrix->alloc(64 + 64 * static_cast<uint64_t>(i % 4), made).ok())
                    return 1;
                std::memset(made.data, 0x33, 64);
                refs.push_back(made.ref);
            }
            for (Ref const ref : refs)
                if (!matrix->free(ref).ok())
                    return 2;
            return 0;
        });
        check_eq(child, 0);
    }
    done.store(true);
    for (std::thread &thread : threads)
        thread.join();
    HealReport report;
    check_eq(matrix->heal(report).code, 0);
    check_eq(stats_of(*matrix).used_blocks, 0);
    assert_sound(*matrix);
}

Test(matrix_lanes, who_leaves_gives_everything_back)
{
    Handle const matrix = make_matrix(kMiB); // without lanes: it looks
    for (int i = 0; i < 3; ++i) {
        Handle const other(Matrix::attach_fd(matrix->fd(), with_lanes(kMiB)));
        check_eq(other.code(), 0);
        in_thread([&] { free_block(*other, alloc(*other, 64).ref); });
        for (uint64_t size = 64; size <= 4096; size += 64)
            free_block(*other, alloc(*other, size).ref);
        check_ne(stats_of(*matrix).cached_bytes, 0);
    }
    assert_all_free(*matrix);
}

Test(matrix_lanes, a_dead_process_gives_everything_back)
{
    Handle const matrix = make_matrix(kMiB);
    for (int i = 0; i < 3; ++i) {
        int const child = in_child([&] {
            auto const other = Matrix::attach_fd(matrix->fd(), with_lanes(kMiB));
            Allocation made;
            for (uint64_t size = 64; size <= 4096; size += 64)
                if (!(*other)->alloc(size, made).ok() || !(*other)->free(made.ref).ok())
                    return 1;
            kill(getpid(), SIGKILL);
            return 2;
        });
        check_ne(child, 2);
        HealReport report;
        check_eq(matrix->heal(report).code, 0);
        check_eq(report.participants, 1);
        check_eq(report.interrupted, 0, "what a lane kept is no interrupted operation");
    }
    assert_all_free(*matrix);
}

Test(matrix_lanes, a_matrix_that_two_lanes_fight_for)
{
    // 512 blocks for two threads that want 300 each: none may be told -ENOMEM while it has fewer
    // than the other leaves.
    Handle const matrix = make_matrix(with_lanes(64 * kKiB));
    auto const work = [&](unsigned seed) {
        std::vector<Ref> live;
        uint32_t state = seed;
        for (int i = 0; i < 60000; ++i) {
            state = state * 1664525 + 1013904223;
            if (live.size() < 250 && (state >> 16) % 3 != 0) {
                live.push_back(alloc(*matrix, 128).ref);
            } else if (!live.empty()) {
                size_t const at = (state >> 8) % live.size();
                free_block(*matrix, live[at]);
                live[at] = live.back();
                live.pop_back();
            }
        }
        for (Ref const ref : live)
            free_block(*matrix, ref);
    };
    std::thread other([&] { work(7); });
    work(3);
    other.join();
    assert_sound(*matrix);
    check_eq(stats_of(*matrix).used_blocks, 0);
}

Test(matrix_lanes, trim_takes_what_lanes_keep)
{
    Handle const matrix = make_matrix(with_lanes(kMiB));
    for (uint64_t size = 64; size <= 4096; size += 64)
        free_block(*matrix, alloc(*matrix, size).ref);
    in_thread([&] { free_block(*matrix, alloc(*matrix, 64).ref); });
    check_ne(stats_of(*matrix).cached_bytes, 0);
    uint64_t given_back = 0;
    check_eq(matrix->trim(0, given_back).code, 0);
    MatrixStats const stats = stats_of(*matrix);
    check_eq(stats.cached_bytes, 0);
    check_eq(given_back, stats.trimmed_bytes);
    check_eq(stats.free_bytes, 0);
    for (uint64_t size = 64; size <= 4096; size += 64)
        free_block(*matrix, alloc(*matrix, size).ref);
    assert_sound(*matrix);
}

/// What goes and what stays of a dead one lie side by side.
Test(matrix_lanes, kept_blocks_stay_beside_what_a_lane_had_kept)
{
    MatrixOptions options = with_lanes(64 * kMiB);
    options.geometry.keep_blocks = true;
    Handle const matrix = make_matrix(options);
    int const child = in_child([&] {
        std::vector<Ref> refs;
        Allocation made;
        for (int i = 0; i < 200 && matrix->alloc(64, made).ok(); ++i)
            refs.push_back(made.ref);
        for (size_t i = 0; i < refs.size(); i += 4)
            if (!matrix->free(refs[i]).ok())
                return 1;
        return refs.size() == 200 ? 0 : 2;
    });
    check_eq(child, 0);
    HealReport report;
    check_eq(matrix->heal(report).code, 0);
    check_eq(report.blocks_kept, 150);
    check_eq(report.blocks_reclaimed, 0);
    check_eq(stats_of(*matrix).used_blocks, 150);
    assert_sound(*matrix);
}
