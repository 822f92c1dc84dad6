// SPDX-License-Identifier: MIT OR Apache-2.0
// Ids of new segments and new logs.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/clock.hpp"

#include <cstdint>
#include <cstring>

namespace weir {

/// Version 4, as RFC 4122 says.
inline void random_uuid(uint8_t (&ret)[16]) noexcept
{
    // by number: the function of the C library is a cancellation point
    if (::syscall(SYS_getrandom, ret, sizeof ret, 0) != static_cast<long>(sizeof ret)) {
        // No source of random numbers: the clock is unique enough to tell two of them apart.
        Nanoseconds const now[2] = {real_now(), monotonic_now()};
        std::memcpy(ret, now, sizeof ret);
    }
    ret[6] = static_cast<uint8_t>((ret[6] & 0x0f) | 0x40);
    ret[8] = static_cast<uint8_t>((ret[8] & 0x3f) | 0x80);
}

} // namespace weir
