// SPDX-License-Identifier: MIT OR Apache-2.0
// Hopping over a sector from head to head while others split and merge.
//
// A landing on a word that is no head means that the block we hopped from was merged away under
// us. The walker then goes back to an earlier landing, twice as far with each failure, at last to
// the sector's start; never forwards, because a word inside a block is no evidence (rules.md,
// section 7). The number of hops is bounded, so a segment that contradicts itself ends the walk.
#pragma once

#include "core/base/clock.hpp"
#include "core/matrix/sector.hpp"

namespace weir {

class Walker {
  public:
    explicit Walker(Sector const &sector) noexcept
        : sector_(sector), limit_(sector.limit()), hops_left_(8 * uint64_t{limit_} + 4096)
    {
    }

    /// The next head. False at the end, and when the hops are used up: then blocked().
    bool next(Granule &ret_at, BlockWord &ret_word) noexcept
    {
        for (;;) {
            if (at_ >= limit_ && !follow_growth())
                return false;
            if (hops_left_-- == 0) {
                blocked_ = true;
                return false;
            }
            // acquire: pairs with the release of a split or merge, so that the head we hop to
            // from here is visible
            BlockWord const found = sector_.word(at_, acquire);
            bool const plain = found.is_head() && found.granules() - 1 < limit_ - at_;
            if (!WEIR_LIKELY(plain) && !is_plausible(found)) {
                go_back();
                continue;
            }
            remember(at_);
            ret_at = at_;
            ret_word = found;
            at_ += found.granules();
            return true;
        }
    }

    /// Go on from a place that the caller knows to be, or to have been, the end of a block. Who has
    /// changed blocks goes on behind them: on the way back from a head that is gone the hops of a
    /// large sector are soon used up.
    void resume_at(Granule at) noexcept { at_ = at; }
    /// Whether it gave up on words that make no sense.
    bool blocked() const noexcept { return blocked_; }
    Granule position() const noexcept { return at_; }

  private:
    static constexpr unsigned kTrail = 32;

    bool follow_growth() noexcept
    {
        Granule const now = sector_.limit();
        if (now <= limit_)
            return false;
        limit_ = now;
        allow_hops();
        return at_ < limit_;
    }

    bool is_plausible(BlockWord found) noexcept
    {
        Granule const before = limit_;
        bool const plausible = sector_.plausible(at_, found, limit_);
        if (limit_ != before)
            allow_hops();
        return plausible;
    }

    /// More hops for a sector that has grown; a limit that goes up and down gives none.
    void allow_hops() noexcept
    {
        if (limit_ <= highest_limit_)
            return;
        hops_left_ += 8 * uint64_t{limit_ - highest_limit_};
        highest_limit_ = limit_;
    }

    /// trail_[i] is the last landing whose number could be divided by 2^i and not by 2^(i + 1).
    void remember(Granule at) noexcept
    {
        trail_[lowest_bit(++landings_)] = at;
        if (at > furthest_) {
            furthest_ = at;
            failures_ = 0;
        }
    }

    /// The last landing whose number was a multiple of 2^i.
    Granule landing_before(unsigned i) const noexcept
    {
        uint64_t const number = landings_ >> i << i;
        return number == 0 ? 0 : trail_[lowest_bit(number)];
    }

    void go_back() noexcept
    {
        Granule const earlier = failures_ < kTrail ? landing_before(failures_++) : 0;
        at_ = earlier < at_ ? earlier : 0;
        if (failures_ > 4)
            spin_pause(); // whoever is at work there needs a moment
    }

    Sector const &sector_;
    Granule limit_;
    Granule highest_limit_ = limit_;
    uint64_t hops_left_;
    Granule at_ = 0;
    Granule furthest_ = 0;
    uint64_t landings_ = 0;
    unsigned failures_ = 0;
    bool blocked_ = false;
    Granule trail_[64] = {};
};

/// A walk for who counts or reports: no granule twice. One that has gone back comes again to what it has
/// passed.
class OnwardWalker {
  public:
    explicit OnwardWalker(Sector const &sector) noexcept : walk_(sector) {}

    bool next(Granule &ret_at, BlockWord &ret_word) noexcept
    {
        while (walk_.next(ret_at, ret_word)) // as bounded as that
            if (ret_at >= passed_) {
                passed_ = ret_at + ret_word.granules();
                return true;
            }
        return false;
    }
    bool blocked() const noexcept { return walk_.blocked(); }
    Granule position() const noexcept { return walk_.position(); }

  private:
    Walker walk_;
    Granule passed_ = 0; ///< the end of the last one
};

} // namespace weir
