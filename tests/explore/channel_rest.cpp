// SPDX-License-Identifier: MIT OR Apache-2.0
// What must hold of a channel when all have ended: nothing lost, nothing leaked, all losses told.
#include "tests/explore/channel_world.hpp"

namespace weir::explore {

/// Empties the channel as a user would, or retires it if who was about to do that has died.
void ChannelWorld::settle()
{
    if (matrix_is_over())
        return; // nobody empties it any more
    if (plan_.mode == ChannelMode::broadcast)
        check_broadcast();
    bool const may_lose = plan_.ttl != 0 || plan_.overflow == Overflow::drop_oldest;
    if (!plan_.retires && (plan_.mode == ChannelMode::broadcast || may_lose))
        check_counts();
    if (has_failed())
        return;
    int const number = fibres();
    spawn(false, [this, number] {
        Peer peer(*this, number);
        if (plan_.mode == ChannelMode::broadcast) { // all leave, as if they had died
            Ring ring = ring_of(number);
            for (int turn = 0; turn < 2; turn++)
                for (int i = 0; i < number; i++) {
                    leaves(i);
                    ring.heal(owner_of(i));
                }
            ring.drain(false);
        } else if (!plan_.retires) {
            while (peer.read_ack()) {
            }
        } else if (peer.open()) {
            peer.retire();
            peer.close();
        }
    });
    if (!run_all())
        return;
    check_empty();
    auto const &entry = *handle(0).segment().at<RootEntry>(geometry().roots);
    if (plan_.retires &&
        (entry.word.load(relaxed) >> 60 != 0 || block_word(ref_).is(Kind::allocated)))
        fail("leak: the retired channel is never collected");
}

/// C2 for those who are subscribed, while they could still read.
void ChannelWorld::check_broadcast()
{
    auto const holders = [&](uint32_t i) {
        return __atomic_load_n(cells_[i].holders.address(), __ATOMIC_SEQ_CST);
    };
    for (auto &entry : messages_) {
        Message const &m = entry.second;
        for (int who = 0; who < outsider() && m.posted; who++) {
            int const slot = subscription(who).reader().slot;
            bool const got =
                (m.got >> who & 1) != 0 && (m.in_hand >> who & 1) == 0 && !m.may_repeat;
            if ((m.due >> who & 1) == 0 || got || slot < 0 || (m.lost_for >> slot & 1) != 0)
                continue;
            bool waits = false;
            for (uint32_t i = 0; i < cells(); i++)
                waits = waits || (cell_word(i).is(Phase::full) && message_in(i) == entry.first &&
                                  (holders(i) >> slot & 1) != 0);
            if (!waits && !(m.may_repeat && (m.got >> who & 1) != 0))
                return fail("C2: message %d never reaches %c", entry.first, letter(who));
        }
    }
    uint64_t in_use = 0;
    ring_of(0).each_subscriber([&](SubscriberInfo const &info) {
        in_use |= uint64_t{1} << info.number;
        return 0;
    });
    for (uint32_t i = 0; i < cells(); i++) {
        if (!cell_word(i).is(Phase::full))
            continue;
        uint64_t const pins = __atomic_load_n(cells_[i].pins.address(), __ATOMIC_SEQ_CST);
        if ((holders(i) | pins) == 0 && plan_.retain_count == 0)
            return fail("cell %u stays FULL at rest, and nobody holds it", i);
        for (int who = 0; who < outsider(); who++)
            check_cursor(who, i, holders(i));
        if ((holders(i) & ~in_use) != 0 && !anybody_stopped())
            check_leaving(holders(i) & ~in_use, i);
    }
}

/// What somebody holds lies before him, or in his hand.
void ChannelWorld::check_cursor(int who, uint32_t cell, uint64_t holders)
{
    ReaderState const &reader = subscription(who).reader();
    if ((joined_ >> who & 1) == 0 || reader.slot < 0 || (holders >> reader.slot & 1) == 0)
        return;
    uint32_t const level = cell / plan_.capacity;
    uint64_t const position = cell_word(cell).lap() * plan_.capacity + cell % plan_.capacity;
    bool const in_hand = (messages_[message_in(cell)].in_hand >> who & 1) != 0;
    if (position < reader.cursor[level] && !in_hand)
        fail("C2: %c holds message %d and will never read it", letter(who), message_in(cell));
}

/// A bit of who has left is only there while his place waits for its sweep.
void ChannelWorld::check_leaving(uint64_t bits, uint32_t cell)
{
    auto const *const table = reinterpret_cast<Subscriber const *>(begin_ + sizeof(ChannelHeader) +
                                                                   plan_.levels * sizeof(Level));
    for (; bits != 0; bits &= bits - 1) {
        SubscriberWord const word{
            __atomic_load_n(table[lowest_bit(bits)].word.address(), __ATOMIC_SEQ_CST)};
        if (word.is(SubscriberState::free))
            fail("cell %u is held for a subscriber that is FREE", cell);
    }
}

/// C8, and that readers are told.
void ChannelWorld::check_counts()
{
    ChannelInfo info;
    ring_of(0).inquire(info);
    uint64_t const counted = info.dropped + info.expired;
    uint64_t perhaps = 0;
    for (int number : perhaps_lost_)
        perhaps += lost_.count(number) == 0 ? 1 : 0;
    if (counted < lost_.size() || counted > lost_.size() + perhaps)
        return fail("C8: %llu messages were lost, %llu are counted",
                    static_cast<unsigned long long>(lost_.size()),
                    static_cast<unsigned long long>(counted));
    if (anybody_died())
        return; // what the dead were told nobody knows
    uint64_t told = 0, lost = lost_.size();
    for (uint64_t sum : told_)
        told += sum;
    if (plan_.mode == ChannelMode::queue) {
        auto const &header = *reinterpret_cast<ChannelHeader const *>(begin_);
        told += __atomic_load_n(header.untold.address(), __ATOMIC_SEQ_CST);
    } else {
        lost = 0;
        for (auto const &entry : messages_)
            lost += static_cast<uint64_t>(__builtin_popcount(entry.second.lost_for));
        ring_of(0).each_subscriber([&](SubscriberInfo const &one) {
            told += one.missed;
            return 0;
        });
    }
    if (told != lost && !left_early_)
        fail("%llu losses, and readers are told %llu", static_cast<unsigned long long>(lost),
             static_cast<unsigned long long>(told));
}

void ChannelWorld::check_empty()
{
    bool const gone = !block_word(ref_).is(Kind::allocated);
    for (uint32_t i = 0; i < cells() && !gone; i++)
        if (!cell_word(i).is(Phase::empty) || __atomic_load_n(cells_[i].ref.address(), 5) != 0)
            return fail("cell %u is not EMPTY at rest: %s", i,
                        value_of(&cells_[i].word, cell_word(i).raw).c_str());
    for (auto const &entry : messages_) {
        if (entry.second.posted && !entry.second.consumed && lost_.count(entry.first) == 0)
            return fail("C2: message %d was posted and lost", entry.first);
        BlockWord const word = block_word(entry.second.ref);
        bool const is_left = entry.second.ref.value != 0 && word.is(Kind::allocated) &&
                             word.owner() == weir::kNobody;
        if (is_left)
            return fail("leak: the block of message %d is nobody's", entry.first);
    }
}

} // namespace weir::explore
