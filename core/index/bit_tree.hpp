// SPDX-License-Identifier: MIT OR Apache-2.0
// The tree of words (see index.hpp): set, clear, find, and the map of columns.
#pragma once

#include "core/base/atomic.hpp"
#include "core/base/base.hpp"
#include "core/base/bits.hpp"
#include "core/index/radix.hpp"

#include <cstdint>

namespace weir {

/// The shape of a tree for a number of members.
struct BitTreePlan {
    static constexpr unsigned kMaxLevels = 8;

    uint64_t members = 0;
    unsigned levels = 0;
    uint64_t words[kMaxLevels] = {}; ///< words of one column, by level

    static BitTreePlan of(uint64_t members) noexcept;
};

/// A process's view of a tree in shared (or private) memory. The view itself is immutable after
/// init(), so all threads may use it.
class BitTree {
  public:
    static constexpr uint64_t kNone = UINT64_MAX;
    static constexpr unsigned kMapWords = 4;
    static constexpr unsigned kMaxColumns = kMapWords * 64;

    /// `level[n]` has plan.words[n] * columns words; the words of one position lie side by side.
    void init(BitTreePlan const &plan, unsigned columns, atomic<uint64_t> *const *level,
              atomic<uint64_t> *map) noexcept;

    /// Rule 1. Every load and store is seq_cst: [S] a lower bit is set, then the upper word is
    /// loaded; [C] in clear() the upper bit is cleared, then the lower word is loaded. At least
    /// one of two who do this at the same time sees the other.
    void set(unsigned column, uint64_t member) noexcept { ensure(0, column, member); }

    /// The same for members of one word, the first of which is `first`, by a bit each.
    void set_group(unsigned column, uint64_t first, uint64_t members) noexcept
    {
        ensure_bits(word(0, column, first), members);
        ensure(1, column, first >> kRadixShift);
    }

    /// Rule 2.
    void clear(unsigned column, uint64_t member) noexcept { clear_from(0, column, member); }

    bool test(unsigned column, uint64_t member) const noexcept;

    /// Whether a search from the map down would come to this member.
    bool reachable(unsigned column, uint64_t member) const noexcept;

    /// The first member at or after `from`, or kNone.
    uint64_t find(unsigned column, uint64_t from) const noexcept;

    /// The first column at or after `from` that is probably not empty; columns() if none is.
    unsigned find_column(unsigned from) const noexcept;

    unsigned columns() const noexcept { return columns_; }
    uint64_t members() const noexcept { return plan_.members; }

  private:
    atomic<uint64_t> &word(unsigned level, unsigned column, uint64_t index) const noexcept
    {
        return level_[level][(index >> kRadixShift) * columns_ + column];
    }
    static uint64_t mask_of(uint64_t index) noexcept { return uint64_t{1} << (index & kRadixMask); }

    static void ensure_bits(atomic<uint64_t> &at, uint64_t mask) noexcept
    {
        // [S] pairs with [C]. The load comes first because bits are mostly there already.
        if (!WEIR_LIKELY((at.load(seq_cst) & mask) == mask))
            at.fetch_or(mask, seq_cst);
    }
    void ensure(unsigned level, unsigned column, uint64_t index) noexcept;
    void clear_from(unsigned level, unsigned column, uint64_t index) noexcept;

    BitTreePlan plan_;
    unsigned columns_ = 0;
    atomic<uint64_t> *level_[BitTreePlan::kMaxLevels] = {};
    atomic<uint64_t> *map_ = nullptr;
};

// Inline: each allocation and each free passes here.

inline void BitTree::ensure(unsigned level, unsigned column, uint64_t index) noexcept
{
    unsigned const levels = plan_.levels; // once: the compiler must assume that stores change it
    for (; level < levels; ++level, index >>= kRadixShift)
        ensure_bits(word(level, column, index), mask_of(index));
    ensure_bits(map_[column / 64], bit(column % 64)); // the map is one more level
}

inline uint64_t BitTree::find(unsigned column, uint64_t from) const noexcept
{
    unsigned level = 0;
    uint64_t index = from;
    // Ends: each turn moves on to a later member or up a level.
    for (;;) {
        if ((index >> kRadixShift) >= plan_.words[level])
            return kNone;
        // relaxed: a hint; who misses it looks again in the exhaustive search
        uint64_t const bits = word(level, column, index).load(relaxed) & ~(mask_of(index) - 1);
        if (!WEIR_LIKELY(bits != 0)) {
            if (++level == plan_.levels)
                return kNone;
            index = (index >> kRadixShift) + 1;
            continue;
        }
        index = (index & ~uint64_t{kRadixMask}) + lowest_bit(bits);
        if (WEIR_LIKELY(level == 0))
            return index < plan_.members ? index : kNone;
        --level;
        index <<= kRadixShift;
    }
}

inline unsigned BitTree::find_column(unsigned from) const noexcept
{
    unsigned const columns = columns_;
    for (unsigned at = from; at < columns; at = (at | 63) + 1) {
        // relaxed: a hint, as in find()
        uint64_t const bits = map_[at / 64].load(relaxed) >> at % 64;
        if (WEIR_LIKELY(bits != 0))
            return smaller(at + lowest_bit(bits), columns);
    }
    return columns;
}

} // namespace weir
