// SPDX-License-Identifier: MIT OR Apache-2.0
// Time: nanoseconds in int64_t, deadlines on the monotonic clock, waiting a little.
#pragma once

#include <cstdint>

namespace weir {

using Nanoseconds = int64_t;

inline constexpr Nanoseconds kMicrosecond = 1000;
inline constexpr Nanoseconds kMillisecond = 1000 * kMicrosecond;
inline constexpr Nanoseconds kSecond = 1000 * kMillisecond;

/// CLOCK_MONOTONIC: the same in all processes of the machine, does not count suspend.
Nanoseconds monotonic_now() noexcept;
/// CLOCK_REALTIME, for people to read.
Nanoseconds real_now() noexcept;

void sleep_for(Nanoseconds duration) noexcept;
/// Gives the processor to somebody else.
void yield_processor() noexcept;
/// One turn of a short busy wait.
void spin_pause() noexcept;

/// The moment at which a public timeout ends: 0 does not wait, a negative one never ends.
class Deadline {
  public:
    explicit Deadline(Nanoseconds timeout) noexcept
        : never_(timeout < 0), at_(timeout > 0 ? end_of(timeout) : 0)
    {
    }

    bool never() const noexcept { return never_; }
    /// What is left, 0 when it has passed.
    Nanoseconds left() const noexcept
    {
        if (never_)
            return INT64_MAX;
        if (at_ == 0)
            return 0;
        Nanoseconds const now = monotonic_now();
        return now >= at_ ? 0 : at_ - now;
    }
    bool passed() const noexcept { return left() == 0; }

  private:
    static Nanoseconds end_of(Nanoseconds timeout) noexcept
    {
        Nanoseconds const now = monotonic_now();
        return timeout > INT64_MAX - now ? INT64_MAX : now + timeout;
    }

    bool never_;
    Nanoseconds at_;
};

} // namespace weir
