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
    deallocate(generations_);
    deallocate(live_);
}

void SinglePool::retire() noexcept
{
    retired_ = true;
    last_is_free_ = 0;
    top_ = 0;
    capacity_ = 0;
}

/// The arrays that all extents share. Nothing has changed if it fails.
Status SinglePool::make_room(uint64_t capacity) noexcept
{
    auto *const stack = longer(stack_, capacity_, capacity);
    auto *const generations = longer(generations_, capacity_, capacity);
    auto *const live = longer(live_, capacity_, capacity);
    if (stack == nullptr || generations == nullptr || live == nullptr) {
        deallocate(stack);
        deallocate(generations);
        deallocate(live);
        return error(ENOMEM);
    }
    deallocate(stack_);
    deallocate(generations_);
    deallocate(live_);
    stack_ = stack;
    generations_ = generations;
    live_ = live;
    return kOk;
}

/// Slots that were never used, for the empty stack: a few at a time, so that making a large pool
/// touches no memory. The lowest ones come first.
void SinglePool::use_more() noexcept
{
    constexpr uint64_t kAtOnce = 64;
    auto const more = static_cast<uint32_t>(smaller(kAtOnce, capacity_ - used_));
    for (uint32_t i = 0; i < more; ++i)
        stack_[top_++] = used_ + more - 1 - i;
    used_ += more;
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
    if (retired_)
        return error(kRetired);
    if (last_is_free_ == 0 && top_ == 0 && used_ == capacity_) {
        if (!growable_ || extents_ == shape_.extents())
            return error(EAGAIN);
        if (Status const done = add_extent(); !done.ok())
            return done;
    }
    if (last_is_free_ == 0 && top_ == 0)
        use_more();
    if (last_is_free_ == 0)
        pop();
    ret = take_last();
    if (zero_)
        std::memset(ret.data, 0, shape_.slot_size);
    return kOk;
}

Status SinglePool::check(SlotId slot) const noexcept
{
    if (retired_)
        return error(kRetired);
    if (slot.value == 0 || slot.index() >= capacity_)
        return error(EINVAL);
    bool const live = generations_[slot.index()] + 1 == slot.generation();
    return live && live_[slot.index()] != 0 ? kOk : error(kStale);
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
    return live_[at] != 0 ? Result<SlotId>(SlotId::of(generations_[at] + 1, at)) : error(kStale);
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

} // namespace weir
