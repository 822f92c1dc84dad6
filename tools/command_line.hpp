// SPDX-License-Identifier: MIT OR Apache-2.0
// The command line: which verb with which options.
#pragma once

#include <functional>

namespace tool {

/// What the command line asks for.
struct Request {
    std::function<int()> action; ///< the verb; none if all is said, e.g. for --help
    int code = 0;                ///< exit code if there is no action
};

/// Reads the command line. Prints help and complaints itself.
Request read_command_line(int argc, char **argv);

} // namespace tool
