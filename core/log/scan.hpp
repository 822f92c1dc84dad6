// SPDX-License-Identifier: MIT OR Apache-2.0
// Scanning: which bytes are a valid continuation of the log, and what else lies there. Used by
// recovery, verify, repair and readers; trusts nothing that it reads.
//
// A valid continuation at P is a batch whose header has magic, sum, its own place, the next
// sequence, the sum of the header before, an epoch that is not lower than the last one and on the
// right side of the epoch's start, a sane length; and whose records are whole, in number and
// digest as the header says, with chains that follow the rules below.
//
// Chains (format.hpp): FIRST ... LAST of one record, GROUP_BEGIN ... GROUP_END of an atomic batch,
// in which records may have fragments. PAD may stand anywhere. An ABORTED record ends a chain and
// makes it void, and so does a batch of a higher epoch.
#pragma once

#include "core/base/base.hpp"
#include "core/flush/io.hpp"
#include "core/log/buffer.hpp"
#include "core/log/layout.hpp"
#include "core/log/report.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

/// What links one batch to the next.
struct BatchLink {
    Lsn at = 0;            ///< where the next batch begins (LogGeometry::place)
    uint64_t sequence = 0; ///< of the next batch; 0: any, the scan begins here
    uint64_t epoch = 0;    ///< of the last batch
    uint32_t prev_crc = 0; ///< of the last header
};

/// Follows chains record by record.
struct ChainState {
    enum Step : uint32_t { outside, goes_on, ends, voided, wrong };

    bool unknown = false; ///< reading began inside a chain: skips until it ends
    bool in_group = false;
    bool in_record = false;
    uint16_t tag = 0;
    Lsn start = 0;

    bool open() const noexcept { return in_group || in_record; }
    /// Next record. outside: a whole record of its own, or nothing for readers (PAD, ABORTED).
    Step next(RecordHeader const &record, Lsn lsn) noexcept;
    void reset() noexcept { *this = ChainState{}; }
};

/// Whole in itself: magic, sum, known flags, lengths that make sense in its segment. No link and
/// no place is looked at but what the header says itself.
bool batch_header_whole(BatchHeader const &header, uint8_t const (&uuid)[16],
                        LogGeometry const &geometry) noexcept;

/// The epoch is what a batch of this place must have: the superblock's from its start on, a lower
/// one before it. A batch cannot lie across the start.
bool right_side(BatchHeader const &header, Superblock const &superblock,
                LogGeometry const &geometry) noexcept;

/// What the first block at `link.at` is; none: a valid header that continues. `block` has at least
/// a block of bytes.
LogFinding judge_header(uint8_t const *block, Superblock const &superblock,
                        BatchLink const &link) noexcept;

struct RecordRef {
    RecordHeader header;
    Lsn lsn;
    uint8_t const *payload;
};
/// Walks the records of a batch that is in memory and checks each before it is shown.
class RecordWalk {
  public:
    RecordWalk() noexcept = default;
    /// `checked`: the batch was walked before, in this memory; sums are not made again.
    RecordWalk(uint8_t const *batch, uint32_t seed, bool checked = false) noexcept;
    /// False: at the end, or wrong() is true.
    bool next(RecordRef &ret) noexcept;
    bool wrong() const noexcept { return wrong_; }
    /// Salvage, when something is wrong: on to the next record that is whole in itself. False: there
    /// is none in the batch, or so much looked like one that the search ends. The place behind the
    /// record that is wrong comes first, if its header may be right: else bytes of a user that look
    /// like a record, with its sum over LSN and epoch, would be taken for one.
    bool skip_wrong() noexcept;
    /// Of the record that next() would show, or that is wrong.
    Lsn lsn() const noexcept { return header_.start + at_; }
    /// The record that next() showed last is shown again.
    void step_back(RecordHeader const &record) noexcept
    {
        at_ -= static_cast<uint32_t>(record_bytes(record.length));
        --count_;
    }
    bool at_end() const noexcept { return at_ >= header_.length; }
    BatchHeader const &batch() const noexcept { return header_; }
    uint32_t offset() const noexcept { return at_; }

  private:
    bool fail() noexcept;
    bool header_right(RecordHeader &ret) const noexcept;
    bool whole_at(uint64_t at) noexcept;
    bool sum_right(RecordRef const &record) noexcept;

    static constexpr uint64_t kVainRounds = 8;

    uint8_t const *batch_ = nullptr;
    BatchHeader header_{};
    /// Bytes of the batch that may still be summed in vain: each place may look like a long record.
    uint64_t vain_ = 0;
    uint32_t seed_ = 0;
    uint32_t at_ = kBatchHeader;
    uint32_t count_ = 0;
    Crc32c digest_;
    bool checked_ = false;
    bool wrong_ = false;
    bool skipped_ = false; ///< so the sums of the batch cannot be right
};

struct BatchCounts {
    uint64_t records = 0, record_bytes = 0, padding_bytes = 0, void_chains = 0;
};
/// Where the chain stands before the first record of a batch that follows `link`. True: a chain
/// was open and is void now.
bool begin_batch(BatchHeader const &header, BatchLink const &link, ChainState &chain) noexcept;
/// Checks records and chains of a batch in memory whose header was judged. `ret_lsn`: of what is
/// wrong. True: valid, and `chain` stands at its end.
bool batch_records_valid(uint8_t const *batch, Superblock const &superblock, BatchLink const &link,
                         ChainState &chain, BatchCounts &counts, Lsn &ret_lsn) noexcept;
/// The link after a batch.
BatchLink link_after(BatchHeader const &header, LogGeometry const &geometry) noexcept;
/// Segment files for reading, one after the other; a window of bytes over the current one.
class SegmentSource {
  public:
    SegmentSource(Io const &io, Superblock const &superblock, size_t window, bool direct) noexcept;
    ~SegmentSource();
    SegmentSource(SegmentSource const &) = delete;
    SegmentSource &operator=(SegmentSource const &) = delete;

    /// Opens the segment that holds `lsn`. none, segment_missing or segment_damaged in `ret`;
    /// a Status that failed: I/O. A damaged one stays open, its bytes can be read. Its length is
    /// not looked at.
    Status enter(Lsn lsn, LogFinding &ret) noexcept;
    /// `length` bytes at `lsn` of the entered segment, inside it, until the next call. nullptr in
    /// `ret`: the file is too short. `lsn` is a multiple of the block.
    Status bytes(Lsn lsn, uint64_t length, uint8_t const *&ret) noexcept;
    /// What is in memory is read again, past the page cache.
    void forget() noexcept;
    /// What is in memory is read again.
    void discard() noexcept { from_ = upto_ = 0; }
    /// Bytes from here on are read only when they are asked for: somebody may be writing them.
    void prefetch_below(Lsn lsn) noexcept { ceiling_ = lsn; }
    /// Salvage: a whole batch is whole, whatever the header of its file says.
    void ignore_headers() noexcept { headers_matter_ = false; }
    bool entered(Lsn lsn) const noexcept;
    void leave() noexcept;
    File file() const noexcept { return file_; }

  private:
    Status open_file(Lsn base, unsigned flags) noexcept;
    Status check_header(LogFinding &ret) noexcept;
    Status fill(uint64_t offset, uint64_t length) noexcept;

    Io const &io_;
    Superblock const &superblock_;
    LogGeometry geometry_;
    Buffer memory_;
    size_t window_;
    uint64_t number_ = 0;
    uint64_t from_ = 0, upto_ = 0; ///< what of the file is in memory
    Lsn ceiling_ = UINT64_MAX;
    File file_ = kNoFile;
    bool direct_;
    bool headers_matter_ = true;
};

/// The scan itself: from a segment's first batch, or from a known link, to P.
class Scan {
  public:
    Scan(SegmentSource &source, Superblock const &superblock) noexcept
        : source_(source),
          superblock_(superblock), geometry_{superblock.segment_size, superblock.block}
    {
    }

    /// Begins at the first batch of the segment that holds `at`.
    void begin_at_segment(Lsn at) noexcept;
    void begin_at(BatchLink const &link) noexcept;

    /// The next batch: none and `batch()`, or what ends the valid part. A failed Status: I/O.
    Status next(LogFinding &ret) noexcept;
    /// To P. A place that does not continue is read once more past the page cache.
    Status run(LogFinding &ret) noexcept;

    uint8_t const *batch() const noexcept { return batch_; }
    BatchLink const &link() const noexcept { return link_; }
    ChainState const &chain() const noexcept { return chain_; }
    BatchCounts const &counts() const noexcept { return counts_; }
    uint64_t batches() const noexcept { return batches_; }
    /// Of what is wrong: link().at or a record behind it.
    Lsn wrong_lsn() const noexcept { return wrong_lsn_; }
    Lsn durable_seen() const noexcept { return durable_seen_; }

  private:
    Status load_header(BatchHeader &ret, LogFinding &finding) noexcept;
    void accept(BatchHeader const &header) noexcept;

    SegmentSource &source_;
    Superblock const &superblock_;
    LogGeometry geometry_;
    BatchLink link_;
    ChainState chain_;
    BatchCounts counts_;
    uint64_t batches_ = 0;
    Lsn durable_seen_ = 0;
    Lsn wrong_lsn_ = 0;
    uint8_t const *batch_ = nullptr;
};

inline LogGeometry geometry_of(Superblock const &superblock) noexcept
{
    return {superblock.segment_size, superblock.block};
}

} // namespace weir
