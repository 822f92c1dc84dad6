// SPDX-License-Identifier: MIT OR Apache-2.0
// Packer: makes batches of records, one after the other, without a ring. For salvage, and for tests
// that need logs of known content. The bytes are those that the ring makes.
#pragma once

#include "core/flush/ring.hpp"
#include "core/log/buffer.hpp"
#include "core/log/scan.hpp"

namespace weir {

struct PackerSink {
    void *self = nullptr;
    /// A finished batch; the bytes are the packer's and change afterwards.
    Status (*batch)(void *self, Lsn at, uint8_t const *bytes, uint32_t length) = nullptr;
    /// For the next batch's header.
    Lsn (*durable)(void *self) = nullptr;
};

class Packer {
  public:
    /// `superblock` must live as long. A batch never crosses a multiple of `buffer_size`.
    Status begin(Superblock const &superblock, RingStart const &start, uint64_t buffer_size,
                 PackerSink const &sink) noexcept;
    /// One record; in fragments, if it does not fit the rest of the buffer.
    Status record(Part const &part, Lsn &ret) noexcept;
    /// An atomic batch. `ret` is the last one's LSN.
    Status group(Part const *parts, size_t count, Lsn &ret) noexcept;
    /// One record of a group, for who adds them one by one.
    Status group_part(Part const &part, bool first, bool last, Lsn &ret) noexcept;
    /// One header as it is told, for tests. It must fit the open batch.
    Status raw(RecordType type, uint8_t flags, Part const &part, Lsn &ret) noexcept;
    /// Ends the open batch if anything is in it.
    Status cut() noexcept;

    /// Where the next record begins, or the next batch if none is open.
    Lsn tail() const noexcept { return used_ == 0 ? link_.at : link_.at + used_; }
    /// Payload bytes that a record in the open batch may have, or in a new one.
    uint64_t room() const noexcept;
    ChainState const &chain() const noexcept { return chain_; }
    BatchLink const &link() const noexcept { return link_; }

  private:
    Status put(RecordType type, uint8_t flags, Part const &part, Lsn &ret) noexcept;
    Status fragments(Part const &part, uint8_t group_flags, Lsn &ret) noexcept;
    void open_batch() noexcept;
    uint64_t capacity() const noexcept;

    Superblock const *superblock_ = nullptr;
    PackerSink sink_;
    BatchLink link_;
    ChainState chain_;
    Buffer memory_;
    Crc32c digest_;
    uint64_t buffer_size_ = 0;
    uint64_t epoch_ = 0;
    uint32_t seed_ = 0;
    uint32_t used_ = 0; ///< bytes of the open batch, 0: none is open
    uint32_t records_ = 0;
    uint32_t first_outside_ = 0;
    bool begins_inside_ = false;
};

} // namespace weir
