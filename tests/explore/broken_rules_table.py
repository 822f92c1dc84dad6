# SPDX-License-Identifier: MIT OR Apache-2.0
"""The rules that broken_rules.py breaks: what is edited, and which scenario must notice.

bounds: preemptions, deaths, stops. sees: what the failure must say. also: files of the explorer
that have the edited code inline.

Rows of rules.md, section 6, that are not here, because this code cannot break them: a heal that
does not write the TAIL (publish() writes it again), the exact class scanned with a bound (the hop
walk finds what the search has missed), the second look of a collector (nobody marks an object
that is RETIRED), hints before FREE (a chunk in which somebody holds a block keeps its step).
Of M5, a pop that lowers the count first: only its own thread reads it. Of broadcast, the holder is
given up before the pin (rules.md found no schedule that needs it either), and the second look after a
collector has put a cell back: it takes more preemptions than these bounds have.
"""

BITS = "core/index/bit_tree.cpp"
BITS_HOT = "core/index/bit_tree.hpp"
SECTOR = "core/matrix/sector.cpp"
LANE = "core/matrix/lane.cpp"
LANE_HOT = "core/matrix/lane_hot.hpp"
SECTOR_H = "core/matrix/sector.hpp"
HOT = "core/matrix/sector_hot.hpp"
WALKER = "core/matrix/walker.hpp"
ALLOC = "core/matrix/alloc.cpp"
HEAL = "core/matrix/heal.cpp"
TRIM = "core/matrix/trim.cpp"
SECTOR_TRIM = "core/matrix/sector_trim.cpp"
CHECK = "core/matrix/check.cpp"
BLOCK = "core/matrix/block.cpp"
RESIZE = "core/matrix/resize.cpp"
WAIT = "core/matrix/wait.cpp"
LIFECYCLE = "core/matrix/lifecycle.cpp"
ROOTS = "core/matrix/roots.cpp"
PEOPLE = "core/segment/participants.cpp"
RING = "core/channel/ring.cpp"
RING_HPP = "core/channel/ring.hpp"
RING_HEAL = "core/channel/ring_heal.cpp"
RING_READ = "core/channel/ring_read.cpp"
CAST = "core/channel/ring_broadcast.cpp"
HAND = "core/channel/hand.hpp"
ROUTES = "core/channel/route_table.cpp"
SUBSCRIBERS = "core/channel/ring_subscribers.cpp"
DISCARD = "core/channel/ring_discard.cpp"
TURNS = "core/channel/waiting_turns.hpp"
WAITING = "core/base/waiting.hpp"
ROTATE = "core/flush/rotate.cpp"
COMPLETE = "core/flush/complete.cpp"
CUT = "core/flush/cut.cpp"
EVICT = "core/flush/evict.cpp"
RESERVE = "core/flush/reserve.cpp"
LARGE = "core/flush/large.cpp"
FLUSH_RING = "core/flush/ring.cpp"
SLOTS = "core/pool/slots.cpp"
POOL = "core/pool/pool.cpp"
POOL_HOT = "core/pool/pool_hot.hpp"
POOL_WAIT = "core/pool/pool_wait.cpp"
POOL_SHARED = "core/pool/pool_shared.cpp"


def rule(name, scenario, bounds, *edits, sees="", schedules=200000, also=()):
    return {"rule": name, "scenario": scenario, "bounds": bounds, "edits": edits, "sees": sees,
            "schedules": schedules, "also": also}


INDEX = [
    rule("bitset rule 1 (set ensures every level)", "bits_rule1", (1, 0, 0),
         (BITS_HOT, "        ensure_bit(word(level, column, index), mask_of(index));\n",
          "        if (word(level, column, index).fetch_or(mask_of(index), seq_cst) & mask_of(index))\n"
          "            return;\n"),
         also=["tests/explore/scenarios_index.cpp"]),
    rule("bitset rule 1, in the matrix", "rule1now", (1, 0, 0),
         (BITS_HOT, "        ensure_bit(word(level, column, index), mask_of(index));\n",
          "        if (word(level, column, index).fetch_or(mask_of(index), seq_cst) & mask_of(index))\n"
          "            return;\n"),
         sees="cannot be found"),
    rule("bitset rule 2 (clear looks again)", "bits_set_clear", (1, 0, 0),
         (BITS, "    if (at.load(seq_cst) != 0) // [C]", "    if (false) // [C]"), sees="I1"),
    rule("bitset rule 2, in the matrix", "hints_other", (1, 0, 0),
         (BITS, "    if (at.load(seq_cst) != 0) // [C]", "    if (false) // [C]"),
         sees="invariant 4"),
    rule("bitset rule 3 (who clears a class bit looks again)", "hintsdeep", (1, 0, 0),
         (SECTOR, "    if (chunk_has(step, chunk))\n", "    if (false)\n"), sees="invariant 4"),
]

MATRIX = [
    rule("release looks at the neighbours after publishing", "free2", (1, 0, 0),
         (HOT, "    if (look_right && is_free_at(run.end()))\n",
          "    if (run.length != 0)\n        return {};\n    if (look_right)\n"),
         sees="two FREE neighbours"),
    rule("only the first publication of a rest may skip the look to its right", "split_pair",
         (3, 0, 0),
         (HOT, "        look_right = true; // it may end somewhere else now\n", ""),
         sees="two FREE neighbours"),
    rule("a split's remainder looks as well", "split_left", (1, 0, 0),
         (HOT, "    give_back({run.head, run.length - length}, listed, false, me, known);",
          "    Run const rest{run.head, run.length - length};\n    write_tail(rest);\n"
          "    words_[rest.head].store(own(rest.head).as_free(rest.length), seq_cst);\n"
          "    set_hints(rest);\n"), sees="two FREE neighbours"),
    rule("an alignment's trim looks as well", "align", (1, 0, 0),
         (SECTOR, "        give_back(split(run, end, me), 0, true, me);\n",
          "        Run const rest = split(run, end, me);\n        write_tail(rest);\n"
          "        words_[rest.head].store(own(rest.head).as_free(rest.length), seq_cst);\n"
          "        set_hints(rest);\n"), sees="two FREE neighbours"),
    rule("a chunk in which somebody holds a block keeps its step", "hintskept", (3, 0, 0),
         (SECTOR, "        if (found.is(Kind::claimed) || (found.is(Kind::free) &&",
          "        if ((found.is(Kind::free) &&"), sees="invariant 4", schedules=1000000),
    rule("who forgets a step counts it", "known", (1, 0, 0),
         (SECTOR, "    forgets_->fetch_add(1, seq_cst); // [F] pairs with [K] in set_hints()\n", ""),
         sees="invariant 4"),
    rule("who forgets a step counts it after the bit's end", "known", (2, 0, 0),
         (SECTOR, "    steps_.clear(step, chunk);\n    forgets_->fetch_add(1, seq_cst); // [F] pairs",
          "    forgets_->fetch_add(1, seq_cst);\n    steps_.clear(step, chunk); // [F] pairs"),
         sees="invariant 4"),
    rule("who forgets a step counts it before the look at the heads", "known", (2, 0, 0),
         (SECTOR, "    forgets_->fetch_add(1, seq_cst); // [F] pairs with [K] in set_hints()\n"
          "    if (chunk_has(step, chunk))\n        steps_.set(step, chunk);\n",
          "    if (chunk_has(step, chunk))\n        steps_.set(step, chunk);\n"
          "    forgets_->fetch_add(1, seq_cst);\n"), sees="invariant 4"),
    rule("who knows a step read the count before he set it", "known", (4, 0, 0),
         (HOT, "        known->add(&hints_[chunk], forgets, run.length);",
          "        known->add(&hints_[chunk], forgets_->load(seq_cst), run.length);"),
         sees="invariant 4", schedules=2000000),
    rule("healing counts a step that the dead one may have been forgetting", "known_heal", (1, 1, 0),
         (HEAL, "            sector.forget_known(); // before the walks, which list what they see\n",
          "            static_cast<void>(sector);\n"), sees="invariant 4"),
    rule("M4: an absorbed head's hint is cleared before publishing", "late_clear", (1, 0, 0),
         (HOT, "    drop_granule_hint(right);\n", ""),
         (HOT, "    return give_back(run, listed, true, me, known);\n",
          "    Run const last = give_back(run, listed, true, me, known);\n"
          "    for (Granule i = last.head + 1; i < last.end(); ++i)\n"
          "        drop_granule_hint(i);\n    return last;\n"), sees="invariant 4"),
    rule("a claim is a CAS", "two_alloc", (2, 0, 0),
         (SECTOR_H, "        return change(at, found, found.as_claimed(me, found.granules()));\n",
          "        words_[at].store(found.as_claimed(me, found.granules()), seq_cst);\n"
          "        return true;\n"), sees="changes the head"),
    rule("a split is published from right to left", "two_alloc", (0, 0, 0),
         (HOT, "    write_tail(second);\n", "    words_[run.head].store(own(run.head).as_claimed"
          "(me, at - run.head), relaxed);\n    write_tail(second);\n"), sees="invariant 1"),
    rule("merge: the head before the TAIL", "free3ones", (0, 0, 0),
         (HOT, "    drop_granule_hint(right);\n    run.length += found.granules();\n",
          "    drop_granule_hint(right);\n    run.length += found.granules();\n"
          "    write_tail(run);\n"),
         sees="invariant 1"),
    rule("the TAIL is right before publishing", "free2", (0, 0, 0),
         (HOT, "    write_tail(run);\n    BlockWord published", "    BlockWord published"),
         sees="invariant 3"),
    rule("what is withheld is no shortage (M7)", "quota_big", (1, 0, 0),
         (ALLOC, "        if (before.quiet() && before.begun == after.begun && ", "        if ("),
         sees="invariant 5"),
    rule("the second reading of the windows", "aba_walk", (3, 0, 0),
         (ALLOC, "before.quiet() && before.begun == after.begun &&", "before.quiet() &&"),
         sees="invariant 5", schedules=3000000),
    rule("the window is open before the claim", "alloc_vs_merge", (2, 1, 0),
         (HOT, "    self.open();\n    if (WEIR_LIKELY(claim_free(at, found, self.owner())))\n",
          "    if (claim_free(at, found, self.owner()) && (self.open(), true))\n"),
         (HOT, "    self.close();\n    return {};\n", "    return {};\n"),
         sees="invariant 5", schedules=1000000),
    rule("free opens a window", "quota_big", (2, 0, 0),
         (BLOCK, "        self.open();\n        if (found.sector->change(",
          "        if (found.sector->change("),
         (BLOCK, "        self.close(); // its state", "        ; // its state"),
         (BLOCK, "release_hot(freed, self.owner(), known_steps(work, self));\n    self.close();\n",
          "release_hot(freed, self.owner(), known_steps(work, self));\n"), sees="invariant 5"),
    rule("no window is open during the search", "last", (1, 0, 0),
         (ALLOC, "        WalkFindings found;\n        if (search_exhaustively",
          "        WalkFindings found;\n        search.window.open();\n"
          "        if (search_exhaustively"), sees="livelock"),
    rule("the hop walk finds what has no hints", "stopped_free", (1, 0, 1),
         (SECTOR, "        if (found.is(Kind::free) && need.place_in({at, found.granules()}, start)"
          ") {\n            window.open();", "        if (false) {\n            window.open();"),
         sees="all the time"),
    rule("every granule that a block had keeps its generation", "free3ones", (0, 0, 0),
         (SECTOR_H, "own(last).as_tail(run.length)",
          "BlockWord::of(Kind::tail, 0, 0, 0, run.length)"), sees="generation"),
]

LANES = [
    rule("M5: nothing is CACHED inside a block that spans it", "refill_old", (3, 0, 0),
         (SECTOR, "        words_[at].store(own(at).as_claimed(me, each), relaxed);\n",
          "        words_[at].store(own(at).as_cached(me, each), relaxed);\n"),
         schedules=1000000),
    rule("M5: a refill cuts before it keeps", "refill_two", (1, 0, 0),
         (LANE, "    if (count > 1)\n        from.cut_evenly(",
          "    if (count > 9)\n        from.cut_evenly(")),
    rule("M6: a push opens a window", "mag_swap", (3, 0, 0),
         (LANE_HOT, "    uint64_t const window = lane.open(); // memory appears\n", ""),
         (LANE_HOT, "    lane.close(window);\n", ""),
         sees="invariant 5"),
    rule("M6: a theft opens a window", "steal_two", (2, 0, 0),
         (SECTOR, "    window.open();\n    bool const stolen", "    bool const stolen"),
         sees="invariant 5"),
    rule("who keeps a block tells who waits", "lane_wait", (1, 0, 0),
         (LANE_HOT, "    tell_waiting();\n", ""),
         (BLOCK, "    if (WEIR_LIKELY(free_fast(ref))) {\n        tell_waiting();\n",
          "    if (WEIR_LIKELY(free_fast(ref))) {\n"), sees="forgotten"),
    rule("a pop is a CAS", "steal_back", (3, 0, 0),
         (LANE_HOT, "    if (!WEIR_LIKELY(magazine.words[at].compare_exchange(expected, taken, acq_rel, "
          "relaxed)))\n        return false; // stolen\n",
          "    magazine.words[at].store(taken, seq_cst);\n"),
         schedules=1000000),
    rule("a pop believes the word", "steal_back", (3, 0, 0),
         (LANE_HOT, "    BlockWord expected{(kept ^ at) | magazine.cached};\n",
          "    BlockWord expected = magazine.words[at].load(relaxed);\n"), schedules=1000000),
    rule("a pop is a CAS, also between threads of one participant", "threads_swap", (2, 0, 0),
         (LANE_HOT, "    if (!WEIR_LIKELY(magazine.words[at].compare_exchange(expected, taken, acq_rel, "
          "relaxed)))\n        return false; // stolen\n",
          "    magazine.words[at].store(taken, seq_cst);\n")),
    rule("an entry that is the other thread's by now is none", "threads_entry", (2, 0, 0),
         (LANE_HOT, "    BlockWord expected{(kept ^ at) | magazine.cached};\n",
          "    BlockWord expected = magazine.words[at].load(relaxed);\n")),
    rule("D2: a pop is a CAS, though both lanes are of one process", "depot_twice", (3, 0, 0),
         (LANE_HOT, "    if (!WEIR_LIKELY(magazine.words[at].compare_exchange(expected, taken, acq_rel, "
          "relaxed)))\n        return false; // stolen\n",
          "    magazine.words[at].store(taken, seq_cst);\n")),
    rule("D2: an entry of the depot proves nothing", "depot_stolen", (3, 0, 0),
         (LANE_HOT, "    BlockWord expected{(kept ^ at) | magazine.cached};\n",
          "    BlockWord expected = magazine.words[at].load(relaxed);\n")),
    rule("a flush is a CAS", "overflow_take", (2, 0, 0),
         (LANE, "            !into.change(block.head, found, found.as_claimed(owner, block.length)))\n",
          "            !(into.change(block.head, found, found.as_claimed(owner, block.length)), true))\n")),
    rule("a flush merges what touches", "flush_apart", (0, 0, 0),
         (SECTOR, "    if (!before && run.end() != other.head)\n", "    if (false)\n")),
    rule("M2: a flush merges from the head on", "flush_left", (1, 0, 0),
         (SECTOR, "    write_merged(run, absorbed, me);\n    return true;\n",
          "    words_[absorbed].store(own(absorbed).as_interior(), relaxed);\n"
          "    write_merged(run, absorbed, me);\n    return true;\n")),
    rule("CACHED blocks can be had (M7)", "steal_merge", (0, 0, 0),
         (SECTOR, "        if (found.is(Kind::cached)) {\n",
          "        if (false) {\n"), sees="invariant 5"),
]

HEALING = [
    rule("check: an error must be there while no window is open", "check_live", (1, 0, 0),
         (CHECK, "        if (before.quiet() && Snapshot::take(people).begun == before.begun)\n",
          "        if (true)\n"), sees="check finds"),
    rule("what healing frees at once is looked at from the right", "heal_alone", (1, 1, 0),
         (SECTOR, "    if (is_free_at(run.end())) {\n        if (change(run.head, published",
          "    if (false) {\n        if (change(run.head, published"), sees="two FREE neighbours",
         schedules=1000000),
    rule("what healing frees at once is looked at from the left", "heal_left", (0, 1, 0),
         (SECTOR, "    if (left.length != 0 && claim_free(left.head, left.word, me))\n        return rel",
          "    if (false)\n        return rel"), sees="two FREE neighbours"),
    rule("what healing frees at once, it frees by a CAS", "heal_vs_free", (3, 1, 0),
         (SECTOR, "    if (!words_[run.head].compare_exchange(found, published, seq_cst, relaxed))\n"
          "        return {};\n    if (is_free", "    words_[run.head].store(published, seq_cst);\n"
          "    if (is_free"), schedules=1000000),
    rule("healing sets late hints at its end", "heal_alone", (0, 1, 0),
         (HEAL, "    sector.set_late(hints);\n", ""), sees="invariant 4"),
    rule("healing sets late hints before those of another chunk", "heal_alone", (0, 1, 0),
         (SECTOR, "        set_late(hints);\n        hints.chunk", "        hints = {};\n        hints.chunk"),
         sees="invariant 4"),
    rule("healing ensures hints", "heal_conc", (0, 1, 0),
         (HEAL, "    sector.ensure_hints(run);\n    if (run.end()", "    if (run.end()"),
         sees="invariant 4"),
    rule("healing lists what is in somebody's hand", "heal_listed", (2, 1, 0),
         (HEAL, "        else if (word.is(Kind::claimed)) // it may be published without a look at the "
          "index\n            sector.ensure_hints(run);\n", ""), sees="invariant 4",
         schedules=1000000),
    rule("healing merges pairs", "heal_two", (1, 1, 0),
         (HEAL, "    if (run.end() >= sector.limit() || !", "    if (true || !"),
         sees="two FREE neighbours"),
    rule("the walk never scans forward", "stale", (2, 1, 0),
         (WALKER, "    void go_back() noexcept\n    {\n",
          "    void go_back() noexcept\n    {\n        if (at_ < limit_) {\n            ++at_;\n"
          "            return;\n        }\n"), schedules=2000000),
    rule("an allocation heals", "heal_needed", (1, 1, 0),
         (ALLOC, "if (healed < kHealTries && heal_dead()) {", "if (false) {")),
    rule("windows of the dead are closed last", "heal_needed3", (2, 1, 0),
         (HEAL, "void Matrix::heal_owner(Owner dead, HealReport &report) noexcept\n{\n",
          "void Matrix::heal_owner(Owner dead, HealReport &report) noexcept\n{\n"
          "    participants_.close_windows(dead);\n"), sees="invariant 5", schedules=1000000),
    rule("healing opens a window", "heal_needed3", (2, 1, 0),
         (HEAL, "        window.open();\n", ""),
         (HEAL, "    participants_.close_windows(dead);\n    // Also", "    // Also"),
         (HEAL, "void Matrix::heal_owner(Owner dead, HealReport &report) noexcept\n{\n",
          "void Matrix::heal_owner(Owner dead, HealReport &report) noexcept\n{\n"
          "    participants_.close_windows(dead);\n"), sees="invariant 5", schedules=1000000),
    rule("healing is a CAS of the word that names the dead", "heal_vs_free", (2, 1, 0),
         (HEAL, "    if (!sector.change(run.head, word, word.as_claimed(self, run.length)))\n"
          "        return run.head;\n    count", "    sector.change(run.head, word, "
          "word.as_claimed(self, run.length));\n    count"), schedules=1000000),
    rule("give looks at the slot again", "give_to", (2, 1, 0),
         (BLOCK, "    if (participants_.word_of(to) == live)\n        return kOk;\n",
          "    return kOk;\n"), schedules=1000000),
    rule("healing takes what names an id that left", "give_to", (1, 2, 0),
         (HEAL, "word.owner() == dead || (word.is_users() && is_left(word.owner()))",
          "word.owner() == dead"), schedules=1000000),
]

PARTICIPANTS = [
    rule("slot: the word is read before the lock is tested", "slots", (2, 0, 0),
         (PEOPLE, "    SlotWord const found = load(slot); // before",
          "    bool const held = locked_by_other(slot, me);\n"
          "    SlotWord const found = load(slot); // before"),
         (PEOPLE, "    if (found.state() == SlotState::live)\n"
          "        lives = locked_by_other(slot, me);\n    else if",
          "    if (found.state() == SlotState::live)\n        lives = held;\n    else if"),
         sees="S1"),
    rule("slot: the lock before LIVE", "slots", (2, 0, 0),
         (PEOPLE, "    if (found.state() != SlotState::free || !segment_->backing().lock_slot(slot))"
          "\n        return false;\n    if (!change(slot, found, SlotWord::of(SlotState::live",
          "    if (found.state() != SlotState::free)\n        return false;\n"
          "    if (!change(slot, found, SlotWord::of(SlotState::live"),
         (PEOPLE, "    ret_me = {slot + 1, found.generation()};\n    return true;\n",
          "    if (!segment_->backing().lock_slot(slot))\n        return false;\n"
          "    ret_me = {slot + 1, found.generation()};\n    return true;\n")),
    rule("slot: the reaper's generation", "slots_two", (1, 2, 0),
         (PEOPLE, " && its.generation() == word.reaper_generation()", ""), sees="never healed",
         schedules=3000000),
    rule("slot: a takeover changes the word", "slots_full", (2, 1, 0),
         (PEOPLE, "SlotWord::of(SlotState::live, found.generation() + 1).generation()",
          "found.generation()")),
    rule("slot: a reaper that died is replaced", "slots", (1, 2, 0),
         (PEOPLE, "        lives = reaper_lives(slot, found, me);\n", "        lives = true;\n"),
         sees="never healed"),
]

GROWTH = [
    rule("growth: the room is measured by the ticket's holder", "grow_capacity", (2, 0, 0),
         (ALLOC, "    auto step = growth_step(index, need);\n",
          "    auto step = Result<Granules>(need.length);\n"), sees="capacity"),
    rule("growth: no -ENOMEM while there is room to grow", "grow_heal", (1, 1, 0),
         (ALLOC, "        bool const room = could_grow(search);",
          "        bool const room = false;"), sees="invariant 5"),
    rule("growth: a walk follows a limit that has risen", "grow_check", (1, 0, 0),
         (SECTOR_H, "        bound = limit(seq_cst); // seq_cst: at least as new as the word\n", "")),
    rule("growth: the words before the limit", "grow2", (1, 0, 0),
         (SECTOR, "    write_tail(run);\n    words_[run.head].store(own(run.head).as_claimed(me, "
          "run.length),\n                           relaxed); // the limit publishes it\n",
          "    limit_->store(run.end(), seq_cst);\n    write_tail(run);\n"
          "    words_[run.head].store(own(run.head).as_claimed(me, run.length), relaxed);\n"),
         sees="invariant 1"),
    rule("growth: one grower at a time", "grow2", (2, 0, 0),
         (ALLOC, "    if (!ticket.try_take(me().owner))\n        return error(EBUSY);\n",
          "    static_cast<void>(ticket.try_take(me().owner));\n")),
    rule("growth: prefault asks again if what was free at the end is gone", "prefault", (2, 0, 0),
         ("core/matrix/prefault.cpp",
          "            if (committed() + sector.bytes_of(missing) > segment_.geometry().request.capacity)\n"
          "                return kOk;\n", "            return kOk;\n"), sees="not 12"),
    rule("growth: a dead grower's ticket is given back", "grow2", (0, 1, 0),
         (HEAL, "        Ticket(*word).give_back(dead);\n", "        static_cast<void>(word);\n")),
]

TRIMMING = [
    rule("trim: the mark before the hole", "trim_alloc", (0, 1, 0),
         (TRIM, "    sector.mark_without_memory(mine, self.owner()); // before the hole: death\n", ""),
         (TRIM, "    sector.publish_trimmed(mine);\n    return mine.length;",
          "    sector.mark_without_memory(mine, self.owner());\n"
          "    sector.publish_trimmed(mine);\n    return mine.length;"), sees="T1"),
    rule("trim: healing makes TRIMMED what is marked", "trim_two", (0, 1, 0),
         (HEAL, "    if (word.is_claimed_without_memory()) { // trim.cpp", "    if (false) {"),
         sees="changes the head"),
    rule("trim: a healer keeps the mark", "trim_two", (0, 2, 0),
         (HEAL, "word.as_claimed_without_memory(self, run.length)",
          "word.as_claimed(self, run.length)"), sees="changes the head"),
    rule("trim: a dead holder's count is made anew", "trim_two", (0, 1, 0),
         (HEAL, "        recount_trimmed(); // while", "        ; // while"), sees="T3"),
    rule("trim: counted while the dead one has the ticket", "take_heal", (2, 1, 0),
         (HEAL, "    if (Ticket(segment_.header().growth).holder() == dead)\n"
          "        recount_trimmed(); // while it is his: nobody else changes what is TRIMMED\n", ""),
         (HEAL, "        Ticket(*word).give_back(dead);\n",
          "        if (bool const his = Ticket(*word).holder() == dead; his) {\n"
          "            Ticket(*word).give_back(dead);\n            recount_trimmed();\n        }\n"),
         sees="T3", schedules=2000000),
    rule("trim: committed before FREE", "take_one", (0, 0, 0),
         (TRIM, "segment_.commit_data(index, run.head, run.end());", "kOk;"), sees="T1"),
    rule("trim: what the file system refuses stays TRIMMED", "take_full", (0, 0, 0),
         (TRIM, "        sector.publish_trimmed(run);\n        return granted;",
          "        sector.release_run(run, me().owner);\n        return granted;"), sees="T1"),
    rule("trim: no -ENOMEM while trimmed memory could serve", "take_all", (1, 0, 0),
         (TRIM, "    if (WEIR_LIKELY(sectors_[index].trimmed() == 0))\n", "    if (true)\n"),
         sees="invariant 5"),
    rule("trim: one at a time", "trim_two", (2, 0, 0),
         (TRIM, "    WEIR_TRY(take_ticket(segment_.header().growth));\n", "")),
    rule("trim: opens a window", "trim_alloc_all", (2, 0, 0),
         (TRIM, "    window.open();\n    Sector &sector", "    Sector &sector"),
         sees="invariant 5", schedules=1000000),
    rule("trim: who waits for the ticket opens no window", "trim_alloc_all", (2, 0, 0),
         (ALLOC, "    if (ticket.holder() != kNobody)\n        return error(EBUSY); // no window",
          "    ; // no window"), sees="livelock"),
    rule("trim: TRIMMED merges with nobody", "trim_free", (1, 0, 0),
         (HOT, "    if (!found.is(Kind::free) || !plausible(right, found, bound) || !claim_free",
          "    if ((!found.is(Kind::free) && !found.is(Kind::trimmed)) ||"
          " !plausible(right, found, bound) || !claim_free"), sees="changes the head"),
    rule("trim: a place that ends where a FREE block ends is tried", "take_best", (0, 0, 0),
         (SECTOR_TRIM, "(found.is(Kind::free) && need.place_in({row, end - row}, start) &&",
          "(false && need.place_in({row, end - row}, start) &&"), sees="are refused"),
    rule("trim: a cut is published from right to left", "take_one", (0, 0, 0),
         (SECTOR_TRIM, "        write_tail(rest);\n",
          "        words_[run.head].store(own(run.head).as_claimed_without_memory(me, run.length), "
          "release);\n        write_tail(rest);\n"), sees="invariant 1"),
]

CHANNEL = [
    rule("C1: the block stays nobody's while HELD", "q_post_read", (1, 1, 0),
         (RING_READ, "    reader.hand.put(index(spot), spot.position);\n",
          "    static_cast<void>(matrix_->move_owner(ref, kNobody, matrix_->me().owner));\n"
          "    reader.hand.put(index(spot), spot.position);\n")),
    rule("C2: ref is 0 in every EMPTY cell", "q_forward", (1, 0, 0),
         (RING, "    at.ref.store(0, relaxed); // C1; published by the word\n", ""),
         sees="C1"),
    rule("C3: WRITING(dead) is finished by what its block says", "q_post_read", (1, 1, 0),
         (RING_HEAL, "    if (!nobodys(ref))\n        pass_on(spot, word);\n    else if",
          "    if")),
    rule("C4: an ack frees the block before the cell", "q_post_read", (1, 1, 0),
         (RING_READ, "    Status const done = how == Answer::take ?",
          "    pass_on(spot, held);\n    Status const done = how == Answer::take ?"),
         (RING_READ, "    pass_on(spot, held);\n    return done;\n", "    return done;\n")),
    rule("C5: the block is nobody's before FULL", "q_post_read", (1, 0, 0),
         (RING, "    BlockWord word = block.word;\n",
          "    if (!publish(spot, writing))\n        return error(kCorrupt);\n"
          "    Owner const me = matrix_->me().owner;\n"
          "    static_cast<void>(matrix_->move_owner(letter.ref, me, kNobody));\n"
          "    if (me != kNobody)\n        return kOk;\n"
          "    BlockWord word = block.word;\n")),
    rule("C6: healing marks what was nacked", "q_wrap1", (1, 1, 0),
         (RING_HEAL, "        else if (word.redelivered())\n", "        else if (false)\n"),
         sees="lost|not EMPTY"),
    rule("C7: a redelivery bit counts only for what was handed out before", "q_nack_order",
         (2, 0, 0),
         (RING_READ, "        if (found.redelivered()) {\n            Spot",
          "        if (found.is(Phase::full)) {\n            Spot"), sees="C4"),
    rule("C8: WRITING cells that were passed are looked at again", "q_order", (2, 0, 0),
         (RING_READ, "filled_meanwhile(level, first_writing, p))", "false)"), sees="C4"),
    rule("C9: empty only at EMPTY(p), the window moves along", "q_wrap1", (1, 1, 0),
         (RING_READ, "            window = next = next_possible(p, found); // consumed",
          "            next = next_possible(p, found); // consumed")),
    rule("C5: a look at the head knows what waits for redelivery", "q_nack_order", (2, 0, 0),
         (RING_READ, "    if (redelivery_.find_column(0) == 0)\n        return Look::again;\n", "")),
    rule("C4: a look at the head passes only what is consumed", "q_order", (2, 0, 0),
         (RING_READ, "        if (!held && found.raw != CellWord::of(Phase::empty, lap(head) + 1).raw)\n"
          "            return Look::again;\n", ""), sees="not EMPTY at rest"),
    rule("C10: healing wakes everybody", "w_death", (1, 1, 0),
         (RING_HEAL, "    wake_everybody();\n}\n\n/// The table", "}\n\n/// The table"),
         sees="C6"),
    rule("C11: who changes a cell looks for sleepers", "w_one", (2, 0, 0),
         (RING, "while we live\n    ring_items();\n", "while we live\n"), sees="C6"),
    rule("C11: who is about to sleep looks whether it was retired", "w_retire", (2, 0, 0),
         (TURNS, "        WEIR_TRY(enter()); // [F] as below: who retired it may have woken us before "
          "we slept\n", ""), sees="C6"),
    rule("C11: the second look before the sleep", "w_one", (2, 0, 0),
         (TURNS,
          "        if (done = attempt(); done.code != -EAGAIN) // [F] after the announcement\n"
          "            return done;\n", ""), sees="C6"),
    rule("who makes room wakes posters", "w_room", (2, 0, 0),
         (RING, "    Waiting(levels_[spot.level].room.word).wake_one();\n", ""), sees="C6"),
    rule("who has posted passes the wake-up on", "w_rooms_back", (1, 0, 0),
         ("core/channel/channel.cpp", "    ring_.pass_baton(what.level);\n", ""), sees="C6"),
    rule("who wakes one leaves the bit for the others", "w_two", (1, 0, 0),
         (WAITING, "            if (!word.compare_exchange(seen, seen + 2, seq_cst, relaxed))\n"
          "                continue;\n            seen += 2;\n",
          "            if (!word.compare_exchange(seen, (seen + 2) & ~1u, seq_cst, relaxed))\n"
          "                continue;\n            seen = (seen + 2) & ~1u;\n"), sees="C6"),
    rule("in broadcast all are woken", "w_cast", (1, 0, 0),
         (RING_HPP, "            Waiting(header_->items.word).wake();\n",
          "            Waiting(header_->items.word).wake_one();\n"), sees="C6"),
    rule("healing gives a dead reader's message back", "q_post_read", (1, 1, 0),
         (RING_HEAL, "!word.is(Phase::empty) && !word.is(Phase::full);",
          "word.is(Phase::writing);")),
    rule("a nack marks its cell", "q_nack", (2, 0, 0),
         (RING_READ, "    redelivery_.set(column(spot.level), spot.position & (capacity() - 1));\n",
          "")),
    rule("C8: a drop is counted once", "o_read", (1, 1, 0),
         (DISCARD, "    if (is_counted(spot, how))\n        return;\n", ""), sees="C8"),
    rule("C8: a drop that a dead one began is counted", "o_read", (1, 1, 0),
         (RING_HEAL, "        if (may_lose() && change(spot, word, mine))\n"
          "            finish_discard(spot, mine, true);\n",
          "        if (may_lose() && change(spot, word, mine))\n"
          "            pass_on(spot, mine);\n")),
    rule("what is HELD is not dropped", "o_read", (1, 0, 0),
         (RING, "    if (!found.is(Phase::full))\n        return false;\n    if (is_expired",
          "    if (!found.is(Phase::full) && !found.is(Phase::held))\n"
          "        return false;\n    if (is_expired")),
    rule("who reads looks whether a message has expired", "t_read", (0, 0, 0),
         (RING_READ, "    if (options_.ttl != 0 && is_expired(spot)) {\n        discard(spot, full, Phase::expiring);\n"
          "        return false;\n    }\n",
          "    if (is_expired(spot))\n        count_lost(spot, Phase::expiring);\n"), sees="C8"),
    rule("each level has its redelivery set", "l_nack", (1, 0, 0),
         (RING_READ, "    redelivery_.set(column(spot.level), spot",
          "    redelivery_.set(spot.level, spot")),
]

BROADCAST = [
    rule("C12: who reads pins what may be taken away", "b_drop", (1, 0, 0),
         (CAST, "        at.pins.fetch_or(bit, seq_cst); // [P] then", "        ; // [P] then"),
         sees="C7|C8|told|answer"),
    rule("C13: DROPPING before anything is taken away", "b_drop2", (2, 0, 0),
         (DISCARD, "    CellWord const mine = full.to(how, matrix_->me().owner);\n"
          "    return !change",
          "    CellWord const mine = full.to(how, matrix_->me().owner);\n"
          "    if (broadcast())\n        take_away(spot, losers(spot), how);\n"
          "    return !change")),
    rule("C14: who collects looks for holders after FREEING", "b_late1", (2, 0, 0),
         (CAST, "        if (is_held(at)) {\n            change(at, freeing, full);\n",
          "        if (false) {\n            change(at, freeing, full);\n")),
    rule("C15: a place is FREE only after a sweep that met no WRITING", "b_leave", (2, 0, 0),
         (SUBSCRIBERS, "        all = all && !found.is(Phase::writing);\n", "        (void)found;\n")),
    rule("C16: only the sweeper named in the slot sweeps", "b_rejoin", (2, 0, 0),
         (SUBSCRIBERS, "        if (!found.is(SubscriberState::leaving, kNobody))\n            continue;\n",
          "        if (!found.is(SubscriberState::leaving))\n            continue;\n"),
         schedules=1000000),
    rule("a poster sweeps after whom has left meanwhile", "b_leave", (2, 0, 0),
         (RING, "    if (left || given == 0)\n", "    if (given == 0)\n")),
    rule("what nobody gets is collected by its poster", "b_nobody", (0, 0, 0),
         (RING, "    if (left || given == 0)\n", "    if (left)\n")),
    rule("the last holder collects", "b_last", (1, 0, 0),
         (CAST, "    if (last || may_lose())\n", "    if (false)\n"), sees="nobody holds"),
    rule("the word before the holders", "b_drop", (3, 0, 0),
         (CAST, "    bool const mine = load(at).raw == full.raw && (at.holders.load(seq_cst) & bit) != 0;\n",
          "    bool const held = (at.holders.load(seq_cst) & bit) != 0;\n"
          "    bool const mine = held && load(at).raw == full.raw;\n"), schedules=2000000),
    rule("the pins before the holders", "b_drop", (2, 0, 0),
         (DISCARD, "    uint64_t const pins = at.pins.load(seq_cst);\n"
          "    return at.holders.load(seq_cst) & ~pins;\n",
          "    uint64_t const holders = at.holders.load(seq_cst);\n"
          "    return holders & ~at.pins.load(seq_cst);\n"), sees="C8|told"),
    rule("who joins starts a lap back", "b_join", (2, 0, 0),
         (SUBSCRIBERS, "tail > capacity() ? tail - capacity() : 0;", "tail;"), sees="C2|C4|never|not"),
    rule("healing takes a dead subscriber's bits", "b_heal", (1, 1, 0),
         (RING_HEAL, "        heal_subscribers(dead);\n", "        ;\n")),
    rule("healing gives a dead poster's message its holders", "b_heal_post", (1, 1, 0),
         (RING_HEAL, "        publish(spot, word);\n",
          "        change(spot, word, word.to(Phase::full));\n")),
    rule("a dropper wakes who waits for the next", "w_cast_drop", (1, 0, 0),
         (DISCARD, "        ring_items(); // who waited at this message goes on to the next\n",
          "        ;\n"),
         (RING, "    tidy(spot.level);\n    ring_items();\n", "    tidy(spot.level);\n"), sees="C6"),
    rule("a late joiner holds what is retained", "b_late", (0, 0, 0),
         (CAST, "            cell(spot).holders.fetch_or(bit, seq_cst); // [H]",
          "            ; // [H]"), sees="late joiner"),
    rule("the cell of a message that is being answered may be read", "b_threads", (2, 0, 0),
         (HAND, "        if (kind(found) == kInHand)\n            return Grip::busy;",
          "        if (kind(found) == kInHand || kind(found) == kClosing)\n"
          "            return Grip::theirs;"), sees="read says"),
    rule("a thread that is late at the cell's last message is left to others", "b_threads_drop",
         (2, 0, 0), (HAND, "            return Grip::busy;", "            return Grip::theirs;"),
         sees="read says|C2"),
    rule("a late thread does not take the cell's next message", "b_threads_drop", (2, 0, 0),
         (HAND, "        if ((found & kPositionMask) > position + 1)\n"
          "            return Grip::again; // the moment is over\n", ""), sees="C3"),
    rule("who puts a message back takes the cursor back", "b_threads_drop", (2, 0, 0),
         (CAST, "    rewind(reader, spot); // a dropper", "    ; // a dropper"), sees="C2"),
]

PASS = "    if (!nobodys(ref))\n        pass_on(spot, word);\n"
# One for each row of the table in channel.hpp that no rule above breaks. FREEING in a queue is not
# here: that is a retired one's, and the last who lets go of it frees what is in any cell.
HEALING_CELLS = [
    rule("heal: WRITING without a ref is passed", "q_post_read", (0, 1, 0),
         (RING_HEAL, PASS, "    if (word.is(Phase::writing) && ref.value == 0)\n        return;\n" + PASS)),
    rule("heal: WRITING with the poster's block is passed", "q_post_read", (0, 1, 0),
         (RING_HEAL, PASS, "    if (word.is(Phase::writing) && ref.value != 0)\n"
          "        publish(spot, word);\n    else if (!nobodys(ref))\n        pass_on(spot, word);\n")),
    rule("heal: WRITING with nobody's block is posted", "q_post_read", (0, 1, 0),
         (RING_HEAL, "        publish(spot, word);\n", "        pass_on(spot, word);\n"), sees="leak|lost"),
    rule("heal: HELD with its block goes back", "q_post_read", (0, 1, 0),
         (RING_HEAL, "        give_back(spot, word);\n", "        pass_on(spot, word);\n"), sees="C2|leak"),
    rule("heal: HELD without its block is passed", "q_post_read", (0, 1, 0),
         (RING_HEAL, PASS, "    if (!nobodys(ref) && !word.is(Phase::held))\n        pass_on(spot, word);\n")),
    rule("heal: FREEING with its block in broadcast is FULL, and collected", "b_nobody", (0, 1, 0),
         (RING_HEAL, "    else if (change(spot, word, word.to(Phase::full)))\n        collect(spot);",
          "    else if (change(spot, word, word.to(Phase::full)))\n        ;")),
    rule("heal: FREEING without its block is passed", "b_nobody", (0, 1, 0),
         (RING_HEAL, PASS, "    if (word.is(Phase::freeing) && !nobodys(ref))\n        return;\n" + PASS)),
    rule("heal: FULL that nobody holds is collected", "b_nobody", (0, 1, 0),
         (RING_HEAL, "            collect(spot); // whose last holder may have died before it looked\n",
          "            ; // whose last holder may have died before it looked\n")),
]

ROUTER = [
    rule("rules: who reads looks whether they changed", "rt_replace", (2, 0, 0),
         (ROUTES, "        if (header_->current.load(relaxed) == version)\n", "        (void)version;\n"),
         sees="R1: . reads"),
    rule("rules: the table that counts is not written", "rt_change", (1, 0, 0),
         (ROUTES, "        write(header_->table[~version & 1], *draft);\n",
          "        write(header_->table[version & 1], *draft);\n"), sees="R1: . writes"),
    rule("rules: a table counts when it is whole", "rt_change", (1, 0, 0),
         (ROUTES, "        write(header_->table[~version & 1], *draft);\n"
          "        header_->current.store(version + 1, seq_cst); // R1; pairs with consistently()\n",
          "        header_->current.store(version + 1, seq_cst);\n"
          "        write(header_->table[~version & 1], *draft);\n"), sees="R1: . (writes|reads)"),
    rule("rules: one at a time changes them", "rt_heal", (1, 0, 0),
         (ROUTES, "    Status done = matrix_->take_ticket(header_->writer);\n",
          "    Status done = kOk;\n"), sees="without the ticket"),
    rule("rules: healing gives the ticket back", "rt_remove", (0, 1, 0),
         (ROUTES, "void RouteRules::heal(Owner dead) noexcept { Ticket(header_->writer).give_back(dead); }",
          "void RouteRules::heal(Owner) noexcept {}"), sees="ticket is somebody's|says -16"),
    rule("rules: each has its own line of counters", "rt_count", (0, 0, 0),
         (ROUTES, "                !draft.has_line(line))\n", "                line == 0)\n"),
         sees="R2"),
    rule("rules: a number is given once", "rt_replace", (0, 0, 0),
         (ROUTES, "    table.last_id.store(draft.last_id, release);\n", ""), sees="R2"),
]

RETIRING = [
    rule("retire: [U] the mark, then a look at the word", "r_post", (2, 0, 0),
         (ROOTS, "    if (entries_[index].word.load(seq_cst) == word.raw)\n        return was_set",
          "    if (true)\n        return was_set")),
    rule("retire: a mark that was there stays", "r_double", (2, 0, 0),
         (ROOTS, "    if (!was_set) { // else", "    if (true) { // else"), schedules=1000000),
    rule("retire: a reaper holds what it heals", "r_bystander", (2, 1, 0),
         (ROOTS, "        if (mark(index, word, dead) == Mark::too_late)\n            continue;\n", ""),
         schedules=1000000),
    rule("who looks without a mark believes a word that has not changed", "r_watch", (1, 0, 0),
         (ROOTS, "        if (load(index).raw != word.raw)\n            continue;\n", ""),
         sees="who only looks"),
    rule("retire: who leaves collects", "r_read", (1, 0, 0),
         (ROOTS, "    unmark(object.entry, object.marked_as.owner);\n"
          "    collect_if_retired(object.entry);\n",
          "    unmark(object.entry, object.marked_as.owner);\n"), sees="leak"),
    rule("retire: a dead one's mark is taken away", "r_read", (1, 1, 0),
         (ROOTS, "            unmark(i, dead);\n", "            ;\n")),
]

RESIZE_RULES = [
    rule("resize: nothing is stored after the block is the user's again", "resize_free", (2, 0, 0),
         (RESIZE, "    write_tail(mine);\n    // release: also", "    // release: also"),
         (RESIZE, "    release_run(rest, me);\n", "    write_tail(mine);\n    release_run(rest, me);\n"),
         sees="does not hold|wrong|invariant 3"),
    rule("resize: the rest's words before the store that cuts it off", "shrink", (0, 0, 0),
         (RESIZE, "    Run const rest = write_second(run, mine.end(), me);\n    write_tail(mine);\n",
          "    words_[run.head].store(settled, release);\n"
          "    Run const rest = write_second(run, mine.end(), me);\n    write_tail(mine);\n"),
         sees="changes the head|invariant 1"),
    rule("resize: merge the head first", "grow_all", (0, 0, 0),
         (RESIZE, "    Run const merged{run.head, run.length + found.granules()};\n",
          "    Run const merged{run.head, run.length + found.granules()};\n"
          "    words_[right].store(own(right).as_interior(), relaxed);\n"), sees="invariant 1"),
    rule("resize: RESIZING is a CAS", "resize_free", (1, 0, 0),
         (RESIZE, "        if (!sector.change(run.head, word, word.as_resizing(run.length))) {",
          "        static_cast<void>(sector.change(run.head, word, word.as_resizing(run.length)));\n"
          "        if (false) {")),
    rule("resize: the neighbour is claimed by a CAS", "grow_vs_taker", (1, 0, 0),
         (RESIZE, "found.granules() < wanted ||\n        !claim_free(right, found, me))",
          "found.granules() < wanted)")),
    rule("resize: a block that is RESIZING is nobody else's to free", "resize_free", (2, 0, 0),
         (BLOCK, "            if (!found.word.is(Kind::allocated))\n"
          "                return error(EBUSY);\n        }\n", "        }\n"),
         sees="changes the head"),
    rule("resize opens a window", "shrink_quota", (2, 0, 0),
         (RESIZE, "        window.open();\n        // acq_rel: as each change",
          "        // acq_rel: as each change"), sees="invariant 5"),
    rule("resize: healing writes the TAIL of what it keeps", "shrink_keep", (0, 1, 0),
         (HEAL, "        sector.write_tail(run);\n", ""), sees="invariant 3"),
    rule("resize: and of a block that was growing", "grow_keep", (0, 1, 0),
         (HEAL, "        sector.write_tail(run);\n", ""), sees="invariant 3"),
    rule("resize: healing takes a block before it writes into it", "shrink_keep", (0, 1, 0),
         (HEAL, "        if (!sector.change(run.head, word, ours))\n            return false;\n"
          "        sector.write_tail(run);\n        word = ours;\n",
          "        sector.write_tail(run);\n"), sees="does not hold|changes the head"),
    rule("resize: what is TRIMMED is taken back under the ticket", "grow_trimmed_alloc", (2, 0, 0),
         (TRIM, "    if (!ticket.try_take(me().owner))\n        return;\n    if (may_take_back",
          "    if (may_take_back")),
    rule("resize: what is taken back counts against the capacity", "grow_trimmed_room", (2, 0, 0),
         (TRIM, "    if (may_take_back(index, place)) // what", "    if (true) // what"), sees="T4"),
    rule("resize: a block takes back within the capacity", "grow_trimmed_tight", (0, 0, 0),
         (TRIM, "sector.trimmed() != 0 && sector.lack_at(place) <= room() >> sector.granule_shift()",
          "sector.trimmed() != 0 && sector.lack_at(place) <= sector.max_granules()"),
         sees="more than the capacity"),
    rule("resize: what is TRIMMED behind a block is taken back", "grow_trimmed", (0, 0, 0),
         (RESIZE, "            take_back_right(index_of(sector), sector.behind(run, size));\n",
          "            ;\n"), sees="is refused"),
    rule("resize: it is taken back with the window open", "grow_trimmed_alloc", (2, 0, 0),
         (RESIZE, "            take_back_right(index_of(sector), sector.behind(run, size));\n",
          "            ;\n"),
         (RESIZE, "        window.open();\n        // acq_rel: as each change",
          "        if (grows && !sector.could_extend(run, size))\n"
          "            take_back_right(index_of(sector), sector.behind(run, size));\n"
          "        window.open();\n        // acq_rel: as each change")),
    rule("resize: a kept block is never CLAIMED", "keep_two", (0, 2, 0),
         (HEAL, "        BlockWord const ours = word.with_owner(me().owner);\n"
          "        if (!sector.change(run.head, word, ours))\n            return false;\n",
          "        BlockWord const ours = word.with_owner(me().owner);\n"
          "        BlockWord const claimed = word.as_claimed(me().owner, run.length);\n"
          "        if (!sector.change(run.head, word, claimed))\n            return false;\n"
          "        word = claimed;\n"
          "        if (!sector.change(run.head, word, ours))\n            return false;\n")),
]

WAIT_RULES = [
    rule("wait: who frees wakes", "wait_free", (1, 0, 0),
         (BLOCK, "    self.close();\n    tell_waiting();\n", "    self.close();\n"), sees="forgotten"),
    rule("wait: who frees publishes before he looks for sleepers", "wait_free", (1, 0, 0),
         (BLOCK, "    self.close();\n    tell_waiting();\n", "    self.close();\n"),
         (BLOCK, "        BlockWord word = found.word;\n        self.open();\n",
          "        BlockWord word = found.word;\n        tell_waiting();\n        self.open();\n"),
         sees="forgotten"),
    rule("wait: the bit is set before the last look", "wait_free", (2, 0, 0),
         (WAIT, "        bool const announced = waiting.announce(seen);\n", ""),
         (WAIT, "        Nanoseconds const left = deadline.left();\n",
          "        bool const announced = waiting.announce(seen);\n"
          "        Nanoseconds const left = deadline.left();\n"), sees="forgotten"),
    rule("wait: a block that shrinks wakes", "wait_shrink", (1, 0, 0),
         (RESIZE, "        window.close();\n        tell_waiting();\n        return enough",
          "        window.close();\n        return enough"), sees="forgotten"),
    rule("wait: healing wakes", "wait_death", (1, 1, 0),
         (HEAL, "    Waiting(segment_.header().memory).wake_always();\n", ""), sees="forgotten"),
    rule("wait: retirement wakes", "wait_retire", (1, 0, 0),
         (LIFECYCLE, "    Waiting(segment_.header().memory).wake_always(); // who waits", "    // who waits"),
         sees="retired"),
]

ROOT_RULES = [
    rule("bind: ref and name before BOUND", "bind", (1, 0, 0),
         (ROOTS, "    entry.ref.store(ref.value, release);\n", ""),
         (ROOTS, "    change(index, writing, writing.to(RootState::bound));\n    return kOk;\n",
          "    change(index, writing, writing.to(RootState::bound));\n"
          "    entry.ref.store(ref.value, release);\n    return kOk;\n")),
    rule("bind: one at a time", "bind", (2, 0, 0),
         (ROOTS, "    WEIR_TRY(matrix_.take_ticket(ticket));\n"
          "    Status const done = bind_held(name, kind, ref);\n",
          "    Status const done = bind_held(name, kind, ref);\n")),
]

FLUSH = [
    rule("flush: the duty goes before the tail", "f_full", (1, 0, 0),
         (ROTATE, "    duty_.store(DutyWord::of(next, duty).raw, release);\n", ""),
         (ROTATE, "    if (is_poisoned()) // [P] either",
          "    duty_.store(DutyWord::of(next, duty).raw, release);\n"
          "    if (is_poisoned()) // [P] either"), sees="3.3|invariant"),
    rule("flush: who frees a buffer takes the duty", "f_try", (2, 0, 0),
         (COMPLETE, "    static_cast<void>(try_rotate(0, nullptr));\n", ""), sees="invariant 4"),
    rule("flush: a leader is woken", "f_wait2", (2, 0, 0),
         (COMPLETE, "        gate.wake_one();\n", "        static_cast<void>(gate);\n"),
         sees="forgotten|sleeps"),
    rule("flush: the gates of all batches that were passed", "f_depth2", (2, 0, 0),
         (COMPLETE, "    for (uint64_t s = first; s <= last; ++s) {",
          "    for (uint64_t s = first; s <= last && s == first; ++s) {"), sees="forgotten"),
    rule("flush: quarantined never falls", "f_stopped_later", (1, 0, 1),
         (COMPLETE, "    buffer.gen.store(generation, release);",
          "    buffer.quarantined.store(0, relaxed);\n    buffer.gen.store(generation, release);"),
         sees="invariant 13"),
    rule("flush: an evicted writer's memory is not used again", "f_early", (2, 0, 0),
         (EVICT, "    buffer.fresh = c.out;\n", "    buffer.fresh = nullptr;\n"),
         sees="invariant|wrong"),
    rule("flush: quarantined before the first eviction", "f_stopped", (1, 0, 1),
         (EVICT, "    buffer.quarantined.store(generation + 1, seq_cst); // [Q] before any CAS of "
          "evict_unit()\n", ""), sees="invariant 13"),
    rule("flush: a buffer opens zeroed", "f_full", (1, 0, 0),
         (COMPLETE, "    std::memset(reinterpret_cast<void *>(buffer.mem.load(relaxed)), 0, "
          "options_.buffer_size);\n", ""), sees="invariant 7"),
    rule("flush: one thread zeroes a buffer", "f_full", (2, 0, 0),
         (COMPLETE, "        if (generation != 0 && buffer.dirty_for.compare_exchange(generation, 0, "
          "acquire, relaxed)) {\n",
          "        if (generation != 0) {\n            buffer.dirty_for.store(0, relaxed);\n"),
         sees="livelock"),  # its buffer never comes back
    rule("flush: durable before its sequence", "f_timed", (2, 0, 0),
         (COMPLETE, "    durable_.store(target.lsn, seq_cst); // pairs with durable()\n"
          "    durable_sequence_.store(target.whole, seq_cst);\n",
          "    durable_sequence_.store(target.whole, seq_cst);\n"
          "    durable_.store(target.lsn, seq_cst); // pairs with durable()\n"),
         sees="forgotten|sleeps"),
    rule("flush: a cut that lost looks which generation is open", "f_wait", (2, 0, 0),
         (CUT, "        if (!now.is_in(generation) || now.offset() > options_.buffer_size) {",
          "        if (now.offset() > options_.buffer_size) {"), sees="invariant"),
    rule("flush: a flush proves what was written before it", "f_flush2", (2, 0, 0),
         (COMPLETE, "            provable_ = proven;\n", "            provable_ = safe_;\n"),
         sees="invariant 10"),
    rule("flush: durable does not point into a chain", "f_sync", (1, 0, 0),
         (CUT, "    batch.safe = !c.inside ? c.end : c.chain >= c.start ? c.chain : 0;\n",
          "    batch.safe = c.end;\n"), sees="into a chain"),
    rule("flush: who waits for a flush is woken by the write", "f_flush", (2, 0, 0),
         (COMPLETE, "    wake_passed(durable_sequence_.load(seq_cst) + 1, "
          "written_sequence_.load(seq_cst));\n", ""), sees="forgotten|sleeps"),
    rule("flush: the size of a stuck unit stands in the word that is taken", "f_dead", (0, 1, 0),
         (EVICT, "        uint64_t const bytes = reserved_bytes(word1);\n",
          "        uint64_t const bytes = words_at(at).word0.load(relaxed) >> 32;\n"),
         sees="poisoned|wrong|invariant"),
    rule("flush: who overflows a buffer that is full has its duty", "f_exact", (1, 0, 0),
         (RESERVE, "    if (tail.offset() != options_.buffer_size) {\n", "    if (true) {\n"),
         sees="forgotten|sleeps|nobody has the duty"),
    rule("flush: nobody sleeps for a segment with the duty", "f_large_space", (1, 0, 0),
         (LARGE, "        bool const ready = ready_upto_.load(seq_cst) > last_of(ret.lsn + "
          "ret.bytes, bytes);\n", "        bool const ready = true;\n"),
         sees="forgotten|sleeps|nobody has the duty"),
    rule("flush: poison wakes all", "f_poison_full", (1, 0, 0),
         (FLUSH_RING, "    wake_everybody();\n    kick();\n", "    kick();\n"),
         sees="forgotten|sleeps"),
]

POOL_RULES = [
    rule("pool: who drops a hint looks again", "pool_stale", (2, 0, 0),
         (SLOTS, "    if (PoolWord{word(index).load(seq_cst)}.is(PoolState::free))\n", "    if (false)\n"),
         sees="P2"),
    rule("pool: the hint comes after FREE", "pool_many", (2, 0, 0),
         (SLOTS, "    PoolWord const free = found.to(PoolState::free, kNobody);\n",
          "    PoolWord const free = found.to(PoolState::free, kNobody);\n"
          "    Extent &before = extent_[shape_.extent_of(index)];\n"
          "    before.free.set(0, index - before.begin);\n"),
         (SLOTS, "    extent.free.set(0, index - extent.begin);\n    return true;\n",
          "    return true;\n"), sees="P2"),
    rule("pool: a pop is a CAS", "pool_moves", (2, 0, 0),
         (POOL_HOT, "entry.word->compare_exchange(found, lane.live | generation, acq_rel, relaxed)",
          "(entry.word->store(lane.live | generation, seq_cst), true)"), sees="P1"),
    rule("pool: a claim is a CAS", "pool_last", (2, 0, 0),
         (SLOTS, "        if (!word(index).compare_exchange(found.raw, mine.raw, acq_rel, relaxed))\n"
          "            return {0};\n", "        word(index).store(mine.raw, seq_cst);\n"), sees="P1"),
    rule("pool: each user has a generation of his own", "pool_one", (0, 0, 0),
         (POOL_HOT, "PoolWord::next_generation(static_cast<uint32_t>(found))",
          "static_cast<uint32_t>(found)"), sees="P1"),
    rule("pool: none is concluded from an unchanged gate", "pool_moves", (2, 0, 0),
         (POOL_WAIT, "        if (verdict(now) == verdict(seen)) {", "        if (true) {"), sees="P4"),
    rule("pool: the bit stands before the look", "pool_moves", (2, 0, 0),
         (POOL_WAIT, "        if (!gate.announce(seen, Gate::kLooks))\n            continue;\n", ""),
         sees="P4"),
    rule("pool: what others keep is looked at too", "pool_steal", (0, 0, 0),
         (SLOTS, "        if (!found.is(PoolState::free) && !found.is(PoolState::cached))",
          "        if (!found.is(PoolState::free))"), sees="P4"),
    rule("pool: who releases tells sleepers", "pool_wait", (2, 0, 0),
         (POOL_HOT, "    slots_.gate().notice();\n", ""), sees="forgotten"),
    rule("pool: a sleeper looks after his bit", "pool_wait", (2, 0, 0),
         (POOL_WAIT, "        if (done = attempt(false, ret); !may_pass(done)) // [B] after the announcement\n"
          "            return zeroed(done);\n", ""),
         (POOL_WAIT, "        if (!gate.announce(seen, Gate::kSleeps) && !deadline.passed())\n"
          "            continue;\n",
          "        seen = gate.begin();\n"
          "        if (!gate.announce(seen, Gate::kSleeps) && !deadline.passed())\n"
          "            continue;\n"), sees="forgotten"),
    rule("pool: healing tells sleepers", "pool_wait_death", (1, 1, 0),
         (POOL_SHARED, "    ticket.give_back(dead);\n    slots.gate().notice_always();\n",
          "    ticket.give_back(dead);\n"), sees="forgotten"),
    rule("pool: the end tells sleepers", "pool_wait_end", (2, 0, 0),
         (POOL_SHARED, "    slots_.header().retired.store(1, seq_cst); // before the wake\n"
          "    slots_.gate().notice_always();\n",
          "    slots_.header().retired.store(1, seq_cst); // before the wake\n"), sees="not told"),
    rule("pool: healing gives back what the dead kept", "pool_passing", (1, 1, 0),
         (SLOTS, "    if (his && give_back(index, found))\n        return;\n",
          "    if (his && found.is(PoolState::live) && give_back(index, found))\n        return;\n"),
         sees="names the dead"),
    rule("pool: healing gives back what the dead had", "pool_last", (0, 1, 0),
         (SLOTS, "    if (his && give_back(index, found))\n        return;\n", ""),
         sees="names the dead"),
    rule("pool: healing sets hints that are missing", "pool_many", (1, 1, 0),
         (SLOTS, "    if (found.is(PoolState::free))\n        extent.free.set(0, index - extent.begin);\n",
          ""), sees="P2"),
    rule("pool: healing gives the ticket back", "pool_grow_two", (0, 1, 0),
         (POOL_SHARED, "    ticket.give_back(dead);\n", ""), sees="ticket|says -16"),
    rule("pool: healing finishes or undoes growth", "pool_grow", (0, 1, 0),
         (POOL_SHARED, "        finish_growth(matrix, slots);\n", "        ;\n"),
         sees="P7|leak|nobody knows"),
    rule("pool: an extent is nobody's before it counts", "pool_grow", (1, 1, 0),
         (POOL_SHARED, "    header.extents.store(known + 1, seq_cst); // before notice(); pairs with learn_extents()\n",
          ""),
         (POOL_SHARED, "    Status const moved = matrix_->move_owner(",
          "    header.extents.store(known + 1, seq_cst);\n"
          "    Status const moved = matrix_->move_owner(")),
    rule("pool: one at a time adds extents", "pool_grow_two", (2, 0, 0),
         (POOL_SHARED, "    WEIR_TRY(matrix_->take_ticket(header.growth));\n"
          "    Undo const give_back([&] { matrix_->give_ticket(header.growth); });\n", "")),
    rule("pool: a kept slot of the dead is changed by CAS", "pool_keep_release", (2, 1, 0),
         (SLOTS, "        word(index).compare_exchange(found.raw, found.to(PoolState::live, kNobody).raw, acq_rel,\n"
          "                                     relaxed);\n",
          "        word(index).store(found.to(PoolState::live, kNobody).raw, seq_cst);\n"), sees="P1"),
]

RULES = (INDEX + MATRIX + LANES + HEALING + PARTICIPANTS + GROWTH + TRIMMING + RESIZE_RULES
         + WAIT_RULES + CHANNEL + BROADCAST + HEALING_CELLS + ROUTER + RETIRING
         + ROOT_RULES + FLUSH + POOL_RULES)
