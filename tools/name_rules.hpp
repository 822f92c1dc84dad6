// SPDX-License-Identifier: MIT OR Apache-2.0
// What the library takes as a name, checked before anything is opened: it answers EINVAL alone.
#pragma once

#include <cstddef>
#include <string>

namespace tool {

/// Most bytes of the name of a channel, a router or any other root.
constexpr std::size_t kLongestRootName = 63;

/// The name of a segment: plain, or an absolute path. Throws BadUnit, as the other does.
void check_segment_name(std::string const &name);

/// The name of something in a matrix.
void check_root_name(std::string const &name, std::size_t longest = kLongestRootName);

} // namespace tool
