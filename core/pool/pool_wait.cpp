// SPDX-License-Identifier: MIT OR Apache-2.0
// A slot when the lane has none: refilling it, the last slot, growth, and waiting.
#include "core/base/alloc.hpp"
#include "core/base/clock.hpp"
#include "core/pool/pool_hot.hpp"

#include <cstring>

namespace weir {
namespace {
/// The longest sleep before a look for dead participants.
constexpr Nanoseconds kSlotSlice = 250 * kMillisecond;
#ifdef WEIR_EXPLORE
constexpr int kSlotSpins = 2;
#else
constexpr int kSlotSpins = 100;
#endif
constexpr int kClaims = 1000; ///< hints that may be stale before we look at the words
constexpr int kLooks = 100;   ///< times that somebody may release a slot which then is gone again
constexpr int kAttemptTries = 1000;

/// What may pass if one waits.
bool may_pass(Status status) noexcept
{
    return status.code == -EAGAIN || status.code == -ENOMEM || status.code == -ENOSPC ||
           status.code == -EBUSY;
}
} // namespace

Status Pool::acquire(Nanoseconds timeout, Taken &ret) noexcept
{
    if (single_ != nullptr)
        return single_->acquire(ret); // to wait would be for ever: nobody else can release
    ret = acquire_fast();
    return WEIR_LIKELY(ret.slot.value != 0) ? kOk : acquire_properly(timeout, ret);
}

Status Pool::acquire_many(size_t count, Nanoseconds timeout, SlotId *slots, void **data,
                          size_t &ret_made) noexcept
{
    for (ret_made = 0; ret_made < count; ++ret_made) {
        Taken got;
        Status const done = acquire(ret_made == 0 ? timeout : 0, got);
        if (!done.ok())
            return ret_made == 0 ? done : kOk;
        slots[ret_made] = got.slot;
        if (data != nullptr)
            data[ret_made] = got.data;
    }
    return kOk;
}

WEIR_COLD Status Pool::acquire_properly(Nanoseconds timeout, Taken &ret) noexcept
{
    auto const zeroed = [&](Status done) {
        if (done.ok() && zero_)
            std::memset(ret.data, 0, slots_.shape().slot_size);
        return done;
    };
    Status done = attempt(true, ret);
    if (!may_pass(done) || timeout == 0)
        return zeroed(done);
    Deadline const deadline(timeout);
    for (int i = 0; i < kSlotSpins && !deadline.passed(); ++i) {
        spin_pause();
        if (done = attempt(false, ret); !may_pass(done))
            return zeroed(done);
    }
    SlotGate gate = slots_.gate();
    for (;;) {
        uint32_t seen = gate.begin();
        if (done = attempt(true, ret); !may_pass(done))
            return zeroed(done);
        if (!gate.announce(seen, SlotGate::kSleeps) && !deadline.passed())
            continue;
        if (done = attempt(false, ret); !may_pass(done)) // [B] after the announcement
            return zeroed(done);
        Nanoseconds const left = deadline.left();
        if (left == 0)
            return error(ETIMEDOUT);
        gate.sleep(seen, smaller(left, kSlotSlice));
    }
}

/// EAGAIN: P4. `thorough`: the dead are healed, and the pool may grow.
Status Pool::attempt(bool thorough, Taken &ret) noexcept
{
    WEIR_TRY(enter());
    for (int i = 0; i < kAttemptTries; ++i) {
        if (take_quickly(ret) || look_everywhere(ret))
            return kOk;
        unsigned const known = slots_.extents();
        WEIR_TRY(learn());
        if (slots_.extents() != known)
            continue;
        if (!thorough)
            return error(EAGAIN);
        if (matrix_ != nullptr && matrix_->heal_dead())
            continue;
        if (!growable_ || known == slots_.shape().extents())
            return error(EAGAIN);
        WEIR_TRY(add_extent(known));
    }
    return error(EAGAIN);
}

/// By the lane and the hints.
bool Pool::take_quickly(Taken &ret) noexcept
{
    PoolLane *const lane = prepare_lane();
    if (lane == nullptr) {
        PoolLane without;
        without.most = 0;
        without.batch = 1;
        return refill(without, ret);
    }
    while (lane->count != 0) {
        ret = pop_one(*lane);
        if (ret.slot.value != 0)
            return true;
    }
    lane->most = pool_lane_depth(slots_.capacity());
    return refill(*lane, ret);
}

/// One slot for the caller, others for an empty lane.
bool Pool::refill(PoolLane &lane, Taken &ret) noexcept
{
    uint32_t const wanted = smaller(lane.batch, lane.most + 1);
    uint32_t made = 0;
    for (int i = 0; i < kClaims && made < wanted; ++i) {
        uint64_t const at = slots_.find_free(lane.position);
        if (at == Slots::kNone)
            break;
        auto const index = static_cast<uint32_t>(at);
        lane.position = index + 1;
        PoolWord const got =
            slots_.claim(index, made == 0 ? PoolState::live : PoolState::cached, me());
        if (got.raw == 0)
            continue;
        if (made++ == 0)
            ret = taken(index, got);
        else
            lane.entry[lane.count++] = {&slots_.word(index), got.raw, slots_.data(index), index};
    }
    lane.batch = smaller(lane.batch * 2, larger(lane.most / 2, 1u));
    return made != 0;
}

/// Anything that is FREE or CACHED by anybody. False: P4, but for growth.
bool Pool::look_everywhere(Taken &ret) noexcept
{
    SlotGate gate = slots_.gate();
    uint32_t seen = gate.begin();
    for (int i = 0; i < kLooks; ++i) {
        unsigned const extents = slots_.extents();
        auto const verdict = [extents](uint32_t word) {
            return uint64_t{extents} << 32 | (word & ~SlotGate::kSleeps);
        };
        if ((seen & SlotGate::kLooks) != 0 &&
            __atomic_load_n(&exhausted_, __ATOMIC_RELAXED) == verdict(seen))
            return false;
        if (!gate.announce(seen, SlotGate::kLooks))
            continue;
        uint32_t index = 0;
        PoolLane const *const lane = lane_here();
        PoolWord const got = slots_.take_any(lane == nullptr ? 0 : lane->position, me(), index);
        if (got.raw != 0) {
            ret = taken(index, got);
            return true;
        }
        uint32_t const now = gate.begin(); // [R]
        if (verdict(now) == verdict(seen)) {
            __atomic_store_n(&exhausted_, verdict(seen), __ATOMIC_RELAXED);
            return false;
        }
        seen = now;
    }
    return false;
}

// ---- growth

Status Pool::grow(uint64_t slots) noexcept
{
    if (single_ != nullptr)
        return single_->grow(slots);
    WEIR_TRY(enter());
    WEIR_TRY(learn());
    if (!growable_)
        return error(EOPNOTSUPP);
    uint64_t const had = slots_.capacity();
    if (slots > slots_.shape().most - had)
        return error(ENOSPC);
    while (slots_.capacity() - had < slots)
        WEIR_TRY(add_extent(slots_.extents()));
    return kOk;
}

/// There are more extents than `known` afterwards, whoever made them.
Status Pool::add_extent(unsigned known) noexcept
{
    return matrix_ != nullptr ? add_shared_extent(known) : add_private_extent(known);
}

Status Pool::add_private_extent(unsigned known) noexcept
{
    Guard const guard(mutex_);
    if (slots_.extents() != known)
        return kOk;
    PoolShape const &shape = slots_.shape();
    uint64_t const alignment = shape.memory_alignment();
    auto *const memory = static_cast<std::byte *>(
        allocate_untouched(ExtentPlan::of(shape, known).total + alignment));
    if (memory == nullptr)
        return error(ENOMEM);
    memory_[known] = memory;
    auto *const begin =
        reinterpret_cast<std::byte *>(round_up(reinterpret_cast<uintptr_t>(memory), alignment));
    Slots::format(begin, shape, known);
    slots_.add(begin);
    // seq_cst, and only now: who looks for the last slot must know of them when he is told
    slots_.header().extents.store(known + 1, seq_cst);
    slots_.gate().notice();
    return kOk;
}

} // namespace weir
