// SPDX-License-Identifier: MIT OR Apache-2.0
// What a log must hold after a power cut at a place of the disk's journal.
//
// Whoever is told something by the log asks the disk for its position right afterwards, and notes
// both. A cut at or behind that position must keep what was told: the guarantees of the log, with
// the journal as the only clock.
#pragma once

#include "tests/disk/volatile_disk.hpp"

#include <vector>

namespace disk {

/// One record as it was appended; all its bytes follow from these.
struct Record {
    uint64_t id;  ///< of each another
    uint64_t lsn; ///< of the last record of the call that appended it
    uint32_t length;
    uint32_t tag;
    bool ends_batch; ///< the last record of its call
    bool alone;      ///< and the first: its LSN is known
};
constexpr uint64_t kSegment = 1 << 20; ///< of the logs here
constexpr uint32_t kIdBytes = 16;      ///< records from this length on can be recognised

std::vector<unsigned char> bytes_of(Record const &record);

/// Something that was told, with the disk's positions around it.
struct Told {
    uint64_t lsn;
    uint64_t asked; ///< position before the call
    uint64_t done;  ///< and after it
};

/// What is known at one place of the journal.
struct Expected {
    std::vector<Record> const *records = nullptr; ///< in the order of their LSNs
    uint64_t durable = 0;                         ///< what lies below was acknowledged
    uint64_t truncated = 0;                       ///< what lies below may be gone
};

enum class Verdict : uint32_t {
    fine,
    lost,     ///< acknowledged and not there, and the log says nothing
    reported, ///< the log says that it is damaged
    refused,  ///< another error
    wrong     ///< something is there that was not appended like this
};
constexpr unsigned kVerdicts = 5;

struct Finding {
    Verdict verdict = Verdict::fine;
    std::string what;
    bool fine() const { return verdict == Verdict::fine; }
};

/// What a failed call means.
Finding of_error(char const *call, int code);

/// Which of the expected records a log delivered: a piece without a gap.
struct Delivered {
    uint64_t first = 0, end = 0;
};

/// Reads the log with a reader of its own. `all`: what was acknowledged must be there; a reader
/// without a writer shows only what the files prove.
Finding read_back(char const *folder, Expected const &expected, bool all, Delivered &ret);

/// A record that the log delivers.
struct Found {
    uint64_t id, lsn;
};
/// Those that can be recognised.
Finding read_ids(char const *folder, std::vector<Found> &ret);

/// One life of a log on a disk: from what the last power cut left to the last of its journal.
class Life {
  public:
    /// What was known when the power went; empty for a new log.
    std::vector<Record> before;
    uint64_t durable_before = 0, truncated_before = 0;

    std::vector<Record> records;  ///< what recovery found, and what was appended since
    uint64_t opened = UINT64_MAX; ///< position when weir_log_open() returned for the first time
    std::vector<Told> durable, openings, truncations, cursors;
    uint64_t cursor_before = 0;
    uint64_t kills = 0; ///< of processes that had the log open

    Expected at(uint64_t position) const;
    /// The first acknowledgement in each segment: the file's name is young then.
    std::vector<Told> first_in_segments() const;
    /// Is this what a cursor may say after a cut there?
    bool is_cursor(uint64_t position, uint64_t lsn) const;
    /// The life after a cut there.
    Life after(uint64_t position) const;
};

} // namespace disk
