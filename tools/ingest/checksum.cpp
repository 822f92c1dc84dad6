// SPDX-License-Identifier: MIT OR Apache-2.0
// CRC-32C (Castagnoli): RFC 3720, reflected polynomial 0x82f63b78.
#include "checksum.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace tool::ingest {
namespace {
constexpr std::uint32_t kPolynomial = 0x82f63b78;

constexpr std::array<std::uint32_t, 256> make_table()
{
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t rest = byte;
        for (int bit = 0; bit < 8; ++bit)
            rest = rest >> 1 ^ ((rest & 1) != 0 ? kPolynomial : 0);
        table[byte] = rest;
    }
    return table;
}

constexpr auto kTable = make_table();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t
crc32c_sse(std::uint32_t crc, unsigned char const *bytes, std::size_t length)
{
    std::uint64_t state = ~crc;
    for (; length >= 8; bytes += 8, length -= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes, sizeof word);
        state = _mm_crc32_u64(state, word);
    }
    auto narrow = static_cast<std::uint32_t>(state);
    for (; length > 0; ++bytes, --length)
        narrow = _mm_crc32_u8(narrow, *bytes);
    return ~narrow;
}
#endif
} // namespace

std::uint32_t crc32c_portable(std::uint32_t crc, void const *data, std::size_t length)
{
    auto const *const bytes = static_cast<unsigned char const *>(data);
    crc = ~crc;
    for (std::size_t i = 0; i < length; ++i)
        crc = crc >> 8 ^ kTable[(crc ^ bytes[i]) & 0xff];
    return ~crc;
}

std::uint32_t crc32c(std::uint32_t crc, void const *data, std::size_t length)
{
#if defined(__x86_64__)
    static bool const fast = __builtin_cpu_supports("sse4.2") != 0;
    if (fast)
        return crc32c_sse(crc, static_cast<unsigned char const *>(data), length);
#endif
    return crc32c_portable(crc, data, length);
}

} // namespace tool::ingest
