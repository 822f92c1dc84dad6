// SPDX-License-Identifier: MIT OR Apache-2.0
// CRC32C by instruction and by table.
#include "core/flush/crc32c.hpp"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#define WEIR_CRC_TARGET __attribute__((target("sse4.2")))
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#define WEIR_CRC_TARGET __attribute__((target("+crc")))
#endif

namespace weir {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78; // reflected 0x1edc6f41

// ---- by table

/// Eight tables of 256: table[k][b] is the register after byte b and k zero bytes.
struct Tables {
    uint32_t of[8][256] = {};
    constexpr Tables() noexcept
    {
        for (uint32_t byte = 0; byte < 256; ++byte) {
            uint32_t crc = byte;
            for (int i = 0; i < 8; ++i)
                crc = crc >> 1 ^ ((crc & 1) != 0 ? kPolynomial : 0);
            of[0][byte] = crc;
        }
        for (uint32_t byte = 0; byte < 256; ++byte)
            for (int k = 1; k < 8; ++k)
                of[k][byte] = of[k - 1][byte] >> 8 ^ of[0][of[k - 1][byte] & 0xff];
    }
};
constexpr Tables kTables;

uint64_t load64(void const *from) noexcept
{
    uint64_t value;
    std::memcpy(&value, from, sizeof value);
    asm("" : "+r"(value)); // read once: what is stored and what is summed are the same
    return value;
}

uint32_t step8_by_table(uint32_t state, uint64_t value) noexcept
{
    value ^= state;
    uint32_t crc = 0;
    for (int k = 0; k < 8; ++k)
        crc ^= kTables.of[7 - k][value >> (8 * k) & 0xff];
    return crc;
}
uint32_t step1_by_table(uint32_t state, uint8_t byte) noexcept
{
    return state >> 8 ^ kTables.of[0][(state ^ byte) & 0xff];
}

/// Every way to do it is this loop with other steps. With `To` the bytes are stored as well, and
/// what is summed is what was stored.
template <bool kCopy>
uint32_t extend_by_table(uint32_t state, char *to, char const *from, size_t length) noexcept
{
    for (; length >= 8; length -= 8, from += 8) {
        uint64_t const value = load64(from);
        if constexpr (kCopy) {
            std::memcpy(to, &value, 8);
            to += 8;
        }
        state = step8_by_table(state, value);
    }
    for (; length != 0; --length, ++from) {
        uint8_t const byte = static_cast<uint8_t>(*static_cast<char const volatile *>(from));
        if constexpr (kCopy)
            *to++ = static_cast<char>(byte);
        state = step1_by_table(state, byte);
    }
    return state;
}

#ifdef WEIR_CRC_TARGET
// ---- by instruction

#if defined(__x86_64__)
WEIR_CRC_TARGET inline uint32_t step8(uint32_t state, uint64_t value) noexcept
{
    return static_cast<uint32_t>(_mm_crc32_u64(state, value));
}
WEIR_CRC_TARGET inline uint32_t step1(uint32_t state, uint8_t byte) noexcept
{
    return _mm_crc32_u8(state, byte);
}
bool has_instruction() noexcept { return __builtin_cpu_supports("sse4.2") != 0; }
#else
WEIR_CRC_TARGET inline uint32_t step8(uint32_t state, uint64_t value) noexcept
{
    return __crc32cd(state, value);
}
WEIR_CRC_TARGET inline uint32_t step1(uint32_t state, uint8_t byte) noexcept
{
    return __crc32cb(state, byte);
}
bool has_instruction() noexcept { return (getauxval(AT_HWCAP) & 1u << 7) != 0; } // HWCAP_CRC32
#endif

/// The register after `kLane` zero bytes, as four tables of 256, to join lanes: linear in the
/// register, so it is made of the images of its bytes.
constexpr size_t kLane = 336; // three of them: what is left of 1 KiB is short
struct Shift {
    uint32_t of[4][256] = {};
    constexpr Shift() noexcept
    {
        uint32_t image[32] = {};
        for (int i = 0; i < 32; ++i) {
            uint32_t crc = uint32_t{1} << i;
            for (size_t byte = 0; byte < kLane; ++byte)
                crc = crc >> 8 ^ kTables.of[0][crc & 0xff];
            image[i] = crc;
        }
        for (int part = 0; part < 4; ++part)
            for (uint32_t byte = 0; byte < 256; ++byte)
                for (int i = 0; i < 8; ++i)
                    if ((byte >> i & 1) != 0)
                        of[part][byte] ^= image[8 * part + i];
    }
};
constexpr Shift kShift;

inline uint32_t shifted(uint32_t state) noexcept
{
    return kShift.of[0][state & 0xff] ^ kShift.of[1][state >> 8 & 0xff] ^
           kShift.of[2][state >> 16 & 0xff] ^ kShift.of[3][state >> 24];
}

template <bool kCopy> WEIR_CRC_TARGET inline uint64_t take8(char *to, char const *from) noexcept
{
    uint64_t const value = load64(from);
    if constexpr (kCopy)
        std::memcpy(to, &value, 8);
    return value;
}

/// One step takes 1 cycle and its result comes after 3: three independent sums fill the gap.
template <bool kCopy>
WEIR_CRC_TARGET uint32_t extend_lanes(uint32_t state, char *&to, char const *&from,
                                      size_t &length) noexcept
{
    while (length >= 3 * kLane) {
        uint32_t second = 0, third = 0;
        for (size_t i = 0; i < kLane; i += 8) {
            state = step8(state, take8<kCopy>(to + i, from + i));
            second = step8(second, take8<kCopy>(to + kLane + i, from + kLane + i));
            third = step8(third, take8<kCopy>(to + 2 * kLane + i, from + 2 * kLane + i));
        }
        state = shifted(shifted(state) ^ second) ^ third;
        from += 3 * kLane;
        if constexpr (kCopy)
            to += 3 * kLane;
        length -= 3 * kLane;
    }
    return state;
}

template <bool kCopy>
WEIR_CRC_TARGET uint32_t extend_by_instruction(uint32_t state, char *to, char const *from,
                                               size_t length) noexcept
{
    state = extend_lanes<kCopy>(state, to, from, length);
    for (; length >= 8; length -= 8, from += 8) {
        state = step8(state, take8<kCopy>(to, from));
        if constexpr (kCopy)
            to += 8;
    }
    for (; length != 0; --length, ++from) {
        uint8_t const byte = static_cast<uint8_t>(*static_cast<char const volatile *>(from));
        if constexpr (kCopy)
            *to++ = static_cast<char>(byte);
        state = step1(state, byte);
    }
    return state;
}

/// Found once, before anything of the library runs.
bool g_by_instruction = false;
__attribute__((constructor)) void look_for_instruction() noexcept
{
    g_by_instruction = has_instruction();
}
#endif

template <bool kCopy>
uint32_t extend_any(uint32_t state, void *to, void const *from, size_t length) noexcept
{
    auto *const target = static_cast<char *>(to);
    auto const *const source = static_cast<char const *>(from);
#ifdef WEIR_CRC_TARGET
    if (g_by_instruction)
        return extend_by_instruction<kCopy>(state, target, source, length);
#endif
    return extend_by_table<kCopy>(state, target, source, length);
}

} // namespace

uint32_t Crc32c::extend(uint32_t state, void const *data, size_t length) noexcept
{
    return extend_any<false>(state, nullptr, data, length);
}

uint32_t Crc32c::extend_copy(uint32_t state, void *to, void const *from, size_t length) noexcept
{
    return extend_any<true>(state, to, from, length);
}

Crc32c &Crc32c::add_zeros(size_t length) noexcept
{
    static constexpr char kZeros[256] = {};
    for (; length > sizeof kZeros; length -= sizeof kZeros)
        add(kZeros, sizeof kZeros);
    return add(kZeros, length);
}

uint32_t crc32c_by_table(void const *data, size_t length) noexcept
{
    return ~extend_by_table<false>(~uint32_t{0}, nullptr, static_cast<char const *>(data), length);
}

} // namespace weir
