// SPDX-License-Identifier: MIT OR Apache-2.0
// Reads what a ring wrote, byte by byte, and believes nothing: batches, their chain, records.
#pragma once

#include "core/flush/ring.hpp"

#include <cstring>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace flush_test {
using weir::BatchHeader;
using weir::Lsn;
using weir::RecordHeader;

struct Record {
    Lsn lsn;
    uint16_t tag;
    std::string bytes;
    bool operator==(Record const &o) const
    {
        return lsn == o.lsn && tag == o.tag && bytes == o.bytes;
    }
};

struct Contents {
    std::vector<Record> records; ///< delivered ones: no PAD, no ABORTED, no void chain
    unsigned batches = 0, pads = 0, aborted = 0, voided = 0, fragments = 0;
    Lsn end = 0;     ///< behind the last valid batch
    Lsn durable = 0; ///< the highest that a header tells
    uint64_t sequence = 0;
    std::set<Lsn> outside; ///< where something begins that is in no chain
    std::string wrong;     ///< what is not as it must be; "" at a clean end
};

using Segments = std::function<std::vector<char>(uint64_t)>;

class LogReader {
  public:
    /// `segment`: the bytes of the segment of that number; empty, or as long as it is.
    LogReader(Segments segment, uint64_t segment_size, weir::RingStart const &start, uint32_t block)
        : segment_(std::move(segment)), size_(segment_size), block_(block), epoch_(start.epoch),
          seed_(weir::epoch_seed(start.uuid, start.epoch)), at_(start.at),
          sequence_(start.sequence), prev_(start.prev_crc)
    {
        out_.durable = start.at;
    }

    Contents read()
    {
        while (out_.wrong.empty() && batch()) {
        }
        out_.end = at_;
        out_.sequence = sequence_;
        return std::move(out_);
    }

  private:
    bool wrong(std::string what)
    {
        out_.wrong = what + " at " + std::to_string(at_);
        return false;
    }
    bool batch()
    {
        uint64_t const size = size_;
        Lsn const start = at_ % size == 0 ? at_ + block_ : at_;
        auto const bytes = segment_(start / size);
        if (bytes.empty())
            return false;
        uint64_t const offset = start % size;
        BatchHeader header;
        std::memcpy(&header, bytes.data() + offset, sizeof header);
        if (header.magic == 0)
            return false; // the end
        if (header.magic != weir::kBatchMagic || header.crc != weir::batch_crc(seed_, header))
            return wrong("header");
        if (header.start != start || header.sequence != sequence_ || header.epoch != epoch_ ||
            header.prev_crc != prev_ || header.reserved != 0 ||
            (header.flags & ~uint32_t{weir::kKnownBatchFlags}) != 0)
            return wrong("chain of batches");
        if (header.length % block_ != 0 || header.length == 0 || offset + header.length > size)
            return wrong("length");
        if (header.durable < out_.durable || header.durable > start)
            return wrong("durable");
        if (((header.flags & weir::kBeginsInsideChain) != 0) != inside_)
            return wrong("begins inside a chain");
        uint32_t count = 0, outside = 0;
        weir::Crc32c digest;
        uint64_t at = weir::kBatchHeader;
        while (at < header.length) {
            if (!inside_)
                out_.outside.insert(start + at);
            if (!inside_ && outside == 0)
                outside = static_cast<uint32_t>(at);
            uint64_t const took =
                record(bytes.data() + offset + at, start + at, header.length - at, digest);
            if (took == 0)
                return false;
            at += took;
            ++count;
        }
        if (count != header.records || digest.value() != header.digest)
            return wrong("count or digest");
        if (outside != header.first_outside)
            return wrong("first record outside a chain");
        if (((header.flags & weir::kEndsInsideChain) != 0) != inside_)
            return wrong("ends inside a chain");
        out_.durable = header.durable;
        ++out_.batches;
        at_ = start + header.length;
        if (!inside_)
            out_.outside.insert(at_);
        ++sequence_;
        prev_ = header.crc;
        return true;
    }
    uint64_t record(char const *at, Lsn lsn, uint64_t space, weir::Crc32c &digest)
    {
        RecordHeader header;
        std::memcpy(&header, at, sizeof header);
        uint64_t const bytes = weir::record_bytes(header.length);
        if (bytes > space || header.lsn_low != static_cast<uint32_t>(lsn))
            return static_cast<void>(wrong("record's length or place")), 0;
        uint64_t word1;
        std::memcpy(&word1, at + 8, 8);
        weir::Crc32c sum = weir::begin_record_crc(seed_, lsn, header.length, word1);
        sum.add(at + sizeof header, bytes - sizeof header);
        if (sum.value() != header.crc)
            return static_cast<void>(wrong("record's sum, LSN " + std::to_string(lsn))), 0;
        digest.add32(header.crc);
        for (uint64_t i = sizeof header + header.length; i < bytes; ++i)
            if (at[i] != 0)
                return static_cast<void>(wrong("padding")), 0;
        return take(header, lsn, at + sizeof header) ? bytes : 0;
    }
    bool take(RecordHeader const &header, Lsn lsn, char const *payload)
    {
        if (header.type == weir::kPad || header.type == weir::kAborted) {
            for (uint32_t i = 0; i < header.length; ++i)
                if (payload[i] != 0)
                    return wrong("payload of a gap");
            ++(header.type == weir::kPad ? out_.pads : out_.aborted);
            if (header.type == weir::kAborted && inside_)
                ++out_.voided, chain_.clear(), inside_ = fragment_ = group_ = false;
            return true;
        }
        if (header.type != weir::kData || (header.flags & ~weir::kKnownRecordFlags) != 0)
            return wrong("type");
        bool const begins = (header.flags & weir::kFirst) != 0;
        if (begins == fragment_)
            return wrong("a fragment's place");
        if (!inside_)
            group_ = (header.flags & weir::kGroupBegin) != 0;
        else if ((header.flags & weir::kGroupBegin) != 0 || (begins && !group_))
            return wrong("a unit inside a chain");
        if (begins)
            chain_.push_back({lsn, header.tag, ""});
        else
            ++out_.fragments;
        if (chain_.back().tag != header.tag)
            return wrong("a fragment's tag");
        chain_.back().bytes.append(payload, header.length);
        fragment_ = (header.flags & weir::kLast) == 0;
        inside_ = fragment_ || (group_ && (header.flags & weir::kGroupEnd) == 0);
        if (!inside_) {
            out_.records.insert(out_.records.end(), chain_.begin(), chain_.end());
            chain_.clear();
        }
        return true;
    }

    Segments const segment_;
    uint64_t const size_;
    uint32_t const block_;
    uint64_t const epoch_;
    uint32_t const seed_;
    Lsn at_;
    uint64_t sequence_;
    uint32_t prev_;
    bool inside_ = false, fragment_ = false, group_ = false;
    std::vector<Record> chain_;
    Contents out_;
};

} // namespace flush_test
