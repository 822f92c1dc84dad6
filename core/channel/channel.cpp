// SPDX-License-Identifier: MIT OR Apache-2.0
// The handles: making and opening a channel, and waiting.
#include "core/channel/channel.hpp"

#include "core/base/alloc.hpp"
#include "core/channel/subscription.hpp"
#include "core/channel/waiting_turns.hpp"

#include <utility>

namespace weir {
namespace {
constexpr int kOpenTries = 100;

/// Process memory first: a channel that has its name already could not be taken back.
struct SpareHandle {
    SpareHandle() noexcept = default;
    SpareHandle(SpareHandle const &) = delete;
    SpareHandle &operator=(SpareHandle const &) = delete;
    ~SpareHandle() { destroy(handle); }

    Channel *handle = make<Channel>();
};

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
} // namespace

RootOps const kChannelRootOps = {heal_channel, visit_channel, retire_channel, drain_channel};

// ---- making and opening

Status Channel::make_block(Matrix &matrix, char const *name, ChannelOptions const &options) noexcept
{
    Allocation block;
    Status const allocated = matrix.alloc({Ring::bytes_for(options), kCacheLine, true, 0}, block);
    if (!allocated.ok()) // a matrix smaller than the ring has no room for it either
        return allocated.code == -EINVAL ? error(ENOMEM) : allocated;
    Ring::format(block.data, options);
    Status const bound = matrix.bind_object(name, RootKind::channel, block.ref);
    if (!bound.ok())
        static_cast<void>(matrix.free(block.ref)); // ours still
    return bound;
}

/// The process has a mark in the directory now: one handle serves all who open it. `spare` becomes
/// that handle if there is none yet.
Result<Channel *> Channel::add_open(Matrix &matrix, OpenObject const &object,
                                    ChannelOptions const &options, Channel *&spare) noexcept
{
    auto const ring = Ring::of(matrix, object.ref);
    WEIR_TRY(ring);
    ChannelOptions const &own = ring->options();
    if ((options.type_id != 0 && options.type_id != own.type_id) ||
        (options.message_size != 0 && options.message_size != own.message_size))
        return error(kType);
    if (OpenHandle *const known = find(matrix, object); known != nullptr) {
        known->share(object);
        return static_cast<Channel *>(known);
    }
    Channel *const made = std::exchange(spare, nullptr);
    made->ring_ = *ring;
    made->add_to(matrix, object);
    return made;
}

Result<Channel *> Channel::attach_once(Matrix &matrix, char const *name,
                                       ChannelOptions const &options, Channel *&spare) noexcept
{
    Guard const guard(matrix.objects_mutex());
    auto const object = OpenHandle::open(matrix, name, RootKind::channel);
    WEIR_TRY(object);
    auto const added = add_open(matrix, *object, options, spare);
    if (!added.ok() && find(matrix, *object) == nullptr)
        matrix.close_object(*object);
    // Without a mark it may have gone while we looked at its header.
    bool const gone = !added.ok() && object->seen != 0 && !matrix.object_still_there(*object).ok();
    return gone ? error(ENOENT) : added;
}

Result<Channel *> Channel::attach(Matrix &matrix, char const *name,
                                  ChannelOptions const &options) noexcept
{
    SpareHandle spare;
    return spare.handle == nullptr ? error(ENOMEM)
                                   : attach_once(matrix, name, options, spare.handle);
}

Result<Channel *> Channel::create(Matrix &matrix, char const *name,
                                  ChannelOptions const &options) noexcept
{
    SpareHandle spare;
    if (spare.handle == nullptr)
        return error(ENOMEM);
    WEIR_TRY(make_block(matrix, name, options));
    auto const attached = attach_once(matrix, name, options, spare.handle);
    // It was there a moment ago: somebody retired it.
    bool const gone = attached.status().code == -ENOENT || attached.status().code == -kType;
    return gone ? error(kRetired) : attached;
}

Result<Channel *> Channel::open(Matrix &matrix, char const *name,
                                ChannelOptions const &options) noexcept
{
    SpareHandle spare;
    if (spare.handle == nullptr)
        return error(ENOMEM);
    for (int i = 0; i < kOpenTries; ++i) {
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
    return wait_for(
        ring_.room(what.level).word, spins_, timeout, *matrix_, [this] { return enter(); },
        [&] { return ring_.post(what.ref, what.length, what.tag, what.level); }, kPausesForRoom);
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
