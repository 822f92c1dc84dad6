// SPDX-License-Identifier: MIT OR Apache-2.0
// Looks for files that carry the banner although no emitter writes them any more.
#pragma once

#include <string>
#include <vector>

namespace weir::gen {

/// Files below `root`, relative to it and sorted, with the banner in their first lines and not in
/// `known`. Released copies, the generator's own goldens, hidden folders and build folders do not
/// count.
std::vector<std::string> find_orphans(std::string const &root,
                                      std::vector<std::string> const &known);

} // namespace weir::gen
