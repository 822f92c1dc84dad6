// SPDX-License-Identifier: MIT OR Apache-2.0
// Pairs of allocation and release by size: one size, a mix, large blocks whose every page is used.
#pragma once

#include "workloads.hpp"

#include <vector>

namespace bench {

inline std::uint64_t volatile *word_at(Block const &block, std::size_t offset)
{
    return reinterpret_cast<std::uint64_t volatile *>(static_cast<char *>(block.data) + offset);
}

/// Writes a word at the block's begin, at its end, and each `step` bytes (0: nowhere else), and
/// reads them back. `size` is at least 16 bytes, a multiple of 8.
inline bool use(Block const &block, std::size_t size, std::size_t step, std::uint64_t value)
{
    for (std::size_t at = 0; step != 0 && at < size; at += step)
        *word_at(block, at) = value + at;
    *word_at(block, 0) = value;
    *word_at(block, size - 8) = ~value;
    bool right = *word_at(block, 0) == value && *word_at(block, size - 8) == ~value;
    for (std::size_t at = step; step != 0 && at + 8 < size; at += step)
        right = right && *word_at(block, at) == value + at;
    return right;
}

/// `size_of(random)` is the size of each block. In one thread; a twentieth is done before, so that
/// the first touch of the memory is not measured.
template <class Allocator, class SizeOf>
Outcome sized_pairs(Allocator &allocator, int total, std::size_t step, SizeOf size_of)
{
    auto const work = [&](int operations, Counts &counts) {
        Random random{7};
        for (int i = 0; i < operations; ++i) {
            std::size_t const size = size_of(random);
            Block block;
            if (!allocator.allocate(size, block)) {
                ++counts.failures;
                continue;
            }
            counts.damaged += !use(block, size, step, std::uint64_t(i) * 2654435761u);
            allocator.release(block);
            ++counts.operations;
        }
    };
    return in_threads(1, [&](int, Counts &counts) {
        Counts first;
        work(total / 20 + 1, first);
        counts.begin();
        work(total, counts);
    });
}

template <class Allocator> Outcome pairs_of(Allocator &allocator, int total, std::size_t size)
{
    return sized_pairs(allocator, total, 0, [=](Random &) { return size; });
}

/// 16 to 4096 bytes, evenly.
template <class Allocator> Outcome mixed_pairs(Allocator &allocator, int total)
{
    return sized_pairs(allocator, total, 0, [](Random &random) { return 16 + random() % 511 * 8; });
}

inline constexpr std::size_t kPage = 4096;
inline constexpr std::size_t kMiB = std::size_t{1} << 20;

/// 1 to 16 MiB, evenly, in steps of pages; every page is written.
template <class Allocator> Outcome large_pairs(Allocator &allocator, int total)
{
    return sized_pairs(allocator, total, kPage, [](Random &random) {
        return kMiB + kPage + (random() >> 8) % (15 * kMiB / kPage) * kPage;
    });
}

} // namespace bench
