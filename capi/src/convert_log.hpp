// SPDX-License-Identifier: MIT OR Apache-2.0
// Between the log's public structs and the core's.
#pragma once

#include "capi/include/weir.h"
#include "core/log/log.hpp"

namespace weir::capi {

/// -EINVAL if a field is out of range. Fields of 0 become their defaults.
int to_core(weir_log_options const &from, LogOptions &into) noexcept;

/// Whether all parts may be read.
bool parts_ok(weir_log_part const *parts, size_t count, size_t most) noexcept;
void to_core(weir_log_part const *from, size_t count, Part *into) noexcept;

int append(Log &log, Part const *parts, size_t count, Nanoseconds timeout,
           uint64_t *ret_lsn) noexcept;

weir_log_info from_core(LogStats const &from) noexcept;
weir_log_report from_core(LogReport const &from) noexcept;

} // namespace weir::capi
