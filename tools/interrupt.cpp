// SPDX-License-Identifier: MIT OR Apache-2.0
// Ctrl-C, SIGTERM and a closed terminal as a question, so that a named segment and unfinished files
// are removed on the way out.
#include "interrupt.hpp"

#include <csignal>
#include <initializer_list>

namespace tool {
namespace {
volatile std::sig_atomic_t interrupted = 0; ///< the signal

void note(int signal) { interrupted = signal; }

/// Not if it is ignored: nohup wants it so.
void watch(int signal)
{
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN)
        return;
    action = {};
    action.sa_handler = note;
    sigaction(signal, &action, nullptr);
}
} // namespace

void watch_interrupts()
{
    for (int const signal : {SIGINT, SIGTERM, SIGHUP})
        watch(signal);
    std::signal(SIGPIPE, SIG_IGN); // a closed stdout is an error of the write
}

bool was_interrupted() { return interrupted != 0; }

void end_as_interrupted()
{
    std::signal(interrupted, SIG_DFL);
    std::raise(interrupted);
}

} // namespace tool
