// SPDX-License-Identifier: MIT OR Apache-2.0
// One sector of a matrix: its block words, and the operations that find, split, merge and
// publish blocks. The states and invariants (1-5) are those of matrix.hpp.
#pragma once

#include "core/base/base.hpp"
#include "core/base/bits.hpp"
#include "core/index/bit_tree.hpp"
#include "core/matrix/block_word.hpp"
#include "core/segment/participants.hpp"
#include "core/segment/segment.hpp"

namespace weir {

class Healing;
struct LateHints;

/// What a walk that found nothing has seen.
struct WalkFindings {
    bool withheld = false; ///< runs that others hold, with their neighbours, could have served
    bool stolen = false;   ///< CACHED blocks, which are FREE now
};

/// Where a need would fit if memory were added there.
struct Opening {
    Granule from = 0; ///< a head at or before it, from which hops lead there
    Run place{};
    uint64_t lack = 0; ///< granules, in whole units, that have no memory now
};

/// The steps of one chunk that a thread has lately found or put in the index, as lengths in a row:
/// they stand there as long as nobody has forgotten one in this sector. Of this thread alone.
struct KnownSteps {
    void const *chunk = nullptr; ///< its word of hints: of one sector
    uint64_t forgets = 0;        ///< SectorLimit::forgets, read before they were put there
    Granules from = 0;
    Granules count = 0;

    bool has(void const *where, uint64_t now, Granules length) const noexcept
    {
        return where == chunk && now == forgets && length - from < count;
    }
    /// Its step stands there. A pair of cut and merge goes to and fro between two that touch.
    void add(void const *where, uint64_t before, Granules length) noexcept;
};

class Sector {
  public:
    void init(Segment &segment, unsigned index) noexcept;

    /// Granules that exist now; never more than the tables have.
    Granule limit(Order order = acquire) const noexcept
    {
        // acquire: pairs with the store in raise_limit(); the words below it are there
        uint64_t const found = limit_->load(order);
        return static_cast<Granule>(found < max_ ? found : max_);
    }
    /// A limit that once was: it only grows. Without a look at shared memory.
    Granule known_limit() const noexcept
    {
        return __atomic_load_n(&known_limit_, __ATOMIC_RELAXED);
    }
    void note_limit(Granule limit) noexcept
    {
        if (limit > known_limit()) // relaxed, and a smaller one may win: it costs a look
            __atomic_store_n(&known_limit_, limit, __ATOMIC_RELAXED);
    }
    Granule max_granules() const noexcept { return max_; }
    unsigned granule_shift() const noexcept { return granule_shift_; }

    /// Finds a FREE block by the hints and claims it for the caller; the window is open then. An
    /// empty run: nothing was found. `start` is the chunk to begin with. `contended`: somebody had
    /// a candidate in hand.
    Run search(Need need, uint64_t start, Window &window, bool &contended) noexcept;

    /// The same for the first candidate only, inline (sector_hot.hpp).
    Run search_quickly(Granules length, Granule last, Caller const &self) noexcept;
    /// After that was in vain: whether the block at `last` is in somebody's hand, or just was.
    bool is_passing(Granules length, Granule last) const noexcept;

    /// The same by hopping from head to head, for whom the hints find nothing (rules.md M7). Gives
    /// back every CACHED block that it meets; then it finds nothing, and the caller looks again.
    Run search_by_walk(Need need, Window &window, WalkFindings &found) noexcept;

    /// Gives every CACHED block back, whoever keeps it.
    void steal_all(Window &window) noexcept;

    /// Cuts what is needed out of a claimed run and gives the rest back. Returns what is left in
    /// our hand; its TAIL is right.
    Run carve(Run run, Need need, Owner me) noexcept;
    /// The same for what ends where the run ends, inline. `listed`: its length when it was claimed.
    Run cut_right(Run run, Granules length, Granules listed, Owner me,
                  KnownSteps *known = nullptr) noexcept;

    /// Cuts a run we hold, a multiple of `each`, into blocks that are all CLAIMED by us (M5).
    void cut_evenly(Run run, Granules each, Owner me) noexcept;
    atomic<BlockWord> *words() const noexcept { return words_; }
    /// A block that we hold becomes CACHED.
    BlockWord cache(Run run, Owner me) noexcept
    {
        BlockWord const word = own(run.head).as_cached(me, run.length);
        // release: pairs with the CAS of a pop or a steal; its TAIL is there
        words_[run.head].store(word, release);
        return word;
    }

    /// A claimed run becomes a user's block.
    BlockWord hand_out(Run run, Owner me, uint8_t state) noexcept;

    /// A number that changes when a block at the sides of a run does.
    uint64_t sides(Run run) const noexcept
    {
        // relaxed: compared only
        uint64_t const left = run.head == 0 ? 0 : word(run.head - 1, relaxed).raw;
        return run.end() >= known_limit() ? left : left ^ word(run.end(), relaxed).raw;
    }

    /// Merges two runs that we hold, if they touch (M2). False: they do not.
    bool join(Run &run, Run other, Owner me) noexcept;

    /// Gives a claimed run back: merges it with free neighbours and publishes it (rules.md M3).
    /// Returns the block that was published last: where a walk goes on behind it.
    Run release_run(Run run, Owner me) noexcept;
    /// The same inline (sector_hot.hpp).
    Run release_hot(Run run, Owner me, KnownSteps *known = nullptr) noexcept;

    // Healing (sector_heal.cpp).
    /// Frees a dead one's block, and what else of his there is behind it. `pair`: a FREE block ends
    /// where it begins. Returns the block that is FREE then; empty: somebody else changed it.
    Run free_dead(Run run, BlockWord word, bool pair, Healing &healing) noexcept;
    void set_late(LateHints &late) noexcept;
    bool has_tail(Run run) const noexcept
    {
        // relaxed: written before the head that the caller has seen
        BlockWord const last = word(run.end() - 1, relaxed);
        return run.length < 2 || (last.is(Kind::tail) && last.granules() == run.length);
    }
    /// Nobody shall rely on the steps that he knows: somebody who was forgetting one died.
    void forget_known() noexcept { forgets_->fetch_add(1, seq_cst); } // [F], as in forget_step()

    /// Gives back the CACHED blocks behind a user's block, as far as it wants to grow to `length`.
    void steal_right(Run run, Granules length, Window &window) noexcept;

    // Resizing (resize.cpp). The block at the run's head is RESIZING and ours, our window is open.
    /// Whether a FREE block on its right would make it `bytes` long: a look, nothing is changed.
    bool could_extend(Run run, uint64_t bytes) const noexcept;
    /// What it lacks for so many bytes, which are no more than the sector has.
    Run behind(Run run, uint64_t bytes) const noexcept
    {
        return {run.end(), granules_for(bytes) - run.length};
    }
    /// Merges the FREE block on its right, if that has at least `wanted` granules. Returns the run
    /// as it is then.
    Run extend(Run run, Granules wanted, Owner me) noexcept;
    /// The first `length` granules are the user's block again; the others are given back.
    void settle(Run run, Granules length, Owner me) noexcept;

    BlockWord word(Granule at, Order order) const noexcept { return words_[at].load(order); }
    void prefetch_word(Granule at) const noexcept { prefetch_to_write(&words_[at]); }
    bool change(Granule at, BlockWord &expected, BlockWord desired) noexcept
    {
        // acq_rel: what the last holder wrote is visible to us, ours to the next one; pairs with
        // every other change() and publication of this word
        return words_[at].compare_exchange(expected, desired, acq_rel, relaxed);
    }

    /// Whether a head's word may be believed: a length that stays within the sector. `bound` is the
    /// limit as the caller knows it; it is read again if the word goes beyond it, because the
    /// sector may have grown, and the block with it, between the two looks.
    bool plausible(Granule at, BlockWord word, Granule &bound) const noexcept
    {
        if (!word.is_head() || word.granules() < 1)
            return false;
        if (WEIR_LIKELY(at < bound && word.granules() <= bound - at))
            return true;
        bound = limit(seq_cst); // seq_cst: at least as new as the word
        return at < bound && word.granules() <= bound - at;
    }

    /// Granules in the FREE block that ends at the limit.
    Granules free_at_end() const noexcept;

    // Growth, by the holder of the ticket alone.
    /// Writes the words of a new run at the limit, CLAIMED by `me`, then raises the limit.
    void raise_limit(Run run, Owner me) noexcept;

    // Trimming, by the holder of the ticket alone but for the looks (sector_trim.cpp; the protocol
    // is in trim.cpp).
    /// Granules in TRIMMED blocks; exact for the holder of the ticket.
    Granules trimmed() const noexcept
    {
        // relaxed: the ticket orders it; without the ticket a hint
        return static_cast<Granules>(smaller<uint64_t>(trimmed_->load(relaxed), limit()));
    }
    void set_trimmed(Granules count) noexcept { trimmed_->store(count, relaxed); } // as above
    /// Counts them anew.
    Granules count_trimmed() const noexcept;
    /// Where a need fits if at most `room` granules of memory are added, and none above `top`.
    bool find_opening(Need need, Granule top, uint64_t room, Opening &ret) const noexcept;
    /// Granules that a place lacks which begins where a block does, in whole units; more than there
    /// are if it is not all FREE and TRIMMED.
    uint64_t lack_at(Run place) const noexcept;
    /// Claims a part of a FREE block that carries the need; empty: somebody was faster.
    Run claim_part(Run run, BlockWord word, Need part, Owner me) noexcept;
    /// CLAIMED by us -> CLAIMED by us, without memory.
    void mark_without_memory(Run run, Owner me) noexcept;
    /// That -> TRIMMED.
    void publish_trimmed(Run run) noexcept;
    /// TRIMMED -> CLAIMED by us, without memory.
    bool claim_trimmed(Run run, BlockWord word, Owner me) noexcept
    {
        return change(run.head, word, word.as_claimed_without_memory(me, run.length));
    }
    /// Cuts `part` out of such a run; what is left and right of it is TRIMMED again.
    void cut_trimmed(Run run, Run part, Owner me) noexcept;

    /// Writes the TAIL of a run we hold.
    void write_tail(Run run) noexcept
    {
        if (run.length < 2)
            return; // head and tail are one word
        Granule const last = run.end() - 1;
        // release: the re-check [L] in left_of() loads it before the head. On every machine whose
        // stores become visible to all others at once, FREE (seq_cst) after it is enough.
        words_[last].store(own(last).as_tail(run.length), release);
    }
    /// Makes a FREE head findable, whoever published it.
    void ensure_hints(Run run) noexcept;
    bool findable(Run run) const noexcept;

    // Bytes.
    uint64_t offset_of(Granule at) const noexcept
    {
        return data_ + (static_cast<uint64_t>(at) << granule_shift_);
    }
    /// Granules in which memory is given back and taken again.
    Granules unit() const noexcept { return unit_; }
    /// The granules of so many bytes, at least one.
    Granules unit_of(uint64_t bytes) const noexcept
    {
        return larger(static_cast<Granules>(bytes >> granule_shift_), Granules{1});
    }
    bool holds(uint64_t offset) const noexcept
    {
        return offset - data_ < (static_cast<uint64_t>(max_) << granule_shift_);
    }
    uint64_t data_offset() const noexcept { return data_; }
    Granules granules_for(uint64_t bytes) const noexcept
    {
        return static_cast<Granules>((bytes + (uint64_t{1} << granule_shift_) - 1) >>
                                     granule_shift_);
    }
    uint64_t bytes_of(uint64_t granules) const noexcept { return granules << granule_shift_; }
    uint64_t chunk_of(Granule at) const noexcept { return at >> kChunkShift; }

  private:
    struct Candidate {
        Need need;
        unsigned step;
        Granule limit;
    };

    Run search_step(Candidate &what, uint64_t start, Window &window, bool &contended) noexcept;
    Run claim_in_chunk(Candidate &what, uint64_t chunk, Window &window, bool &contended) noexcept;
    static bool serves_quickly(BlockWord found, Granules room, unsigned step) noexcept;
    Run claim_quickly(Granule at, BlockWord found, Granule bound, Caller const &self) noexcept;
    bool claim_free(Granule at, BlockWord found, Owner me) noexcept
    {
        return change(at, found, found.as_claimed(me, found.granules()));
    }
    Run steal(Run run, BlockWord found, Window &window) noexcept;
    void forget_step(unsigned step, uint64_t chunk, Window &window) noexcept;
    bool chunk_has(unsigned step, uint64_t chunk) const noexcept;

    /// A FREE neighbour; length 0: there is none.
    struct Neighbour {
        Granule head = 0;
        BlockWord word{};
        Granules length = 0;
    };
    Neighbour left_of(Granule head) const noexcept;
    uint64_t lack_of(Granule from, Run place, Granule top, uint64_t &hops) const noexcept;

    Run write_second(Run run, Granule at, Owner me) noexcept;
    Run split(Run run, Granule at, Owner me) noexcept;
    Run absorb_right(Run run, Owner me) noexcept;
    Run absorb_left(Run run, Owner me, Granules &ret_listed) noexcept;
    void write_merged(Run run, Granule absorbed, Owner me) noexcept;
    bool is_free_at(Granule at) const noexcept;
    Run publish(Run run, Granules listed, bool look_right, Owner me, KnownSteps *known) noexcept;
    Run give_back(Run run, Granules listed, bool look_right, Owner me,
                  KnownSteps *known = nullptr) noexcept;
    Run merge_again(Run run, Owner me) noexcept;

    BlockWord head_at(Granule at, Granule bound) const noexcept;
    BlockWord absorb_dead(Run &run, BlockWord head, BlockWord next, Granule bound,
                          Healing &healing) noexcept;
    Run free_alone(Run run, BlockWord found, Healing &healing) noexcept;
    Run list_late(Run run, BlockWord published, Healing &healing) noexcept;

    void set_hints(Run run, KnownSteps *known = nullptr) noexcept;
    void set_granule_hint(Granule at) noexcept;
    void drop_granule_hint(Granule at) noexcept;

    BlockWord own(Granule at) const noexcept
    {
        // relaxed: in a block we hold CLAIMED nobody else writes
        return words_[at].load(relaxed);
    }

    /// Truth of one granule. Writers: anybody by CAS from FREE, CACHED and ALLOCATED; the owner
    /// alone while CLAIMED, also the words inside the block.
    atomic<BlockWord> *words_ = nullptr;
    /// One word per chunk: "a FREE head is probably here". Set by who publishes, after FREE;
    /// cleared by who holds the block CLAIMED (rules.md M4).
    atomic<uint64_t> *hints_ = nullptr;
    /// Per size step: chunks in which a FREE head of this step probably is.
    BitTree steps_;
    atomic<uint64_t> *limit_ = nullptr;
    atomic<uint64_t> *trimmed_ = nullptr;
    atomic<uint64_t> *forgets_ = nullptr;
    Granule max_ = 0;
    Granule known_limit_ = 0;
    unsigned granule_shift_ = 0;
    Granules unit_ = 1; ///< in which memory is given back
    uint64_t data_ = 0;
};

} // namespace weir
