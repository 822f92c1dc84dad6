// SPDX-License-Identifier: MIT OR Apache-2.0
// CRC32C by the processor's instruction, in three lanes.
//
// The lanes are three equal pieces of the input, one behind the other. With a, b, c the registers
// after them (b and c began at 0), the sum is a x^(2n) + b x^n + c, n the bits of a lane.
#pragma once

#include "core/flush/crc32c_ways.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#define WEIR_CRC_LANES __attribute__((target("sse4.2,pclmul")))
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#define WEIR_CRC_LANES __attribute__((target("+crc")))
#endif

#ifdef WEIR_CRC_LANES
namespace weir::crc {

#if defined(__x86_64__)

inline bool can_lanes() noexcept
{
    return __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("pclmul") != 0;
}
WEIR_CRC_LANES inline uint32_t step(uint32_t state, uint64_t value) noexcept
{
    return static_cast<uint32_t>(_mm_crc32_u64(state, value));
}
WEIR_CRC_LANES inline uint32_t step(uint32_t state, uint32_t value) noexcept
{
    return _mm_crc32_u32(state, value);
}
WEIR_CRC_LANES inline uint32_t step(uint32_t state, uint16_t value) noexcept
{
    return _mm_crc32_u16(state, value);
}
WEIR_CRC_LANES inline uint32_t step(uint32_t state, uint8_t value) noexcept
{
    return _mm_crc32_u8(state, value);
}

/// A lane may have any number of words: of[w] is x^(64 w - 33). The product of two reflected
/// polynomials of 32 bits stands in 63 bits, which is worth x more in a word of 64; and the step
/// that reduces the word multiplies it by x^32.
inline constexpr size_t kMostWords = 128;
inline constexpr size_t kLeastForLanes = 120; // below, joining costs more than it brings
struct LanePowers {
    uint32_t of[2 * kMostWords + 1] = {};
    constexpr LanePowers() noexcept
    {
        uint32_t value = power_of_x(64 - 33);
        for (size_t words = 1; words <= 2 * kMostWords; ++words) {
            of[words] = value;
            for (int i = 0; i < 64; ++i)
                value = times_x(value);
        }
    }
};
inline constexpr LanePowers kLanePowers;

WEIR_CRC_LANES inline uint64_t product(uint32_t a, uint32_t b) noexcept
{
    return static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_clmulepi64_si128(
        _mm_cvtsi32_si128(static_cast<int>(a)), _mm_cvtsi32_si128(static_cast<int>(b)), 0)));
}
WEIR_CRC_LANES inline uint32_t join(uint32_t a, uint32_t b, uint32_t c, size_t words) noexcept
{
    uint64_t const moved =
        product(a, kLanePowers.of[2 * words]) ^ product(b, kLanePowers.of[words]);
    return step(0, moved) ^ c;
}

#else

inline bool can_lanes() noexcept { return (getauxval(AT_HWCAP) & 1u << 7) != 0; } // HWCAP_CRC32
WEIR_CRC_LANES inline uint32_t step(uint32_t state, uint64_t value) noexcept
{
    return __crc32cd(state, value);
}
WEIR_CRC_LANES inline uint32_t step(uint32_t state, uint32_t value) noexcept
{
    return __crc32cw(state, value);
}
WEIR_CRC_LANES inline uint32_t step(uint32_t state, uint16_t value) noexcept
{
    return __crc32ch(state, value);
}
WEIR_CRC_LANES inline uint32_t step(uint32_t state, uint8_t value) noexcept
{
    return __crc32cb(state, value);
}

/// Multiplied bit by bit: only long lanes are worth it, and those are all of one length.
inline constexpr size_t kMostWords = 128;
inline constexpr size_t kLeastForLanes = 24 * kMostWords;
inline constexpr uint32_t kOneLane = power_of_x(64 * kMostWords);
inline constexpr uint32_t kTwoLanes = power_of_x(128 * kMostWords);

inline uint32_t product(uint32_t a, uint32_t b) noexcept
{
    uint32_t sum = 0;
    for (int i = 31; i >= 0; --i, a = times_x(a))
        sum ^= (b >> i & 1) != 0 ? a : 0;
    return sum;
}
inline uint32_t join(uint32_t a, uint32_t b, uint32_t c, size_t) noexcept
{
    return product(a, kTwoLanes) ^ product(b, kOneLane) ^ c;
}

#endif

template <bool kCopy>
WEIR_CRC_LANES uint32_t three_lanes(uint32_t state, char *to, char const *from,
                                    size_t words) noexcept
{
    size_t const lane = 8 * words;
    uint32_t second = 0, third = 0;
    for (size_t i = 0; i < lane; i += 8) {
        uint64_t const one = take<kCopy, uint64_t>(to + i, from + i);
        uint64_t const two = take<kCopy, uint64_t>(to + lane + i, from + lane + i);
        uint64_t const three = take<kCopy, uint64_t>(to + 2 * lane + i, from + 2 * lane + i);
        state = step(state, one);
        second = step(second, two);
        third = step(third, three);
    }
    return join(state, second, third, words);
}

/// One step of a word at the end, if it has one of that size.
template <bool kCopy, class T>
WEIR_CRC_LANES inline void last_step(uint32_t &state, char *&to, char const *&from,
                                     size_t length) noexcept
{
    if ((length & sizeof(T)) == 0)
        return;
    state = step(state, take<kCopy, T>(to, from));
    from += sizeof(T);
    if constexpr (kCopy)
        to += sizeof(T);
}

template <bool kCopy>
WEIR_CRC_LANES uint32_t extend_by_lanes(uint32_t state, char *to, char const *from,
                                        size_t length) noexcept
{
    while (length >= kLeastForLanes) {
        size_t const words = length / 24 < kMostWords ? length / 24 : kMostWords;
        state = three_lanes<kCopy>(state, to, from, words);
        from += 24 * words;
        if constexpr (kCopy)
            to += 24 * words;
        length -= 24 * words;
    }
    for (; length >= 8; length -= 8, from += 8) {
        state = step(state, take<kCopy, uint64_t>(to, from));
        if constexpr (kCopy)
            to += 8;
    }
    last_step<kCopy, uint32_t>(state, to, from, length);
    last_step<kCopy, uint16_t>(state, to, from, length);
    last_step<kCopy, uint8_t>(state, to, from, length);
    return state;
}

} // namespace weir::crc
#endif
