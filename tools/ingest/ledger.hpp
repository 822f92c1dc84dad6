// SPDX-License-Identifier: MIT OR Apache-2.0
// The ledger of an ingest: a block of the matrix that all workers share.
//
// Layout: Head, then `files` Entry, then `workers` WorkerSlot, then the paths without NULs. All is
// written by the parent before the first worker starts, except for what is atomic.
#pragma once

#include "histogram.hpp"
#include "tree.hpp"

#include "../matrix_handle.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tool::ingest {

/// What a worker's time goes to.
enum Phase : std::size_t {
    kReadFile, ///< producer: open, fstat, read into the block
    kAlloc,    ///< producer: weir_matrix_alloc that succeeded
    kPost,     ///< producer: weir_channel_post that succeeded
    kTake,     ///< both: weir_channel_read that got a message
    kChecksum, ///< consumer
    kWrite,    ///< consumer: the file of --out
    kLog,      ///< consumer: append to the log of --log, and waiting until it is durable
    kAck,      ///< both: weir_channel_ack, which frees the block
    kWait,     ///< both: for a message, for room in the channel or in the matrix
    kPhases,
};

enum class Kind : std::uint8_t {
    pending = 0,
    delivered = 1,
    unreadable = 2, ///< `value` is the errno
    unstable = 3,   ///< it kept changing its size while it was read; `value` 1: its size is no size
    unwritable = 4, ///< `value` is the errno
};

/// What became of one file, in one word so that it is recorded as a whole or not at all.
struct Outcome {
    Kind kind = Kind::pending;
    std::uint32_t value = 0; ///< checksum or errno

    static Outcome unpack(std::uint64_t word)
    {
        return {static_cast<Kind>(word >> 32 & 0xff), static_cast<std::uint32_t>(word)};
    }
    std::uint64_t pack() const { return static_cast<std::uint64_t>(kind) << 32 | value; }
};

struct Entry {
    std::uint64_t path_offset;
    std::uint64_t path_length;
    /// Outcome. Written once, by CAS from 0, by whoever finishes the file first.
    std::atomic<std::uint64_t> outcome;
    /// Of the delivered bytes. Written by each deliverer before `outcome`, which publishes it.
    std::atomic<std::uint64_t> length;
    /// How often a consumer got it. Consumers add 1 each.
    std::atomic<std::uint32_t> deliveries;
    /// Deliveries that differ from the first. Consumers add 1 each.
    std::atomic<std::uint32_t> conflicts;
    /// Position + 1 of its record in the log, 0: none. Written by the log's writer before `outcome`.
    std::atomic<std::uint64_t> logged;
    /// Permission bits of the file. Written by each producer before its post, which publishes it.
    std::atomic<std::uint32_t> mode;
};

/// One worker's counters. Only the worker in this slot writes, so plain load and store do; a
/// successor of a killed worker goes on where that one stopped.
struct alignas(64) WorkerSlot {
    std::array<std::atomic<std::uint64_t>, kPhases> phase_ns;
    std::atomic<std::uint64_t> messages;    ///< files it finished
    std::atomic<std::uint64_t> bytes;       ///< of them
    std::atomic<std::uint64_t> redelivered; ///< messages that somebody had before
    std::atomic<std::uint64_t> full;        ///< allocations that had to wait for memory
    std::atomic<std::uint64_t> rereads;     ///< files that changed their size meanwhile
    std::atomic<std::uint64_t>
        starved_by;    ///< what its allocation fails with now, as errno; 0: none
    Histogram latency; ///< consumers: from post to read
};

/// Adds to a counter that only the caller writes.
inline void bump(std::atomic<std::uint64_t> &counter, std::uint64_t by = 1)
{
    // relaxed: single writer; readers want a number, not an order
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "processes share these");
static_assert(std::atomic<std::uint32_t>::is_always_lock_free, "processes share these");

class Ledger {
  public:
    /// Allocates, fills and binds it. Throws if the matrix has no room for it.
    static Ledger create(Matrix const &matrix, std::vector<std::string> const &paths,
                         std::uint32_t workers);
    /// Finds the parent's.
    static Ledger attach(Matrix const &matrix);

    /// Bytes it takes in the matrix.
    static std::uint64_t size_for(std::vector<std::string> const &paths, std::uint32_t workers);

    std::uint64_t files() const { return files_; }
    std::uint32_t workers() const { return workers_; }
    Entry &entry(std::uint64_t index) const { return entries_[index]; }
    WorkerSlot &slot(std::uint32_t index) const { return slots_[index]; }
    std::string path(std::uint64_t index) const;

    /// Records what became of a file, if nobody did before.
    void record_failure(std::uint64_t index, Outcome outcome) const;
    /// Records a delivery; one that differs from an earlier one is a conflict.
    void record_delivery(std::uint64_t index, std::uint64_t length, std::uint32_t checksum) const;

  private:
    struct Head;
    Ledger(char *base, std::size_t size);

    std::uint64_t files_;
    std::uint32_t workers_;
    Entry *entries_;
    WorkerSlot *slots_;
    char const *paths_;
    std::uint64_t paths_bytes_;
};

} // namespace tool::ingest
