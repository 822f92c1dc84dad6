// SPDX-License-Identifier: MIT OR Apache-2.0
// What the holder of the token does: closes the open batch, waits for its writers, finalises it.
// Never during a device's work, and never blocking: who finds a unit uncommitted comes back.
#include "core/flush/ring.hpp"

#include "core/base/assertion.hpp"

#include <cstring>

namespace weir {
/// A batch slot is used again when what lay in it was written.
bool FlushRing::has_free_slot() const noexcept
{
    uint64_t const next = next_sequence_.load(seq_cst); // with could_lead()'s second look
    return next - written_sequence_.load(seq_cst) <= kBatches;
}

/// Anything that could be cut now.
bool FlushRing::has_uncut() const noexcept { return tail() > cut_.load(seq_cst); }

/// Closes what lies in the open batch, or the rest of a full generation. False: there is nothing.
bool FlushRing::close_batch() noexcept
{
    if (cutter_.closed)
        return true;
    if (cutter_.sealed_for_close || !has_free_slot() || is_poisoned())
        return false;
    uint64_t const generation = generation_of(cutter_.position);
    Lsn const start = batch_start(cutter_.position);
    // acquire: pairs with the appenders' RMW; what they reserved is scanned
    TailWord now{tail_.load(acquire)};
    if (now.is_in(generation - 1))
        return false; // the next one is not open yet
    // [C] pairs with close()
    bool const for_good = state_.load(seq_cst) == static_cast<uint32_t>(State::closing);
    for (;;) {
        if (!now.is_in(generation) || now.offset() > options_.buffer_size) {
            begin_scan(start, base_of(generation + 1));
            return true;
        }
        bool const empty = base_of(generation) + now.offset() == start + kBatchHeader;
        if (empty && !for_good)
            return false;
        if (for_good ? close_for_good(generation, now, empty) : cut_open(generation, now))
            return cutter_.closed;
    }
}

/// Moves the tail behind the block, so that the batch ends there; the gap becomes ours. False: the
/// tail has moved, to what `now` says, perhaps into the next generation.
bool FlushRing::cut_open(uint64_t generation, TailWord &now) noexcept
{
    uint64_t const offset = now.offset(), end = round_up(offset, options_.block);
    if (end == options_.buffer_size)
        return seal_generation(generation, now) && begin_scan_upto(generation, end);
    unsigned const cuts = (now.cuts() + 1) % TailWord::kCuts;
    // Before the tail that names it; release: pairs with tail(). If the CAS fails, nobody asks for
    // this number.
    open_position_[cuts].store(base_of(generation) + end, release);
    // seq_cst: as an appender's RMW
    if (!tail_.compare_exchange(now.raw, TailWord::cut(generation, end + kBatchHeader, cuts).raw,
                                seq_cst, acquire))
        return false;
    write_pad(memory_of(generation) + offset, base_of(generation) + offset, end - offset);
    return begin_scan_upto(generation, end);
}

bool FlushRing::begin_scan_upto(uint64_t generation, uint64_t end) noexcept
{
    begin_scan(batch_start(cutter_.position), base_of(generation) + end);
    return true;
}

/// For the holder of the token, which alone lets a generation be recycled that is not cut.
std::byte *FlushRing::memory_of(uint64_t generation) const noexcept
{
    return reinterpret_cast<std::byte *>(buffer_of(generation).mem.load(relaxed)); // see above
}

/// Seals the open generation at its tail and acts as its overflower. False: the tail has moved.
bool FlushRing::seal_generation(uint64_t generation, TailWord &now) noexcept
{
    uint64_t const offset = now.offset();
    // seq_cst: as an appender's RMW
    if (!tail_.compare_exchange(now.raw, now.raw | TailWord::kSeal, seq_cst, acquire))
        return false;
    bool const mine = claim(generation, Duty::idle);
    WEIR_ASSERT(mine);
    static_cast<void>(mine);
    open_or_decline(generation);
    write_pad(memory_of(generation) + offset, base_of(generation) + offset,
              options_.buffer_size - offset);
    return true;
}

/// The last cut: nothing can be reserved after it, and nobody has the duty to open more. False: the
/// tail has moved.
bool FlushRing::close_for_good(uint64_t generation, TailWord &now, bool empty) noexcept
{
    uint64_t const offset = now.offset(), end = round_up(offset, options_.block);
    // seq_cst: as an appender's RMW
    if (!tail_.compare_exchange(now.raw, now.raw | TailWord::kSeal, seq_cst, acquire))
        return false;
    cutter_.sealed_for_close = true;
    // release: pairs with tail()
    sealed_at_.store(empty ? cutter_.position : base_of(generation) + end, release);
    if (empty)
        return true;
    write_pad(memory_of(generation) + offset, base_of(generation) + offset, end - offset);
    return begin_scan_upto(generation, end);
}

void FlushRing::begin_scan(Lsn start, Lsn end) noexcept
{
    Cutter &c = cutter_;
    c.closed = true;
    c.start = start;
    c.end = end;
    c.scan = start + kBatchHeader;
    c.generation = generation_of(start);
    c.mem = memory_of(c.generation);
    c.digest = Crc32c();
    c.records = c.first_outside = 0;
    c.data_records = c.data_bytes = c.padding = 0;
    c.flags = c.inside ? uint32_t{kBeginsInsideChain} : 0;
    c.stuck_for = 0;
    c.poll = 0;
    closed_.store(end, release); // pairs with check_own()
}

/// Goes over the closed batch. False: a unit is not committed yet; cutter_.poll says when to look
/// again.
bool FlushRing::scan() noexcept
{
    while (cutter_.scan < cutter_.end)
        if (!look_at(cutter_.scan))
            return false;
    return true;
}

bool FlushRing::look_at(Lsn lsn) noexcept
{
    Cutter &c = cutter_;
    RecordWords &words = words_at(c.mem + (lsn - base_of(c.generation)));
    uint64_t const word1 = words.word1.load(acquire); // pairs with commit_unit() and write_pad()
    uint8_t const type = record_type(word1);
    if (type == kEmpty || type == kReserved || type == kEvicted)
        return evict_or_wait(lsn);
    uint64_t const word0 = words.word0.load(relaxed); // published by word 1
    uint64_t const bytes = committed_bytes(word0);
    if (bytes > c.end - lsn) { // nobody's right to write there was respected
        poison(EIO, lsn);
        return false;
    }
    if (c.evicting == c.generation + 1)
        copy_out(lsn, bytes);
    take_in(lsn, word0, word1);
    c.scan += bytes;
    c.stuck_for = 0;
    c.poll = 0;
    return true;
}

/// Counts a record into the header of its batch.
void FlushRing::take_in(Lsn lsn, uint64_t word0, uint64_t word1) noexcept
{
    Cutter &c = cutter_;
    c.digest.add32(static_cast<uint32_t>(word0));
    ++c.records;
    if (!c.inside && c.first_outside == 0)
        c.first_outside = static_cast<uint32_t>(lsn - c.start);
    follow_chain(lsn, word1);
    if (record_type(word1) == kData) {
        c.data_records += (record_flags(word1) & kLast) != 0 ? 1 : 0; // not each fragment
        c.data_bytes += word0_length(word0);
    } else {
        c.padding += committed_bytes(word0);
    }
}

/// A PAD may stand inside a chain; an ABORTED record ends it, and makes it void.
void FlushRing::follow_chain(Lsn lsn, uint64_t word1) noexcept
{
    Cutter &c = cutter_;
    uint8_t const flags = record_flags(word1);
    if (record_type(word1) == kPad)
        return;
    if (record_type(word1) == kAborted) {
        c.inside = false;
        return;
    }
    if (!c.inside) {
        c.chain = lsn;
        c.group = (flags & kGroupBegin) != 0;
    }
    uint8_t const needed = c.group ? kLast | kGroupEnd : kLast;
    c.inside = (flags & needed) != needed;
}

/// The batch is whole: its header, and on to the next one.
FlushRing::Batch &FlushRing::finalise() noexcept
{
    Cutter &c = cutter_;
    uint64_t const offset = c.start - base_of(c.generation);
    bool const copied = c.evicting == c.generation + 1;
    std::byte *const data = (copied ? c.out : c.mem) + offset;
    fill_header(*reinterpret_cast<BatchHeader *>(data));

    Batch &batch = batches_[c.sequence % kBatches];
    batch.start = c.start;
    batch.whole = !c.inside;
    // A chain that begins with the batch leaves nothing before it to be proven.
    batch.safe = !c.inside ? c.end : c.chain > c.start + kBatchHeader ? c.chain : 0;
    batch.by_waiter = false;
    batch.request = WriteRequest{};
    batch.request.data = data;
    batch.request.length = static_cast<uint32_t>(c.end - c.start);
    batch.request.durable = writes_through();
    batch.end.store(c.end, relaxed); // published by next_sequence_ and by the state
    count_.records.fetch_add(c.data_records, relaxed); // for people, as those below
    count_.record_bytes.fetch_add(c.data_bytes, relaxed);
    count_.padding.fetch_add(c.padding, relaxed);
    count_.batches.fetch_add(1, relaxed);
    count_.batch_bytes.fetch_add(c.end - c.start, relaxed);

    c.closed = false;
    c.position = c.end;
    if (c.end == base_of(c.generation + 1))
        end_eviction();
    // seq_cst, these and next_sequence_: who sleeps for an LSN looks at them after enter(). They
    // come before anybody can write the batch, so that `written` stays below (invariant 9).
    cut_.store(c.end, seq_cst);
    cut_whole_.store(c.inside ? c.chain : c.end, seq_cst);
    // release: pairs with begin_write(); what is written of the batch
    batch.word.store(BatchWord::of(c.sequence, BatchState::ready).raw, release);
    next_sequence_.store(++c.sequence, seq_cst); // after READY: the I/O thread looks once
    return batch;
}

/// Whether the batch goes with RWF_DSYNC. What ends inside a chain proves no more than what lies
/// before that: one flush for the whole of it is less work for the device than one for each piece.
/// The batch that ends the chain then needs that flush, too. Where errors are shared, none goes so.
bool FlushRing::writes_through() noexcept
{
    Cutter &c = cutter_;
    if (c.inside || shares_errors_.load(relaxed) != 0) // share_errors(): by ready_upto_
        c.plain_end = c.end;
    return options_.durability == Durability::sync && c.plain_end <= durable();
}

void FlushRing::fill_header(BatchHeader &header) noexcept
{
    Cutter &c = cutter_;
    header = BatchHeader{};
    header.magic = kBatchMagic;
    header.start = c.start;
    header.sequence = c.sequence;
    header.epoch = epoch_;
    header.durable = durable();
    header.time_ns = real_now();
    header.length = static_cast<uint32_t>(c.end - c.start);
    header.records = c.records;
    header.digest = c.digest.value();
    header.prev_crc = c.prev_crc;
    header.first_outside = c.first_outside;
    header.flags = c.flags | (c.inside ? uint32_t{kEndsInsideChain} : 0);
    header.crc = batch_crc(seed_, header);
    c.prev_crc = header.crc;
}

/// Who releases the token wakes whoever had to go away because of it.
void FlushRing::after_token() noexcept
{
    // seq_cst: the I/O thread sets it and tries again
    if (owner_wants_token_.load(seq_cst) != 0 && owner_wants_token_.exchange(0, seq_cst) != 0)
        kick();
    wake_leader();
}

} // namespace weir
