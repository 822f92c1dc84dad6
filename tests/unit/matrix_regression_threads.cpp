// SPDX-License-Identifier: MIT OR Apache-2.0
// The flaws of an earlier design that need several threads, each by its name. Threads count what
// went wrong; the test asserts after they have joined.
#include "tests/unit/matrix_support.hpp"

#include "core/base/clock.hpp"

#include <atomic>
#include <cstring>
#include <thread>

using namespace unit;

namespace {
template <class Work> void run_threads(unsigned count, Work work)
{
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < count; ++i)
        threads.emplace_back([=] { work(i); });
    for (std::thread &thread : threads)
        thread.join();
}

struct Mistakes {
    std::atomic<unsigned> failed{0}; ///< a call that had to succeed
    std::atomic<unsigned> shared{0}; ///< a byte that somebody else wrote
};

/// Allocates and frees blocks of 1 … `granules` granules, each marked from end to end by its owner.
void churn(Matrix &matrix, unsigned self, unsigned granules, unsigned turns, Mistakes &mistakes)
{
    constexpr unsigned kLive = 24;
    struct Mine {
        Allocation block;
        uint64_t size = 0;
    } mine[kLive] = {};
    Random random(self + 1);
    auto const mark = static_cast<unsigned char>(self + 1);
    auto const give_back = [&](Mine &old) {
        auto const *const bytes = static_cast<unsigned char const *>(old.block.data);
        for (uint64_t i = 0; i < old.size; ++i)
            mistakes.shared += bytes[i] != mark ? 1 : 0;
        mistakes.failed += matrix.free(old.block.ref).ok() ? 0 : 1;
        old = {};
    };
    for (unsigned turn = 0; turn < turns; ++turn) {
        Mine &at = mine[random.below(kLive)];
        if (at.size != 0) {
            give_back(at);
            continue;
        }
        at.size = (1 + random.below(granules)) * 64;
        if (!matrix.alloc(at.size, at.block).ok()) {
            ++mistakes.failed;
            at.size = 0;
            continue;
        }
        std::memset(at.block.data, mark, at.size);
    }
    for (Mine &at : mine)
        if (at.size != 0)
            give_back(at);
}
} // namespace

Test(matrix_regression, false_out_of_memory, .timeout = 60)
{
    for (uint64_t capacity : {kMiB, 64 * kKiB}) { // the second has room for 1024 such blocks
        std::atomic<unsigned> failed{0};
        for (int round = 0; round < 20; ++round) {
            Handle const matrix = make_matrix(capacity);
            run_threads(3, [&](unsigned) {
                for (int turn = 0; turn < 3; ++turn) {
                    std::vector<Ref> mine;
                    for (int i = 0; i < 300; ++i) {
                        Allocation made;
                        if (matrix->alloc(64, made).ok())
                            mine.push_back(made.ref);
                        else
                            ++failed;
                    }
                    for (Ref const ref : mine)
                        failed += matrix->free(ref).ok() ? 0 : 1;
                }
            });
            assert_all_free(*matrix);
        }
        check_eq(failed.load(), 0);
    }
}

/// The only free block is in somebody's hand for a while: that is not "no memory".
Test(matrix_regression, false_out_of_memory_while_a_block_is_in_hand, .timeout = 60)
{
    Handle const matrix = make_matrix(64 * kKiB);
    Handle const other = second_handle(*matrix);
    free_block(*matrix, alloc(*matrix, 64).ref);
    for (int round = 0; round < 10; ++round) {
        Caller const slow = other->caller();
        atomic<BlockWord> &head = words_of(*matrix, kSmall)[0];
        BlockWord const free_word = head.load(seq_cst);
        slow.open();
        head.store(free_word.as_claimed(slow.owner(), free_word.granules()), seq_cst);
        int code = 1;
        std::thread asks([&] {
            Allocation made;
            code = matrix->alloc(64, made).code;
            if (code == 0)
                code = matrix->free(made.ref).code;
        });
        sleep_for(10 * kMillisecond);
        head.store(free_word, seq_cst);
        slow.close();
        asks.join();
        check_eq(code, 0);
        assert_all_free(*matrix);
    }
}

/// The same head is taken, split, merged and taken again by others while a thread is between its
/// look and its claim.
Test(matrix_regression, aba_of_list_heads, .timeout = 60)
{
    Handle const matrix = make_matrix(64 * kKiB);
    Mistakes mistakes;
    run_threads(4, [&](unsigned self) {
        for (int i = 0; i < 15000; ++i) {
            Allocation made;
            if (!matrix->alloc(64, made).ok()) {
                ++mistakes.failed;
                continue;
            }
            auto *const stamp = static_cast<std::atomic<uint64_t> *>(made.data);
            mistakes.shared += stamp->exchange(self + 1) != 0 ? 1 : 0;
            mistakes.shared += stamp->exchange(0) != self + 1 ? 1 : 0;
            mistakes.failed += matrix->free(made.ref).ok() ? 0 : 1;
        }
    });
    check_eq(mistakes.shared.load(), 0);
    check_eq(mistakes.failed.load(), 0);
    assert_all_free(*matrix);
}

Test(matrix_regression, block_both_allocated_and_merged, .timeout = 60)
{
    Handle const matrix = make_matrix(kMiB);
    Mistakes mistakes;
    run_threads(3, [&](unsigned self) { churn(*matrix, self, 12, 20000, mistakes); });
    check_eq(mistakes.shared.load(), 0);
    check_eq(mistakes.failed.load(), 0);
    assert_all_free(*matrix);
}

/// Neighbours are freed at the same moment: one of the two merges, never none, never both.
Test(matrix_regression, two_coalescers_owning_one_block, .timeout = 60)
{
    constexpr unsigned kThreads = 2;
    Handle const matrix = make_matrix(64 * kKiB);
    Ref mine[kThreads] = {};
    std::atomic<unsigned> failed{0};
    Barrier barrier(kThreads);
    unsigned wrong = 0;
    run_threads(kThreads, [&](unsigned self) {
        for (int round = 0; round < 8000; ++round) {
            if (self == 0) // two neighbours of any length
                for (unsigned i = 0; i < kThreads; ++i) {
                    Allocation made;
                    uint64_t const size = 64 * (1 + (static_cast<unsigned>(round) + i) % 5);
                    failed += matrix->alloc(size, made).ok() ? 0 : 1;
                    mine[i] = made.ref;
                }
            barrier.wait();
            failed += matrix->free(mine[self]).ok() ? 0 : 1;
            barrier.wait();
            if (self == 0) {
                CheckReport report;
                bool const sound = matrix->check(false, report).code == 0;
                wrong += sound && report.blocks == 1 && report.free_bytes == 64 * kKiB ? 0 : 1;
            }
        }
    });
    check_eq(failed.load(), 0);
    check_eq(wrong, 0);
    assert_all_free(*matrix);
}

/// A lost bit hides a free block: then not all of the memory can be taken again.
Test(matrix_regression, lost_bitmap_bit, .timeout = 60)
{
    MatrixOptions options = options_for(256 * kKiB);
    Handle const matrix = make_matrix(options);
    for (int round = 0; round < 12; ++round) {
        Mistakes mistakes;
        std::vector<Ref> wall; // every other granule stays taken: thousands of bits come and go
        for (int i = 0; i < 1000; ++i)
            wall.push_back(alloc(*matrix, 64).ref);
        for (size_t i = 0; i < wall.size(); i += 2)
            free_block(*matrix, wall[i]);
        run_threads(3, [&](unsigned self) { churn(*matrix, self, 2, 4000, mistakes); });
        check_eq(mistakes.failed.load(), 0);
        check_eq(mistakes.shared.load(), 0);
        assert_sound(*matrix);
        for (size_t i = 1; i < wall.size(); i += 2)
            free_block(*matrix, wall[i]);
        assert_all_free(*matrix);
    }
    unsigned taken = 0;
    Allocation made;
    while (matrix->alloc(64, made).ok())
        ++taken;
    check_eq(taken, 4096);
}
