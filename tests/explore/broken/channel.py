# SPDX-License-Identifier: MIT OR Apache-2.0
"""Channels and routers."""

from broken.rule import rule

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
LIFECYCLE = "core/matrix/lifecycle.cpp"
POOL_SHARED = "core/pool/pool_shared.cpp"

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
    rule("C11: who retires the matrix wakes who sleeps on a channel", "w_matrix", (1, 0, 0),
         (LIFECYCLE, "        Directory(*this).wake();\n", "        ;\n"), sees="C6"),
    rule("P5: who retires the matrix wakes who sleeps on a pool", "pool_wait_matrix", (1, 0, 0),
         (POOL_SHARED, "    if (slots.extents() != 0)\n        slots.gate().notice_always();\n", ""),
         sees="P5"),
    rule("C11: who retires the matrix wakes posters too", "w_matrix_room", (1, 0, 0),
         (RING_HEAL, "        Waiting(levels_[level].room.word).wake_always();\n", "        ;\n"),
         sees="C6"),
    rule("C11: the second look before the sleep", "w_one", (2, 0, 0),
         (TURNS,
          "        if (done = what.attempt(); done.code != -EAGAIN) // [F] after the announcement\n"
          "            return done;\n", ""), sees="C6"),
    rule("who makes room wakes posters", "w_room", (2, 0, 0),
         (RING, "    Waiting(levels_[spot.level].room.word).wake_one();\n", ""), sees="C6"),
    rule("who has posted passes the wake-up on", "w_rooms_back", (1, 0, 0),
         ("core/channel/channel.cpp", "    ring_.pass_baton(what.level);\n", ""), sees="C6"),
    rule("who wakes one leaves the bit for the others", "w_two", (1, 0, 0),
         (WAITING, "            if (!word.compare_exchange(seen, seen + 2, seq_cst, relaxed))\n"
          "                continue;\n            seen += 2;\n",
          "            if (!word.compare_exchange(seen, (seen + 2) & ~1u, seq_cst, relaxed))\n"
          "                continue;\n            seen = (seen + 2) & ~1u;\n"), sees="C6",
         within=[RING]),
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
          "    if (broadcast())\n        take_away(spot, losers(spot, 0), how);\n"
          "    return !change")),
    rule("C14: who collects looks for holders after FREEING", "b_late1", (2, 0, 0),
         (CAST, "        if (is_held(at)) {\n            change(at, freeing, full);\n",
          "        if (false) {\n            change(at, freeing, full);\n")),
    rule("C15: a place is FREE only after a sweep that met no WRITING", "b_leave", (2, 0, 0),
         (SUBSCRIBERS, "        all = all && !found.is(Phase::writing);\n", "        (void)found;\n")),
    rule("who finds no place heals", "b_comeback", (1, 1, 0),
         (SUBSCRIBERS, "    matrix_->heal_dead(); // or somebody else has, meanwhile\n", ""), sees="no place"),
    rule("C16: only the sweeper named in the slot sweeps", "b_rejoin", (2, 0, 0),
         (SUBSCRIBERS, "        if (!found.is(SubscriberState::leaving, kNobody))\n            continue;\n",
          "        if (!found.is(SubscriberState::leaving))\n            continue;\n"),
         schedules=1000000),
    rule("a poster sweeps after whom has left meanwhile", "b_leave", (2, 0, 0),
         (RING, "    if (left || given == 0)\n", "    if (given == 0)\n")),
    rule("what nobody gets is collected by its poster", "b_nobody", (0, 0, 0),
         (RING, "    if (left || given == 0)\n", "    if (left)\n")),
    rule("the last holder collects", "b_last", (1, 0, 0),
         (CAST, "    if (may_lose() || at.holders.load(seq_cst) == 0)\n", "    if (false)\n"),
         sees="nobody holds"),
    rule("who lets go looks for others after that", "b_last", (1, 0, 0),
         (CAST, "    at.holders.fetch_and(~bit, seq_cst);\n    if (may_lose())\n",
          "    bool const last = at.holders.load(seq_cst) == bit;\n"
          "    at.holders.fetch_and(~bit, seq_cst);\n    if (may_lose())\n"),
         (CAST, "    if (may_lose() || at.holders.load(seq_cst) == 0)\n",
          "    if (may_lose() || last)\n"), sees="nobody holds"),
    rule("the word before the holders", "b_ttl_race", (3, 0, 0),
         (CAST, "    bool const mine = load(at).raw == full.raw && (at.holders.load(seq_cst) & bit) != 0;\n",
          "    bool const held = (at.holders.load(seq_cst) & bit) != 0;\n"
          "    bool const mine = held && load(at).raw == full.raw;\n"), walk=2),
    rule("the pins before the holders", "b_ttl_race", (2, 0, 0),
         (DISCARD, "    return cell(spot).holders.load(seq_cst) & ~keepers;\n",
          "    uint64_t const holders = cell(spot).holders.load(seq_cst);\n"
          "    return holders & ~(cell(spot).pins.load(seq_cst) | keepers * 0);\n"),
         sees="C8|told"),
    rule("C7: who drops looks for pins after DROPPING", "b_hold", (2, 0, 0),
         (DISCARD, "        if (sure && is_pinned(spot))\n", "        if (false)\n"), sees="C7"),
    rule("what is in a hand is taken away from nobody", "b_hold", (2, 0, 0),
         (DISCARD, "        if (sure && is_pinned(spot))\n            return put_back(spot, word);\n", ""),
         (DISCARD, "how == Phase::dropping && is_pinned(spot))\n        return false;\n",
          "false)\n        return false;\n"),
         (DISCARD, "        if (sure ? cell(spot).holders.load(seq_cst) != 0\n"
          "                 : is_held(cell(spot)))",
          "        if (is_held(cell(spot)))"), sees="C8"),
    rule("C11: who lets go tells who wants to drop", "w_cast_hold", (1, 0, 0),
         (CAST, "    tell_dropper(spot.level);\n", ""), sees="C6"),
    rule("C11: who gives back tells who wants to drop", "w_drop_nack", (1, 0, 0),
         (RING_READ, "    tell_dropper(spot.level);\n", ""), sees="C6"),
    rule("C11: who has dropped passes the wake-up on", "w_drop_two", (1, 0, 0),
         (RING, "lap(next.position)) || options_.overflow == Overflow::drop_oldest)",
          "lap(next.position)))"), sees="C6"),
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
          "            return Grip::theirs;"), sees="read says", within=[CAST]),
    rule("a thread that is late at the cell's last message is left to others", "b_threads_drop",
         (2, 0, 0), (HAND, "            return Grip::busy;", "            return Grip::theirs;"),
         sees="read says|C2", within=[CAST]),
    rule("a late thread does not take the cell's next message", "b_threads_drop", (2, 0, 0),
         (HAND, "        if ((found & kPositionMask) > position + 1)\n"
          "            return Grip::again; // the moment is over\n", ""), sees="C3", within=[CAST]),
    rule("who puts a message back takes the cursor back", "b_threads_drop", (3, 0, 0),
         (CAST, "    rewind(reader, spot); // a dropper", "    ; // a dropper"), sees="C2",
         schedules=2000000),
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
    rule("rules: who is late does not count for another rule", "rt_line", (1, 0, 0),
         (ROUTES, "i < kTries && RuleCount::is_of(seen, rule.id); ++i", "i < kTries; ++i"),
         sees="R2"),
    rule("rules: a post that is late does not count for another rule", "rt_post", (1, 0, 0),
         (ROUTES, "i < kTries && RuleCount::is_of(seen, rule.id); ++i", "i < kTries; ++i"),
         sees="R2"),
    rule("rules: a post that handed its block over is finished", "rt_post", (0, 1, 0),
         (RING_HEAL, "        publish(spot, word);\n", "        pass_on(spot, word);\n"),
         sees="nobody's"),
    rule("rules: each has its own line of counters", "rt_count", (0, 0, 0),
         (ROUTES, "                !draft.has_line(line))\n", "                line == 0)\n"),
         sees="R2"),
    rule("rules: a number is given once", "rt_replace", (0, 0, 0),
         (ROUTES, "    table.last_id.store(draft.last_id, release);\n", ""), sees="R2"),
]

RULES = CHANNEL + BROADCAST + HEALING_CELLS + ROUTER
