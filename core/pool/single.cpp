// SPDX-License-Identifier: MIT OR Apache-2.0
// What a pool for one thread does besides the usual.
#include "core/pool/single.hpp"

#include "core/base/alloc.hpp"

#include <cstring>

namespace weir {
namespace {
/// A longer array in place of one of `from` elements; the rest is 0.
template <class T> T *longer(T const *old, uint64_t from, uint64_t to) noexcept
{
    auto *const made = static_cast<T *>(allocate_untouched(to * sizeof(T)));
    if (made != nullptr && from != 0)
        std::memcpy(made, old, from * sizeof(T));
    return made;
}
} // namespace

Status SinglePool::begin(PoolShape const &shape, bool growable, bool zero,
                         uint64_t type_id) noexcept
{
    shape_ = shape;
    growable_ = growable;
    zero_ = zero;
    type_id_ = type_id;
    return add_extent();
}

void SinglePool::end() noexcept
{
    for (std::byte *memory : memory_)
        deallocate(memory);
    deallocate(stack_);
    deallocate(bits_);
    deallocate(generations_);
}

void SinglePool::retire() noexcept
{
    retired_ = true;
    top_ = 0;
    capacity_ = 0;
}

/// The arrays that all extents share. Nothing has changed if it fails.
Status SinglePool::make_room(uint64_t capacity) noexcept
{
    uint64_t const had = div_up(capacity_, 64), chunks = div_up(capacity, 64);
    auto *const stack = longer(stack_, had, chunks);
    auto *const bits = longer(bits_, had, chunks);
    auto *const generations = longer(generations_, capacity_, capacity);
    if (stack == nullptr || bits == nullptr || generations == nullptr) {
        deallocate(stack);
        deallocate(bits);
        deallocate(generations);
        return error(ENOMEM);
    }
    deallocate(stack_);
    deallocate(bits_);
    deallocate(generations_);
    stack_ = stack;
    bits_ = bits;
    generations_ = generations;
    return kOk;
}

Status SinglePool::add_extent() noexcept
{
    uint64_t const begin = shape_.begin_of(extents_), end = shape_.end_of(extents_);
    uint64_t const alignment = shape_.memory_alignment();
    auto *const memory =
        static_cast<std::byte *>(allocate_untouched((end - begin) * shape_.stride + alignment));
    if (memory == nullptr)
        return error(ENOMEM);
    if (Status const done = make_room(end); !done.ok()) {
        deallocate(memory);
        return done;
    }
    memory_[extents_] = memory;
    data_[extents_] =
        round_up(reinterpret_cast<uintptr_t>(memory), alignment) - begin * shape_.stride;
    for (uint64_t at = end; at-- > begin;) { // so that the lowest ones come first
        uint64_t &bits = bits_[at / 64];
        if (bits == 0)
            stack_[top_++] = static_cast<uint32_t>(at / 64);
        bits |= bit(at % 64);
    }
    ++extents_;
    capacity_ = end;
    return kOk;
}

Status SinglePool::grow(uint64_t slots) noexcept
{
    if (retired_)
        return error(kRetired);
    if (!growable_)
        return error(EOPNOTSUPP);
    if (slots > shape_.most - capacity_)
        return error(ENOSPC);
    uint64_t const wanted = capacity_ + slots;
    while (capacity_ < wanted)
        if (Status const done = add_extent(); !done.ok())
            return done;
    return kOk;
}

Status SinglePool::acquire(Taken &ret) noexcept
{
    ret = acquire_fast();
    if (WEIR_LIKELY(ret.slot.value != 0))
        return kOk;
    if (retired_)
        return error(kRetired);
    if (!growable_ || extents_ == shape_.extents())
        return error(EAGAIN);
    if (Status const done = add_extent(); !done.ok())
        return done;
    ret = acquire_fast();
    return kOk;
}

Status SinglePool::check(SlotId slot) const noexcept
{
    if (retired_)
        return error(kRetired);
    if (slot.value == 0 || slot.index() >= capacity_)
        return error(EINVAL);
    bool const live = generations_[slot.index()] == slot.generation() && is_live(slot.index());
    return live && slot.generation() != 0 ? kOk : error(kStale);
}

Status SinglePool::release(SlotId slot) noexcept { return release_fast(slot) ? kOk : check(slot); }

Result<void *> SinglePool::data(SlotId slot) const noexcept
{
    if (Status const done = check(slot); !done.ok())
        return done;
    return static_cast<void *>(data_of(slot.index()));
}

Result<SlotId> SinglePool::slot_at(uint64_t index) const noexcept
{
    if (retired_)
        return error(kRetired);
    if (index >= capacity_)
        return error(EINVAL);
    auto const at = static_cast<uint32_t>(index);
    return is_live(at) ? Result<SlotId>(SlotId::of(generations_[at], at)) : error(kStale);
}

Result<uint32_t> SinglePool::index_of(void const *data) const noexcept
{
    auto const address = reinterpret_cast<uintptr_t>(data);
    for (unsigned i = 0; i < extents_ && shape_.stride != 0; ++i) {
        uintptr_t const first = data_[i] + shape_.begin_of(i) * shape_.stride;
        uint64_t const offset = address - first;
        if (address < first || offset / shape_.stride >= shape_.slots_of(i))
            continue;
        if (offset % shape_.stride != 0)
            return error(EINVAL);
        return static_cast<uint32_t>(shape_.begin_of(i) + offset / shape_.stride);
    }
    return error(EINVAL);
}

uint64_t SinglePool::live() const noexcept
{
    uint64_t free = 0;
    for (uint64_t i = 0; i < div_up(capacity_, 64); ++i)
        free += static_cast<uint64_t>(__builtin_popcountll(bits_[i]));
    return capacity_ - free;
}

} // namespace weir
