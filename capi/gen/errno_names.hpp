// SPDX-License-Identifier: MIT OR Apache-2.0
// The names that Linux gives to its error codes.
#pragma once

#include <string>

namespace weir::gen {

/// `EINVAL` is one; aliases such as EWOULDBLOCK are not, so that every code has one name.
bool is_errno_name(std::string const &name);

} // namespace weir::gen
