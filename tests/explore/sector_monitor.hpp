// SPDX-License-Identifier: MIT OR Apache-2.0
// What a specification knows of a sector: it looks at every change of a block word and says
// whether the writer was allowed to make it, whether invariant 1 holds, and who owns what.
//
// It knows the words alone, none of the core's functions: so a change of the code cannot make it
// blind.
#pragma once

#include "core/matrix/block_word.hpp"
#include "core/segment/segment.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::explore {

std::string text_of(BlockWord word);

class SectorMonitor {
  public:
    void init(std::byte *base, Geometry const &geometry, unsigned sector);
    /// Forgets everything and reads the words as they are.
    void reset();
    /// Whether it has noted anything since.
    bool is_used() const { return used_; }
    bool holds(void const *address) const
    {
        auto const *const at = static_cast<char const *>(address);
        return static_cast<std::size_t>(at - words_) < max_ * sizeof(BlockWord) ||
               address == limit_;
    }

    /// A word or the limit has changed, by participant `writer`. `now` only grows.
    void changed(void const *address, Owner writer, uint64_t now);

    /// Checks at rest: invariants 1 to 3, nothing CLAIMED, every user's block known to somebody.
    void check_at_rest() const;

    /// A block that the scenario knows of: users' blocks that nobody knows are leaks.
    void make_known(Granule head)
    {
        used_ = true;
        known_[head] = true;
    }
    /// By the policy `keep` a dead one's blocks stay, as nobody's.
    void let_nobody_own() { nobody_may_own_ = true; }
    bool is_users(Granule head) const { return shadow_[head].is_users(); }
    BlockWord word(Granule at) const { return {reinterpret_cast<uint64_t const *>(words_)[at]}; }
    Granule limit() const { return static_cast<Granule>(*limit_); }
    Granule max() const { return max_; }

    /// Whether at some moment of [begin, end] no run of `length` granules, aligned in the sector,
    /// could be had. What is not committed yet can be had if `may_grow`.
    bool was_exhausted(uint64_t begin, uint64_t end, Granules length, Granules align,
                       bool may_grow) const;

    std::string layout() const;

  private:
    struct Event {
        uint64_t time;
        Granule at;
        bool free;
    };

    void check_writer(Granule at, BlockWord from, BlockWord to, Owner writer) const;
    bool merges_with_held(Granule at, BlockWord from, BlockWord to, Owner writer) const;
    void check_head_change(Granule at, BlockWord from, BlockWord to, Owner writer) const;
    bool resizes(Granule at, BlockWord from, BlockWord to) const;
    void follow(Granule at, BlockWord from, BlockWord to, uint64_t now);
    void set_users(Granule head, Granules length, bool by_users, uint64_t now);
    void resize_users(Granule at, BlockWord from, BlockWord to, uint64_t now);
    void find_heads(Granule changed);

    Granule max_ = 0;
    Granules unit_ = 1; ///< of memory that is given back
    bool nobody_may_own_ = false;
    char const *words_ = nullptr;
    uint64_t const *limit_ = nullptr;

    Granule seen_limit_ = 0;
    std::vector<BlockWord> shadow_; ///< the words before the change that is looked at
    std::vector<Granule> head_of_;  ///< by hopping; only below the limit
    std::vector<uint8_t> users_;    ///< granules of users' blocks
    std::vector<uint8_t> known_;
    std::vector<Owner> holder_;        ///< who holds a granule CLAIMED …
    std::vector<uint64_t> held_since_; ///< … and since when without a break
    std::vector<uint8_t> free_at_start_;
    std::vector<Event> events_;
    bool used_ = false;
};

} // namespace weir::explore
