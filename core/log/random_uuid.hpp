// SPDX-License-Identifier: MIT OR Apache-2.0
// The id of a new log.
#pragma once

#include <sys/random.h>
#include <sys/types.h>

#include "core/base/error.hpp"

#include <cstdint>

namespace weir {

/// Version 4, as RFC 4122 says. -EIO: the system has no random bytes.
inline Status random_uuid(uint8_t (&ret)[16]) noexcept
{
    if (getrandom(ret, sizeof ret, 0) != static_cast<ssize_t>(sizeof ret))
        return error(EIO);
    ret[6] = static_cast<uint8_t>((ret[6] & 0x0f) | 0x40);
    ret[8] = static_cast<uint8_t>((ret[8] & 0x3f) | 0x80);
    return kOk;
}

} // namespace weir
