# SPDX-License-Identifier: MIT OR Apache-2.0
"""The matrix: index, sectors, lanes, healing, participants."""

from broken.rule import rule

BITS = "core/index/bit_tree.cpp"
BITS_HOT = "core/index/bit_tree.hpp"
SECTOR = "core/matrix/sector.cpp"
LANE = "core/matrix/lane.cpp"
LANE_HOT = "core/matrix/lane_hot.hpp"
EXCHANGE = "core/matrix/exchange.hpp"
SECTOR_HEAL = "core/matrix/sector_heal.cpp"
SECTOR_H = "core/matrix/sector.hpp"
HOT = "core/matrix/sector_hot.hpp"
WALKER = "core/matrix/walker.hpp"
ALLOC = "core/matrix/alloc.cpp"
HEAL = "core/matrix/heal.cpp"
CHECK = "core/matrix/check.cpp"
BLOCK = "core/matrix/block.cpp"
PEOPLE = "core/segment/participants.cpp"

INDEX = [
    rule("bitset rule 1 (set ensures every level)", "bits_rule1", (1, 0, 0),
         (BITS_HOT, "        ensure_bits(word(level, column, index), mask_of(index));\n",
          "        if (word(level, column, index).fetch_or(mask_of(index), seq_cst) & mask_of(index))\n"
          "            return;\n"),
         also=["tests/explore/scenarios_index.cpp"],
         within=["tests/explore/scenarios_index.cpp"]),
    rule("bitset rule 1, in the matrix", "rule1now", (1, 0, 0),
         (BITS_HOT, "        ensure_bits(word(level, column, index), mask_of(index));\n",
          "        if (word(level, column, index).fetch_or(mask_of(index), seq_cst) & mask_of(index))\n"
          "            return;\n"),
         sees="cannot be found", within=[BLOCK]),
    rule("bitset rule 2 (clear looks again)", "bits_set_clear", (1, 0, 0),
         (BITS, "    if (at.load(seq_cst) != 0) // [C]", "    if (false) // [C]"), sees="I1"),
    rule("bitset rule 2, in the matrix", "hints_other", (2, 0, 0),
         (BITS, "    if (at.load(seq_cst) != 0) // [C]", "    if (false) // [C]"),
         sees="invariant 4"),
    rule("bitset rule 3 (who clears a class bit looks again)", "hintsdeep", (1, 0, 0),
         (SECTOR, "    if (chunk_has(step, chunk))\n", "    if (false)\n"), sees="invariant 4"),
]

MATRIX = [
    rule("release looks at the neighbours after publishing", "free2", (1, 0, 0),
         (HOT, "    if (look_right && is_free_at(run.end()))\n",
          "    if (run.length != 0)\n        return {};\n    if (look_right)\n"),
         sees="two FREE neighbours", within=[BLOCK]),
    rule("only the first publication of a rest may skip the look to its right", "split_pair",
         (3, 0, 0),
         (HOT, "        look_right = true; // it may end somewhere else now\n", ""),
         sees="two FREE neighbours", within=[ALLOC]),
    rule("a split's remainder looks as well", "split_left", (1, 0, 0),
         (HOT, "    give_back({run.head, run.length - length}, listed, false, me, known);",
          "    Run const rest{run.head, run.length - length};\n    write_tail(rest);\n"
          "    words_[rest.head].store(own(rest.head).as_free(rest.length), seq_cst);\n"
          "    set_hints(rest);\n"), sees="two FREE neighbours", within=[ALLOC]),
    rule("an alignment's trim looks as well", "align", (1, 0, 0),
         (SECTOR, "        give_back(split(run, end, me), 0, true, me);\n",
          "        Run const rest = split(run, end, me);\n        write_tail(rest);\n"
          "        words_[rest.head].store(own(rest.head).as_free(rest.length), seq_cst);\n"
          "        set_hints(rest);\n"), sees="two FREE neighbours"),
    rule("a chunk in which somebody holds a block keeps its step", "hintskept", (3, 0, 0),
         (SECTOR, "        if (found.is(Kind::claimed) || (found.is(Kind::free) &&",
          "        if ((found.is(Kind::free) &&"), sees="invariant 4", schedules=1000000),
    rule("who forgets a step counts it", "known", (1, 0, 0),
         (SECTOR, "    forgets_->fetch_add(1, seq_cst);\n    steps_.clear", "    steps_.clear"),
         (SECTOR, "    forgets_->fetch_add(1, seq_cst); // [F] pairs with [K] in set_hints()\n", ""),
         sees="invariant 4"),
    rule("who forgets a step counts it after the bit's end", "known", (2, 0, 0),
         (SECTOR, "    forgets_->fetch_add(1, seq_cst); // [F] pairs with [K] in set_hints()\n", ""),
         sees="invariant 4"),
    rule("who forgets a step counts it before the look at the heads", "known", (3, 0, 0),
         (SECTOR, "    forgets_->fetch_add(1, seq_cst); // [F] pairs with [K] in set_hints()\n"
          "    if (chunk_has(step, chunk))\n        steps_.set(step, chunk);\n",
          "    if (chunk_has(step, chunk))\n        steps_.set(step, chunk);\n"
          "    forgets_->fetch_add(1, seq_cst);\n"), sees="invariant 4", schedules=2000000),
    rule("who knows a step read the count before he set it", "known", (4, 0, 0),
         (HOT, "        known->add(&hints_[chunk], forgets, run.length);",
          "        known->add(&hints_[chunk], forgets_->load(seq_cst), run.length);"),
         sees="invariant 4", schedules=2000000),
    rule("healing counts a step that the dead one may have been forgetting", "known_heal", (2, 1, 0),
         (HEAL, "            sector.forget_known(); // before the walks, which list what they see\n",
          "            static_cast<void>(sector);\n"), sees="invariant 4", walk=3),
    rule("a block that is left alone is FREE again", "disturbed", (2, 0, 0),
         (ALLOC, "    sector.release_hot(run, self.owner(), known_steps(place, self));\n"
          "    self.close();\n    wait_for_turn(place", "    self.close();\n    wait_for_turn(place")),
    rule("a block that is left alone closes its window", "disturbed", (2, 0, 0),
         (ALLOC, "    self.close();\n    wait_for_turn(place", "    wait_for_turn(place")),
    rule("what healing frees is listed whoever takes it", "heal_taken", (2, 1, 0),
         (SECTOR_HEAL, "    healing.hints.add(chunk, bit(run.head & (kChunk - 1)), size_step(run.length));\n", ""),
         (SECTOR_HEAL, "        return release_run({left.head, left.length}, self);\n    return run;\n",
          "        return release_run({left.head, left.length}, self);\n"
          "    healing.hints.add(chunk, bit(run.head & (kChunk - 1)), size_step(run.length));\n"
          "    return run;\n"), sees="invariant 4"),
    rule("M4: an absorbed head's hint is cleared before publishing", "late_clear", (1, 0, 0),
         (HOT, "    drop_granule_hint(right);\n", ""),
         (HOT, "    return give_back(run, listed, true, me, known);\n",
          "    Run const last = give_back(run, listed, true, me, known);\n"
          "    for (Granule i = last.head + 1; i < last.end(); ++i)\n"
          "        drop_granule_hint(i);\n    return last;\n"), sees="invariant 4", within=[BLOCK]),
    rule("a claim is a CAS", "two_alloc", (2, 0, 0),
         (SECTOR_H, "        return change(at, found, found.as_claimed(me, found.granules()));\n",
          "        words_[at].store(found.as_claimed(me, found.granules()), seq_cst);\n"
          "        return true;\n"), sees="changes the head", within=[ALLOC]),
    rule("a split is published from right to left", "two_alloc", (0, 0, 0),
         (HOT, "    write_tail(second);\n", "    words_[run.head].store(own(run.head).as_claimed"
          "(me, at - run.head), relaxed);\n    write_tail(second);\n"), sees="invariant 1",
         within=[ALLOC]),
    rule("merge: the head before the TAIL", "free3ones", (0, 0, 0),
         (HOT, "    drop_granule_hint(right);\n    run.length += found.granules();\n",
          "    drop_granule_hint(right);\n    run.length += found.granules();\n"
          "    write_tail(run);\n"),
         sees="invariant 1", within=[BLOCK]),
    rule("the TAIL is right before publishing", "free2", (0, 0, 0),
         (HOT, "    write_tail(run);\n    BlockWord published", "    BlockWord published"),
         sees="invariant 3", within=[BLOCK]),
    rule("what is withheld is no shortage (M7)", "quota_big", (1, 0, 0),
         (ALLOC, "        if (before.quiet() && before.begun == after.begun && ", "        if ("),
         sees="invariant 5"),
    rule("the second reading of the windows", "aba_walk", (3, 0, 0),
         (ALLOC, "before.quiet() && before.begun == after.begun &&", "before.quiet() &&"),
         sees="invariant 5", walk=2),
    rule("the window is open before the claim", "alloc_vs_merge", (2, 1, 0),
         (HOT, "    self.open();\n    if (WEIR_LIKELY(claim_free(at, found, self.owner())))\n",
          "    if (claim_free(at, found, self.owner()) && (self.open(), true))\n"),
         (HOT, "    self.close();\n    return {};\n", "    return {};\n"),
         sees="invariant 5", schedules=1000000, within=[ALLOC]),
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
          "BlockWord::of(Kind::tail, 0, 0, 0, run.length)"), sees="generation", within=[BLOCK]),
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
         (LANE_HOT, "    uint64_t const window = Lane::open(counters); // memory appears\n", ""),
         (LANE_HOT, "    Lane::close(counters, window);\n", ""),
         sees="invariant 5", within=[BLOCK]),
    rule("M6: a theft opens a window", "steal_two", (2, 0, 0),
         (SECTOR, "    window.open();\n    for (int i = 0; i < kTries && !stolen",
          "    for (int i = 0; i < kTries && !stolen"),
         sees="invariant 5"),
    rule("who keeps a block tells who waits", "lane_wait", (1, 0, 0),
         (LANE_HOT, "    tell_waiting();\n", ""),
         (BLOCK, "    if (WEIR_LIKELY(free_fast(ref))) {\n        tell_waiting();\n",
          "    if (WEIR_LIKELY(free_fast(ref))) {\n"), sees="forgotten", within=[BLOCK]),
    rule("a pop is a CAS", "steal_back", (3, 0, 0),
         (LANE_HOT, "    if (!WEIR_LIKELY(magazine.words[at].compare_exchange(expected, taken, acq_rel, "
          "relaxed)))\n        return false; // stolen\n",
          "    magazine.words[at].store(taken, seq_cst);\n"),
         schedules=1000000, within=[LANE]),
    rule("a pop believes the word", "steal_back", (3, 0, 0),
         (LANE_HOT, "    BlockWord expected{(kept ^ at) | magazine.cached};\n",
          "    BlockWord expected = magazine.words[at].load(relaxed);\n"), schedules=1000000,
         within=[LANE]),
    rule("a pop is a CAS, also between threads of one participant", "threads_swap", (2, 0, 0),
         (LANE_HOT, "    if (!WEIR_LIKELY(magazine.words[at].compare_exchange(expected, taken, acq_rel, "
          "relaxed)))\n        return false; // stolen\n",
          "    magazine.words[at].store(taken, seq_cst);\n"), within=[LANE]),
    rule("an entry that is the other thread's by now is none", "threads_entry", (2, 0, 0),
         (LANE_HOT, "    BlockWord expected{(kept ^ at) | magazine.cached};\n",
          "    BlockWord expected = magazine.words[at].load(relaxed);\n"), within=[LANE]),
    rule("D2: a pop is a CAS, though both lanes are of one process", "depot_twice", (3, 0, 0),
         (LANE_HOT, "    if (!WEIR_LIKELY(magazine.words[at].compare_exchange(expected, taken, acq_rel, "
          "relaxed)))\n        return false; // stolen\n",
          "    magazine.words[at].store(taken, seq_cst);\n"), within=[LANE]),
    rule("D2: an entry of the depot proves nothing", "depot_stolen", (3, 0, 0),
         (LANE_HOT, "    BlockWord expected{(kept ^ at) | magazine.cached};\n",
          "    BlockWord expected = magazine.words[at].load(relaxed);\n"), within=[LANE]),
    rule("X2: what the exchange has is taken by a CAS", "exchange_short", (2, 0, 0),
         (LANE, "            magazine.words[at].compare_exchange(expected, {generation | magazine.cached}, "
          "acq_rel,\n                                                relaxed))\n",
          "            (magazine.words[at].store({generation | magazine.cached}, seq_cst), true))\n")),
    rule("X2: an entry of the exchange proves nothing", "exchange_short", (2, 0, 0),
         (LANE, "        BlockWord expected{generation | theirs};\n",
          "        BlockWord expected = magazine.words[at].load(relaxed);\n")),
    rule("X3: a thief tries again", "shelf_grow", (1, 0, 0),
         (SECTOR, "    constexpr int kTries = 8; // nobody's block",
          "    constexpr int kTries = 1; // nobody's block"),
         sees="could be had"),
    rule("a dead one wants nothing", "exchange_pass", (1, 1, 0),
         (EXCHANGE, "            if (wanted.load(relaxed) == dead)", "            if (false)"),
         sees="wants", within=[HEAL]),
    rule("a dead one's shelf is healed", "exchange_pass", (1, 1, 0),
         (EXCHANGE, "                heal_shelf(shelf, dead);\n",
          "                static_cast<void>(shelf);\n"),
         sees="for ever", within=[HEAL]),
    rule("a taker's healer is told that the giver is gone", "exchange_pass", (0, 2, 0),
         (EXCHANGE, "        Owner const giver = abandoned ? kNobody : found.giver();\n",
          "        Owner const giver = found.giver();\n"), sees="for ever", within=[HEAL]),
    rule("a shelf that somebody takes meanwhile is looked at again", "exchange_heal", (1, 2, 0),
         (EXCHANGE, "            if (healed.raw == found.raw || change(shelf, found, healed))\n",
          "            if (healed.raw == found.raw || change(shelf, found, healed) || true)\n"),
         sees="for ever", within=[HEAL]),
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
         (SECTOR_HEAL, "    if (is_free_at(run.end())) {\n", "    if (false) {\n"),
         sees="two FREE neighbours", schedules=1000000),
    rule("what healing frees at once is looked at from the left", "heal_run", (2, 1, 0),
         (SECTOR_HEAL, "    if (left.length != 0 && claim_free(left.head, left.word, self))\n",
          "    if (false)\n"), sees="two FREE neighbours", schedules=1000000),
    rule("what healing frees at once, it frees by a CAS", "heal_vs_free", (3, 1, 0),
         (SECTOR_HEAL, "    if (!words_[run.head].compare_exchange(found, published, seq_cst, relaxed))\n"
          "        return {};\n", "    words_[run.head].store(published, seq_cst);\n"),
         schedules=1000000),
    rule("what healing takes with a block's left neighbour, it takes by a CAS", "heal_run", (3, 1, 0),
         (SECTOR_HEAL, "            !words[at].compare_exchange(expected, {claimed.raw | generation | "
          "length}, acq_rel,\n                                        relaxed)) // as change()\n",
          "            !(words[at].store({claimed.raw | generation | length}, seq_cst), true))\n"),
         schedules=1000000),
    rule("M2: healing merges from the head on", "heal_run", (0, 1, 0),
         (SECTOR_HEAL, "        words[run.head].store({ours.raw | (at + length - run.head)}, release);\n"
          "        // relaxed: inside our block. Also where the TAIL will stand, until it is written\n"
          "        words[at].store({generation}, relaxed);\n",
          "        words[at].store({generation}, relaxed);\n"
          "        words[run.head].store({ours.raw | (at + length - run.head)}, release);\n"),
         sees="invariant 1"),
    rule("healing writes the TAIL of what it merged", "heal_run", (0, 1, 0),
         (SECTOR_HEAL, "    write_tail(run); // the dead one may not have\n", ""),
         sees="invariant 3"),
    rule("healing sets late hints at its end", "heal_alone", (0, 1, 0),
         (HEAL, "    sector.set_late(healing.hints);\n", ""), sees="invariant 4"),
    rule("healing sets late hints before those of another word", "heal_groups", (0, 1, 0),
         (SECTOR_HEAL, "        set_late(healing.hints);\n", "        healing.hints = {};\n"),
         sees="invariant 4"),
    rule("late hints go up all levels", "heal_groups", (0, 1, 0),
         (BITS_HOT, "        ensure(1, column, first >> kRadixShift);\n", ""), sees="invariant 4",
         within=[SECTOR_HEAL]),
    rule("healing ensures hints", "heal_conc", (0, 1, 0),
         (HEAL, "    sector.ensure_hints(run);\n    if (run.end()", "    if (run.end()"),
         sees="invariant 4"),
    rule("healing lists what is in somebody's hand", "heal_listed", (2, 1, 0),
         (HEAL, "        } else if (word.is(Kind::claimed)) { // it may be published without a look at "
          "the index\n            sector.ensure_hints(run);\n", ""), sees="invariant 4",
         schedules=1000000),
    rule("healing merges pairs", "heal_two", (1, 1, 0),
         (HEAL, "    if (run.end() >= sector.limit() || !", "    if (true || !"),
         sees="two FREE neighbours"),
    rule("the walk never scans forward", "stale", (2, 1, 0),
         (WALKER, "    void go_back() noexcept\n    {\n",
          "    void go_back() noexcept\n    {\n        if (at_ < limit_) {\n            ++at_;\n"
          "            return;\n        }\n"), schedules=2000000, within=[HEAL]),
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
    rule("healing is a CAS of the word that names the dead", "heal_run", (3, 1, 0),
         (SECTOR_HEAL, "    if (!change(run.head, word, word.as_claimed(self, run.length)))\n"
          "        return {};\n", "    change(run.head, word, word.as_claimed(self, run.length));\n"),
         schedules=1000000),
    rule("give looks at the slot again", "give_to", (2, 1, 0),
         (BLOCK, "    if (participants_.word_of(to) == live)\n        return kOk;\n",
          "    return kOk;\n"), schedules=1000000),
    rule("healing takes what names an id that left", "give_to", (1, 2, 0),
         (HEAL, "healing.names_dead(word) || (word.is_users() && is_left(word.owner()))",
          "healing.names_dead(word)"), schedules=1000000),
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

RULES = INDEX + MATRIX + LANES + HEALING + PARTICIPANTS
