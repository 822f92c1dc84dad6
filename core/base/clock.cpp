// SPDX-License-Identifier: MIT OR Apache-2.0
// Clocks and sleeping, by the C library.
#include "core/base/clock.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace weir {
namespace {
Nanoseconds read_clock(clockid_t clock) noexcept
{
    timespec now{};
    clock_gettime(clock, &now); // cannot fail for these clocks
    return now.tv_sec * kSecond + now.tv_nsec;
}
} // namespace

Nanoseconds monotonic_now() noexcept { return read_clock(CLOCK_MONOTONIC); }

Nanoseconds real_now() noexcept { return read_clock(CLOCK_REALTIME); }

void sleep_for(Nanoseconds duration) noexcept
{
    timespec const time{duration / kSecond, static_cast<long>(duration % kSecond)};
    // A signal may end it early: all callers loop. By number, because the C library's function is a
    // cancellation point, and a thread that is cancelled must not end inside the core.
    syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, nullptr);
}

void yield_processor() noexcept { sched_yield(); }

void spin_pause() noexcept
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory"); // `yield` is a no-op on most cores
#endif
}

} // namespace weir
