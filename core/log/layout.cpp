// SPDX-License-Identifier: MIT OR Apache-2.0
// Names of the log's files, and segment headers.
#include "core/log/layout.hpp"

#include "core/base/clock.hpp"

#include <cstring>

namespace weir {
namespace {

constexpr char kSegmentPrefix[] = "seg-";
constexpr char kSegmentSuffix[] = ".log";
constexpr char kSparePrefix[] = "spare-";
constexpr char kSpareSuffix[] = ".seg";
constexpr unsigned kDigits = 20;

char *put(char *to, char const *text) noexcept
{
    size_t const length = strlen(text);
    memcpy(to, text, length);
    return to + length;
}

/// At least `width` digits.
char *put_number(char *to, uint64_t value, unsigned width) noexcept
{
    char digits[kDigits];
    unsigned count = 0;
    do {
        digits[count++] = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count < width)
        digits[count++] = '0';
    while (count != 0)
        *to++ = digits[--count];
    return to;
}

/// The digits between prefix and suffix; 0 digits or too large a number is none.
bool parse_number(char const *name, char const *prefix, char const *suffix, unsigned &ret_digits,
                  uint64_t &ret) noexcept
{
    size_t const skip = strlen(prefix);
    if (strncmp(name, prefix, skip) != 0)
        return false;
    name += skip;
    uint64_t value = 0;
    unsigned digits = 0;
    for (; *name >= '0' && *name <= '9' && digits <= kDigits; ++name, ++digits) {
        auto const digit = static_cast<uint64_t>(*name - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (digits == 0 || strcmp(name, suffix) != 0)
        return false;
    ret_digits = digits;
    ret = value;
    return true;
}

} // namespace

void segment_name(Lsn base, char (&ret)[kSegmentNameBytes]) noexcept
{
    static_assert(sizeof kSegmentPrefix + kDigits + sizeof kSegmentSuffix <= kSegmentNameBytes);
    *put(put_number(put(ret, kSegmentPrefix), base, kDigits), kSegmentSuffix) = '\0';
}

bool parse_segment_name(char const *name, Lsn &ret_base) noexcept
{
    unsigned digits = 0;
    Lsn base = 0;
    if (!parse_number(name, kSegmentPrefix, kSegmentSuffix, digits, base) || digits != kDigits)
        return false;
    ret_base = base;
    return true;
}

void spare_name(uint64_t number, char (&ret)[kSegmentNameBytes]) noexcept
{
    static_assert(sizeof kSparePrefix + kDigits + sizeof kSpareSuffix <= kSegmentNameBytes);
    *put(put_number(put(ret, kSparePrefix), number, 1), kSpareSuffix) = '\0';
}

bool parse_spare_name(char const *name, uint64_t &ret_number) noexcept
{
    unsigned digits = 0;
    return parse_number(name, kSparePrefix, kSpareSuffix, digits, ret_number);
}

void make_segment_header(Superblock const &superblock, uint64_t number, uint32_t reused,
                         SegmentHeader &ret) noexcept
{
    memset(&ret, 0, sizeof ret);
    memcpy(ret.magic, kSegmentFileMagic, sizeof ret.magic);
    ret.version = kLogVersion;
    ret.block = superblock.block;
    memcpy(ret.uuid, superblock.uuid, sizeof ret.uuid);
    ret.incompat = superblock.incompat;
    ret.ro_compat = superblock.ro_compat;
    ret.compat = superblock.compat;
    ret.checksum = superblock.checksum;
    ret.segment_size = superblock.segment_size;
    ret.number = number;
    ret.base = number * superblock.segment_size;
    ret.epoch = superblock.epoch;
    ret.time_ns = real_now();
    ret.reused = reused;
    ret.crc = page_crc(ret);
}

bool segment_header_whole(SegmentHeader const &header) noexcept
{
    return memcmp(header.magic, kSegmentFileMagic, sizeof header.magic) == 0 &&
           header.crc == page_crc(header) && header.version == kLogVersion &&
           header.checksum == kChecksumCrc32c && is_power_of_two(header.block) &&
           header.block >= kSmallestBlock && header.block <= kLargestBlock &&
           is_power_of_two(header.segment_size) && header.segment_size >= 2ull * header.block &&
           header.segment_size <= kLargestSegment && header.reserved == 0 &&
           header.number <= kLastLsn / header.segment_size &&
           header.base == header.number * header.segment_size;
}

bool segment_header_fits(SegmentHeader const &header, Superblock const &superblock,
                         uint64_t number) noexcept
{
    return segment_header_whole(header) && header.number == number &&
           header.block == superblock.block && header.segment_size == superblock.segment_size &&
           memcmp(header.uuid, superblock.uuid, sizeof header.uuid) == 0;
}

} // namespace weir
