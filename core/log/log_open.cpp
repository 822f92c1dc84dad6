// SPDX-License-Identifier: MIT OR Apache-2.0
// Opening a log, its two threads, and closing it.
#include "core/log/log.hpp"

#include "core/base/alloc.hpp"
#include "core/base/bits.hpp"
#include "core/base/cancel.hpp"
#include "core/base/futex.hpp"
#include "core/base/uuid.hpp"
#include "core/flush/system.hpp"
#include "core/flush/thread.hpp"

namespace weir {

Status Log::open(char const *folder, LogOptions const &options, Log *&ret) noexcept
{
    return open_any(folder, Io{}, options, ret);
}

Status Log::open_on(Io const &io, LogOptions const &options, Log *&ret) noexcept
{
    return open_any(nullptr, io, options, ret);
}

/// `folder` null: on these disks.
Status Log::open_any(char const *folder, Io const &io, LogOptions const &options,
                     Log *&ret) noexcept
{
    NoCancel const to_the_end; // as close(), which a failure calls
    Log *const log = make<Log>();
    if (log == nullptr)
        return error(ENOMEM);
    log->options_ = options;
    log->io_ = io;
    Status status = folder == nullptr ? kOk : open_folder(folder, *log);
    if (status.ok())
        status = log->start(folder);
    if (!status.ok()) {
        close(log);
        return status;
    }
    ret = log;
    return kOk;
}

Status Log::open_folder(char const *folder, Log &log) noexcept
{
    RecoverOptions const &recovery = log.options_.recovery;
    bool const create = recovery.create && !recovery.read_only;
    WEIR_TRY(PosixFiles::open(folder, create, recovery.permissions, log.files_));
    if (log.files_->kind().network && !log.options_.any_filesystem)
        return error(EOPNOTSUPP);
    if (!log.options_.direct)
        log.files_->never_direct();
    log.io_.files = &PosixFiles::kOps;
    log.io_.files_self = log.files_;
    if (recovery.read_only)
        return kOk;
    WEIR_TRY(open_backend(log.files_, log.options_.backend, log.backend_));
    log.own_backend_ = true;
    log.io_ = log.backend_.io;
    return kOk;
}

/// What is common to all disks.
Status Log::start(char const *folder) noexcept
{
    random_uuid(options_.recovery.new_uuid);
    WEIR_TRY(recover(io_, options_.recovery, recovered_));
    if (options_.recovery.read_only) {
        if (folder != nullptr && has_writer(io_))
            beside_writer(recovered_.report);
        return kOk;
    }
    meta_ = recovered_.meta;
    recovered_.meta = Meta{}; // ours to close
    Superblock const &now = meta_.now();
    fork_hook_.in_child = [](void *self) noexcept { static_cast<Log *>(self)->in_fork_child(); };
    fork_hook_.handle = this;
    WEIR_TRY(register_fork_hook(fork_hook_));
    hooked_ = true;
    WEIR_TRY(open_segments());
    if (folder != nullptr)
        WEIR_TRY(live_.publish(folder, options_.recovery.permissions, now.uuid, now.epoch,
                               recovered_.start.at, now.truncate_before));
    WEIR_TRY(make_ring());
    return options_.threads ? start_threads() : kOk;
}

Status Log::open_segments() noexcept
{
    SegmentsOptions with;
    with.superblock = meta_.now();
    with.mode = options_.recovery.permissions;
    with.zero = options_.prepare != Prepare::fallocated;
    with.keep_spares = options_.spare_segments + 1;
    with.max_bytes = options_.max_bytes;
    with.lock_timeout = options_.recovery.lock_timeout;
    uint64_t const size = with.superblock.segment_size;
    if ((options_.max_bytes != 0 && options_.max_bytes < 4 * size) ||
        (options_.retain_bytes != 0 && options_.retain_bytes < size))
        return error(EINVAL);
    // From the oldest that has to be written or flushed to the last one made: the ring's buffers,
    // a record of the largest size twice (its segments are made while another one is not whole),
    // and what flush_behind() leaves.
    uint64_t const ring = options_.ring.buffer_size * options_.ring.buffer_count;
    with.most_open = ring / size + 2 * (options_.ring.max_record / size) + kUnflushedSegments +
                     options_.spare_segments + recovered_.open_count + 12;
    WEIR_TRY(segments_.open(io_, with));
    segments_.adopt(recovered_);
    while (segments_.ready() <= recovered_.start.at)
        if (Status const made = make_segment(); !made.ok() && !retention_helps(made))
            return made;
    auto const limits = io_.files->limits(io_.files_self, segments_.file_at(recovered_.start.at));
    WEIR_TRY(limits);
    limits_ = *limits;
    return kOk;
}

Status Log::make_segment() noexcept
{
    WEIR_TRY(segments_.begin_next());
    Status status = segments_.zeroed() ? kOk : segments_.zero_some(segments_.size()).status();
    if (status.ok())
        status = segments_.finish_next();
    if (!status.ok() && segments_.preparing())
        segments_.give_up_next();
    return status;
}

/// What may lie in the page cache when a write has ended. Where overwriting takes new space, the file
/// system may write through the cache though it has taken O_DIRECT.
bool Log::through_cache(Limits const &limits) noexcept
{
    return !limits.volatile_fs && (!limits.direct || limits.copy_on_write);
}

Status Log::make_ring() noexcept
{
    RingOptions &with = options_.ring;
    with.block = meta_.now().block;
    with.segment_size = meta_.now().segment_size;
    with.buffer_size = smaller(with.buffer_size, with.segment_size / 4);
    if (with.buffer_size < with.block)
        return error(EINVAL);
    RingHost host;
    host.self = this;
    host.file_at = [](void *self, Lsn lsn) {
        return static_cast<Log *>(self)->segments_.file_at(lsn);
    };
    host.want_space = [](void *self) { static_cast<Log *>(self)->call_tender(); };
    host.advanced = [](void *self, Lsn written, Lsn durable) {
        static_cast<Log *>(self)->advanced(written, durable);
    };
    if (options_.evidence_before_ack)
        host.evidence = [](void *self, Lsn lsn) { return static_cast<Log *>(self)->evidence(lsn); };
    WEIR_TRY(FlushRing::create(with, recovered_.start, io_, host, ring_));
    if (through_cache(limits_))
        ring_->share_errors();
    ring_->space_ready(segments_.ready());
    return kOk;
}

// ---- threads

Status Log::start_threads() noexcept
{
    WEIR_TRY(start_thread("weir-log-io", &run_io, this, io_thread_));
    io_started_ = true;
    WEIR_TRY(start_thread("weir-log-seg", &run_tender, this, tender_thread_));
    tender_started_ = true;
    return kOk;
}

void *Log::run_io(void *self) noexcept
{
    while (static_cast<Log *>(self)->ring_->step()) {
    }
    return nullptr;
}

/// Sleeping without losing a call: `ticking_` is cleared [T] before the calls are read, and who has
/// moved a watermark counts up [C] before it reads `ticking_`. So either the tender sees the call,
/// or the caller sees that it has to wake. All are seq_cst (Dekker).
void *Log::run_tender(void *self) noexcept
{
    Log &log = *static_cast<Log *>(self);
    while (log.stopping_.load(acquire) == 0) { // pairs with stop_threads()
        log.ticking_.store(0, seq_cst);        // [T] pairs with advanced()
        uint32_t const seen = log.calls_.load(seq_cst);
        Nanoseconds const next = log.tend();
        if (next == 0)
            continue;
        if (next <= log.options_.idle_evidence)
            log.ticking_.store(1, seq_cst);   // soon enough: acknowledgements need not call
        if (log.stopping_.load(seq_cst) == 0) // pairs with stop_threads(), which calls afterwards
            futex_wait(log.calls_, seen, smaller(next, kSecond * 3600));
    }
    return nullptr;
}

void Log::call_tender() noexcept
{
    calls_.fetch_add(1, seq_cst); // before the wake-up; run_tender() sleeps on it
    futex_wake_all(calls_);
}

void Log::stop_threads() noexcept
{
    if (io_started_)
        pthread_join(io_thread_, nullptr);
    io_started_ = false;
    if (!tender_started_)
        return;
    stopping_.store(1, seq_cst); // pairs with the loads in run_tender()
    call_tender();
    pthread_join(tender_thread_, nullptr);
    tender_started_ = false;
}

void Log::in_fork_child() noexcept
{
    forked_ = true;
    // Else this process would keep the locks of a parent that dies.
    segments_.forget();
    meta_.close(io_);
    if (recovered_.lock != kNoFile)
        io_.files->close(io_.files_self, recovered_.lock);
    recovered_.lock = kNoFile;
    if (own_backend_)
        forget_backend(backend_);
}

// ---- the end

void Log::close(Log *log) noexcept
{
    if (log == nullptr)
        return;
    NoCancel const to_the_end; // pthread_join() is a cancellation point
    if (log->ring_ != nullptr && !log->forked_) {
        bool const drained = log->drain();
        log->stop_threads();
        bool const whole = drained && log->ring_->durable() == log->ring_->tail();
        whole ? log->note_clean_end() : log->note_acknowledged();
        if (log->live_.page() != nullptr)
            log->live_.end();
    }
    log->free_all();
    destroy(log);
}

/// A log without an I/O thread does its work here.
bool Log::drain() noexcept
{
    if (io_started_)
        return ring_->close().ok();
    ring_->begin_close();
    while (ring_->step()) {
    }
    return ring_->poison_code() == 0;
}

/// META says that all is there: recovery then takes another end for damage.
void Log::note_clean_end() noexcept
{
    Superblock last = meta_.now();
    last.state = kLogClosed;
    last.durable_hint = ring_->durable();
    (void)meta_.write_both(io_, last); // without it the next open recovers, and finds the same
}

/// After a failure: what was acknowledged before has its evidence all the same, if META can still
/// be written.
void Log::note_acknowledged() noexcept { (void)meta_.write_hint(io_, ring_->durable()); }

void Log::free_all() noexcept
{
    if (hooked_)
        unregister_fork_hook(fork_hook_);
    if (!forked_)
        FlushRing::destroy(ring_); // in a fork child its memory is not there
    live_.close();
    segments_.close();
    if (!forked_)
        meta_.close(io_);
    release_recovered(io_, recovered_);
    if (uint32_t const fd = event_fd_.load(relaxed); fd != 0) // nobody else is here
        sys::close(static_cast<int>(fd) - 1);
    if (own_backend_)
        release_backend(backend_);
    PosixFiles::release(files_);
}

} // namespace weir
