// SPDX-License-Identifier: MIT OR Apache-2.0
// weir ingest: files through a shared matrix, with workers that may be killed at any moment.
//
// The parent lists the files into the *ledger*, a block of the matrix under a root's name: one
// entry per file, one slot per worker. It posts one *job* per file to a channel. A producer takes a
// job, reads the file straight into a block of the right size, posts the block to the data channel,
// and only then acknowledges the job. A consumer takes the block, checksums it where it is, writes
// it out if asked to, records the outcome in the ledger, and only then acknowledges the message.
//
// Therefore, whoever is killed whenever:
//  1. A job leaves its channel only after its block is in the data channel, and a block leaves
//     there only after its outcome is in the ledger: every file is delivered at least once.
//  2. A worker that dies between its last step and its acknowledgement causes a second delivery.
//     The ledger counts deliveries, so duplicates are seen; they must agree with the first.
//  3. With --log the one consumer is the log's writer: it appends straight from the blocks, and an
//     outcome is in the ledger only when the log said that the record is durable. A successor of a
//     killed one opens the log anew and goes on.
//  4. The run is over when every entry has an outcome and both channels are empty.
// Afterwards the parent reads every file itself and compares lengths and checksums, and
// the records of the log with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tool::ingest {

struct Options {
    std::string from;
    std::string out;  ///< folder to write the files to; empty: only checksums
    std::string log;  ///< folder of a log to append the files to; empty: none
    std::string name; ///< of the segment; empty: without a name, passed by descriptor
    std::uint32_t producers = 3;
    std::uint32_t consumers = 2;
    std::uint64_t capacity = 0;
    std::int64_t kill_every_ns = 0; ///< 0: never
    std::uint64_t seed = 0;         ///< of the choice whom to kill; 0: random
    std::string hold;               ///< tests: a FIFO to wait for before the files are compared
    bool leave_block = false;       ///< tests: lose a block, which must be found
    bool json = false;
    bool quiet = false;
};

enum class Role : std::uint8_t { producer, consumer };

constexpr char kLedgerRoot[] = "weir-ingest.ledger";
constexpr char kJobChannel[] = "weir-ingest.jobs";
constexpr char kDataChannel[] = "weir-ingest.data";

/// What a worker is told on its command line.
struct WorkerOptions {
    std::uint32_t slot = 0;
    std::string role;
    std::string from;
    std::string out;
    std::string log;
    std::string scratch; ///< folder in `out` for files that are being written
    int matrix_fd = -1;
    int parent = 0;
};

/// The whole command; returns its exit code.
int run(Options const &options);

/// A worker's life; returns its exit code. Ends when the channels are retired.
int run_worker(WorkerOptions const &options);

} // namespace tool::ingest
