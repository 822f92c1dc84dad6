// SPDX-License-Identifier: MIT OR Apache-2.0
// A log that is written by one thread without the ring: known records, batches that are written in
// any order, several epochs. And the oracle that knows what must be there after a crash.
#pragma once

#include "core/log/packer.hpp"
#include "core/log/reader.hpp"
#include "core/log/recovery.hpp"
#include "tests/fault/content.hpp"

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace fault {

/// Where a record of an atomic batch lies, before it was read: between its neighbours.
inline constexpr weir::Lsn kUnknownLsn = UINT64_MAX;

/// What one append put into the log: visible as a whole or not at all.
struct Unit {
    struct Record {
        weir::Lsn lsn; ///< perhaps kUnknownLsn, but of the last one
        uint64_t length;
        Content content;
        uint16_t tag;
    };
    std::vector<Record> records; ///< none: ABORTED, or a void chain
    weir::Lsn lsn = 0;           ///< of its first header, or a bound below it
    weir::Lsn last = 0;          ///< of its last record: what append answers
};

/// Guarantees 2 to 5 of the design, as a list.
class Oracle {
  public:
    /// In any order; they are kept by LSN.
    void add(Unit const &unit);
    /// Durable: every unit whose last record lies below.
    void acknowledge(weir::Lsn durable) { durable_ = std::max(durable_, durable); }
    void truncate(weir::Lsn before) { truncated_ = std::max(truncated_, before); }
    weir::Lsn durable() const { return durable_; }
    size_t size() const { return units_.size(); }
    Unit const &unit(size_t i) const { return units_[i]; }

    /// Reads the whole log and compares: a prefix of whole units, all that was acknowledged, no
    /// other byte. "" or what is wrong.
    std::string check(weir::Io const &io) const
    {
        Found ignored;
        return check(io, ignored);
    }
    /// The same for the log that goes on: what is missing at the end never comes back, it is
    /// forgotten; where a record of an atomic batch lies is known from now on.
    std::string check_and_go_on(weir::Io const &io);

  private:
    struct Found {
        struct Place {
            size_t unit, record;
            weir::Lsn lsn;
        };
        size_t units = 0; ///< that are there
        std::vector<Place> places;
        weir::Lsn last = 0; ///< of the last record that was read
    };
    std::string check(weir::Io const &io, Found &ret) const;
    std::string compare(weir::Reader &reader, Found &ret) const;
    weir::Lsn lsn_of(Unit::Record const &record, Found const &found) const
    {
        return record.lsn == kUnknownLsn ? found.last : record.lsn;
    }
    bool is_wanted_lsn(size_t unit, size_t record, weir::Lsn lsn, Found &found) const;

    std::vector<Unit> units_;
    weir::Lsn durable_ = 0, truncated_ = 0;
};

struct SerialOptions {
    uint64_t segment_size = 64 << 10;
    uint64_t buffer_size = 16 << 10;
    uint32_t block = 4096;
    bool durable_writes = true; ///< RWF_DSYNC; else plain writes and flushes
    bool recycle = true;
};

class SerialLog {
  public:
    SerialLog(Disk &disk, Oracle &oracle, SerialOptions const &options);
    ~SerialLog();
    /// After recover(), which filled in `recovered`. Nothing else may be called before.
    weir::Status start(weir::Recovered &recovered);

    // Each of these may fail when the power is off: the log is then over.
    weir::Status append(uint64_t length, uint16_t tag);
    weir::Status append_group(std::vector<uint64_t> const &lengths);
    weir::Status append_aborted(uint64_t length);
    weir::Status cut();
    /// One completion of parked writes, or a flush.
    weir::Status pump();
    weir::Status drain();
    weir::Status hint();
    weir::Status truncate(weir::Lsn before);
    weir::Status close_cleanly();
    /// Any of the above.
    weir::Status random_step(Random &random);

    weir::Lsn tail() const { return packer_.tail(); }
    weir::Lsn durable() const { return durable_; }
    size_t in_flight() const { return queue_.size(); }
    weir::Meta &meta() { return recovered_.meta; }

  private:
    struct Pending {
        std::vector<uint8_t> bytes;
        weir::WriteRequest request;
        weir::Lsn end;        ///< durable when it and all before it are
        weir::Lsn durable_to; ///< not into a chain
        bool submitted = false, written = false, done = false;
    };
    static weir::Status on_batch(void *self, weir::Lsn at, uint8_t const *bytes, uint32_t length);
    weir::Status submit_some();
    weir::Status prepare(uint64_t number);
    weir::Result<weir::File> segment(uint64_t number);
    weir::Status flush_all();
    void advance();
    weir::Status add(Unit unit, weir::Status status);

    Disk &disk_;
    Oracle &oracle_;
    SerialOptions options_;
    weir::Io io_;
    weir::Recovered recovered_;
    weir::Superblock superblock_{};
    weir::Packer packer_;
    std::deque<std::unique_ptr<Pending>> queue_;
    std::map<uint64_t, weir::File> segments_;
    weir::Lsn durable_ = 0, cut_ = 0;
    uint64_t content_ = 0;
    Random random_;
};

/// recover() with the small geometry of these tests.
weir::RecoverOptions recover_options(SerialOptions const &options);

} // namespace fault
