// SPDX-License-Identifier: MIT OR Apache-2.0
// What is a valid batch, and the scan from batch to batch.
#include "core/log/scan.hpp"

#include <cstring>

namespace weir {
namespace {

bool all_zeros(uint8_t const *bytes, size_t length) noexcept
{
    for (size_t i = 0; i < length; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof word);
        if (word != 0)
            return false;
    }
    return true;
}

bool link_right(BatchHeader const &header, Superblock const &superblock, BatchLink const &link,
                LogGeometry const &geometry) noexcept
{
    if (link.sequence != 0 &&
        (header.sequence != link.sequence || header.prev_crc != link.prev_crc))
        return false;
    return header.start != geometry.place(superblock.epoch_start) ||
           (header.sequence == superblock.epoch_start_sequence &&
            header.prev_crc == superblock.epoch_prev_crc);
}

} // namespace

bool right_side(BatchHeader const &header, Superblock const &superblock,
                LogGeometry const &geometry) noexcept
{
    Lsn const start = geometry.place(superblock.epoch_start);
    if (header.start >= start)
        return header.epoch == superblock.epoch;
    return header.epoch < superblock.epoch && header.start + header.length <= start;
}

bool batch_header_whole(BatchHeader const &header, uint8_t const (&uuid)[16],
                        LogGeometry const &geometry) noexcept
{
    if (header.magic != kBatchMagic ||
        header.crc != batch_crc(epoch_seed(uuid, header.epoch), header))
        return false;
    if (header.epoch == 0 || header.sequence == 0 || header.sequence >= kLastLsn ||
        header.start >= kLastLsn || header.start % geometry.block != 0 ||
        geometry.offset(header.start) == 0 || header.durable > header.start)
        return false;
    if (header.length == 0 || header.length % geometry.block != 0 ||
        header.length > kMostBatchBytes ||
        geometry.offset(header.start) + header.length > geometry.segment_size)
        return false;
    if (header.first_outside != 0 &&
        (header.first_outside < kBatchHeader || header.first_outside >= header.length ||
         header.first_outside % kRecordAlignment != 0))
        return false;
    return header.records != 0 && (header.flags & ~uint32_t{kKnownBatchFlags}) == 0 &&
           header.reserved == 0;
}

LogFinding judge_header(uint8_t const *block, Superblock const &superblock,
                        BatchLink const &link) noexcept
{
    LogGeometry const geometry = geometry_of(superblock);
    BatchHeader header;
    memcpy(&header, block, sizeof header);
    if (!batch_header_whole(header, superblock.uuid, geometry))
        return all_zeros(block, geometry.block) ? LogFinding::zeros : LogFinding::damaged_header;
    if (header.epoch > superblock.epoch)
        return LogFinding::higher_epoch;
    if (header.start != link.at)
        return header.start < geometry.base(link.at) ? LogFinding::earlier_use
                                                     : LogFinding::misdirected;
    if (!right_side(header, superblock, geometry) || header.epoch < link.epoch)
        return LogFinding::dropped;
    return link_right(header, superblock, link, geometry) ? LogFinding::none
                                                          : LogFinding::broken_link;
}

BatchLink link_after(BatchHeader const &header, LogGeometry const &geometry) noexcept
{
    return {geometry.place(header.start + header.length), header.sequence + 1, header.epoch,
            header.crc};
}

// ---- chains

ChainState::Step ChainState::next(RecordHeader const &record, Lsn lsn) noexcept
{
    bool const was_open = open();
    if (record.type == kPad)
        return was_open ? goes_on : outside;
    if (record.type == kAborted) {
        reset();
        return was_open ? voided : outside;
    }
    bool const first = (record.flags & kFirst) != 0, last = (record.flags & kLast) != 0;
    bool const begins = (record.flags & kGroupBegin) != 0;
    bool const finishes = (record.flags & kGroupEnd) != 0;
    if (first == in_record || (in_record && record.tag != tag))
        return wrong;
    if ((begins && (in_group || !first)) || (finishes && (!last || !(in_group || begins))))
        return wrong;
    if (!was_open)
        start = lsn;
    tag = record.tag;
    in_record = !last;
    in_group = (in_group || begins) && !finishes;
    if (open())
        return goes_on;
    return was_open ? ends : outside;
}

bool begin_batch(BatchHeader const &header, BatchLink const &link, ChainState &chain) noexcept
{
    bool const inside = (header.flags & kBeginsInsideChain) != 0;
    if (link.sequence == 0) { // reading begins here
        chain.reset();
        chain.unknown = inside;
        return false;
    }
    bool const voided = header.epoch > link.epoch && chain.open();
    if (header.epoch > link.epoch)
        chain.reset();
    chain.unknown = chain.unknown && inside;
    return voided;
}

// ---- records

RecordWalk::RecordWalk(uint8_t const *batch, uint32_t seed, bool checked) noexcept
    : batch_(batch), seed_(seed), checked_(checked)
{
    memcpy(&header_, batch, sizeof header_);
    vain_ = kVainRounds * header_.length;
}

bool RecordWalk::fail() noexcept
{
    wrong_ = true;
    return false;
}

bool RecordWalk::sum_right(RecordRef const &record) noexcept
{
    RecordHeader const &header = record.header;
    uint64_t word1;
    memcpy(&word1, batch_ + at_ + offsetof(RecordHeader, type), sizeof word1);
    digest_.add32(header.crc);
    bool const right =
        header.crc == begin_record_crc(seed_, record.lsn, header.length, word1)
                          .add(record.payload, round_up(header.length, kRecordAlignment))
                          .value();
    uint64_t const summed = record_bytes(header.length);
    vain_ -= right ? 0 : smaller(vain_, summed);
    return right;
}

bool RecordWalk::header_right(RecordHeader &ret) const noexcept
{
    memcpy(&ret, batch_ + at_, sizeof ret); // at_ and length are multiples of 16: it fits
    if (ret.length > header_.length || record_bytes(ret.length) > header_.length - at_)
        return false;
    bool const known = ret.type == kPad || ret.type == kAborted ||
                       (ret.type == kData && (ret.flags & ~kKnownRecordFlags) == 0);
    return known && ret.lsn_low == static_cast<uint32_t>(lsn());
}

/// Whether one stands there, or the batch ends: then it is where the walk goes on.
bool RecordWalk::whole_at(uint64_t at) noexcept
{
    at_ = static_cast<uint32_t>(at);
    RecordHeader record;
    if (at_ == header_.length)
        return true;
    return header_right(record) && sum_right({record, lsn(), batch_ + at_ + kRecordHeader});
}

bool RecordWalk::skip_wrong() noexcept
{
    uint64_t const from = at_;
    RecordHeader record;
    bool found = false;
    if (wrong_ && !at_end() && vain_ != 0 && header_right(record))
        found = whole_at(from + record_bytes(record.length));
    for (uint64_t at = from + (wrong_ ? kRecordAlignment : 0);
         !found && at < header_.length && vain_ != 0; at += kRecordAlignment)
        found = whole_at(at);
    if (!found)
        at_ = header_.length;
    wrong_ = false;
    skipped_ = true;
    return !at_end();
}

bool RecordWalk::next(RecordRef &ret) noexcept
{
    if (wrong_)
        return false;
    if (at_ >= header_.length) {
        bool const right = checked_ || skipped_ ||
                           (count_ == header_.records && digest_.value() == header_.digest);
        return right ? false : fail();
    }
    RecordHeader record;
    if (!header_right(record))
        return fail();
    ret = {record, lsn(), batch_ + at_ + kRecordHeader};
    if (!checked_ && !sum_right(ret))
        return fail();
    ++count_;
    at_ += static_cast<uint32_t>(record_bytes(record.length));
    return true;
}

bool batch_records_valid(uint8_t const *batch, Superblock const &superblock, BatchLink const &link,
                         ChainState &chain, BatchCounts &counts, Lsn &ret_lsn) noexcept
{
    BatchHeader header;
    memcpy(&header, batch, sizeof header);
    ChainState state = chain;
    BatchCounts sum = counts;
    sum.void_chains += uint64_t{begin_batch(header, link, state)};
    RecordWalk walk(batch, epoch_seed(superblock.uuid, header.epoch));
    ret_lsn = walk.lsn();
    // Ends: each turn moves on by at least 16 bytes of header.length.
    for (RecordRef record; walk.next(record); ret_lsn = walk.lsn()) {
        bool const data = record.header.type == kData;
        sum.records += uint64_t{data && (record.header.flags & kLast) != 0};
        (data ? sum.record_bytes : sum.padding_bytes) += record.header.length;
        if (state.unknown && header.first_outside != 0 &&
            record.lsn >= header.start + header.first_outside)
            state.reset();
        if (state.unknown)
            continue;
        ChainState::Step const step = state.next(record.header, record.lsn);
        if (step == ChainState::wrong)
            return false;
        sum.void_chains += uint64_t{step == ChainState::voided};
    }
    if (walk.wrong())
        return false;
    chain = state;
    counts = sum;
    return true;
}

// ---- the scan

void Scan::begin_at_segment(Lsn at) noexcept
{
    begin_at({geometry_.base(at) + geometry_.block, 0, 0, 0});
}

void Scan::begin_at(BatchLink const &link) noexcept
{
    link_ = link;
    chain_.reset();
    batch_ = nullptr;
    wrong_lsn_ = link.at;
}

Status Scan::load_header(BatchHeader &ret, LogFinding &finding) noexcept
{
    finding = LogFinding::none;
    if (!source_.entered(link_.at)) {
        WEIR_TRY(source_.enter(link_.at, finding));
        if (finding != LogFinding::none) {
            source_.leave();
            return kOk;
        }
    }
    uint8_t const *block;
    WEIR_TRY(source_.bytes(link_.at, geometry_.block, block));
    if (block == nullptr) {
        finding = LogFinding::segment_damaged;
        return kOk;
    }
    finding = judge_header(block, superblock_, link_);
    memcpy(&ret, block, sizeof ret);
    return kOk;
}

Status Scan::next(LogFinding &ret) noexcept
{
    batch_ = nullptr;
    wrong_lsn_ = link_.at;
    BatchHeader header;
    WEIR_TRY(load_header(header, ret));
    if (ret != LogFinding::none)
        return kOk;
    uint8_t const *batch;
    WEIR_TRY(source_.bytes(link_.at, header.length, batch));
    if (batch == nullptr) {
        ret = LogFinding::segment_damaged;
        return kOk;
    }
    // It was read twice, perhaps from a disk that says something else each time.
    bool const same = memcmp(batch, &header, sizeof header) == 0;
    if (!same || !batch_records_valid(batch, superblock_, link_, chain_, counts_, wrong_lsn_)) {
        ret = LogFinding::damaged_record;
        return kOk;
    }
    batch_ = batch;
    accept(header);
    return kOk;
}

void Scan::accept(BatchHeader const &header) noexcept
{
    durable_seen_ = larger(durable_seen_, header.durable);
    ++batches_;
    link_ = link_after(header, geometry_);
    wrong_lsn_ = link_.at;
}

Status Scan::run(LogFinding &ret) noexcept
{
    // Ends: each batch is one block at least, and positions end with the last segment.
    for (bool again = false;;) {
        WEIR_TRY(next(ret));
        if (ret == LogFinding::none) {
            again = false;
            continue;
        }
        if (again || ret == LogFinding::segment_missing)
            return kOk;
        again = true;
        source_.forget();
        source_.leave();
    }
}

} // namespace weir
