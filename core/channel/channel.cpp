// SPDX-License-Identifier: MIT OR Apache-2.0
// The handles: making and opening a channel, and waiting.
#include "core/channel/channel.hpp"

#include "core/base/alloc.hpp"
#include "core/base/bits.hpp"
#include "core/base/waiting.hpp"

#include <utility>

namespace weir {
namespace {
/// The longest sleep before a look for dead participants.
constexpr Nanoseconds kSlice = 250 * kMillisecond;
/// While a peer scribbles over the word to sleep on.
constexpr Nanoseconds kBlindSlice = kMillisecond;
/// Wake-ups in vain before a look for dead participants.
constexpr unsigned kVainWakes = 1000;
constexpr int kSpins = 100;
constexpr int kOpenTries = 100;

unsigned shift_for(uint32_t capacity) noexcept
{
    unsigned const shift = capacity <= 1 ? 0 : floor_log2(capacity - 1) + 1;
    return larger(shift, kMinCapacityShift);
}

/// Process memory first: a channel that has its name already could not be taken back.
struct SpareHandle {
    SpareHandle() noexcept = default;
    SpareHandle(SpareHandle const &) = delete;
    SpareHandle &operator=(SpareHandle const &) = delete;
    ~SpareHandle() { destroy(handle); }

    Channel *handle = make<Channel>();
};

/// Tries `attempt` until it is not EAGAIN, sleeping on `word` in between.
template <class Attempt, class Enter>
Status wait_for(WaitWord &word, Nanoseconds timeout, Matrix &matrix, Enter enter,
                Attempt attempt) noexcept
{
    Status done = attempt();
    if (done.code != -EAGAIN || timeout == 0)
        return done;
    Deadline const deadline(timeout);
    for (int i = 0; i < kSpins && !deadline.passed(); ++i) {
        spin_pause();
        if (done = attempt(); done.code != -EAGAIN)
            return done;
    }
    Waiting waiting(word.word);
    for (unsigned turn = 1;; ++turn) {
        WEIR_TRY(enter());
        if (done = attempt(); done.code != -EAGAIN) // first: an announcement costs who wakes us
            return done;
        uint32_t seen = 0;
        bool const announced = waiting.announce(seen);
        if (done = attempt(); done.code != -EAGAIN) // [F] after the announcement
            return done;
        Nanoseconds const left = deadline.left();
        if (left == 0)
            return error(ETIMEDOUT);
        if (announced)
            waiting.sleep(seen, smaller(left, kSlice));
        else
            sleep_for(smaller(left, kBlindSlice));
        if (waiting.begin() == seen || turn % kVainWakes == 0)
            matrix.heal_dead(); // nobody woke us: perhaps he who should have is dead
    }
}

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
    unsigned const shift = shift_for(options.capacity);
    Allocation block;
    Status const allocated = matrix.alloc({Ring::bytes_for(shift), kCacheLine, true, 0}, block);
    if (!allocated.ok()) // a matrix smaller than the ring has no room for it either
        return allocated.code == -EINVAL ? error(ENOMEM) : allocated;
    Ring::format(block.data, shift, options.type_id, options.fail_when_full);
    Status const bound = matrix.bind_object(name, RootKind::channel, block.ref);
    if (!bound.ok())
        static_cast<void>(matrix.free(block.ref)); // ours still
    return bound;
}

Channel *Channel::find_open(Matrix &matrix, Ref ref) noexcept
{
    auto *at = static_cast<Channel *>(matrix.open_objects());
    while (at != nullptr && !(at->object_.ref == ref))
        at = at->next_;
    return at;
}

/// The process has a mark in the directory now: one handle serves all who open it. `spare` becomes
/// that handle if there is none yet.
Result<Channel *> Channel::add_open(Matrix &matrix, OpenObject const &object,
                                    ChannelOptions const &options, Channel *&spare) noexcept
{
    auto const ring = Ring::of(matrix, object.ref);
    WEIR_TRY(ring);
    if (options.type_id != 0 && options.type_id != (*ring).type_id())
        return error(kType);
    if (Channel *const known = find_open(matrix, object.ref); known != nullptr) {
        ++known->references_;
        known->object_ = object; // in a fork child its mark may have been the parent's until now
        return known;
    }
    Channel *const made = std::exchange(spare, nullptr);
    made->matrix_ = &matrix;
    made->ring_ = *ring;
    made->object_ = object;
    made->next_ = static_cast<Channel *>(matrix.open_objects());
    matrix.open_objects() = made;
    matrix.ref();
    return made;
}

Result<Channel *> Channel::attach_once(Matrix &matrix, char const *name,
                                       ChannelOptions const &options, Channel *&spare) noexcept
{
    Guard const guard(matrix.objects_mutex());
    auto const object = matrix.open_object(name, RootKind::channel);
    WEIR_TRY(object);
    auto const added = add_open(matrix, *object, options, spare);
    if (!added.ok() && find_open(matrix, object->ref) == nullptr)
        matrix.close_object(*object);
    return added;
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

void Channel::ref() noexcept
{
    Guard const guard(matrix_->objects_mutex());
    ++references_;
}

void Channel::unref() noexcept
{
    Matrix &matrix = *matrix_;
    {
        Guard const guard(matrix.objects_mutex());
        if (--references_ != 0)
            return;
        auto *at = static_cast<Channel *>(matrix.open_objects());
        if (at == this)
            matrix.open_objects() = next_;
        for (; at != nullptr; at = at->next_)
            if (at->next_ == this)
                at->next_ = next_;
        matrix.close_object(object_);
    }
    destroy(this);
    matrix.unref();
}

Status Channel::mark_again() noexcept
{
    Guard const guard(matrix_->objects_mutex());
    if (object_.marked_as == matrix_->me())
        return kOk;
    return matrix_->open_object_again(object_);
}

Status Channel::enter(bool also_retired) noexcept
{
    WEIR_TRY(matrix_->enter());
    if (!(object_.marked_as == matrix_->me()))
        WEIR_TRY(mark_again());
    return !also_retired && ring_.retired() ? error(kRetired) : kOk;
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

Status Channel::post(Ref ref, uint64_t length, uint64_t tag, Nanoseconds timeout) noexcept
{
    WEIR_TRY(enter());
    if (ring_.fail_when_full())
        timeout = 0;
    return wait_for(
        ring_.header().room, timeout, *matrix_, [this] { return enter(); },
        [&] { return ring_.post(ref, length, tag); });
}

Status Channel::inquire(ChannelInfo &ret) noexcept
{
    WEIR_TRY(enter());
    ring_.inquire(ret);
    return kOk;
}

Result<Subscription *> Channel::subscribe() noexcept
{
    WEIR_TRY(enter());
    auto *const made = make<Subscription>(*this);
    if (made == nullptr)
        return error(ENOMEM);
    ref();
    return made;
}

void Subscription::close() noexcept
{
    Channel *const channel = channel_;
    destroy(this);
    channel->unref();
}

Status Subscription::read(Nanoseconds timeout, Message &ret) noexcept
{
    WEIR_TRY(channel_->enter());
    return wait_for(
        channel_->ring().header().items, timeout, channel_->matrix(),
        [this] { return channel_->enter(); },
        [&] {
            // relaxed: a count, shared by the threads that read through this subscription
            uint64_t missed = __atomic_exchange_n(&missed_, 0, __ATOMIC_RELAXED);
            Status const done = channel_->ring().read(ret, missed);
            if (missed != 0)
                __atomic_fetch_add(&missed_, missed, __ATOMIC_RELAXED);
            return done;
        });
}

Status Subscription::ack(Message const &message) noexcept
{
    WEIR_TRY(channel_->enter(true));
    return channel_->ring().answer(message, false);
}

Status Subscription::take(Message const &message) noexcept
{
    WEIR_TRY(channel_->enter(true));
    return channel_->ring().answer(message, true);
}

Status Subscription::nack(Message const &message) noexcept
{
    WEIR_TRY(channel_->enter(true));
    return channel_->ring().nack(message);
}

} // namespace weir
