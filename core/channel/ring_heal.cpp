// SPDX-License-Identifier: MIT OR Apache-2.0
// What happens to a channel's cells besides posting and reading: healing, draining, inspection.
#include "core/base/clock.hpp"
#include "core/base/waiting.hpp"
#include "core/channel/ring.hpp"

namespace weir {

/// Only the reaper of `dead` is here (S2).
void Ring::heal(Owner dead) noexcept
{
    for (uint64_t i = 0; i < cells(); ++i) {
        CellWord const word = load(i);
        Spot const spot = spot_of(i, word);
        bool const in_hand = !word.is(Phase::empty) && !word.is(Phase::full);
        if (in_hand && word.owner() == dead)
            heal_cell(spot, word);
        else if (broadcast() && word.is(Phase::full))
            collect(spot); // whose last holder may have died before it looked
        else if (word.redelivered())
            redelivery_.set(column(spot.level), spot.position & (capacity() - 1));
        // ^ who gave it back may have died before the mark
    }
    if (broadcast())
        heal_subscribers(dead);
    // Who made a cell FULL or EMPTY may have died before waking.
    wake_everybody();
}

/// The table of channel.hpp.
void Ring::heal_cell(Spot spot, CellWord word) noexcept
{
    if (word.is(Phase::dropping) || word.is(Phase::expiring)) {
        CellWord const mine = word.to(word.phase(), matrix_->me().owner);
        if (may_lose() && change(spot, word, mine))
            finish_discard(spot, mine, true);
        return;
    }
    Ref const ref{cell(spot).ref.load(relaxed)}; // its writer is dead
    if (!nobodys(ref))
        pass_on(spot, word);
    else if (word.is(Phase::writing))
        publish(spot, word);
    else if (!broadcast())
        give_back(spot, word);
    else if (change(spot, word, word.to(Phase::full)))
        collect(spot); // an unfinished end is simply not made
}

void Ring::wake_everybody() noexcept
{
    Waiting(header_->items.word).wake_always();
    Waiting(header_->watchers.word).wake_always();
    for (unsigned level = 0; level < options_.levels; ++level)
        Waiting(levels_[level].room.word).wake_always();
}

void Ring::retire() noexcept
{
    header_->retired.store(1, seq_cst); // before the drain: who posts later is drained at the end
    wake_everybody();
}

/// In broadcast nobody's hand can be told from a wish: what somebody holds goes when he leaves.
void Ring::drain(bool all) noexcept
{
    for (uint64_t i = 0; i < cells(); ++i) {
        CellWord const word = load(i);
        Spot const spot = spot_of(i, word);
        if (broadcast() && !all) {
            collect(spot, true);
            continue;
        }
        if (word.is(Phase::empty) || (!all && !word.is(Phase::full)))
            continue;
        CellWord const freeing = word.to(Phase::freeing, matrix_->me().owner);
        if (word.raw != freeing.raw && !change(spot, word, freeing))
            continue;                                         // a reader has it now
        Ref const ref{cells_[i].ref.load(relaxed)};           // in our hand
        static_cast<void>(matrix_->free_owned(ref, kNobody)); // gone already: as good
        pass_on(spot, freeing);
    }
}

void Ring::visit(void (*found)(void *, Ref), void *userdata) noexcept
{
    for (uint64_t i = 0; i < cells(); ++i) {
        CellWord const word = load(i);
        if (!word.is(Phase::full) && !word.is(Phase::held))
            continue;
        Ref const ref{cells_[i].ref.load(relaxed)}; // counts only if the word is the same below
        bool const there = matrix_->find(ref).ok();
        if (load(i).raw == word.raw) // else it changed under us
            found(userdata, there ? ref : Ref{});
    }
}

void Ring::inquire(ChannelInfo &ret) const noexcept
{
    ret = {};
    ret.options = options_;
    ret.capacity = capacity();
    ret.dropped = header_->refused.load(relaxed); // a snapshot by nature, here and below
    for (unsigned level = 0; level < options_.levels; ++level)
        ret.posted += levels_[level].tail.load(relaxed);
    for (unsigned i = 0; broadcast() && i < kMaxSubscribers; ++i) {
        SubscriberWord const word{subscribers_[i].word.load(relaxed)};
        ret.subscribers += word.is(SubscriberState::active) ? 1 : 0;
    }
    uint64_t oldest = UINT64_MAX;
    for (uint64_t i = 0; i < cells(); ++i)
        count_cell(i, ret, oldest);
    if (ret.waiting != 0)
        ret.oldest_age_ns = age_since(oldest);
}

void Ring::count_cell(uint64_t i, ChannelInfo &ret, uint64_t &oldest) const noexcept
{
    constexpr uint64_t kCount = (uint64_t{1} << 44) - 1;
    Cell const &at = cells_[i];
    if (may_lose()) { // relaxed: counts
        ret.dropped += tallies_[i].dropped.load(relaxed) & kCount;
        ret.expired += tallies_[i].expired.load(relaxed) & kCount;
    }
    CellWord const word = load(i);
    Spot const spot = spot_of(i, word);
    ret.held += word.is(Phase::held) ? 1 : 0;
    ret.writing += word.is(Phase::writing) ? 1 : 0;
    if (!word.is(Phase::full))
        return;
    // relaxed: shown to people; the cell may change under us
    uint64_t const posted_at = at.posted_at_ns.load(relaxed);
    uint64_t const length = at.length.load(relaxed);
    bool const first = ret.level[spot.level].waiting == 0;
    ++ret.waiting;
    ret.waiting_bytes += length;
    ++ret.level[spot.level].waiting;
    ret.level[spot.level].waiting_bytes += length;
    oldest = posted_at < oldest ? posted_at : oldest;
    bool const higher = ret.waiting == 1 || spot.level > ret.next_level;
    if (!higher && !(spot.level == ret.next_level && !first && spot.position < ret.next_position))
        return;
    ret.next_level = spot.level;
    ret.next_position = spot.position;
    ret.next_tag = at.tag.load(relaxed);
    ret.next_length = length;
    ret.next_sender = at.sender.load(relaxed);
    ret.next_posted_at_ns = static_cast<int64_t>(posted_at);
}

} // namespace weir
