// SPDX-License-Identifier: MIT OR Apache-2.0
// Runs of power cuts.
#include "tests/fault/crash_run.hpp"

#include "core/log/repair.hpp"

#include <cstdio>

namespace fault {

using namespace weir;

namespace {

constexpr char kTold[] = "told";

class DrivenSerialLog : public DrivenLog {
  public:
    DrivenSerialLog(Disk &disk, Oracle &oracle, SerialOptions const &options)
        : log_(disk, oracle, options)
    {
    }
    Status start(Recovered &recovered) override { return log_.start(recovered); }
    Status random_step(Random &random) override { return log_.random_step(random); }
    Status close_cleanly() override { return log_.close_cleanly(); }

  private:
    SerialLog log_;
};

} // namespace

std::unique_ptr<DrivenLog> make_serial_log(Disk &disk, Oracle &oracle, SerialOptions const &options)
{
    return std::make_unique<DrivenSerialLog>(disk, oracle, options);
}

CrashRun::CrashRun(uint64_t seed, bool talk, MakeLog make)
    : seed_(seed), talk_(talk), make_(make), random_(seed), disk_(seed)
{
    options_.segment_size = uint64_t{32 << 10} << random_.below(2);
    options_.durable_writes = !random_.one_in(3);
    options_.recycle = !random_.one_in(3);
    disk_.limits.direct = random_.one_in(2);
}

void CrashRun::say(std::string const &what)
{
    if (talk_)
        printf("# %s\n", what.c_str());
}

std::string CrashRun::run()
{
    uint64_t const rounds = 2 + random_.below(4);
    for (uint64_t i = 0; i < rounds; ++i) {
        std::string const why = round();
        if (!why.empty())
            return "round " + std::to_string(i) + ": " + why;
        if (!disk_.violations().empty())
            return disk_.violations().front();
    }
    counts_.units += oracle_.size();
    return "";
}

/// Recovery until it gets through; each time it may be cut.
std::string CrashRun::recover_cut_by_cuts(Disk &disk, Recovered &ret)
{
    for (unsigned cuts = 0;; ++cuts) {
        if (cuts < 3 && random_.one_in(3))
            disk.cut_after(random_.below(24));
        ret = Recovered();
        RecoverOptions options = recover_options(options_);
        options.verify_all = random_.one_in(4);
        Status const status = recover(disk.io(), options, ret);
        bool const cut = disk.off();
        if (status.ok() && !cut) {
            disk.never_cut();
            say("recovered to " + std::to_string(ret.start.at) + ", epoch " +
                std::to_string(ret.start.epoch) + ", " + log_finding_text(ret.report.at_end));
            counts_.torn += ret.report.verdict == LogVerdict::torn ? 1 : 0;
            if (ret.report.verdict == LogVerdict::corrupt)
                return "opened and CORRUPT";
            return "";
        }
        if (status.ok())
            release_recovered(disk.io(), ret);
        if (disk.open_files() != 0)
            return "recovery left files open";
        if (!cut)
            return "recovery says " + std::to_string(status.code) + ": " +
                   log_finding_text(ret.report.finding) + " at " + std::to_string(ret.report.lsn) +
                   ", P " + std::to_string(ret.report.end) + ", D " +
                   std::to_string(ret.report.durable);
        say("cut in recovery");
        disk.power_cut(random_);
        ++counts_.states;
        ++counts_.nested;
    }
}

/// The log's life until something ends it. "" also if it failed as it should.
std::string CrashRun::live(Recovered &recovered)
{
    clean_ = false;
    if (random_.one_in(8))
        disk_.never_cut();
    else
        disk_.cut_after(random_.below(150));
    std::unique_ptr<DrivenLog> log = make_(disk_, oracle_, options_);
    Status status = log->start(recovered);
    uint64_t const steps = random_.below(200);
    for (uint64_t i = 0; i < steps && status.ok(); ++i) {
        if (random_.one_in(40)) // what would be left if the power went now
            if (std::string const why = other_outcomes(disk_, 1); !why.empty())
                return why;
        status = log->random_step(random_);
    }
    if (status.ok() && random_.one_in(4)) {
        status = log->close_cleanly();
        clean_ = status.ok();
    }
    if (!status.ok() && !disk_.off()) {
        std::string const why = log->explain(status);
        if (!why.empty())
            return why;
        ++counts_.failures;
        say("failed with " + std::to_string(status.code));
    }
    // The other outcomes of the same moment, while requests are still in flight.
    std::string const others = other_outcomes(disk_, 4);
    if (!others.empty())
        return others;
    bool const off = disk_.off();
    log.reset();
    if (!off && random_.one_in(4)) {
        disk_.kill(random_);
        ++counts_.kills;
        say("killed");
    } else {
        disk_.power_cut(random_);
        say("power cut");
    }
    return "";
}

/// Both superblocks lost, and perhaps a segment's header: built anew, however often that is cut.
std::string CrashRun::repair_cut_by_cuts(Disk &disk)
{
    for (uint64_t copy : {uint64_t{0}, kMetaSecondCopy})
        disk.rot("META", copy + 100, 1);
    for (unsigned cuts = 0;; ++cuts) {
        if (cuts < 3 && random_.one_in(2))
            disk.cut_after(random_.below(30));
        RepairOptions options;
        options.lock_timeout = 0;
        LogReport report;
        Status const status = repair(disk.io(), options, report);
        if (disk.open_files() != 0)
            return "repair left files open";
        if (!disk.off()) {
            disk.never_cut();
            // A power cut in a truncation may leave a hole among the names; without META nobody
            // knows that it is none.
            if (status.code == -kCorrupt && report.finding == LogFinding::segment_missing)
                return kTold;
            return status.ok() ? ""
                               : "repair says " + std::to_string(status.code) + ": " +
                                     log_finding_text(report.finding) + " at " +
                                     std::to_string(report.lsn) + ", from " +
                                     std::to_string(report.scanned_from) + " to " +
                                     std::to_string(report.end) + ", durable " +
                                     std::to_string(report.durable);
        }
        disk.power_cut(random_);
        ++counts_.states;
        ++counts_.nested;
    }
}

std::string CrashRun::outcome(Disk &disk)
{
    bool const segments = disk.has("META") && [&] {
        for (std::string const &name : disk.names())
            if (name.rfind("seg-", 0) == 0)
                return true;
        return false;
    }();
    if (segments && random_.one_in(8)) {
        ++counts_.repaired;
        std::string const why = repair_cut_by_cuts(disk);
        if (!why.empty())
            return why == kTold ? "" : why;
    }
    uint64_t const nested = counts_.nested;
    Recovered recovered;
    std::string why = recover_cut_by_cuts(disk, recovered);
    if (!why.empty())
        return why;
    why = oracle_.check(disk.io());
    if (clean_ && counts_.nested == nested && recovered.report.verdict != LogVerdict::whole)
        why = std::string("closed cleanly, but ") + log_finding_text(recovered.report.finding) +
              " at " + std::to_string(recovered.report.lsn);
    release_recovered(disk.io(), recovered);
    return why;
}

std::string CrashRun::other_outcomes(Disk const &disk, unsigned count)
{
    for (unsigned i = 0; i < count; ++i) {
        Disk copy(disk);
        copy.power_cut(random_);
        ++counts_.states;
        std::string const why = outcome(copy);
        if (!why.empty())
            return "outcome " + std::to_string(i) + ": " + why;
    }
    return "";
}

std::string CrashRun::round()
{
    Recovered recovered;
    std::string why = recover_cut_by_cuts(disk_, recovered);
    if (why.empty())
        why = oracle_.check_and_go_on(disk_.io());
    if (!why.empty()) {
        release_recovered(disk_.io(), recovered);
        return why;
    }
    ++counts_.epochs;
    counts_.truncated += recovered.first_segment > 0 ? 1 : 0;
    why = live(recovered);
    ++counts_.states;
    return why;
}

} // namespace fault
