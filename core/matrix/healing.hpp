// SPDX-License-Identifier: MIT OR Apache-2.0
// What a walk that heals one sector has in hand (sector_heal.cpp, heal.cpp).
#pragma once

#include "core/base/bits.hpp"
#include "core/index/bit_tree.hpp"
#include "core/matrix/block_word.hpp"
#include "core/matrix/report.hpp"

namespace weir {

/// Hints of FREE blocks that are not set yet, of so many chunks as one word of the index has: an
/// update of a word costs as much as freeing a block, and this one has all of a step at once.
struct LateHints {
    static constexpr uint64_t kNone = UINT64_MAX;

    uint64_t group = kNone;                    ///< of chunks
    uint64_t chunks = 0;                       ///< those with `heads`
    uint64_t columns[BitTree::kMapWords] = {}; ///< those with `steps`
    uint64_t heads[kRadix] = {};
    uint64_t steps[BitTree::kMaxColumns] = {}; ///< chunks

    void add(uint64_t chunk, uint64_t head, unsigned step) noexcept
    {
        unsigned const place = chunk & kRadixMask;
        chunks |= bit(place);
        heads[place] |= head;
        columns[step / 64] |= bit(step % 64);
        steps[step] |= bit(place);
    }
};

/// Whom one heals, and what came of it.
class Healing {
  public:
    /// `keep`: the policy, users' blocks are not freed.
    Healing(Owner dead, Owner healer, bool keep, HealReport &sum) noexcept
        : self(healer), report(sum), dead_(dead), keep_(keep),
          whole_mask_(
              BlockWord::of(keep ? kAnyKind : kEvenKind, 0, BlockWord::kOwnerMask, 0, 0).raw),
          whole_(BlockWord::of(keep ? Kind::cached : Kind::allocated, 0, dead, 0, 0).raw)
    {
    }

    /// Whether a head is a dead one's and to be freed.
    bool takes(BlockWord word) const noexcept
    {
        return word.owner() == dead_ && !word.is_claimed_without_memory() &&
               !(keep_ && word.is_users());
    }
    /// The same for those that are whole: ALLOCATED and CACHED.
    bool takes_whole(BlockWord word) const noexcept { return (word.raw & whole_mask_) == whole_; }
    bool names_dead(BlockWord word) const noexcept { return word.owner() == dead_; }
    bool keeps() const noexcept { return keep_; }

    void count(BlockWord word, uint64_t bytes) noexcept
    {
        bool const users = word.is_users();
        report.interrupted += word.is(Kind::claimed) ? 1 : 0;
        report.blocks_reclaimed += users ? 1 : 0;
        report.reclaimed_bytes += users ? bytes : 0;
    }

    Owner const self;
    HealReport &report;
    LateHints hints;

  private:
    // One comparison for both kinds, which differ in the lowest bit.
    static constexpr Kind kAnyKind{15}, kEvenKind{14};
    static_assert((static_cast<unsigned>(Kind::allocated) | 1) ==
                  static_cast<unsigned>(Kind::cached));

    Owner dead_;
    bool keep_;
    uint64_t whole_mask_;
    uint64_t whole_;
};

} // namespace weir
