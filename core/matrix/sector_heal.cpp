// SPDX-License-Identifier: MIT OR Apache-2.0
// How a sector gets back what a dead participant had there: whole runs of his blocks at once, and
// their hints late.
//
// A run: each of its blocks is claimed by a CAS from the word that names the dead one, because others
// may free or steal it meanwhile, and merged with those before it (M2). A block that is alone becomes
// FREE by that CAS.
//
// Death: a claimed run is CLAIMED(healer), merged as far as its head says, its TAIL unwritten. After
// the publication: FREE without hints, perhaps beside a FREE neighbour; up to kRadix chunks of them.
#include "core/matrix/healing.hpp"
#include "core/matrix/sector_hot.hpp"

namespace weir {
namespace {
constexpr int kHealedAtOnce = 256; ///< blocks; some microseconds
} // namespace

/// Returns what was published last, where the walk goes on behind; empty: somebody else has changed
/// the block. `pair`: the block before it is FREE, too.
Run Sector::free_dead(Run run, BlockWord word, bool pair, Healing &healing) noexcept
{
    Granule const bound = limit();
    BlockWord next = head_at(run.end(), bound);
    if (healing.takes_whole(word) && !healing.takes_whole(next) && !next.is(Kind::free) &&
        has_tail(run))
        return free_alone(run, word, healing);

    Owner const self = healing.self;
    if (!change(run.head, word, word.as_claimed(self, run.length)))
        return {};
    healing.count(word, bytes_of(run.length));
    next = absorb_dead(run, word, next, bound, healing);
    if (pair || next.is(Kind::free))
        return release_run(run, self);
    write_tail(run); // the dead one may not have
    BlockWord const published = word.as_free(run.length);
    words_[run.head].store(published, seq_cst); // [P]
    return list_late(run, published, healing);
}

/// The head there, if one can be: as for a hop.
WEIR_HOT BlockWord Sector::head_at(Granule at, Granule bound) const noexcept
{
    return at < bound ? word(at, acquire) : BlockWord{0};
}

/// M2 for what is whole on the right of a run we hold. `head`: a word of the run's head, for its
/// generation. What was the end of a block keeps its TAIL: a word inside a block is no evidence.
/// Returns the word behind the run.
WEIR_HOT BlockWord Sector::absorb_dead(Run &run, BlockWord head, BlockWord next, Granule bound,
                                       Healing &healing) noexcept
{
    atomic<BlockWord> *const words = words_;
    BlockWord const claimed = BlockWord{0}.as_claimed(healing.self, 0);
    BlockWord const ours{claimed.raw | (head.raw & BlockWord::kGenerationBitsMask)};
    Granule at = run.end();
    uint64_t users = 0, granules = 0;
    // Bounded: nobody else gets any of it until it is published.
    for (int left = kHealedAtOnce; left != 0 && healing.takes_whole(next); --left) {
        Granules const length = next.granules();
        uint64_t const generation = next.raw & BlockWord::kGenerationBitsMask;
        BlockWord expected = next;
        if (length - 1 >= bound - at ||
            !words[at].compare_exchange(expected, {claimed.raw | generation | length}, acq_rel,
                                        relaxed)) // as change()
            break;
        // release: pairs with the acquire of a hop
        words[run.head].store({ours.raw | (at + length - run.head)}, release);
        // relaxed: inside our block. Also where the TAIL will stand, until it is written
        words[at].store({generation}, relaxed);
        bool const was_users = next.is(Kind::allocated);
        users += was_users ? 1 : 0;
        granules += was_users ? length : 0;
        at += length;
        next = head_at(at, bound);
    }
    run.length = at - run.head;
    healing.report.blocks_reclaimed += users;
    healing.report.reclaimed_bytes += bytes_of(granules);
    return next;
}

/// As publish(), but what is published was not ours: whoever was its owner is dead, and everybody
/// else changes it by CAS too. Its neighbours are others', its TAIL is right.
WEIR_HOT Run Sector::free_alone(Run run, BlockWord found, Healing &healing) noexcept
{
    BlockWord const published = found.as_free(run.length);
    BlockWord const before = found;
    // [P] seq_cst; acquire: pairs with the store or CAS that made it the dead one's
    if (!words_[run.head].compare_exchange(found, published, seq_cst, relaxed))
        return {};
    healing.count(before, bytes_of(run.length));
    return list_late(run, published, healing);
}

/// M3.4 for a block that was just published; its hints are set later. The look at the neighbours
/// comes after its publication, so two who publish side by side do not miss each other.
WEIR_HOT Run Sector::list_late(Run run, BlockWord published, Healing &healing) noexcept
{
    // First, also if it does not stay: who takes it now relies on us for what he leaves (publish()).
    uint64_t const chunk = chunk_of(run.head);
    if (healing.hints.group != chunk >> kRadixShift) {
        set_late(healing.hints);
        healing.hints.group = chunk >> kRadixShift;
    }
    healing.hints.add(chunk, bit(run.head & (kChunk - 1)), size_step(run.length));

    Owner const self = healing.self;
    if (is_free_at(run.end())) {
        if (change(run.head, published, published.as_claimed(self, run.length)))
            return release_run(run, self);
        return run; // somebody has it, and looks
    }
    Neighbour const left = left_of(run.head);
    if (left.length != 0 && claim_free(left.head, left.word, self))
        return release_run({left.head, left.length}, self);
    return run;
}

/// In the order of set_hints(): first the heads, which who forgets a step looks at. A block that
/// somebody has taken meanwhile leaves a stale hint, which costs a look.
void Sector::set_late(LateHints &late) noexcept
{
    uint64_t const first = late.group << kRadixShift;
    for (uint64_t bits = late.chunks; bits != 0; bits &= bits - 1) {
        unsigned const place = lowest_bit(bits);
        hints_[first + place].fetch_or(late.heads[place], seq_cst); // [H] pairs with [R]
        late.heads[place] = 0;
    }
    for (unsigned i = 0; i < BitTree::kMapWords; ++i)
        for (uint64_t bits = late.columns[i]; bits != 0; bits &= bits - 1) {
            unsigned const step = i * 64 + lowest_bit(bits);
            steps_.set_group(step, first, late.steps[step]);
            late.steps[step] = 0;
            late.columns[i] &= bits - 1;
        }
    late.chunks = 0;
}

} // namespace weir
