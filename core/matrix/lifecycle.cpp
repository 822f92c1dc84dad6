// SPDX-License-Identifier: MIT OR Apache-2.0
// A matrix handle's life: made, attached, forked, left.
#include "core/base/alloc.hpp"
#include "core/base/bits.hpp"
#include "core/base/cancel.hpp"
#include "core/matrix/depot.hpp"
#include "core/matrix/matrix.hpp"
#include "core/matrix/roots.hpp"
#include "core/segment/name.hpp"

#include <cstring>

namespace weir {
namespace {
constexpr int kOpenTries = 100;

uint16_t salt_of(Uuid const &uuid) noexcept
{
    return static_cast<uint16_t>(uuid.bytes[0] | uuid.bytes[1] << 8);
}
} // namespace

/// Frees a handle that never became, or no longer is, a participant.
void Matrix::discard(Matrix *matrix) noexcept
{
    unregister_fork_hook(matrix->fork_hook_);
    unregister_thread_hook(matrix->thread_hook_);
    matrix->drop_lanes();
    deallocate(matrix->name_);
    destroy(matrix);
}

Status Matrix::keep_name(char const *name) noexcept
{
    if (name == nullptr)
        return kOk;
    size_t const bytes = std::strlen(name) + 1;
    name_ = static_cast<char *>(allocate(bytes));
    if (name_ == nullptr)
        return error(ENOMEM);
    std::memcpy(name_, name, bytes);
    return kOk;
}

/// The segment is mapped: joins it.
Status Matrix::start(MatrixOptions const &options) noexcept
{
    salt_ = salt_of(segment_.uuid());
    stall_ = options.stall;
    root_ops_ = options.root_ops;
    magazine_budget_ = options.lanes ? magazine_budget(segment_.geometry().request.capacity) : 0;
    std::memcpy(participant_name_, options.participant_name, sizeof participant_name_);
    participants_.init(segment_);
    exchange_.init(segment_.at<ExchangeRack>(segment_.geometry().exchange), participants_.count());
    for (unsigned i = 0; i < kSectors; ++i)
        sectors_[i].init(segment_, i);
#ifndef WEIR_EXPLORE // which lends one
    if (has_lanes() && !segment_.read_only())
        depot_ = make<Depot>(); // or none: lanes do without
#endif
    return segment_.read_only() ? kOk : join();
}

/// The hook first: whatever descriptor the handle opens later, a fork child closes.
Result<Matrix *> Matrix::make_handle(char const *name) noexcept
{
    auto *const made = make<Matrix>();
    if (made == nullptr)
        return error(ENOMEM);
    Undo undo([made] { discard(made); });
    WEIR_TRY(made->keep_name(name));
    made->fork_hook_.in_child = &Matrix::in_fork_child;
    made->fork_hook_.handle = made;
    WEIR_TRY(register_fork_hook(made->fork_hook_));
    made->thread_hook_.ended = &Matrix::thread_ended;
    made->thread_hook_.handle = made;
    register_thread_hook(made->thread_hook_);
    undo.cancel();
    return made;
}

Status Matrix::join() noexcept
{
    Identity identity;
    bool dead = false;
    WEIR_TRY(participants_.attach(identity, dead, participant_name_));
    set_me(identity, dead);
    if (!dead)
        return kOk;

    // Every slot was taken, this one by a dead participant: we are its reaper under its number.
    HealReport report;
    heal_owner(identity.owner, report);
    Status const done = participants_.finish_takeover(identity, participant_name_);
    // If it failed, somebody scribbles: then we are nobody. No other thread has passed enter().
    set_me(done.ok() ? identity : Identity{});
    return done;
}

Status Matrix::adopt(std::byte *base, Geometry const &geometry,
                     MatrixOptions const &options) noexcept
{
    segment_.adopt(base, geometry, options.access);
    return start(options);
}

Result<Matrix *> Matrix::create(char const *name, MatrixOptions const &options) noexcept
{
    if (options.access.read_only)
        return error(EINVAL); // nobody could ever write to it
    NoCancel const whole;
    MemoryWish memory = options.memory;
    memory.hugetlb = name == nullptr && memory.huge_pages != Effort::none;
    auto const made = create_with(name, options, memory);
    if (made.ok() || !memory.hugetlb || memory.huge_pages == Effort::require)
        return made;
    // The pool is empty, or too small for `commit`: memory of the usual kind.
    memory.hugetlb = false;
    auto const usual = create_with(name, options, memory);
    if (usual.ok())
        (*usual)->segment_.backing().note_no_huge_pages(made.status());
    return usual;
}

Result<Matrix *> Matrix::create_with(char const *name, MatrixOptions const &options,
                                     MemoryWish const &memory) noexcept
{
    auto const handle = make_handle(name);
    WEIR_TRY(handle);
    Matrix *const made = *handle;
    Undo undo([made] { discard(made); });
    WEIR_TRY(made->segment_.create(name, options.geometry, memory));
    WEIR_TRY(made->start(options));
    if (options.commit != 0)
        WEIR_TRY(made->commit_at_start(options.commit));
    if (name != nullptr)
        WEIR_TRY(made->segment_.backing().publish(name)); // last: who opens the name finds it whole
    undo.cancel();
    return made;
}

Result<Matrix *> Matrix::attach_with(char const *name, int fd,
                                     MatrixOptions const &options) noexcept
{
    NoCancel const whole;
    auto const handle = make_handle(name);
    WEIR_TRY(handle);
    Matrix *const made = *handle;
    Undo undo([made] { discard(made); });
    WEIR_TRY(name != nullptr ? made->segment_.attach(name, options.access, options.memory)
                             : made->segment_.attach_fd(fd, options.access, options.memory));
    WEIR_TRY(made->start(options));
    undo.cancel();
    if (options.access.read_only)
        return made;
    Nanoseconds const began = monotonic_now();
    HealReport &healed = made->healed_at_attach_;
    if (made->heal_dead(&healed)) // whoever comes new pays for the dead, not who works
        healed.duration_ns = monotonic_now() - began;
    return made;
}

Result<Matrix *> Matrix::attach(char const *name, MatrixOptions const &options) noexcept
{
    return attach_with(name, -1, options);
}

Result<Matrix *> Matrix::attach_fd(int fd, MatrixOptions const &options) noexcept
{
    return attach_with(nullptr, fd, options);
}

Result<Matrix *> Matrix::open(char const *name, MatrixOptions const &options) noexcept
{
    if (options.access.read_only)
        return error(EINVAL);
    NoCancel const whole;
    // Bounded: others may make and unlink the name all the time.
    for (int i = 0; i < kOpenTries; ++i) {
        auto const attached = attach(name, options);
        int const why = attached.status().code;
        if (why != -ENOENT && why != -kRetired)
            return attached;
        // EEXIST: somebody was faster, and has made another one
        if (int const removed = why == -kRetired ? unlink_retired_name(name).code : 0;
            removed != 0 && removed != -EEXIST)
            return attached; // the name cannot be had
        auto const created = create(name, options);
        if (created.ok() || created.status().code != -EEXIST)
            return created;
    }
    return error(EBUSY);
}

Status Matrix::unlink(char const *name) noexcept
{
    NoCancel const whole;
    return unlink_name(name);
}

void Matrix::ref() noexcept
{
    __atomic_fetch_add(&references_, 1, __ATOMIC_RELAXED); // who has one may make another
}

void Matrix::unref() noexcept
{
    // acq_rel: the last one sees what all others did with the handle
    if (__atomic_sub_fetch(&references_, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    NoCancel const whole;
    leave();
    discard(this);
}

/// As after a death, but by ourselves: what we still have is treated by the death policy.
void Matrix::leave() noexcept
{
    Identity const identity = me();
    if (identity.owner == kNobody || !participants_.begin_leave(identity))
        return;
    HealReport report;
    heal_owner(identity.owner, report);
    set_me({});
    participants_.finish_leave(identity);
}

Status Matrix::retire() noexcept
{
    if (segment_.read_only())
        return error(EROFS);
    NoCancel const whole;
    if (!segment_.retired() && !is_joined()) // a fork child: only a participant may mark objects
        static_cast<void>(attach_again());
    uint32_t ready = kStateReady;
    // acq_rel: pairs with nothing but itself; one of two who retire is told that it was done
    if (!segment_.header().state.compare_exchange(ready, kStateRetired, acq_rel, relaxed))
        return error(kRetired);
    // Who waits looks, and is told. Should we die here, they do it when their slice is over.
    Waiting(segment_.header().memory).wake_always();
    if (is_joined())
        Directory(*this).wake();
    if (name_ != nullptr)
        segment_.backing().unlink_own(name_);
    return kOk;
}

void Matrix::in_fork_child(void *handle) noexcept
{
    auto *const matrix = static_cast<Matrix *>(handle);
    // The parent's lock hangs on a descriptor that we have too: without closing it, the parent
    // would seem to live as long as we do.
    matrix->segment_.backing().drop_inherited_locks();
    matrix->mutex_.reset();
    matrix->objects_mutex_.reset();
    matrix->healed_at_attach_ = {}; // the parent reports it
    for (WorkPlace &place : matrix->work_places_)
        place.known = {}; // a thread of the parent may have been changing it
    matrix->set_me({});
    if (matrix->depot_ != nullptr)
        matrix->depot_->reset();
}

/// The first call of a fork child on this handle; or a call that could write, on a read-only one.
Status Matrix::attach_again() noexcept
{
    if (segment_.read_only())
        return error(EROFS);
    NoCancel const whole;
    Guard const guard(mutex_);
    if (me().owner != kNobody)
        return kOk; // another thread was faster: he held the mutex until he had joined
    if (Status const again = segment_.backing().reopen_locks(); !again.ok())
        return error(again.code == -EMFILE || again.code == -ENFILE ? EMFILE : kForked);
    Status const joined = join();
    if (joined.ok())
        segment_.arrange_again();
    else
        segment_.backing().drop_inherited_locks();
    return joined;
}

Result<uint64_t> Matrix::participant_id() noexcept
{
    WEIR_TRY(enter());
    Identity const identity = me();
    return weir::participant_id(identity.owner, identity.generation);
}

uint64_t Matrix::id_of(Owner owner) const noexcept
{
    if (owner == kNobody || owner > participants_.count())
        return 0;
    return weir::participant_id(owner, participants_.word_of(owner).generation());
}

} // namespace weir
