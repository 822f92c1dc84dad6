// SPDX-License-Identifier: MIT OR Apache-2.0
// Ctrl-C and SIGTERM as a question, so that a named segment is removed on the way out.
#pragma once

namespace tool::ingest {

/// From now on the two signals only set a flag.
void watch_interrupts();
bool was_interrupted();

} // namespace tool::ingest
