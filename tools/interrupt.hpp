// SPDX-License-Identifier: MIT OR Apache-2.0
// Ctrl-C, SIGTERM and a closed terminal as a question, so that a named segment and unfinished files
// are removed on the way out.
#pragma once

namespace tool {

/// From now on these signals only set a flag, and SIGPIPE does nothing.
void watch_interrupts();
bool was_interrupted();
/// Ends the process by the signal that came, so that a shell sees what it was.
void end_as_interrupted();

} // namespace tool
