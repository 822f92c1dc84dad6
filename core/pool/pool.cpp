// SPDX-License-Identifier: MIT OR Apache-2.0
// The handle: private pools, lanes, releasing, looking.
#include "core/pool/pool.hpp"

#include "core/base/alloc.hpp"
#include "core/pool/pool_hot.hpp"

#include <cstring>
#include <new>

namespace weir {
namespace {
constexpr uint64_t kDefaultCapacity = 1024;
constexpr int kReleaseTries = 100;

/// Slots of at least a cache line do not share one; smaller ones are aligned as by malloc.
uint64_t default_alignment(uint64_t slot_size) noexcept
{
    return slot_size >= kCacheLine ? kCacheLine : slot_size >= 16 ? 16 : slot_size == 0 ? 1 : 8;
}
} // namespace

Status shape_of(PoolOptions const &options, PoolShape &ret) noexcept
{
    uint64_t const wanted = options.capacity == 0 ? kDefaultCapacity : options.capacity;
    ret.slot_size = options.slot_size;
    ret.alignment =
        options.alignment == 0 ? default_alignment(options.slot_size) : options.alignment;
    bool const limit_fits =
        options.most == 0 || (options.growable ? options.most >= wanted : options.most == wanted);
    if (!is_power_of_two(ret.alignment) || ret.alignment > kPage || wanted > kMostSlots ||
        options.slot_size > kMostSlotSize || options.most > kMostSlots || !limit_fits)
        return error(EINVAL);
    ret.stride = round_up(ret.slot_size, ret.alignment);
    ret.shift = PoolShape::shift_for(wanted);
    ret.first = ret.most = wanted;
    if (options.growable) {
        uint64_t const fits = kMostBytes / larger<uint64_t>(ret.stride, 1);
        ret.most = options.most != 0 ? options.most : smaller(kMostSlots, fits);
        ret.first = smaller(uint64_t{1} << ret.shift, ret.most);
    }
    return ret.is_valid() ? kOk : error(EINVAL);
}

uint32_t pool_flags(PoolOptions const &options) noexcept
{
    return (options.growable ? kPoolGrowable : 0) | (options.zero ? kPoolZero : 0) |
           (options.keep ? kPoolKeep : 0);
}

// ---- beginning and end

Result<Pool *> Pool::create(PoolOptions const &options) noexcept
{
    Pool *const made = make<Pool>();
    if (made == nullptr)
        return error(ENOMEM);
    if (Status const begun = made->begin(options); !begun.ok()) {
        destroy(made);
        return begun;
    }
    return made;
}

Status Pool::begin(PoolOptions const &options) noexcept
{
    PoolShape shape;
    WEIR_TRY(shape_of(options, shape));
    fork_hook_.in_child = in_fork_child;
    fork_hook_.handle = this;
    WEIR_TRY(register_fork_hook(fork_hook_));
    private_state_.store(kStateReady, relaxed); // nobody else has the handle
    if (!options.single_thread)
        return begin_private(shape, options);
    single_ = make<SinglePool>();
    fast_single_ = options.zero ? nullptr : single_;
    return single_ == nullptr
               ? error(ENOMEM)
               : single_->begin(shape, options.growable, options.zero, options.type_id);
}

Status Pool::begin_private(PoolShape const &shape, PoolOptions const &options) noexcept
{
    uint64_t const alignment = shape.memory_alignment();
    auto *const memory =
        static_cast<std::byte *>(allocate_untouched(ExtentPlan::of(shape, 0).total + alignment));
    if (memory == nullptr)
        return error(ENOMEM);
    memory_[0] = memory;
    auto *const begin =
        reinterpret_cast<std::byte *>(round_up(reinterpret_cast<uintptr_t>(memory), alignment));
    auto *const header = new (begin) PoolHeader; // trivial: the memory stays zeroed
    Slots::format(*header, shape, pool_flags(options), options.type_id);
    Slots::format(begin, shape, 0);
    Slots slots;
    slots.begin(*header, shape);
    slots.add(begin);
    use(slots);
    return kOk;
}

void Pool::use(Slots const &slots) noexcept
{
    slots_ = slots;
    PoolHeader &header = slots_.header();
    retired_ = &header.retired;
    zero_ = (header.flags & kPoolZero) != 0;
    growable_ = (header.flags & kPoolGrowable) != 0;
}

/// Async-signal-safe. Words and lanes of a private pool are the child's copies, and whole: each step
/// on them is one CAS.
void Pool::in_fork_child(void *handle) noexcept { static_cast<Pool *>(handle)->mutex_.reset(); }

Pool::~Pool()
{
    if (fork_hook_.handle != nullptr)
        unregister_fork_hook(fork_hook_);
    for (PoolLane *lane : lanes_)
        destroy(lane);
    for (std::byte *memory : memory_)
        deallocate(memory);
    if (single_ != nullptr)
        single_->end();
    destroy(single_);
}

Status Pool::enter() noexcept
{
    if (matrix_ != nullptr)
        WEIR_TRY(enter_object());
    return ended() ? error(kRetired) : kOk;
}

// ---- lanes

/// Makes or renews the lane of this thread: after a fork its entries are the parent's.
WEIR_COLD PoolLane *Pool::prepare_lane() noexcept
{
    if (PoolLane *const lane = lane_here(); lane != nullptr)
        return lane;
    uint32_t const number = thread_number();
    if (number >= kPoolLanes)
        return nullptr;
    if (lanes_[number] == nullptr)
        lanes_[number] = make<PoolLane>();
    PoolLane *const lane = lanes_[number];
    if (lane == nullptr)
        return nullptr;
    lane->count = 0;
    lane->most = pool_lane_depth(slots_.capacity());
    lane->batch = kFirstPoolBatch;
    // Threads begin in different chunks, and so on different cache lines.
    uint64_t const chunks = div_up(slots_.capacity(), 64);
    lane->position = static_cast<uint32_t>(number % chunks * 64);
    lane->cached = PoolWord::of(PoolState::cached, me(), 0).raw;
    lane->live = PoolWord::of(PoolState::live, me(), 0).raw;
    lane->identity = identity();
    return lane;
}

/// Gives the `count` oldest slots back. Those that others have stolen are theirs.
void Pool::flush(PoolLane &lane, uint32_t count) noexcept
{
    for (uint32_t i = 0; i < count; ++i) {
        PoolEntry const &entry = lane.entry[i];
        slots_.give_back(static_cast<uint32_t>(entry.index), PoolWord{entry.cached});
    }
    lane.count -= count;
    std::memmove(lane.entry, lane.entry + count, lane.count * sizeof(PoolEntry));
}

/// The last user of the handle goes: nobody else is here.
void Pool::empty_lanes() noexcept
{
    for (PoolLane *lane : lanes_)
        if (lane != nullptr && lane->identity == identity())
            flush(*lane, lane->count);
}

// ---- releasing

Status Pool::release(SlotId slot) noexcept
{
    if (WEIR_LIKELY(release_fast(slot)))
        return kOk;
    if (single_ != nullptr)
        return single_->release(slot);
    WEIR_TRY(enter());
    // Somebody else changes the word of a live slot once: who releases it, or heals its user.
    for (int i = 0; i < kReleaseTries; ++i) {
        PoolWord found{};
        WEIR_TRY(check(slot, found));
        PoolLane *const lane = prepare_lane();
        if (lane != nullptr && lane->count >= lane->most)
            flush(*lane, (lane->count + 1) / 2);
        if (lane != nullptr && lane->count < lane->most) {
            if (keep(*lane, slot.index(), found))
                return kOk;
        } else if (slots_.give_back(slot.index(), found)) {
            slots_.gate().notice();
            return kOk;
        }
    }
    return error(kStale);
}

Status Pool::release_many(SlotId const *slots, size_t count, size_t &ret_released) noexcept
{
    for (ret_released = 0; ret_released < count; ++ret_released) {
        Status const done = release(slots[ret_released]);
        if (!done.ok())
            return ret_released == 0 ? done : kOk;
    }
    return kOk;
}

// ---- looking

bool Pool::knows(uint32_t index) noexcept
{
    return index < slots_.capacity() || (learn().ok() && index < slots_.capacity());
}

/// EINVAL: this pool has no such slot. kStale: it is not LIVE any more.
Status Pool::check(SlotId slot, PoolWord &ret) noexcept
{
    if (slot.generation() == 0 || !knows(slot.index()))
        return error(EINVAL);
    ret = slots_.load(slot.index());
    bool const live = ret.is(PoolState::live) && ret.generation() == slot.generation();
    return live ? kOk : error(kStale);
}

Taken Pool::taken(uint64_t index, PoolWord word) const noexcept
{
    auto const at = static_cast<uint32_t>(index);
    return {SlotId::of(word.generation(), at), slots_.data(at)};
}

Result<void *> Pool::data(SlotId slot) noexcept
{
    if (single_ != nullptr)
        return single_->data(slot);
    WEIR_TRY(enter());
    PoolWord found{};
    WEIR_TRY(check(slot, found));
    return static_cast<void *>(slots_.data(slot.index()));
}

Result<SlotId> Pool::slot_at(uint64_t index) noexcept
{
    if (single_ != nullptr)
        return single_->slot_at(index);
    WEIR_TRY(enter());
    if (index > UINT32_MAX || !knows(static_cast<uint32_t>(index)))
        return error(EINVAL);
    auto const at = static_cast<uint32_t>(index);
    PoolWord const found = slots_.load(at);
    return found.is(PoolState::live) ? Result<SlotId>(SlotId::of(found.generation(), at))
                                     : error(kStale);
}

Result<SlotId> Pool::slot_of(void const *data) noexcept
{
    if (single_ == nullptr)
        WEIR_TRY(enter());
    else if (single_->is_retired())
        return error(kRetired);
    auto index = single_ != nullptr ? single_->index_of(data) : slots_.index_of(data);
    if (!index.ok() && single_ == nullptr && learn().ok())
        index = slots_.index_of(data);
    WEIR_TRY(index);
    return slot_at(*index);
}

Status Pool::capacity(uint64_t &ret) noexcept
{
    if (single_ != nullptr) {
        ret = single_->capacity();
        return single_->is_retired() ? error(kRetired) : kOk;
    }
    WEIR_TRY(enter());
    WEIR_TRY(learn());
    ret = slots_.capacity();
    return kOk;
}

Status Pool::walk(PoolSlotFn callback, void *userdata) noexcept
{
    uint64_t slots = 0;
    WEIR_TRY(capacity(slots));
    for (uint64_t i = 0; i < slots; ++i) {
        auto const found = slot_at(i);
        if (found.status().code == -kRetired)
            return found.status();
        if (!found.ok())
            continue;
        uint64_t owner = 0;
        if (matrix_ != nullptr)
            owner = matrix_->id_of(slots_.load(static_cast<uint32_t>(i)).owner());
        if (int const code = callback({*found, owner}, userdata); code != 0)
            return Status{code};
    }
    return kOk;
}

Status Pool::stats(PoolStats &ret) noexcept
{
    ret = {};
    WEIR_TRY(capacity(ret.capacity));
    PoolShape const &shape = single_ != nullptr ? single_->shape() : slots_.shape();
    ret.slot_size = shape.slot_size;
    ret.stride = shape.stride;
    ret.alignment = shape.alignment;
    ret.most = shape.most;
    ret.extents = single_ != nullptr ? single_->extents() : slots_.extents();
    if (single_ != nullptr) {
        ret.single_thread = true;
        ret.type_id = single_->type_id();
        ret.flags = (single_->growable() ? kPoolGrowable : 0) | (single_->zero() ? kPoolZero : 0);
        ret.live = single_->live();
        ret.free = ret.capacity - ret.live;
        ret.bytes = ret.capacity * ret.stride;
        return kOk;
    }
    ret.type_id = slots_.header().type_id;
    ret.flags = slots_.header().flags;
    SlotCounts const counts = slots_.count();
    ret.free = counts.free;
    ret.cached = counts.cached;
    ret.live = counts.live;
    for (unsigned i = 0; i < ret.extents; ++i)
        ret.bytes += ExtentPlan::of(shape, i).total;
    return kOk;
}

} // namespace weir
