// SPDX-License-Identifier: MIT OR Apache-2.0
// Bit tricks: scans, powers of two, rounding. All are total over the ranges named here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir {

/// Index of the highest set bit; `value` is not 0.
constexpr unsigned floor_log2(uint64_t value) noexcept
{
    return 63u - static_cast<unsigned>(__builtin_clzll(value));
}

/// Index of the lowest set bit; `value` is not 0.
constexpr unsigned lowest_bit(uint64_t value) noexcept
{
    return static_cast<unsigned>(__builtin_ctzll(value));
}

constexpr uint64_t bit(unsigned index) noexcept { return uint64_t{1} << index; }

constexpr bool is_power_of_two(uint64_t value) noexcept
{
    return value != 0 && (value & (value - 1)) == 0;
}

/// Rounds up to a power of two `to`; the caller knows that the sum does not overflow.
constexpr uint64_t round_up(uint64_t value, uint64_t to) noexcept
{
    return (value + to - 1) & ~(to - 1);
}

constexpr uint64_t round_down(uint64_t value, uint64_t to) noexcept { return value & ~(to - 1); }

constexpr uint64_t div_up(uint64_t value, uint64_t by) noexcept { return (value + by - 1) / by; }

/// The line at this address will be written, or read, soon. A hint: any address will do.
inline void prefetch_to_write([[maybe_unused]] void const *address) noexcept
{
#if defined(__x86_64__)
    // Without -mprfchw the builtin would fetch it to read; where the instruction is not known, it
    // does nothing.
    asm volatile("prefetchw %0" ::"m"(*static_cast<char const *>(address)));
#else
    __builtin_prefetch(address, 1);
#endif
}
inline void prefetch_to_read(void const *address) noexcept { __builtin_prefetch(address, 0); }

/// The same pointer; the compiler keeps it, where it would work out an element's address anew at each
/// use.
template <class T> inline T *kept(T *pointer) noexcept
{
    asm("" : "+r"(pointer));
    return pointer;
}

template <class T> constexpr T smaller(T a, T b) noexcept { return b < a ? b : a; }
template <class T> constexpr T larger(T a, T b) noexcept { return a < b ? b : a; }

} // namespace weir
