// SPDX-License-Identifier: MIT OR Apache-2.0
// FlushRing: many threads append, one at a time cuts, few large writes. flush.hpp says how.
#pragma once

#include "core/base/clock.hpp"
#include "core/base/error.hpp"
#include "core/flush/format.hpp"
#include "core/flush/gate.hpp"
#include "core/flush/io.hpp"
#include "core/flush/source.hpp"
#include "core/flush/words.hpp"

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
/// file_at() and want_space(), and never in a way that waits for the ring.
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

struct RingStats {
    uint64_t records, record_bytes, batches, batch_bytes, padding_bytes;
    uint64_t writes_by_waiters, writes_by_io_thread, flushes;
    uint64_t rotations, room_waits, stalls, evictions, leaked_bytes;
    uint64_t segments_not_ready; ///< rotations that found their segment missing
    Nanoseconds oldest_inflight;
    uint64_t latency[64]; ///< device writes by floor(log2(ns))
};

namespace explore {
class FlushWorld;
}

inline constexpr unsigned kMostReservations = 256;

/// Functions of any thread unless said. All that append or wait answer -kPoisoned after a failure
/// and -EINVAL while the ring is closing.
class FlushRing {
  public:
    static Status create(RingOptions const &options, RingStart const &start, Io const &io,
                         RingHost const &host, FlushRing *&ret) noexcept;
    /// After close(); no call may be under way.
    static void destroy(FlushRing *ring) noexcept;

    /// One record made of all parts, in order; its tag is that of the first. `timeout`: 0 never
    /// waits for room (-EAGAIN), -1 for ever, else -ETIMEDOUT.
    Status append(Part const *parts, size_t count, Nanoseconds timeout, Lsn &ret) noexcept
    {
        if (WEIR_LIKELY(count == 1 && parts->length <= short_limit_))
            return append_short(*parts, timeout, ret);
        return append_long(Source(parts, count, false), timeout, ret);
    }
    /// A record for each part, all of them or none after a crash. `ret` is the last one's LSN.
    Status append_batch(Part const *parts, size_t count, Nanoseconds timeout, Lsn &ret) noexcept
    {
        return append_long(Source(parts, count, true), timeout, ret);
    }

    /// At most kMostReservations are open; fits one buffer.
    Status reserve(uint64_t length, uint16_t tag, Nanoseconds timeout, Lsn &ret_lsn,
                   void *&ret_data) noexcept;
    Status commit(Lsn lsn, uint64_t length) noexcept;
    Status abort(Lsn lsn) noexcept;

    /// Until `lsn` is durable; starts the flush itself. `timeout`: 0 only asks for it (-EAGAIN).
    Status wait(Lsn lsn, Nanoseconds timeout) noexcept;
    Status sync() noexcept;

    Lsn durable() const noexcept { return durable_.load(acquire); } // pairs with publish_durable()
    Lsn written() const noexcept { return written_.load(acquire); } // pairs with pass_written()
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
    /// All segments that begin below `upto` are ready. The one that RingStart::at lies in, or whose
    /// base it is, is ready from the start.
    void space_ready(Lsn upto) noexcept;
    /// The page cache: of two syncs of a file under way, one may be told of what befell the other's
    /// bytes, and the other of nothing. SYNC then flushes, one flush at a time, from now on for ever.
    /// Before space_ready() of a segment that needs it.
    void share_errors() noexcept { shares_errors_.store(1, relaxed); } // published by ready_upto_
    /// The answer of appenders that need more: 0 or ENOSPC.
    void space_status(int code) noexcept;

    /// Any failure that ends the log's life.
    void poison(int code, Lsn lsn) noexcept;
    int poison_code() const noexcept; ///< errno, 0: none
    Lsn poison_lsn() const noexcept;

    /// Refuses new work, evicts open reservations, writes and flushes what was appended, and waits
    /// for all requests. The I/O thread runs meanwhile and then ends. 0, or -kPoisoned.
    Status close() noexcept;
    /// The same without waiting, for who has no I/O thread: step() until it says false.
    void begin_close() noexcept;

    void stats(RingStats &ret) const noexcept;

  private:
    friend class explore::FlushWorld;
    FlushRing() noexcept = default;
    ~FlushRing() = default;

    static constexpr unsigned kMostBuffers = 64;
    static constexpr unsigned kBatches = 64;
    static constexpr unsigned kGates = 16;
    static constexpr uint64_t kMostAdded = 64 << 10; ///< by one fetch_add; see TailWord

    enum class State : uint32_t { open, closing, closed };
    enum Attention : uint32_t { kDeep = 1, kPoison = 2, kFull = 4 };

    struct alignas(kCacheLine) Buffer {
        /// Which generation `mem` serves, ~0 while that changes. Writers: the recycler, and who
        /// zeroes the bytes.
        atomic<uint64_t> gen;
        /// Address of the buffer's bytes, as an integer. Writer: the recycler, while gen is ~0.
        atomic<uint64_t> mem;
        /// For which generation the bytes have still to be zeroed, 0: for none. Writers: the
        /// recycler; by CAS to 0 whoever takes that work. Protects `mem`.
        atomic<uint64_t> dirty_for;
        uint64_t zeroed; ///< so many of them are. Writer: who has taken the work
        /// Which generation may open next. Writer: who zeroed the bytes. Protects them.
        atomic<uint64_t> free_for;
        /// 1 + the highest generation of which something was evicted; never falls. Writer: the
        /// evictor.
        atomic<uint64_t> quarantined;
        /// Replaces `mem` when the buffer is recycled. Writer: the evictor, before the batches that
        /// lie there are READY; read by the recycler, after they were written.
        std::byte *fresh;
    };

    struct Batch {
        atomic<uint64_t> word; ///< BatchWord. Writers by state, see flush.hpp
        atomic<uint64_t> end;  ///< for looking up who waits where. Writer: finalise()
        Lsn start;
        Lsn safe;   ///< durable may be this when all up to here is written; 0: inside a chain
        bool whole; ///< does not end inside a chain
        bool by_waiter;
        Nanoseconds began;
        WriteRequest request;
    };

    /// Room in the ring that is ours to fill. `at` nullptr: it was evicted before we found it.
    struct Place {
        Lsn lsn = 0;
        std::byte *at = nullptr;
        uint64_t generation = 0;
        uint64_t bytes = 0;
    };
    /// What a unit got: the whole of it, or its beginning and the rest behind a rotation.
    struct Spot {
        Place first, rest;
    };
    enum class Take { got, again, room };

    struct Opening { ///< an entry of the table of zero-copy reservations, under desk_lock_
        Lsn lsn;
        uint64_t generation;
        uint64_t bytes;  ///< 0: the entry is free
        uint64_t length; ///< that was asked for
        std::byte *at;
        uint64_t thread;
        uint16_t tag;
    };

    /// The open or closed batch, and what its scan has seen. Only who holds the token.
    struct Cutter {
        Lsn position;      ///< where the open batch begins, or its segment
        uint64_t sequence; ///< of that batch
        uint32_t prev_crc;
        bool closed;           ///< [start, end) is ours to scan
        bool sealed_for_close; ///< close() has cut for the last time
        bool inside;           ///< a chain is open at `scan`
        bool group;            ///< and it is an atomic batch
        Lsn chain;             ///< where it began
        Lsn start, end, scan;
        uint64_t generation;
        std::byte *mem;
        Crc32c digest;
        uint32_t records, first_outside, flags;
        uint64_t data_records, data_bytes, padding; ///< for people
        Nanoseconds stuck_for, last_look;           ///< at `scan`
        Nanoseconds poll;                           ///< until the next look
        Lsn plain_end; ///< of the last batch that made plain writes necessary: writes_through()
        // eviction
        uint64_t evicting; ///< 1 + the generation that is copied, 0: none
        std::byte *out;    ///< where to
    };

    /// How far everything is there and no chain lies across.
    struct Mark {
        Lsn lsn;
        uint64_t upto;  ///< sequence: waiters of batches up to this one look again
        uint64_t whole; ///< sequence: batches up to this one lie below lsn
    };

    struct Range {
        Lsn begin, end;
    };
    struct Ranges {
        Ranges *next;
        unsigned count;
        Range range[62];
    };

    // ring.cpp
    Status set_up(RingOptions const &options, RingStart const &start, Io const &io,
                  RingHost const &host) noexcept;
    void set_up_words(RingStart const &start) noexcept;
    Status open_status() const noexcept;
    bool is_poisoned() const noexcept { return poison_code() != 0; }
    uint64_t first_offset(uint64_t generation) const noexcept;
    uint64_t full_generation(TailWord tail) const noexcept;
    Lsn open_position(TailWord tail) const noexcept;
    Lsn batch_start(Lsn position) const noexcept;
    Lsn base_of(uint64_t generation) const noexcept { return generation << shift_; }
    uint64_t generation_of(Lsn lsn) const noexcept { return lsn >> shift_; }
    Buffer &buffer_of(uint64_t generation) noexcept { return buffers_[generation & buffer_mask_]; }
    Buffer const &buffer_of(uint64_t generation) const noexcept
    {
        return buffers_[generation & buffer_mask_];
    }
    void kick() noexcept;
    bool condemn(int code, Lsn lsn) noexcept; ///< the first half of poison()
    void tell_poison() noexcept;              ///< the second

    // ring_hot.hpp
    bool is_full() const noexcept
    {
        return TailWord{tail_.load(relaxed)}.offset() > options_.buffer_size;
    }
    void note_full() noexcept;
    WEIR_HOT Status append_short(Part const &part, Nanoseconds timeout, Lsn &ret) noexcept;
    WEIR_HOT bool locate(uint64_t tail_generation, uint64_t offset, Place &ret) const noexcept;
    WEIR_HOT Status commit_unit(Place const &place, uint64_t word1) noexcept;
    WEIR_HOT void look_at_attention(Status &status) noexcept;

    // reserve.cpp
    Status append_long(Source source, Nanoseconds timeout, Lsn &ret) noexcept;
    Status append_overflowed(Part const &part, TailWord found, Nanoseconds timeout,
                             Lsn &ret) noexcept;
    Status append_into(Spot const &spot, Source &source, Lsn &ret) noexcept;
    Status reserve_unit(uint64_t need, Source const *source, Nanoseconds timeout,
                        TailWord const *found, Spot &ret) noexcept;
    Take take(uint64_t need, Source const *source, TailWord const *found, Spot &ret) noexcept;
    bool add_or_seal(uint64_t need, TailWord &ret) noexcept;
    bool locate_end(TailWord tail, Place &ret) const noexcept;
    Take overflow(TailWord found, uint64_t need, Source const *source, Spot &ret) noexcept;
    Result<bool> await_room(Deadline const &deadline, bool may_wait, uint64_t need,
                            Spot &ret) noexcept;
    Status room_status() noexcept;
    Status attend(Status status) noexcept;
    WEIR_COLD Status evicted_or_ok(Place const &place) noexcept;

    // copy.cpp
    Status fill(Place const &place, Source &source, bool abort) noexcept;
    void write_pieces(Place const &place, Source &source, uint64_t &ret_word1) noexcept;
    void write_whole(Place const &place, Source &source, uint64_t &ret_word1) noexcept;
    void write_pad(std::byte *at, Lsn lsn, uint64_t bytes) noexcept;
    void mark_reserved(Place const &place) noexcept;

    // rotate.cpp
    bool can_open(uint64_t generation) const noexcept;
    bool segment_is_missing(uint64_t generation) const noexcept;
    bool claim(uint64_t generation, Duty from) noexcept;
    bool try_rotate(uint64_t own, Place *ret) noexcept;
    void open_next(uint64_t generation, uint64_t own, bool alone, Place *ret) noexcept;
    void decline(uint64_t generation) noexcept;
    void want_segment_of(uint64_t generation) noexcept;

    // large.cpp
    Status append_large(Source &source, Nanoseconds timeout, Lsn &ret) noexcept;
    Status begin_large(uint64_t bytes, Deadline const &deadline, bool may_wait,
                       Place &ret) noexcept;
    Status await_first(Place &place, Deadline const &deadline) noexcept;
    Lsn last_of(Lsn from, uint64_t bytes) const noexcept;
    Status await_segments(uint64_t bytes, Deadline const &deadline, bool may_wait) noexcept;
    Status await_next(uint64_t generation, Deadline const &deadline) noexcept;
    Status await_buffer(uint64_t generation, Deadline const &deadline) noexcept;
    void open_or_decline(uint64_t generation) noexcept;

    // desk.cpp
    Opening *find_opening(Lsn lsn) noexcept;
    Result<Opening *> take_opening() noexcept;
    Status end_opening(Lsn lsn, uint64_t length, bool abort) noexcept;
    Status check_own(Lsn lsn) noexcept;
    bool is_open_reservation(Lsn lsn) noexcept;

    // cut.cpp
    bool close_batch() noexcept;
    bool cut_open(uint64_t generation, TailWord &now) noexcept;
    bool begin_scan_upto(uint64_t generation, uint64_t end) noexcept;
    std::byte *memory_of(uint64_t generation) const noexcept;
    bool close_for_good(uint64_t generation, TailWord &now, bool empty) noexcept;
    void begin_scan(Lsn start, Lsn end) noexcept;
    bool seal_generation(uint64_t generation, TailWord &now) noexcept;
    bool scan() noexcept;
    bool look_at(Lsn lsn) noexcept;
    void take_in(Lsn lsn, uint64_t word0, uint64_t word1) noexcept;
    void follow_chain(Lsn lsn, uint64_t word1) noexcept;
    Batch &finalise() noexcept;
    bool writes_through() noexcept;
    void fill_header(BatchHeader &header) noexcept;
    bool has_free_slot() const noexcept;
    bool has_uncut() const noexcept;
    void after_token() noexcept;

    // complete.cpp
    int write_batch(Batch &batch) noexcept;
    bool begin_write(Batch &batch) noexcept;
    void make_request(Batch &batch) noexcept;
    void complete(Batch &batch, int result) noexcept;
    void pass_written(uint64_t &ret_first, uint64_t &ret_end) noexcept;
    void recycle(uint64_t generation) noexcept;
    bool clean_one() noexcept;
    void clean(Buffer &buffer, uint64_t generation) noexcept;
    void raise_durable() noexcept;
    Mark publish_durable(Mark target) noexcept;
    void wake_passed(uint64_t first, uint64_t last) noexcept;
    void wake_leader() noexcept;
    void wake_everybody() noexcept;
    bool flush_now() noexcept;
    void prove() noexcept;
    int flush_files(Lsn from, Lsn to) noexcept;

    // wait.cpp
    bool is_settled(Lsn lsn, Status &ret) const noexcept;
    Status wait_leading(Lsn lsn) noexcept;
    Status wait_timed(Lsn lsn, Nanoseconds timeout) noexcept;
    bool could_lead(Lsn lsn) const noexcept;
    bool needs_flush(Lsn lsn) const noexcept;
    bool try_lead(Lsn lsn) noexcept;
    bool could_go_on(Lsn lsn) const noexcept;
    void be_patient(unsigned looks) noexcept;
    Batch *cut_for_waiter(Lsn lsn) noexcept;
    void gather() noexcept;
    unsigned gate_of(Lsn lsn) const noexcept;

    // evict.cpp
    bool evict_or_wait(Lsn lsn) noexcept;
    bool begin_eviction(uint64_t generation) noexcept;
    bool is_being_opened(uint64_t generation) const noexcept;
    void seal_for_eviction(uint64_t generation) noexcept;
    bool evict_unit(Lsn lsn) noexcept;
    uint64_t stuck_bytes(Lsn lsn, uint64_t word1) noexcept;
    bool add_range(Range range) noexcept;
    bool is_evicted(Lsn lsn) noexcept;
    void copy_out(Lsn lsn, uint64_t bytes) noexcept;
    void end_eviction() noexcept;

    // owner.cpp
    bool work() noexcept;
    bool reap(Nanoseconds timeout) noexcept;
    bool cut_due() noexcept;
    bool cut_with_token() noexcept;
    bool submit_ready() noexcept;
    bool submit(Batch &batch) noexcept;
    bool flush_due() noexcept;
    bool finish_closing() noexcept;
    bool is_drained() noexcept;
    bool is_closed() const noexcept;
    bool is_cut_due() noexcept;
    bool needs_flush_any() const noexcept;
    void notice_tail() noexcept;
    Nanoseconds sleep_limit() noexcept;

    // ---- constant after create()
    RingOptions options_;
    Io io_;
    RingHost host_;
    uint32_t seed_;
    unsigned shift_; ///< log2 of the buffer size
    uint64_t buffer_mask_;
    uint64_t short_limit_; ///< longest payload of the short path
    uint64_t split_from_;  ///< longer records are split at a buffer's end
    uint64_t fits_;        ///< a unit of so many bytes fits any buffer
    uint64_t epoch_;
    std::byte *arena_;
    size_t arena_size_;

    // ---- contended
    /// TailWord. Writers: anybody by fetch_add or CAS on the offset; who has CLAIMED the duty
    /// stores the next generation. Protects nothing: places are disjoint by arithmetic.
    alignas(kCacheLine) atomic<uint64_t> tail_;
    /// DutyWord. Writers: anybody by CAS; while CLAIMED who claimed it.
    alignas(kCacheLine) atomic<uint64_t> duty_;
    /// kDeep: the I/O thread sleeps without a limit, or must be told of each append. Writer: it,
    /// and who wakes it. kPoison: for ever. kFull, a hint: look at the tail before adding to it.
    /// Writers: who found it full; who opens the next generation clears it first.
    alignas(kCacheLine) atomic<uint32_t> attention_;
    Buffer buffers_[kMostBuffers];

    // ---- rotation
    /// Where the cut of that number ended. Writer: the token, before that number is in the tail.
    alignas(kCacheLine) atomic<uint64_t> open_position_[TailWord::kCuts];
    atomic<uint64_t> ready_upto_;  ///< segments that begin below are ready. Writer: the preparer
    atomic<uint64_t> wanted_upto_; ///< segments that begin below are wanted. Writers: by CAS, rises
    /// The generation for whose buffer a large unit sleeps, all below it committed; 0: none does.
    /// Writer: who has CLAIMED the duty to open it.
    atomic<uint64_t> opener_sleeps_;
    atomic<uint32_t> space_code_; ///< errno that answers who needs a segment. Writer: the preparer
    atomic<uint32_t> state_;      ///< State. Writers: close(), and the I/O thread at the end
    atomic<uint64_t> sealed_at_;  ///< end of the log after close()'s cut, else 0. Writer: the token
    Gate room_;                   ///< who waits for a place, or a large unit for a buffer

    // ---- cutting
    Lock token_;
    Cutter cutter_;
    atomic<uint64_t> cut_;       ///< end of the last batch that was finalised. Writer: the token
    atomic<uint64_t> cut_whole_; ///< the same, but no chain lies across. Writer: the token
    atomic<uint64_t> closed_;    ///< end of the batch that is scanned. Writer: the token
    atomic<uint64_t> next_sequence_;     ///< of the batch to be finalised next. Writer: the token
    atomic<uint32_t> owner_wants_token_; ///< the I/O thread found it held. Protects its wake-up
    atomic<uint64_t> flush_upto_; ///< asked of the I/O thread: cut and flush below. Rises, by CAS
    atomic<uint32_t> eager_;      ///< somebody polls: cut at once. Writer: flush_eagerly()
    Batch batches_[kBatches];

    // ---- completing
    mutable Lock mark_;                            ///< written_, durable_ and all to owner_'s line
    alignas(kCacheLine) atomic<uint64_t> written_; ///< Writer: under mark_, rises
    atomic<uint64_t> durable_;          ///< Writer: under mark_, rises. Protects what it promises
    atomic<uint64_t> written_sequence_; ///< last batch below written_. Writer: under mark_
    atomic<uint64_t> durable_sequence_; ///< last batch below durable_. Writer: under mark_
    atomic<uint32_t> commits_; ///< writes of waiters in flight. Writers: up under the token
    atomic<uint32_t> poison_;  ///< errno. Writer: under mark_, once
    atomic<uint64_t> poison_lsn_;
    Mark safe_;     ///< of what is written
    Mark provable_; ///< of what is on disk for sure
    bool proving_;  ///< somebody is in RingHost::evidence
    Lsn flushed_;   ///< all below is on disk, written with RWF_DSYNC or flushed
    Lsn plain_end_; ///< of the last batch below written_ that went without RWF_DSYNC
    atomic<uint32_t> shares_errors_; ///< 0 or 1. Writer: the preparer
    atomic<uint32_t> wants_flush_;   ///< plain_end_ > flushed_. Writer: under mark_
    Nanoseconds last_write_;
    Lock flushing_; ///< one flush at a time
    Gate flush_gate_;
    Gate gates_[kGates], timed_gates_[kGates];
    Gate close_gate_;

    // ---- rarely
    Lock desk_lock_;
    Opening openings_[kMostReservations];
    atomic<uint32_t> open_count_; ///< entries in use; a hint outside desk_lock_
    Lock eviction_lock_;
    Ranges *ranges_;
    Ranges first_ranges_;

    // ---- the I/O thread's own
    struct alignas(kCacheLine) Owner {
        uint32_t in_flight;
        uint64_t next_submit; ///< sequence
        TailWord last_tail;
        Nanoseconds since;       ///< when the open batch was first seen with something in it
        Nanoseconds last_change; ///< of the tail
        Nanoseconds last_flush;
        bool has_uncut;
        bool blocked;     ///< the scan waits for somebody
        Nanoseconds poll; ///< and so long until it looks again
    } owner_;

    struct alignas(kCacheLine) Counters {
        atomic<uint64_t> records, record_bytes, batches, batch_bytes, padding;
        atomic<uint64_t> by_waiters, by_owner, flushes, rotations, room_waits, stalls, evictions;
        atomic<uint64_t> leaked, not_ready;
        uint64_t latency[64]; ///< under mark_
    } count_;
};

} // namespace weir

#include "core/flush/ring_hot.hpp"
