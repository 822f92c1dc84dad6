// SPDX-License-Identifier: MIT OR Apache-2.0
// The word of a granule: the truth about the block that begins there.
//
//   63  60 59   52 51    42 41         28 27        0
//   | kind | user  | owner  | generation | granules |
#pragma once

#include "core/base/bits.hpp"
#include "core/segment/slot_word.hpp"

#include <cstdint>

namespace weir {

/// A position within a sector, and a length, in granules.
using Granule = uint32_t;
using Granules = uint32_t;

enum class Kind : unsigned {
    interior = 0,  ///< not a head; a page of zeros is valid
    tail = 1,      ///< last granule of a block of at least 2: its size, for the right neighbour
    free = 2,      ///< head: anybody may claim it
    claimed = 3,   ///< head: the owner alone may change, split or merge it
    allocated = 4, ///< head: a user's block
    cached = 5,    ///< head: in a lane's magazine or in the exchange; anybody may claim it
    resizing = 6,  ///< head: a user's block whose size its owner is changing
    trimmed = 7,   ///< head: free, but without memory: whole units; merges with nobody (trim.cpp)
};

/// User's byte of a CLAIMED word: the run may lack memory.
inline constexpr uint8_t kWithoutMemory = 1;

struct BlockWord {
    static constexpr unsigned kGranulesBits = 28;
    static constexpr unsigned kGenerationBits = 14;
    static constexpr unsigned kOwnerBits = 10;
    static constexpr unsigned kUserBits = 8;
    static constexpr uint32_t kGranulesMask = (1u << kGranulesBits) - 1;
    static constexpr uint32_t kGenerationMask = (1u << kGenerationBits) - 1;
    static constexpr uint32_t kOwnerMask = (1u << kOwnerBits) - 1;
    static constexpr unsigned kUserShift = 52;
    static constexpr uint64_t kGenerationBitsMask = uint64_t{kGenerationMask} << kGranulesBits;

    static constexpr uint64_t kAllocatedBits = static_cast<uint64_t>(Kind::allocated) << 60;
    /// Kind and generation. What is compared with it may have more than 14 bits of generation:
    /// then it is equal to none.
    static constexpr uint64_t kIdentityMask = uint64_t{15} << 60 | kGenerationBitsMask;

    uint64_t raw;

    static constexpr BlockWord of(Kind kind, uint8_t user, Owner owner, uint32_t generation,
                                  Granules granules) noexcept
    {
        return {static_cast<uint64_t>(kind) << 60 | static_cast<uint64_t>(user) << 52 |
                static_cast<uint64_t>(owner & kOwnerMask) << 42 |
                static_cast<uint64_t>(generation & kGenerationMask) << 28 |
                (granules & kGranulesMask)};
    }

    constexpr Kind kind() const noexcept { return static_cast<Kind>(raw >> 60); }
    constexpr uint8_t user() const noexcept { return raw >> 52 & 0xff; }
    constexpr Owner owner() const noexcept { return raw >> 42 & kOwnerMask; }
    constexpr uint32_t generation() const noexcept { return raw >> 28 & kGenerationMask; }
    constexpr Granules granules() const noexcept { return raw & kGranulesMask; }
    constexpr bool is(Kind wanted) const noexcept { return kind() == wanted; }
    constexpr bool is_head() const noexcept
    {
        return kind() >= Kind::free && kind() <= Kind::trimmed;
    }
    constexpr bool is_users() const noexcept
    {
        return kind() == Kind::allocated || kind() == Kind::resizing;
    }
    constexpr bool is_claimed_without_memory() const noexcept
    {
        return is(Kind::claimed) && user() == kWithoutMemory;
    }
    constexpr bool operator==(BlockWord other) const noexcept { return raw == other.raw; }

    // The next word of the same granule. The generation belongs to the granule and is kept; it
    // goes up when a user's block begins.
    constexpr BlockWord as_interior() const noexcept { return with(Kind::interior, 0, 0, 0); }
    constexpr BlockWord as_tail(Granules size) const noexcept
    {
        return with(Kind::tail, 0, 0, size);
    }
    constexpr BlockWord as_free(Granules size) const noexcept
    {
        return with(Kind::free, 0, 0, size);
    }
    constexpr BlockWord as_trimmed(Granules size) const noexcept
    {
        return with(Kind::trimmed, 0, 0, size);
    }
    constexpr BlockWord as_claimed_without_memory(Owner by, Granules size) const noexcept
    {
        return with(Kind::claimed, kWithoutMemory, by, size);
    }
    constexpr BlockWord as_claimed(Owner by, Granules size) const noexcept
    {
        return with(Kind::claimed, 0, by, size);
    }
    constexpr BlockWord as_cached(Owner by, Granules size) const noexcept
    {
        return with(Kind::cached, 0, by, size);
    }
    /// The generation alone, one up: with the other parts it makes the word of as_allocated().
    constexpr uint64_t with_next_generation() const noexcept
    {
        return (raw + (uint64_t{1} << kGranulesBits)) & kGenerationBitsMask;
    }
    constexpr BlockWord as_allocated(Owner by, uint8_t state, Granules size) const noexcept
    {
        return of(Kind::allocated, state, by, generation() + 1, size);
    }
    // Resizing: still the same block, of the same user and generation.
    constexpr BlockWord as_resizing(Granules size) const noexcept
    {
        return of(Kind::resizing, user(), owner(), generation(), size);
    }
    constexpr BlockWord as_settled(Granules size) const noexcept
    {
        return of(Kind::allocated, user(), owner(), generation(), size);
    }
    constexpr BlockWord with_owner(Owner next) const noexcept
    {
        constexpr uint64_t kChanges = uint64_t{kOwnerMask} << 42;
        return {(raw & ~kChanges) | uint64_t{next & kOwnerMask} << 42};
    }
    constexpr BlockWord with_user(uint8_t next) const noexcept
    {
        return of(kind(), next, owner(), generation(), granules());
    }

  private:
    constexpr BlockWord with(Kind kind, uint8_t user, Owner owner, Granules size) const noexcept
    {
        return of(kind, user, owner, generation(), size);
    }
};
static_assert(sizeof(BlockWord) == 8);
static_assert(BlockWord::kGranulesBits + BlockWord::kGenerationBits + BlockWord::kOwnerBits +
                  BlockWord::kUserBits + 4 ==
              64);
static_assert(kMaxParticipants <= BlockWord::kOwnerMask);

/// A part of a sector that somebody holds or looks at.
struct Run {
    Granule head = 0;
    Granules length = 0;
    constexpr Granule end() const noexcept { return head + length; }

    /// The whole units in it.
    constexpr Run whole_units(Granules unit) const noexcept
    {
        return within(round_up(head, unit), round_down(end(), unit));
    }
    /// The part of it, in whole units, that a place needs. It begins and ends at units itself.
    constexpr Run units_for(Run place, Granules unit) const noexcept
    {
        return within(larger(uint64_t{head}, round_down(place.head, unit)),
                      smaller(uint64_t{end()}, round_up(place.end(), unit)));
    }

  private:
    static constexpr Run within(uint64_t begin, uint64_t end) noexcept
    {
        return begin < end ? Run{static_cast<Granule>(begin), static_cast<Granules>(end - begin)}
                           : Run{};
    }
};

/// What a request needs, in granules of the sector that shall serve it.
struct Need {
    Granules length = 0;
    Granules align = 1; ///< power of two

    /// The length of a run in which the need fits wherever the run begins.
    constexpr uint64_t worst() const noexcept { return uint64_t{length} + align - 1; }
    /// Where it would begin in `run`, at the right end; false if it does not fit.
    constexpr bool place_in(Run run, Granule &start) const noexcept
    {
        if (run.length < length)
            return false;
        start = (run.end() - length) & ~(align - 1);
        return start >= run.head;
    }
};

} // namespace weir
