// SPDX-License-Identifier: MIT OR Apache-2.0
// CRC32C by carry-less multiplication of 512-bit registers (AVX-512 with VPCLMULQDQ).
//
// Four registers hold 256 bytes R that are worth all bytes up to here: R followed by the rest of
// the input has the same sum. A step replaces each 128 bits (low, high) by
// low x^(64+d) + high x^d, d the distance in bits, plus the input that far ahead.
#pragma once

#include "core/flush/crc32c_lanes.hpp"

#if defined(__x86_64__)
#define WEIR_CRC_FOLDING                                                                           \
    __attribute__((target("sse4.2,pclmul,vpclmulqdq,avx512f,avx512vl,avx512dq")))

namespace weir::crc {

inline bool can_folding() noexcept
{
    return can_lanes() && __builtin_cpu_supports("vpclmulqdq") != 0 &&
           __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
           __builtin_cpu_supports("avx512dq") != 0;
}

inline constexpr size_t kFolded = 256; ///< bytes that a step takes, and the least

/// Both factors for a distance; 33 bits less, as in kLanePowers.
struct FoldPowers {
    long long low, high;
};
constexpr FoldPowers fold_powers(uint64_t bits) noexcept
{
    return {static_cast<long long>(power_of_x(bits + 64 - 33)),
            static_cast<long long>(power_of_x(bits - 33))};
}
inline constexpr FoldPowers kBy2048 = fold_powers(2048);
inline constexpr FoldPowers kBy512 = fold_powers(512);
inline constexpr FoldPowers kBy384 = fold_powers(384);
inline constexpr FoldPowers kBy256 = fold_powers(256);
inline constexpr FoldPowers kBy128 = fold_powers(128);

/// The forms without a mask leave GCC 12's own headers with a value that is not set (a warning).
inline constexpr __mmask8 kAll = 0xff;

WEIR_CRC_FOLDING inline __m128i factors(FoldPowers by) noexcept
{
    return _mm_set_epi64x(by.high, by.low);
}
WEIR_CRC_FOLDING inline __m512i wide_factors(FoldPowers by) noexcept
{
    return _mm512_maskz_broadcast_i32x4(0xffff, factors(by));
}
WEIR_CRC_FOLDING inline __m512i fold(__m512i old, __m512i by, __m512i next) noexcept
{
    constexpr int kXor = 0x96; // of three
    return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(old, by, 0x00),
                                     _mm512_clmulepi64_epi128(old, by, 0x11), next, kXor);
}
WEIR_CRC_FOLDING inline __m128i fold(__m128i old, FoldPowers by, __m128i next) noexcept
{
    __m128i const factor = factors(by);
    return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(old, factor, 0x00),
                                       _mm_clmulepi64_si128(old, factor, 0x11)),
                         next);
}

template <bool kCopy> WEIR_CRC_FOLDING inline __m512i take_wide(char *to, char const *from) noexcept
{
    __m512i value = _mm512_loadu_si512(from);
    asm("" : "+v"(value)); // read once, as load()
    if constexpr (kCopy)
        _mm512_storeu_si512(to, value);
    return value;
}

/// The register after 64 bytes that are worth all.
WEIR_CRC_FOLDING inline uint32_t reduce(__m512i value) noexcept
{
    __m128i sum = _mm512_maskz_extracti32x4_epi32(kAll, value, 3);
    sum = fold(_mm512_maskz_extracti32x4_epi32(kAll, value, 2), kBy128, sum);
    sum = fold(_mm512_maskz_extracti32x4_epi32(kAll, value, 1), kBy256, sum);
    sum = fold(_mm512_maskz_extracti32x4_epi32(kAll, value, 0), kBy384, sum);
    uint32_t const half = step(0, static_cast<uint64_t>(_mm_extract_epi64(sum, 0)));
    return step(half, static_cast<uint64_t>(_mm_extract_epi64(sum, 1)));
}

/// As many bytes as fold well, at least kFolded; the three are moved on.
template <bool kCopy>
WEIR_CRC_FOLDING uint32_t fold_most(uint32_t state, char *&to, char const *&from,
                                    size_t &length) noexcept
{
    auto const next = [&]() WEIR_CRC_FOLDING {
        __m512i const value = take_wide<kCopy>(to, from);
        from += 64;
        if constexpr (kCopy)
            to += 64;
        length -= 64;
        return value;
    };
    __m512i a = next(), b = next(), c = next(), d = next();
    a = _mm512_xor_si512(a, _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(state))));
    for (__m512i const by = wide_factors(kBy2048); length >= kFolded;) {
        a = fold(a, by, next());
        b = fold(b, by, next());
        c = fold(c, by, next());
        d = fold(d, by, next());
    }
    __m512i const by = wide_factors(kBy512);
    d = fold(fold(fold(a, by, b), by, c), by, d);
    while (length >= 64)
        d = fold(d, by, next());
    return reduce(d);
}

template <bool kCopy>
WEIR_CRC_FOLDING uint32_t extend_by_folding(uint32_t state, char *to, char const *from,
                                            size_t length) noexcept
{
    if (length >= kFolded)
        state = fold_most<kCopy>(state, to, from, length);
    return extend_by_lanes<kCopy>(state, to, from, length);
}

} // namespace weir::crc
#endif
