// SPDX-License-Identifier: MIT OR Apache-2.0
// The trace, and what both make of it.
#include "fragmentation.hpp"
#include "good_fit.hpp"
#include "workloads.hpp"

#include <algorithm>

namespace bench {
namespace {
/// Live bytes go up to the first and down to the second, again and again.
constexpr std::uint64_t kHigh = std::uint64_t{96} << 20, kLow = std::uint64_t{48} << 20;
constexpr std::size_t kTraceCapacity = std::size_t{1} << 30;

/// Of 100 blocks 80 have 16 to 1024 bytes, 18 up to 64 KiB and 2 up to 2 MiB; within each range all
/// powers of two are equally likely.
std::uint32_t random_size(Random &random, Sizes sizes)
{
    if (sizes == Sizes::mixed)
        return 16 + (random() >> 8) % 4081;
    std::uint32_t const dice = random() >> 8;
    unsigned const kind = dice % 100;
    unsigned const low = kind < 80 ? 4 : kind < 98 ? 10 : 16;
    unsigned const powers = kind < 80 ? 6 : kind < 98 ? 6 : 5;
    std::uint32_t const base = 1u << (low + dice / 100 % powers);
    return base + (random() >> 4) % base;
}

/// Calls `allocate(size)`, which may refuse, and `release(block)`, and `look(live bytes)` now and
/// then. What is released is random, too.
template <class Handle, class Allocate, class Release, class Look>
void play(Sizes sizes, int operations, Allocate allocate, Release release, Look look)
{
    struct Live {
        Handle handle;
        std::uint32_t size;
    };
    std::vector<Live> live;
    std::uint64_t bytes = 0;
    bool growing = true;
    Random random{42};
    for (int i = 0; i < operations; ++i) {
        std::uint32_t const size = random_size(random, sizes), dice = random() >> 8;
        growing = growing ? bytes < kHigh : bytes < kLow;
        if (live.empty() || dice % 100 < (growing ? 60u : 40u)) {
            Live made{{}, size};
            if (!allocate(made.handle, size))
                continue;
            bytes += size;
            live.push_back(made);
        } else {
            Live &it = live[dice / 100 % live.size()];
            release(it.handle, it.size);
            bytes -= it.size;
            it = live.back();
            live.pop_back();
        }
        look(bytes, i);
    }
}

std::uint64_t committed(weir_matrix *matrix, Fragmentation &result)
{
    weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
    if (weir_matrix_stats(matrix, &info) != 0)
        ++result.failures;
    result.largest_free = info.largest_free_bytes;
    result.free_bytes = info.free_bytes;
    return info.committed_bytes;
}
} // namespace

Fragmentation fragmentation_of_matrix(Sizes sizes, int operations)
{
    struct Handle {
        Block block;
        std::uint32_t mark;
    };
    Weir matrix(kTraceCapacity);
    Fragmentation result;
    std::uint32_t mark = 0;
    play<Handle>(
        sizes, operations,
        [&](Handle &handle, std::uint32_t size) {
            if (!matrix.allocate(size, handle.block))
                return ++result.failures == 0;
            handle.mark = ++mark;
            std::memcpy(handle.block.data, &mark, sizeof mark);
            std::memcpy(static_cast<char *>(handle.block.data) + size - sizeof mark, &mark,
                        sizeof mark);
            return true;
        },
        [&](Handle const &handle, std::uint32_t size) {
            auto const *const bytes = static_cast<char const *>(handle.block.data);
            result.damaged +=
                std::memcmp(bytes, &handle.mark, sizeof mark) != 0 ||
                std::memcmp(bytes + size - sizeof mark, &handle.mark, sizeof mark) != 0;
            matrix.release(handle.block);
        },
        [&](std::uint64_t bytes, int step) {
            result.peak_live = std::max(result.peak_live, bytes);
            if (step % 50000 == 0) // seldom: the statistics look at every block
                result.peak_committed =
                    std::max(result.peak_committed, committed(matrix.handle(), result));
        });
    result.peak_committed = std::max(result.peak_committed, committed(matrix.handle(), result));
    return result;
}

Fragmentation fragmentation_of_good_fit(Sizes sizes, int operations)
{
    GoodFit memory;
    Fragmentation result;
    play<GoodFit::Offset>(
        sizes, operations,
        [&](GoodFit::Offset &offset, std::uint32_t size) {
            offset = memory.allocate(size);
            return true;
        },
        [&](GoodFit::Offset offset, std::uint32_t) { memory.release(offset); },
        [&](std::uint64_t bytes, int) { result.peak_live = std::max(result.peak_live, bytes); });
    result.peak_committed = memory.committed();
    result.largest_free = memory.largest_free();
    result.free_bytes = memory.free_bytes();
    return result;
}

} // namespace bench
