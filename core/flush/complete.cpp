// SPDX-License-Identifier: MIT OR Apache-2.0
// Writes of batches: who makes one, what its end moves, who is woken, and flushes.
#include "core/flush/ring.hpp"

#include "core/base/assertion.hpp"

#include <cstring>

namespace weir {
namespace {
/// What is zeroed between two looks at what else there is to do; half a buffer at most.
constexpr uint64_t kCleaned = 64 << 10;
} // namespace

/// READY becomes WRITING for exactly one thread.
bool FlushRing::begin_write(Batch &batch) noexcept
{
    BatchWord seen{batch.word.load(acquire)}; // pairs with finalise()
    if (seen.state() != BatchState::ready)
        return false;
    // Under mark_ for stats(); acq_rel: one of the waiter who cut it and the I/O thread
    Locked const guard(mark_);
    if (!batch.word.compare_exchange(
            seen.raw, BatchWord::of(seen.sequence(), BatchState::writing).raw, acq_rel, relaxed))
        return false;
    batch.began = monotonic_now();
    return true;
}

void FlushRing::make_request(Batch &batch) noexcept
{
    batch.request.file = host_.file_at(host_.self, batch.start);
    batch.request.offset = batch.start % options_.segment_size;
    batch.request.result = 0;
}

/// Writes it in the calling thread.
int FlushRing::write_batch(Batch &batch) noexcept
{
    make_request(batch);
    if (batch.request.file == kNoFile)
        return -EBADF;
    return io_.data->write_now(io_.data_self, &batch.request);
}

/// A batch that is WRITING has come to its end.
void FlushRing::complete(Batch &batch, int result) noexcept
{
    BatchWord const seen{batch.word.load(relaxed)}; // ours while it is WRITING
    WEIR_ASSERT(seen.state() == BatchState::writing);
    bool const by_waiter = batch.by_waiter;
    Lsn const start = batch.start;
    uint64_t first = 0, end = 0;
    bool ended = false;
    {
        Locked const guard(mark_);
        last_write_ = monotonic_now() - batch.began;
        ++count_.latency[last_write_ > 0 ? floor_log2(static_cast<uint64_t>(last_write_)) : 0];
        BatchState const state = result == 0 ? BatchState::written : BatchState::failed;
        batch.word.store(BatchWord::of(seen.sequence(), state).raw, relaxed); // under mark_
        if (result == 0 && !is_poisoned())
            pass_written(first, end);
        else if (result != 0)
            ended = condemn(-result, start); // before a flush that comes after it is believed
    }
    (by_waiter ? count_.by_waiters : count_.by_owner).fetch_add(1, relaxed); // for people
    if (ended)
        tell_poison();
    if (by_waiter)
        commits_.fetch_sub(1, seq_cst); // before the wake-up of a leader
    // Who waits comes first, unless evidence takes a write of its own.
    bool const early = host_.evidence != nullptr;
    for (uint64_t g = first; early && g < end; ++g)
        recycle(g);
    raise_durable();
    // Batches that are written and not durable: who waits there may have to flush, or to cut the
    // rest of a chain.
    wake_passed(durable_sequence_.load(seq_cst) + 1, written_sequence_.load(seq_cst));
    if (by_waiter && wants_flush_.load(seq_cst) != 0 && flush_upto_.load(seq_cst) > durable())
        kick(); // the flush that somebody asked for is possible now
    wake_leader();
    for (uint64_t g = first; !early && g < end; ++g)
        recycle(g);
    if (by_waiter && first != end)
        kick(); // to zero what we have freed: our caller has waited long enough
    if (host_.advanced != nullptr && !is_poisoned())
        host_.advanced(host_.self, written(), durable());
}

/// Under mark_: moves `written` over all that is there without a gap, and the mark that no chain
/// lies across. Generations [ret_first, ret_end) are done.
void FlushRing::pass_written(uint64_t &ret_first, uint64_t &ret_end) noexcept
{
    Lsn const before = written_.load(relaxed); // under mark_, as all here
    Lsn now = before;
    uint64_t sequence = written_sequence_.load(relaxed);
    for (unsigned i = 0; i < kBatches; ++i) {
        Batch &batch = batches_[(sequence + 1) % kBatches];
        uint64_t const wanted = BatchWord::of(sequence + 1, BatchState::written).raw;
        if (batch.word.load(relaxed) != wanted)
            break;
        batch.word.store(BatchWord::of(++sequence, BatchState::free).raw, relaxed);
        now = batch.end.load(relaxed);
        if (!batch.request.durable)
            plain_end_ = now;
        if (batch.safe != 0)
            safe_.lsn = batch.safe;
        if (batch.safe != 0)
            safe_.whole = batch.whole ? sequence : sequence - 1;
        safe_.upto = sequence;
    }
    if (now == before)
        return;
    ret_first = generation_of(before);
    ret_end = generation_of(now);
    written_.store(now, release);               // pairs with written()
    written_sequence_.store(sequence, seq_cst); // before the wake-up of who waits for a slot
    prove();
}

/// Under mark_: all that is written is on disk, unless a plain write lacks its flush.
void FlushRing::prove() noexcept
{
    bool const all = plain_end_ <= flushed_;
    if (all) {
        flushed_ = written_.load(relaxed); // under mark_
        provable_ = safe_;
    }
    wants_flush_.store(all ? 0 : 1, seq_cst); // before the wake-up of who would flush
}

/// All batches of the generation are written: its buffer is the next one's, when it is zeroed. That
/// is most of the work of the I/O thread where nothing else is to be done, so whoever waits for room
/// does it as well.
void FlushRing::recycle(uint64_t generation) noexcept
{
    Buffer &buffer = buffer_of(generation);
    uint64_t const next = generation + options_.buffer_count;
    // relaxed: only who moved `written` over the buffer's end comes here, once
    auto *mem = reinterpret_cast<std::byte *>(buffer.mem.load(relaxed));
    buffer.gen.store(~uint64_t{0}, relaxed); // before mem, by the fence
    release_fence();                         // a reader of the new mem sees gen gone, or changed
    if (buffer.fresh != nullptr) {           // who was evicted may still write into the old one
        mem = buffer.fresh;
        buffer.fresh = nullptr;
        buffer.mem.store(reinterpret_cast<uintptr_t>(mem), relaxed); // by gen
    }
    buffer.dirty_for.store(next, release); // pairs with clean_one()
    room_.wake_all();                      // who waits for room may zero it
}

/// Zeroes a piece of the first buffer that wants it. False: none does. The I/O thread comes here after
/// all else, so nobody has to.
bool FlushRing::clean_one() noexcept
{
    uint64_t const first = DutyWord{duty_.load(relaxed)}.generation() + 1; // a hint: wanted first
    for (uint64_t i = 0; i < options_.buffer_count; ++i) {
        Buffer &buffer = buffer_of(first + i);
        uint64_t generation = buffer.dirty_for.load(relaxed); // the CAS orders
        // acquire: pairs with recycle() and clean(); `mem` and `zeroed` are what they left
        if (generation != 0 && buffer.dirty_for.compare_exchange(generation, 0, acquire, relaxed)) {
            clean(buffer, generation);
            return true;
        }
    }
    return false;
}

void FlushRing::clean(Buffer &buffer, uint64_t generation) noexcept
{
    // relaxed: nobody changes it before the generation is written
    auto *const mem = reinterpret_cast<std::byte *>(buffer.mem.load(relaxed));
    uint64_t const piece = smaller(kCleaned, options_.buffer_size / 2);
    std::memset(mem + buffer.zeroed, 0, piece);
    buffer.zeroed += piece;
    if (buffer.zeroed != options_.buffer_size) {
        buffer.dirty_for.store(generation, release); // pairs with clean_one()
        return;
    }
    buffer.zeroed = 0;
    buffer.gen.store(generation, release); // pairs with locate()
    // [D] pairs with can_open(), after decline()'s store
    buffer.free_for.store(generation, seq_cst);
    static_cast<void>(try_rotate(0, nullptr));
    room_.wake_all(); // a large unit waits for a buffer, not for the duty
}

// ---- what is durable

/// Moves `durable` to what is proven, with evidence first if the host wants it; one thread at a
/// time asks for that, and looks again afterwards for who came meanwhile.
void FlushRing::raise_durable() noexcept
{
    for (;;) {
        Mark before, target;
        {
            Locked const guard(mark_);
            target = provable_;
            bool const is_news = target.lsn > durable_.load(relaxed); // under mark_
            if (proving_ || !is_news || is_poisoned())
                return;
            proving_ = host_.evidence != nullptr;
            if (!proving_)
                before = publish_durable(target);
        }
        if (host_.evidence != nullptr) {
            int const failed = host_.evidence(host_.self, target.lsn);
            if (failed != 0)
                poison(failed < 0 ? -failed : failed, target.lsn);
            Locked const guard(mark_);
            proving_ = false;
            if (failed != 0 || is_poisoned())
                return;
            before = publish_durable(target);
        }
        wake_passed(before.whole + 1, target.upto);
    }
}

/// Under mark_. Returns what was before.
FlushRing::Mark FlushRing::publish_durable(Mark target) noexcept
{
    Mark const before{durable_.load(relaxed), 0, durable_sequence_.load(relaxed)}; // under mark_
    // In this order: gate_of() passes over the batches of durable_sequence_, so whoever does that
    // finds durable_ moved when it looks before it sleeps. Both before the wake-up.
    durable_.store(target.lsn, seq_cst); // pairs with durable()
    durable_sequence_.store(target.whole, seq_cst);
    return before;
}

/// The gates of all batches that the watermark passed, not of one's own alone.
void FlushRing::wake_passed(uint64_t first, uint64_t last) noexcept
{
    if (last + 1 > first + kGates)
        first = last - kGates + 1;
    for (uint64_t s = first; s <= last; ++s) {
        gates_[s % kGates].wake_all();
        timed_gates_[s % kGates].wake_all();
    }
}

/// One of those who wait for the batch that is not cut yet: it may go on where others ended.
void FlushRing::wake_leader() noexcept
{
    Gate &gate = gates_[next_sequence_.load(seq_cst) % kGates];
    if (gate.has_sleepers())
        gate.wake_one();
}

void FlushRing::wake_everybody() noexcept
{
    for (Gate &gate : gates_)
        gate.wake_all();
    for (Gate &gate : timed_gates_)
        gate.wake_all();
    flush_gate_.wake_all();
    room_.wake_all();
}

// ---- flushes, of what was written without RWF_DSYNC

/// One flush at a time; the others wait for it. False: somebody else is at it.
bool FlushRing::flush_now() noexcept
{
    if (!flushing_.try_lock())
        return false;
    Mark proven;
    Lsn from = 0, upto = 0;
    {
        Locked const guard(mark_); // what the flush proves is what was written before it began
        proven = safe_;
        from = flushed_;
        upto = written_.load(relaxed); // under mark_
    }
    int const failed = upto > from && !is_poisoned() ? flush_files(from, upto) : 0;
    bool ended = false;
    {
        // Before flushing_ is free: the kernel tells of a failure once, and the next flush, which
        // succeeds, must not be believed.
        Locked const guard(mark_);
        if (failed != 0) {
            ended = condemn(failed < 0 ? -failed : failed, upto);
        } else if (!is_poisoned()) {
            flushed_ = larger(flushed_, upto);
            if (proven.lsn >= provable_.lsn)
                provable_ = proven;
            prove();
        }
    }
    flushing_.unlock();
    if (ended)
        tell_poison();
    raise_durable();
    flush_gate_.wake_all();
    wake_leader(); // who gathered meanwhile: could_go_on()
    // The I/O thread may have come meanwhile, and gone because we were at it.
    bool const left = options_.durability == Durability::sync && wants_flush_.load(seq_cst) != 0;
    if (left || flush_upto_.load(seq_cst) > durable() || eager_.load(seq_cst) != 0)
        kick();
    if (host_.advanced != nullptr && !is_poisoned())
        host_.advanced(host_.self, written(), durable());
    return true;
}

int FlushRing::flush_files(Lsn from, Lsn to) noexcept
{
    for (Lsn at = from; at < to;
         at = round_down(at, options_.segment_size) + options_.segment_size) {
        File const file = host_.file_at(host_.self, at);
        if (file == kNoFile)
            return EBADF;
        count_.flushes.fetch_add(1, relaxed); // for people
        if (int const failed = io_.data->flush(io_.data_self, file); failed != 0)
            return failed;
    }
    return 0;
}

} // namespace weir
