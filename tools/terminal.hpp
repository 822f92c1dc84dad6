// SPDX-License-Identifier: MIT OR Apache-2.0
// A picture that fills the terminal until somebody presses q.
#pragma once

#include <cstdint>
#include <string>

#include <termios.h>

namespace tool {

/// Takes the terminal: another screen, no cursor, keys as they come. The end of the object gives
/// it back, also when an exception passes by. Ctrl-C and SIGTERM end pause(), not the process.
class LiveScreen {
  public:
    LiveScreen();
    LiveScreen(LiveScreen const &) = delete;
    LiveScreen &operator=(LiveScreen const &) = delete;
    ~LiveScreen();

    /// Replaces what is shown; lines beyond the terminal's end are cut off.
    void show(std::string const &text);
    /// Waits that long; false if the user wants to leave.
    bool pause(std::int64_t ns);

  private:
    bool keys_ = false; ///< stdin is a terminal, and `before_` is how it was
    termios before_{};
};

} // namespace tool
