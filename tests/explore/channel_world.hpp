// SPDX-License-Identifier: MIT OR Apache-2.0
// A tiny channel in a tiny matrix, and what a specification knows of its messages.
#pragma once

#include "core/channel/channel.hpp"
#include "tests/explore/matrix_world.hpp"

#include <map>
#include <string>
#include <vector>

namespace weir::explore {

struct ChannelPlan {
    uint32_t capacity = 2;
    int before = 0;         ///< messages 1 … that are posted before the schedule begins
    bool unordered = false; ///< blocks are posted again: the order of one poster says nothing
    bool retires = false;   ///< what waits may be freed; nobody has the channel open at first
};

class ChannelWorld;

/// What a program may do. A message is a number; its block is the piece of that number.
class Peer {
  public:
    Peer(ChannelWorld &world, int number) : world_(world), number_(number) {}

    int number() const { return number_; }
    Matrix &matrix() const;
    /// True if it was posted. EAGAIN and the like: the block is freed.
    bool post(int message, Nanoseconds timeout = 0) const;
    /// Posts a block that this fibre has taken, as a new message.
    bool post_taken(int message, Ref ref) const;
    /// Reads one and answers. False if nothing waits.
    bool read_ack(Nanoseconds timeout = 0) const;
    /// Says nack to a message that is new, ack to one that is not.
    bool read_nack() const;
    /// Reads one and keeps its block. Null if nothing waits.
    Ref read_take() const;
    void heal() const;
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
    bool post_ref(int message, Ref ref, Nanoseconds timeout) const;
    void settle_post(int message, Ref ref, Status status) const;

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

    Channel &channel(int fibre) { return *channels_[static_cast<std::size_t>(fibre)]; }
    Subscription &subscription(int fibre)
    {
        return *subscriptions_[static_cast<std::size_t>(fibre)];
    }

    struct Message {
        int poster = kNoFibre;
        int sequence = 0;
        Ref ref;
        bool posted = false;     ///< post() said so
        bool consumed = false;   ///< its block was freed or taken by who held it
        bool may_repeat = false; ///< a reader died with it, or said nack
        int held_by = kNoFibre;
        int deliveries = 0;
    };
    /// Called before post(): from now on the block carries this message.
    void begin_post(int message, int poster, Ref ref);
    Message &message(int number) { return messages_[number]; }
    bool retires() const { return plan_.retires; }

  protected:
    void begin_run() override;
    void settle() override;
    int helpers() const override { return 3; }

  private:
    void make_channel();
    void open_handles();
    void post_before();
    void cell_changed(uint32_t index, int who);
    void block_changed(int number, int who);
    void took(int number, int who, bool again);
    void check_empty();

    Cell *cells_ = nullptr;
    CellWord cell_word(uint32_t index) const;
    int message_in(uint32_t index) const;
    BlockWord block_word(Ref ref) const;

    ChannelPlan plan_;
    Ref ref_;
    std::vector<Channel *> channels_;
    std::vector<Subscription *> subscriptions_;
    std::map<int, Message> messages_, messages_before_;
    std::vector<CellWord> seen_cells_;
    std::map<int, BlockWord> seen_blocks_;
    int last_first_[kMaxFibres] = {}; ///< sequence of the last new message of each poster
};

} // namespace weir::explore
