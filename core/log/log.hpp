// SPDX-License-Identifier: MIT OR Apache-2.0
// log: a durable, append-only file of records. Start here.
//
// What it is
//   A folder of files and the flush ring (core/flush/flush.hpp) on top: many threads append, each
//   record gets the position where it will lie for ever, few large writes make it durable, and
//   after a crash the log holds a prefix of what was appended that contains all that was
//   acknowledged.
//     layout.hpp    the bytes of META, segment headers, cursors, LIVE
//     meta.hpp      the two superblocks and how they change
//     scan.hpp      what is a valid continuation: batches and records, one after the other
//     recovery.hpp  where the log ends, and whether that is the truth (the table of decisions)
//     segments.hpp  segment files: made ahead, recycled, removed
//     live.hpp      watermarks for readers of other processes
//     reader.hpp    records in order, from files alone
//     cursor.hpp    named positions
//     verify.hpp, repair.hpp
//     log.hpp       the handle: opening, two threads, retention, closing
//
// Glossary
//   LSN: the position of a record's header in the concatenation of all segments.
//   segment: S bytes of that, one file. batch: a block-aligned piece, written once.
//   epoch: one life of the log, from open to the next open. durable: what survives a power cut.
//   hint: a durable LSN, noted in META: evidence that lies apart from what it proves.
//
// Threads of an open log
//   weir-log-io   FlushRing::step(): writes what nobody waits for
//   weir-log-seg  tend(): segments ahead, the hint, retention. Sleeps without limit when all is
//                 quiet: an idle log costs nothing.
//
// Invariants (those of the ring are in flush.hpp)
//   1  META never says durable what is not; truncate-before and epoch never fall.
//   2  A segment has its name only when header, space and folder are durable.
//   3  What lies below truncate-before is never read again; META says so before a file goes.
//   4  Two processes never have a log open for appending: LOCK, and a lock on each segment file
//      through the descriptor that writes.
//
// Death
//   At any point the files are what recovery expects: see recovery.hpp. A thread of ours cannot die
//   alone. A fork child has neither threads nor locks: every call there says so.
#pragma once

#include "core/base/fork.hpp"
#include "core/base/mutex.hpp"
#include "core/flush/backend.hpp"
#include "core/flush/ring.hpp"
#include "core/log/live.hpp"
#include "core/log/meta.hpp"
#include "core/log/recovery.hpp"
#include "core/log/segments.hpp"

namespace weir {

struct LogOptions {
    RecoverOptions recovery;
    RingOptions ring;
    bool any_filesystem = false;
    bool evidence_before_ack = false;
    Nanoseconds idle_evidence = 20 * kMillisecond;
    uint64_t max_bytes = 0;    ///< 0: no limit
    uint64_t retain_bytes = 0; ///< 0: all
    Nanoseconds retain = 0;    ///< 0: for ever
    uint32_t spare_segments = 1;
    Prepare prepare = Prepare::automatic;
    uint64_t prepare_rate = 256 << 20; ///< bytes per second
    BackendOptions backend;
    bool direct = true;
    bool threads = true; ///< tests without call work() and tend()
};

struct LogStats {
    RingStats ring;
    SegmentCounts segments;
    Lsn first, durable, tail;
    uint64_t epoch;
    char const *backend;
    char const *backend_reason;
    int backend_code;
    bool space_guaranteed;
    bool volatile_storage;
    bool direct;
    LogReport recovery;
};

class Log {
  public:
    /// Recovers or makes it. With RecoverOptions::read_only nothing is written or locked.
    static Status open(char const *folder, LogOptions const &options, Log *&ret) noexcept;
    /// On other disks; the Io stays the caller's.
    static Status open_on(Io const &io, LogOptions const &options, Log *&ret) noexcept;
    /// Drains, notes the clean end, frees. In a fork child it frees alone.
    static void close(Log *log) noexcept;

    /// What every call asks first.
    Status usable() const noexcept
    {
        if (__builtin_expect(forked_, 0))
            return error(kForked);
        return ring_ == nullptr ? error(EROFS) : kOk;
    }
    bool forked() const noexcept { return forked_; }
    FlushRing &ring() noexcept { return *ring_; }
    /// Whether a record of so many bytes lies in one buffer, wherever.
    bool fits_a_buffer(uint64_t length) const noexcept
    {
        uint64_t const room = options_.ring.buffer_size - options_.ring.block - kBatchHeader;
        return length <= room && record_bytes(length) <= room;
    }
    Nanoseconds append_timeout() const noexcept { return options_.ring.append_timeout; }

    /// As the ring's; and what is durable then, readers of other processes are shown.
    Status wait(Lsn lsn, Nanoseconds timeout) noexcept;
    Status sync() noexcept;
    Lsn durable() const noexcept;
    Lsn tail() const noexcept;
    int failure() const noexcept;

    Status truncate_before(Lsn lsn) noexcept;
    Result<int> event_fd() noexcept;
    void stats(LogStats &ret) noexcept;

    /// One round of each thread, for logs without: true if something was done.
    bool work() noexcept { return ring_->step_without_sleep(); }
    /// How long until the next round is due; INT64_MAX: when something happens.
    Nanoseconds tend() noexcept;

    Log() noexcept = default; // make<Log>() alone
    Log(Log const &) = delete;
    Log &operator=(Log const &) = delete;

  private:
    static constexpr Nanoseconds kWhenCalled = INT64_MAX;
    /// What is written may be so many segments ahead of what is flushed, where nobody waits.
    static constexpr uint64_t kUnflushedSegments = 2;

    // log_open.cpp
    static Status open_any(char const *folder, Io const &io, LogOptions const &options,
                           Log *&ret) noexcept;
    static Status open_folder(char const *folder, Log &log) noexcept;
    Status start(char const *folder) noexcept;
    Status open_segments() noexcept;
    Status make_segment() noexcept;
    static bool through_cache(Limits const &limits) noexcept;
    Status make_ring() noexcept;
    Status start_threads() noexcept;
    void stop_threads() noexcept;
    bool drain() noexcept;
    void note_clean_end() noexcept;
    void note_acknowledged() noexcept;
    void free_all() noexcept;
    void in_fork_child() noexcept;
    static void *run_io(void *self) noexcept;
    static void *run_tender(void *self) noexcept;

    // log_tend.cpp
    Nanoseconds make_segments() noexcept;
    bool retention_helps(Status why) noexcept;
    Nanoseconds no_space(Status why) noexcept;
    Nanoseconds note_durable() noexcept;
    void flush_behind() noexcept;
    Nanoseconds retain_what_must() noexcept;
    Lsn retention_limit(Nanoseconds &next) noexcept;
    Status forget_before(Lsn lsn) noexcept;
    Lsn wanted() const noexcept;
    void call_tender() noexcept;
    void advanced(Lsn written, Lsn durable) noexcept;
    void show_readers() const noexcept;
    int evidence(Lsn lsn) noexcept;

    LogOptions options_{};
    Io io_{};
    PosixFiles *files_ = nullptr; ///< ours, if it was opened by name
    Backend backend_{};
    bool own_backend_ = false;
    Recovered recovered_{};
    Limits limits_{}; ///< of the segments
    Meta meta_{};
    Segments segments_{};
    Live live_{};
    FlushRing *ring_ = nullptr;
    ForkHook fork_hook_{};
    bool hooked_ = false;
    bool forked_ = false;

    /// META, segment files, and the fields below it.
    Mutex files_lock_;
    Nanoseconds retry_at_ = 0; ///< after no space
    Lsn seen_durable_ = 0;
    Nanoseconds seen_at_ = 0;
    Lsn retained_at_ = 0; ///< durable when retention last looked

    pthread_t io_thread_{};
    pthread_t tender_thread_{};
    bool io_started_ = false;
    bool tender_started_ = false;

    atomic<uint32_t> calls_{}; ///< futex of the tender; anybody counts up
    /// 1: the tender looks again within idle_evidence. It alone writes it.
    atomic<uint32_t> ticking_{};
    atomic<uint32_t> stopping_{}; ///< 1: the tender ends
    atomic<uint32_t> event_fd_{}; ///< descriptor + 1, 0: none
};

} // namespace weir
