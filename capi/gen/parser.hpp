// SPDX-License-Identifier: MIT OR Apache-2.0
// Reads the items of one source and passes over the rest of its C++.
#pragma once

#include "lexer.hpp"
#include "model.hpp"

namespace weir::gen {

Section parse(std::string const &file, std::string const &text, Diagnostics &diagnostics);

/// `capi/abi/releases.txt`: lines of version, date, map node, soversion; `#` begins a comment.
std::vector<Release> parse_releases(std::string const &file, std::string const &text,
                                    Diagnostics &diagnostics);

} // namespace weir::gen
