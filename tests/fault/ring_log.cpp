// SPDX-License-Identifier: MIT OR Apache-2.0
// The log that ships, with its ring, on the disk of these tests: no threads, so that a seed says
// all. What its two threads would do is done between the calls, in any order and as often as the
// seed says.
//
// What a step may find out at once
//   - what was appended gets its place at the tail, and tails and durable LSNs never fall
//   - nobody waits in vain: with work() and tend() all that was appended becomes durable, or the
//     log is poisoned
//   - poison is final: no append succeeds, and durable stands still
// The rest is the oracle's, after the crash.
#include "tests/fault/crash_run.hpp"

#include "core/log/log.hpp"

#include <algorithm>

namespace fault {

using namespace weir;

namespace {

constexpr unsigned kMostRounds = 4000; ///< of both threads, until something must have happened
constexpr int kStuck = -100000;        ///< it has not
constexpr int kWrong = -100001;        ///< a check failed; why_ says which

class DrivenRingLog : public DrivenLog {
  public:
    DrivenRingLog(Disk &disk, Oracle &oracle, SerialOptions const &options)
        : disk_(disk), oracle_(oracle), options_(options), io_(disk.io()),
          random_(disk.operations() + 77)
    {
    }
    ~DrivenRingLog() override
    {
        disk_.leave_behind();
        Log::close(log_);
    }

    Status start(Recovered &recovered) override;
    Status random_step(Random &random) override;
    Status close_cleanly() override;
    std::string explain(Status status) override;

  private:
    struct Open {
        Lsn lsn;
        uint8_t *data;
        uint64_t length;
        uint16_t tag;
    };
    LogOptions log_options();
    void inject_something();
    Status one_step(Random &random);
    Status append(uint64_t length);
    Status append_batch(std::vector<uint64_t> const &lengths);
    Status append_large(uint64_t length);
    Status drain();
    Status reserve(uint64_t length);
    Status end_one();
    Status end_all();
    Status wait_for(Lsn lsn);
    Status sync_as_leader();
    Status truncate();
    Status place_of(Status (*call)(DrivenRingLog &, void *, Lsn &), void *argument, Lsn &ret);
    bool turn();
    void tend();
    Status watch(Status status);
    Status check_final();
    Status wrong(std::string const &why)
    {
        why_ = why;
        return Status{kWrong};
    }

    Disk &disk_;
    Oracle &oracle_;
    SerialOptions options_;
    Io io_;
    Log *log_ = nullptr;
    std::vector<Open> open_;
    std::string why_;
    Lsn durable_ = 0, tail_ = 0, start_ = 0;
    bool faulty_ = false, large_ = false, evicts_ = false, limited_ = false;
    uint64_t retains_ = 0;
    uint64_t content_ = 0;
    Random random_;
};

// ---- opening

LogOptions DrivenRingLog::log_options()
{
    LogOptions result;
    result.recovery = recover_options(options_);
    result.recovery.verify_all = random_.one_in(4);
    result.threads = false;
    result.evidence_before_ack = random_.one_in(4);
    // No time passes here: what waits for a while happens at once, or never.
    result.idle_evidence = random_.one_in(2) ? 0 : 3600 * kSecond;
    result.prepare = static_cast<Prepare>(random_.below(3));
    result.spare_segments = 1 + static_cast<uint32_t>(random_.below(2));
    result.ring.buffer_size = options_.buffer_size;
    result.ring.buffer_count = random_.one_in(2) ? 4 : 8;
    result.ring.durability = options_.durable_writes ? Durability::sync : Durability::none;
    result.ring.write_depth = 1 + static_cast<uint32_t>(random_.below(3));
    result.ring.commit_depth = 1 + static_cast<uint32_t>(random_.below(2));
    result.ring.idle_flush = -1;
    // What is reserved is given up never, or when the cut comes to it.
    evicts_ = random_.one_in(5);
    result.ring.stall_timeout = evicts_ ? 0 : -1;
    result.ring.max_record = 64 << 10;
    retains_ = random_.one_in(5) ? options_.segment_size * (1 + random_.below(2)) : 0;
    result.retain_bytes = retains_;
    limited_ = random_.one_in(6);
    result.max_bytes = limited_ ? options_.segment_size * (4 + random_.below(3)) : 0;
    return result;
}

void DrivenRingLog::inject_something()
{
    struct Fault {
        char const *kind, *name;
        Bad bad;
    };
    static constexpr Fault kFaults[] = {
        {"write", "seg-", Bad::eio},
        {"write", "seg-", Bad::short_write},
        {"write", "seg-", Bad::enospc},
        {"flush", "seg-", Bad::flush_fails},
        {"flush", "spare", Bad::flush_fails},
        {"write", "META", Bad::eio},
        {"write", "META", Bad::short_write},
        {"flush", "META", Bad::flush_fails},
        {"prealloc", "", Bad::enospc},
        {"write", "spare", Bad::enospc},
        {"rename", "", Bad::eio},
        {"dir", "", Bad::eio},
        {"unlink", "seg-", Bad::eio},
        {"open", "spare", Bad::eio},
        {"lock", "spare", Bad::eio},
        {"list", "", Bad::eio},
    };
    Fault const &fault = kFaults[random_.below(std::size(kFaults))];
    disk_.inject(fault.kind, fault.name, fault.bad, random_.below(12));
    faulty_ = true;
}

Status DrivenRingLog::start(Recovered &recovered)
{
    release_recovered(io_, recovered);
    disk_.begin_epoch();
    disk_.forget_injections();
    if (random_.one_in(4))
        inject_something();
    if (Status const status = Log::open_on(io_, log_options(), log_); !status.ok()) {
        log_ = nullptr;
        return disk_.open_files() == 0 ? status : wrong("open left files open");
    }
    start_ = durable_ = log_->durable();
    tail_ = log_->tail();
    content_ = disk_.operations() << 20; // never the same again
    if (start_ < oracle_.durable() && oracle_.size() != 0)
        return wrong("opened below what was acknowledged");
    if (random_.one_in(8))
        WEIR_TRY(log_->event_fd());
    return kOk;
}

// ---- what the threads would do

/// One round of either thread. False: the first has nothing to do.
bool DrivenRingLog::turn()
{
    bool const did = log_->work();
    if (!did || random_.one_in(4))
        tend();
    return did;
}

/// It may remove what retention lets go.
void DrivenRingLog::tend()
{
    if (retains_ != 0 && log_->durable() > retains_)
        oracle_.truncate(log_->durable() - retains_);
    (void)log_->tend();
}

/// After each step: what the log says never goes back.
Status DrivenRingLog::watch(Status status)
{
    Lsn const durable = log_->durable(), tail = log_->tail();
    if (durable < durable_ || tail < tail_ || durable > tail)
        return wrong("durable " + std::to_string(durable_) + " -> " + std::to_string(durable) +
                     ", tail " + std::to_string(tail_) + " -> " + std::to_string(tail));
    durable_ = durable, tail_ = tail;
    oracle_.acknowledge(durable);
    return status;
}

/// Calls until there is room; -EAGAIN is answered as a thread would be that has the log's threads
/// beside it.
Status DrivenRingLog::place_of(Status (*call)(DrivenRingLog &, void *, Lsn &), void *argument,
                               Lsn &ret)
{
    for (unsigned i = 0; i < kMostRounds; ++i) {
        if (large_)
            WEIR_TRY(drain());
        Status const status = call(*this, argument, ret);
        if (status.code != -EAGAIN)
            return status;
        if (!turn() && random_.one_in(8) && !open_.empty())
            WEIR_TRY(end_one()); // it may be the one that holds all up
    }
    return Status{kStuck};
}

// ---- appending

Status DrivenRingLog::append(uint64_t length)
{
    Content const content(++content_);
    std::vector<uint8_t> const bytes = content.bytes(length);
    auto const tag = static_cast<uint16_t>(random_.below(5));
    // In up to three pieces
    uint64_t const a = random_.below(length + 1), b = a + random_.below(length - a + 1);
    Part parts[3] = {
        {bytes.data(), a, tag}, {bytes.data() + a, b - a, 0}, {bytes.data() + b, length - b, 0}};
    bool const whole = random_.one_in(2);
    if (whole)
        parts[0].length = length;
    struct Call {
        Part *parts;
        size_t count;
    } call{parts, whole ? size_t{1} : size_t{3}};
    Lsn lsn = 0;
    WEIR_TRY(place_of(
        [](DrivenRingLog &self, void *argument, Lsn &ret) {
            auto const &with = *static_cast<Call *>(argument);
            return self.log_->ring().append(with.parts, with.count, 0, ret);
        },
        &call, lsn));
    if (lsn < tail_)
        return wrong("a place below the tail: " + std::to_string(lsn));
    Unit unit;
    unit.records = {{lsn, length, content, tag}};
    unit.lsn = unit.last = lsn;
    oracle_.add(unit);
    return kOk;
}

Status DrivenRingLog::append_batch(std::vector<uint64_t> const &lengths)
{
    std::vector<std::vector<uint8_t>> bytes;
    std::vector<Part> parts;
    Unit unit;
    for (uint64_t const length : lengths) {
        Content const content(++content_);
        bytes.push_back(content.bytes(length));
        auto const tag = static_cast<uint16_t>(parts.size());
        parts.push_back({bytes.back().data(), length, tag});
        unit.records.push_back({kUnknownLsn, length, content, tag});
    }
    Lsn lsn = 0;
    WEIR_TRY(place_of(
        [](DrivenRingLog &self, void *argument, Lsn &ret) {
            auto const &with = *static_cast<std::vector<Part> *>(argument);
            return self.log_->ring().append_batch(with.data(), with.size(), 0, ret);
        },
        &parts, lsn));
    unit.records.back().lsn = unit.last = lsn;
    unit.lsn = parts.size() == 1 ? lsn : tail_;
    if (lsn < tail_)
        return wrong("a place below the tail: " + std::to_string(lsn));
    oracle_.add(unit);
    return kOk;
}

/// Units of several buffers are appended by one thread while another one empties them. Here there
/// is none, so they are empty before, and enough.
Status DrivenRingLog::append_large(uint64_t length)
{
    WEIR_TRY(end_all());
    large_ = true;
    Status const status = length != 0 ? append(length) : append_batch({4000, 100, 4000, 3000, 9});
    large_ = false;
    return status;
}

Status DrivenRingLog::drain()
{
    return log_->tail() > log_->durable() ? wait_for(log_->tail() - 1) : kOk;
}

// ---- places that are filled later

Status DrivenRingLog::reserve(uint64_t length)
{
    Open open{0, nullptr, length, static_cast<uint16_t>(random_.below(9))};
    Lsn lsn = 0;
    WEIR_TRY(place_of(
        [](DrivenRingLog &self, void *argument, Lsn &ret) {
            auto &with = *static_cast<Open *>(argument);
            void *data = nullptr;
            Status const status = self.log_->ring().reserve(with.length, with.tag, 0, ret, data);
            with.data = static_cast<uint8_t *>(data);
            return status;
        },
        &open, lsn));
    open.lsn = lsn;
    if (lsn < tail_)
        return wrong("a place below the tail: " + std::to_string(lsn));
    open_.push_back(open);
    return kOk;
}

/// Commits or aborts any of them.
Status DrivenRingLog::end_one()
{
    if (open_.empty())
        return kOk;
    size_t const which = static_cast<size_t>(random_.below(open_.size()));
    Open const open = open_[which];
    open_.erase(open_.begin() + static_cast<long>(which));
    Content const content(++content_);
    std::vector<uint8_t> const bytes =
        content.bytes(random_.one_in(2) ? open.length : random_.below(open.length + 1));
    std::copy(bytes.begin(), bytes.end(), open.data);
    bool const aborts = random_.one_in(4);
    Status const status =
        aborts ? log_->ring().abort(open.lsn) : log_->ring().commit(open.lsn, bytes.size());
    if (status.code == -kStale) // and nothing of it may ever be there
        return evicts_ ? kOk : wrong("given up too soon: " + std::to_string(open.lsn));
    if (aborts)
        return status;
    Unit unit;
    unit.records = {{open.lsn, bytes.size(), content, open.tag}};
    unit.lsn = unit.last = open.lsn;
    if (status.ok() || status.code == -kPoisoned)
        oracle_.add(unit);
    return status;
}

Status DrivenRingLog::end_all()
{
    while (!open_.empty())
        WEIR_TRY(end_one());
    return kOk;
}

// ---- durable

/// As a thread with a time limit waits: the log's threads do it all.
Status DrivenRingLog::wait_for(Lsn lsn)
{
    for (unsigned i = 0; i < kMostRounds; ++i) {
        Status const status = log_->ring().wait(lsn, 0);
        if (status.ok() && log_->durable() <= lsn)
            return wrong("waited, but not durable: " + std::to_string(lsn));
        if (status.code != -EAGAIN)
            return status;
        turn();
    }
    return Status{kStuck};
}

/// As a thread without: it cuts and writes itself. Only where it needs nobody else.
Status DrivenRingLog::sync_as_leader()
{
    WEIR_TRY(end_all());
    for (unsigned i = 0; turn() || disk_.in_flight() != 0; ++i)
        if (i > kMostRounds)
            return Status{kStuck};
    Lsn const tail = log_->tail();
    Status const status = random_.one_in(2) || tail == log_->durable()
                              ? log_->ring().sync()
                              : log_->ring().wait(tail - 1, -1);
    if (status.ok() && log_->durable() < tail)
        return wrong("synced, but not durable: " + std::to_string(tail));
    return status;
}

Status DrivenRingLog::truncate()
{
    if (oracle_.size() == 0)
        return kOk;
    // Behind a unit: where the records of an atomic batch lie is not known.
    Unit const &unit = oracle_.unit(random_.below(oracle_.size()));
    if (unit.records.empty() || unit.last >= log_->durable())
        return kOk;
    oracle_.truncate(unit.last + 1);
    Status const status = log_->truncate_before(unit.last + 1);
    return status.code == -EBUSY ? wrong("a hold that nobody has") : status;
}

// ---- steps

Status DrivenRingLog::one_step(Random &random)
{
    switch (random.below(20)) {
    case 0:
        return reserve(random.below(3000));
    case 1:
        return end_one();
    case 2: {
        if (retains_ != 0) // cuts at segments: where the records of a batch lie is not known
            return append(random.below(3000));
        std::vector<uint64_t> lengths(1 + random.below(6));
        for (uint64_t &length : lengths)
            length = random.one_in(8) ? random.below(1500) : random.below(300);
        return append_batch(lengths);
    }
    case 3:
        return append_large(retains_ == 0 && random.one_in(2) ? 0 : 4000 + random.below(8000));
    case 4:
        return sync_as_leader();
    case 5:
        return open_.empty() && log_->tail() > start_ && log_->tail() > log_->durable()
                   ? wait_for(log_->tail() - 1)
                   : kOk;
    case 6:
        return random.one_in(3) ? truncate() : kOk;
    case 7:
        tend();
        return kOk;
    case 8:
    case 9:
    case 10:
        turn();
        return kOk;
    default:
        return append(random.one_in(4) ? random.below(3000) : random.below(400));
    }
}

Status DrivenRingLog::random_step(Random &random)
{
    Status const status = watch(one_step(random));
    // No space is no failure of what was appended, and may be over later.
    if (status.code == -ENOSPC && log_->failure() == 0)
        return disk_.injected() || limited_ ? kOk : status;
    if (log_->failure() == 0)
        return status;
    Status const final = check_final();
    return final.ok() ? error(kPoisoned) : final;
}

/// Poisoned: nothing moves any more, and everybody is told.
Status DrivenRingLog::check_final()
{
    Lsn const durable = log_->durable();
    int const code = log_->failure();
    uint8_t byte = 0;
    Part const part{&byte, 1, 0};
    Lsn lsn = 0;
    for (unsigned i = 0; i < 20; ++i) {
        if (log_->ring().append(&part, 1, -1, lsn).code != -kPoisoned)
            return wrong("an append in a poisoned log");
        if (log_->tail() > durable && log_->ring().wait(durable, -1).code != -kPoisoned)
            return wrong("a wait in a poisoned log");
        if (log_->ring().sync().code != (log_->tail() > durable ? -kPoisoned : 0))
            return wrong("a sync in a poisoned log");
        if (log_->truncate_before(durable).code != -kPoisoned)
            return wrong("a truncation in a poisoned log");
        turn();
        if (log_->durable() != durable || log_->failure() != code)
            return wrong("poison was not final");
    }
    return kOk;
}

Status DrivenRingLog::close_cleanly()
{
    Lsn const tail = log_->tail();
    Log *const log = log_;
    log_ = nullptr;
    Log::close(log);
    if (disk_.off() || disk_.injected())
        return error(EIO); // it does not say
    oracle_.acknowledge(tail);
    return kOk;
}

std::string DrivenRingLog::explain(Status status)
{
    if (status.code == kWrong)
        return why_;
    if (status.code == kStuck)
        return "nothing moves, tail " + std::to_string(tail_) + ", durable " +
               std::to_string(durable_);
    if (status.code == -ENOSPC && limited_ && log_ == nullptr)
        return ""; // the end lies where a segment too many would begin
    return faulty_ && disk_.injected() ? "" : "log failed with " + std::to_string(status.code);
}

} // namespace

std::unique_ptr<DrivenLog> make_ring_log(Disk &disk, Oracle &oracle, SerialOptions const &options)
{
    return std::make_unique<DrivenRingLog>(disk, oracle, options);
}

} // namespace fault
