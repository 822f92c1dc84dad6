// SPDX-License-Identifier: MIT OR Apache-2.0
// The protocol on the words of a pool's slots, for whoever has its memory (also healers).
#pragma once

#include "core/base/error.hpp"
#include "core/pool/gate.hpp"
#include "core/pool/layout.hpp"
#include "core/pool/pool_word.hpp"

namespace weir {

/// How many of a pool's slots are what, at no moment in particular.
struct SlotCounts {
    uint64_t free = 0, cached = 0, live = 0;
};

/// A process's view of a pool's memory.
class Slots {
  public:
    static constexpr uint64_t kNone = UINT64_MAX;

    void begin(PoolHeader &header, PoolShape const &shape) noexcept;
    /// Writes the constant part of a header, and the first number of extents.
    static void format(PoolHeader &header, PoolShape const &shape, uint32_t flags,
                       uint64_t type_id) noexcept;
    /// Writes the hints of an extent into its zeroed memory: every slot is FREE.
    static void format(std::byte *memory, PoolShape const &shape, unsigned extent) noexcept;
    /// Makes the next extent known. One thread at a time; others may use what is known already.
    void add(std::byte *memory) noexcept;

    PoolHeader &header() const noexcept { return *header_; }
    PoolShape const &shape() const noexcept { return shape_; }
    unsigned extents() const noexcept { return __atomic_load_n(&extents_, __ATOMIC_ACQUIRE); }
    /// Slots that are known here.
    uint64_t capacity() const noexcept
    {
        return __atomic_load_n(&capacity_, __ATOMIC_ACQUIRE); // pairs with add()
    }
    SlotGate gate() const noexcept { return SlotGate(header_->gate); }

    /// `index` is below capacity().
    atomic<uint64_t> &word(uint32_t index) const noexcept
    {
        uintptr_t const base = words_[shape_.extent_of(index)];
        return *reinterpret_cast<atomic<uint64_t> *>(base + uint64_t{index} * sizeof(uint64_t));
    }
    std::byte *data(uint32_t index) const noexcept
    {
        return reinterpret_cast<std::byte *>(data_[shape_.extent_of(index)] +
                                             index * shape_.stride);
    }
    PoolWord load(uint32_t index) const noexcept
    {
        // acquire: pairs with the CAS that made it LIVE; the user's bytes are visible
        return {word(index).load(acquire)};
    }

    /// A FREE slot at or after `from`, going round; kNone: no hint of one. It may be taken already.
    uint64_t find_free(uint64_t from) const noexcept;
    /// FREE -> LIVE(me), or CACHED(me). A word of 0: it was not FREE.
    PoolWord claim(uint32_t index, PoolState as, Owner me) noexcept;
    /// LIVE or CACHED, as it was found -> FREE. False: somebody else changed it.
    bool give_back(uint32_t index, PoolWord found) noexcept;
    /// Whatever is FREE, or CACHED by anybody: by the words alone, all that are known here, from
    /// `from` on and round. A word of 0: each was a user's when it was looked at.
    PoolWord take_any(uint64_t from, Owner me, uint32_t &ret_index) noexcept;

    /// What names `dead` becomes FREE, or with the flag nobody's; what is FREE has its hint.
    void heal(Owner dead) noexcept;
    SlotCounts count() const noexcept;
    /// The slot that begins at an address. EINVAL: none does.
    Result<uint32_t> index_of(void const *data) const noexcept;

  private:
    struct Extent {
        uint64_t begin = 0;
        uint64_t slots = 0;
        BitTree free;
    };

    void drop_free(Extent &extent, uint32_t index) noexcept;
    PoolWord seize(uint32_t index, Owner me) noexcept;
    void heal_slot(Extent &extent, uint32_t index, Owner dead) noexcept;

    PoolHeader *header_ = nullptr;
    PoolShape shape_;
    uint64_t capacity_ = 0;
    unsigned extents_ = 0;
    uintptr_t words_[kMaxExtents] = {}; ///< as if the extent began with index 0
    uintptr_t data_[kMaxExtents] = {};
    Extent extent_[kMaxExtents];
};

} // namespace weir
