// SPDX-License-Identifier: MIT OR Apache-2.0
// Slots and locks: the steps of attach, leave and reaping (states in segment.hpp).
#include "core/segment/participants.hpp"

#include "core/base/bits.hpp"
#include "core/base/clock.hpp"
#include "core/segment/process_info.hpp"

#include <cstring>

namespace weir {

void Participants::init(Segment &segment) noexcept
{
    segment_ = &segment;
    Geometry const &geometry = segment.geometry();
    slots_ = segment.at<ParticipantSlot>(geometry.participants);
    windows_ = segment.at<WindowCounters>(geometry.windows);
    count_ = geometry.request.participants;
}

bool Participants::locked_by_other(uint32_t slot, Identity me) const noexcept
{
    if (slot + 1 == me.owner)
        return true; // one's own lock cannot be tested, and is held
    return segment_->backing().slot_is_locked(slot);
}

Status Participants::attach(Identity &ret_me, bool &ret_dead, char const *name) noexcept
{
    // relaxed: a hint that spreads the re-use of slots
    uint32_t const start = segment_->header().next_slot.fetch_add(1, relaxed) % count_;
    for (uint32_t i = 0; i < count_; ++i) {
        if (try_slot((start + i) % count_, ret_me)) {
            introduce(ret_me.owner, name);
            ret_dead = false;
            return kOk;
        }
    }
    for (uint32_t i = 0; i < count_; ++i) {
        if (try_dead_slot((start + i) % count_, ret_me)) {
            ret_dead = true;
            return kOk;
        }
    }
    return error(EBUSY);
}

/// The lock first, then LIVE: a slot that is LIVE without a lock would be reaped (S1).
bool Participants::try_slot(uint32_t slot, Identity &ret_me) noexcept
{
    SlotWord const found = load(slot);
    if (found.state() != SlotState::free || !segment_->backing().lock_slot(slot))
        return false;
    if (!change(slot, found, SlotWord::of(SlotState::live, found.generation()))) {
        segment_->backing().unlock_slot(slot);
        return false;
    }
    ret_me = {slot + 1, found.generation()};
    return true;
}

/// All slots are taken: takes the lock of a dead one's byte, which no live process can hold, and
/// becomes the reaper of the slot under that slot's own number. The generation goes up at once: a
/// takeover from somebody who died in a takeover or leave must change the word, or a second
/// reaper, who read the word before, would succeed too (S2).
bool Participants::try_dead_slot(uint32_t slot, Identity &ret_me) noexcept
{
    SlotWord const found = load(slot);
    if (found.state() == SlotState::free || !segment_->backing().lock_slot(slot))
        return false;
    Identity const me{slot + 1, SlotWord::of(SlotState::live, found.generation() + 1).generation()};
    bool const taken_by_reaper = found.state() == SlotState::reaping &&
                                 found.reaper() != me.owner && reaper_lives(slot, found, me);
    if (taken_by_reaper ||
        !change(slot, found,
                SlotWord::of(SlotState::reaping, me.generation, me.owner, me.generation))) {
        segment_->backing().unlock_slot(slot);
        return false;
    }
    ret_me = me;
    return true;
}

Status Participants::finish_takeover(Identity &me, char const *name) noexcept
{
    SlotWord const reaping =
        SlotWord::of(SlotState::reaping, me.generation, me.owner, me.generation);
    SlotWord const live = SlotWord::of(SlotState::live, me.generation + 1);
    if (!change(me.owner - 1, reaping, live))
        return error(kCorrupt); // only we may change it: somebody scribbles
    me.generation = live.generation();
    introduce(me.owner, name);
    return kOk;
}

void Participants::introduce(Owner owner, char const *name) noexcept
{
    ParticipantSlot &slot = slots_[owner - 1];
    ProcessInfo const info = describe_process(name);
    // relaxed throughout: for people to read
    slot.pid.store(info.pid, relaxed);
    slot.uid.store(info.uid, relaxed);
    slot.started_at.store(info.started_at, relaxed);
    slot.attached_at_ns.store(static_cast<uint64_t>(real_now()), relaxed);
    slot.name[0].store(info.name[0], relaxed);
    slot.name[1].store(info.name[1], relaxed);
    slot.stalls.store(0, relaxed);
}

bool Participants::begin_leave(Identity me) noexcept
{
    return change(me.owner - 1, SlotWord::of(SlotState::live, me.generation),
                  SlotWord::of(SlotState::reaping, me.generation, me.owner, me.generation));
}

void Participants::finish_leave(Identity me) noexcept
{
    // Only we may change it. If it fails somebody scribbles, and the slot heals by our death.
    change(me.owner - 1, SlotWord::of(SlotState::reaping, me.generation, me.owner, me.generation),
           SlotWord::of(SlotState::free, me.generation + 1));
    segment_->backing().unlock_slot(me.owner - 1);
}

bool Participants::reaper_lives(uint32_t slot, SlotWord word, Identity me) const noexcept
{
    Owner const reaper = word.reaper();
    if (reaper == kNobody || reaper > count_)
        return false;
    if (reaper == slot + 1) // leaves in order, or took the slot over: it holds its own lock
        return locked_by_other(slot, me);
    SlotWord const its = load(reaper - 1);
    return its.state() == SlotState::live && its.generation() == word.reaper_generation() &&
           locked_by_other(reaper - 1, me);
}

bool Participants::begin_reaping(Owner owner, Identity me) noexcept
{
    uint32_t const slot = owner - 1;
    SlotWord const found = load(slot); // before the lock test: then the CAS below is about it
    bool lives = true;
    if (found.state() == SlotState::live)
        lives = locked_by_other(slot, me);
    else if (found.state() == SlotState::reaping)
        lives = reaper_lives(slot, found, me);
    if (lives)
        return false;
    return change(slot, found,
                  SlotWord::of(SlotState::reaping, found.generation(), me.owner, me.generation));
}

void Participants::finish_reaping(Owner owner, Identity me) noexcept
{
    uint32_t const generation = load(owner - 1).generation();
    change(owner - 1, SlotWord::of(SlotState::reaping, generation, me.owner, me.generation),
           SlotWord::of(SlotState::free, generation + 1));
}

bool Participants::is_alive(Owner owner, Identity me) const noexcept
{
    if (owner == kNobody || owner > count_)
        return false;
    return load(owner - 1).state() == SlotState::live && locked_by_other(owner - 1, me);
}

bool Participants::is_being_healed(Owner owner, Identity me) const noexcept
{
    SlotWord const found = load(owner - 1);
    return found.state() == SlotState::reaping && reaper_lives(owner - 1, found, me);
}

void Participants::close_windows(Owner owner) noexcept
{
    for (unsigned i = 0; i < kWindowsPerParticipant; ++i) {
        WindowCounters &pair = windows(owner)[i];
        // relaxed load: its writers are dead. release store: pairs with Snapshot::take(); what
        // healing gave back is visible before the window counts as closed.
        pair.ended.store(pair.begun.load(relaxed), release);
    }
}

} // namespace weir
