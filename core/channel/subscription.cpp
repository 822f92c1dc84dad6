// SPDX-License-Identifier: MIT OR Apache-2.0
// Reading and answering through a subscription.
#include "core/channel/subscription.hpp"

#include "core/base/alloc.hpp"
#include "core/channel/ring_hot.hpp"

namespace weir {

void Subscription::close() noexcept
{
    Channel *const channel = channel_;
    unwatch(watch_);
    // Else there is nothing left to give back, or it is the parent's, whose child only cleans up.
    if (channel->matrix().is_joined() && channel->enter(true).ok())
        channel->ring().leave(reader_);
    destroy(this);
    channel->unref();
}

Status Subscription::read(Nanoseconds timeout, Message &ret) noexcept
{
    WEIR_TRY(enter(false));
    Status const done = channel_->ring().read(reader_, ret);
    return WEIR_LIKELY(done.ok()) ? done : read_waiting(done, timeout, ret);
}

/// After a first look that found nothing.
Status Subscription::read_waiting(Status done, Nanoseconds timeout, Message &ret) noexcept
{
    Ring &ring = channel_->ring();
    Wanted const message{[&] { return ring.read(reader_, ret); }, [] { return true; },
                         [] { return false; }, // what came meanwhile is late
                         kPausesForMessage};
    if (done.code == -EAGAIN && timeout != 0)
        done = wait_for(
            ring.header().items.word, budget_, timeout, channel_->matrix(),
            [this] { return enter(false); }, message);
    if (done.code == -EAGAIN || done.code == -ETIMEDOUT)
        rearm(watch_);
    return done;
}

Status Subscription::fd(int &ret_fd) noexcept
{
    WEIR_TRY(enter(false));
    watch_.subscription = this;
    return watch(watch_, ret_fd);
}

bool Subscription::is_ready() noexcept
{
    return channel_->ring().retired() || channel_->matrix().segment().retired() ||
           channel_->ring().has_message(reader_);
}

Status Subscription::answer(Message const &message, Answer how) noexcept
{
    WEIR_TRY(enter(true));
    return channel_->ring().answer(reader_, message, how);
}

} // namespace weir
