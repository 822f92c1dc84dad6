// SPDX-License-Identifier: MIT OR Apache-2.0
// What a run of weir ingest found out, and how it is told.
#pragma once

#include "ingest.hpp"
#include "ledger.hpp"
#include "tree.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace tool::ingest {

/// What the parent saw of its workers.
struct Supervision {
    std::int64_t run_ns = 0;
    std::uint64_t killed_producers = 0;
    std::uint64_t killed_consumers = 0;
    std::uint64_t failed_workers = 0; ///< ended on their own, not because of us
    std::uint64_t hung_workers = 0;   ///< did not end when the channels were retired
    std::uint64_t kills_withheld = 0; ///< kills that were skipped because nothing got done any more
    std::uint64_t healed = 0;         ///< participants
    std::uint64_t reclaimed_blocks = 0;
    std::uint64_t reclaimed_bytes = 0;
    std::uint64_t interrupted = 0; ///< operations that healing finished or undid
    std::int64_t longest_heal_ns = 0;
};

/// What the workers counted in the ledger.
struct Work {
    std::array<std::uint64_t, kPhases> phase_ns{};
    std::uint64_t redelivered_jobs = 0;
    std::uint64_t redelivered_blocks = 0;
    std::uint64_t full = 0;
    std::uint64_t rereads = 0;
    std::uint64_t latency_samples = 0;
    std::uint64_t latency_p50_ns = 0;
    std::uint64_t latency_p99_ns = 0;
    std::uint64_t latency_max_ns = 0;
};

struct Problem {
    std::string path;
    std::string reason;
};

/// The comparison of what was delivered with the files.
struct Verification {
    std::int64_t duration_ns = 0;
    std::uint64_t verified = 0;
    std::uint64_t verified_bytes = 0;
    std::uint64_t deliveries = 0;
    std::uint64_t duplicates = 0; ///< deliveries after a file's first
    std::vector<Problem> problems;
};

/// The segment after everybody else left and all is freed.
struct SegmentState {
    int errors = 0;
    std::uint64_t used_blocks = 0;
    std::uint64_t used_bytes = 0;
    std::uint64_t claimed_bytes = 0;
    std::uint64_t committed_bytes = 0;
    std::uint64_t free_bytes = 0;
    std::uint64_t free_blocks = 0;
    std::uint64_t sectors = 0; ///< that have committed data
    std::uint64_t orphans = 0;
    std::uint64_t allocs = 0;
    std::uint64_t frees = 0;
    std::uint64_t stalls = 0;

    /// Nothing is left, nothing is broken, and all free memory of a sector is one piece.
    bool whole() const
    {
        return errors == 0 && used_blocks == 0 && claimed_bytes == 0 &&
               free_bytes == committed_bytes && free_blocks == sectors;
    }
};

/// The log of --log when its last writer has closed it.
struct LogState {
    std::uint64_t records = 0; ///< of this run
    std::uint64_t bytes = 0;   ///< of their files
    std::uint64_t duplicates = 0;
    std::uint64_t openings = 0; ///< by writers, the parent's not counted
    std::uint64_t batches = 0;
    std::string verdict; ///< of weir_log_verify()
    bool whole = true;
};

struct Summary {
    Options const &options;
    Tree const &tree;
    Supervision supervision;
    Work work;
    Verification verification;
    LogState log;
    SegmentState segment;

    bool good() const
    {
        return log.whole && verification.problems.empty() && tree.unreadable.empty() &&
               segment.whole() && supervision.failed_workers == 0 && supervision.hung_workers == 0;
    }
};

/// Sums up the worker slots.
Work sum_up(Ledger const &ledger, std::uint32_t producers);

/// Reads all files again and compares them, and the written ones, with the ledger.
Verification verify(Ledger const &ledger, Options const &options);

void show_text(Summary const &summary);
void show_json(Summary const &summary);

} // namespace tool::ingest
