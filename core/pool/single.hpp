// SPDX-License-Identifier: MIT OR Apache-2.0
// A pool for one thread at a time: no atomics, and each call takes the same time.
//
// A stack of indexes holds what is free, the slot that was released last on top; slots that were
// never used come after them. A slot's generation goes up when it is acquired.
//
// The last slot that was acquired stays beside the stack (last_): if it is released first, a flag
// says so. Then nothing that an acquire hands out was written by the release before it, and the
// processor need not wait for what it forwards from one to the other.
#pragma once

#include "core/base/base.hpp"
#include "core/base/bits.hpp"
#include "core/base/error.hpp"
#include "core/pool/layout.hpp"
#include "core/pool/pool_word.hpp"

namespace weir {

class SinglePool {
  public:
    /// ENOMEM. `shape` is valid.
    Status begin(PoolShape const &shape, bool growable, bool zero, uint64_t type_id) noexcept;
    void end() noexcept;
    /// Every later call is told that it is over.
    void retire() noexcept;

    /// A slot of 0: acquire() has to look properly.
    WEIR_HOT Taken acquire_fast() noexcept
    {
        if (!WEIR_LIKELY(last_is_free_ != 0)) {
            if (!WEIR_LIKELY(top_ != 0))
                return {};
            pop();
        }
        return take_last();
    }
    /// False: release() has to say why not.
    WEIR_HOT bool release_fast(SlotId slot) noexcept
    {
        uint32_t const index = slot.index();
        if (!WEIR_LIKELY(index < capacity_ && generations_[index] + 1 == slot.generation() &&
                         live_[index] != 0))
            return false;
        live_[index] = 0;
        if (WEIR_LIKELY(index == last_))
            last_is_free_ = 1;
        else
            stack_[top_++] = index;
        return true;
    }
    /// EAGAIN, ENOMEM, kRetired.
    Status acquire(Taken &ret) noexcept;
    /// EINVAL, kStale, kRetired.
    Status release(SlotId slot) noexcept;
    Result<SlotId> slot_at(uint64_t index) const noexcept;
    Result<uint32_t> index_of(void const *data) const noexcept;
    Result<void *> data(SlotId slot) const noexcept;
    Status grow(uint64_t slots) noexcept;

    bool is_retired() const noexcept { return retired_; }
    PoolShape const &shape() const noexcept { return shape_; }
    uint64_t capacity() const noexcept { return capacity_; }
    uint64_t live() const noexcept { return used_ - top_ - last_is_free_; }
    unsigned extents() const noexcept { return extents_; }
    uint64_t type_id() const noexcept { return type_id_; }
    bool growable() const noexcept { return growable_; }
    bool zero() const noexcept { return zero_; }

  private:
    /// The stack is not empty, and the last slot is somebody's.
    WEIR_HOT void pop() noexcept
    {
        last_ = stack_[--top_];
        last_data_ = data_of(last_);
    }
    /// The last slot is free.
    WEIR_HOT Taken take_last() noexcept
    {
        uint32_t const index = last_;
        uint32_t const generation = generations_[index] + 2; // even, so that a slot's is never 0
        generations_[index] = generation;
        live_[index] = 1;
        last_is_free_ = 0;
        return {SlotId::of(generation + 1, index), last_data_};
    }
    std::byte *data_of(uint32_t index) const noexcept
    {
        return reinterpret_cast<std::byte *>(data_[shape_.extent_of(index)] +
                                             index * shape_.stride);
    }
    Status check(SlotId slot) const noexcept;
    Status add_extent() noexcept;
    Status make_room(uint64_t capacity) noexcept;
    void use_more() noexcept;

    uint32_t last_is_free_ = 0; ///< 1 or 0
    uint32_t last_ = UINT32_MAX;
    std::byte *last_data_ = nullptr;
    uint64_t capacity_ = 0;
    uint32_t *generations_ = nullptr; ///< those of the slots, less 1
    uint8_t *live_ = nullptr;         ///< 1 while somebody has the slot
    uint32_t *stack_ = nullptr;
    uint32_t top_ = 0;  ///< entries of the stack
    uint32_t used_ = 0; ///< slots that were on the stack at some time: those below
    PoolShape shape_;
    uintptr_t data_[kMaxExtents] = {}; ///< as if the extent began with index 0
    unsigned extents_ = 0;
    bool growable_ = false;
    bool zero_ = false;
    bool retired_ = false;
    uint64_t type_id_ = 0;
    std::byte *memory_[kMaxExtents] = {}; ///< as it was allocated
};

} // namespace weir
