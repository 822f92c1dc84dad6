// SPDX-License-Identifier: MIT OR Apache-2.0
// How the command fails: one exception that carries the line for the user.
#pragma once

#include <stdexcept>
#include <string>

namespace tool {

/// Ends the command with exit code 1 and its text as the one line on stderr.
class Failure : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// The exit code of bad usage (EX_USAGE of sysexits.h): `weir log verify` needs the small ones.
inline constexpr int kBadUsage = 64;

/// The same with exit code kBadUsage: what was asked for makes no sense.
class BadUsage : public Failure {
  public:
    using Failure::Failure;
};

/// The same with exit code 3: nothing is known of what was asked.
class Unanswered : public Failure {
  public:
    using Failure::Failure;
};

/// An error of the system, whose errno the catcher may want.
class SystemFailure : public Failure {
  public:
    SystemFailure(std::string const &what, int code) : Failure(what), code_(code) {}
    int code() const { return code_; }

  private:
    int code_;
};

/// Returns `code` if it is 0 or more; throws "what: text of the code" otherwise.
int must(int code, std::string const &what);

/// Throws SystemFailure, "what: text of errno".
[[noreturn]] void fail_errno(std::string const &what);

/// The text of an error of the library or of the system.
std::string error_text(int code);

} // namespace tool
