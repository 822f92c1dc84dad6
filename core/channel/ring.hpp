// SPDX-License-Identifier: MIT OR Apache-2.0
// The protocol on a channel's cells (states and healing table in channel.hpp).
#pragma once

#include "core/base/clock.hpp"
#include "core/base/waiting.hpp"
#include "core/channel/cell.hpp"
#include "core/channel/hand.hpp"
#include "core/index/bit_tree.hpp"
#include "core/matrix/matrix.hpp"

namespace weir {

#ifdef WEIR_EXPLORE
inline constexpr unsigned kMinCapacityShift = 0;
#else
inline constexpr unsigned kMinCapacityShift = 4; // so that 45 bits of lap last for centuries
#endif
inline constexpr unsigned kMaxCapacityShift = 20;

/// What the maker of a channel decides.
struct ChannelOptions {
    uint64_t type_id = 0;
    uint64_t message_size = 0; ///< bytes of each message; 0: any
    uint32_t capacity = 1024;  ///< messages of a level; rounded up to a power of two
    uint32_t levels = 1;
    ChannelMode mode = ChannelMode::queue;
    Overflow overflow = Overflow::block;
    Nanoseconds ttl = 0;
    Nanoseconds ageing = 0;
    uint64_t retain_count = 0;
    Nanoseconds retain = 0;
};

/// A message in a reader's hand. Laid out as the C API's, whose callers' memory it is filled in: it
/// may alias that.
struct __attribute__((may_alias)) Message {
    Ref ref;
    uint64_t length = 0;
    uint64_t tag = 0;
    uint64_t position = 0; ///< in its level
    uint64_t sender = 0;
    int64_t posted_at_ns = 0;
    uint64_t missed = 0;
    uint32_t redeliveries = 0;
    uint32_t level = 0;
};

struct LevelInfo {
    uint64_t waiting = 0, waiting_bytes = 0;
};

struct ChannelInfo {
    ChannelOptions options;
    uint64_t capacity = 0, waiting = 0, waiting_bytes = 0, held = 0, writing = 0;
    int64_t oldest_age_ns = 0;
    uint64_t posted = 0, next_tag = 0, next_length = 0, next_sender = 0;
    int64_t next_posted_at_ns = 0;
    uint64_t next_position = 0;
    uint32_t next_level = 0;
    uint32_t subscribers = 0;
    uint64_t dropped = 0, expired = 0;
    LevelInfo level[kMaxLevels];
};

struct SubscriberInfo {
    uint32_t number = 0;
    uint64_t participant = 0;
    uint64_t lag = 0;    ///< messages that it has not answered
    uint64_t missed = 0; ///< lost, and it has not been told
};

/// What one subscription keeps in its process.
struct ReaderState {
    Hand hand;
    int slot = -1;                    ///< broadcast: its place in the table of subscribers
    SubscriberWord joined{};          ///< what it wrote there
    uint64_t joined_as = kNoIdentity; ///< packed; in a fork child it is somebody else's
    uint64_t missed = 0;              ///< messages whose block was gone; by __atomic builtins
    uint64_t cursor[kMaxLevels] = {}; ///< broadcast: next position; by __atomic builtins
};

enum class Answer { done, take, again };

class Ring {
  public:
    /// Bytes of the block of a channel.
    static uint64_t bytes_for(ChannelOptions const &options) noexcept;
    /// Writes the header into a zeroed block of that size.
    static void format(void *block, ChannelOptions const &options) noexcept;
    /// Validates the channel in a block. kCorrupt, kVersion.
    static Result<Ring> of(Matrix &matrix, Ref ref) noexcept;

    /// EAGAIN: full. 1: refused by DROP_NEW, and the block is freed. `now`: the time of the post, or
    /// 0 to look at the clock.
    Status post(Ref ref, uint64_t length, uint64_t tag, unsigned level = 0,
                Nanoseconds now = 0) noexcept;
    /// Whether a cell that later posts will come to is free: a quarter of the ring ahead, if that is
    /// not far. There readers are seldom at work, so who looks takes no line from them; and who goes
    /// on after it does so for a while.
    bool has_much_room(unsigned level) const noexcept
    {
        constexpr uint64_t kMuch = 64;
        uint64_t const next = levels_[level].tail.load(relaxed); // a hint
        Spot const far{level, next + smaller(capacity() / 4, kMuch)};
        return load(far).raw == CellWord::of(Phase::empty, lap(far.position)).raw;
    }
    /// After a post that may have slept: if there is more room, the next sleeper may have it.
    void pass_baton(unsigned level) noexcept
    {
        if (!WEIR_LIKELY((Waiting(levels_[level].room.word).begin() & 1) == 0))
            wake_if_room(level);
    }
    /// EAGAIN: nothing waits.
    Status read(ReaderState &reader, Message &ret) noexcept;
    /// Whether read() would find something; changes nothing.
    bool has_message(ReaderState const &reader) noexcept;
    Status answer(ReaderState &reader, Message const &message, Answer how) noexcept;
    /// Broadcast: ENOSPC if there are 64. Queue: nothing to do in the ring.
    Status join(ReaderState &reader) noexcept;
    /// Gives back what is in its hand.
    void leave(ReaderState &reader) noexcept;
    void inquire(ChannelInfo &ret) const noexcept;
    /// Of broadcast. Calls `visit(info)` for each; stops at anything but 0 and returns it.
    template <class Visit> int each_subscriber(Visit visit) const noexcept;

    void retire() noexcept;
    void wake_everybody() noexcept;
    bool retired() const noexcept
    {
        return header_->retired.load(relaxed) != 0; // a switch; who misses it sees it next time
    }
    /// Frees what waits. `all`: nobody has the channel open, so what is held as well.
    void drain(bool all) noexcept;
    void heal(Owner dead) noexcept;
    void visit(void (*found)(void *, Ref), void *userdata) noexcept;

    ChannelHeader &header() const noexcept { return *header_; }
    WaitWord &room(unsigned level) const noexcept { return levels_[level].room; }
    ChannelOptions const &options() const noexcept { return options_; }
    uint64_t capacity() const noexcept { return uint64_t{1} << shift_; }
    uint64_t cells() const noexcept { return uint64_t{options_.levels} << shift_; }
    Cell *cell_array() const noexcept { return cells_; }
    /// Messages between the hints: an estimate.
    uint64_t fill(unsigned level) noexcept;

  private:
    enum class Look { found, again, far, empty };

    /// What a post writes into its cell.
    struct Letter {
        Ref ref;
        uint64_t length, tag;
        Nanoseconds posted_at;
        uint64_t sender;
    };
    /// Where a message is.
    struct Spot {
        unsigned level;
        uint64_t position;
    };

    bool broadcast() const noexcept { return options_.mode == ChannelMode::broadcast; }
    bool may_lose() const noexcept { return tallies_ != nullptr; }
    uint64_t index(Spot spot) const noexcept
    {
        return (uint64_t{spot.level} << shift_) + (spot.position & mask_);
    }
    /// Who uses it more than once keeps it: kept().
    Cell &cell(Spot spot) const noexcept { return cells_[index(spot)]; }
    uint64_t lap(uint64_t position) const noexcept
    {
        return position >> shift_ & CellWord::kLapMask;
    }
    /// The spot of cell number `i` in the lap of its word.
    Spot spot_of(uint64_t i, CellWord word) const noexcept
    {
        return {static_cast<unsigned>(i >> shift_), word.lap() << shift_ | (i & (capacity() - 1))};
    }
    static CellWord load(Cell const &at) noexcept
    {
        // [B] seq_cst, for the look before sleeping; pairs with change()
        return {at.word.load(seq_cst)};
    }
    CellWord load(Spot spot) const noexcept { return load(cell(spot)); }
    CellWord load(uint64_t i) const noexcept { return {cells_[i].word.load(seq_cst)}; } // [B]
    static bool change(Cell &at, CellWord from, CellWord to) noexcept
    {
        // [W] seq_cst; also: what was written into the cell before is visible after
        return at.word.compare_exchange(from.raw, to.raw, seq_cst, relaxed);
    }
    bool change(Spot spot, CellWord from, CellWord to) noexcept
    {
        return change(cell(spot), from, to);
    }
    unsigned column(unsigned level) const noexcept { return options_.levels - 1 - level; }
    /// Modulo the lap's bits.
    static bool behind(uint64_t lap, uint64_t of) noexcept
    {
        uint64_t const ahead = (of - lap) & CellWord::kLapMask;
        return ahead != 0 && ahead <= CellWord::kLapMask / 2;
    }
    static void advance(atomic<uint64_t> &hint, uint64_t from) noexcept;

    // ring.cpp: post
    Status post_elsewhere(Place const &block, Letter const &letter, unsigned level) noexcept;
    Status post_into(Cell &at, Spot spot, CellWord writing, Place const &block,
                     Letter const &letter) noexcept;
    Status take_cell(unsigned level, Spot &ret_spot, CellWord &ret_writing) noexcept;
    bool make_room(Spot spot, CellWord found) noexcept;
    Status refuse(Ref ref) noexcept;
    Status hand_over(Spot spot, CellWord writing, Ref ref) noexcept;
    bool publish(Spot spot, CellWord writing) noexcept;
    bool publish_to_one(Cell &at, CellWord writing) noexcept;
    bool publish_to_all(Spot spot, CellWord writing) noexcept;
    void pass_on(Spot spot, CellWord from) noexcept;
    void tell_dropper(unsigned level) noexcept;
    void wake_if_room(unsigned level) noexcept;
    /// One wake-up per message in a queue. A sleeper who was woken looks before he gives up, so no
    /// wake-up is spent on somebody who does not use it. In broadcast all want it.
    void ring_items() noexcept
    {
        if (broadcast())
            Waiting(header_->items.word).wake();
        else
            Waiting(header_->items.word).wake_one();
        Waiting(header_->watchers.word).wake();
    }

    // ring_read.cpp: queue
    Status read_properly(ReaderState &reader, Message &ret) noexcept;
    Look look_at_head(ReaderState &reader, Message &ret) noexcept;
    Look look(ReaderState &reader, Message &ret) noexcept;
    Look look_at_level(ReaderState &reader, unsigned level, Message &ret) noexcept;
    Look look_at_redelivery(ReaderState &reader, unsigned level, Message &ret) noexcept;
    Look look_from_head(ReaderState &reader, unsigned level, Message &ret) noexcept;
    bool filled_meanwhile(unsigned level, uint64_t from, uint64_t to) const noexcept;
    bool grab(ReaderState &reader, Spot spot, CellWord full, Message &ret) noexcept;
    bool grab_hot(ReaderState &reader, Spot spot, Cell &at, CellWord full, Message &ret) noexcept;
    void unmark(Spot spot) noexcept;
    void give_back(Spot spot, CellWord held) noexcept;
    Status answer_held(ReaderState &reader, Message const &message, Answer how) noexcept;
    unsigned most_urgent(ReaderState const &reader) noexcept;
    bool find_first(ReaderState const &reader, unsigned level, Spot &ret) noexcept;
    bool find_first_of_queue(unsigned level, Spot &ret) noexcept;
    /// `ref`: as it was looked up; a scribbler may have changed the cell since.
    static void describe(ReaderState &reader, Spot spot, Cell const &at, Ref ref, uint64_t size,
                         Message &ret) noexcept
    {
        ret.ref = ref;
        // relaxed: published by FULL, which we have read
        ret.length = smaller(at.length.load(relaxed), size); // a scribbler may have been here
        ret.tag = at.tag.load(relaxed);
        ret.position = spot.position;
        ret.sender = at.sender.load(relaxed);
        ret.posted_at_ns = static_cast<int64_t>(at.posted_at_ns.load(relaxed));
        ret.level = spot.level;
        ret.missed = 0;
        if (__atomic_load_n(&reader.missed, __ATOMIC_RELAXED) != 0) // a count, told once
            ret.missed = __atomic_exchange_n(&reader.missed, 0, __ATOMIC_RELAXED);
    }
    bool nobodys(Ref ref) noexcept;
    /// Bytes of the block of a message, by a proper look alone; 0: there is none that is nobody's.
    uint64_t size_of_posted(Ref ref) noexcept;
    // ring_hot.hpp
    uint64_t size_of_posted(Ref ref, bool placed, Place &block) noexcept;
    Status free_posted(Ref ref) noexcept;

    // ring_broadcast.cpp
    Look look_from_cursor(ReaderState &reader, unsigned level, Message &ret) noexcept;
    Look look_at_cursor(ReaderState &reader, Message &ret) noexcept;
    Look pick_up(ReaderState &reader, Spot spot, Cell &at, CellWord full, Message &ret) noexcept;
    void step_over(ReaderState &reader, Spot spot) noexcept;
    void rewind(ReaderState &reader, Spot spot) noexcept;
    void hand_back(ReaderState &reader, Spot spot, bool gone) noexcept;
    void let_go(Cell &at, Spot spot, uint64_t bit) noexcept;
    void unpin(Spot spot, uint64_t bit) noexcept;
    Status answer_shared(ReaderState &reader, Message const &message, Answer how) noexcept;
    Status answer_otherwise(ReaderState &reader, Spot spot, CellWord full, unsigned deliveries,
                            Answer how) noexcept;
    Status take_shared(Spot spot, CellWord full, uint64_t bit) noexcept;
    uint64_t next_possible(uint64_t position, CellWord found) const noexcept;
    bool find_first_of_mine(ReaderState const &reader, unsigned level, Spot &ret) noexcept;
    bool is_held(Cell const &at) const noexcept;
    bool is_retained(Spot spot) const noexcept;
    void collect(Spot spot, bool also_retained = false) noexcept;
    void tidy(unsigned level) noexcept;
    void hold_retained(unsigned level, uint64_t bit) noexcept;

    // ring_subscribers.cpp
    bool take_slot_patiently(ReaderState &reader) noexcept;
    bool is_full_of_subscribers() const noexcept;
    bool take_slot(ReaderState &reader) noexcept;
    bool sweep(uint64_t bit) noexcept;
    void finish_leave(unsigned slot, SubscriberWord leaving) noexcept;
    void sweep_leaving() noexcept;
    void heal_subscribers(Owner dead) noexcept;

    // ring_discard.cpp
    bool is_expired(Spot spot) const noexcept;
    bool discard(Spot spot, CellWord full, Phase how) noexcept;
    bool finish_discard(Spot spot, CellWord word, bool healing) noexcept;
    bool put_back(Spot spot, CellWord word) noexcept;
    bool is_pinned(Spot spot) const noexcept;
    uint64_t losers(Spot spot, uint64_t keepers) const noexcept;
    void take_away(Spot spot, uint64_t from, Phase how) noexcept;
    bool is_counted(Spot spot, Phase how) const noexcept;
    void count_lost(Spot spot, Phase how) noexcept;

    // ring_heal.cpp
    void heal_cell(Spot spot, CellWord word) noexcept;
    void count_cell(uint64_t i, ChannelInfo &ret, uint64_t &oldest) const noexcept;

    Matrix *matrix_ = nullptr;
    ChannelHeader *header_ = nullptr;
    Level *levels_ = nullptr;
    Cell *cells_ = nullptr;
    Subscriber *subscribers_ = nullptr; ///< kMaxSubscribers, of broadcast
    Tally *tallies_ = nullptr;          ///< one per cell, if messages may be lost
    BitTree redelivery_;                ///< of queues
    unsigned shift_ = 0;
    uint64_t mask_ = 0;            ///< of a position in its level
    bool plain_queue_ = false;     ///< a queue of one level
    bool plain_broadcast_ = false; ///< of one level, which loses nothing
    ChannelOptions options_;       ///< as validated at attach
};

template <class Visit> int Ring::each_subscriber(Visit visit) const noexcept
{
    for (unsigned i = 0; broadcast() && i < kMaxSubscribers; ++i) {
        SubscriberWord const word{subscribers_[i].word.load(relaxed)}; // a snapshot by nature
        if (!word.is(SubscriberState::active))
            continue;
        SubscriberInfo info;
        info.number = i;
        info.participant = matrix_->id_of(word.owner());
        info.missed = subscribers_[i].missed.load(relaxed);
        for (uint64_t k = 0; k < cells(); ++k)
            info.lag += load(k).is(Phase::full) ? cells_[k].holders.load(relaxed) >> i & 1 : 0;
        if (int const code = visit(static_cast<SubscriberInfo const &>(info)); code != 0)
            return code;
    }
    return 0;
}

} // namespace weir
