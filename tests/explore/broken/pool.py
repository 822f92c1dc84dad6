# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pools."""

from broken.rule import rule

SLOTS = "core/pool/slots.cpp"
POOL_HOT = "core/pool/pool_hot.hpp"
POOL_WAIT = "core/pool/pool_wait.cpp"
POOL_SHARED = "core/pool/pool_shared.cpp"

RULES = [
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
         (POOL_WAIT, "        if (!gate.announce(seen, SlotGate::kLooks))\n            continue;\n", ""),
         sees="P4"),
    rule("pool: what others keep is looked at too", "pool_steal", (0, 0, 0),
         (SLOTS, "        if (!found.is(PoolState::free) && !found.is(PoolState::cached))",
          "        if (!found.is(PoolState::free))"), sees="P4"),
    rule("pool: who releases tells sleepers", "pool_wait", (2, 0, 0),
         (POOL_HOT, "    slots_.gate().notice();\n", ""), sees="forgotten"),
    rule("pool: a sleeper looks after his bit", "pool_wait", (2, 0, 0),
         (POOL_WAIT, "        if (done = attempt(false, ret); !may_pass(done)) // [B] after the announcement\n"
          "            return zeroed(done);\n", ""),
         (POOL_WAIT, "        if (!gate.announce(seen, SlotGate::kSleeps) && !deadline.passed())\n"
          "            continue;\n",
          "        seen = gate.begin();\n"
          "        if (!gate.announce(seen, SlotGate::kSleeps) && !deadline.passed())\n"
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
