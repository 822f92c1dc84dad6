// SPDX-License-Identifier: MIT OR Apache-2.0
// One worker process as its parent sees it.
#pragma once

#include "ingest.hpp"

#include <sys/types.h>

namespace tool::ingest {

/// How a process ended.
enum class End : std::uint8_t {
    none,   ///< it has not
    clean,  ///< exit code 0
    killed, ///< SIGKILL
    failed, ///< anything else
};

class Process {
  public:
    Process(Role role, WorkerOptions options);
    Process(Process const &) = delete;
    Process &operator=(Process const &) = delete;
    Process(Process &&other) noexcept;
    Process &operator=(Process &&) = delete;
    ~Process(); ///< kills what still runs

    /// Starts the program of this process anew, as a worker. Throws if that fails.
    void start();
    /// Sends SIGKILL; poll() tells when it is gone.
    void kill();
    /// Looks whether it ended; a process is reported once.
    End poll();

    bool running() const { return pid_ > 0; }
    Role role() const { return role_; }

  private:
    Role role_;
    WorkerOptions options_;
    pid_t pid_ = 0;
};

} // namespace tool::ingest
