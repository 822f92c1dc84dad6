// SPDX-License-Identifier: MIT OR Apache-2.0
// Posting, reading and answering: rules.md section 2, queue mode.
#include "core/channel/ring.hpp"

#include "core/base/bits.hpp"
#include "core/base/clock.hpp"
#include "core/base/waiting.hpp"

namespace weir {
namespace {
struct Layout {
    BitTreePlan plan;
    uint64_t level[BitTreePlan::kMaxLevels] = {};
    uint64_t cells = 0;
    uint64_t bytes = 0;

    explicit Layout(unsigned shift) noexcept : plan(BitTreePlan::of(uint64_t{1} << shift))
    {
        uint64_t at = sizeof(ChannelHeader);
        for (unsigned i = 0; i < plan.levels; ++i) {
            level[i] = at;
            at += plan.words[i] * 8;
        }
        cells = round_up(at, kCacheLine);
        bytes = cells + (sizeof(Cell) << shift);
    }
};
} // namespace

uint64_t Ring::bytes_for(unsigned shift) noexcept { return Layout(shift).bytes; }

void Ring::format(void *block, unsigned shift, uint64_t type_id, bool fail_when_full) noexcept
{
    auto &header = *static_cast<ChannelHeader *>(block);
    header.magic = kChannelMagic;
    header.version = kChannelVersion;
    header.overflow = fail_when_full ? 1 : 0;
    header.capacity_shift = shift;
    header.type_id = type_id;
    header.priorities = 1;
}

Result<Ring> Ring::of(Matrix &matrix, Ref ref) noexcept
{
    auto const block = matrix.data(ref);
    if (!block.ok() || block->size < sizeof(ChannelHeader))
        return error(kCorrupt);
    auto *const base = static_cast<std::byte *>(block->data);
    auto *const header = reinterpret_cast<ChannelHeader *>(base);
    // Read once: a scribbler may change it between a check and a use.
    unsigned const shift = __atomic_load_n(&header->capacity_shift, __ATOMIC_RELAXED);
    if (header->magic != kChannelMagic || shift < kMinCapacityShift || shift > kMaxCapacityShift)
        return error(kCorrupt);
    if (header->version != kChannelVersion || header->mode != 0 || header->priorities != 1)
        return error(kVersion);
    Layout const layout(shift);
    if (layout.bytes > block->size)
        return error(kCorrupt);

    Ring ring;
    ring.matrix_ = &matrix;
    ring.header_ = header;
    ring.cells_ = reinterpret_cast<Cell *>(base + layout.cells);
    atomic<uint64_t> *levels[BitTreePlan::kMaxLevels] = {};
    for (unsigned i = 0; i < layout.plan.levels; ++i)
        levels[i] = reinterpret_cast<atomic<uint64_t> *>(base + layout.level[i]);
    ring.redelivery_.init(layout.plan, 1, levels, header->redelivery_map);
    ring.shift_ = shift;
    ring.type_id_ = header->type_id;
    ring.fail_when_full_ = header->overflow != 0;
    return ring;
}

bool Ring::behind(uint64_t lap, uint64_t of) noexcept
{
    uint64_t const ahead = (of - lap) & CellWord::kLapMask;
    return ahead != 0 && ahead <= CellWord::kLapMask / 2;
}

void Ring::advance(atomic<uint64_t> &hint, uint64_t from) noexcept
{
    hint.compare_exchange(from, from + 1, relaxed, relaxed); // a hint; losing is fine
}

bool Ring::nobodys(Ref ref) noexcept
{
    auto const place = matrix_->find(ref);
    return place.ok() && place->word.is(Kind::allocated) && place->word.owner() == kNobody;
}

// ---- post

/// Takes the next position: EMPTY(p) -> WRITING(p, me).
Status Ring::take_cell(uint64_t &ret_position, CellWord &ret_writing) noexcept
{
    // Each turn advances the tail or loses to somebody who took a cell; the bound is for
    // scribblers.
    for (uint64_t turns = 0; turns < 4 * capacity() + 100000; ++turns) {
        uint64_t const tail = header_->tail.load(relaxed); // a hint
        CellWord const found = load(tail);
        if (behind(found.lap(), lap(tail)))
            return error(EAGAIN); // the message of the last lap is still there
        if (found.lap() != lap(tail) || !found.is(Phase::empty)) {
            advance(header_->tail, tail);
            continue;
        }
        CellWord const writing = found.to(Phase::writing, matrix_->me().owner);
        if (!change(tail, found, writing))
            continue;
        advance(header_->tail, tail);
        ret_position = tail;
        ret_writing = writing;
        return kOk;
    }
    return error(kCorrupt);
}

Status Ring::post(Ref ref, uint64_t length, uint64_t tag) noexcept
{
    auto const block = matrix_->find(ref);
    WEIR_TRY(block);
    Identity const me = matrix_->me();
    if (block->word.owner() != me.owner)
        return error(EPERM);
    if (length > block->sector->bytes_of(block->word.granules()))
        return error(EINVAL);

    uint64_t position;
    CellWord writing;
    WEIR_TRY(take_cell(position, writing));
    Cell &at = cell(position);
    // relaxed: all of it is published by the block's change of owner (for healers) and by FULL
    at.length.store(length, relaxed);
    at.tag.store(tag, relaxed);
    at.posted_at_ns.store(static_cast<uint64_t>(monotonic_now()), relaxed);
    at.sender.store(participant_id(me.owner, me.generation), relaxed);
    at.ref.store(ref.value, relaxed);
    Status const handed = matrix_->move_owner(ref, me.owner, kNobody);
    if (!handed.ok()) { // another thread freed or gave it meanwhile
        pass_on(position, writing);
        return handed;
    }
    if (!change(position, writing, writing.to(Phase::full)))
        return error(kCorrupt); // nobody else may change it while we live
    Waiting(header_->items.word).wake();
    return kOk;
}

/// A cell in our hand whose message is gone: the next lap may have it.
void Ring::pass_on(uint64_t position, CellWord from) noexcept
{
    cell(position).ref.store(0, relaxed); // C1; published by the word
    change(position, from, from.to_next_lap());
    Waiting(header_->room.word).wake();
}

// ---- read

Status Ring::read(Message &ret, uint64_t &missed) noexcept
{
    constexpr unsigned kFarLooks = 16; // the hint is never 64 rounds behind
    unsigned far = 0;
    // Each turn but the last lost to somebody, or moved the head hint on; the bounds are for
    // scribblers.
    uint64_t const bound = 1000 + (uint64_t{1} << 26) / capacity();
    for (uint64_t turns = 0; turns < bound && far < kFarLooks; ++turns) {
        Look look = look_at_redelivery(ret, missed);
        if (look == Look::empty)
            look = look_from_head(ret, missed);
        if (look == Look::found)
            return kOk;
        if (look == Look::empty)
            return error(EAGAIN);
        far += look == Look::far ? 1 : 0;
    }
    return error(kCorrupt);
}

/// A bit counts only if its cell is FULL and was handed out before: a late bit must not make us
/// take a new message out of order.
Ring::Look Ring::look_at_redelivery(Message &ret, uint64_t &missed) noexcept
{
    if (redelivery_.find_column(0) != 0)
        return Look::empty;
    for (uint64_t i = redelivery_.find(0, 0); i != BitTree::kNone; i = redelivery_.find(0, i + 1)) {
        CellWord const found = load(i);
        if (found.redelivered()) {
            uint64_t const position = found.lap() << shift_ | i;
            return grab(position, found, ret, missed) ? Look::found : Look::again;
        }
        if (!found.is(Phase::empty) && !found.is(Phase::full))
            continue; // its holder clears the bit
        redelivery_.clear(0, i);
        if (load(i).redelivered()) { // it came back meanwhile
            redelivery_.set(0, i);
            return Look::again;
        }
    }
    return Look::empty;
}

Ring::Look Ring::look_from_head(Message &ret, uint64_t &missed) noexcept
{
    uint64_t const head = header_->head.load(relaxed); // a hint
    uint64_t window = head;
    uint64_t first_writing = BitTree::kNone;
    // Ends: `window` moves on only over consumed positions. Four rounds are more than a hint lags
    // behind; if it is further, it has been moved on meanwhile, and the next turn goes on from there.
    uint64_t const bound = head + 4 * capacity() + 64;
    uint64_t p = head;
    for (; p < window + capacity() && p < bound; ++p) {
        CellWord const found = load(p);
        bool const this_lap = found.lap() == lap(p);
        if (behind(found.lap(), lap(p)) || (this_lap && found.is(Phase::empty)))
            return Look::empty;
        if (this_lap && found.is(Phase::full)) {
            if (first_writing != BitTree::kNone && filled_meanwhile(first_writing, p))
                return Look::again;
            return grab(p, found, ret, missed) ? Look::found : Look::again;
        }
        if (this_lap && found.is(Phase::writing)) {
            if (first_writing == BitTree::kNone)
                first_writing = p;
            continue;
        }
        if (first_writing != BitTree::kNone)
            continue;
        if (!this_lap)
            window = p + 1; // consumed: C5, the window moves along
        if (p == header_->head.load(relaxed))
            advance(header_->head, p);
    }
    return p == bound ? Look::far : Look::empty;
}

/// Whether a cell that was WRITING when we passed it is FULL now: its message goes first (C4).
bool Ring::filled_meanwhile(uint64_t from, uint64_t to) const noexcept
{
    for (uint64_t p = from; p < to; ++p)
        if (CellWord const found = load(p); found.lap() == lap(p) && found.is(Phase::full))
            return true;
    return false;
}

bool Ring::grab(uint64_t position, CellWord full, Message &ret, uint64_t &missed) noexcept
{
    CellWord const held = full.to(Phase::held, matrix_->me().owner);
    if (!change(position, full, held))
        return false;
    uint64_t const index = position & (capacity() - 1);
    if (redelivery_.test(0, index))
        redelivery_.clear(0, index); // while we hold it: nobody else sets it now
    Cell const &at = cell(position);
    // relaxed: published by FULL, which we have read
    Ref const ref{at.ref.load(relaxed)};
    auto const block = matrix_->data(ref);
    if (!block.ok() || !nobodys(ref)) { // somebody freed a block that was in the channel
        pass_on(position, held);
        ++missed;
        return false;
    }
    ret.ref = ref;
    ret.length = smaller(at.length.load(relaxed), block->size); // a scribbler may have been here
    ret.tag = at.tag.load(relaxed);
    ret.position = position;
    ret.sender = at.sender.load(relaxed);
    ret.posted_at_ns = static_cast<int64_t>(at.posted_at_ns.load(relaxed));
    ret.redeliveries = full.deliveries();
    ret.missed = missed;
    missed = 0;
    return true;
}

// ---- answers

/// HELD(p, me) -> FREEING(p, me): of two threads that answer one message, one goes on.
Status Ring::hold_for_answer(Message const &message, CellWord &ret_freeing) noexcept
{
    if (message.ref.value == 0)
        return error(EINVAL);
    CellWord const found = load(message.position);
    // The count tells a message from its next delivery, perhaps to another thread of ours.
    bool const ours = found.lap() == lap(message.position) && found.is(Phase::held) &&
                      found.owner() == matrix_->me().owner &&
                      found.deliveries() == message.redeliveries;
    if (!ours)
        return error(kStale);
    if (cell(message.position).ref.load(relaxed) != message.ref.value) // ours: nobody writes it
        return error(EINVAL);
    ret_freeing = found.to(Phase::freeing, found.owner());
    return change(message.position, found, ret_freeing) ? kOk : error(kStale);
}

Status Ring::answer(Message const &message, bool keep) noexcept
{
    CellWord freeing;
    WEIR_TRY(hold_for_answer(message, freeing));
    // The block first: a death after it is healed as answered, one before as redelivery.
    Status const done = keep ? matrix_->move_owner(message.ref, kNobody, matrix_->me().owner)
                             : matrix_->free_owned(message.ref, kNobody);
    pass_on(message.position, freeing);
    return done;
}

Status Ring::nack(Message const &message) noexcept
{
    CellWord freeing;
    WEIR_TRY(hold_for_answer(message, freeing));
    give_back(message.position, freeing);
    return kOk;
}

/// To another reader: FULL first, then the mark; a mark that comes late or twice is only a hint.
void Ring::give_back(uint64_t position, CellWord held) noexcept
{
    if (!change(position, held, held.to_redelivery()))
        return;
    redelivery_.set(0, position & (capacity() - 1));
    Waiting(header_->items.word).wake();
}

} // namespace weir
