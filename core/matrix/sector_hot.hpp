// SPDX-License-Identifier: MIT OR Apache-2.0
// What each allocation and each free passes: rules.md M1 to M4 and the search by hints. Included by
// the few files that need it inline.
#pragma once

#include "core/base/assertion.hpp"
#include "core/base/bits.hpp"
#include "core/matrix/sector.hpp"
#include "core/segment/size_step.hpp"

namespace weir {

// ---- hints

WEIR_HOT void Sector::set_granule_hint(Granule at) noexcept
{
    atomic<uint64_t> &word = hints_[chunk_of(at)];
    uint64_t const mask = bit(at & (kChunk - 1));
    // [H] pairs with [R]. A bit that is there stays: only the block's holder clears it.
    if (!WEIR_LIKELY((word.load(seq_cst) & mask) != 0))
        word.fetch_or(mask, seq_cst);
}

WEIR_HOT void Sector::drop_granule_hint(Granule at) noexcept
{
    atomic<uint64_t> &word = hints_[chunk_of(at)];
    uint64_t const mask = bit(at & (kChunk - 1));
    // relaxed load: a late setter may still come, then the bit is stale and costs a look
    if ((word.load(relaxed) & mask) != 0)
        word.fetch_and(~mask, seq_cst);
}

/// `known` saves the look at the index. The proof: the step was set after the count was read, and
/// the count is the same now, [K]. So whoever takes the bit away has not counted yet, [F], and looks
/// at the chunk's heads after that, [R]: he sees ours, which was FREE [P] and had its hint before [K],
/// and sets the bit again, unless it is FREE no more. The levels above are looked at again by who
/// takes a bit of them away, for whichever chunk. If he dies before, his healer counts too, and lists
/// what it meets.
WEIR_HOT void Sector::set_hints(Run run, KnownSteps *known) noexcept
{
    set_granule_hint(run.head); // first: who forgets a step looks at the heads with this hint
    uint64_t const chunk = chunk_of(run.head);
    uint64_t const forgets = forgets_->load(seq_cst); // [K] pairs with [F]
    if (known != nullptr && known->has(&hints_[chunk], forgets, run.length))
        return;
    steps_.set(size_step(run.length), chunk);
    if (known != nullptr)
        known->add(&hints_[chunk], forgets, run.length);
}

// ---- merging and publishing

/// M2: the head of the left block first, then the absorbed one, which is no head any more.
WEIR_HOT void Sector::write_merged(Run run, Granule absorbed, Owner me) noexcept
{
    // release: pairs with the acquire of a hop
    words_[run.head].store(own(run.head).as_claimed(me, run.length), release);
    if (absorbed != run.end() - 1)                                    // there the TAIL will stand
        words_[absorbed].store(own(absorbed).as_interior(), relaxed); // inside our block
}

/// The FREE block that ends right before `head`.
WEIR_HOT Sector::Neighbour Sector::left_of(Granule head) const noexcept
{
    if (head == 0)
        return {};
    // [L] seq_cst: pairs with [P]; the TAIL is read before the head it leads to
    BlockWord const before = word(head - 1, seq_cst);
    if (before.is(Kind::free)) // a block of one granule: head and tail are one word
        return before.granules() == 1 ? Neighbour{head - 1, before, 1} : Neighbour{};
    Granules const length = before.granules();
    if (!before.is(Kind::tail) || length < 2 || length > head)
        return {};
    BlockWord const found = word(head - length, seq_cst); // [L]
    if (!found.is(Kind::free) || found.granules() != length)
        return {};
    return {head - length, found, length};
}

/// M3.1. Claims go right first, then leftwards only: no cycles, no waiting. One neighbour each: free
/// neighbours of a free block are rare, and publish() finds them.
WEIR_HOT Run Sector::absorb_right(Run run, Owner me) noexcept
{
    Granule const right = run.end();
    Granule bound = limit();
    if (right >= bound)
        return run;
    BlockWord const found = word(right, acquire); // pairs with publish(), for its length
    if (!found.is(Kind::free) || !plausible(right, found, bound) || !claim_free(right, found, me))
        return run;
    drop_granule_hint(right);
    run.length += found.granules();
    write_merged(run, right, me);
    return run;
}

/// M3.2. The claim and the merge are one CAS: from then on a hop from the left head lands behind us,
/// and our own head is a word inside that block. `ret_listed`: as in publish().
WEIR_HOT Run Sector::absorb_left(Run run, Owner me, Granules &ret_listed) noexcept
{
    ret_listed = 0;
    Neighbour const left = left_of(run.head);
    if (left.length == 0)
        return run;
    Run const merged{left.head, left.length + run.length};
    BlockWord expected = left.word;
    if (!change(left.head, expected, left.word.as_claimed(me, merged.length)))
        return run;
    drop_granule_hint(run.head);
    if (run.length > 1) // else there the TAIL will stand
        words_[run.head].store(own(run.head).as_interior(), relaxed);
    ret_listed = left.length;
    return merged;
}

/// Whether a FREE block begins there that absorb_right() would take: a hostile word must not keep a
/// publisher busy for ever.
WEIR_HOT bool Sector::is_free_at(Granule at) const noexcept
{
    // [L] The limit too is read after [P]: a grower raises it, publishes, then looks left.
    Granule bound = limit(seq_cst);
    if (at >= bound)
        return false;
    BlockWord const found = word(at, seq_cst); // [L]
    return found.is(Kind::free) && plausible(at, found, bound);
}

/// M3.3 and M3.4: publishes a run we hold as FREE, then looks at both neighbours. Returns a block
/// that we hold again because it can be merged, or an empty run.
///
/// Why look: two neighbours published at the same moment must not miss each other, or invariant 3
/// breaks. Each side stores its own word [P], then loads the other's [L]. All are seq_cst, so at
/// least one side sees the other (store buffering; Dekker). The left word of a pair is the
/// arbiter: both sides try to claim it, one wins, the other leaves.
///
/// `listed`: the length under which this head was FREE when we claimed it, 0 if it was not. A head
/// that stays a head of the same step need not be listed again: nobody takes away the granule hint
/// of a block we hold (M4), nor the step of a chunk in which somebody holds one (chunk_has()). If
/// its last publisher has not listed it yet, he will, under this head and step; if he is dead, his
/// healer does, who lists CLAIMED heads too (heal_sector()).
///
/// Death after [P]: the block is FREE and whole; missing hints and an unmerged pair are mended by
/// heal().
WEIR_HOT Run Sector::publish(Run run, Granules listed, bool look_right, Owner me,
                             KnownSteps *known) noexcept
{
    write_tail(run);
    BlockWord published = own(run.head).as_free(run.length);
    words_[run.head].store(published, seq_cst); // [P]
    if (!WEIR_LIKELY(same_step(listed, run.length)))
        set_hints(run, known); // never before [P]

    if (look_right && is_free_at(run.end()))
        return change(run.head, published, published.as_claimed(me, run.length)) ? run : Run{};

    Neighbour const left = left_of(run.head);
    if (left.length == 0 || !claim_free(left.head, left.word, me))
        return {};
    return {left.head, left.length};
}

/// Publishes until nothing is left to merge. A turn is repeated only if somebody else published
/// beside us meanwhile.
WEIR_HOT Run Sector::give_back(Run run, Granules listed, bool look_right, Owner me,
                               KnownSteps *known) noexcept
{
    for (;;) {
        Run const again = publish(run, listed, look_right, me, known);
        if (WEIR_LIKELY(again.length == 0))
            return run;
        run = merge_again(again, me);
        listed = 0;
        look_right = true; // it may end somewhere else now
    }
}

WEIR_HOT Run Sector::release_hot(Run run, Owner me, KnownSteps *known) noexcept
{
    Granules listed;
    run = absorb_left(absorb_right(run, me), me, listed);
    return give_back(run, listed, true, me, known);
}

// ---- splitting

/// M1, up to the store that cuts: writes TAIL and head of the second part, CLAIMED by us, while the
/// whole run still covers them.
WEIR_HOT Run Sector::write_second(Run run, Granule at, Owner me) noexcept
{
    WEIR_ASSERT(at > run.head && at < run.end());
    Run const second{at, run.end() - at};
    write_tail(second);
    // relaxed: nobody looks inside a block; the store that shortens the first head publishes it
    words_[at].store(own(at).as_claimed(me, second.length), relaxed);
    return second;
}

/// M1 for a run we hold: cuts it at `at`. Both parts are CLAIMED by us afterwards; returns the
/// second. The TAIL of the first is written by whoever publishes it or hands it out.
WEIR_HOT Run Sector::split(Run run, Granule at, Owner me) noexcept
{
    Run const second = write_second(run, at, me);
    // release: pairs with the acquire of a hop, which lands on the second head from now on
    words_[run.head].store(own(run.head).as_claimed(me, at - run.head), release);
    return second;
}

WEIR_HOT Run Sector::cut_right(Run run, Granules length, Granules listed, Owner me,
                               KnownSteps *known) noexcept
{
    if (length == run.length) {
        drop_granule_hint(run.head);
        write_tail(run);
        return run;
    }
    // M1. Publishing the rest is the store that makes ours a head of its own. The rest keeps its
    // head, and with it its granule hint: nothing to clear and set again.
    Run const mine = write_second(run, run.end() - length, me);
    // On its right is ours: no need to look.
    give_back({run.head, run.length - length}, listed, false, me, known);
    return mine;
}

WEIR_HOT BlockWord Sector::hand_out(Run run, Owner me, uint8_t state) noexcept
{
    BlockWord const word = own(run.head).as_allocated(me, state, run.length);
    // release: pairs with the acquire of whoever frees it or looks at it; its TAIL is there
    words_[run.head].store(word, release);
    return word;
}

// ---- search

/// FREE, and of this step; or of the next: what we cut from a block often makes it one less, and its
/// old step stays.
WEIR_HOT bool Sector::serves_quickly(BlockWord found, Granules room, unsigned step) noexcept
{
    return found.is(Kind::free) && found.granules() - 1 < room &&
           size_step(found.granules()) - step <= 1;
}

/// The first candidate, for requests without alignment: `last`, where this thread found or freed
/// something, if it is of the smallest step that serves, else what the hints lead to. An empty run
/// says nothing: search() looks properly.
WEIR_HOT Run Sector::search_quickly(Granules length, Granule last, Caller const &self) noexcept
{
    unsigned const step = steps_.find_column(size_step_up(length));
    if (step >= steps_.columns())
        return {};
    if (Granule const bound = known_limit(); WEIR_LIKELY(last < bound)) { // it may be read
        BlockWord const found = word(last, relaxed);
        if (WEIR_LIKELY(serves_quickly(found, bound - last, step)))
            return claim_quickly(last, found, bound, self);
    }
    Granule const bound = limit();
    note_limit(bound);
    uint64_t const chunk = steps_.find(step, chunk_of(last));
    if (chunk >= div_up(bound, kChunk))
        return {};
    // relaxed: as in claim_in_chunk()
    for (uint64_t bits = hints_[chunk].load(relaxed); bits != 0; bits &= bits - 1) {
        Granule const at = static_cast<Granule>((chunk << kChunkShift) + lowest_bit(bits));
        if (at >= bound)
            return {};
        BlockWord const found = word(at, relaxed);
        if (WEIR_LIKELY(found.is(Kind::free) && found.granules() >= length))
            return claim_quickly(at, found, bound, self);
    }
    return {};
}

WEIR_HOT Run Sector::claim_quickly(Granule at, BlockWord found, Granule bound,
                                   Caller const &self) noexcept
{
    if (!WEIR_LIKELY(found.granules() <= bound - at))
        return {};
    self.open();
    if (WEIR_LIKELY(claim_free(at, found, self.owner())))
        return {at, found.granules()};
    self.close();
    return {};
}

} // namespace weir
