// SPDX-License-Identifier: MIT OR Apache-2.0
// matrix: the allocator in a segment. Start here.
//
// What it is
//   Blocks of any size that any process may allocate and any other may free, and that survive
//   the death of any process at any instruction.
//     block_word.hpp  the word of a granule: the truth
//     sector.hpp      one sector: search, split, merge, publish
//     healing.hpp     what a walk that heals a sector has in hand (sector_heal.cpp)
//     walker.hpp      hopping from head to head while others work
//     lane.hpp        what a thread keeps for its next allocations
//     depot.hpp       what the threads of a process pass to each other
//     exchange.hpp    what processes pass to each other
//     window.hpp      what "no memory" means exactly: snapshots of everybody's windows
//     roots.hpp       named refs
//     matrix.hpp      the handle, and what users call
//   The handle's functions are in lifecycle.cpp (make, open, fork, leave), alloc.cpp (alloc,
//   grow, out of memory), wait.cpp (sleeping until there is memory), batch.cpp (many blocks),
//   trim.cpp (memory back to the system), block.cpp (one block), resize.cpp, heal.cpp, inspect.cpp,
//   check.cpp, roots.cpp, prefault.cpp.
//
// Glossary
//   sector: one of three parts, by request size. granule: its unit: 64 B, 256 B, 64 KiB.
//   block: a run of granules with one head. head: its first granule; its word tells the block.
//   chunk: 64 granules, the unit of the index. step: a size class, in granules.
//   ref: (generation ^ salt):16 | byte offset:48. salt comes from the uuid, so that a ref of one
//   matrix is stale in another.
//
// States of a head                              (word: block_word.hpp)
//   FREE ---claim---> CLAIMED(me) ---hand_out---> ALLOCATED(owner) ---free---> CLAIMED(me)
//     ^                  |  split, merge                  | give, take, state: CAS of this word
//     +----publish-------+                                +-> ALLOCATED(other or nobody)
//   FREE <---> CLAIMED(me, without memory) <---> TRIMMED: free, its memory given back; trim.cpp.
//   ALLOCATED(dead), CACHED(dead) --heal--> FREE: one CAS, if nothing beside it goes with it.
//   ALLOCATED(me) <---> RESIZING(me): resize.cpp. Nobody else changes such a word.
//   CACHED: kept by a thread for its next allocations (lane.hpp), or on its way to another one's
//     (exchange.hpp); anybody may claim it.
//   Every change of ownership is one CAS of the whole word.
//
// Invariants
//   1  From the sector's start, hopping by `granules` from head to head lands exactly on the
//      limit, at every instruction.
//   2  Live blocks do not overlap; a block's bytes are its own until it is freed.
//   3  When no operation runs: no two neighbours are FREE, every TAIL names its block's size.
//   4  When no operation runs: every FREE block is found through the index.
//   5  -ENOMEM: at some moment of the call no run of FREE or CACHED granules could serve the
//      request, and neither by growing the sectors nor by taking back what was TRIMMED could one be
//      had within the capacity. What is CLAIMED for an instant is not "no memory".
//   6  What is FREE or a user's has memory: the file system has granted it (trim.cpp, T1 to T4).
//   A word inside a block is never evidence: only a word reached by hopping from the start, or
//   FREE or ALLOCATED read anywhere, speaks of a block.
//
// Death
//   CLAIMED(dead): in the middle of a split or merge. The head tells the whole run; healing writes
//     its TAIL and releases it.
//   CLAIMED(dead, without memory): the same, but it becomes TRIMMED.
//   FREE without hints, or beside a FREE neighbour: published, then died; a healer may leave those
//     of kRadix chunks, whose hints it sets together. Healing ensures hints of all FREE heads and merges
//     pairs; such a block names nobody, so all are looked at.
//   ALLOCATED(dead): by policy released, or given to nobody. RESIZING(dead): the same, and its TAIL
//     is written first; each step is in resize.cpp.
//   growth ticket: words above the limit mean nothing; healing counts what is TRIMMED anew and
//     gives the ticket back.
//   directory ticket, WRITING entry: see roots.hpp.
//   window open: closed last, so that no allocation gives up before the memory is back.
//
// Progress
//   Lock-free: claim, split, free, release, transition, and alloc while memory can be found. An
//   alloc that fails waits for open windows, at most `stall` (rules.md M8). Growth and the
//   directory have one holder at a time.
//
// What it trusts and checks
//   Words: lengths against the limit, on each use. Refs: sector, granule, kind, generation.
//   Walks: bounded. A scribbling peer costs an error code or lost memory of its own making.
//   A read-only handle is nobody: its identity stays 0, so enter() always ends in attach_again(),
//   which says EROFS. What needs no enter() must not write: the mapping would not allow it.
#pragma once

#include "core/base/bits.hpp"
#include "core/base/clock.hpp"
#include "core/base/fork.hpp"
#include "core/base/mutex.hpp"
#include "core/base/thread_id.hpp"
#include "core/base/waiting.hpp"
#include "core/matrix/exchange.hpp"
#include "core/matrix/lane.hpp"
#include "core/matrix/report.hpp"
#include "core/matrix/sector.hpp"
#include "core/matrix/turns.hpp"
#include "core/segment/participants.hpp"
#include "core/segment/segment.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

class Depot;
class Healing;

/// A public ref (layout above).
struct Ref {
    uint64_t value = 0;
    constexpr bool operator==(Ref other) const noexcept { return value == other.value; }
};

/// What another concept (channels …) does for its objects. A table of these, one per RootKind,
/// comes with the options, so that the matrix need not know who stands on it.
struct RootOps {
    /// Mends the object at `ref` where it names `dead`. May be called twice.
    void (*heal)(class Matrix &matrix, Ref ref, Owner dead) noexcept = nullptr;
    /// Reports each block that the object keeps alive, and each place that names none (ref 0).
    void (*visit)(class Matrix &matrix, Ref ref, void (*found)(void *userdata, Ref block),
                  void *userdata) noexcept = nullptr;
    /// Finishes what retiring begins: tells who uses the object. May be called twice.
    void (*retire)(class Matrix &matrix, Ref ref) noexcept = nullptr;
    /// Frees what a retired object, which nobody has open, still keeps alive. May be called twice.
    void (*drain)(class Matrix &matrix, Ref ref) noexcept = nullptr;
    /// Wakes all who sleep on the object, because the whole matrix was retired.
    void (*wake)(class Matrix &matrix, Ref ref) noexcept = nullptr;
};

struct MatrixOptions {
    GeometryRequest geometry;
    uint64_t commit = 0;
    Nanoseconds stall = 100 * kMillisecond;
    Access access;
    MemoryWish memory;
    bool lanes = true; ///< threads of this handle keep blocks for their next allocations
    char participant_name[16] = {};
    /// kRootKinds entries, each NULL or constant for ever.
    RootOps const *const *root_ops = nullptr;
};

struct AllocRequest {
    uint64_t size;
    uint64_t alignment; ///< bytes, power of two
    bool zero;
    uint8_t state;
    Nanoseconds timeout = 0; ///< how long to wait for memory; negative: for ever
};

struct Allocation {
    Ref ref;
    void *data = nullptr;
};

struct Extent {
    void *data = nullptr;
    uint64_t size = 0;
};

/// Steps of a CAS loop on one block's word: each failure is another's success, but a scribbling peer
/// could go on for ever.
inline constexpr int kWordTries = 1 << 20;

/// Where a ref leads.
struct Place {
    Sector *sector = nullptr;
    unsigned index = 0; ///< of the sector
    Granule head = 0;
    BlockWord word{};
};

/// An object that this process has open: where its mark is in the directory.
struct OpenObject {
    Ref ref;
    uint32_t entry = 0;
    /// Packed; not the owner id alone: a fork child may get its parent's.
    uint64_t marked_as = kNoIdentity;
    uint64_t seen = 0; ///< who may not write leaves no mark: the entry's word, else 0
};

class Matrix {
  public:
    static constexpr unsigned kRefGenerationShift = 48;
    static constexpr uint64_t kOffsetMask = (uint64_t{1} << kRefGenerationShift) - 1; ///< of a ref

    static Result<Matrix *> create(char const *name, MatrixOptions const &options) noexcept;
    static Result<Matrix *> attach(char const *name, MatrixOptions const &options) noexcept;
    static Result<Matrix *> open(char const *name, MatrixOptions const &options) noexcept;
    static Result<Matrix *> attach_fd(int fd, MatrixOptions const &options) noexcept;
    static Status unlink(char const *name) noexcept;

    Matrix() noexcept = default;
    Matrix(Matrix const &) = delete;
    Matrix &operator=(Matrix const &) = delete;

    /// Becomes a participant of memory that the caller has mapped (tests and the explorer).
    Status adopt(std::byte *base, Geometry const &geometry, MatrixOptions const &options) noexcept;

    void ref() noexcept;
    void unref() noexcept;
    Status retire() noexcept;
    int fd() const noexcept { return segment_.backing().fd(); }
    char const *name() const noexcept { return name_ == nullptr ? "" : name_; }
    Uuid const &uuid() const noexcept { return segment_.uuid(); }
    Result<uint64_t> participant_id() noexcept;

    /// The first try of the next two, inline for who includes lane_hot.hpp. Nothing is wrong if it
    /// fails.
    bool has_lanes() const noexcept { return magazine_budget_ != 0; }
    bool alloc_fast(uint64_t size, Allocation &ret) noexcept;
    bool free_fast(Ref ref, Owner from = kAnybody) noexcept;
    /// The first try of find(), in two steps: where the word of a block stands, and whether it says
    /// that it is this block. Between them its line may be fetched.
    bool place_of(Ref ref, Place &ret) noexcept;
    bool is_at(Ref ref, Place &place, Order order) const noexcept;
    bool find_quickly(Ref ref, Place &ret, Order order) noexcept;
    /// After memory became FREE or CACHED: who waits for it may look again. A load, if nobody waits.
    void tell_waiting() noexcept { Waiting(segment_.header().memory).wake(); }
    bool somebody_waits() const noexcept { return Waiting(segment_.header().memory).is_awaited(); }
    // Past the lanes. `ret_ref`: the ref's value. `ret_data` may be NULL.
    Status alloc_shared(uint64_t size, uint64_t &ret_ref, void **ret_data) noexcept;
    Status free_shared(Ref ref) noexcept;
    /// Without options: the usual way.
    Status alloc(uint64_t size, Allocation &ret) noexcept;
    Status alloc(AllocRequest const &request, Allocation &ret) noexcept;
    Status free(Ref ref) noexcept;
    /// In place. ENOSPC: the free memory on its right, with what was trimmed there, is not enough;
    /// nothing has changed.
    Status resize(Ref ref, uint64_t size) noexcept;
    /// Moves the block if it must; `ret` says where it is now. After an error it is where it was.
    Status realloc(Ref ref, AllocRequest const &request, Allocation &ret) noexcept;
    /// Up to `count` blocks. OK if there was one; `data` may be NULL.
    Status alloc_many(AllocRequest const &request, size_t count, Ref *refs, void **data,
                      size_t &ret_made) noexcept;
    /// Up to the first that cannot be freed. OK if that was not the very first one.
    Status free_many(Ref const *refs, size_t count, size_t &ret_freed) noexcept;
    /// Of a ref that was just found: it holds the offset of its block's data.
    void *address_of(Ref ref) const noexcept { return segment_.base() + (ref.value & kOffsetMask); }
    Extent extent_of(Place const &place) const noexcept
    {
        return {segment_.base() + place.sector->offset_of(place.head),
                place.sector->bytes_of(place.word.granules())};
    }
    Extent data_fast(Ref ref) noexcept;
    Result<Extent> data(Ref ref) noexcept;
    Result<Ref> ref_of(void const *data, uint64_t size) noexcept;
    Result<uint8_t> state(Ref ref) noexcept;
    Status set_state(Ref ref, uint8_t state) noexcept;
    Status transition(Ref ref, uint8_t from, uint8_t to) noexcept;
    Result<uint64_t> owner(Ref ref) noexcept;
    Status give(Ref ref, uint64_t participant) noexcept;
    Status take(Ref ref) noexcept;

    /// Gives memory of free blocks back to the system, all but `keep_bytes`.
    Status trim(uint64_t keep_bytes, uint64_t &ret_bytes) noexcept;

    Status stats(MatrixStats &ret) noexcept;
    Status walk(BlockFn callback, void *userdata) noexcept;
    Status participants(ParticipantFn callback, void *userdata) noexcept;
    /// The status counts the errors found.
    Status check(bool repair, CheckReport &ret) noexcept;
    Status heal(HealReport &ret) noexcept;
    /// Commits block data up to `bytes` in all, shared out as by the option `commit`, and puts all
    /// that is committed into this process's page tables.
    Status prefault(uint64_t bytes, ProgressFn progress, void *userdata) noexcept;
    MemoryKind const &memory_kind() const noexcept { return segment_.backing().kind(); }
    MemoryUse measure_memory() const noexcept { return segment_.measure(); }

    Status bind(char const *name, Ref ref) noexcept;
    Result<Ref> lookup(char const *name) noexcept;
    Result<Ref> unbind(char const *name) noexcept;
    Status roots(RootFn callback, void *userdata) noexcept;

    // For the concepts above (channels, pools).
    /// What the concept of this kind of root wants done; its functions may be NULL.
    RootOps const &ops_of(unsigned kind) const noexcept;
    /// Names an object's block; the block becomes nobody's.
    Status bind_object(char const *name, RootKind kind, Ref ref) noexcept;
    /// Finds an object and marks it as open in this process, so that it stays while we use it.
    Result<OpenObject> open_object(char const *name, RootKind kind) noexcept;
    /// In a fork child: marks it anew. kStale if it is gone.
    Status open_object_again(OpenObject &object) noexcept;
    /// For a read-only handle: without a mark, so the object may go at any time. What was read of
    /// it counts if object_still_there() says so afterwards.
    Result<OpenObject> watch_object(char const *name, RootKind kind) noexcept;
    Status object_still_there(OpenObject const &object) noexcept;
    void close_object(OpenObject const &object) noexcept;
    /// Frees the name; the object itself goes when nobody has it open any more.
    Status retire_object(OpenObject const &object) noexcept;
    /// Serialises opening and closing of objects among the threads of this process, and protects
    /// the list of those that are open.
    Mutex &objects_mutex() noexcept { return objects_mutex_; }
    void *&open_objects() noexcept { return open_objects_; }
    /// For who compares it in each call, past enter(): another value is another participant.
    uint64_t const *identity_word() const noexcept { return &me_; }
    /// Every call begins with it: not retired, and this process is a participant (after a fork).
    Status enter() noexcept
    {
        if (!WEIR_LIKELY(!segment_.retired()))
            return error(kRetired);
        return WEIR_LIKELY(is_joined()) ? kOk : attach_again();
    }
    /// The same for who has entered as `who` (packed) before. False: only enter() can tell.
    bool enter_as(uint64_t who) const noexcept
    {
        return WEIR_LIKELY(!segment_.retired() && is(who));
    }
    /// Whether this process is that participant (packed) now, and not just becoming it.
    bool is(uint64_t who) const noexcept
    {
        return __atomic_load_n(&me_, __ATOMIC_ACQUIRE) == who; // pairs with set_me()
    }
    /// Whether this process is a participant now, and not just becoming one.
    bool is_joined() const noexcept
    {
        uint64_t const packed = __atomic_load_n(&me_, __ATOMIC_ACQUIRE); // pairs with set_me()
        return packed != 0 && (packed & kJoining) == 0;
    }
    Identity me() const noexcept
    {
        uint64_t const packed = __atomic_load_n(&me_, __ATOMIC_RELAXED); // enter() has ordered it
        return Identity::of(packed);
    }
    uint64_t id_of(Owner owner) const noexcept;
    /// ALLOCATED(from) -> ALLOCATED(to), for exactly this block.
    Status move_owner(Ref ref, Owner from, Owner to) noexcept;
    /// ALLOCATED(from) -> free.
    Status free_owned(Ref ref, Owner from) noexcept;
    /// What the block word of a ref says; kStale if it is not this block any more.
    Result<Place> find(Ref ref) noexcept;
    /// Heals whoever is dead. True if somebody was.
    bool heal_dead(HealReport *report = nullptr) noexcept;
    Participants &people() noexcept { return participants_; }
    Segment &segment() noexcept { return segment_; }
    Nanoseconds stall() const noexcept { return stall_; }
    /// Takes a ticket, healing a dead holder; EBUSY if a stopped process keeps it.
    Status take_ticket(TicketWord &word) noexcept;
    void give_ticket(TicketWord &word) noexcept;
    Caller caller() noexcept
    {
        Owner const owner = me().owner;
        return {participants_.windows(owner), owner, thread_number()};
    }

    /// The calling thread's lane, made if it may have one; for who uses it without a call.
    Lane *prepare_lane() noexcept;
    /// For the explorer, in whose memory it lies.
    void lend_depot(Depot *depot) noexcept { depot_ = depot; }

  private:
    // lane.cpp
    /// The calling thread's lane; nullptr: it has none, or none yet, or only a lookup can tell.
    Lane *lane_here() const noexcept
    {
        uint64_t const pointer = thread_pointer();
        // acquire, both: pairs with put_in_place(); its thread is written
        if (Lane *const lane = __atomic_load_n(&first_lane_, __ATOMIC_ACQUIRE);
            WEIR_LIKELY(lane != nullptr && lane->is_of(pointer)))
            return lane;
        Lane *const lane = __atomic_load_n(&lane_at_[thread_place(pointer)], __ATOMIC_ACQUIRE);
        return WEIR_LIKELY(lane != nullptr && lane->is_of(pointer)) ? lane : nullptr;
    }
    /// That of the thread with this number, for this thread alone.
    Lane *lane_of(uint64_t number) const noexcept
    {
        Lane *const lane = WEIR_LIKELY(number < kLanes) ? lanes_[number] : nullptr;
        bool const ours =
            lane != nullptr && lane->identity == __atomic_load_n(&me_, __ATOMIC_RELAXED);
        return WEIR_LIKELY(ours) ? lane : nullptr; // relaxed: the thread made its lane itself
    }
    Lane *put_in_place(Lane &lane, uint32_t number) noexcept;
    static void thread_ended(void *handle, uint32_t number) noexcept;
    void begin_magazine(Magazine &magazine, unsigned sector, Granules length) const noexcept;
    bool alloc_laned(uint64_t size, uint8_t state, Allocation &ret) noexcept;
    bool pop_one(Lane &lane, Magazine &magazine, uint8_t state, Allocation &ret) noexcept;
    bool keep(Lane &lane, atomic<BlockWord> &word, Magazine &magazine, Granule head,
              BlockWord found) noexcept;
    bool pop(Lane &lane, Magazine &magazine, uint8_t state, Allocation &ret) noexcept;
    bool refill(Lane &lane, Magazine &magazine, uint8_t state, Allocation &ret) noexcept;
    bool push(Lane &lane, Place const &place) noexcept;
    bool make_room(Lane &lane, Magazine &magazine) noexcept;
    bool restock(Lane &lane, Magazine &magazine, uint8_t state, Allocation &ret) noexcept;
    bool take_batch(Lane const &lane, Magazine &magazine) noexcept;
    bool put_batch(Lane const &lane, Magazine &magazine, unsigned count) noexcept;
    bool take_from_others(Lane &lane, Magazine &magazine) noexcept;
    bool give_to_others(Lane const &lane, Magazine &magazine, unsigned count) noexcept;
    void flush(Lane &lane, Magazine &magazine, unsigned count) noexcept;
    bool flush_sector(Lane &lane, unsigned sector) noexcept;
    void empty_lanes() noexcept;
    void drop_lanes() noexcept;

    // lifecycle.cpp
    using SegmentMaker = Status (*)(Segment &, char const *, MatrixOptions const &) noexcept;
    static Result<Matrix *> make_handle(char const *name) noexcept;
    static Result<Matrix *> create_with(char const *name, MatrixOptions const &options,
                                        MemoryWish const &memory) noexcept;
    Status start(MatrixOptions const &options) noexcept;
    Status join() noexcept;
    Status attach_again() noexcept;
    void leave() noexcept;
    Status keep_name(char const *name) noexcept;
    void set_me(Identity me, bool joining = false) noexcept
    {
        // Before it: who has passed enter() then may put his lane there.
        __atomic_store_n(&first_lane_, nullptr, __ATOMIC_RELAXED);
        for (Lane *&lane : lane_at_)
            __atomic_store_n(&lane, nullptr, __ATOMIC_RELAXED);
        __atomic_store_n(&me_, (joining ? kJoining : 0) | me.packed(),
                         __ATOMIC_RELEASE); // pairs with enter(), is()
    }
    static void in_fork_child(void *handle) noexcept;
    static void discard(Matrix *matrix) noexcept;
    static Result<Matrix *> attach_with(char const *name, int fd,
                                        MatrixOptions const &options) noexcept;

    // alloc.cpp
    struct Search;
    Status alloc_properly(AllocRequest const &request, Allocation &ret) noexcept;
    Status alloc_shared_properly(uint64_t size, uint64_t &ret_ref, void **ret_data) noexcept;
    Status alloc_slow(Search &search) noexcept;
    /// The same, sleeping until memory comes back (wait.cpp).
    Status alloc_waiting(AllocRequest const &request, Allocation &ret) noexcept;
    bool could_ever_fit(AllocRequest const &request) const noexcept;
    bool is_valid(AllocRequest const &request) const noexcept
    {
        return request.size - 1 < segment_.geometry().request.capacity &&
               is_power_of_two(request.alignment) && request.alignment <= kLargestAlignment;
    }
    static constexpr uint64_t kLargestAlignment = uint64_t{2} << 20;
    Run quick_search(Search &search, Sector &sector, uint64_t start) noexcept;
    bool search_all(Search &search) noexcept;
    bool search_exhaustively(Search &search, WalkFindings &found) noexcept;
    bool could_grow(Search const &search) const noexcept;
    static uint64_t missing_for(Sector const &sector, Need need) noexcept;
    Status grow_for(Search &search, unsigned sector) noexcept;
    Status grow(unsigned sector, Need need, bool may_rise, Window &window) noexcept;
    Result<Granules> growth_step(unsigned sector, Need need) const noexcept;
    Status commit_at_start(uint64_t bytes) noexcept;
    uint64_t committed() const noexcept;
    /// What helps a thread on the shared path. All but `known`, which is relied upon, are hints of
    /// this process: no order, no truth.
    struct alignas(kCacheLine) WorkPlace {
        Granule position[kSectors]; ///< the head that it last left there FREE, mostly
        Turns turns;
        KnownSteps known; ///< of the first thread with this place alone; others may share the rest
    };
    static constexpr unsigned kWorkPlaces = 32;
    static_assert(is_power_of_two(kWorkPlaces));
    WorkPlace &work_place(Caller const &caller) noexcept
    {
        return *kept(&work_places_[caller.thread() % kWorkPlaces]);
    }
    static KnownSteps *known_steps(WorkPlace &place, Caller const &caller) noexcept
    {
        return WEIR_LIKELY(caller.thread() < kWorkPlaces) ? &place.known : nullptr;
    }
    static Granule position(WorkPlace const &place, unsigned sector) noexcept
    {
        return __atomic_load_n(&place.position[sector], __ATOMIC_RELAXED);
    }
    static void remember(WorkPlace &place, unsigned sector, Granule head) noexcept
    {
        __atomic_store_n(&place.position[sector], head, __ATOMIC_RELAXED);
    }

    Status hand_out_shared(Sector &sector, WorkPlace &place, Run run, Granules length,
                           Caller const &self, uint64_t &ret_ref, void **ret_data) noexcept;
    Status alloc_whole(uint64_t size, Run run, uint64_t &ret_ref, void **ret_data) noexcept;
    Status alloc_in_turn(uint64_t size, Sector &sector, Run run, Caller const &self,
                         uint64_t &ret_ref, void **ret_data) noexcept;
    Status alloc_shared_again(uint64_t size, uint64_t &ret_ref, void **ret_data) noexcept;
    static void wait_for_turn(WorkPlace &place, Caller const &self) noexcept;

    // trim.cpp
    Status trim_sector(unsigned index, uint64_t spare, uint64_t &done) noexcept;
    Result<Granules> trim_part(unsigned index, Run run, BlockWord word, Need part) noexcept;
    uint64_t room() const noexcept;
    bool find_opening(unsigned index, Need need, bool may_rise, Opening &ret) const noexcept;
    bool has_room(unsigned index, Need need, bool may_rise) const noexcept;
    Status take_back(unsigned index, Need need, bool &rise) noexcept;
    Status take_place(unsigned index, Granule from, Run place, uint64_t more) noexcept;
    bool may_take_back(unsigned index, Run place) const noexcept;
    void take_back_right(unsigned index, Run place) noexcept;
    Status take_part(unsigned index, Run piece, BlockWord word, Run part, uint64_t &more) noexcept;
    Status add_memory(unsigned index, Run run) noexcept;
    void recount_trimmed() noexcept;
    // prefault.cpp
    Status grow_to(unsigned sector, Granule target) noexcept;
    Status populate_part(unsigned sector, Granule from, Granule to) noexcept;

    // block.cpp
    Ref make_ref(uint64_t offset, BlockWord word) const noexcept
    {
        return {uint64_t{word.generation() ^ salt_} << kRefGenerationShift | offset};
    }
    Ref make_ref(Sector const &sector, Granule head, BlockWord word) const noexcept
    {
        return make_ref(sector.offset_of(head), word);
    }
    static void note_growth(Lane &lane, Place const &place) noexcept;
    int locate(Ref ref, Place &ret) noexcept;
    int find_here(Ref ref, Place &ret) noexcept;
    unsigned sector_of(uint64_t offset) const noexcept;
    template <class Step> Status change_block(Ref ref, Step step) noexcept;
    void free_claimed(Place const &place, Caller const &self) noexcept;

    // resize.cpp
    unsigned index_of(Sector const &sector) const noexcept
    {
        return static_cast<unsigned>(&sector - sectors_);
    }
    bool could_grow_block(Sector const &sector, Run run, uint64_t bytes) const noexcept;
    Status move_block(Ref ref, AllocRequest const &request, Allocation &ret) noexcept;
    Status take_place_of(Ref old, Allocation const &moved) noexcept;

    // heal.cpp
    bool keep_block(Sector &sector, Run run, BlockWord word) noexcept;
    void heal_owner(Owner dead, HealReport &report) noexcept;
    bool heal_sector(Sector &sector, Owner dead, HealReport &report) noexcept;
    Granule heal_head(Sector &sector, Run run, BlockWord word, Healing &healing) noexcept;
    bool is_left(Owner owner) const noexcept;
    Granule merge_if_pair(Sector &sector, Run run, BlockWord word) noexcept;

    // check.cpp
    void check_sector(Sector &sector, bool repair, class RefSet const &named,
                      CheckReport &report) noexcept;
    void check_block(Sector &sector, Run run, BlockWord word, bool repair,
                     CheckReport &report) noexcept;
    void check_trimmed(Sector &sector, bool repair, CheckReport &report) noexcept;
    void count_block(Sector &sector, Granule at, BlockWord word, class RefSet const &named,
                     CheckReport &report) noexcept;

    Segment segment_;
    Participants participants_;
    Exchange exchange_;
    Sector sectors_[kSectors];
    uint16_t salt_ = 0;
    Nanoseconds stall_ = 0;
    RootOps const *const *root_ops_ = nullptr;
    /// Identity, packed; 0 in a fork child that has not called yet. While joining, other threads
    /// wait: what they would allocate could be taken for that of the dead one we took over from.
    uint64_t me_ = 0;
    static constexpr uint64_t kJoining = uint64_t{1} << 63;
    uint64_t magazine_budget_ = 0; ///< 0: no lanes
    Lane *lanes_[kLanes] = {};     ///< by thread number; each is its thread's alone
    unsigned lane_count_ = 0;      ///< of lanes_, those that are there
    /// Those of them that belong to who we are now: of the first thread, and by thread_place() one of
    /// the others'. Not to be believed without a look at whose it is.
    Lane *first_lane_ = nullptr;
    Lane *lane_at_[kThreadPlaces] = {};
    Depot *depot_ = nullptr; ///< what they pass to each other; nullptr: nothing
    uint32_t references_ = 1;
    char *name_ = nullptr;
    char participant_name_[16] = {};
    Mutex mutex_;                 ///< protects attach_again() and healed_at_attach_
    HealReport healed_at_attach_; ///< until heal() reports it
    Mutex objects_mutex_;
    void *open_objects_ = nullptr; ///< what open_handle.hpp makes of it
    ForkHook fork_hook_;
    ThreadHook thread_hook_;
    WorkPlace work_places_[kWorkPlaces] = {};
};

} // namespace weir
