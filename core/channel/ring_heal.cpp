// SPDX-License-Identifier: MIT OR Apache-2.0
// What happens to a channel's cells besides posting and reading: healing, draining, inspection.
#include "core/base/clock.hpp"
#include "core/base/waiting.hpp"
#include "core/channel/ring.hpp"

namespace weir {

/// Only the reaper of `dead` is here (S2).
void Ring::heal(Owner dead) noexcept
{
    for (uint64_t i = 0; i < capacity(); ++i) {
        CellWord const word = load(i);
        bool const in_hand =
            word.is(Phase::writing) || word.is(Phase::held) || word.is(Phase::freeing);
        if (in_hand && word.owner() == dead)
            heal_cell(i, word);
        else if (word.redelivered())
            redelivery_.set(0, i); // who gave it back may have died before the mark
    }
    // Who made a cell FULL or EMPTY may have died before waking.
    Waiting(header_->items.word).wake_always();
    Waiting(header_->room.word).wake_always();
}

/// The table of channel.hpp. `position` is the index; only the word's lap counts.
void Ring::heal_cell(uint64_t index, CellWord word) noexcept
{
    Ref const ref{cell(index).ref.load(relaxed)}; // its writer is dead
    if (!nobodys(ref))
        pass_on(index, word);
    else if (word.is(Phase::writing))
        change(index, word, word.to(Phase::full));
    else
        give_back(index, word);
}

void Ring::retire() noexcept
{
    header_->retired.store(1, seq_cst); // before the drain: who posts later is drained at the end
    Waiting(header_->items.word).wake_always();
    Waiting(header_->room.word).wake_always();
}

void Ring::drain(bool all) noexcept
{
    for (uint64_t i = 0; i < capacity(); ++i) {
        CellWord const word = load(i);
        if (word.is(Phase::empty) || (!all && !word.is(Phase::full)))
            continue;
        CellWord const freeing = word.to(Phase::freeing, matrix_->me().owner);
        if (word.raw != freeing.raw && !change(i, word, freeing))
            continue;                                         // a reader has it now
        Ref const ref{cell(i).ref.load(relaxed)};             // in our hand
        static_cast<void>(matrix_->free_owned(ref, kNobody)); // gone already: as good
        pass_on(i, freeing);
    }
}

void Ring::visit(void (*found)(void *, Ref), void *userdata) noexcept
{
    for (uint64_t i = 0; i < capacity(); ++i) {
        CellWord const word = load(i);
        if (!word.is(Phase::full) && !word.is(Phase::held))
            continue;
        Ref const ref{cell(i).ref.load(relaxed)}; // counts only if the word is the same below
        bool const there = matrix_->find(ref).ok();
        if (load(i).raw == word.raw) // else it changed under us
            found(userdata, there ? ref : Ref{});
    }
}

void Ring::inquire(ChannelInfo &ret) const noexcept
{
    ret = {};
    ret.type_id = type_id_;
    ret.capacity = capacity();
    ret.fail_when_full = fail_when_full_;
    ret.posted = header_->tail.load(relaxed); // a snapshot by nature, here and below
    uint64_t oldest = UINT64_MAX;
    uint64_t next = UINT64_MAX;
    for (uint64_t i = 0; i < capacity(); ++i) {
        CellWord const word = load(i);
        ret.held += word.is(Phase::held) ? 1 : 0;
        ret.writing += word.is(Phase::writing) ? 1 : 0;
        if (!word.is(Phase::full))
            continue;
        Cell const &at = cell(i);
        uint64_t const posted_at = at.posted_at_ns.load(relaxed);
        ++ret.waiting;
        ret.waiting_bytes += at.length.load(relaxed);
        oldest = posted_at < oldest ? posted_at : oldest;
        uint64_t const position = word.lap() << shift_ | i;
        if (position < next) {
            next = position; // relaxed: shown to people; the cell may change under us
            ret.next_tag = at.tag.load(relaxed);
            ret.next_length = at.length.load(relaxed);
        }
    }
    if (ret.waiting != 0)
        ret.oldest_age_ns = // unsigned: a scribbled time must not overflow
            static_cast<int64_t>(static_cast<uint64_t>(monotonic_now()) - oldest);
}

} // namespace weir
