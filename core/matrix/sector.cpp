// SPDX-License-Identifier: MIT OR Apache-2.0
// A sector's rarer operations: the walk, the index's rule 3, growth.
#include "core/matrix/sector.hpp"

#include "core/matrix/sector_hot.hpp"
#include "core/matrix/walker.hpp"

namespace weir {

void Sector::init(Segment &segment, unsigned index) noexcept
{
    SectorGeometry const &g = segment.geometry().sector[index];
    words_ = segment.at<atomic<BlockWord>>(g.words);
    hints_ = segment.at<atomic<uint64_t>>(g.hints);
    atomic<uint64_t> *levels[BitTreePlan::kMaxLevels] = {};
    for (unsigned level = 0; level < g.plan.levels; ++level)
        levels[level] = segment.at<atomic<uint64_t>>(g.level[level]);
    steps_.init(g.plan, g.classes, levels, segment.at<atomic<uint64_t>>(g.map));
    limit_ = &segment.header().sector_limit[index].granules;
    trimmed_ = &segment.header().sector_limit[index].trimmed;
    forgets_ = &segment.header().sector_limit[index].forgets;
    max_ = static_cast<Granule>(g.max_granules);
    granule_shift_ = g.granule_shift;
    data_ = g.data;
    unit_ = unit_of(segment.trim_unit());
}

Run Sector::release_run(Run run, Owner me) noexcept { return release_hot(run, me); }

bool Sector::join(Run &run, Run other, Owner me) noexcept
{
    bool const before = other.end() == run.head;
    if (!before && run.end() != other.head)
        return false;
    Granule const absorbed = before ? run.head : other.head;
    run = {smaller(run.head, other.head), run.length + other.length};
    write_merged(run, absorbed, me);
    return true;
}

/// A neighbour became free while we published: not the usual way.
WEIR_COLD Run Sector::merge_again(Run run, Owner me) noexcept
{
    Granules listed; // of no use: what is published next is mostly another step
    return absorb_left(absorb_right(run, me), me, listed);
}

void Sector::ensure_hints(Run run) noexcept { set_hints(run); }

bool Sector::findable(Run run) const noexcept
{
    uint64_t const chunk = chunk_of(run.head);
    return (hints_[chunk].load(seq_cst) & bit(run.head & (kChunk - 1))) != 0 &&
           steps_.reachable(size_step(run.length), chunk);
}

// ---- search

void KnownSteps::add(void const *where, uint64_t before, Granules length) noexcept
{
    Granules const width = step_width(length);
    Granules const begin = length & ~(width - 1);
    bool const touches = begin == from + count || begin + width == from;
    if (where == chunk && before == forgets && touches) {
        from = smaller(from, begin);
        count += width;
        return;
    }
    *this = {where, before, begin, width};
}

/// Rule 3 of the index. The count goes up between the bit's end and the look: set_hints().
WEIR_COLD void Sector::forget_step(unsigned step, uint64_t chunk, Window &window) noexcept
{
    window.open(); // the bit may be missing for a moment
    // Before the bit goes as well: while we are stopped behind that, nobody relies on it.
    forgets_->fetch_add(1, seq_cst);
    steps_.clear(step, chunk);
    forgets_->fetch_add(1, seq_cst); // [F] pairs with [K] in set_hints()
    if (chunk_has(step, chunk))
        steps_.set(step, chunk);
    window.close();
}

bool Sector::chunk_has(unsigned step, uint64_t chunk) const noexcept
{
    Granule bound = limit(seq_cst);
    // [R] all seq_cst: the bit was cleared before these loads; pairs with [P] in publish() and
    // [H] in set_hints(), which store FREE and the hint before they load the bit, or the count
    for (uint64_t bits = hints_[chunk].load(seq_cst); bits != 0; bits &= bits - 1) {
        Granule const at = static_cast<Granule>((chunk << kChunkShift) + lowest_bit(bits));
        if (at >= bound)
            return false;
        BlockWord const found = word(at, seq_cst);
        // CLAIMED: its holder may publish it with the step it had, and without looking at the index
        if (found.is(Kind::claimed) || (found.is(Kind::free) && plausible(at, found, bound) &&
                                        size_step(found.granules()) == step))
            return true;
    }
    return false;
}

inline Run Sector::claim_in_chunk(Candidate &what, uint64_t chunk, Window &window,
                                  bool &contended) noexcept
{
    bool keep = false; // whether the step's bit of this chunk is, or may soon be, right
    // relaxed: hints; a block that is missed here is found by the exhaustive search
    for (uint64_t bits = hints_[chunk].load(relaxed); bits != 0; bits &= bits - 1) {
        Granule const at = static_cast<Granule>((chunk << kChunkShift) + lowest_bit(bits));
        if (at >= what.limit)
            break;
        BlockWord const found = word(at, relaxed); // the claim's CAS orders
        if (found.is(Kind::claimed))
            keep = contended = true;
        if (!found.is(Kind::free) || !plausible(at, found, what.limit))
            continue;
        keep = keep || size_step(found.granules()) == what.step;
        Granule start;
        if (!what.need.place_in({at, found.granules()}, start))
            continue;
        window.open();
        if (claim_free(at, found, window.caller().owner()))
            return {at, found.granules()};
        window.close();
        keep = contended = true;
    }
    if (!keep)
        forget_step(what.step, chunk, window);
    return {};
}

/// All chunks that probably have a block of this step, from `start` on and round to it.
inline Run Sector::search_step(Candidate &what, uint64_t start, Window &window,
                               bool &contended) noexcept
{
    uint64_t const all = div_up(what.limit, kChunk);
    uint64_t at = start < all ? start : 0;
    uint64_t end = all;
    for (bool wrapped = at == 0;; ++at) {
        at = steps_.find(what.step, at);
        if (at < end) {
            if (Run const run = claim_in_chunk(what, at, window, contended); run.length != 0)
                return run;
        } else if (wrapped) {
            return {};
        } else {
            wrapped = true;
            end = start;
            at = BitTree::kNone; // one before 0
        }
    }
}

/// If nobody else is at work, what the quick search would take it has taken.
bool Sector::is_passing(Granules length, Granule last) const noexcept
{
    Granule const bound = known_limit();
    if (last >= bound)
        return false;
    BlockWord const found = word(last, relaxed); // a hint
    return found.is(Kind::claimed) ||
           serves_quickly(found, bound - last, steps_.find_column(size_step_up(length)));
}

Run Sector::search(Need need, uint64_t start, Window &window, bool &contended) noexcept
{
    Granule const bound = limit();
    if (need.length > bound)
        return {};
    // First the steps whose every block serves the need, then those in which some blocks do.
    unsigned const sure = smaller(size_step_up(need.worst()), steps_.columns());
    bool exact = false; // the second round
    for (unsigned step = sure;; ++step) {
        step = steps_.find_column(step);
        if (step >= (exact ? sure : steps_.columns())) {
            if (exact)
                return {};
            exact = true;
            step = size_step(need.length) - 1; // one before, wrapping round
            continue;
        }
        Candidate what{need, step, bound};
        if (Run const run = search_step(what, start, window, contended); run.length != 0)
            return run;
    }
}

/// Whoever keeps it finds its word changed. Returns the block that is FREE now; empty: none. While it
/// changes hands in the exchange it is CACHED before and after.
Run Sector::steal(Run run, BlockWord found, Window &window) noexcept
{
    constexpr int kTries = 8; // nobody's block changes hands so often in a moment
    Owner const me = window.caller().owner();
    auto const is_same = [&] { return found.is(Kind::cached) && found.granules() == run.length; };
    bool stolen = false;
    window.open();
    for (int i = 0; i < kTries && !stolen && is_same(); ++i)
        stolen = change(run.head, found, found.as_claimed(me, run.length));
    Run const published = stolen ? release_run(run, me) : Run{};
    window.close();
    return published;
}

void Sector::steal_all(Window &window) noexcept
{
    Walker walk(*this);
    Granule at;
    BlockWord found;
    while (walk.next(at, found))
        if (found.is(Kind::cached))
            if (Run const now = steal({at, found.granules()}, found, window); now.length != 0)
                walk.resume_at(now.end());
}

Run Sector::search_by_walk(Need need, Window &window, WalkFindings &ret) noexcept
{
    Walker walk(*this);
    uint64_t row = 0; // granules in a row that are free or in somebody's hand
    bool in_hand = false;
    Granule at;
    BlockWord found;
    while (walk.next(at, found)) {
        if (found.is(Kind::cached)) {
            Run const now = steal({at, found.granules()}, found, window);
            ret.stolen = ret.stolen || now.length != 0;
            walk.resume_at(now.length != 0 ? now.end() : at); // or what somebody has made of it
            continue;
        }
        if (!found.is(Kind::free) && !found.is(Kind::claimed)) {
            row = 0;
            in_hand = false;
            continue;
        }
        row += found.granules();
        in_hand = in_hand || found.is(Kind::claimed);
        Granule start;
        if (found.is(Kind::free) && need.place_in({at, found.granules()}, start)) {
            window.open();
            if (claim_free(at, found, window.caller().owner()))
                return {at, found.granules()};
            window.close();
            in_hand = true;
        }
        ret.withheld = ret.withheld || (in_hand && row >= need.length);
    }
    ret.withheld = ret.withheld || walk.blocked();
    return {};
}

// ---- cutting

Run Sector::carve(Run run, Need need, Owner me) noexcept
{
    Granules const listed = run.length;
    Granule start = run.head;
    bool const fits = need.place_in(run, start);
    WEIR_ASSERT(fits);
    static_cast<void>(fits);
    if (Granule const end = start + need.length; end < run.end()) {
        give_back(split(run, end, me), 0, true, me);
        run.length = end - run.head;
    }
    return cut_right(run, need.length, listed, me);
}

void Sector::cut_evenly(Run run, Granules each, Owner me) noexcept
{
    WEIR_ASSERT(run.length % each == 0);
    for (Granule at = run.end() - each; at > run.head; at -= each) {
        write_tail({at, each});
        // relaxed: nobody looks inside a block; the store that shortens the first head publishes it
        words_[at].store(own(at).as_claimed(me, each), relaxed);
    }
    write_tail({run.head, each});
    // release: pairs with the acquire of a hop; from now on all of them are heads
    words_[run.head].store(own(run.head).as_claimed(me, each), release);
}

// ---- growth

Granules Sector::free_at_end() const noexcept { return left_of(limit()).length; }

/// Only the holder of the growth ticket is here. Words above the limit are looked at by nobody,
/// so what an earlier, dead grower left there is overwritten.
void Sector::raise_limit(Run run, Owner me) noexcept
{
    WEIR_ASSERT(run.length >= 1 && run.length <= max_ - run.head);
    write_tail(run);
    words_[run.head].store(own(run.head).as_claimed(me, run.length),
                           relaxed); // the limit publishes it
    // seq_cst: before the run is published; pairs with [L] in publish(), and with limit()
    limit_->store(run.end(), seq_cst);
}

} // namespace weir
