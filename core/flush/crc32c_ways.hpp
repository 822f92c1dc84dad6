// SPDX-License-Identifier: MIT OR Apache-2.0
// What the ways of making a CRC32C share: the polynomial, its powers, and reading once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weir::crc {

inline constexpr uint32_t kPolynomial = 0x82f63b78; // reflected 0x1edc6f41

/// x times a polynomial of degree below 32, modulo the polynomial; bit 31 is x^0.
constexpr uint32_t times_x(uint32_t value) noexcept
{
    return value >> 1 ^ ((value & 1) != 0 ? kPolynomial : 0);
}
/// x^exponent modulo the polynomial.
constexpr uint32_t power_of_x(uint64_t exponent) noexcept
{
    uint32_t value = 0x80000000;
    for (uint64_t i = 0; i < exponent; ++i)
        value = times_x(value);
    return value;
}

/// Reads once: what is stored and what is summed are the same, also if somebody changes it.
template <class T> T load(char const *from) noexcept
{
    T value;
    std::memcpy(&value, from, sizeof value);
    asm("" : "+r"(value));
    return value;
}
template <bool kCopy, class T> T take(char *to, char const *from) noexcept
{
    T const value = load<T>(from);
    if constexpr (kCopy)
        std::memcpy(to, &value, sizeof value);
    return value;
}

} // namespace weir::crc
