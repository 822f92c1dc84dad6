// SPDX-License-Identifier: MIT OR Apache-2.0
// The bytes of the log's files, besides batches and records (core/flush/format.hpp): superblock,
// segment header, cursor slot, LIVE (docs/FORMAT.md has the tables). Little endian.
#pragma once

#include "core/base/atomic.hpp"
#include "core/flush/format.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

inline constexpr char kLogMagic[8] = {'W', 'E', 'I', 'R', 'L', 'O', 'G', '\n'};
inline constexpr char kSegmentFileMagic[8] = {'W', 'E', 'I', 'R', 'S', 'E', 'G', '\n'};
inline constexpr char kCursorMagic[8] = {'W', 'E', 'I', 'R', 'C', 'U', 'R', 'S'};
inline constexpr char kLiveMagic[8] = {'W', 'E', 'I', 'R', 'L', 'I', 'V', 'E'};
inline constexpr uint32_t kLogVersion = 1;
inline constexpr uint32_t kChecksumCrc32c = 1;
inline constexpr uint32_t kLogOpen = 1;
inline constexpr uint32_t kLogClosed = 2;

inline constexpr uint64_t kMetaBytes = 131072;
inline constexpr uint64_t kMetaSecondCopy = 65536;
inline constexpr uint32_t kSmallestBlock = 4096;
inline constexpr uint32_t kLargestBlock = 65536;
inline constexpr uint64_t kSmallestSegment = uint64_t{1} << 20; ///< tests go below
inline constexpr uint64_t kLargestSegment = uint64_t{4} << 30;
/// Positions in files that were read are refused above this, so that no sum of them overflows.
inline constexpr Lsn kLastLsn = uint64_t{1} << 62;

struct Superblock {
    char magic[8];
    uint32_t version;
    uint32_t block;
    uint8_t uuid[16];
    uint32_t incompat, ro_compat, compat;
    uint32_t checksum;
    uint64_t segment_size;
    uint64_t sequence;
    uint64_t epoch;
    Lsn epoch_start;               ///< of the first batch of this epoch
    uint64_t epoch_start_sequence; ///< of that batch
    uint32_t epoch_prev_crc;       ///< header CRC of the batch before it, 0: none
    uint32_t state;
    Lsn durable_hint;
    Lsn truncate_before;
    int64_t created_ns, written_ns;
    uint8_t zero[3964];
    uint32_t crc; ///< over bytes 0 to 4091
};
static_assert(sizeof(Superblock) == 4096 && offsetof(Superblock, durable_hint) == 96 &&
              offsetof(Superblock, zero) == 128);

struct SegmentHeader {
    char magic[8];
    uint32_t version;
    uint32_t block;
    uint8_t uuid[16];
    uint32_t incompat, ro_compat, compat;
    uint32_t checksum;
    uint64_t segment_size;
    uint64_t number;
    Lsn base;
    uint64_t epoch; ///< when it was prepared
    int64_t time_ns;
    uint32_t reused;
    uint32_t reserved;
    uint8_t zero[3996];
    uint32_t crc; ///< over bytes 0 to 4091
};
static_assert(sizeof(SegmentHeader) == 4096 && offsetof(SegmentHeader, zero) == 96);

inline constexpr uint64_t kCursorBytes = 8192;
inline constexpr uint32_t kCursorHold = 1;
struct CursorSlot {
    char magic[8];
    uint32_t version;
    uint32_t flags;
    uint8_t uuid[16];
    uint64_t sequence;
    Lsn lsn;
    int64_t time_ns;
    uint8_t zero[4036];
    uint32_t crc; ///< over bytes 0 to 4091
};
static_assert(sizeof(CursorSlot) == 4096);

/// Mapped by readers of other processes. Recovery never reads it.
struct LivePage {
    char magic[8];
    uint32_t version;
    uint32_t reserved;
    uint8_t uuid[16];
    atomic<uint64_t> epoch;     ///< 0: nobody writes now
    atomic<uint64_t> written;   ///< writer: the log's process; release, pairs with readers' acquire
    atomic<uint64_t> durable;   ///< the same
    atomic<uint64_t> truncated; ///< the same
    atomic<uint32_t> wake;      ///< futex; counts up when durable has moved
    atomic<uint32_t> sleepers;  ///< readers that sleep on it; a hint for the writer
    uint8_t zero[4024];
};
static_assert(sizeof(LivePage) == 4096);

/// The sum of a page whose last four bytes hold it.
template <class Page> uint32_t page_crc(Page const &page) noexcept
{
    static_assert(sizeof(Page) == 4096);
    return Crc32c().add(&page, 4092).value();
}

/// How positions map to files.
struct LogGeometry {
    uint64_t segment_size = 0; ///< power of two
    uint32_t block = 0;        ///< power of two, at most half a segment

    uint64_t number(Lsn lsn) const noexcept { return lsn / segment_size; }
    Lsn base(Lsn lsn) const noexcept { return round_down(lsn, segment_size); }
    uint64_t offset(Lsn lsn) const noexcept { return lsn & (segment_size - 1); }
    /// A segment's base and its first batch are one position, written as the batch's. What is
    /// compared with another position passes here first.
    Lsn place(Lsn lsn) const noexcept { return larger(lsn, base(lsn) + block); }
};

/// `seg-<base LSN as %020u>.log`
inline constexpr size_t kSegmentNameBytes = 32;
void segment_name(Lsn base, char (&ret)[kSegmentNameBytes]) noexcept;
/// False: it is no segment's name.
bool parse_segment_name(char const *name, Lsn &ret_base) noexcept;
/// `spare-<k>.seg`
void spare_name(uint64_t number, char (&ret)[kSegmentNameBytes]) noexcept;
bool parse_spare_name(char const *name, uint64_t &ret_number) noexcept;
inline constexpr char kLockName[] = "LOCK";
inline constexpr char kMetaName[] = "META";
inline constexpr char kNewMetaName[] = "META.new";
inline constexpr char kLiveName[] = "LIVE";
inline constexpr char kCursorFolder[] = "cursors";
inline constexpr char kQuarantineFolder[] = "quarantine";

/// A header for segment `number` of the log that `superblock` describes.
void make_segment_header(Superblock const &superblock, uint64_t number, uint32_t reused,
                         SegmentHeader &ret) noexcept;
/// True: the bytes are the header of segment `number` of that log.
bool segment_header_fits(SegmentHeader const &header, Superblock const &superblock,
                         uint64_t number) noexcept;
/// Whole in itself, of whatever log: for repair, which has no superblock.
bool segment_header_whole(SegmentHeader const &header) noexcept;

} // namespace weir
