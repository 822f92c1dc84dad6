// SPDX-License-Identifier: MIT OR Apache-2.0
// Follows every message through the words of its cell and its block, and checks at each change what
// C1 to C8 promise.
#include "tests/explore/channel_world.hpp"

#include "core/base/waiting.hpp"

namespace weir::explore {

void ChannelWorld::changed(void const *address, int who)
{
    MatrixWorld::changed(address, who);
    auto const *const at = static_cast<char const *>(address);
    if (at >= begin_ && at < end_ && !block_word(ref_).is(Kind::allocated))
        return fail("%c writes into the channel's block, which is free", letter(who));
    auto const offset = at - reinterpret_cast<char *>(cells_);
    auto const size = static_cast<std::ptrdiff_t>(sizeof(Cell));
    bool const in_cells = offset >= 0 && offset < size * cells();
    if (in_cells && offset % size == 0)
        return cell_changed(static_cast<uint32_t>(offset / size), who);
    if (in_cells && offset % size == offsetof(Cell, holders))
        return holders_changed(static_cast<uint32_t>(offset / size), who);
    if (!is_block_word(address))
        return;
    for (auto &entry : messages_)
        if (entry.second.ref.value != 0 &&
            !(block_word(entry.second.ref) == seen_blocks_[entry.first]))
            block_changed(entry.first, who);
}

void ChannelWorld::cell_changed(uint32_t index, int who)
{
    CellWord const from = seen_cells_[index], to = cell_word(index);
    seen_cells_[index] = to;
    Owner const owner = from.owner();
    bool const other = owner != weir::kNobody && owner != owner_of(who);
    if (other && !is_dead(static_cast<int>(owner) - 1))
        fail("cell %u of participant %u is changed by %c", index, owner, letter(who));

    int const number = message_in(index);
    if (from.is(Phase::full) && to.is(Phase::held))
        took(number, who, from.deliveries() > 0);
    bool const lossy = from.is(Phase::dropping) || from.is(Phase::expiring);
    if (lossy && to.is(Phase::empty) && plan_.mode == ChannelMode::queue)
        lost_.insert(number);
    bool const undone = from.is(Phase::dropping) && to.is(Phase::full);
    if (undone && plan_.retain_count == 0 && !anybody_died() && messages_[number].lost_for != 0)
        fail("C8: message %d was taken away by a drop that is not made", number);
    bool const was_taken = from.is(Phase::held) || from.is(Phase::freeing);
    if (was_taken && to.is(Phase::full) && plan_.mode == ChannelMode::queue) {
        messages_[number].may_repeat = true;
        messages_[number].held_by = kNoFibre;
    }
    if (to.is(Phase::full) && block_word(messages_[number].ref).owner() != weir::kNobody)
        fail("cell %u is FULL, and the block of message %d is not nobody's", index, number);
    uint64_t const ref = __atomic_load_n(cells_[index].ref.address(), __ATOMIC_SEQ_CST);
    if (to.is(Phase::empty) && ref != 0)
        fail("C1: cell %u is EMPTY and has a ref", index);
}

/// C3 and C4, at the moment at which a reader gets a message.
void ChannelWorld::took(int number, int who, bool again)
{
    Message &m = messages_[number];
    if (m.consumed)
        fail("C3: message %d is handed out after it was acknowledged", number);
    if (m.held_by != kNoFibre && !is_dead(m.held_by))
        fail("C3: message %d is handed to %c while %c holds it", number, letter(who),
             letter(m.held_by));
    if (m.deliveries > 0 && !m.may_repeat)
        fail("C3: message %d is handed out twice", number);
    m.deliveries++;
    m.held_by = who;
    if (again || m.poster < 0)
        return;
    int &last = last_first_[m.poster][m.level];
    if (!plan_.unordered && m.sequence < last)
        fail("C4: message %d of %c is handed out after a later one", number, letter(m.poster));
    last = m.sequence > last ? m.sequence : last;
}

/// A message's block leaves the channel only through the hands of who holds the message.
void ChannelWorld::block_changed(int number, int who)
{
    Message &m = messages_[number];
    BlockWord const from = seen_blocks_[number], to = block_word(m.ref);
    seen_blocks_[number] = to;
    bool const was_posted = from.is(Kind::allocated) && from.owner() == weir::kNobody;
    bool const is_posted = to.is(Kind::allocated) && to.owner() == weir::kNobody &&
                           to.generation() == from.generation();
    if (!was_posted || is_posted)
        return;
    if (!may_go(number, who) && !plan_.retires)
        fail("C2: %c takes the block of message %d, which it does not hold", letter(who), number);
    for (int i = 0; i < fibres(); i++)
        if ((m.in_hand >> i & 1) != 0 && !is_dead(i))
            fail("C7: %c frees the block of message %d, which %c has in hand", letter(who), number,
                 letter(i));
    m.consumed = true;
    m.ref = Ref{}; // from now on the block is somebody else's business
}

/// Who holds a message alone, and who has its cell for the purpose.
bool ChannelWorld::may_go(int number, int who) const
{
    Message const &m = messages_.at(number);
    if (m.held_by == who)
        return true;
    for (uint32_t i = 0; i < cells(); i++) {
        CellWord const word = cell_word(i);
        bool const ending =
            word.is(Phase::freeing) || word.is(Phase::dropping) || word.is(Phase::expiring);
        if (ending && word.owner() == owner_of(who) &&
            __atomic_load_n(cells_[i].ref.address(), __ATOMIC_SEQ_CST) == m.ref.value)
            return true;
    }
    return false;
}

/// Whose bit is taken by who has the cell DROPPING or EXPIRING has lost the message, and is told.
void ChannelWorld::holders_changed(uint32_t index, int who)
{
    uint64_t const now = __atomic_load_n(cells_[index].holders.address(), __ATOMIC_SEQ_CST);
    uint64_t const gone = seen_holders_[index] & ~now;
    seen_holders_[index] = now;
    CellWord const word = cell_word(index);
    bool const lossy = word.is(Phase::dropping) || word.is(Phase::expiring);
    if (gone == 0 || !lossy)
        return;
    if (word.owner() != owner_of(who)) { // an answer; or a sweep, and who has left cannot lose
        if ((joined_ >> who & 1) == 0)
            perhaps_lost_.insert(message_in(index));
        return;
    }
    int const number = message_in(index);
    lost_.insert(number);
    messages_[number].lost_for |= static_cast<unsigned>(gone);
}

void ChannelWorld::posted(int number)
{
    Message &m = messages_[number];
    m.posted = true;
    m.due = m.must & joined_;
}

void ChannelWorld::picked_up(int number, int who)
{
    Message &m = messages_[number];
    unsigned const bit = 1u << who;
    if ((m.got & bit) != 0 && !m.may_repeat)
        fail("C3: message %d is handed to %c twice", number, letter(who));
    if ((m.lost_for >> subscription(who).reader().slot & 1) != 0)
        fail("C8: message %d is handed to %c, from whom it was taken away", number, letter(who));
    BlockWord const word = block_word(m.ref);
    if (m.ref.value == 0 || !word.is(Kind::allocated) || word.owner() != weir::kNobody)
        fail("C7: the block of message %d, which %c reads, is gone", number, letter(who));
    if ((m.got & bit) == 0 && m.poster >= 0 && !plan_.unordered) {
        int &last = last_got_[who][m.poster][m.level];
        if (m.sequence < last)
            fail("C4: message %d of %c comes to %c after a later one", number, letter(m.poster),
                 letter(who));
        last = m.sequence;
    }
    m.got |= bit;
    m.in_hand |= bit;
    m.deliveries++;
}

void ChannelWorld::leaves(int who)
{
    left_early_ = true;
    joined_ &= ~(1u << who);
    for (auto &entry : messages_) {
        entry.second.due &= ~(1u << who);
        entry.second.must &= ~(1u << who);
        entry.second.in_hand &= ~(1u << who);
    }
}

void ChannelWorld::died(int who)
{
    MatrixWorld::died(who);
    leaves(reader_of(who));
}

bool ChannelWorld::has_ended() const
{
    auto const &header = *reinterpret_cast<ChannelHeader const *>(begin_);
    return __atomic_load_n(header.retired.address(), __ATOMIC_SEQ_CST) != 0 || matrix_is_over();
}

bool ChannelWorld::matrix_is_over() const
{
    auto const &header = *reinterpret_cast<Header const *>(base());
    return __atomic_load_n(header.state.address(), __ATOMIC_SEQ_CST) != kStateReady;
}

/// C6, when a sleeper's time runs out. Somebody who died before waking others has to be healed
/// first; the sleeper then does it himself.
void ChannelWorld::overslept(int who)
{
    for (int i = 0; i < fibres(); i++)
        if (is_dead(i) &&
            SlotWord{__atomic_load_n(slots()[i].word.address(), __ATOMIC_SEQ_CST)}.state() !=
                SlotState::free)
            return;
    if (anybody_stopped())
        return;
    bool forgotten = false;
    auto const *const levels = reinterpret_cast<Level const *>(begin_ + sizeof(ChannelHeader));
    for (uint32_t level = 0; level < plan_.levels; level++) {
        if (slept_on(who) != levels[level].room.word.address())
            continue;
        uint64_t const tail = __atomic_load_n(levels[level].tail.address(), __ATOMIC_SEQ_CST);
        auto const at = static_cast<uint32_t>(level * plan_.capacity + tail % plan_.capacity);
        CellWord const next = cell_word(at);
        forgotten = forgotten || (next.is(Phase::empty) && next.lap() == tail / plan_.capacity);
        bool const may_go = plan_.overflow == Overflow::drop_oldest && next.is(Phase::full) &&
                            next.lap() + 1 == tail / plan_.capacity &&
                            __atomic_load_n(cells_[at].pins.address(), __ATOMIC_SEQ_CST) == 0;
        forgotten = forgotten || may_go;
    }
    auto const &header = *reinterpret_cast<ChannelHeader const *>(begin_);
    forgotten = forgotten || has_ended();
    bool const reads = slept_on(who) == header.items.word.address();
    for (uint32_t i = 0; i < cells() && reads; i++) {
        uint64_t const holders = __atomic_load_n(cells_[i].holders.address(), __ATOMIC_SEQ_CST);
        bool const mine = plan_.mode == ChannelMode::queue ||
                          (holders >> subscription(who).reader().slot & 1) != 0;
        forgotten = forgotten || (cell_word(i).is(Phase::full) && mine);
    }
    if (forgotten)
        fail("C6: %c was forgotten in its sleep", letter(who));
}

} // namespace weir::explore
