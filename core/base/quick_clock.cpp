// SPDX-License-Identifier: MIT OR Apache-2.0
// The tick counter of x86-64. Elsewhere the clock itself is asked.
#include "core/base/quick_clock.hpp"

#if defined(__x86_64__) && !defined(WEIR_EXPLORE)
#include <cpuid.h>

namespace weir {
namespace {
struct TimeStampCounter {
    static uint64_t ticks() noexcept { return __builtin_ia32_rdtsc(); }
    static Nanoseconds exact() noexcept { return monotonic_now(); }
    /// The invariant TSC: at one rate in all states of the processor (AMD APM 3, CPUID
    /// Fn8000_0007 EDX bit 8; Intel SDM 3, 17.17.1).
    static bool steady() noexcept
    {
        unsigned a = 0, b = 0, c = 0, d = 0;
        return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & 1u << 8) != 0;
    }
};

alignas(kCacheLine) QuickClock<TimeStampCounter> g_clock;
} // namespace

Nanoseconds quick_now() noexcept { return g_clock.now(); }
} // namespace weir
#else
namespace weir {
Nanoseconds quick_now() noexcept { return monotonic_now(); }
} // namespace weir
#endif
