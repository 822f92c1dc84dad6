// SPDX-License-Identifier: MIT OR Apache-2.0
// flush: buffers into which many threads append, and few large writes. Start here.
//
// What it is
//   One ring of N buffers of B bytes. An append reserves its place with one fetch_add, copies under
//   a CRC and commits by a CAS of its own header. Whoever waits cuts: he ends the batch that is
//   open, writes it and tells all who gathered meanwhile; the I/O thread does what nobody waits for.
//     words.hpp      the packed words          gate.hpp       eventcount, lock
//     ring.hpp       FlushRing, all members    ring_hot.hpp   append of a short record
//     source.hpp     the caller's memory       reserve, copy, rotate, large, desk (.cpp): a place
//     cut.cpp        close, scan, finalise     evict.cpp      writers that do not come back
//     complete.cpp   writes, watermarks        wait.cpp       who waits leads
//     owner.cpp      the I/O thread            ring.cpp       create, poison, close, stats
//     format.hpp     bytes of the disk         io.hpp, crc32c.hpp, arena.hpp
//
// Glossary
//   unit: what one reservation holds: a record, a piece of one, an atomic batch, or a gap (PAD)
//   generation g: LSNs [gB, gB + B), in buffer g mod N. offset: position in it
//   overflower: the one thread whose reservation crosses B; it owns [offset, B) and the duty to
//   open g + 1. token: the right to cut and scan. leader: a waiter that has it
//   batch: a block-aligned piece of a generation, one write, its header first. chain: the fragments
//   of one record, or the records of an atomic batch
//
// The life of a unit
//   tail.fetch_add -> RESERVED (with its size, in one word) -> copied -> CAS -> committed
//   Crossing B: duty IDLE(g) -> CLAIMED(g); the next buffer is free and its segment ready:
//   duty := IDLE(g+1), tail := (g+1, what I need), then the gap or the first piece; else the gap,
//   duty := NEEDED(g), which anybody may claim. Who frees a buffer or brings a segment looks.
//   A cut: tail CAS (g, off) -> (g, block behind off + 80); the gap is PAD; headers are read one
//   after the other; the header of the batch; READY -> WRITING by CAS -> WRITTEN; watermarks;
//   gates; a generation that is written is freed for g + N, and opens when somebody has zeroed it.
//   With SYNC a batch goes with RWF_DSYNC. One that ends inside a chain, and those after it until
//   that chain is durable, go without: then `wants_flush` is set until a flush has proven them, by
//   who waits for one of them, or by the I/O thread when it has no write under way, or when as much
//   as the ring holds is not proven. A flush that fails poisons before another one can begin: the
//   kernel tells of a failure once. For the same reason nothing goes with RWF_DSYNC where the page
//   cache holds the bytes: of two such writes one may be told of the other's failure, and the other
//   of success (the kernel keeps one error for a file and forgets it when it has told it).
//
// Invariants (the explorer's flush scenarios assert them, or the tests that are named)
//    1  Reservations are disjoint and cover all from the first LSN to the tail.
//    2  The LSN of a unit is gB + offset and its place in the file, before it is reserved.
//    3  Each g has one overflower or sealer; g + 1 is opened once.
//    4  If the tail is beyond B the duty is NEEDED or CLAIMED, or somebody is between two steps; a
//       NEEDED duty that can be done is done without another append.
//    5  A batch is written when all its units are committed or evicted; no byte changes under it.
//    6  Each batch is written by one thread, once; no block twice in one epoch.
//    7  A buffer opens for g + N when all of g is written, and all its bytes are zero.
//    8  Sequences are consecutive and prev_crc links (unit_flush reads all back).
//    9  durable <= written <= cut <= tail; none falls.
//   10  durable covers what is on disk: written with RWF_DSYNC, or before a flush was issued. It
//       never points into a chain.
//   11  Nobody sleeps for an LSN below durable, or on a poisoned or closed ring.
//   12  Who sleeps for an LSN is woken: a write is in flight, or a leader or the I/O thread awake.
//   13  A unit is committed or evicted; who was told an LSN was not evicted; evicted memory is
//       never under I/O and never used again.
//   14  Every reserved LSN lies in a segment that is ready.
//   15  After poison no append that begins succeeds, and durable stands still.
//   16  What was acknowledged is read back (core/log's tests, after a crash).
//
// A writer that does not come back, in each state
//   before its header        EMPTY: evicted up to the next header that names its place
//   RESERVED                 evicted: its size is in word 1
//   overflower, duty IDLE    [offset, B) is EMPTY: evicted, and the evictor sets NEEDED for it
//   large unit, duty CLAIMED poison -ETIMEDOUT, after twice the time, if it is copying; who sleeps
//                            for a buffer has committed all before, and holds no scan up; behind
//                            its last rotation as RESERVED
//   committed                nothing is missing
//   Eviction: seal the generation, mark it quarantined, CAS word 1 to EVICTED; batches of that
//   generation are made in fresh memory from then on, with ABORTED for what was evicted.
//   Not survived: a thread that ends while it holds a lock of the ring, or from the claim of the
//   duty to the exchange of the tail (claim() to open_next(), or back to NEEDED). No memory of users
//   is touched there, so no fault handler jumps out of it, and no cancellation point is in it, nor
//   in any other call of the log (system.hpp): it takes an asynchronous cancellation, or a signal
//   handler that does not return, and both make a program undefined that was in a call.
//
// Where it differs from the specification, and why
//   The size of a RESERVED unit stands in word 1: word 0 turns into {crc, length} before the commit,
//   and an evictor between the two took one for the other. Four bits of the tail word say where the
//   open batch begins, so that tail() is exact. A waiter goes on cutting while its record is inside
//   a chain that is written in part: durable cannot come to it otherwise. A buffer is free when it
//   is written, in every mode (with SYNC mostly on disk): a chain may be longer than the ring.
//   Waiters with a time limit sleep at gates of their own, or they would take a leader's wake-up.
//   Pieces of a chain share one flush also with SYNC: each acknowledges nothing by itself.
//   Neither is RWF_DSYNC used without O_DIRECT, see above.
//
// What it trusts and checks
//   Process memory is trusted, arguments are checked. The caller's bytes may change while they are
//   copied. Results of the backend are looked at, each one.
#pragma once

#include "core/flush/ring.hpp"
