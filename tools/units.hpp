// SPDX-License-Identifier: MIT OR Apache-2.0
// Sizes and durations as people type them: "64M", "64MiB", "100ms", "0600".
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace tool {

/// What somebody typed is not what it should be.
class BadUnit : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Bytes of "4096", "64K", "64KiB", "64M", "1G", "1T"; all units are powers of 1024.
/// Throws BadUnit, as the others do.
std::uint64_t parse_bytes(std::string const &text);

/// Nanoseconds of "100ms", "1.5s", "20us", "2m"; without a unit, seconds.
std::int64_t parse_duration(std::string const &text);

/// Permission bits of up to four octal digits.
std::uint32_t parse_mode(std::string const &text);

} // namespace tool
