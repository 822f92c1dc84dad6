// SPDX-License-Identifier: MIT OR Apache-2.0
// A reader of a channel, as one process has it.
#pragma once

#include "core/channel/channel.hpp"
#include "core/channel/watcher.hpp"

namespace weir {

class Subscription {
  public:
    explicit Subscription(Channel &channel) noexcept : channel_(&channel) {}

    void close() noexcept;
    Status read(Nanoseconds timeout, Message &ret) noexcept;
    /// Where the block of a message lies that was just read.
    void *data_of(Message const &message) noexcept
    {
        return channel_->matrix().address_of(message.ref);
    }
    Status ack(Message const &message) noexcept { return answer(message, Answer::done); }
    Status take(Message const &message) noexcept { return answer(message, Answer::take); }
    Status nack(Message const &message) noexcept { return answer(message, Answer::again); }

    /// A descriptor that is readable while read() would probably not say EAGAIN.
    Status fd(int &ret_fd) noexcept;
    /// Whether read() has something to say; for the thread behind the descriptor.
    bool is_ready() noexcept;

    ReaderState &reader() noexcept { return reader_; }
    Channel &channel() noexcept { return *channel_; }

  private:
    /// A broadcast subscription has a place in the channel, which a fork child does not inherit.
    Status enter(bool also_retired) noexcept
    {
        WEIR_TRY(channel_->enter(also_retired));
        bool const lent = reader_.slot >= 0 && !channel_->matrix().is(reader_.joined_as);
        return WEIR_LIKELY(!lent) ? kOk : error(kForked);
    }
    Status read_waiting(Status done, Nanoseconds timeout, Message &ret) noexcept;
    Status answer(Message const &message, Answer how) noexcept;

    Channel *channel_;
    ReaderState reader_;
    WaitBudget budget_;
    Watch watch_;
};

} // namespace weir
