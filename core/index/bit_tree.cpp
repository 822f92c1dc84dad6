// SPDX-License-Identifier: MIT OR Apache-2.0
// The tree of words: how bits go up and down without being lost.
#include "core/index/bit_tree.hpp"

#include "core/base/assertion.hpp"
#include "core/base/bits.hpp"

namespace weir {

BitTreePlan BitTreePlan::of(uint64_t members) noexcept
{
    BitTreePlan plan;
    plan.members = members;
    uint64_t width = members;
    do {
        WEIR_ASSERT(plan.levels < kMaxLevels);
        width = div_up(width, kRadix);
        plan.words[plan.levels++] = width;
    } while (width > 1);
    return plan;
}

void BitTree::init(BitTreePlan const &plan, unsigned columns, atomic<uint64_t> *const *level,
                   atomic<uint64_t> *map) noexcept
{
    WEIR_ASSERT(columns >= 1 && columns <= kMaxColumns);
    plan_ = plan;
    columns_ = columns;
    for (unsigned i = 0; i < plan.levels; ++i)
        level_[i] = level[i];
    map_ = map;
}

void BitTree::clear_from(unsigned level, unsigned column, uint64_t index) noexcept
{
    atomic<uint64_t> &at = word(level, column, index);
    // [C] from here on all seq_cst: this clear, the one above, then the look back
    uint64_t const others = at.fetch_and(~mask_of(index), seq_cst) & ~mask_of(index);
    if (others != 0)
        return;

    uint64_t const above = index >> kRadixShift;
    if (level + 1 < plan_.levels)
        clear_from(level + 1, column, above);
    else
        map_[column / 64].fetch_and(~bit(column % 64), seq_cst);

    if (at.load(seq_cst) != 0) // [C] pairs with [S]: somebody set a bit below meanwhile
        ensure(level + 1, column, above);
}

bool BitTree::test(unsigned column, uint64_t member) const noexcept
{
    return (word(0, column, member).load(seq_cst) & mask_of(member)) != 0;
}

bool BitTree::reachable(unsigned column, uint64_t member) const noexcept
{
    // seq_cst: for checks, the strongest view there is
    uint64_t index = member;
    for (unsigned level = 0; level < plan_.levels; ++level, index >>= kRadixShift)
        if ((word(level, column, index).load(seq_cst) & mask_of(index)) == 0)
            return false;
    return (map_[column / 64].load(seq_cst) & bit(column % 64)) != 0;
}

} // namespace weir
