// SPDX-License-Identifier: MIT OR Apache-2.0
// A tiny channel in a tiny matrix, and what a specification knows of its messages.
#pragma once

#include "core/channel/subscription.hpp"
#include "tests/explore/matrix_world.hpp"
#include "tests/explore/small_map.hpp"

#include <set>
#include <string>
#include <vector>

namespace weir::explore {

struct ChannelPlan {
    uint32_t capacity = 2;
    uint32_t levels = 1;
    ChannelMode mode = ChannelMode::queue;
    Overflow overflow = Overflow::block;
    Nanoseconds ttl = 0; ///< a step takes 100 ns
    Nanoseconds ageing = 0;
    uint64_t retain_count = 0;
    unsigned taken = 0;     ///< broadcast: places of somebody who is not there
    int subscribed = 0;     ///< broadcast: the first so many fibres are, before the schedule
    int before = 0;         ///< messages 1 … that are posted before the schedule begins
    bool unordered = false; ///< blocks are posted again: the order of one poster says nothing
    bool retires = false;   ///< what waits may be freed; nobody has the channel open at first
    bool shared = false;    ///< all but the last fibre are threads of one process and subscription
};

/// Its name, and what the matrix is told to find it.
inline constexpr char const *kChannelName = "c";
/// Indexed by RootKind, as the C boundary has it.
inline constexpr RootOps const *kChannelOps[kRootKinds] = {nullptr, nullptr, &kChannelRootOps,
                                                           nullptr, nullptr};

class ChannelWorld;

/// What a program may do. A message is a number; its block is the piece of that number.
class Peer {
  public:
    Peer(ChannelWorld &world, int number) : world_(world), number_(number) {}

    int number() const { return number_; }
    Matrix &matrix() const;
    /// True if it was posted. EAGAIN and the like: the block is freed.
    bool post(int message, Nanoseconds timeout = 0, unsigned level = 0) const;
    /// Posts a block that this fibre has taken, as a new message.
    bool post_taken(int message, Ref ref) const;
    /// Reads one and answers. False if nothing waits.
    bool read_ack(Nanoseconds timeout = 0) const;
    /// Says nack to a message that is new, ack to one that is not.
    bool read_nack() const;
    /// Reads one and keeps its block. Null if nothing waits.
    Ref read_take() const;
    /// Reads two, and answers the later one first.
    void read_two_ack_back() const;
    /// Broadcast: takes the block if nobody else waits for the message.
    bool read_take_or_ack() const;
    /// Reads one and neither answers nor lives on properly: it stays in hand. -1 if nothing waits.
    int read_hold() const;
    /// Broadcast: false if there is no place.
    bool join() const;
    void leave() const;
    void heal() const;
    /// Retires the channel that all have open.
    void end() const;
    /// Retires the matrix with all that is in it.
    void end_matrix() const;
    /// Looks into the channel as a read-only handle does: without a mark, and finds no error.
    void watch() const;

    // For retirement: the channel opened by this fibre itself.
    bool open();
    bool post_raw(int message);
    bool read_raw();
    void retire();
    void close();

  private:
    bool read(Nanoseconds timeout, weir::Message &ret) const;
    bool post_ref(int message, Ref ref, Nanoseconds timeout, unsigned level = 0) const;
    void settle_post(int message, Ref ref, Status status) const;
    bool answer(weir::Message const &got, Answer how) const;

    ChannelWorld &world_;
    int number_;
    OpenObject object_{};
    Ring ring_;
    bool is_open_ = false;
};

using ChannelProgram = std::function<void(Peer &)>;

class ChannelWorld : public MatrixWorld {
  public:
    ChannelWorld(ChannelPlan plan, MatrixPlan matrix, std::vector<ChannelProgram> programs);

    void prepare() override;
    void changed(void const *address, int who) override;
    void died(int who) override;
    void stalled(int) override {} // readers wait for posters who have ended
    void overslept(int who) override;
    std::string value_of(void const *address, uint64_t value) const override;

    ReaderState &raw_reader(int fibre) { return *readers_[static_cast<std::size_t>(fibre)]; }
    Channel &channel(int fibre) { return *channels_[static_cast<std::size_t>(fibre)]; }
    Subscription &subscription(int fibre)
    {
        return *subscriptions_[static_cast<std::size_t>(fibre)];
    }

    struct Message {
        int poster = kNoFibre;
        int sequence = 0;
        Ref ref;
        unsigned level = 0;
        bool posted = false;     ///< post() said so
        unsigned must = 0;       ///< who was subscribed when the post began
        unsigned due = 0;        ///< broadcast: who must get it
        unsigned got = 0;        ///< who had it
        unsigned in_hand = 0;    ///< who has it
        unsigned lost_for = 0;   ///< slots from which it was taken away
        bool consumed = false;   ///< its block was freed or taken by who held it
        bool may_repeat = false; ///< a reader died with it, or said nack
        int held_by = kNoFibre;
        int deliveries = 0;
    };
    /// Called before post(): from now on the block carries this message.
    void begin_post(int message, int poster, Ref ref, unsigned level = 0);
    Message &message(int number) { return messages_[number]; }
    void posted(int message);
    /// Broadcast: what read() gave to a fibre; and an answer that begins.
    void picked_up(int message, int who);
    void answers(int message, int who) { messages_[message].in_hand &= ~(1u << who); }
    void joined(int who) { joined_ |= 1u << who; }
    void leaves(int who);
    void told(int who, uint64_t missed) { told_[who] += missed; }
    ChannelPlan const &plan() const { return plan_; }
    /// Who is subscribed when this fibre reads.
    int reader_of(int fibre) const { return plan_.shared && fibre + 1 < programs() ? 0 : fibre; }
    bool retires() const { return plan_.retires; }
    bool has_ended() const;
    bool matrix_is_over() const;

  protected:
    void begin_run() override;
    void settle() override;
    int helpers() const override { return 3; }

  private:
    void make_channel();
    void open_handles();
    void make_readers();
    void check_leaving(uint64_t bits, uint32_t cell);
    void check_cursor(int who, uint32_t cell, uint64_t holders);
    void post_before();
    void cell_changed(uint32_t index, int who);
    void block_changed(int number, int who);
    void took(int number, int who, bool again);
    void holders_changed(uint32_t index, int who);
    void check_empty();
    void check_broadcast();
    void check_counts();
    uint32_t cells() const { return plan_.capacity * plan_.levels; }
    ChannelOptions options() const;
    bool may_go(int number, int who) const;
    Ring ring_of(int fibre);

    Cell *cells_ = nullptr;
    CellWord cell_word(uint32_t index) const;
    int message_in(uint32_t index) const;
    BlockWord block_word(Ref ref) const;

    ChannelPlan plan_;
    Ref ref_;
    std::vector<Channel *> channels_;
    std::vector<Subscription *> subscriptions_;
    std::vector<ReaderState *> readers_;
    char const *begin_ = nullptr, *end_ = nullptr; ///< of the channel's block
    SmallMap<Message> messages_, messages_before_;
    std::vector<CellWord> seen_cells_;
    std::vector<uint64_t> seen_holders_;
    bool knows_blocks_ = false;  ///< seen_before_ is made
    std::set<int> lost_;         ///< dropped or expired, wholly or for somebody
    std::set<int> perhaps_lost_; ///< the last whom it was taken from was leaving
    unsigned joined_ = 0, joined_before_ = 0;
    bool left_early_ = false; ///< who leaves takes what he was not told with him
    int last_got_[kMaxFibres][kMaxFibres][kMaxLevels] = {};
    uint64_t told_[kMaxFibres] = {};
    SmallMap<BlockWord> seen_blocks_, seen_before_;
    /// Sequence of the last new message of each poster and level.
    int last_first_[kMaxFibres][kMaxLevels] = {};
};

} // namespace weir::explore
