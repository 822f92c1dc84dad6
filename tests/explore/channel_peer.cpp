// SPDX-License-Identifier: MIT OR Apache-2.0
// What the programs of a scenario do with the channel.
#include "tests/explore/channel_world.hpp"

#include "core/channel/ring_hot.hpp"
#include "core/matrix/roots.hpp"

namespace weir::explore {

Matrix &Peer::matrix() const { return world_.handle(number_); }

bool Peer::post(int message, Nanoseconds timeout, unsigned level) const
{
    return post_ref(message, world_.piece(kSmall, static_cast<std::size_t>(message)), timeout,
                    level);
}

bool Peer::post_taken(int message, Ref ref) const { return post_ref(message, ref, 0); }

bool Peer::post_ref(int message, Ref ref, Nanoseconds timeout, unsigned level) const
{
    world_.begin_post(message, number_, ref, level);
    Status const status =
        world_.channel(number_).post(Post{ref, 1, static_cast<uint64_t>(message), level}, timeout);
    settle_post(message, ref, status);
    return status.code == 0;
}

void Peer::settle_post(int message, Ref ref, Status status) const
{
    say("post of message %d says %d", message, status.code);
    if (status.code == 1 && world_.plan().overflow == Overflow::drop_new)
        return;
    if (status.code == 0) {
        world_.posted(message);
        return;
    }
    if (status.code != -EAGAIN && status.code != -ETIMEDOUT && status.code != -kRetired)
        fail("post says %d", status.code);
    bool const over = matrix().segment().retired();
    if (!over && !matrix().free(ref).ok())
        fail("the block of a message that was not posted is not its poster's any more");
}

bool Peer::read(Nanoseconds timeout, weir::Message &ret) const
{
    Status const status = world_.subscription(number_).read(timeout, ret);
    say("read says %d, message %d", status.code, static_cast<int>(ret.tag));
    bool const nothing = status.code == -EAGAIN || status.code == -ETIMEDOUT;
    if (!status.ok() && !nothing && !(status.code == -kRetired && world_.has_ended()))
        fail("read says %d", status.code);
    if (!status.ok())
        return false;
    auto const number = static_cast<int>(ret.tag);
    int const reader = world_.reader_of(number_);
    world_.told(reader, ret.missed);
    if (world_.plan().mode == ChannelMode::broadcast)
        world_.picked_up(number, reader);
    else if (world_.message(number).held_by != number_)
        fail("read gave message %d, whose cell says nothing of it", number);
    return true;
}

bool Peer::answer(weir::Message const &got, Answer how) const
{
    Subscription &from = world_.subscription(number_);
    world_.answers(static_cast<int>(got.tag), world_.reader_of(number_));
    if (how == Answer::again)
        world_.message(static_cast<int>(got.tag)).may_repeat = true;
    Status const status = how == Answer::done   ? from.ack(got)
                          : how == Answer::take ? from.take(got)
                                                : from.nack(got);
    if (!status.ok())
        fail("the answer to a message in hand says %d", status.code);
    return status.ok();
}

int Peer::read_hold() const
{
    weir::Message got;
    return read(0, got) ? static_cast<int>(got.tag) : -1;
}

bool Peer::join() const
{
    Status const status =
        world_.channel(number_).ring().join(world_.subscription(number_).reader());
    if (status.ok())
        world_.joined(number_);
    else if (status.code != -ENOSPC)
        fail("join says %d", status.code);
    return status.ok();
}

void Peer::leave() const
{
    world_.leaves(number_);
    world_.channel(number_).ring().leave(world_.subscription(number_).reader());
}

bool Peer::read_ack(Nanoseconds timeout) const
{
    weir::Message got;
    return read(timeout, got) && answer(got, Answer::done);
}

bool Peer::read_nack() const
{
    weir::Message got;
    if (!read(0, got))
        return false;
    bool const again = world_.message(static_cast<int>(got.tag)).may_repeat;
    return answer(got, again ? Answer::done : Answer::again);
}

Ref Peer::read_take() const
{
    weir::Message got;
    if (!read(0, got))
        return {};
    answer(got, Answer::take);
    return got.ref;
}

void Peer::read_two_ack_back() const
{
    weir::Message first, second;
    if (!read(0, first))
        return;
    if (read(0, second))
        answer(second, Answer::done);
    answer(first, Answer::done);
}

bool Peer::read_take_or_ack() const
{
    weir::Message got;
    if (!read(0, got))
        return false;
    world_.answers(static_cast<int>(got.tag), world_.reader_of(number_));
    Status const status = world_.subscription(number_).take(got);
    if (status.ok())
        return matrix().free(got.ref).ok();
    if (status.code != -EBUSY)
        fail("take says %d", status.code);
    return answer(got, Answer::done);
}

void Peer::heal() const
{
    HealReport report;
    must(matrix().heal(report), "heal");
}

void Peer::end() const
{
    Status const status = world_.channel(number_).retire();
    if (!status.ok() && !(status.code == -EBUSY && anybody_stopped()))
        fail("retire says %d", status.code);
}

void Peer::end_matrix() const
{
    if (!matrix().retire().ok())
        fail("retiring the matrix says no");
}

void Peer::watch() const
{
    MatrixOptions options;
    options.access.read_only = true;
    options.root_ops = kChannelOps;
    Matrix watcher;
    must(watcher.adopt(matrix().segment().base(), matrix().segment().geometry(), options), "watch");
    int missing = 0;
    auto const count = [](void *sum, Ref ref) { *static_cast<int *>(sum) += ref.value == 0; };
    Directory(watcher).visit(count, &missing);
    if (missing != 0)
        fail("who only looks finds %d places that name no block", missing);
    auto const opened = Channel::attach(watcher, kChannelName, {});
    if (!opened.ok() && opened.status().code != -ENOENT)
        fail("who only looks is told %d", opened.status().code);
    if (!opened.ok())
        return;
    ChannelInfo info;
    Status const looked = (*opened)->inquire(info);
    if (!looked.ok() && looked.code != -kRetired)
        fail("who only looks into it is told %d", looked.code);
    (*opened)->unref();
}

bool Peer::open()
{
    auto const opened = matrix().open_object(kChannelName, RootKind::channel);
    if (!opened.ok())
        return false;
    object_ = *opened;
    auto const ring = Ring::of(matrix(), object_.ref);
    if (!ring.ok()) {
        fail("an open channel's block is gone: %d", ring.status().code);
        return false;
    }
    ring_ = *ring;
    is_open_ = true;
    return true;
}

bool Peer::post_raw(int message)
{
    if (!matrix().data(object_.ref).ok())
        fail("the block of a channel that %c has open is free", letter(number_));
    Ref const ref = world_.piece(kSmall, static_cast<std::size_t>(message));
    world_.begin_post(message, number_, ref);
    Status const status =
        ring_.retired() ? error(kRetired) : ring_.post(ref, 1, static_cast<uint64_t>(message));
    settle_post(message, ref, status);
    return status.ok();
}

bool Peer::read_raw()
{
    weir::Message got;
    ReaderState &reader = world_.raw_reader(number_);
    if (!ring_.read(reader, got).ok())
        return false;
    if (!ring_.answer(reader, got, Answer::done).ok())
        fail("ack of a message in hand says no");
    return true;
}

void Peer::retire()
{
    Status const status = matrix().retire_object(object_);
    bool const in_the_way = status.code == -EBUSY && anybody_stopped();
    if (!status.ok() && status.code != -kRetired && !in_the_way)
        fail("retire says %d", status.code);
    if (!status.ok())
        return;
    ring_.retire();
    ring_.drain(false);
}

void Peer::close()
{
    if (is_open_)
        matrix().close_object(object_);
    is_open_ = false;
}

} // namespace weir::explore
