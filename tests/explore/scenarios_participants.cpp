// SPDX-License-Identifier: MIT OR Apache-2.0
// Scenarios of participant slots: attach, death, reaping, a reaper that dies, re-use of a slot.
#include "tests/explore/scenarios.hpp"
#include "tests/explore/segment_world.hpp"

#include <vector>

namespace weir::explore {
namespace {

constexpr uint32_t kMostSlots = 4;

enum class Role {
    user,   ///< attaches, leaves something behind while it works, leaves in order
    reaper, ///< attaches, reaps whoever is dead, leaves
    user_and_reaper,
};

class SlotsWorld : public SegmentWorld {
  public:
    SlotsWorld(uint32_t slots, std::vector<Role> roles) : slots_(slots), roles_(std::move(roles)) {}

    void prepare() override
    {
        make_segment(tiny_request(4, 4, 1, slots_), 64);
        left_ = reinterpret_cast<atomic<uint64_t> *>(spare());
        name(left_, slots_, 8, "left behind");
    }

    void run() override
    {
        for (uint32_t i = 0; i < kMostSlots; i++)
            holder_[i] = cleaner_[i] = kNoFibre;
        for (Role role : roles_)
            spawn(true, [this, role] { live(role); });
        if (!run_all())
            return;
        for (int i = 0; i < 2; i++) {
            spawn(false, [this] { live(Role::reaper); });
            if (!run_all())
                return;
        }
        check_at_rest();
    }

    /// S1: whoever holds the lock of a slot that was LIVE is not reaped.
    void changed(void const *address, int who) override
    {
        int const slot = slot_of_word(address);
        if (slot < 0)
            return;
        SlotWord const word{atomic_value(address)};
        int const holder = holder_[slot];
        if (word.state() == SlotState::reaping && holder != kNoFibre && holder != who &&
            !is_dead(holder))
            fail("S1: fibre %c in slot %d lives and is reaped by %c", letter(holder), slot,
                 letter(who));
    }

  private:
    static uint64_t atomic_value(void const *address)
    {
        return __atomic_load_n(static_cast<uint64_t const *>(address), __ATOMIC_SEQ_CST);
    }

    void live(Role role)
    {
        Segment segment;
        adopt(segment);
        Participants participants;
        participants.init(segment);
        Identity me;
        bool took_over = false;
        if (!participants.attach(me, took_over, nullptr).ok())
            return;
        uint32_t const slot = me.owner - 1;
        if (took_over) {
            clean(slot);
            participants.close_windows(me.owner);
            if (!participants.finish_takeover(me, nullptr).ok())
                fail("the slot that was taken over has changed");
        }
        if (left_[slot].load(seq_cst) != 0)
            fail("S3: slot %u is given out before it was cleaned", slot);
        holder_[slot] = current();

        if (role != Role::reaper)
            left_[slot].store(1, seq_cst);
        if (role != Role::user)
            reap_all(participants, me);
        leave(participants, me);
    }

    void reap_all(Participants &participants, Identity me)
    {
        for (Owner owner = 1; owner <= slots_; owner++) {
            if (owner == me.owner || !participants.begin_reaping(owner, me))
                continue;
            holder_[owner - 1] = kNoFibre;
            clean(owner - 1);
            participants.close_windows(owner);
            participants.finish_reaping(owner, me);
        }
    }

    /// S2: one live reaper at a time.
    void clean(uint32_t slot)
    {
        int const other = cleaner_[slot];
        if (other != kNoFibre && other != current() && !is_dead(other))
            fail("S2: %c and %c both reap slot %u", letter(other), letter(current()), slot);
        cleaner_[slot] = current();
        left_[slot].store(0, seq_cst);
        cleaner_[slot] = kNoFibre;
    }

    void leave(Participants &participants, Identity me)
    {
        uint32_t const slot = me.owner - 1;
        if (!participants.begin_leave(me))
            fail("S1: a live participant was reaped before it left");
        left_[slot].store(0, seq_cst);
        holder_[slot] = kNoFibre;
        participants.finish_leave(me);
    }

    void check_at_rest()
    {
        for (uint32_t i = 0; i < slots_; i++) {
            SlotWord const word{atomic_value(&slots()[i].word)};
            if (word.state() != SlotState::free)
                fail("slot %u is never healed: %s", i, text_of(word).c_str());
            if (left_[i].load(seq_cst) != 0)
                fail("what slot %u left behind is never cleaned", i);
        }
    }

    uint32_t slots_;
    std::vector<Role> roles_;
    atomic<uint64_t> *left_ = nullptr;
    int holder_[kMostSlots] = {};
    int cleaner_[kMostSlots] = {};
};

void add(char const *name, char const *about, int deepest, uint32_t slots, std::vector<Role> roles)
{
    scenarios().push_back({"participants", name, about,
                           [=] { return std::make_unique<SlotsWorld>(slots, roles); }, deepest});
}

} // namespace

void register_participants()
{
    add("slots", "a user, a reaper, and a user who reaps", 2, 4,
        {Role::user, Role::reaper, Role::user_and_reaper});
    add("slots_reapers", "two reapers of one user", 2, 4, {Role::user, Role::reaper, Role::reaper});
    add("slots_two", "a dead reaper's slot has a new holder", 3, 2, {Role::user, Role::reaper});
    add("slots_full", "slots are scarce: the dead ones' are taken over", 2, 2,
        {Role::user, Role::reaper, Role::user_and_reaper});
}

} // namespace weir::explore
