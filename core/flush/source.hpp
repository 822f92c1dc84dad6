// SPDX-License-Identifier: MIT OR Apache-2.0
// What is appended as one unit: the caller's memory, and how far it was placed.
#pragma once

#include "core/base/bits.hpp"
#include "core/flush/format.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

/// One piece of memory of the caller.
struct Part {
    void const *data = nullptr;
    uint64_t length = 0;
    uint16_t tag = 0;
};

/// What comes next in a unit: a record, a fragment of one, or a gap that is padded.
struct Piece {
    uint64_t bytes = 0;  ///< with header and padding
    uint32_t length = 0; ///< of the payload
    uint8_t type = kData;
    uint8_t flags = 0;
    uint16_t tag = 0;
};

/// One record made of all parts, or an atomic batch with one of each. A copy of it is a cheap way
/// to try where things would go.
class Source {
  public:
    Source(Part const *parts, size_t count, bool each) noexcept;

    /// -EINVAL, or -EMSGSIZE beyond `most`. Reads one byte of every page: a bad pointer faults
    /// before anything is reserved.
    int check(uint64_t most) const noexcept;
    bool done() const noexcept { return records_left_ == 0; }
    /// Bytes that the rest takes if it is not split any more.
    uint64_t bytes() const noexcept { return bytes_; }

    /// What comes next where `space` bytes are left: a PAD behind the last one, where a unit of
    /// several buffers got more room than it takes. Records that take more than `split_from` may
    /// be split.
    Piece next(uint64_t space, uint64_t split_from) const noexcept;
    /// Copies the piece's payload to `to`, summing it.
    void copy(Piece const &piece, std::byte *to, Crc32c &sum) noexcept;
    /// Goes on behind the piece, which begins at `lsn`.
    void advance(Piece const &piece, Lsn lsn) noexcept;
    /// Bytes that remain when `space` bytes have been filled.
    uint64_t rest_after(uint64_t space, uint64_t split_from) const noexcept;

    /// Whether what is left is records of an atomic batch that fill `space` as they are: none was
    /// begun, none is split.
    bool is_whole(uint64_t space) const noexcept { return each_ && !begun_ && bytes_ == space; }
    /// Of such a rest: the next record's memory and flags, and on to the one after, at `lsn`.
    Part const &take_record(Lsn lsn, uint8_t &ret_flags) noexcept
    {
        bool const last = --records_left_ == 0;
        ret_flags = static_cast<uint8_t>(kWhole | (group_begun_ ? 0 : kGroupBegin) |
                                         (last ? kGroupEnd : 0));
        group_begun_ = true;
        lsn_ = lsn;
        Part const &part = parts_[at_];
        bytes_ -= record_bytes(part.length);
        if (!last)
            left_ = parts_[++at_].length;
        return part;
    }

    /// LSN of the record that was begun last.
    Lsn lsn() const noexcept { return lsn_; }

  private:
    void begin_record() noexcept;

    Part const *parts_;
    size_t count_;
    bool each_;
    bool begun_ = false; ///< a fragment of the current record was placed
    bool group_begun_ = false;
    size_t at_ = 0;        ///< part
    uint64_t in_part_ = 0; ///< bytes of it that were copied
    uint64_t left_ = 0;    ///< of the current record
    size_t records_left_ = 0;
    uint64_t bytes_ = 0;
    Lsn lsn_ = 0;
};

} // namespace weir
