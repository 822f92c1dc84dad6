// SPDX-License-Identifier: MIT OR Apache-2.0
// Who gets what is broadcast: joining, leaving, and sweeping the bits of those who are gone.
#include "core/channel/ring.hpp"

#include "core/base/waiting.hpp"

namespace weir {
namespace {
#ifdef WEIR_EXPLORE
constexpr Nanoseconds kPatience = 0; // each turn more is one of them again
#else
constexpr Nanoseconds kPatience = 20 * kMillisecond;
#endif
} // namespace

Status Ring::join(ReaderState &reader) noexcept
{
    if (!reader.hand.init(cells()))
        return error(ENOMEM);
    if (!broadcast())
        return kOk;
    if (!take_slot(reader) && !take_slot_patiently(reader))
        return error(retired() ? kRetired : ENOSPC);
    uint64_t const bit = uint64_t{1} << static_cast<unsigned>(reader.slot);
    header_->active.fetch_or(bit, seq_cst); // [J] pairs with publish()
    for (unsigned level = 0; level < options_.levels; ++level) {
        // From a lap back: a poster who took an earlier position may have given us a bit already.
        uint64_t const tail = levels_[level].tail.load(relaxed); // a hint: at most too small
        reader.cursor[level] = tail > capacity() ? tail - capacity() : 0;
        if (options_.retain_count != 0 || options_.retain != 0)
            hold_retained(level, bit);
    }
    return kOk;
}

/// A place whose leave meets a post that is under way is free a moment later; if that is a dead one's,
/// or the place is, after healing. False: 64 subscribers, or somebody has stopped in the middle.
WEIR_COLD bool Ring::take_slot_patiently(ReaderState &reader) noexcept
{
    Deadline const deadline(kPatience);
    for (;;) {
        sweep_leaving();
        if (take_slot(reader))
            return true;
        if (deadline.passed() || retired() || is_full_of_subscribers())
            break;
        yield_processor();
    }
    matrix_->heal_dead(); // or somebody else has, meanwhile
    sweep_leaving();
    return take_slot(reader);
}

bool Ring::is_full_of_subscribers() const noexcept
{
    for (unsigned i = 0; i < kMaxSubscribers; ++i)
        if (!SubscriberWord{subscribers_[i].word.load(relaxed)}.is(SubscriberState::active))
            return false; // relaxed: a hint; free by now, or to be had soon
    return true;
}

bool Ring::take_slot(ReaderState &reader) noexcept
{
    Identity const me = matrix_->me();
    for (unsigned i = 0; i < kMaxSubscribers; ++i) {
        Subscriber &at = subscribers_[i];
        SubscriberWord found{at.word.load(relaxed)}; // the CAS decides
        if (!found.is(SubscriberState::free))
            continue;
        SubscriberWord const active = found.to(SubscriberState::active, me.owner);
        // acq_rel: pairs with finish_leave(); the sweep is over
        if (!at.word.compare_exchange(found.raw, active.raw, acq_rel, relaxed))
            continue;
        at.missed.store(0, relaxed); // ours: nobody has our bit yet
        reader.slot = static_cast<int>(i);
        reader.joined = active;
        reader.joined_as = me.packed();
        return true;
    }
    return false;
}

void Ring::leave(ReaderState &reader) noexcept
{
    if (broadcast()) {
        if (reader.slot < 0 || !matrix_->is(reader.joined_as))
            return; // a fork child's copy
        Subscriber &at = subscribers_[static_cast<unsigned>(reader.slot)];
        SubscriberWord const leaving =
            reader.joined.to(SubscriberState::leaving, Identity::of(reader.joined_as).owner);
        uint64_t from = reader.joined.raw;
        // acq_rel: pairs with take_slot()
        if (at.word.compare_exchange(from, leaving.raw, acq_rel, relaxed))
            finish_leave(static_cast<unsigned>(reader.slot), leaving);
        reader.slot = -1;
        return;
    }
    for (uint64_t i = 0; reader.hand.words() != nullptr && i < cells(); ++i) {
        CellWord const word = load(i);
        Spot const spot = spot_of(i, word);
        unsigned deliveries;
        if (word.is(Phase::held) && word.owner() == matrix_->me().owner &&
            reader.hand.begin_answer(i, spot.position, deliveries))
            give_back(spot, word);
    }
}

/// Clears a bit in all cells. False: a poster is at work who may give it once more.
bool Ring::sweep(uint64_t bit) noexcept
{
    bool all = true;
    for (uint64_t i = 0; i < cells(); ++i) {
        CellWord const found = load(i); // [J] after `active`; pairs with publish()
        all = all && !found.is(Phase::writing);
        Cell &at = cells_[i];
        // seq_cst: as in let_go()
        if ((at.holders.load(seq_cst) & bit) != 0)
            at.holders.fetch_and(~bit, seq_cst);
        CellWord const now = load(i);
        if ((at.pins.load(seq_cst) & bit) != 0)
            unpin(spot_of(i, now), bit);
        if (CellWord const then = load(i); then.is(Phase::full))
            collect(spot_of(i, then));
    }
    return all;
}

/// By the sweeper named in the word alone: another one would clear the bits of the next user.
void Ring::finish_leave(unsigned slot, SubscriberWord leaving) noexcept
{
    uint64_t const bit = uint64_t{1} << slot;
    header_->active.fetch_and(~bit, seq_cst); // [J] then the cells; pairs with publish()
    bool const all = sweep(bit);
    SubscriberWord const next =
        leaving.to(all ? SubscriberState::free : SubscriberState::leaving, kNobody);
    uint64_t from = leaving.raw;
    subscribers_[slot].word.compare_exchange(from, next.raw, acq_rel, relaxed); // as take_slot()
}

/// Finishes the leaves that a poster stopped, and those of the dead.
void Ring::sweep_leaving() noexcept
{
    for (unsigned i = 0; i < kMaxSubscribers; ++i) {
        SubscriberWord found{subscribers_[i].word.load(acquire)}; // pairs with finish_leave()
        if (!found.is(SubscriberState::leaving, kNobody))
            continue;
        SubscriberWord const mine = found.to(SubscriberState::leaving, matrix_->me().owner);
        if (subscribers_[i].word.compare_exchange(found.raw, mine.raw, acq_rel, relaxed))
            finish_leave(i, mine); // the CAS: as take_slot()
    }
}

void Ring::heal_subscribers(Owner dead) noexcept
{
    for (unsigned i = 0; i < kMaxSubscribers; ++i) {
        SubscriberWord found{subscribers_[i].word.load(acquire)}; // pairs with take_slot()
        if (!found.is(SubscriberState::free) && found.owner() == dead)
            subscribers_[i].word.compare_exchange(
                found.raw, found.to(SubscriberState::leaving, kNobody).raw, acq_rel, relaxed);
    }
    sweep_leaving();
}

} // namespace weir
