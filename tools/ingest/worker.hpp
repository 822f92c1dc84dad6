// SPDX-License-Identifier: MIT OR Apache-2.0
// What producers and consumers share: their place in the run, their clock, patient calls.
#pragma once

#include "ingest.hpp"
#include "ledger.hpp"

#include "../clock.hpp"
#include "../matrix_handle.hpp"

namespace tool::ingest {

/// A worker's time, cut into phases: each lap ends where the next one begins.
class Laps {
  public:
    explicit Laps(WorkerSlot &slot) : slot_(slot), last_(now_ns()) {}

    void lap(Phase phase)
    {
        std::int64_t const now = now_ns();
        bump(slot_.phase_ns[phase], static_cast<std::uint64_t>(now - last_));
        last_ = now;
    }
    /// When the current lap began.
    std::int64_t since() const { return last_; }

  private:
    WorkerSlot &slot_;
    std::int64_t last_;
};

/// A worker's view of the run.
struct Session {
    Matrix const &matrix;
    Ledger const &ledger;
    WorkerSlot &slot;
    WorkerOptions const &options;
    Laps &laps;
};

/// Attaches to a channel of the run; none if the run was over before this worker got here.
Channel join(Session const &session, char const *name);

/// Takes the next message; false if the channel was retired, that is, the run is over.
/// Waits in short turns, so that the library looks for dead peers in between.
bool take(Session const &session, Subscription const &reader, weir_message &ret_message);

/// The same without waiting: false if there is none now.
bool take_at_once(Session const &session, Subscription const &reader, weir_message &ret_message);

/// Answers a message: it is done.
void acknowledge(Session const &session, Subscription const &reader, weir_message const &message);

/// The file that a message is about.
std::uint64_t file_of(Session const &session, weir_message const &message);

void produce(Session const &session);
void consume(Session const &session);

} // namespace tool::ingest
