// SPDX-License-Identifier: MIT OR Apache-2.0
// The parent of an ingest: posts the jobs, restarts workers, kills some, knows when all is done.
#pragma once

#include "process.hpp"
#include "segment.hpp"
#include "summary.hpp"

#include "../output.hpp"

#include <cstdint>
#include <random>
#include <vector>

namespace tool::ingest {

class Supervisor {
  public:
    Supervisor(Options const &options, Segment &segment, std::uint64_t tree_bytes,
               std::string scratch);

    /// Runs until every file has an outcome and all workers are gone.
    /// Throws if it is interrupted, or if nothing gets done any more.
    Supervision run();

  private:
    void start_workers();
    void step();
    void feed();
    bool post_job();
    void reap();
    void heal();
    void kill_if_due();
    Process &choose();
    bool all_done();
    void check_progress();
    int what_starves() const;
    void show_progress();
    void shut_down();

    Options const &options_;
    Segment &segment_;
    std::uint64_t tree_bytes_;
    std::string scratch_;
    std::vector<Process> workers_;
    Supervision result_;
    Progress progress_;
    std::mt19937_64 random_;

    std::uint64_t next_job_ = 0;         ///< files whose jobs were posted
    weir_ref job_block_ = WEIR_REF_NONE; ///< of the next job, if it waits for room
    std::uint64_t finished_ = 0;         ///< files before this one have an outcome
    std::int64_t begin_ns_ = 0;
    std::int64_t next_kill_ns_ = 0;
    std::uint64_t seen_messages_ = 0;
    std::uint64_t seen_bytes_ = 0;
    std::int64_t last_message_ns_ = 0; ///< when a worker last finished something
    std::int64_t last_byte_ns_ = 0;    ///< when a worker last did anything
};

} // namespace tool::ingest
