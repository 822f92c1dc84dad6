// SPDX-License-Identifier: MIT OR Apache-2.0
// Pools in a matrix: making, opening and ending one, its growth, and what healing does (pool.hpp).
#include "core/base/alloc.hpp"
#include "core/pool/pool_hot.hpp"
#include "core/segment/ticket.hpp"

#include <new>
#include <utility>

namespace weir {
namespace {
/// The block of an extent: large enough, aligned, and a user's. kCorrupt.
Result<std::byte *> memory_at(Matrix &matrix, Ref ref, PoolShape const &shape,
                              unsigned extent) noexcept
{
    auto const block = matrix.data(ref);
    if (!block.ok() || block->size < ExtentPlan::of(shape, extent).total ||
        (reinterpret_cast<uintptr_t>(block->data) & (shape.memory_alignment() - 1)) != 0)
        return error(kCorrupt);
    return static_cast<std::byte *>(block->data);
}

/// The constant part of a header, which is copied and never read again.
Result<PoolShape> read_shape(PoolHeader const &header) noexcept
{
    if (read_once(header.magic) != kPoolMagic)
        return error(kCorrupt);
    if (read_once(header.version) != kPoolVersion || (read_once(header.flags) & ~kPoolFlags) != 0)
        return error(kVersion);
    PoolShape shape;
    shape.slot_size = read_once(header.slot_size);
    shape.stride = read_once(header.stride);
    shape.alignment = read_once(header.alignment);
    shape.first = read_once(header.first);
    shape.most = read_once(header.most);
    if (shape.first > kMostSlots)
        return error(kCorrupt);
    shape.shift = PoolShape::shift_for(shape.first);
    return shape.is_valid() ? Result<PoolShape>(shape) : error(kCorrupt);
}

/// Makes the extents known that the header names and `slots` does not know.
Status learn_extents(Matrix &matrix, Slots &slots) noexcept
{
    PoolHeader &header = slots.header();
    // acquire: pairs with the store in add_shared_extent() and finish_growth()
    uint64_t const there = header.extents.load(acquire);
    if (there < 1 || there > slots.shape().extents())
        return error(kCorrupt);
    for (unsigned i = slots.extents(); i < there; ++i) {
        Ref const ref{header.ref[i - 1].load(acquire)}; // as above
        auto const memory = memory_at(matrix, ref, slots.shape(), i);
        WEIR_TRY(memory);
        slots.add(*memory);
    }
    return kOk;
}

/// Validates the pool in a block. `extents`: extents that make no sense are an error too.
Status open_slots(Matrix &matrix, Ref ref, Slots &ret) noexcept
{
    auto const block = matrix.data(ref);
    if (!block.ok() || block->size < sizeof(PoolHeader))
        return error(kCorrupt);
    auto &header = *static_cast<PoolHeader *>(block->data);
    auto const shape = read_shape(header);
    WEIR_TRY(shape);
    auto const memory = memory_at(matrix, ref, *shape, 0);
    WEIR_TRY(memory);
    ret.begin(header, *shape);
    ret.add(*memory);
    return learn_extents(matrix, ret);
}

bool is_nobodys(Matrix &matrix, Ref ref) noexcept
{
    auto const place = matrix.find(ref);
    return place.ok() && place->word.is(Kind::allocated) && place->word.owner() == kNobody;
}

/// The rows "ticket, …" of pool.hpp. Only the reaper of the ticket's holder is here.
void finish_growth(Matrix &matrix, Slots &slots) noexcept
{
    PoolHeader &header = slots.header();
    uint64_t const there = header.extents.load(acquire); // what the dead one wrote
    if (there < 1 || there >= slots.shape().extents())
        return;
    atomic<uint64_t> &ref = header.ref[there - 1];
    Ref const last{ref.load(acquire)}; // as above
    auto const number = static_cast<unsigned>(there);
    if (last.value == 0)
        return;
    if (is_nobodys(matrix, last) && memory_at(matrix, last, slots.shape(), number).ok())
        header.extents.store(there + 1, seq_cst); // before notice_always()
    else
        ref.store(0, release); // pairs with learn_extents()
}

// ---- for the matrix

void heal_pool(Matrix &matrix, Ref ref, Owner dead) noexcept
{
    Slots slots;
    static_cast<void>(open_slots(matrix, ref, slots)); // what is known of it is healed
    if (slots.extents() == 0)
        return;
    Ticket ticket(slots.header().growth);
    if (ticket.holder() == dead)
        finish_growth(matrix, slots);
    slots.heal(dead);
    ticket.give_back(dead);
    slots.gate().notice_always();
}

void visit_pool(Matrix &matrix, Ref ref, void (*found)(void *, Ref), void *userdata) noexcept
{
    Slots slots;
    if (!open_slots(matrix, ref, slots).ok())
        found(userdata, {});
    if (slots.extents() == 0)
        return;
    PoolHeader &header = slots.header();
    for (atomic<uint64_t> &at : header.ref) {
        Ref const extent{at.load(acquire)}; // pairs with add_shared_extent()
        if (extent.value != 0 && matrix.find(extent).ok())
            found(userdata, extent);
    }
}

void retire_pool(Matrix &matrix, Ref ref) noexcept
{
    Slots slots;
    static_cast<void>(open_slots(matrix, ref, slots));
    if (slots.extents() == 0)
        return;
    slots.header().retired.store(1, seq_cst); // before the wake
    slots.gate().notice_always();
}

/// Nobody has it open.
void drain_pool(Matrix &matrix, Ref ref) noexcept
{
    Slots slots;
    static_cast<void>(open_slots(matrix, ref, slots));
    if (slots.extents() == 0)
        return;
    for (atomic<uint64_t> &at : slots.header().ref) {
        Ref const extent{at.load(acquire)}; // pairs with add_shared_extent()
        if (extent.value != 0)
            static_cast<void>(matrix.free_owned(extent, kNobody)); // gone already: as good
    }
}

void wake_pool(Matrix &matrix, Ref ref) noexcept
{
    Slots slots;
    static_cast<void>(open_slots(matrix, ref, slots));
    if (slots.extents() != 0)
        slots.gate().notice_always();
}
} // namespace

RootOps const kPoolRootOps = {heal_pool, visit_pool, retire_pool, drain_pool, wake_pool};

// ---- making and opening

Status Pool::make_block(Matrix &matrix, char const *name, PoolOptions const &options) noexcept
{
    PoolShape shape;
    if (options.single_thread)
        return error(EINVAL);
    WEIR_TRY(shape_of(options, shape));
    auto const format = [&](void *memory) {
        auto *const header = new (memory) PoolHeader; // trivial: the memory stays zeroed
        Slots::format(*header, shape, pool_flags(options), options.type_id);
        Slots::format(static_cast<std::byte *>(memory), shape, 0);
    };
    return make_named(matrix, name, RootKind::pool,
                      {ExtentPlan::of(shape, 0).total, shape.memory_alignment(), true, 0}, format);
}

/// Whether it is what is wanted.
Status Pool::prepare(Matrix &matrix, Ref ref, PoolOptions const &options) noexcept
{
    Slots slots;
    WEIR_TRY(open_slots(matrix, ref, slots));
    bool const other_type = options.type_id != 0 && options.type_id != slots.header().type_id;
    bool const other_size = options.slot_size != 0 && options.slot_size != slots.shape().slot_size;
    if (other_type || other_size)
        return error(kType);
    fork_hook_.in_child = in_fork_child;
    fork_hook_.handle = this;
    if (Status const hooked = register_fork_hook(fork_hook_); !hooked.ok()) {
        fork_hook_.handle = nullptr;
        return hooked;
    }
    matrix_state_ = &matrix.segment().header().state;
    identity_ = matrix.identity_word();
    use(slots);
    return kOk;
}

Result<Pool *> Pool::attach_once(Matrix &matrix, char const *name, PoolOptions const &options,
                                 Pool *&spare) noexcept
{
    WEIR_TRY(matrix.enter()); // a read-only handle could do nothing with it
    return open_named(matrix, name, RootKind::pool, spare,
                      [&](Pool &made, Ref ref) { return made.prepare(matrix, ref, options); });
}

Result<Pool *> Pool::attach(Matrix &matrix, char const *name, PoolOptions const &options) noexcept
{
    SpareHandle<Pool> spare;
    return spare.handle == nullptr ? error(ENOMEM)
                                   : attach_once(matrix, name, options, spare.handle);
}

Result<Pool *> Pool::create_in(Matrix &matrix, char const *name,
                               PoolOptions const &options) noexcept
{
    SpareHandle<Pool> spare;
    if (spare.handle == nullptr)
        return error(ENOMEM);
    WEIR_TRY(make_block(matrix, name, options));
    return just_made(attach_once(matrix, name, options, spare.handle));
}

void Pool::ref() noexcept
{
    if (matrix_ != nullptr)
        add_user();
    else
        __atomic_fetch_add(&references_, 1, __ATOMIC_RELAXED); // the caller has one
}

void Pool::unref() noexcept
{
    Matrix *const matrix = matrix_;
    auto const last = [this] {
        if (matrix_->is(object_.marked_as))
            empty_lanes();
    };
    // acq_rel: the last one sees what all others did with it
    bool const over = matrix != nullptr
                          ? drop_user(last)
                          : __atomic_sub_fetch(&references_, 1, __ATOMIC_ACQ_REL) == 0;
    if (!over)
        return;
    destroy(this);
    if (matrix != nullptr)
        matrix->unref();
}

Status Pool::retire() noexcept
{
    if (single_ != nullptr) {
        bool const again = single_->is_retired();
        single_->retire();
        return again ? error(kRetired) : kOk;
    }
    WEIR_TRY(enter());
    if (matrix_ != nullptr)
        WEIR_TRY(matrix_->retire_object(object_));
    else if (slots_.header().retired.exchange(1, acq_rel) != 0)
        return error(kRetired); // pairs with itself: one of two who end it is told that it was done
    slots_.header().retired.store(1, seq_cst); // before the wake
    slots_.gate().notice_always();
    return kOk;
}

// ---- growth

Status Pool::learn() noexcept
{
    // relaxed: a first look; learn_extents() looks properly
    if (matrix_ == nullptr || slots_.header().extents.load(relaxed) == slots_.extents())
        return kOk;
    Guard const guard(mutex_);
    return learn_extents(*matrix_, slots_);
}

/// The steps are those of pool.hpp; each death between them is a row of its table.
Status Pool::add_shared_extent(unsigned known) noexcept
{
    PoolHeader &header = slots_.header();
    WEIR_TRY(matrix_->take_ticket(header.growth));
    Undo const give_back([&] { matrix_->give_ticket(header.growth); });
    WEIR_TRY(learn());
    if (slots_.extents() != known)
        return kOk;
    PoolShape const &shape = slots_.shape();
    Allocation block;
    Status const allocated = matrix_->alloc(
        {ExtentPlan::of(shape, known).total, shape.memory_alignment(), true, 0}, block);
    if (!allocated.ok())
        return allocated.code == -EINVAL ? error(ENOMEM) : allocated;
    Slots::format(static_cast<std::byte *>(block.data), shape, known);
    atomic<uint64_t> &ref = header.ref[known - 1];
    ref.store(block.ref.value, weir::release); // pairs with learn_extents()
    Status const moved = matrix_->move_owner(block.ref, matrix_->me().owner, kNobody);
    if (!moved.ok()) {
        ref.store(0, weir::release);                 // as above
        static_cast<void>(matrix_->free(block.ref)); // unless somebody else did
        return error(kCorrupt);
    }
    header.extents.store(known + 1, seq_cst); // before notice(); pairs with learn_extents()
    slots_.gate().notice();
    return learn();
}

} // namespace weir
