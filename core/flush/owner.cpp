// SPDX-License-Identifier: MIT OR Apache-2.0
// The I/O thread: completes, cuts what is due, submits, flushes, sleeps. An idle log costs nothing.
#include "core/flush/ring.hpp"

namespace weir {
namespace {
constexpr unsigned kMostReaped = 16;
constexpr Nanoseconds kClosingPoll = kMillisecond;
} // namespace

bool FlushRing::step() noexcept
{
    if (is_closed())
        return false;
    if (!work())
        static_cast<void>(reap(sleep_limit()));
    return !is_closed();
}

bool FlushRing::step_without_sleep() noexcept { return !is_closed() && work(); }

bool FlushRing::is_closed() const noexcept
{
    return state_.load(seq_cst) == static_cast<uint32_t>(State::closed); // set by ourselves
}

bool FlushRing::work() noexcept
{
    bool did = reap(0);
    did |= cut_due();
    did |= submit_ready();
    did |= flush_due();
    did |= clean_one();
    did |= finish_closing();
    return did;
}

bool FlushRing::reap(Nanoseconds timeout) noexcept
{
    WriteRequest *done[kMostReaped];
    unsigned const count = io_.data->reap(io_.data_self, done, kMostReaped, timeout);
    for (unsigned i = 0; i < count; ++i) {
        --owner_.in_flight;
        auto *const batch =
            reinterpret_cast<Batch *>(reinterpret_cast<char *>(done[i]) - offsetof(Batch, request));
        complete(*batch, done[i]->result);
    }
    return count != 0;
}

// ---- cutting

/// Cuts full generations, what somebody asked for, and what lay long enough.
bool FlushRing::cut_due() noexcept
{
    owner_.blocked = false;
    notice_tail();
    if (!is_cut_due())
        return false;
    if (!token_.try_lock()) {
        owner_wants_token_.store(1, seq_cst); // before the second try; pairs with after_token()
        if (!token_.try_lock())
            return false;
    }
    bool const did = cut_with_token();
    token_.unlock();
    wake_leader();
    return did;
}

bool FlushRing::cut_with_token() noexcept
{
    bool did = false;
    while (is_cut_due() && close_batch()) {
        if (!scan()) {
            owner_.blocked = !is_poisoned();
            owner_.poll = cutter_.poll;
            break;
        }
        finalise();
        did = true;
        owner_.since = monotonic_now();
    }
    return did;
}

bool FlushRing::is_cut_due() noexcept
{
    if (is_poisoned())
        return false;
    bool const closing = state_.load(seq_cst) != static_cast<uint32_t>(State::open); // [C]
    if (closing && sealed_at_.load(acquire) == 0)
        return true;
    if (!has_uncut())
        return false;
    uint64_t const cut = cut_.load(seq_cst);
    TailWord const tail{tail_.load(seq_cst)};
    bool const full = tail.offset() > options_.buffer_size || !tail.is_in(generation_of(cut));
    bool const is_asked = flush_upto_.load(seq_cst) > cut_whole_.load(seq_cst); // see wait_timed()
    bool const is_old = options_.idle_flush >= 0 && owner_.has_uncut &&
                        monotonic_now() - owner_.since >= options_.idle_flush;
    return full || is_asked || is_old || closing || eager_.load(seq_cst) != 0;
}

/// When the open batch was first seen with something in it, and when the tail last moved.
void FlushRing::notice_tail() noexcept
{
    TailWord const tail{tail_.load(seq_cst)};
    Nanoseconds const now = monotonic_now();
    if (tail.raw != owner_.last_tail.raw)
        owner_.last_change = now;
    owner_.last_tail = tail;
    bool const uncut = has_uncut();
    if (uncut && !owner_.has_uncut)
        owner_.since = now;
    owner_.has_uncut = uncut;
}

// ---- writing

/// Gives READY batches to the backend, in order, as many as may be in flight.
bool FlushRing::submit_ready() noexcept
{
    bool did = false;
    uint64_t const next = next_sequence_.load(seq_cst);
    while (owner_.next_submit < next && owner_.in_flight < options_.write_depth && !is_poisoned()) {
        Batch &batch = batches_[owner_.next_submit % kBatches];
        BatchWord const seen{batch.word.load(acquire)}; // pairs with finalise()
        bool const mine = seen.sequence() == owner_.next_submit && begin_write(batch);
        ++owner_.next_submit;
        if (mine && submit(batch))
            did = true;
    }
    return did;
}

bool FlushRing::submit(Batch &batch) noexcept
{
    make_request(batch);
    Status const begun = batch.request.file == kNoFile
                             ? error(EBADF)
                             : io_.data->submit(io_.data_self, &batch.request);
    if (begun.ok()) {
        ++owner_.in_flight;
        return true;
    }
    complete(batch, begun.code);
    return true;
}

/// PERIODIC by its interval, SYNC when nothing of ours is under way, which a flush would hold up; and
/// what a waiter with a time limit asked for. As far as it is safe: of those who asked only the
/// highest is known, and who asks on and on must not hold the others up.
bool FlushRing::flush_due() noexcept
{
    if (wants_flush_.load(seq_cst) == 0 || is_poisoned())
        return false;
    Lsn const asked = flush_upto_.load(seq_cst);
    bool is_wanted = false, is_old = false;
    {
        Locked const guard(mark_);
        Nanoseconds const age = monotonic_now() - owner_.last_flush;
        bool const is_news = safe_.lsn > provable_.lsn;
        bool const closing = state_.load(seq_cst) != static_cast<uint32_t>(State::open);
        bool const sync = options_.durability == Durability::sync;
        bool const idle = sync && owner_.in_flight == 0;
        // who streams is never idle; a ring full is what may be lost when each write goes through
        bool const far = sync && safe_.lsn - provable_.lsn >= arena_size_;
        is_wanted = is_news &&
                    (closing || idle || far || eager_.load(relaxed) != 0 || asked > provable_.lsn);
        is_old =
            is_news && options_.durability == Durability::periodic && age >= options_.sync_interval;
    }
    if (!(is_wanted || is_old) || !flush_now())
        return false;
    owner_.last_flush = monotonic_now();
    return true;
}

// ---- sleeping

/// How long until something may be due by itself. Before a sleep without limit, and before any
/// sleep while somebody polls, appenders are told to wake us.
Nanoseconds FlushRing::sleep_limit() noexcept
{
    if (owner_.blocked)
        return larger(owner_.poll, kMicrosecond);
    if (state_.load(seq_cst) != static_cast<uint32_t>(State::open))
        return kClosingPoll;
    bool const flushes = options_.durability == Durability::periodic && needs_flush_any();
    bool const ticks = options_.idle_flush >= 0 &&
                       (has_uncut() || monotonic_now() - owner_.last_change < options_.idle_flush);
    Nanoseconds limit = kForEver;
    if (ticks)
        limit = options_.idle_flush;
    if (flushes)
        limit = smaller(limit, options_.sync_interval);
    bool const must_hear = eager_.load(seq_cst) != 0 || (!ticks && options_.idle_flush >= 0);
    if (must_hear) {
        // [A] seq_cst, before the last look at the tail; pairs with look_at_attention()
        attention_.fetch_or(kDeep, seq_cst);
        if (tail_.load(seq_cst) != owner_.last_tail.raw)
            return 0;
    }
    return limit == kForEver ? -1 : limit;
}

bool FlushRing::needs_flush_any() const noexcept
{
    Locked const guard(mark_);
    return safe_.lsn > provable_.lsn;
}

// ---- the end

/// Closing: is all that was appended durable, or the log poisoned, and nothing in flight?
bool FlushRing::finish_closing() noexcept
{
    if (state_.load(seq_cst) != static_cast<uint32_t>(State::closing))
        return false;
    bool const idle = owner_.in_flight == 0 && commits_.load(seq_cst) == 0;
    if (!idle || (!is_poisoned() && !is_drained()))
        return false;
    state_.store(static_cast<uint32_t>(State::closed), seq_cst); // before the wake-up
    wake_everybody();
    close_gate_.wake_all();
    return true;
}

/// The last cut was made, or the last generation is full and nobody will open the next one; all is
/// written, and as durable as it will be (a chain without end stays behind).
bool FlushRing::is_drained() noexcept
{
    DutyWord const duty{duty_.load(seq_cst)}; // [C] who claims now sees that we are closing
    Lsn end = sealed_at_.load(acquire);       // pairs with close_for_good()
    if (end == 0) {
        if (duty.duty() != Duty::needed)
            return false;
        end = base_of(duty.generation() + 1);
    }
    Locked const guard(mark_);
    return written_.load(relaxed) >= end && provable_.lsn >= safe_.lsn &&
           durable_.load(relaxed) >= provable_.lsn && !proving_; // all under mark_
}

} // namespace weir
