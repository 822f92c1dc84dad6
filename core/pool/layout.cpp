// SPDX-License-Identifier: MIT OR Apache-2.0
// Where an extent has its parts.
#include "core/pool/layout.hpp"

#include "core/base/bits.hpp"

namespace weir {

bool PoolShape::is_valid() const noexcept
{
    uint64_t const span = uint64_t{1} << shift;
    bool const may_grow = first != most;
    return slot_size <= kMostSlotSize && is_power_of_two(alignment) && alignment <= kPage &&
           stride == round_up(slot_size, alignment) && first >= 1 && first <= most &&
           most <= kMostSlots && most <= kMostBytes / larger<uint64_t>(stride, 1) &&
           shift >= kMinPoolShift && shift <= kMaxPoolShift && first <= span &&
           (!may_grow || first == span);
}

ExtentPlan ExtentPlan::of(PoolShape const &shape, unsigned extent) noexcept
{
    uint64_t const slots = shape.slots_of(extent);
    ExtentPlan plan;
    plan.tree = BitTreePlan::of(slots);
    uint64_t at = extent == 0 ? sizeof(PoolHeader) : 0;
    auto const place = [&at](uint64_t words) {
        uint64_t const here = at;
        at = round_up(at + words * sizeof(uint64_t), kCacheLine);
        return here;
    };
    plan.words = place(slots);
    plan.map = place(BitTree::kMapWords);
    for (unsigned i = 0; i < plan.tree.levels; ++i)
        plan.level[i] = place(plan.tree.words[i]);
    plan.data = round_up(at, shape.memory_alignment());
    plan.total = plan.data + slots * shape.stride;
    return plan;
}

} // namespace weir
