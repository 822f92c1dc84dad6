// SPDX-License-Identifier: MIT OR Apache-2.0
// The segment files of a log that is open for appending: making them ahead, finding the one that
// holds an LSN, taking them away.
//
// States of a file
//   spare-<k>.seg, being zeroed --finish_next()--> seg-<base>.log, READY: header durable, named,
//   folder durable --the ring gets there--> ACTIVE --> FULL --remove_before()--> spare or gone.
//   A segment is named only when it is whole: recovery never meets half of one. What recovery finds
//   behind the log's end with a right header is READY as well.
//
// Death
//   while it is a spare: recovery removes spares. Between rename and the folder's fsync: it is there
//   or not, both are fine, nothing was promised. In remove_before(): truncate-before stands in META
//   already, recovery finishes.
//
// Threads: one at a time changes anything (the log's files lock); file_at() is for any thread.
#pragma once

#include "core/base/atomic.hpp"
#include "core/flush/io.hpp"
#include "core/log/recovery.hpp"

namespace weir {

enum class Prepare : uint32_t { automatic = 0, zeroed = 1, fallocated = 2 };

struct SegmentsOptions {
    Superblock superblock{}; ///< what headers of new segments say
    uint32_t mode = 0600;
    bool zero = true;         ///< Prepare::fallocated: false
    uint32_t keep_spares = 2; ///< files that are kept for reuse
    uint64_t most_open = 64;  ///< segments that are open for writing at one time
    uint64_t max_bytes = 0;   ///< of all segment files; 0: no limit
    Nanoseconds lock_timeout = 5 * kSecond;
};

struct SegmentCounts {
    uint64_t made = 0, recycled = 0, removed = 0;
    uint64_t handed_out_unzeroed = 0; ///< because somebody was about to need them
};

class Segments {
  public:
    Segments() noexcept = default;
    Segments(Segments const &) = delete;
    Segments &operator=(Segments const &) = delete;
    ~Segments();

    Status open(Io const &io, SegmentsOptions const &options) noexcept;
    void close() noexcept;
    /// In a fork child's hook: its descriptors would keep the locks of a parent that dies.
    void forget() noexcept;

    /// What recovery found, and the files that it opened and locked: they are taken over.
    void adopt(Recovered &found) noexcept;

    // ---- the next one, in steps, so that other work gets its turn
    bool preparing() const noexcept { return preparing_; }
    /// Takes a spare or makes one; its space is certain then. -ENOSPC.
    Status begin_next() noexcept;
    /// Writes up to `bytes` of what still has to be zeroed; returns how many.
    Result<uint64_t> zero_some(uint64_t bytes) noexcept;
    bool zeroed() const noexcept { return zeroed_ == size_; }
    /// Header, name, folder: it is READY.
    Status finish_next() noexcept;
    /// Nothing was promised: the file goes.
    void give_up_next() noexcept;

    /// All segments below are ready.
    Lsn ready() const noexcept { return next_; }
    Lsn first() const noexcept { return first_; }
    uint64_t size() const noexcept { return size_; }

    /// Any thread: the file for I/O on `lsn`.
    File file_at(Lsn lsn) const noexcept;

    /// CLOCK_REALTIME ns of the last change of the segment at `base`, which may be closed.
    Result<Nanoseconds> changed_at(Lsn base) const noexcept;

    /// Descriptors of whole segments below: no write will come there.
    void close_before(Lsn lsn) noexcept;
    /// Whole segments below, oldest first.
    Status remove_before(Lsn lsn) noexcept;

    SegmentCounts counts() const noexcept { return counts_; }

  private:
    static constexpr unsigned kMostSpares = 32;

    /// {number: low 32 bits | file + 1}. Writer: who holds the files lock, release; readers acquire.
    atomic<uint64_t> *slot_of(Lsn lsn) const noexcept;
    void put(Lsn base, File file) noexcept;
    uint64_t word_of(Lsn lsn, File file) const noexcept;
    Status open_locked(char const *name, unsigned flags, File &ret) noexcept;
    Status take_spare() noexcept;
    uint64_t bytes_of_all() const noexcept;
    void close_slot(Lsn base) noexcept;
    static void spare_name(unsigned k, char (&ret)[kSegmentNameBytes]) noexcept;

    Io io_{};
    SegmentsOptions options_{};
    uint64_t size_ = 0; ///< S
    atomic<uint64_t> *slots_ = nullptr;
    uint64_t slot_mask_ = 0;
    Lsn first_ = 0;
    Lsn next_ = 0;
    Lsn opened_at_ = 0; ///< the segment in which the log went on
    Lsn closed_ = 0;    ///< no descriptors of segments below

    bool preparing_ = false;
    bool reused_ = false;
    File file_ = kNoFile;
    unsigned number_ = 0; ///< of its name
    uint64_t zeroed_ = 0;

    unsigned spares_[kMostSpares] = {};
    unsigned spare_count_ = 0;
    unsigned next_spare_ = 0;
    SegmentCounts counts_{};
};

} // namespace weir
