// SPDX-License-Identifier: MIT OR Apache-2.0
// Waiting until an LSN is durable: one of those who wait cuts and writes for all who gathered.
#include "core/flush/ring.hpp"

namespace weir {

Status FlushRing::wait(Lsn lsn, Nanoseconds timeout) noexcept
{
    Status settled;
    if (is_settled(lsn, settled))
        return settled;
    if (lsn >= tail())
        return error(ERANGE);
    return timeout < 0 ? wait_leading(lsn) : wait_timed(lsn, timeout);
}

Status FlushRing::sync() noexcept
{
    Lsn const end = tail();
    if (durable() >= end)
        return kOk;
    Status settled;
    if (is_settled(end - 1, settled))
        return settled;
    return wait_leading(end - 1);
}

/// Nothing more to wait for.
bool FlushRing::is_settled(Lsn lsn, Status &ret) const noexcept
{
    if (durable_.load(seq_cst) > lsn) { // after enter(), for who sleeps; pairs with raise_durable()
        ret = kOk;
        return true;
    }
    if (is_poisoned()) {
        ret = error(kPoisoned);
        return true;
    }
    ret = error(EINVAL);
    return state_.load(seq_cst) == static_cast<uint32_t>(State::closed);
}

Status FlushRing::wait_leading(Lsn lsn) noexcept
{
    for (;;) {
        Status settled;
        if (is_settled(lsn, settled))
            return settled;
        WEIR_TRY(check_own(lsn));
        if (try_lead(lsn))
            continue;
        bool const flush = needs_flush(lsn);
        unsigned const number = gate_of(lsn);
        Gate &gate = flush ? flush_gate_ : gates_[number];
        uint32_t const seen = gate.enter();
        // Also what is ours: the scan of another leader may stand before it, and wakes nobody.
        if (!is_settled(lsn, settled) && check_own(lsn).ok() && !could_lead(lsn) &&
            needs_flush(lsn) == flush && gate_of(lsn) == number)
            gate.sleep(seen, kForEver);
        gate.leave();
    }
}

/// With a time limit the I/O thread does the work: a write of our own could not keep the limit.
Status FlushRing::wait_timed(Lsn lsn, Nanoseconds timeout) noexcept
{
    Deadline const deadline(timeout);
    WEIR_TRY(check_own(lsn));                   // before others are made to cut what is ours
    uint64_t known = flush_upto_.load(relaxed); // only rises
    while (known <= lsn && !flush_upto_.compare_exchange(known, lsn + 1, seq_cst, relaxed)) {
    }
    kick();
    if (timeout == 0)
        return error(EAGAIN);
    for (;;) {
        unsigned const number = gate_of(lsn);
        Gate &gate = timed_gates_[number];
        uint32_t const seen = gate.enter();
        Status settled;
        bool const over = is_settled(lsn, settled);
        Status const own = over ? Status{} : check_own(lsn);
        Nanoseconds const left = over || !own.ok() ? 0 : deadline.left();
        if (left != 0 && gate_of(lsn) == number)
            gate.sleep(seen, left);
        gate.leave();
        if (over)
            return settled;
        WEIR_TRY(own);
        if (left == 0)
            return error(ETIMEDOUT);
    }
}

/// The gate of the batch that holds `lsn`, or of the next one if more must be cut for it. Any that
/// is younger than `durable` and not younger than the true one will do: they are all woken.
unsigned FlushRing::gate_of(Lsn lsn) const noexcept
{
    uint64_t const next = next_sequence_.load(seq_cst);
    if (cut_whole_.load(seq_cst) <= lsn)
        return static_cast<unsigned>(next % kGates);
    uint64_t first = durable_sequence_.load(seq_cst) + 1;
    if (next > first + kBatches)
        first = next - kBatches;
    for (uint64_t s = first; s < next; ++s)
        if (batches_[s % kBatches].end.load(acquire) > lsn) // pairs with finalise()
            return static_cast<unsigned>(s % kGates);
    return static_cast<unsigned>(next % kGates);
}

/// It is written, and only a flush is missing.
bool FlushRing::needs_flush(Lsn lsn) const noexcept
{
    if (wants_flush_.load(seq_cst) == 0) // pairs with prove(), as durable_ in is_settled()
        return false;
    Locked const guard(mark_);
    return safe_.lsn > lsn && provable_.lsn <= lsn;
}

/// The second look of who is about to sleep, at all that could let it lead. seq_cst throughout:
/// who changes one of these wakes a leader afterwards.
bool FlushRing::could_lead(Lsn lsn) const noexcept
{
    if (needs_flush(lsn))
        return !flushing_.is_held();
    return could_go_on(lsn) && !token_.is_held();
}

/// Cuts up to `lsn`, and writes the batch that holds it. False: others are at it.
bool FlushRing::try_lead(Lsn lsn) noexcept
{
    if (needs_flush(lsn))
        return flush_now();
    if (!could_lead(lsn) || !token_.try_lock())
        return false;
    bool const mine = could_go_on(lsn);
    Batch *batch = nullptr;
    if (mine) {
        commits_.fetch_add(1, seq_cst); // only under the token, so the limit holds
        batch = cut_for_waiter(lsn);
    }
    bool const writes = batch != nullptr && begin_write(*batch);
    if (mine && !writes)
        commits_.fetch_sub(1, seq_cst);
    else if (writes)
        batch->by_waiter = true;
    token_.unlock();
    after_token();
    if (writes)
        complete(*batch, write_batch(*batch));
    return mine;
}

/// Also under the token: what could_lead() saw may be over. Where a write is only into the page cache
/// the flush is what takes long: who comes meanwhile gathers, as beside a write that goes to the disk.
bool FlushRing::could_go_on(Lsn lsn) const noexcept
{
    // relaxed: who does not know of it yet makes a batch of his own, no more
    bool const gathers = shares_errors_.load(relaxed) != 0 && flushing_.is_held();
    return cut_whole_.load(seq_cst) <= lsn && has_uncut() && !gathers &&
           commits_.load(seq_cst) < options_.commit_depth && has_free_slot() && !is_poisoned();
}

/// Under the token. Returns the batch that holds `lsn`, READY; nullptr if it came to nothing.
FlushRing::Batch *FlushRing::cut_for_waiter(Lsn lsn) noexcept
{
    gather();
    Batch *last = nullptr;
    while (cut_whole_.load(seq_cst) <= lsn) {
        if (!check_own(lsn).ok() || !close_batch())
            break; // a chain whose end is to come, or lies beside what is ours
        if (last != nullptr)
            kick(); // an earlier batch is the I/O thread's
        last = nullptr;
        for (unsigned looks = 0; !scan(); ++looks) {
            if (is_poisoned())
                return nullptr;
            be_patient(looks);
        }
        last = &finalise();
    }
    return last;
}

/// Lets more records come: as long as the options say, never beyond half of the last write.
void FlushRing::gather() noexcept
{
    if (options_.group_window <= 0)
        return;
    Nanoseconds last = 0;
    {
        Locked const guard(mark_);
        last = last_write_;
    }
    Nanoseconds const pause = smaller(options_.group_window, last / 2);
    if (pause > 0)
        sleep_for(pause);
}

/// A copy is short. A wake-up by who commits would need a fence in every commit.
void FlushRing::be_patient(unsigned looks) noexcept
{
    constexpr unsigned kSpins = 100, kYields = 10;
    if (looks < kSpins)
        spin_pause();
    else if (looks < kSpins + kYields)
        yield_processor();
    else
        sleep_for(cutter_.poll);
}

} // namespace weir
