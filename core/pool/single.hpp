// SPDX-License-Identifier: MIT OR Apache-2.0
// A pool for one thread at a time: no atomics, and each call takes the same time.
//
// A set of bits, 64 slots a word, says what is free; a stack holds the words that are not empty, the
// one that became so last on top. A slot's generation goes up when it is acquired. A slot is live if
// its bit is not set.
#pragma once

#include "core/base/base.hpp"
#include "core/base/bits.hpp"
#include "core/base/error.hpp"
#include "core/pool/layout.hpp"
#include "core/pool/pool_word.hpp"

#include <cstring>

namespace weir {

class SinglePool {
  public:
    /// ENOMEM. `shape` is valid.
    Status begin(PoolShape const &shape, bool growable, bool zero, uint64_t type_id) noexcept;
    void end() noexcept;
    /// Every later call is told that it is over.
    void retire() noexcept;

    WEIR_HOT Taken acquire_fast() noexcept
    {
        if (!WEIR_LIKELY(top_ != 0))
            return {};
        uint32_t const chunk = stack_[top_ - 1];
        uint64_t const bits = bits_[chunk];
        uint32_t const index = chunk * 64 + lowest_bit(bits);
        uint64_t const left = bits & (bits - 1);
        bits_[chunk] = left;
        top_ -= left == 0 ? 1 : 0;
        uint32_t const generation = PoolWord::next_generation(generations_[index]);
        generations_[index] = generation;
        std::byte *const data = data_of(index);
        if (!WEIR_LIKELY(!zero_))
            std::memset(data, 0, shape_.slot_size);
        return {SlotId::of(generation, index), data};
    }
    WEIR_HOT bool release_fast(SlotId slot) noexcept
    {
        uint32_t const index = slot.index();
        if (!WEIR_LIKELY(index < capacity_ && generations_[index] == slot.generation()))
            return false;
        uint32_t const chunk = index / 64;
        uint64_t const bits = bits_[chunk];
        uint64_t const with = bits | bit(index % 64);
        if (!WEIR_LIKELY(with != bits))
            return false;
        bits_[chunk] = with;
        if (!WEIR_LIKELY(bits != 0))
            stack_[top_++] = chunk;
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
    uint64_t live() const noexcept;
    unsigned extents() const noexcept { return extents_; }
    uint64_t type_id() const noexcept { return type_id_; }
    bool growable() const noexcept { return growable_; }
    bool zero() const noexcept { return zero_; }

  private:
    bool is_live(uint32_t index) const noexcept
    {
        return (bits_[index / 64] >> index % 64 & 1) == 0;
    }
    std::byte *data_of(uint32_t index) const noexcept
    {
        return reinterpret_cast<std::byte *>(data_[shape_.extent_of(index)] +
                                             index * shape_.stride);
    }
    Status check(SlotId slot) const noexcept;
    Status add_extent() noexcept;
    Status make_room(uint64_t capacity) noexcept;

    uint32_t top_ = 0;
    bool growable_ = false;
    bool zero_ = false;
    bool retired_ = false;
    uint64_t capacity_ = 0;
    uint32_t *stack_ = nullptr; ///< as many entries as there are words of bits
    uint64_t *bits_ = nullptr;
    uint32_t *generations_ = nullptr;
    PoolShape shape_;
    uintptr_t data_[kMaxExtents] = {}; ///< as if the extent began with index 0
    unsigned extents_ = 0;
    uint64_t type_id_ = 0;
    std::byte *memory_[kMaxExtents] = {}; ///< as it was allocated
};

} // namespace weir
