// SPDX-License-Identifier: MIT OR Apache-2.0
// How many messages of 64 bytes go through: from some who post to some who read. Each is written as
// a whole, read back, and counted; an operation is a message, however many read it.
#pragma once

#include "workloads.hpp"

namespace bench {

struct Stream {
    int posters, readers;
    int messages; ///< of all posters together; a multiple of their number
};

/// Processes. With several readers it is a broadcast channel. `batch`: so many in a call.
Outcome channel_stream(Stream const &stream, int batch);
#ifdef WEIR_BENCH_BOOST
/// Boost.Interprocess' message queue, between processes; one reader.
Outcome message_queue_stream(Stream const &stream);
/// Boost.Lockfree, in threads of one process; one reader.
Outcome lockfree_stream(Stream const &stream);
Outcome lockfree_spsc_stream(Stream const &stream);
#endif

} // namespace bench
