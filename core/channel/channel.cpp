// SPDX-License-Identifier: MIT OR Apache-2.0
// The handles: making and opening a channel, and waiting.
#include "core/channel/channel.hpp"

#include "core/base/alloc.hpp"
#include "core/channel/subscription.hpp"
#include "core/channel/waiting_turns.hpp"

namespace weir {
namespace {
constexpr int kAttachTries = 100;

void heal_channel(Matrix &matrix, Ref ref, Owner dead) noexcept
{
    auto ring = Ring::of(matrix, ref);
    if (ring.ok())
        const_cast<Ring &>(*ring).heal(dead);
}

void visit_channel(Matrix &matrix, Ref ref, void (*found)(void *, Ref), void *userdata) noexcept
{
    auto ring = Ring::of(matrix, ref);
    if (ring.ok())
        const_cast<Ring &>(*ring).visit(found, userdata);
    else
        found(userdata, {});
}

void retire_channel(Matrix &matrix, Ref ref) noexcept
{
    auto ring = Ring::of(matrix, ref);
    if (!ring.ok())
        return;
    const_cast<Ring &>(*ring).retire();
    const_cast<Ring &>(*ring).drain(false);
}

void drain_channel(Matrix &matrix, Ref ref) noexcept
{
    auto ring = Ring::of(matrix, ref);
    if (ring.ok())
        const_cast<Ring &>(*ring).drain(true);
}

void wake_channel(Matrix &matrix, Ref ref) noexcept
{
    auto ring = Ring::of(matrix, ref);
    if (ring.ok())
        const_cast<Ring &>(*ring).wake_everybody();
}
} // namespace

RootOps const kChannelRootOps = {heal_channel, visit_channel, retire_channel, drain_channel,
                                 wake_channel};

// ---- making and opening

Status Channel::make_block(Matrix &matrix, char const *name, ChannelOptions const &options) noexcept
{
    return make_named(matrix, name, RootKind::channel,
                      {Ring::bytes_for(options), kCacheLine, true, 0},
                      [&](void *block) { Ring::format(block, options); });
}

/// Whether it is what is wanted.
Status Channel::prepare(Matrix &matrix, Ref ref, ChannelOptions const &options) noexcept
{
    auto const ring = Ring::of(matrix, ref);
    WEIR_TRY(ring);
    ChannelOptions const &own = ring->options();
    if ((options.type_id != 0 && options.type_id != own.type_id) ||
        (options.message_size != 0 && options.message_size != own.message_size))
        return error(kType);
    ring_ = *ring;
    return kOk;
}

Result<Channel *> Channel::attach_once(Matrix &matrix, char const *name,
                                       ChannelOptions const &options, Channel *&spare) noexcept
{
    return open_named(matrix, name, RootKind::channel, spare,
                      [&](Channel &made, Ref ref) { return made.prepare(matrix, ref, options); });
}

Result<Channel *> Channel::attach(Matrix &matrix, char const *name,
                                  ChannelOptions const &options) noexcept
{
    SpareHandle<Channel> spare;
    return spare.handle == nullptr ? error(ENOMEM)
                                   : attach_once(matrix, name, options, spare.handle);
}

Result<Channel *> Channel::create(Matrix &matrix, char const *name,
                                  ChannelOptions const &options) noexcept
{
    SpareHandle<Channel> spare;
    if (spare.handle == nullptr)
        return error(ENOMEM);
    WEIR_TRY(make_block(matrix, name, options));
    return just_made(attach_once(matrix, name, options, spare.handle));
}

Result<Channel *> Channel::open(Matrix &matrix, char const *name,
                                ChannelOptions const &options) noexcept
{
    SpareHandle<Channel> spare;
    if (spare.handle == nullptr)
        return error(ENOMEM);
    for (int i = 0; i < kAttachTries; ++i) {
        auto const attached = attach_once(matrix, name, options, spare.handle);
        if (attached.ok() || attached.status().code != -ENOENT)
            return attached;
        Status const made = make_block(matrix, name, options);
        if (!made.ok() && made.code != -EEXIST)
            return made;
    }
    return error(EBUSY);
}

void Channel::unref() noexcept
{
    Matrix &matrix = *matrix_;
    if (!drop_user())
        return;
    destroy(this);
    matrix.unref();
}

Status Channel::retire() noexcept
{
    WEIR_TRY(enter());
    WEIR_TRY(matrix_->retire_object(object_));
    ring_.retire();
    ring_.drain(false);
    return kOk;
}

// ---- use

WEIR_HOT Status Channel::post_hot(Post const &what, Nanoseconds timeout, Nanoseconds now) noexcept
{
    if (what.level >= ring_.options().levels)
        return error(EINVAL);
    Status done = ring_.post(what.ref, what.length, what.tag, what.level, now);
    if (!WEIR_LIKELY(done.code != -EAGAIN) && timeout != 0)
        done = post_waiting(what, timeout);
    ring_.pass_baton(what.level);
    return done;
}

Status Channel::post(Post const &what, Nanoseconds timeout) noexcept
{
    WEIR_TRY(enter());
    return post_hot(what, timeout, 0);
}

Status Channel::post_entered(Post const &what, Nanoseconds timeout, Nanoseconds now) noexcept
{
    return post_hot(what, timeout, now);
}

WEIR_COLD Status Channel::post_waiting(Post const &what, Nanoseconds timeout) noexcept
{
    if (ring_.options().overflow == Overflow::fail)
        return error(EAGAIN);
    Wanted const room{
        [&] { return ring_.post(what.ref, what.length, what.tag, what.level); },
        [&] { return ring_.has_much_room(what.level); },
        [&] { return ring_.fill(what.level) > ring_.capacity() / 2; }, // by other posters
        kPausesForRoom};
    return wait_for(
        ring_.room(what.level).word, budget_, timeout, *matrix_, [this] { return enter(); }, room);
}

/// Looking writes nothing, so a read-only handle may.
Status Channel::enter_to_look() noexcept { return is_watched() ? still_there() : enter(); }

Status Channel::inquire(ChannelInfo &ret) noexcept
{
    WEIR_TRY(enter_to_look());
    ring_.inquire(ret);
    return still_there();
}

Status Channel::subscribers(int (*visit)(SubscriberInfo const &, void *), void *userdata) noexcept
{
    WEIR_TRY(enter_to_look());
    int const code =
        ring_.each_subscriber([=](SubscriberInfo const &info) { return visit(info, userdata); });
    return code != 0 ? Status{code} : still_there();
}

Result<Subscription *> Channel::subscribe() noexcept
{
    WEIR_TRY(enter());
    auto *const made = make<Subscription>(*this);
    if (made == nullptr)
        return error(ENOMEM);
    Status const joined = ring_.join(made->reader());
    if (!joined.ok()) {
        destroy(made);
        return joined;
    }
    ref();
    return made;
}

} // namespace weir
