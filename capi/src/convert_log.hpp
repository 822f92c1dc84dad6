// SPDX-License-Identifier: MIT OR Apache-2.0
// Between the log's public structs and the core's.
#pragma once

#include "capi/include/weir.h"
#include "core/log/log.hpp"

#include <new>

namespace weir::capi {

/// -EINVAL if a field is out of range. Fields of 0 become their defaults.
int to_core(weir_log_options const &from, LogOptions &into) noexcept;

/// Whether all parts may be read.
bool parts_ok(weir_log_part const *parts, size_t count, size_t most) noexcept;

/// The parts of one call, converted on the stack. The rest of the 24 KiB is left as it is: zeroing
/// it would cost more than a batch of 16 short records.
class Parts {
  public:
    static constexpr size_t kMost = 1024;

    Parts(weir_log_part const *from, size_t count) noexcept
    {
        for (size_t i = 0; i < count; ++i)
            new (&parts_[i]) Part{from[i].data, from[i].len, static_cast<uint16_t>(from[i].tag)};
    }
    Part const *get() const noexcept { return parts_; }

  private:
    union {
        Part parts_[kMost];
    };
};

int append(Log &log, Part const *parts, size_t count, Nanoseconds timeout,
           uint64_t *ret_lsn) noexcept;

weir_log_info from_core(LogStats const &from) noexcept;
weir_log_report from_core(LogReport const &from) noexcept;

} // namespace weir::capi
