// SPDX-License-Identifier: MIT OR Apache-2.0
// The participants of a segment: attaching, liveness, windows, and who may heal whom.
#pragma once

#include "core/segment/segment.hpp"
#include "core/segment/slot_word.hpp"

namespace weir {

/// Who a handle is. Two words in process memory.
struct Identity {
    Owner owner = kNobody;
    uint32_t generation = 0;

    /// In one word, for who compares it in each call. 0: nobody.
    constexpr uint64_t packed() const noexcept { return uint64_t{generation} << 16 | owner; }
    static constexpr Identity of(uint64_t packed) noexcept
    {
        return {static_cast<Owner>(packed & 0xffff), static_cast<uint32_t>(packed >> 16)};
    }
};
/// A packed identity that nobody has.
inline constexpr uint64_t kNoIdentity = UINT64_MAX;

class Participants {
  public:
    void init(Segment &segment) noexcept;

    /// Takes a slot for this process. EBUSY if all are taken. If only the dead have slots, one of
    /// them is taken over: then `ret_dead` is true, the identity is that of a reaper of its own
    /// slot, and the caller heals its owner id and calls finish_takeover().
    Status attach(Identity &ret_me, bool &ret_dead, char const *name) noexcept;
    Status finish_takeover(Identity &me, char const *name) noexcept;

    /// An orderly leave: LIVE -> REAPING by itself. False if somebody reaped us (cannot happen to
    /// a process that holds its lock).
    bool begin_leave(Identity me) noexcept;
    void finish_leave(Identity me) noexcept;

    /// Tries to become the reaper of `owner`. False: it lives, or is free, or is being healed.
    bool begin_reaping(Owner owner, Identity me) noexcept;
    /// The slot is free again.
    void finish_reaping(Owner owner, Identity me) noexcept;

    /// Whether `owner` is LIVE and its process holds its lock. `me` needs no lock test.
    bool is_alive(Owner owner, Identity me) const noexcept;
    /// Whether somebody alive heals `owner` right now.
    bool is_being_healed(Owner owner, Identity me) const noexcept;
    SlotWord word_of(Owner owner) const noexcept { return load(owner - 1); }

    uint32_t count() const noexcept { return count_; }
    ParticipantSlot &slot(Owner owner) const noexcept { return slots_[owner - 1]; }
    WindowCounters *windows(Owner owner) const noexcept
    {
        return windows_ + (owner - 1) * kWindowsPerParticipant;
    }
    /// Closes what the dead one left open.
    void close_windows(Owner owner) noexcept;

  private:
    SlotWord load(uint32_t slot) const noexcept
    {
        // acquire: before the lock test that follows (rules.md section 3, slot word); pairs with
        // every CAS of the word
        return {slots_[slot].word.load(acquire)};
    }
    bool change(uint32_t slot, SlotWord from, SlotWord to) noexcept
    {
        // acq_rel: pairs with load(); the system call between them is not moved by the hardware
        return slots_[slot].word.compare_exchange(from.raw, to.raw, acq_rel, relaxed);
    }
    bool locked_by_other(uint32_t slot, Identity me) const noexcept;
    bool reaper_lives(uint32_t slot, SlotWord word, Identity me) const noexcept;
    bool try_slot(uint32_t slot, Identity &ret_me) noexcept;
    bool try_dead_slot(uint32_t slot, Identity &ret_me) noexcept;
    void introduce(Owner owner, char const *name) noexcept;

    Segment *segment_ = nullptr;
    ParticipantSlot *slots_ = nullptr;
    WindowCounters *windows_ = nullptr;
    uint32_t count_ = 0;
};

/// A thread's counters of one participant.
class Caller {
  public:
    Caller(WindowCounters *of_participant, Owner owner, uint32_t thread) noexcept
        : own_(thread < kWindowsPerParticipant - 1),
          counters_(of_participant[own_ ? thread : kWindowsPerParticipant - 1]), owner_(owner),
          thread_(thread)
    {
    }

    Owner owner() const noexcept { return owner_; }
    uint32_t thread() const noexcept { return thread_; }
    WindowCounters &counters() const noexcept { return counters_; }

    /// How many windows we have closed: a clock of this thread; one for all threads that have no
    /// counters of their own. relaxed: nobody else's matters
    uint64_t windows() const noexcept { return counters_.ended.load(relaxed); }

    /// Adds 1. `order` is that of the store. A counter of our own is loaded relaxed: nobody else
    /// writes it while we live.
    void count(atomic<uint64_t> &counter, Order order) const noexcept
    {
        if (WEIR_LIKELY(own_))
            counter.store(counter.load(relaxed) + 1, order);
        else
            counter.fetch_add(1, order);
    }

    /// Says that this thread is about to withhold or add memory (rules.md M6). The CAS that follows
    /// has release, so who sees its effect sees this too: relaxed is enough.
    void open() const noexcept { count(counters_.begun, relaxed); }
    /// release: pairs with the loads in Snapshot::take(); our changes are visible before it.
    void close() const noexcept { count(counters_.ended, release); }

  private:
    bool own_;
    WindowCounters &counters_;
    Owner owner_;
    uint32_t thread_;
};

/// open() and close() of a Caller, by scope: opened right before a change is tried, closed by the
/// end of the scope at the latest.
class Window {
  public:
    explicit Window(Caller const &caller, bool is_open = false) noexcept
        : caller_(caller), open_(is_open)
    {
    }
    Window(Window const &) = delete;
    Window &operator=(Window const &) = delete;
    ~Window() { close(); }

    void open() noexcept
    {
        if (!open_)
            caller_.open();
        open_ = true;
    }
    void close() noexcept
    {
        if (open_)
            caller_.close();
        open_ = false;
    }
    Caller const &caller() const noexcept { return caller_; }

  private:
    Caller const &caller_;
    bool open_;
};

} // namespace weir
