// SPDX-License-Identifier: MIT OR Apache-2.0
// What is done with a log on a volatile disk, and what is asked of the log in an image of it.
#pragma once

#include "tests/disk/appender.hpp"

namespace disk {

constexpr unsigned kMostThreads = 4; ///< that append at the same time

/// Recovers what the last cut left, if anything, then appends with threads, waits, truncates, keeps
/// a cursor, closes or is killed, and opens again; beside it other files are written. `life` knows
/// what was before, and learns the rest.
class Workload {
  public:
    Workload(VolatileDisk &disk, std::string const &root, weir_log_backend backend, uint64_t seed,
             uint64_t number, Life &life);
    Finding run();

  private:
    struct Session;

    /// `lazy`: more is left unflushed when the process is killed.
    int open(Session &session, bool lazy);
    Finding session();
    Finding killed_session();
    Finding look_back(Session const &session);
    void append(Session &session, bool short_too);
    Finding note(Session const &session);
    void sort();

    VolatileDisk &disk_;
    std::string root_, folder_;
    weir_log_backend backend_;
    Random random_;
    uint64_t next_id_;
    Life &life_;
    weir_log *log_ = nullptr;
};

/// Looks at the log as its user would after a power cut at that position, and goes on using it.
Finding check_image(std::string const &root, Life const &life, uint64_t position,
                    weir_log_backend backend, uint64_t seed);

/// Any options under which the guarantees are the same.
weir_log_options any_options(Random &random, weir_log_backend backend);

} // namespace disk
