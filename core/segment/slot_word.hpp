// SPDX-License-Identifier: MIT OR Apache-2.0
// The word that says who has a participant slot, and who heals it.
//
//   63     60 59          40 39           24 23         4 3     0
//   | state  | generation   | reaper owner  | reaper gen  | zero |
#pragma once

#include <cstdint>

namespace weir {

/// Slot number + 1; 0 is nobody.
using Owner = uint32_t;
inline constexpr Owner kNobody = 0;
inline constexpr Owner kAnybody = UINT32_MAX; ///< of a question: whosever it is
inline constexpr uint32_t kMaxParticipants = 1023;

enum class SlotState : unsigned { free = 0, live = 1, reaping = 2 };

struct SlotWord {
    static constexpr uint32_t kGenerationMask = (1u << 20) - 1;

    uint64_t raw;

    static constexpr SlotWord of(SlotState state, uint32_t generation, Owner reaper = kNobody,
                                 uint32_t reaper_generation = 0) noexcept
    {
        return {static_cast<uint64_t>(state) << 60 |
                static_cast<uint64_t>(generation & kGenerationMask) << 40 |
                static_cast<uint64_t>(reaper & 0xffff) << 24 |
                static_cast<uint64_t>(reaper_generation & kGenerationMask) << 4};
    }
    constexpr SlotState state() const noexcept { return static_cast<SlotState>(raw >> 60); }
    constexpr uint32_t generation() const noexcept { return raw >> 40 & kGenerationMask; }
    constexpr Owner reaper() const noexcept { return raw >> 24 & 0xffff; }
    constexpr uint32_t reaper_generation() const noexcept { return raw >> 4 & kGenerationMask; }
    constexpr bool operator==(SlotWord other) const noexcept { return raw == other.raw; }
};

/// What users see: tells two holders of one slot apart.
constexpr uint64_t participant_id(Owner owner, uint32_t generation) noexcept
{
    return static_cast<uint64_t>(generation & SlotWord::kGenerationMask) << 16 | owner;
}
constexpr Owner owner_of_id(uint64_t id) noexcept { return id & 0xffff; }
constexpr uint32_t generation_of_id(uint64_t id) noexcept
{
    return static_cast<uint32_t>(id >> 16);
}

} // namespace weir
