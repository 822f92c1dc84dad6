// SPDX-License-Identifier: MIT OR Apache-2.0
// The flush ring: many threads append, one at a time cuts, few large writes.
#pragma once

#include "core/base/clock.hpp"
#include "core/base/error.hpp"
#include "core/flush/format.hpp"
#include "core/flush/io.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

enum class Durability : uint32_t { sync = 0, periodic = 1, none = 2 };

struct RingOptions {
    uint64_t buffer_size = 512 << 10; ///< B; divides the segment
    uint64_t segment_size = 64 << 20; ///< S
    uint32_t buffer_count = 8;        ///< N; power of two, at least 2
    uint32_t block = 4096;
    Durability durability = Durability::sync;
    uint32_t commit_depth = 2;                      ///< writes of waiters in flight
    uint32_t write_depth = 4;                       ///< writes of the I/O thread in flight
    Nanoseconds group_window = 0;                   ///< a cut on request may wait so long
    Nanoseconds idle_flush = 100 * kMillisecond;    ///< what lies that long is cut; -1: never
    Nanoseconds sync_interval = 100 * kMillisecond; ///< PERIODIC
    Nanoseconds append_timeout = -1;                ///< -1: for ever
    Nanoseconds stall_timeout = 10 * kSecond;       ///< -1: never evict
    uint64_t max_record = 16 << 20;                 ///< bytes of a record or of an atomic batch
};

/// Where the log goes on: what recovery found.
struct RingStart {
    uint8_t uuid[16] = {};
    uint64_t epoch = 1;
    Lsn at = 0;            ///< block-aligned: where the next batch begins (a segment's base counts)
    uint64_t sequence = 1; ///< of the next batch
    uint32_t prev_crc = 0;
    uint32_t unused = 0;
};

/// What the ring asks of whoever owns the files. Called without locks of the ring held, but for
/// file_at(), and never in a way that waits for the ring.
struct RingHost {
    void *self = nullptr;
    /// The file that holds `lsn`, for I/O. Any thread that writes. kNoFile poisons the log.
    File (*file_at)(void *self, Lsn lsn) = nullptr;
    /// Segments are wanted up to Ring::space_wanted(): wakes the preparer.
    void (*want_space)(void *self) = nullptr;
    /// May be null. Called before `durable` moves to `lsn`; when it has returned 0, evidence of
    /// that is on disk. A failure poisons.
    int (*evidence)(void *self, Lsn lsn) = nullptr;
    /// May be null. The watermarks have moved; any thread, perhaps two at once, perhaps late.
    void (*advanced)(void *self, Lsn written, Lsn durable) = nullptr;
};

/// One piece of memory of the caller.
struct Part {
    void const *data = nullptr;
    uint64_t length = 0;
    uint16_t tag = 0;
};

struct RingStats {
    uint64_t records, record_bytes, batches, batch_bytes, padding_bytes;
    uint64_t writes_by_waiters, writes_by_io_thread, flushes;
    uint64_t rotations, room_waits, stalls, evictions, leaked_bytes;
    uint64_t segments_not_ready; ///< rotations that found their segment missing
    Nanoseconds oldest_inflight;
    uint64_t latency[64]; ///< device writes by floor(log2(ns))
};

/// Functions of any thread unless said. All that append or wait answer -kPoisoned after a failure
/// and -EINVAL while the ring is closing.
class Ring {
  public:
    static Status create(RingOptions const &options, RingStart const &start, Io const &io,
                         RingHost const &host, Ring *&ret) noexcept;
    /// After close(); no call may be under way.
    static void release(Ring *ring) noexcept;

    /// One record made of all parts, in order; its tag is that of the first. `timeout`: 0 never
    /// waits for room (-EAGAIN), -1 for ever, else -ETIMEDOUT.
    Status append(Part const *parts, size_t count, Nanoseconds timeout, Lsn &ret) noexcept;
    /// A record for each part, all of them or none after a crash. `ret` is the last one's LSN.
    Status append_batch(Part const *parts, size_t count, Nanoseconds timeout, Lsn &ret) noexcept;

    /// At most kMostReservations are open; fits one buffer.
    Status reserve(uint64_t length, uint16_t tag, Nanoseconds timeout, Lsn &ret_lsn,
                   void *&ret_data) noexcept;
    Status commit(Lsn lsn, uint64_t length) noexcept;
    Status abort(Lsn lsn) noexcept;

    Status wait(Lsn lsn, Nanoseconds timeout) noexcept;
    Status sync() noexcept;

    Lsn durable() const noexcept;
    Lsn written() const noexcept;
    /// Where the next record or batch begins; equal to durable() when all is durable.
    Lsn tail() const noexcept;

    /// From now on the I/O thread flushes what is appended at once (somebody polls).
    void flush_eagerly() noexcept;

    /// The I/O thread: reaps, completes, cuts what is due, submits, sleeps. False: closed, end.
    bool step() noexcept;
    /// Everything but reap's sleep, for tests that have no thread: true if it did something.
    bool step_without_sleep() noexcept;

    // ---- the preparer
    Lsn space_wanted() const noexcept;
    /// All segments that begin below `upto` are ready.
    void space_ready(Lsn upto) noexcept;
    /// The answer of appenders that need more: 0 or ENOSPC.
    void space_status(int code) noexcept;

    /// Any failure that ends the log's life.
    void poison(int code, Lsn lsn) noexcept;
    int poison_code() const noexcept; ///< errno, 0: none
    Lsn poison_lsn() const noexcept;

    /// Refuses new work, evicts open reservations, writes and flushes what was appended, and waits
    /// for all requests. The I/O thread runs meanwhile and then ends. 0, or -kPoisoned.
    Status close() noexcept;

    void stats(RingStats &ret) const noexcept;
};

} // namespace weir
