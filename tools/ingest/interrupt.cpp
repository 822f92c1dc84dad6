// SPDX-License-Identifier: MIT OR Apache-2.0
// Ctrl-C and SIGTERM as a question, so that a named segment is removed on the way out.
#include "interrupt.hpp"

#include <csignal>

namespace tool::ingest {
namespace {
volatile std::sig_atomic_t interrupted = 0;

void note(int) { interrupted = 1; }
} // namespace

void watch_interrupts()
{
    struct sigaction action {};
    action.sa_handler = note;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

bool was_interrupted() { return interrupted != 0; }

} // namespace tool::ingest
