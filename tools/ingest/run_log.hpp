// SPDX-License-Identifier: MIT OR Apache-2.0
// The log of an ingest: a record for each file, as its writer makes it and the parent reads it.
#pragma once

#include "ingest.hpp"
#include "ledger.hpp"
#include "summary.hpp"
#include "worker.hpp"

#include "../log_handle.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace tool::ingest {

/// What a record begins with; the path and the file's bytes follow.
struct RecordHead {
    std::uint64_t index;
    std::uint64_t length;
    std::uint32_t mode;
    std::uint32_t path_length;
};
static_assert(sizeof(RecordHead) == 24);

/// The consumer's side: appends from the blocks, answers messages when their records are durable.
class LogWriter {
  public:
    LogWriter(Session const &session, Subscription const &reader);

    /// Appends; the block stays until flush(). False: it cannot be a record, which is recorded.
    void add(weir_message const &message, std::uint64_t index, void const *data,
             std::uint32_t checksum);
    bool is_empty() const { return pending_.empty(); }
    bool is_full() const;
    /// Waits until all is durable, records the outcomes, answers.
    void flush();

  private:
    struct Pending {
        weir_message message;
        std::uint64_t index;
        std::uint64_t lsn;
        std::uint32_t checksum;
    };

    Session const &session_;
    Subscription const &reader_;
    Log log_;
    std::vector<Pending> pending_;
    std::uint64_t pending_bytes_ = 0;
};

/// The parent's side: makes the log, knows where this run begins in it, compares.
class RunLog {
  public:
    explicit RunLog(Options const &options);
    /// Adds a problem for each file whose record is missing or different.
    LogState compare(Ledger const &ledger, Verification &verification) const;

  private:
    Options const &options_;
    std::uint64_t begin_ = 0;
    std::uint64_t epoch_ = 0;
    std::uint64_t batches_ = 0; ///< that were there before
};

} // namespace tool::ingest
