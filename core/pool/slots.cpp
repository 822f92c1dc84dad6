// SPDX-License-Identifier: MIT OR Apache-2.0
// The protocol on the words of a pool's slots (states and invariants in pool.hpp).
#include "core/pool/slots.hpp"

#include "core/base/assertion.hpp"

namespace weir {
namespace {
/// How often somebody else may change a slot under us before we go on to the next one.
constexpr int kSeizeTries = 16;
} // namespace

// ---- memory

void Slots::begin(PoolHeader &header, PoolShape const &shape) noexcept
{
    header_ = &header;
    shape_ = shape;
}

void Slots::format(PoolHeader &header, PoolShape const &shape, uint32_t flags,
                   uint64_t type_id) noexcept
{
    header.magic = kPoolMagic;
    header.version = kPoolVersion;
    header.flags = flags;
    header.type_id = type_id;
    header.slot_size = shape.slot_size;
    header.stride = shape.stride;
    header.alignment = shape.alignment;
    header.first = shape.first;
    header.most = shape.most;
    header.extents.store(1, relaxed); // nobody else has it
}

void Slots::format(std::byte *memory, PoolShape const &shape, unsigned extent) noexcept
{
    ExtentPlan const plan = ExtentPlan::of(shape, extent);
    uint64_t members = shape.slots_of(extent);
    for (unsigned level = 0; level < plan.tree.levels; ++level) {
        auto *const words = reinterpret_cast<atomic<uint64_t> *>(memory + plan.level[level]);
        for (uint64_t i = 0; i < plan.tree.words[level]; ++i) {
            uint64_t const here = smaller<uint64_t>(members - i * kRadix, kRadix);
            words[i].store(UINT64_MAX >> (64 - here), relaxed); // nobody else has it
        }
        members = plan.tree.words[level];
    }
    reinterpret_cast<atomic<uint64_t> *>(memory + plan.map)->store(1, relaxed); // as above
}

void Slots::add(std::byte *memory) noexcept
{
    unsigned const number = extents_;
    WEIR_ASSERT(number < kMaxExtents);
    ExtentPlan const plan = ExtentPlan::of(shape_, number);
    Extent &extent = extent_[number];
    extent.begin = shape_.begin_of(number);
    extent.slots = shape_.slots_of(number);
    atomic<uint64_t> *level[BitTreePlan::kMaxLevels] = {};
    for (unsigned i = 0; i < plan.tree.levels; ++i)
        level[i] = reinterpret_cast<atomic<uint64_t> *>(memory + plan.level[i]);
    extent.free.init(plan.tree, 1, level, reinterpret_cast<atomic<uint64_t> *>(memory + plan.map));
    words_[number] =
        reinterpret_cast<uintptr_t>(memory + plan.words) - extent.begin * sizeof(uint64_t);
    data_[number] = reinterpret_cast<uintptr_t>(memory + plan.data) - extent.begin * shape_.stride;
    // In this order: who finds all extents known, or a slot in the new one, must find it below the
    // capacity, though we may be stopped in between.
    __atomic_store_n(&capacity_, shape_.end_of(number), __ATOMIC_RELEASE); // pairs with capacity()
    __atomic_store_n(&extents_, number + 1, __ATOMIC_RELEASE);             // and extents()
}

Result<uint32_t> Slots::index_of(void const *data) const noexcept
{
    auto const address = reinterpret_cast<uintptr_t>(data);
    for (unsigned i = 0; i < extents() && shape_.stride != 0; ++i) {
        uintptr_t const first = data_[i] + extent_[i].begin * shape_.stride;
        uint64_t const offset = address - first;
        if (address < first || offset / shape_.stride >= extent_[i].slots)
            continue;
        if (offset % shape_.stride != 0)
            return error(EINVAL);
        return static_cast<uint32_t>(extent_[i].begin + offset / shape_.stride);
    }
    return error(EINVAL);
}

// ---- taking and giving back

uint64_t Slots::find_free(uint64_t from) const noexcept
{
    unsigned const known = extents();
    unsigned const wanted =
        from < capacity() ? shape_.extent_of(static_cast<uint32_t>(from)) : known;
    bool const is_there = wanted < known; // the capacity may be newer
    unsigned const first = is_there ? wanted : 0;
    for (unsigned i = 0; i <= known; ++i) { // the first one twice: from its start in the end
        Extent const &extent = extent_[(first + i) % known];
        uint64_t const inside = i == 0 && is_there ? from - extent.begin : 0;
        uint64_t const found = extent.free.find(0, inside);
        if (found != BitTree::kNone)
            return extent.begin + found;
    }
    return kNone;
}

/// Rule 3 of the index: who clears a hint because the slot is not FREE looks again.
void Slots::drop_free(Extent &extent, uint32_t index) noexcept
{
    extent.free.clear(0, index - extent.begin);
    // [F] seq_cst: after the clear; pairs with give_back()
    if (PoolWord{word(index).load(seq_cst)}.is(PoolState::free))
        extent.free.set(0, index - extent.begin);
}

PoolWord Slots::claim(uint32_t index, PoolState as, Owner me) noexcept
{
    Extent &extent = extent_[shape_.extent_of(index)];
    PoolWord found{word(index).load(relaxed)}; // the CAS orders
    if (found.is(PoolState::free)) {
        PoolWord const mine = as == PoolState::live ? found.to_live(me) : found.to(as, me);
        // acq_rel: what the last user wrote is visible to the next one
        if (!word(index).compare_exchange(found.raw, mine.raw, acq_rel, relaxed))
            return {0};
        drop_free(extent, index);
        return mine;
    }
    drop_free(extent, index);
    return {0};
}

bool Slots::give_back(uint32_t index, PoolWord found) noexcept
{
    PoolWord const free = found.to(PoolState::free, kNobody);
    // seq_cst: before the hint [F], and before the look for who waits (gate.hpp)
    if (!word(index).compare_exchange(found.raw, free.raw, seq_cst, relaxed))
        return false;
    Extent &extent = extent_[shape_.extent_of(index)];
    extent.free.set(0, index - extent.begin);
    return true;
}

/// A word of 0: it is a user's.
PoolWord Slots::seize(uint32_t index, Owner me) noexcept
{
    for (int i = 0; i < kSeizeTries; ++i) {
        // [A] seq_cst: after the bit in the gate; pairs with give_back() and Pool::keep()
        PoolWord found{word(index).load(seq_cst)};
        if (!found.is(PoolState::free) && !found.is(PoolState::cached))
            return {0};
        PoolWord const mine = found.to_live(me);
        if (!word(index).compare_exchange(found.raw, mine.raw, acq_rel, relaxed)) // as claim()
            continue;
        if (found.is(PoolState::free))
            drop_free(extent_[shape_.extent_of(index)], index);
        return mine;
    }
    return {0}; // who has it now got it while we looked
}

PoolWord Slots::take_any(uint64_t from, Owner me, uint32_t &ret_index) noexcept
{
    uint64_t const slots = capacity();
    uint64_t at = from < slots ? from : 0;
    for (uint64_t i = 0; i < slots; ++i, at = at + 1 < slots ? at + 1 : 0) {
        ret_index = static_cast<uint32_t>(at);
        if (PoolWord const got = seize(ret_index, me); got.raw != 0)
            return got;
    }
    return {0};
}

// ---- healing and looking

void Slots::heal(Owner dead) noexcept
{
    for (unsigned i = 0; i < extents(); ++i)
        for (uint64_t k = 0; k < extent_[i].slots; ++k)
            heal_slot(extent_[i], static_cast<uint32_t>(extent_[i].begin + k), dead);
}

/// Only the reaper of `dead` is here (S2).
void Slots::heal_slot(Extent &extent, uint32_t index, Owner dead) noexcept
{
    bool const keeps = (header_->flags & kPoolKeep) != 0;
    PoolWord found{word(index).load(seq_cst)};
    bool const his = !found.is(PoolState::free) && found.owner() == dead;
    if (his && found.is(PoolState::live) && keeps) {
        // acq_rel: as claim(). A failure: somebody released it.
        word(index).compare_exchange(found.raw, found.to(PoolState::live, kNobody).raw, acq_rel,
                                     relaxed);
        return;
    }
    if (his && give_back(index, found))
        return;
    // Who published it, or dropped its hint, may have died before the next step.
    if (found.is(PoolState::free))
        extent.free.set(0, index - extent.begin);
}

SlotCounts Slots::count() const noexcept
{
    SlotCounts counts;
    uint64_t const slots = capacity();
    for (uint64_t i = 0; i < slots; ++i) {
        PoolWord const found{word(static_cast<uint32_t>(i)).load(relaxed)}; // for people
        counts.free += found.is(PoolState::free) ? 1 : 0;
        counts.cached += found.is(PoolState::cached) ? 1 : 0;
        counts.live += found.is(PoolState::live) ? 1 : 0;
    }
    return counts;
}

} // namespace weir
