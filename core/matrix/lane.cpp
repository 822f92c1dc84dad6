// SPDX-License-Identifier: MIT OR Apache-2.0
// Lanes: their beginning and end, and what they exchange with each other and the shared path.
#include "core/matrix/lane.hpp"

#include "core/base/alloc.hpp"
#include "core/base/bits.hpp"
#include "core/matrix/depot.hpp"
#include "core/matrix/lane_hot.hpp"
#include "core/matrix/sector_hot.hpp"

#include <cstring>

namespace weir {
namespace {
unsigned sector_index(Magazine const &magazine) noexcept
{
    return magazine.shift == kGranuleShift[kSmall] ? kSmall : kMedium;
}

unsigned index_in(Lane const &lane, Magazine const &magazine) noexcept
{
    return static_cast<unsigned>(&magazine - lane.magazine);
}

constexpr auto kWordsInLine = static_cast<unsigned>(kCacheLine / sizeof(BlockWord));

/// Blocks of this length whose words stand in one cache line.
unsigned heads_in_line(Granules length) noexcept
{
    return larger<unsigned>(kWordsInLine / length, 1);
}

/// Chunks of the index whose blocks a flush puts in order: most blocks come from few refills.
constexpr unsigned kChunksInOrder = 4;

/// Takes those blocks out of the list that begin in the same chunk as the first: a bit for each.
uint64_t take_chunk(Granule *heads, unsigned &count) noexcept
{
    uint64_t const chunk = heads[0] / kChunk;
    uint64_t bits = 0;
    unsigned others = 0;
    for (unsigned i = 0; i < count; ++i) {
        bool const here = heads[i] / kChunk == chunk;
        bits |= uint64_t{here} << heads[i] % kChunk;
        heads[others] = heads[i];
        others += here ? 0 : 1;
    }
    count = others;
    return bits;
}

/// Whether the words of its `count` oldest blocks stand in more than four times the lines that they fill,
/// which only those of one granule can. Passed on like this, each would cost its next users a line of
/// its own; merged and cut again, they are in order.
bool is_scattered(Magazine const &magazine, unsigned count) noexcept
{
    constexpr unsigned kMany = 4;
    uint64_t lines = 0; // by their last bits: few collide
    for (unsigned i = 0; i < count; ++i)
        lines |= bit(granule_of(magazine.entry[i]) / kWordsInLine % 64);
    return static_cast<unsigned>(__builtin_popcountll(lines)) >
           larger(kMany * count / heads_in_line(magazine.length), 1u);
}

void drop_oldest(Magazine &magazine, unsigned count) noexcept
{
    magazine.count -= count;
    std::memmove(magazine.entry, magazine.entry + count, magazine.count * sizeof(Kept));
}
} // namespace

Status Matrix::alloc(uint64_t size, Allocation &ret) noexcept
{
    if (magazine_budget_ == 0)
        return alloc_shared(size, ret.ref.value, &ret.data);
    if (WEIR_LIKELY(alloc_fast(size, ret)) || alloc_laned(size, 0, ret))
        return kOk;
    return alloc_shared(size, ret.ref.value, &ret.data);
}

/// A small allocation. False: the shared path has to serve it, or to say why not.
bool Matrix::alloc_laned(uint64_t size, uint8_t state, Allocation &ret) noexcept
{
    if (!WEIR_LIKELY(size - 1 < kLargestLaned))
        return false;
    Lane *const lane = segment_.retired() ? nullptr : prepare_lane();
    if (lane == nullptr)
        return false;
    Magazine &magazine = lane->magazine[magazine_for(size)];
    return WEIR_LIKELY(pop(*lane, magazine, state, ret)) || restock(*lane, magazine, state, ret) ||
           refill(*lane, magazine, state, ret);
}

/// From what others had too much of: first other threads of this handle, then other participants.
/// Bounded, because they may go on.
WEIR_COLD bool Matrix::restock(Lane &lane, Magazine &magazine, uint8_t state,
                               Allocation &ret) noexcept
{
    if (magazine.most == 0)
        return false;
    for (unsigned i = 0; i < kShelves && take_batch(lane, magazine); ++i)
        if (pop(lane, magazine, state, ret))
            return true;
    for (unsigned i = 0; i < kExchangeShelves && take_from_others(lane, magazine); ++i)
        if (pop(lane, magazine, state, ret))
            return true;
    return false;
}

/// A batch of the exchange into a magazine that is empty. False: there is none.
bool Matrix::take_from_others(Lane &lane, Magazine &magazine) noexcept
{
    Owner const owner = me().owner;
    Exchange::Batch batch;
    if (!exchange_.begin_take(index_in(lane, magazine), owner, batch))
        return false;
    uint64_t const theirs = BlockWord::of(Kind::cached, 0, batch.giver, 0, magazine.length).raw;
    Granule const bound = sectors_[sector_index(magazine)].limit(); // the entries may lie
    for (unsigned i = 0; i < smaller(batch.count, magazine.most); ++i) {
        uint64_t const kept = batch.entry[i].load(relaxed); // begin_take() orders
        uint64_t const generation = kept & BlockWord::kGenerationBitsMask;
        Granule const at = granule_of(kept);
        BlockWord expected{generation | theirs};
        // acq_rel: as Sector::change()
        if (at < bound && magazine.length <= bound - at &&
            magazine.words[at].compare_exchange(expected, {generation | magazine.cached}, acq_rel,
                                                relaxed))
            magazine.entry[magazine.count++] = generation | at;
    }
    Exchange::end_take(batch);
    return true;
}

/// A batch of the depot into a magazine that is empty. False: there is none.
bool Matrix::take_batch(Lane const &lane, Magazine &magazine) noexcept
{
    if (depot_ == nullptr)
        return false;
    unsigned const taken = depot_->take(index_in(lane, magazine), magazine.entry);
    magazine.count = taken;
    return taken != 0;
}

/// The `count` oldest entries, for who runs empty. False: this thread is alone, or nobody needs any.
bool Matrix::put_batch(Lane const &lane, Magazine &magazine, unsigned count) noexcept
{
    unsigned const lanes = __atomic_load_n(&lane_count_, __ATOMIC_RELAXED); // a number, no more
    if (depot_ == nullptr || lanes < 2 ||
        !depot_->put(index_in(lane, magazine), magazine.entry, count, lanes))
        return false;
    drop_oldest(magazine, count);
    return true;
}

/// Takes a FREE block that serves the request, as the shared path would, and cuts as many blocks
/// from it as it gives, up to the batch. The first is the caller's, the others are kept, and handed
/// out so that words of one cache line do not follow each other: the block before may be another
/// processor's by then, which changes its word when we take ours.
WEIR_COLD bool Matrix::refill(Lane &lane, Magazine &magazine, uint8_t state,
                              Allocation &ret) noexcept
{
    unsigned const index = sector_index(magazine);
    Sector &from = sectors_[index];
    Granules const length = magazine.length;
    Caller const self = caller();
    WorkPlace &place = work_place(self);
    Run const run = from.search_quickly(length, position(place, index), self);
    if (run.length == 0)
        return false;
    Granules const count =
        smaller(run.length / length, smaller<Granules>(magazine.batch, magazine.most + 1u));
    Run const mine =
        from.cut_right(run, count * length, run.length, self.owner(), known_steps(place, self));
    if (count > 1)
        from.cut_evenly(mine, length, self.owner());
    unsigned const apart = heads_in_line(length);
    for (unsigned column = 0; column < apart; ++column)
        for (unsigned i = column != 0 ? column : apart; i < count; i += apart) {
            Granule const at = mine.head + i * length;
            BlockWord const word =
                from.cache({at, length}, self.owner()); // L1: a head of its own by now
            magazine.entry[magazine.count++] = kept_of(at, word);
        }
    magazine.batch = static_cast<uint16_t>(smaller(magazine.batch * 2u, kMostBatch));
    BlockWord const word = from.hand_out({mine.head, length}, self.owner(), state);
    self.close();
    remember(place, index, run.head); // there the rest of the free block stays
    Lane::bump(lane.counters->hits);
    Lane::bump(lane.counters->refills);
    ret.ref = make_ref(from, mine.head, word);
    ret.data = segment_.base() + from.offset_of(mine.head);
    return true;
}

/// Gives half of a full magazine away: to other threads, to other participants, or back. False: it keeps
/// nothing.
WEIR_COLD bool Matrix::make_room(Lane &lane, Magazine &magazine) noexcept
{
    if (magazine.most == 0)
        return false;
    unsigned const half = (magazine.count + 1u) / 2;
    if (!put_batch(lane, magazine, half) && !give_to_others(lane, magazine, half))
        flush(lane, magazine, half);
    return magazine.count < magazine.most;
}

/// As put_batch(), into the exchange.
bool Matrix::give_to_others(Lane const &lane, Magazine &magazine, unsigned count) noexcept
{
    unsigned const rack = index_in(lane, magazine);
    if (!exchange_.is_wanted(rack, me().owner) || is_scattered(magazine, count) ||
        !exchange_.put(rack, magazine.entry, count, me().owner))
        return false;
    drop_oldest(magazine, count);
    return true;
}

/// Releases the `count` oldest blocks of a magazine. Those that others have stolen are theirs. Blocks
/// that were freed one after the other often lie near each other: they are put in order, from the right
/// to the left, and merged while they are ours alone, because each publication costs several looks and
/// CASes at words that others use.
void Matrix::flush(Lane &lane, Magazine &magazine, unsigned count) noexcept
{
    if (count == 0)
        return;
    Sector &into = sectors_[sector_index(magazine)];
    Owner const owner = me().owner;
    Granule heads[kLaneDepth];
    for (unsigned i = 0; i < count; ++i)
        heads[i] = granule_of(magazine.entry[i]);
    uint64_t const window = Lane::open(*lane.counters);
    Run held{};
    auto const give_up = [&](Granule head) {
        Run const block{head, magazine.length};
        BlockWord found = into.word(block.head, relaxed); // the CAS orders
        if ((found.raw & ~BlockWord::kGenerationBitsMask) != magazine.cached ||
            !into.change(block.head, found, found.as_claimed(owner, block.length)))
            return;
        if (held.length == 0)
            held = block;
        else if (!into.join(held, block, owner)) {
            into.release_run(held, owner);
            held = block;
        }
    };
    unsigned left = count;
    for (unsigned turn = 0; turn < kChunksInOrder && left != 0; ++turn) {
        Granule const first = heads[0] - heads[0] % kChunk;
        for (uint64_t bits = take_chunk(heads, left); bits != 0; bits -= bit(floor_log2(bits)))
            give_up(first + floor_log2(bits));
    }
    for (unsigned i = 0; i < left; ++i)
        give_up(heads[i]);
    if (held.length != 0)
        into.release_run(held, owner);
    Lane::close(*lane.counters, window);
    drop_oldest(magazine, count);
    Lane::bump(lane.counters->flushes);
}

/// Everything of one sector, in this lane and in the depot. False: there was nothing.
bool Matrix::flush_sector(Lane &lane, unsigned sector) noexcept
{
    bool any = false;
    for (Magazine &magazine : lane.magazine) {
        if (sector_index(magazine) != sector)
            continue;
        // Bounded: others may put more into the depot.
        for (unsigned i = 0; i <= kShelves; ++i) {
            if (magazine.count == 0 && !take_batch(lane, magazine))
                break;
            any = true;
            flush(lane, magazine, magazine.count);
            magazine.batch = kFirstBatch; // memory is short
        }
    }
    return any;
}

/// What all lanes of all participants keep becomes FREE.
void Matrix::empty_lanes() noexcept
{
    Caller const self = caller();
    Window window(self);
    sectors_[kSmall].steal_all(window);
    sectors_[kMedium].steal_all(window);
}

/// Makes or renews the lane of this thread: after a fork its entries are the parent's.
WEIR_COLD Lane *Matrix::prepare_lane() noexcept
{
    uint32_t const number = thread_number(); // from now on, lane_here() knows it mostly
    if (Lane *const lane = lane_of(number); lane != nullptr)
        return put_in_place(*lane, number);
    if (magazine_budget_ == 0 || number >= kLanes || !enter().ok())
        return nullptr;
    if (lanes_[number] == nullptr) {
        lanes_[number] = make<Lane>();
        if (lanes_[number] != nullptr)
            __atomic_fetch_add(&lane_count_, 1, __ATOMIC_RELAXED); // a number, no more
    }
    Lane *const lane = lanes_[number];
    if (lane == nullptr)
        return nullptr;
    Owner const owner = me().owner;
    for (unsigned i = 0; i < kMagazines; ++i)
        begin_magazine(lane->magazine[i], i / kLaneGranules, i % kLaneGranules + 1);
    lane->counters = &participants_.windows(owner)[number];
    lane->base = segment_.base();
    lane->salt_in_ref = uint64_t{salt_} << kRefGenerationShift;
    lane->salt_in_word = BlockWord::kAllocatedBits | uint64_t{salt_} << BlockWord::kGranulesBits;
    lane->cached = BlockWord::of(Kind::cached, 0, owner, 0, 0).raw;
    for (unsigned i = 0; i < 2; ++i)
        lane->sector[i] = {sectors_[i].data_offset(), sectors_[i].words(),
                           &lane->magazine[i * kLaneGranules], sectors_[i].known_limit(),
                           static_cast<uint8_t>(kGranuleShift[i])};
    lane->identity = __atomic_load_n(&me_, __ATOMIC_RELAXED); // enter() has ordered it
    return put_in_place(*lane, number);
}

/// Where lane_here() looks. The first thread's has a place of its own, which takes no time to work out.
Lane *Matrix::put_in_place(Lane &lane, uint32_t number) noexcept
{
    uint64_t const me = thread_pointer();
    if (me == 0)
        return &lane; // this machine has none
    if (!lane.is_of(me))
        lane.belong_to(me);
    Lane **const place = number == 0 ? &first_lane_ : &lane_at_[thread_place(me)];
    // The look first: others read that line in each call, and mostly nothing is new.
    if (__atomic_load_n(place, __ATOMIC_RELAXED) != &lane)
        __atomic_store_n(place, &lane, __ATOMIC_RELEASE); // pairs with lane_here()
    return &lane;
}

/// Its lane stays, for the next thread with this number.
void Matrix::thread_ended(void *handle, uint32_t number) noexcept
{
    auto *const matrix = static_cast<Matrix *>(handle);
    if (number < kLanes && matrix->lanes_[number] != nullptr)
        matrix->lanes_[number]->belong_to(0);
}

void Matrix::begin_magazine(Magazine &magazine, unsigned sector, Granules length) const noexcept
{
    Owner const owner = me().owner;
    magazine.count = 0;
    bool const laned = magazine_of(sector, length) != kMagazines;
    magazine.most = !laned ? 0
                           : static_cast<uint32_t>(smaller<uint64_t>(
                                 kLaneDepth, magazine_budget_ / sectors_[sector].bytes_of(length)));
    magazine.batch = kFirstBatch;
    magazine.shift = static_cast<uint16_t>(kGranuleShift[sector]);
    magazine.length = length;
    magazine.cached = BlockWord::of(Kind::cached, 0, owner, 0, length).raw;
    magazine.allocated = BlockWord::of(Kind::allocated, 0, owner, 0, length).raw;
    magazine.words = sectors_[sector].words();
    magazine.data = sectors_[sector].data_offset();
}

/// The process memory; their blocks are released by leave(), or by who heals us.
void Matrix::drop_lanes() noexcept
{
    for (Lane *&lane : lanes_) {
        destroy(lane);
        lane = nullptr;
    }
    destroy(depot_);
    depot_ = nullptr;
}

} // namespace weir
