// SPDX-License-Identifier: MIT OR Apache-2.0
// Records into batches.
#include "core/log/packer.hpp"

#include "core/base/clock.hpp"

#include <cstring>

namespace weir {

Status Packer::begin(Superblock const &superblock, RingStart const &start, uint64_t buffer_size,
                     PackerSink const &sink) noexcept
{
    superblock_ = &superblock;
    sink_ = sink;
    buffer_size_ = smaller(buffer_size, uint64_t{kMostBatchBytes});
    epoch_ = start.epoch;
    seed_ = epoch_seed(start.uuid, start.epoch);
    link_ = {geometry_of(superblock).place(start.at), start.sequence, start.epoch, start.prev_crc};
    return memory_.reserve(buffer_size_);
}

/// Bytes from the open batch's start, or the next one's, to the end of its buffer.
uint64_t Packer::capacity() const noexcept
{
    return buffer_size_ - (link_.at & (buffer_size_ - 1));
}

uint64_t Packer::room() const noexcept
{
    uint64_t const used = used_ == 0 ? kBatchHeader : used_;
    uint64_t const left = capacity() - used;
    return left < kRecordHeader ? 0 : left - kRecordHeader;
}

void Packer::open_batch() noexcept
{
    used_ = kBatchHeader;
    records_ = first_outside_ = 0;
    digest_ = Crc32c();
    begins_inside_ = chain_.open();
}

Status Packer::put(RecordType type, uint8_t flags, Part const &part, Lsn &ret) noexcept
{
    if (used_ != 0 && capacity() - used_ < record_bytes(part.length))
        WEIR_TRY(cut());
    if (used_ == 0)
        open_batch();
    if (capacity() - used_ < record_bytes(part.length))
        return error(EMSGSIZE);
    auto const length = static_cast<uint32_t>(part.length);
    Lsn const lsn = link_.at + used_;
    uint64_t const word1 = record_word1(type, flags, part.tag, lsn);
    uint8_t *const at = memory_.data() + used_;
    memset(at, 0, record_bytes(length));
    if (length != 0 && part.data != nullptr)
        memcpy(at + kRecordHeader, part.data, length);
    uint32_t const sum = begin_record_crc(seed_, lsn, length, word1)
                             .add(at + kRecordHeader, round_up(length, kRecordAlignment))
                             .value();
    uint64_t const words[2] = {record_word0(sum, length), word1};
    memcpy(at, words, sizeof words);
    if (!chain_.open() && first_outside_ == 0)
        first_outside_ = used_;
    RecordHeader header;
    memcpy(&header, at, sizeof header);
    (void)chain_.next(header, lsn); // tests make wrong ones on purpose
    digest_.add32(sum);
    ++records_;
    used_ += static_cast<uint32_t>(record_bytes(length));
    ret = lsn;
    return kOk;
}

Status Packer::raw(RecordType type, uint8_t flags, Part const &part, Lsn &ret) noexcept
{
    return put(type, flags, part, ret);
}

/// Pieces of a multiple of 16 bytes fill their batch; the last is what is left.
Status Packer::fragments(Part const &part, uint8_t group_flags, Lsn &ret) noexcept
{
    auto const *from = static_cast<uint8_t const *>(part.data);
    bool const begins = (group_flags & kGroupBegin) != 0;
    for (uint64_t done = 0, first = 1;; first = 0) {
        if (room() == 0)
            WEIR_TRY(cut());
        uint64_t const piece = smaller(part.length - done, room());
        bool const last = done + piece == part.length;
        auto const flags = static_cast<uint8_t>((first != 0 ? kFirst : 0) | (last ? kLast : 0) |
                                                (first != 0 && begins ? kGroupBegin : 0) |
                                                (last ? group_flags & kGroupEnd : 0));
        Lsn lsn;
        WEIR_TRY(
            put(kData, flags, {from == nullptr ? nullptr : from + done, piece, part.tag}, lsn));
        if (first != 0)
            ret = lsn;
        done += piece;
        if (last)
            return kOk;
    }
}

Status Packer::record(Part const &part, Lsn &ret) noexcept { return fragments(part, 0, ret); }

Status Packer::group(Part const *parts, size_t count, Lsn &ret) noexcept
{
    for (size_t i = 0; i < count; ++i)
        WEIR_TRY(group_part(parts[i], i == 0, i + 1 == count, ret));
    return kOk;
}

Status Packer::group_part(Part const &part, bool first, bool last, Lsn &ret) noexcept
{
    auto const flags = static_cast<uint8_t>((first ? kGroupBegin : 0) | (last ? kGroupEnd : 0));
    return fragments(part, flags, ret);
}

Status Packer::cut() noexcept
{
    if (used_ == 0)
        return kOk;
    auto const end = static_cast<uint32_t>(round_up(used_, superblock_->block));
    if (end > used_) {
        Lsn ignored;
        WEIR_TRY(put(kPad, 0, {nullptr, end - used_ - kRecordHeader, 0}, ignored));
    }
    BatchHeader header{};
    header.magic = kBatchMagic;
    header.start = link_.at;
    header.sequence = link_.sequence;
    header.epoch = epoch_;
    header.durable = sink_.durable(sink_.self);
    header.time_ns = real_now();
    header.length = used_;
    header.records = records_;
    header.digest = digest_.value();
    header.prev_crc = link_.prev_crc;
    header.first_outside = first_outside_;
    header.flags =
        (begins_inside_ ? kBeginsInsideChain : 0u) | (chain_.open() ? kEndsInsideChain : 0u);
    header.crc = batch_crc(seed_, header);
    memcpy(memory_.data(), &header, sizeof header);
    uint32_t const length = used_;
    Lsn const at = link_.at;
    link_ = link_after(header, geometry_of(*superblock_));
    used_ = 0;
    return sink_.batch(sink_.self, at, memory_.data(), length);
}

} // namespace weir
