// SPDX-License-Identifier: MIT OR Apache-2.0
// Giving back what a dead participant had. Every step may be done twice.
#include "core/base/clock.hpp"
#include "core/matrix/healing.hpp"
#include "core/matrix/matrix.hpp"
#include "core/matrix/roots.hpp"
#include "core/matrix/sector_hot.hpp"
#include "core/matrix/walker.hpp"
#include "core/segment/ticket.hpp"

namespace weir {
namespace {
constexpr int kHealWalks = 4;
} // namespace

Status Matrix::heal(HealReport &ret) noexcept
{
    WEIR_TRY(enter());
    Nanoseconds const began = monotonic_now();
    {
        Guard const guard(mutex_);
        ret = healed_at_attach_;
        healed_at_attach_ = {};
    }
    heal_dead(&ret);
    ret.duration_ns += monotonic_now() - began; // attaching may have healed before
    return kOk;
}

bool Matrix::heal_dead(HealReport *report) noexcept
{
    HealReport ignored;
    HealReport &sum = report == nullptr ? ignored : *report;
    bool any = false;
    for (Owner owner = 1; owner <= participants_.count(); ++owner) {
        if (participants_.word_of(owner).state() == SlotState::free || owner == me().owner)
            continue;
        if (!participants_.begin_reaping(owner, me()))
            continue;
        heal_owner(owner, sum);
        participants_.finish_reaping(owner, me());
        segment_.header().deaths.fetch_add(1, relaxed); // for people
        ++sum.participants;
        any = true;
    }
    return any;
}

/// We are the reaper of `dead`. The windows are closed last, so that no allocation gives up
/// before the memory is back.
void Matrix::heal_owner(Owner dead, HealReport &report) noexcept
{
    Directory(*this).heal(dead); // first: what was posted or bound halfway is the dead one's still
    {
        Caller const self = caller();
        Window window(self);
        window.open();
        for (Sector &sector : sectors_)
            sector.forget_known(); // before the walks, which list what they see
        full_fence();              // the walks load with acquire; pairs with [P] and [K]
        for (Sector &sector : sectors_)
            for (int i = 0; i < kHealWalks && !heal_sector(sector, dead, report); ++i)
                ; // somebody scribbles: bounded
    }
    exchange_.heal(dead);
    if (Ticket(segment_.header().growth).holder() == dead)
        recount_trimmed(); // while it is his: nobody else changes what is TRIMMED
    for (TicketWord *word : {&segment_.header().growth, &segment_.header().directory})
        Ticket(*word).give_back(dead);
    participants_.close_windows(dead);
    // Also for the dead one: he may have freed something and died before he looked for sleepers.
    Waiting(segment_.header().memory).wake_always();
}

/// False: the walk met words that contradict themselves, and may have missed something.
bool Matrix::heal_sector(Sector &sector, Owner dead, HealReport &report) noexcept
{
    Walker walk(sector);
    Healing healing(dead, me().owner, segment_.geometry().request.keep_blocks, report);
    bool after_free = false;
    Granule at;
    BlockWord word;
    while (walk.next(at, word)) {
        Run const run{at, word.granules()};
        bool const pair = after_free; // likely: the walk may have gone back
        after_free = false;
        if (healing.takes(word)) {
            Run const freed = sector.free_dead(run, word, pair, healing);
            after_free = freed.length != 0;
            walk.resume_at(freed.length != 0 ? freed.end() : at);
        } else if (word.is(Kind::free)) {
            after_free = true;
            walk.resume_at(merge_if_pair(sector, run, word));
        } else if (healing.names_dead(word) || (word.is_users() && is_left(word.owner()))) {
            walk.resume_at(heal_head(sector, run, word, healing));
        } else if (word.is(Kind::claimed)) { // it may be published without a look at the index
            sector.ensure_hints(run);
        }
    }
    // If we die before they are set, the blocks are as after a death in publish().
    sector.set_late(healing.hints);
    return !walk.blocked();
}

/// Whether an owner id belongs to nobody now. A block can name one if it was given to a participant
/// who was healed at that moment, and the giver died before he took it back.
bool Matrix::is_left(Owner owner) const noexcept
{
    return owner != kNobody && owner <= participants_.count() &&
           participants_.word_of(owner).state() == SlotState::free;
}

/// A FREE block may be what a dead participant published last, before its hints or the re-check.
/// Returns where the walk goes on.
Granule Matrix::merge_if_pair(Sector &sector, Run run, BlockWord word) noexcept
{
    sector.ensure_hints(run);
    if (run.end() >= sector.limit() || !sector.word(run.end(), acquire).is(Kind::free))
        return run.end(); // acquire: as for a hop
    if (!sector.change(run.head, word, word.as_claimed(me().owner, run.length)))
        return run.end();
    return sector.release_run(run, me().owner).end();
}

/// The policy `keep`: the block becomes nobody's. If its owner died while he resized it, its TAIL may
/// be that of another size. It must be right before the block is anybody's, and for that the block
/// must be ours: as RESIZING, not CLAIMED, so that it is still kept if we die too.
bool Matrix::keep_block(Sector &sector, Run run, BlockWord word) noexcept
{
    if (word.is(Kind::resizing)) {
        BlockWord const ours = word.with_owner(me().owner);
        if (!sector.change(run.head, word, ours))
            return false;
        sector.write_tail(run);
        word = ours;
    }
    return sector.change(run.head, word, word.with_owner(kNobody).as_settled(run.length));
}

/// A head that names a dead one, and is not to be freed together with others: without memory, or
/// kept, or of who left before. His owner id may be a living one's by now, so his blocks are freed one
/// by one. Returns where the walk goes on: behind the block, or at the head again if somebody else
/// changed it meanwhile.
Granule Matrix::heal_head(Sector &sector, Run run, BlockWord word, Healing &healing) noexcept
{
    Owner const self = healing.self;
    if (word.is_claimed_without_memory()) { // trim.cpp
        if (!sector.change(run.head, word, word.as_claimed_without_memory(self, run.length)))
            return run.head;
        sector.publish_trimmed(run);
        ++healing.report.interrupted;
        return run.end();
    }
    if (healing.keeps()) {
        if (!keep_block(sector, run, word))
            return run.head;
        ++healing.report.blocks_kept;
        return run.end();
    }
    if (!sector.change(run.head, word, word.as_claimed(self, run.length)))
        return run.head;
    healing.count(word, sector.bytes_of(run.length));
    // writes the TAIL, which the dead one may not have
    return sector.release_run(run, self).end();
}

} // namespace weir
