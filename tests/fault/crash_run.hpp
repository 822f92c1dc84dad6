// SPDX-License-Identifier: MIT OR Apache-2.0
// One run of power cuts: everything follows from its seed.
//
//   create -> { append, cut, write, hint, truncate, close ... -> power cut or kill
//               -> recovery, itself cut up to three times -> oracle } several times
//
// A copy of the disk costs little (pages.hpp): between the steps, and several times at the end, the
// power goes for a copy, which is recovered and read; the run goes on.
//
// The log under test is an interface: the serial writer, or the whole log with its ring.
#pragma once

#include "tests/fault/serial_log.hpp"

namespace fault {

struct CrashCounts {
    uint64_t states = 0, nested = 0, epochs = 0, units = 0, kills = 0, torn = 0, truncated = 0,
             repaired = 0, failures = 0;
    void add(CrashCounts const &other)
    {
        states += other.states;
        nested += other.nested;
        epochs += other.epochs;
        units += other.units;
        kills += other.kills;
        torn += other.torn;
        truncated += other.truncated;
        repaired += other.repaired;
        failures += other.failures;
    }
};

/// What is driven between two crashes. Its destructor is the death of the process.
class DrivenLog {
  public:
    virtual ~DrivenLog() = default;
    virtual weir::Status start(weir::Recovered &recovered) = 0;
    /// Any one thing that the log can do. A failure ends it.
    virtual weir::Status random_step(Random &random) = 0;
    virtual weir::Status close_cleanly() = 0;
    /// It has failed with the power on: "" if it had a reason and failed as it should.
    virtual std::string explain(weir::Status status)
    {
        return "log failed with " + std::to_string(status.code);
    }
};
using MakeLog = std::unique_ptr<DrivenLog> (*)(Disk &disk, Oracle &oracle,
                                               SerialOptions const &options);
std::unique_ptr<DrivenLog> make_serial_log(Disk &disk, Oracle &oracle,
                                           SerialOptions const &options);
/// The log that ships, without its threads (ring_log.cpp), on a disk that may fail as well.
std::unique_ptr<DrivenLog> make_ring_log(Disk &disk, Oracle &oracle, SerialOptions const &options);

class CrashRun {
  public:
    explicit CrashRun(uint64_t seed, bool talk, MakeLog make = make_serial_log);
    /// "" or what went wrong.
    std::string run();
    CrashCounts const &counts() const { return counts_; }

  private:
    std::string round();
    std::string live(weir::Recovered &recovered);
    std::string recover_cut_by_cuts(Disk &disk, weir::Recovered &ret);
    std::string other_outcomes(Disk const &disk, unsigned count);
    std::string outcome(Disk &disk);
    std::string repair_cut_by_cuts(Disk &disk);
    void say(std::string const &what);

    uint64_t seed_;
    bool talk_;
    MakeLog make_;
    Random random_;
    SerialOptions options_;
    Disk disk_;
    Oracle oracle_;
    CrashCounts counts_;
    bool clean_ = false; ///< closed cleanly, nothing may be torn
};

} // namespace fault
