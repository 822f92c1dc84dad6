// SPDX-License-Identifier: MIT OR Apache-2.0
// A channel's block, and posting (rules.md section 2).
#include "core/channel/ring.hpp"

#include "core/base/bits.hpp"
#include "core/base/quick_clock.hpp"
#include "core/base/waiting.hpp"
#include "core/matrix/lane_hot.hpp"

namespace weir {
namespace {
/// Where the parts of a channel's block lie.
struct Layout {
    BitTreePlan plan;
    uint64_t level[BitTreePlan::kMaxLevels] = {};
    uint64_t subscribers = 0, cells = 0, tallies = 0, bytes = 0;

    Layout(ChannelOptions const &options, unsigned shift) noexcept
        : plan(BitTreePlan::of(uint64_t{1} << shift))
    {
        bool const queue = options.mode == ChannelMode::queue;
        bool const may_lose = options.ttl != 0 || options.overflow == Overflow::drop_oldest;
        uint64_t const count = uint64_t{options.levels} << shift;
        uint64_t at = sizeof(ChannelHeader) + options.levels * sizeof(Level);
        subscribers = at;
        at += queue ? 0 : kMaxSubscribers * sizeof(Subscriber);
        for (unsigned i = 0; queue && i < plan.levels; ++i) {
            level[i] = at;
            at += plan.words[i] * options.levels * 8;
        }
        cells = round_up(at, kCacheLine);
        tallies = cells + count * sizeof(Cell);
        bytes = tallies + (may_lose ? count * sizeof(Tally) : 0);
    }
};

unsigned shift_for(uint32_t capacity) noexcept
{
    unsigned const shift = capacity <= 1 ? 0 : floor_log2(capacity - 1) + 1;
    return larger(shift, kMinCapacityShift);
}

ChannelOptions options_in(ChannelHeader const &header) noexcept
{
    ChannelOptions options;
    options.type_id = read_once(header.type_id);
    options.message_size = read_once(header.message_size);
    options.levels = read_once(header.levels);
    options.mode = static_cast<ChannelMode>(read_once(header.mode));
    options.overflow = static_cast<Overflow>(read_once(header.overflow));
    options.ttl = static_cast<Nanoseconds>(read_once(header.ttl_ns));
    options.ageing = static_cast<Nanoseconds>(read_once(header.ageing_ns));
    options.retain_count = read_once(header.retain_count);
    options.retain = static_cast<Nanoseconds>(read_once(header.retain_ns));
    return options;
}

bool is_valid(ChannelOptions const &options) noexcept
{
    return options.levels >= 1 && options.levels <= kMaxLevels &&
           options.mode <= ChannelMode::broadcast && options.overflow <= Overflow::drop_oldest &&
           options.ttl >= 0 && options.ageing >= 0 && options.retain >= 0;
}
} // namespace

uint64_t Ring::bytes_for(ChannelOptions const &options) noexcept
{
    return Layout(options, shift_for(options.capacity)).bytes;
}

void Ring::format(void *block, ChannelOptions const &options) noexcept
{
    auto &header = *static_cast<ChannelHeader *>(block);
    header.magic = kChannelMagic;
    header.version = kChannelVersion;
    header.mode = static_cast<uint32_t>(options.mode);
    header.overflow = static_cast<uint32_t>(options.overflow);
    header.capacity_shift = shift_for(options.capacity);
    header.type_id = options.type_id;
    header.levels = options.levels;
    header.message_size = options.message_size;
    header.ttl_ns = static_cast<uint64_t>(options.ttl);
    header.ageing_ns = static_cast<uint64_t>(options.ageing);
    header.retain_count = options.retain_count;
    header.retain_ns = static_cast<uint64_t>(options.retain);
}

Result<Ring> Ring::of(Matrix &matrix, Ref ref) noexcept
{
    auto const block = matrix.data(ref);
    if (!block.ok() || block->size < sizeof(ChannelHeader))
        return error(kCorrupt);
    auto *const base = static_cast<std::byte *>(block->data);
    auto *const header = reinterpret_cast<ChannelHeader *>(base);
    unsigned const shift = read_once(header->capacity_shift);
    if (header->magic != kChannelMagic || shift < kMinCapacityShift || shift > kMaxCapacityShift)
        return error(kCorrupt);
    if (header->version != kChannelVersion)
        return error(kVersion);
    ChannelOptions options = options_in(*header);
    options.capacity = uint32_t{1} << shift;
    if (!is_valid(options))
        return error(kCorrupt);
    Layout const layout(options, shift);
    if (layout.bytes > block->size)
        return error(kCorrupt);

    Ring ring;
    ring.matrix_ = &matrix;
    ring.header_ = header;
    ring.levels_ = reinterpret_cast<Level *>(base + sizeof(ChannelHeader));
    ring.cells_ = reinterpret_cast<Cell *>(base + layout.cells);
    if (options.mode == ChannelMode::broadcast)
        ring.subscribers_ = reinterpret_cast<Subscriber *>(base + layout.subscribers);
    if (layout.bytes > layout.tallies)
        ring.tallies_ = reinterpret_cast<Tally *>(base + layout.tallies);
    atomic<uint64_t> *levels[BitTreePlan::kMaxLevels] = {};
    for (unsigned i = 0; i < layout.plan.levels; ++i)
        levels[i] = reinterpret_cast<atomic<uint64_t> *>(base + layout.level[i]);
    ring.redelivery_.init(layout.plan, options.levels, levels, header->redelivery_map);
    ring.shift_ = shift;
    ring.mask_ = (uint64_t{1} << shift) - 1;
    ring.options_ = options;
    ring.plain_broadcast_ =
        options.mode == ChannelMode::broadcast && options.levels == 1 && ring.tallies_ == nullptr;
    ring.plain_queue_ = options.mode == ChannelMode::queue && options.levels == 1;
    return ring;
}

void Ring::advance(atomic<uint64_t> &hint, uint64_t from) noexcept
{
    hint.compare_exchange(from, from + 1, relaxed, relaxed); // a hint; losing is fine
}

uint64_t Ring::size_of_posted(Ref ref) noexcept
{
    auto const place = matrix_->find(ref);
    if (!place.ok() || !place->word.is(Kind::allocated) || place->word.owner() != kNobody)
        return 0;
    return place->sector->bytes_of(place->word.granules());
}

bool Ring::nobodys(Ref ref) noexcept { return size_of_posted(ref) != 0; }

// ---- post

/// While a cell is WRITING, readers who look take its line away. So all that can be done before it is
/// taken is done before; and the lines that will be written come while we look at the clock.
Status Ring::post(Ref ref, uint64_t length, uint64_t tag, unsigned level, Nanoseconds now) noexcept
{
    if (level >= options_.levels)
        return error(EINVAL);
    Spot const spot{level, levels_[level].tail.load(relaxed)}; // a hint
    Cell &at = *kept(&cell(spot));
    prefetch_to_write(&at);
    Place block;
    bool const placed = matrix_->place_of(ref, block);
    if (WEIR_LIKELY(placed))
        block.sector->prefetch_word(block.head);
    Nanoseconds const posted_at = now != 0 ? now : quick_now();
    if (!WEIR_LIKELY(placed && matrix_->is_at(ref, block, acquire))) { // as in find()
        auto const found = matrix_->find(ref);
        WEIR_TRY(found);
        block = *found;
    }
    Identity const me = matrix_->me();
    if (block.word.owner() != me.owner)
        return error(EPERM);
    if (length > block.sector->bytes_of(block.word.granules()))
        return error(EINVAL);
    if (options_.message_size != 0 && length != options_.message_size)
        return error(EMSGSIZE);
    Letter const letter{ref, length, tag, posted_at, participant_id(me.owner, me.generation)};
    CellWord const empty = CellWord::of(Phase::empty, lap(spot.position));
    CellWord const writing = empty.to(Phase::writing, me.owner);
    if (WEIR_LIKELY(load(at).raw == empty.raw && change(at, empty, writing)))
        return post_into(at, spot, writing, block, letter);
    return post_elsewhere(block, letter, level);
}

Status Ring::post_elsewhere(Place const &block, Letter const &letter, unsigned level) noexcept
{
    Spot spot;
    CellWord writing;
    Status const taken = take_cell(level, spot, writing);
    if (taken.code == -EAGAIN && options_.overflow == Overflow::drop_new)
        return refuse(letter.ref);
    WEIR_TRY(taken);
    return post_into(cell(spot), spot, writing, block, letter);
}

/// The cell is ours. The order matters: ref, the block to nobody, FULL (channel.hpp).
WEIR_HOT Status Ring::post_into(Cell &at, Spot spot, CellWord writing, Place const &block,
                                Letter const &letter) noexcept
{
    atomic<uint64_t> &tail = levels_[spot.level].tail;
    if (broadcast()) // what is retained counts from the tail
        advance(tail, spot.position);
    // relaxed: all of it is published by the block's change of owner (for healers) and by FULL
    at.length.store(letter.length, relaxed);
    at.tag.store(letter.tag, relaxed);
    at.posted_at_ns.store(static_cast<uint64_t>(letter.posted_at), relaxed);
    at.sender.store(letter.sender, relaxed);
    at.ref.store(letter.ref.value, relaxed);
    BlockWord word = block.word;
    bool const allocated = word.is(Kind::allocated);
    if (!WEIR_LIKELY(allocated && block.sector->change(block.head, word, word.with_owner(kNobody))))
        WEIR_TRY(hand_over(spot, writing, letter.ref));
    if (broadcast())
        return publish_to_all(spot, writing) ? kOk : error(kCorrupt);
    bool const posted = publish_to_one(at, writing);
    advance(tail, spot.position); // late: posters who need it move it themselves
    return posted ? kOk : error(kCorrupt);
}

/// Takes the next position: EMPTY(p) -> WRITING(p, me).
Status Ring::take_cell(unsigned level, Spot &ret_spot, CellWord &ret_writing) noexcept
{
    Level &own = levels_[level];
    // Each turn advances the tail, makes room, or loses to somebody who took a cell; the bound is
    // for scribblers.
    for (uint64_t turns = 0; turns < 4 * capacity() + 100000; ++turns) {
        Spot const spot{level, own.tail.load(relaxed)}; // a hint
        CellWord const found = load(spot);
        if (WEIR_LIKELY(found.raw == CellWord::of(Phase::empty, lap(spot.position)).raw)) {
            CellWord const writing = found.to(Phase::writing, matrix_->me().owner);
            if (!change(spot, found, writing))
                continue;
            ret_spot = spot;
            ret_writing = writing;
            return kOk;
        }
        if (behind(found.lap(), lap(spot.position))) { // the message of the last lap is still there
            if (!make_room(spot, found))
                return error(EAGAIN);
            continue;
        }
        advance(own.tail, spot.position); // somebody else's, who has not come to it
    }
    return error(kCorrupt);
}

/// The message of the last lap may go if nobody waits for it any more, or by policy. True: the
/// cell is worth another look.
bool Ring::make_room(Spot spot, CellWord found) noexcept
{
    Spot const old{spot.level, spot.position - capacity()};
    if (found.lap() != lap(old.position))
        return false; // a scribbler's, or it has just gone
    if (broadcast()) {
        sweep_leaving();
        collect(old, true);
        if (load(old).raw != found.raw)
            return true;
    }
    if (!found.is(Phase::full))
        return false;
    if (is_expired(old) && discard(old, found, Phase::expiring))
        return true;
    if (options_.overflow == Overflow::drop_oldest && discard(old, found, Phase::dropping))
        return true;
    return load(old).raw != found.raw;
}

/// DROP_NEW: counted first, so that a count is never missing.
Status Ring::refuse(Ref ref) noexcept
{
    header_->refused.fetch_add(1, relaxed); // a count
    WEIR_TRY(matrix_->free_owned(ref, matrix_->me().owner));
    return Status{1};
}

/// The block's word has changed since it was found. If it is not ours any more, the cell goes back.
WEIR_COLD Status Ring::hand_over(Spot spot, CellWord writing, Ref ref) noexcept
{
    Status const handed = matrix_->move_owner(ref, matrix_->me().owner, kNobody);
    if (handed.ok())
        return handed;
    pass_on(spot, writing); // another thread freed, gave or resizes it
    if (broadcast())
        ring_items(); // who waited at this message goes on to the next
    return handed;
}

/// WRITING -> FULL: from here on it is posted. False: somebody scribbles.
bool Ring::publish(Spot spot, CellWord writing) noexcept
{
    return broadcast() ? publish_to_all(spot, writing) : publish_to_one(cell(spot), writing);
}

WEIR_HOT bool Ring::publish_to_one(Cell &at, CellWord writing) noexcept
{
    if (!change(at, writing, writing.to(Phase::full)))
        return false; // nobody else may change it while we live
    ring_items();
    return true;
}

bool Ring::publish_to_all(Spot spot, CellWord writing) noexcept
{
    Cell &at = *kept(&cell(spot));
    uint64_t const given = header_->active.load(seq_cst); // [J] after WRITING; pairs with sweep()
    at.holders.store(given, relaxed);                     // published by FULL
    if (!change(at, writing, writing.to(Phase::full)))
        return false; // nobody else may change it while we live
    bool const left = (given & ~header_->active.load(seq_cst)) != 0; // [J] somebody meanwhile
    if (left)
        sweep_leaving();
    if (left || given == 0)
        collect(spot);
    tidy(spot.level);
    ring_items();
    return true;
}

/// A cell in our hand whose message is gone: the next lap may have it.
void Ring::pass_on(Spot spot, CellWord from) noexcept
{
    Cell &at = *kept(&cell(spot));
    at.ref.store(0, relaxed); // C1; published by the word
    change(at, from, from.to_next_lap());
    Waiting(levels_[spot.level].room.word).wake_one();
}

/// After a message came out of a hand and is FULL still: who sleeps because it was in a hand may drop
/// it now.
void Ring::tell_dropper(unsigned level) noexcept
{
    if (options_.overflow == Overflow::drop_oldest)
        Waiting(levels_[level].room.word).wake_one();
}

/// Room was made for one sleeper at a time, but several cells may be free behind each other, or may be
/// dropped: who has posted, or has given up, wakes the next one.
WEIR_COLD void Ring::wake_if_room(unsigned level) noexcept
{
    Level &own = levels_[level];
    Spot const next{level, own.tail.load(relaxed)};
    CellWord const found = load(next);
    if (!behind(found.lap(), lap(next.position)) || options_.overflow == Overflow::drop_oldest)
        Waiting(own.room.word).wake_one();
}

uint64_t Ring::fill(unsigned level) noexcept
{
    Level &own = levels_[level];
    if (broadcast()) { // what is read leaves no trace in the hints
        uint64_t full = 0;
        for (uint64_t i = 0; i < capacity(); ++i)
            full += load((uint64_t{level} << shift_) + i).is(Phase::full) ? 1 : 0;
        return full;
    }
    uint64_t const tail = own.tail.load(relaxed); // hints, all of it
    uint64_t head = own.head.load(relaxed);
    if (tail - head > capacity())
        head = tail - capacity();
    while (head != tail && load(Spot{level, head}).lap() != lap(head))
        ++head;
    return tail - head;
}

} // namespace weir
