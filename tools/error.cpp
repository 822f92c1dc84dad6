// SPDX-License-Identifier: MIT OR Apache-2.0
// How the command fails: error codes of the library and of the system as text.
#include "error.hpp"

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include <fmt/format.h>

#include <weir.h>

namespace tool {
namespace {
// Codes below are errno's; the library's own begin here.
constexpr int kFirstLibraryCode = WEIR_E_STALE;
} // namespace

std::string error_text(int code)
{
    int const positive = std::abs(code);
    if (positive >= kFirstLibraryCode)
        return weir_strerror(code);
    return std::generic_category().message(positive);
}

int must(int code, std::string const &what)
{
    if (code < 0)
        throw Failure(fmt::format("{}: {} ({})", what, weir_strerror(code), weir_error_name(code)));
    return code;
}

void fail_errno(std::string const &what)
{
    int const code = errno;
    throw SystemFailure(fmt::format("{}: {}", what, error_text(code)), code);
}

} // namespace tool
