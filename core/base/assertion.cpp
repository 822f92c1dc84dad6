// SPDX-License-Identifier: MIT OR Apache-2.0
// The end of a process whose own logic is broken; only in builds with assertions.
#include "core/base/assertion.hpp"

#ifdef WEIR_ASSERTIONS
#include <cstdio>
#include <cstdlib>

namespace weir {

void assertion_failed(char const *what, char const *file, int line) noexcept
{
    std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, what);
    std::abort();
}

} // namespace weir
#endif
