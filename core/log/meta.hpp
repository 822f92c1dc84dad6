// SPDX-License-Identifier: MIT OR Apache-2.0
// META: two superblocks, which one counts, and how they change.
//
//   copy 0 at 0, copy 1 at 65536; the valid one with the higher sequence counts
//   hint alone      -> the copy with the lower sequence is written, the other stays
//   anything else   -> both, the one that does not count first; each durable before the next step
//
// So a torn write leaves a valid copy, and one rotten copy never brings back an older epoch or
// truncation. Both copies with one sequence and different content are damage. A new META gets its
// name when it is whole.
#pragma once

#include "core/base/error.hpp"
#include "core/flush/io.hpp"
#include "core/log/layout.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

enum class CopyState : uint32_t { invalid = 0, valid, unknown_version };

struct MetaCopies {
    Superblock copy[2];
    CopyState state[2];
    int chosen; ///< -1: none, or both contradict each other
};

/// Takes two pages as they were read and chooses.
void choose_superblock(MetaCopies &copies) noexcept;
/// The fields of a copy whose sum is right make sense together.
bool superblock_sane(Superblock const &superblock) noexcept;

/// The open file and what lies in it. Not for two threads at once. Plain: may be copied away.
class Meta {
  public:
    /// Reads both copies of an open file, past the page cache. Says kCorrupt if none counts,
    /// kVersion if the one that counts is newer than this code, or -errno. `ret` is filled in as
    /// far as it was read.
    static Status read(Io const &io, File file, MetaCopies &ret) noexcept;
    /// Opens META for writing, flushes what an earlier life wrote, and reads it. As read();
    /// -ENOENT: there is none.
    Status open(Io const &io, MetaCopies &ret) noexcept;
    /// The same without a right to write, and without a flush.
    Status open_to_read(Io const &io, MetaCopies &ret) noexcept;
    /// Writes a new META of this content and gives it its name, durably.
    Status create(Io const &io, Superblock const &first, uint32_t mode) noexcept;
    void close(Io const &io) noexcept;
    /// What counts in `copies` is now(); one of them is chosen.
    void adopt(MetaCopies const &copies) noexcept;

    File file() const noexcept { return file_; }
    Superblock const &now() const noexcept { return now_; }
    /// One copy was invalid when it was read; write_both() mends it.
    bool copy_is_bad() const noexcept { return copy_is_bad_; }

    /// Both copies, each durable. Sequence, times and sums are set here. After a failure nothing
    /// is known: poison, and never again.
    Status write_both(Io const &io, Superblock const &next) noexcept;
    /// The hint alone. A lower one than before is not written.
    Status write_hint(Io const &io, Lsn durable) noexcept;

  private:
    Status open_file(Io const &io, unsigned flags, MetaCopies &ret) noexcept;
    /// The one that does not count: what choose_superblock() would not choose.
    unsigned other_copy() const noexcept { return sequence_[0] < sequence_[1] ? 0 : 1; }
    Status write_copy(Io const &io, unsigned which) noexcept;

    Superblock now_{};
    uint64_t sequence_[2] = {};
    File file_ = kNoFile;
    bool copy_is_bad_ = false;
    bool copy_is_behind_ = false; ///< in more than the hint: a death between two copies
};

} // namespace weir
