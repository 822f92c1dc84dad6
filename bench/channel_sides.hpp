// SPDX-License-Identifier: MIT OR Apache-2.0
// Who plays the ping-pong: a channel of weir, a cache line alone, a futex alone, and
// Boost.Interprocess' message queue.
#pragma once

#include "ping_pong.hpp"

#include <cstddef>
#include <cstdint>

namespace bench {

enum class Waits { spinning, asleep };

Latency channel_latency(Waits waits, std::size_t size, Rally const &rally);
/// The floor of those who spin: a word that one stores and the other sees.
Latency cache_line_latency(Rally const &rally);
/// The same with a cell that is claimed, and a message that it leads to.
Latency claimed_latency(Rally const &rally);
/// The floor of those who sleep: a word, and the two system calls.
Latency futex_latency(Rally const &rally);
#ifdef WEIR_BENCH_BOOST
/// It copies the message in and out.
Latency message_queue_latency(Waits waits, std::size_t size, Rally const &rally);
#endif

} // namespace bench
