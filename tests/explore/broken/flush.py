# SPDX-License-Identifier: MIT OR Apache-2.0
"""The flush ring."""

from broken.rule import rule

ROTATE = "core/flush/rotate.cpp"
COMPLETE = "core/flush/complete.cpp"
CUT = "core/flush/cut.cpp"
EVICT = "core/flush/evict.cpp"
RESERVE = "core/flush/reserve.cpp"
LARGE = "core/flush/large.cpp"
FLUSH_RING = "core/flush/ring.cpp"

RULES = [
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
    rule("flush: a failure is known before the next flush begins", "f_flush_once", (2, 0, 0),
         (COMPLETE, "            ended = condemn(failed < 0 ? -failed : failed, upto);\n", ""),
         (COMPLETE, "    if (ended)\n        tell_poison();\n    raise_durable();\n",
          "    if (failed != 0)\n        poison(-failed, upto);\n    raise_durable();\n"),
         sees="invariant 10"),
    rule("flush: who has flushed tells of what was written meanwhile", "f_behind", (2, 0, 0),
         (COMPLETE, "    if (left || flush_upto_", "    if (flush_upto_"), sees="lacks its flush"),
    rule("flush: one sync at a time where the page cache tells one of a failure", "f_cache", (2, 0, 0),
         (CUT, "    if (c.inside || shares_errors_.load(relaxed) != 0)", "    if (c.inside)"),
         sees="invariant 10"),
    rule("flush: who gathered while others were flushed is woken", "f_cache_well", (2, 0, 0),
         (COMPLETE, "    wake_leader(); // who gathered meanwhile: could_go_on()\n", ""),
         sees="forgotten|sleeps"),
    rule("flush: each file of a piece is flushed", "f_segments", (2, 0, 0),
         (COMPLETE, "flush(io_.data_self, file); failed != 0)", "flush(io_.data_self, file); true)"),
         sees="invariant 10"),
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
         (COMPLETE, "    std::memset(mem + buffer.zeroed, 0, piece);\n", ""), sees="invariant 7"),
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
         (COMPLETE, "                provable_ = proven;\n", "                provable_ = safe_;\n"),
         sees="invariant 10"),
    rule("flush: a plain write is proven by a flush alone", "f_large_wait", (1, 0, 0),
         (COMPLETE, "    bool const all = plain_end_ <= flushed_;\n", "    bool const all = true;\n"),
         sees="invariant 10"),
    rule("flush: a write through proves no plain write before it", "f_split_wait", (2, 0, 0),
         (CUT, "    return options_.durability == Durability::sync && c.plain_end <= durable();\n",
          "    return options_.durability == Durability::sync && !c.inside;\n"),
         (COMPLETE, "        if (!batch.request.durable)\n            plain_end_ = now;\n",
          "        plain_end_ = batch.request.durable ? 0 : now;\n"), sees="invariant 10"),
    rule("flush: durable does not point into a chain", "f_sync", (1, 0, 0),
         (CUT, "    batch.safe = !c.inside ? c.end : c.chain > c.start + kBatchHeader ? c.chain : 0;\n",
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
