// SPDX-License-Identifier: MIT OR Apache-2.0
// The monotonic clock in nanoseconds, the clock of the library's messages.
#pragma once

#include <cstdint>
#include <ctime>

namespace tool {

constexpr std::int64_t kMicrosecond = 1000;
constexpr std::int64_t kMillisecond = 1000 * kMicrosecond;
constexpr std::int64_t kSecond = 1000 * kMillisecond;

inline std::int64_t now_ns()
{
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * kSecond + now.tv_nsec;
}

inline void sleep_ns(std::int64_t ns)
{
    timespec const duration{ns / kSecond, ns % kSecond};
    nanosleep(&duration, nullptr); // shorter after a signal; all callers look again anyway
}

} // namespace tool
