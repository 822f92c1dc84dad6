// SPDX-License-Identifier: MIT OR Apache-2.0
// Changing the size of a block: in place, or by moving it.
//
// States of the block's head
//   ALLOCATED(me) ---CAS---> RESIZING(me) ---store---> ALLOCATED(me), the same generation
//   Its owner alone may do this (EPERM): a block of nobody's belongs to a name or a message, and
//   another participant's has users who trust its size. While it is RESIZING its bytes stay valid
//   and nobody else changes the word, so free, give, take and state changes say EBUSY.
//
// Growing: the FREE block on the right is claimed, merged as a whole, and what is too much is cut
// off again, which is a shrink. What is TRIMMED on the right is taken back before, under the growth
// ticket (trim.cpp): then it is FREE, and like any FREE block somebody else's to take as well. That
// is done while the block is RESIZING: so its end stays the head of the next one. Nobody waits for
// the ticket then, because his window is open. Shrinking: TAIL and head of the rest are written inside the block;
// the store that makes the block ALLOCATED with its new size makes the rest a head of its own,
// CLAIMED by me. After that store the block is the user's, and anybody may free it at once: nothing
// is written into it any more. Then the rest is given back like any freed run.
// The window is open from before the first CAS until the rest is published (rules.md M6).
//
// Invariants (besides those of matrix.hpp)
//   Z1  The ref stays valid, and the bytes of the smaller of both sizes are kept.
//   Z2  A block of RESIZING(me) covers, at every instant, at least what the user has.
//   Z3  realloc: until the new block is whole, the old one is untouched, and the new one has not
//       its state: who finds both after a death can tell which is whole. Then one CAS, of exactly
//       the word whose state was copied, frees the old one.
//
// Death in each state                             (healed as ALLOCATED(dead), heal.cpp)
//   RESIZING, nothing else yet: as ALLOCATED.
//   RESIZING, something on the right being taken back: as a death in trim.cpp, by itself.
//   RESIZING, the right one CLAIMED, not merged: two heads of the dead; each is healed by itself.
//   RESIZING, merged, or the rest's words written inside: the head tells the whole length, the TAIL
//     may be that of another length. By policy it is freed, which writes the TAIL, or kept: then
//     the healer writes it first. A kept block may be longer than its user knew.
//   ALLOCATED with the new size, the rest CLAIMED by the dead: the rest is published.
//   realloc, the old one not freed yet: both are blocks of the dead; with the policy `keep` both are
//     kept.
#include "core/base/bits.hpp"
#include "core/matrix/matrix.hpp"
#include "core/matrix/sector_hot.hpp"

#include <cstring>

namespace weir {
namespace {
Status may_resize(BlockWord word, Owner me) noexcept
{
    if (word.owner() != me)
        return error(EPERM);
    return word.is(Kind::allocated) ? kOk : error(EBUSY);
}
} // namespace

// ---- the sector's part

bool Sector::could_extend(Run run, uint64_t bytes) const noexcept
{
    Granule const right = run.end();
    Granule bound = limit();
    if (bytes > bytes_of(max_) || right >= bound)
        return false;
    BlockWord const found = word(right, relaxed); // extend() looks again
    return found.is(Kind::free) && plausible(right, found, bound) &&
           found.granules() >= granules_for(bytes) - run.length;
}

void Sector::steal_right(Run run, Granules length, Window &window) noexcept
{
    Granule bound = limit();
    for (Granule at = run.end(); at < run.head + length && at < bound;) {
        BlockWord const found = word(at, acquire); // as for a hop
        if (!plausible(at, found, bound))
            return;
        Run const next{at, found.granules()};
        Run const now = found.is(Kind::cached) ? steal(next, found, window) : next;
        if (now.length == 0 ||
            !(found.is(Kind::cached) || found.is(Kind::free) || found.is(Kind::trimmed)))
            return;
        at = now.end(); // further than before: the loop ends
    }
}

Run Sector::extend(Run run, Granules wanted, Owner me) noexcept
{
    Granule const right = run.end();
    Granule bound = limit();
    if (right >= bound)
        return run;
    BlockWord const found = word(right, acquire); // pairs with publish(), for its length
    if (!found.is(Kind::free) || !plausible(right, found, bound) || found.granules() < wanted ||
        !claim_free(right, found, me))
        return run;
    drop_granule_hint(right); // M4
    Run const merged{run.head, run.length + found.granules()};
    // M2: the head first. release: pairs with the acquire of a hop
    words_[run.head].store(own(run.head).as_resizing(merged.length), release);
    if (right != merged.end() - 1)                              // there the TAIL will stand
        words_[right].store(own(right).as_interior(), relaxed); // inside our block
    return merged;
}

void Sector::settle(Run run, Granules length, Owner me) noexcept
{
    Run const mine{run.head, length};
    BlockWord const settled = own(run.head).as_settled(length);
    if (length == run.length) {
        write_tail(mine);
        words_[run.head].store(settled, release); // pairs with whoever frees it or looks at it
        return;
    }
    Run const rest = write_second(run, mine.end(), me);
    write_tail(mine);
    // release: also pairs with the acquire of a hop, which lands on the rest from now on. The last
    // store to the block: it is the user's again.
    words_[run.head].store(settled, release);
    release_run(rest, me);
}

// ---- in place

/// Whether a block could have so many bytes where it is: a look, nothing is changed.
bool Matrix::could_grow_block(Sector const &sector, Run run, uint64_t bytes) const noexcept
{
    if (segment_.geometry().request.isolate && sector_for(bytes) != index_of(sector))
        return false;
    if (sector.could_extend(run, bytes))
        return true;
    return bytes <= sector.bytes_of(sector.max_granules()) &&
           may_take_back(index_of(sector), sector.behind(run, bytes));
}

/// A block may be of a size for which another sector is meant: shrinking never moves it, and it
/// grows as far as it can unless sectors are isolated.
Status Matrix::resize(Ref ref, uint64_t size) noexcept
{
    WEIR_TRY(enter());
    if (size - 1 >= segment_.geometry().request.capacity)
        return error(EINVAL);
    Caller const self = caller();
    Window window(self);
    for (int i = 0; i < kWordTries; ++i) {
        auto const found = find(ref);
        WEIR_TRY(found);
        BlockWord word = found->word;
        WEIR_TRY(may_resize(word, self.owner()));
        Sector &sector = *found->sector;
        Run run{found->head, word.granules()};
        bool const grows = size > sector.bytes_of(run.length);
        if (grows) // before the window: what lanes keep on its right can be had
            sector.steal_right(run, sector.granules_for(size), window);
        if (grows && !could_grow_block(sector, run, size))
            return error(ENOSPC);
        Granules const length = sector.granules_for(size);
        if (length == run.length)
            return kOk;

        window.open();
        // acq_rel: as each change; the words that the last resizer wrote are visible
        if (!sector.change(run.head, word, word.as_resizing(run.length))) {
            window.close(); // its state or owner changed, or somebody freed it: look again
            continue;
        }
        if (grows && !sector.could_extend(run, size))
            take_back_right(index_of(sector), sector.behind(run, size));
        if (grows)
            run = sector.extend(run, length - run.length, self.owner());
        bool const enough = length <= run.length;
        sector.settle(run, enough ? length : run.length, self.owner());
        window.close();
        tell_waiting();
        return enough ? kOk : error(ENOSPC);
    }
    return error(kCorrupt);
}

// ---- by moving

Status Matrix::realloc(Ref ref, AllocRequest const &request, Allocation &ret) noexcept
{
    if (ref.value == 0)
        return alloc(request, ret);
    WEIR_TRY(enter());
    if (!is_valid(request))
        return error(EINVAL);
    auto const old = data(ref);
    WEIR_TRY(old);
    bool const aligned = (reinterpret_cast<uintptr_t>(old->data) & (request.alignment - 1)) == 0;
    Status const resized = aligned ? resize(ref, request.size) : error(ENOSPC);
    if (resized.code == -ENOSPC)
        return move_block(ref, request, ret);
    WEIR_TRY(resized);
    if (request.zero && request.size > old->size)
        std::memset(static_cast<std::byte *>(old->data) + old->size, 0, request.size - old->size);
    ret = {ref, old->data};
    return kOk;
}

Status Matrix::move_block(Ref ref, AllocRequest const &request, Allocation &ret) noexcept
{
    auto const old = find(ref);
    WEIR_TRY(old);
    WEIR_TRY(may_resize(old->word, me().owner));
    AllocRequest const wanted{request.size, request.alignment, false, 0, request.timeout};
    Allocation moved;
    WEIR_TRY(alloc(wanted, moved));
    uint64_t const kept = smaller(old->sector->bytes_of(old->word.granules()), request.size);
    std::memcpy(moved.data, segment_.base() + old->sector->offset_of(old->head), kept);
    if (request.zero)
        std::memset(static_cast<std::byte *>(moved.data) + kept, 0, request.size - kept);
    Status const done = take_place_of(ref, moved);
    if (!done.ok()) {
        static_cast<void>(free(moved.ref)); // nobody but us knows it
        return done;
    }
    ret = moved;
    return kOk;
}

/// Frees the old block, if it is still the one whose state the new one has.
Status Matrix::take_place_of(Ref old, Allocation const &moved) noexcept
{
    Caller const self = caller();
    Window window(self);
    for (int i = 0; i < kWordTries; ++i) {
        auto const found = find(old);
        WEIR_TRY(found);
        BlockWord word = found->word;
        WEIR_TRY(may_resize(word, self.owner()));
        WEIR_TRY(set_state(moved.ref, word.user()));
        Run const freed{found->head, word.granules()};
        window.open();
        if (found->sector->change(freed.head, word, word.as_claimed(self.owner(), freed.length))) {
            found->sector->release_run(freed, self.owner());
            window.close();
            tell_waiting();
            self.count(self.counters().frees, relaxed); // for people
            return kOk;
        }
        window.close(); // its state changed meanwhile, or somebody freed it
    }
    return error(kCorrupt);
}

} // namespace weir
