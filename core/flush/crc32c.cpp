// SPDX-License-Identifier: MIT OR Apache-2.0
// CRC32C: the tables, and the choice of a way.
#include "core/flush/crc32c.hpp"

#include "core/base/base.hpp"
#include "core/flush/crc32c_folding.hpp"
#include "core/flush/crc32c_lanes.hpp"

namespace weir {
namespace crc {
namespace {

/// table[k][b] is the register after byte b and k zero bytes.
struct Tables {
    uint32_t of[8][256] = {};
    constexpr Tables() noexcept
    {
        for (uint32_t byte = 0; byte < 256; ++byte) {
            uint32_t crc = byte;
            for (int i = 0; i < 8; ++i)
                crc = times_x(crc);
            of[0][byte] = crc;
        }
        for (uint32_t byte = 0; byte < 256; ++byte)
            for (int k = 1; k < 8; ++k)
                of[k][byte] = of[k - 1][byte] >> 8 ^ of[0][of[k - 1][byte] & 0xff];
    }
};
constexpr Tables kTables;

uint32_t step_by_table(uint32_t state, uint64_t value) noexcept
{
    value ^= state;
    uint32_t crc = 0;
    for (int k = 0; k < 8; ++k)
        crc ^= kTables.of[7 - k][value >> (8 * k) & 0xff];
    return crc;
}
uint32_t step_by_table(uint32_t state, uint8_t byte) noexcept
{
    return state >> 8 ^ kTables.of[0][(state ^ byte) & 0xff];
}

template <bool kCopy>
uint32_t extend_by_table(uint32_t state, char *to, char const *from, size_t length) noexcept
{
    for (; length >= 8; length -= 8, from += 8) {
        state = step_by_table(state, take<kCopy, uint64_t>(to, from));
        if constexpr (kCopy)
            to += 8;
    }
    for (; length != 0; --length, ++from) {
        state = step_by_table(state, take<kCopy, uint8_t>(to, from));
        if constexpr (kCopy)
            ++to;
    }
    return state;
}

template <bool kCopy>
uint32_t extend_by(CrcWay way, uint32_t state, char *to, char const *from, size_t length) noexcept
{
#if defined(__x86_64__)
    if (way == CrcWay::folding && length >= kFolded)
        return extend_by_folding<kCopy>(state, to, from, length);
#endif
#ifdef WEIR_CRC_LANES
    if (WEIR_LIKELY(way != CrcWay::table))
        return extend_by_lanes<kCopy>(state, to, from, length);
#endif
    return extend_by_table<kCopy>(state, to, from, length);
}

__attribute__((constructor)) void look_at_processor() noexcept
{
    if (crc32c_can(CrcWay::folding))
        g_crc_way = CrcWay::folding;
    else if (crc32c_can(CrcWay::lanes))
        g_crc_way = CrcWay::lanes;
}
} // namespace
} // namespace crc

CrcWay g_crc_way = CrcWay::table;

bool crc32c_can(CrcWay way) noexcept
{
#if defined(__x86_64__)
    if (way == CrcWay::folding)
        return crc::can_folding();
#endif
#ifdef WEIR_CRC_LANES
    if (way == CrcWay::lanes)
        return crc::can_lanes();
#endif
    return way == CrcWay::table;
}

uint32_t Crc32c::extend(uint32_t state, void const *data, size_t length) noexcept
{
    return crc::extend_by<false>(g_crc_way, state, nullptr, static_cast<char const *>(data),
                                 length);
}

uint32_t Crc32c::extend_copy(uint32_t state, void *to, void const *from, size_t length) noexcept
{
    return crc::extend_by<true>(g_crc_way, state, static_cast<char *>(to),
                                static_cast<char const *>(from), length);
}

Crc32c &Crc32c::add_zeros(size_t length) noexcept
{
    static constexpr char kZeros[256] = {};
    for (; length > sizeof kZeros; length -= sizeof kZeros)
        add(kZeros, sizeof kZeros);
    return add(kZeros, length);
}

uint32_t crc32c_by(CrcWay way, void *to, void const *from, size_t length) noexcept
{
    auto const *const source = static_cast<char const *>(from);
    if (to == nullptr)
        return ~crc::extend_by<false>(way, ~uint32_t{0}, nullptr, source, length);
    return ~crc::extend_by<true>(way, ~uint32_t{0}, static_cast<char *>(to), source, length);
}

uint32_t crc32c_by_table(void const *data, size_t length) noexcept
{
    return crc32c_by(CrcWay::table, nullptr, data, length);
}

} // namespace weir
