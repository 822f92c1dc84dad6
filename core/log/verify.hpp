// SPDX-License-Identifier: MIT OR Apache-2.0
// Verify: reads the whole log and says what recovery would find. Changes nothing, locks nothing;
// beside a live writer it says what was true at some moment during the call.
#pragma once

#include "core/base/error.hpp"
#include "core/flush/io.hpp"
#include "core/log/report.hpp"

namespace weir {

/// The verdict (0 whole, 1 torn, 2 corrupt) as Status.code, or -ENOENT -EIO -ENOMEM kVersion.
Status verify(Io const &io, LogReport &ret) noexcept;

} // namespace weir
