// SPDX-License-Identifier: MIT OR Apache-2.0
// The word of a slot: the truth about it (states in pool.hpp).
//
//   63   60 59      48 47      32 31            0
//   | state | zero    | owner    | generation   |     zeroed memory: FREE, never used
#pragma once

#include "core/segment/slot_word.hpp"

#include <cstdint>

namespace weir {

enum class PoolState : unsigned { free = 0, cached = 1, live = 2 };

struct PoolWord {
    static constexpr uint64_t kGenerationMask = UINT32_MAX;
    static constexpr uint64_t kOwnerMask = uint64_t{0xffff} << 32;

    uint64_t raw;

    static constexpr PoolWord of(PoolState state, Owner owner, uint32_t generation) noexcept
    {
        return {static_cast<uint64_t>(state) << 60 | uint64_t{owner & 0xffff} << 32 | generation};
    }
    constexpr PoolState state() const noexcept { return static_cast<PoolState>(raw >> 60); }
    constexpr Owner owner() const noexcept { return raw >> 32 & 0xffff; }
    constexpr uint32_t generation() const noexcept { return static_cast<uint32_t>(raw); }
    constexpr bool is(PoolState wanted) const noexcept { return state() == wanted; }

    /// The same generation in another state.
    constexpr PoolWord to(PoolState next, Owner by) const noexcept
    {
        return of(next, by, generation());
    }
    /// A user's: the generation goes up. Never 0, so no slot of a user is 0.
    constexpr PoolWord to_live(Owner by) const noexcept
    {
        return of(PoolState::live, by, next_generation(generation()));
    }
    static constexpr uint32_t next_generation(uint32_t generation) noexcept
    {
        return generation + 1 + (generation == UINT32_MAX ? 1 : 0);
    }
};

/// A public slot: generation:32 | index:32. 0 is none.
struct SlotId {
    uint64_t value = 0;

    static constexpr SlotId of(uint32_t generation, uint32_t index) noexcept
    {
        return {uint64_t{generation} << 32 | index};
    }
    constexpr uint32_t index() const noexcept { return static_cast<uint32_t>(value); }
    constexpr uint32_t generation() const noexcept { return static_cast<uint32_t>(value >> 32); }
};

/// A slot in a user's hand. A slot of 0: there is none.
struct Taken {
    SlotId slot;
    void *data = nullptr;
};

} // namespace weir
