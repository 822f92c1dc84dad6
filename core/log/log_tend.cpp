// SPDX-License-Identifier: MIT OR Apache-2.0
// What an open log does beside its records: segments ahead, the hint, retention, telling readers.
#include "core/log/log.hpp"

#include <sys/eventfd.h>

#include "core/base/bits.hpp"
#include "core/base/futex.hpp"
#include "core/flush/system.hpp"
#include "core/log/cursor.hpp"

namespace weir {
namespace {
/// Zeros are written in pieces, so that a segment that is needed is not waited for.
constexpr uint64_t kZeroPiece = 1 << 20;
constexpr Nanoseconds kRetry = kSecond;
constexpr Nanoseconds kShortRetry = 5 * kMillisecond;

bool means_no_space(Status status) noexcept
{
    return status.code == -ENOSPC || status.code == -EDQUOT;
}
/// May be over soon, and says nothing about the disk.
bool means_try_later(Status status) noexcept
{
    return status.code == -EMFILE || status.code == -ENFILE || status.code == -ENOMEM ||
           status.code == -EBUSY;
}
} // namespace

Nanoseconds Log::tend() noexcept
{
    Guard const guard(files_lock_);
    if (ring_->poison_code() != 0)
        return kWhenCalled;
    flush_behind();
    Nanoseconds const segments = make_segments();
    Nanoseconds const hint = note_durable();
    Nanoseconds const retention = retain_what_must();
    return smaller(segments, smaller(hint, retention));
}

// ---- segments ahead

/// Segments are ready up to what the ring asks for, and so many ahead of the tail.
Lsn Log::wanted() const noexcept
{
    Lsn const here = round_down(ring_->tail(), segments_.size());
    Lsn const ahead = here + segments_.size() * (uint64_t{1} + options_.spare_segments);
    return larger(ahead, ring_->space_wanted());
}

/// One step of it: the lock is given back in between.
Nanoseconds Log::make_segments() noexcept
{
    if (segments_.ready() >= wanted())
        return kWhenCalled;
    Nanoseconds const now = monotonic_now();
    if (now < retry_at_)
        return retry_at_ - now;
    if (!segments_.preparing())
        if (Status const begun = segments_.begin_next(); !begun.ok())
            return no_space(begun);

    bool const needed = ring_->space_wanted() > segments_.ready();
    bool const soon = ring_->tail() + segments_.size() / 4 >= segments_.ready();
    bool const hand_out = options_.prepare == Prepare::automatic && (needed || soon);
    if (!segments_.zeroed() && !hand_out) {
        auto const written = segments_.zero_some(kZeroPiece);
        if (!written.ok())
            return no_space(written.status());
        uint64_t const rate = options_.prepare_rate;
        return needed ? 0 : static_cast<Nanoseconds>(*written * uint64_t{kSecond} / rate);
    }
    if (Status const done = segments_.finish_next(); !done.ok())
        return no_space(done);
    // Of this file the system may not have taken O_DIRECT.
    auto const limits =
        io_.files->limits(io_.files_self, segments_.file_at(segments_.ready() - segments_.size()));
    if (!limits.ok() || through_cache(*limits))
        ring_->share_errors();
    ring_->space_status(0);
    ring_->space_ready(segments_.ready());
    return 0;
}

/// Nobody may wait for long: what is written is flushed some segments behind, so that few are open
/// at a time.
void Log::flush_behind() noexcept
{
    Lsn const written = ring_->written();
    if (written >= ring_->durable() + kUnflushedSegments * segments_.size())
        (void)ring_->wait(written - 1, 0); // asks for it; -EAGAIN
}

/// What the rules allow to go goes: whether that was anything.
bool Log::retention_helps(Status why) noexcept
{
    if (!means_no_space(why))
        return false;
    Nanoseconds ignored = kWhenCalled;
    Lsn const first = segments_.first();
    return forget_before(retention_limit(ignored)).ok() && segments_.first() != first;
}

/// Retention may help; else appenders get to know, and it is tried again. Any other failure says
/// that the disk cannot be believed.
Nanoseconds Log::no_space(Status why) noexcept
{
    if (segments_.preparing())
        segments_.give_up_next();
    if (retention_helps(why))
        return 0;
    if (means_no_space(why)) {
        ring_->space_status(ENOSPC);
    } else if (!means_try_later(why)) {
        ring_->poison(-why.code, segments_.ready());
        return kWhenCalled;
    } else if (why.code != -EBUSY && ring_->space_wanted() > segments_.ready()) {
        ring_->space_status(ENOSPC); // somebody waits for what may never come
    }
    Nanoseconds const pause = why.code == -EBUSY ? kShortRetry : kRetry;
    retry_at_ = monotonic_now() + pause;
    return pause;
}

// ---- evidence

/// The hint follows when durable has stood still for a while, and when it enters a segment, so
/// that recovery reads few. Quiet since the last hint: nothing to do until somebody calls.
Nanoseconds Log::note_durable() noexcept
{
    Lsn const durable = ring_->durable();
    segments_.close_before(durable);
    if (durable <= meta_.now().durable_hint)
        return kWhenCalled;
    Nanoseconds const now = monotonic_now();
    if (durable != seen_durable_) {
        seen_durable_ = durable;
        seen_at_ = now;
    }
    uint64_t const size = segments_.size();
    bool const entered = durable / size != meta_.now().durable_hint / size;
    Nanoseconds const quiet_at = seen_at_ + options_.idle_evidence;
    if (!entered && now < quiet_at)
        return quiet_at - now;
    if (Status const done = meta_.write_hint(io_, durable); !done.ok())
        ring_->poison(-done.code, durable);
    return kWhenCalled;
}

/// BEFORE_ACK: completions that come together share one.
int Log::evidence(Lsn lsn) noexcept
{
    Guard const guard(files_lock_);
    if (lsn <= meta_.now().durable_hint)
        return 0;
    return -meta_.write_hint(io_, lsn).code;
}

// ---- retention and truncation

/// Where the rules would cut; a segment is judged by its end. `next`: when age may say more.
Lsn Log::retention_limit(Nanoseconds &next) noexcept
{
    uint64_t const size = segments_.size();
    Lsn const safe = durable(); // also while it is being opened
    Lsn limit = segments_.first();
    while (limit + size <= safe) {
        bool old = options_.retain_bytes != 0 && safe - (limit + size) >= options_.retain_bytes;
        if (!old && options_.retain != 0) {
            auto const changed = segments_.changed_at(limit);
            Nanoseconds const past = changed.ok() ? real_now() - *changed : 0;
            Nanoseconds const age = larger(past, Nanoseconds{0}); // clocks are set back
            old = age >= options_.retain;
            if (!old)
                next = smaller(next, larger(options_.retain - age, kSecond));
        }
        if (!old)
            break;
        limit += size;
    }
    auto const hold = lowest_hold(io_, meta_.now().uuid);
    return hold.ok() ? smaller(limit, *hold) : Lsn{0};
}

Nanoseconds Log::retain_what_must() noexcept
{
    if (options_.retain_bytes == 0 && options_.retain == 0)
        return kWhenCalled;
    Nanoseconds next = kWhenCalled;
    // By bytes only a new segment's beginning changes the answer.
    Lsn const here = round_down(ring_->durable(), segments_.size());
    if (options_.retain == 0 && here == retained_at_)
        return next;
    retained_at_ = here;
    if (Status const done = forget_before(retention_limit(next)); !done.ok())
        next = smaller(next, kRetry);
    return next;
}

/// META first, durably; then the files. What fails behind that, recovery finishes.
Status Log::forget_before(Lsn lsn) noexcept
{
    if (lsn > meta_.now().truncate_before) {
        Superblock next = meta_.now();
        next.truncate_before = lsn;
        next.durable_hint = larger(next.durable_hint, durable());
        if (Status const done = meta_.write_both(io_, next); !done.ok()) {
            if (ring_ != nullptr)
                ring_->poison(-done.code, lsn);
            return done;
        }
        if (live_.page() != nullptr)
            live_.truncated(lsn);
    }
    LogGeometry const geometry{meta_.now().segment_size, meta_.now().block};
    uint64_t const end = removable_before(geometry, meta_.now().truncate_before, durable());
    return segments_.remove_before(end * segments_.size());
}

Status Log::truncate_before(Lsn lsn) noexcept
{
    Guard const guard(files_lock_);
    if (ring_->poison_code() != 0)
        return error(kPoisoned);
    if (lsn > ring_->durable())
        return error(ERANGE);
    auto const hold = lowest_hold(io_, meta_.now().uuid);
    WEIR_TRY(hold);
    if (*hold < lsn)
        return error(EBUSY);
    WEIR_TRY(forget_before(lsn));
    retry_at_ = 0; // there may be space now: who appends waits for the tender's answer
    ring_->space_status(0);
    call_tender();
    return kOk;
}

// ---- watermarks

/// Who is told that a record is durable may tell another process, which has to find it. Whoever
/// moved `durable` moves the page too, but wakes those who wait before that.
void Log::show_readers() const noexcept
{
    if (live_.page() == nullptr)
        return;
    Lsn const durable = ring_->durable();
    if (live_.page()->durable.load(relaxed) < durable) // a hint: advance() never goes back
        live_.advance(ring_->written(), durable);
}

Status Log::wait(Lsn lsn, Nanoseconds timeout) noexcept
{
    WEIR_TRY(ring_->wait(lsn, timeout));
    show_readers();
    return kOk;
}
Status Log::sync() noexcept
{
    WEIR_TRY(ring_->sync());
    show_readers();
    return kOk;
}
Lsn Log::durable() const noexcept
{
    if (ring_ == nullptr || forked_)
        return recovered_.durable;
    Lsn const durable = ring_->durable();
    show_readers();
    return durable;
}
Lsn Log::tail() const noexcept
{
    return ring_ == nullptr || forked_ ? recovered_.durable : ring_->tail();
}
int Log::failure() const noexcept { return ring_ == nullptr || forked_ ? 0 : ring_->poison_code(); }

/// Any thread that has moved a watermark, perhaps late.
void Log::advanced(Lsn written, Lsn durable) noexcept
{
    if (live_.page() != nullptr)
        live_.advance(written, durable);
    if (uint32_t const fd = event_fd_.load(acquire); fd != 0) { // pairs with event_fd()
        uint64_t const one = 1;
        // EAGAIN: the count is full, so it is readable.
        ::syscall(SYS_write, static_cast<int>(fd) - 1, &one, sizeof one);
    }
    calls_.fetch_add(1, seq_cst);    // [C] as call_tender(), but ticks come by themselves
    if (ticking_.load(seq_cst) == 0) // pairs with [T] in run_tender()
        futex_wake_all(calls_);
}

Result<int> Log::event_fd() noexcept
{
    Guard const guard(files_lock_);
    uint32_t const known = event_fd_.load(relaxed); // written under the lock alone
    if (known != 0)
        return static_cast<int>(known) - 1;
    int const fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return error(errno);
    event_fd_.store(static_cast<uint32_t>(fd) + 1, release); // pairs with advanced()
    ring_->flush_eagerly();
    return fd;
}

void Log::stats(LogStats &ret) noexcept
{
    ret = LogStats{};
    ret.recovery = recovered_.report;
    ret.epoch = recovered_.start.epoch;
    ret.durable = durable();
    ret.tail = tail();
    ret.first = recovered_.report.first;
    ret.backend = own_backend_ ? backend_.name : "";
    ret.backend_reason = own_backend_ ? backend_.reason : "";
    ret.backend_code = backend_.reason_code;
    ret.space_guaranteed = !limits_.copy_on_write;
    ret.volatile_storage = limits_.volatile_fs;
    ret.direct = limits_.direct;
    if (ring_ == nullptr)
        return;
    ring_->stats(ret.ring);
    Guard const guard(files_lock_);
    ret.first = segments_.first();
    ret.segments = segments_.counts();
}

} // namespace weir
