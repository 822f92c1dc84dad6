# SPDX-License-Identifier: MIT OR Apache-2.0
"""The matrix's space: growth, trimming, resizing, waiting for it, roots and retirement."""

from broken.rule import rule

CHECK = "core/matrix/check.cpp"
SECTOR = "core/matrix/sector.cpp"
SECTOR_H = "core/matrix/sector.hpp"
HOT = "core/matrix/sector_hot.hpp"
ALLOC = "core/matrix/alloc.cpp"
HEAL = "core/matrix/heal.cpp"
TRIM = "core/matrix/trim.cpp"
SECTOR_TRIM = "core/matrix/sector_trim.cpp"
BLOCK = "core/matrix/block.cpp"
RESIZE = "core/matrix/resize.cpp"
WAIT = "core/matrix/wait.cpp"
LIFECYCLE = "core/matrix/lifecycle.cpp"
ROOTS = "core/matrix/roots.cpp"
OPEN_HANDLE = "core/matrix/open_handle.hpp"

GROWTH = [
    rule("growth: the room is measured by the ticket's holder", "grow_capacity", (2, 0, 0),
         (ALLOC, "    auto step = growth_step(index, need);\n",
          "    auto step = Result<Granules>(need.length);\n"), sees="capacity"),
    rule("growth: no -ENOMEM while there is room to grow", "grow_heal", (1, 1, 0),
         (ALLOC, "        bool const room = could_grow(search);",
          "        bool const room = false;"), sees="invariant 5"),
    rule("growth: a walk follows a limit that has risen", "grow_check", (1, 0, 0),
         (SECTOR_H, "        bound = limit(seq_cst); // seq_cst: at least as new as the word\n", ""),
         within=[CHECK]),
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
          " !plausible(right, found, bound) || !claim_free"), sees="changes the head",
         within=[BLOCK]),
    rule("trim: a place that ends where a FREE block ends is tried", "take_best", (0, 0, 0),
         (SECTOR_TRIM, "(found.is(Kind::free) && need.place_in({row, end - row}, start) &&",
          "(false && need.place_in({row, end - row}, start) &&"), sees="are refused"),
    rule("trim: a cut is published from right to left", "take_one", (0, 0, 0),
         (SECTOR_TRIM, "        write_tail(rest);\n",
          "        words_[run.head].store(own(run.head).as_claimed_without_memory(me, run.length), "
          "release);\n        write_tail(rest);\n"), sees="invariant 1"),
]

RESIZING = [
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

WAITING_FOR_SPACE = [
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
         (LIFECYCLE, "    Waiting(segment_.header().memory).wake_always();\n", ""),
         sees="retired"),
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
         (ROOTS, "    unmark(object.entry, Identity::of(object.marked_as).owner);\n"
          "    collect_if_retired(object.entry);\n",
          "    unmark(object.entry, Identity::of(object.marked_as).owner);\n"), sees="leak"),
    rule("retire: a dead one's mark is taken away", "r_read", (1, 1, 0),
         (ROOTS, "            unmark(i, dead);\n", "            ;\n")),
]

ROOT_DIRECTORY = [
    rule("who opens without a mark looks whether it has gone", "rt_watch", (1, 0, 0),
         (OPEN_HANDLE, "            return gone ? error(ENOENT) : fits;\n",
          "            return gone ? fits : fits;\n"), sees="who only looks"),
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

RULES = GROWTH + TRIMMING + RESIZING + WAITING_FOR_SPACE + RETIRING + ROOT_DIRECTORY
