// SPDX-License-Identifier: MIT OR Apache-2.0
// pool: slots of one size, taken and given back. Start here.
//
// What it is
//   Slots that are aligned, numbered, and told apart by a generation, in process memory or in blocks
//   of a matrix under a name. Growth adds extents; nothing moves.
//     pool_word.hpp  the word of a slot, and what users see of a slot
//     layout.hpp     the header, and where an extent has its parts
//     gate.hpp       who waits for a slot, and what "there is none" means exactly
//     slots.hpp      the protocol on the words, for whoever has the memory (also healers)
//     pool_lane.hpp  what a thread keeps of what it gave back, for its next slots
//     single.hpp     a pool for one thread: no atomics
//     pool.hpp       the handle; pool_hot.hpp is what most calls do, pool_shared.cpp what a matrix
//                    has to do with it, pool_wait.cpp the last slot, growth and waiting
//
// Glossary
//   slot: stride bytes and a word. slot id: generation:32 | index:32; 0 is none.
//   extent: a piece of memory with words, hints and slots. Extent 0 begins with the header and has
//   the first span of indexes; each later one as many as all before it, the last one perhaps fewer.
//   hints: the hierarchical bitset of core/index over the slots of an extent: what is FREE, probably.
//
// States of a slot                       word: state | owner | generation; all steps are one CAS
//   FREE ----claim, take_any----> LIVE(me), generation + 1
//   FREE ----refill-------------> CACHED(me) --pop--> LIVE(me), generation + 1
//   LIVE(anybody) --keep--> CACHED(me)      LIVE(anybody) --give_back--> FREE
//   CACHED(me) --flush--> FREE              CACHED(anybody) --take_any--> LIVE(me), generation + 1
//   No state belongs to the middle of an operation, so nothing has ever to be finished or undone.
//
// Growth, by the holder of the growth ticket: a block, formatted; ref[k] := it; the block from me to
// nobody; extents := k + 1; who waits is told. In process memory a mutex and a pointer do.
//
// Invariants
//   P1  A slot is LIVE for one user at a time; each time its generation is another one.
//   P2  When no operation runs: every FREE slot is found through the hints.
//   P3  A lane's entries are hints: the word decides. An entry may be stale.
//   P4  -EAGAIN: at some moment of the call no slot was FREE or CACHED, and none could be added; what
//       a release has not returned from may count as later (gate.hpp).
//   P5  Who sleeps while there is a slot is woken, or wakes by himself within a slice.
//   P6  Extents never go away while somebody has the pool open, so pointers stay valid.
//   P7  A block of the matrix is named by ref[] exactly while it is nobody's, but for the step between.
//
// Death
//   LIVE(dead)                by policy FREE, or LIVE(nobody)
//   CACHED(dead)              FREE
//   FREE, hint missing        the hint (who gave it back, or took it and lost it, may have died)
//   ticket, no ref[k]         the block is the dead one's: the matrix frees it
//   ticket, ref[k] dead's     ref[k] := 0; the block as above
//   ticket, ref[k] nobody's   extents := k + 1
//   ref[k], extents > k       nothing
//   gate                      counted up and all woken, always
//
// What it trusts and checks
//   The header is validated and copied at attach; extents as they become known, each block by its ref,
//   owner and size. Words may hold anything: indexes come from refs, hints and entries, and are
//   compared with the capacity. A peer that scribbles costs slots and error codes.
#pragma once

#include "core/base/fork.hpp"
#include "core/base/mutex.hpp"
#include "core/matrix/matrix.hpp"
#include "core/matrix/open_handle.hpp"
#include "core/pool/pool_lane.hpp"
#include "core/pool/single.hpp"
#include "core/pool/slots.hpp"

#include <cstdint>

namespace weir {

struct PoolOptions {
    uint64_t slot_size = 0; ///< 0: numbers without memory
    uint64_t capacity = 0;
    uint64_t most = 0;      ///< 0: no limit but the index
    uint64_t alignment = 0; ///< 0: by the size
    uint64_t type_id = 0;
    bool single_thread = false;
    bool growable = false;
    bool zero = false;
    bool keep = false;
};

struct PoolStats {
    uint64_t slot_size, stride, alignment, capacity, most, type_id;
    uint64_t free, cached, live, extents, bytes;
    uint32_t flags; ///< as in PoolHeader
    bool single_thread;
};

struct PoolSlotInfo {
    SlotId slot;
    uint64_t owner; ///< participant id; 0 in a private pool, or of nobody
};
using PoolSlotFn = int (*)(PoolSlotInfo const &info, void *userdata);

/// EINVAL: no such pool.
Status shape_of(PoolOptions const &options, PoolShape &ret) noexcept;
uint32_t pool_flags(PoolOptions const &options) noexcept;

/// What the matrix does for pools; for its options.
extern RootOps const kPoolRootOps;

/// One process's handle of a pool; shared by all its users in the process.
class Pool : private OpenHandle {
  public:
    static Result<Pool *> create(PoolOptions const &options) noexcept;
    static Result<Pool *> create_in(Matrix &matrix, char const *name,
                                    PoolOptions const &options) noexcept;
    /// Of the options the type and the size of a slot count, if they are not 0.
    static Result<Pool *> attach(Matrix &matrix, char const *name,
                                 PoolOptions const &options) noexcept;

    Pool() noexcept = default;
    ~Pool();

    void ref() noexcept;
    void unref() noexcept;
    Slots &slots() noexcept { return slots_; } ///< not of a pool for one thread
    /// Ends it for everybody.
    Status retire() noexcept;

    /// The first try of the next two, inline for who includes pool_hot.hpp. Nothing is wrong if it
    /// fails.
    Taken acquire_fast() noexcept;
    bool release_fast(SlotId slot) noexcept;
    Status acquire(Nanoseconds timeout, Taken &ret) noexcept;
    Status release(SlotId slot) noexcept;
    /// Up to `count`. OK if there was one; `data` may be NULL.
    Status acquire_many(size_t count, Nanoseconds timeout, SlotId *slots, void **data,
                        size_t &ret_made) noexcept;
    /// Up to the first that cannot be released. OK if that was not the very first one.
    Status release_many(SlotId const *slots, size_t count, size_t &ret_released) noexcept;
    /// What is LIVE at an index now, or begins at an address.
    Result<SlotId> slot_at(uint64_t index) noexcept;
    Result<SlotId> slot_of(void const *data) noexcept;
    Result<void *> data(SlotId slot) noexcept;
    /// At least `slots` more; at most all that may be.
    Status grow(uint64_t slots) noexcept;
    Status capacity(uint64_t &ret) noexcept;
    /// The calling thread's lane, made if it may have one; for who uses it without a call.
    PoolLane *prepare_lane() noexcept;
    uint64_t slot_size() const noexcept
    {
        return single_ != nullptr ? single_->shape().slot_size : slots_.shape().slot_size;
    }
    Status walk(PoolSlotFn callback, void *userdata) noexcept;
    Status stats(PoolStats &ret) noexcept;

  private:
    friend struct OpenHandle;

    // pool.cpp
    static void in_fork_child(void *handle) noexcept;
    Status begin(PoolOptions const &options) noexcept;
    Status begin_private(PoolShape const &shape, PoolOptions const &options) noexcept;
    void use(Slots const &slots) noexcept;
    void empty_lanes() noexcept;
    Status enter() noexcept;
    Status check(SlotId slot, PoolWord &ret) noexcept;
    bool knows(uint32_t index) noexcept;
    Taken taken(uint64_t index, PoolWord word) const noexcept;

    // pool_hot.hpp
    PoolLane *lane_here() const noexcept { return lane_of(thread_number()); }
    PoolLane *lane_of(uint32_t number) const noexcept
    {
        PoolLane *const lane = WEIR_LIKELY(number < kPoolLanes) ? lanes_[number] : nullptr;
        bool const ours = lane != nullptr && lane->identity == identity();
        return WEIR_LIKELY(ours) ? lane : nullptr; // the thread made its lane itself
    }
    /// relaxed: enter() has ordered it, or the lane's thread itself
    uint64_t identity() const noexcept { return __atomic_load_n(identity_, __ATOMIC_RELAXED); }
    bool ended() const noexcept
    {
        // relaxed: switches that are thrown once; who misses one now sees it in the next call
        return matrix_state_->load(relaxed) != kStateReady || retired_->load(relaxed) != 0;
    }
    Owner me() const noexcept { return static_cast<Owner>(identity() & 0xffff); }
    Taken pop_one(PoolLane &lane) noexcept;
    bool keep(PoolLane &lane, uint32_t index, PoolWord found) noexcept;

    // pool_wait.cpp
    Status acquire_properly(Nanoseconds timeout, Taken &ret) noexcept;
    Status attempt(bool thorough, Taken &ret) noexcept;
    bool take_quickly(Taken &ret) noexcept;
    bool refill(PoolLane &lane, Taken &ret) noexcept;
    bool look_everywhere(Taken &ret) noexcept;
    void flush(PoolLane &lane, uint32_t count) noexcept;
    Status add_extent(unsigned known) noexcept;
    Status add_private_extent(unsigned known) noexcept;

    // pool_shared.cpp
    static Result<Pool *> attach_once(Matrix &matrix, char const *name, PoolOptions const &options,
                                      Pool *&spare) noexcept;
    Status prepare(Matrix &matrix, Ref ref, PoolOptions const &options) noexcept;
    static Status make_block(Matrix &matrix, char const *name, PoolOptions const &options) noexcept;
    Status add_shared_extent(unsigned known) noexcept;
    /// Extents that others have added become known.
    Status learn() noexcept;

    /// What most calls read begins on a line.
    alignas(kCacheLine)
        SinglePool *fast_single_ = nullptr; ///< single_, if a slot need not be zeroed
    SinglePool *single_ = nullptr;          ///< then nothing below is used but references_
    bool zero_ = false;
    bool growable_ = false;
    atomic<uint32_t> const *matrix_state_ = &private_state_;
    atomic<uint32_t> const *retired_ = nullptr;
    uint64_t const *identity_ = &private_identity_;
    Slots slots_;
    PoolLane *lanes_[kPoolLanes] = {}; ///< by thread number; each is its thread's alone
    /// The gate's word and the number of extents when all slots were found LIVE last: as long as they
    /// are the same, nobody has released any (P4). 0: unknown. Relaxed: we read both anew.
    uint64_t exhausted_ = 0;
    uint64_t private_identity_ = 1;
    atomic<uint32_t> private_state_{};
    std::byte *memory_[kMaxExtents] = {}; ///< of a private pool, as it was allocated
    Mutex mutex_;                         ///< one thread learns of extents, or makes private ones
    ForkHook fork_hook_;
};

} // namespace weir
