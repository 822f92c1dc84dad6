// SPDX-License-Identifier: MIT OR Apache-2.0
// Choosing between two superblocks, and writing them.
#include "core/log/meta.hpp"

#include "core/base/bits.hpp"
#include "core/base/clock.hpp"
#include "core/log/buffer.hpp"

#include <cstring>

namespace weir {
namespace {

constexpr uint64_t kCopyAt[2] = {0, kMetaSecondCopy};

CopyState judge_copy(Superblock const &copy) noexcept
{
    if (memcmp(copy.magic, kLogMagic, sizeof copy.magic) != 0 || copy.crc != page_crc(copy))
        return CopyState::invalid;
    if (copy.version != kLogVersion || copy.incompat != 0 || copy.checksum != kChecksumCrc32c)
        return CopyState::unknown_version;
    return superblock_sane(copy) ? CopyState::valid : CopyState::invalid;
}

/// Two that are both whole and cannot both be of this log's past.
bool contradict(Superblock const &a, Superblock const &b) noexcept
{
    if (memcmp(a.uuid, b.uuid, sizeof a.uuid) != 0 || a.block != b.block ||
        a.segment_size != b.segment_size)
        return true;
    return a.sequence == b.sequence && memcmp(&a, &b, sizeof a) != 0;
}

bool equal_but_hint(Superblock const &a, Superblock const &b) noexcept
{
    return a.epoch == b.epoch && a.state == b.state && a.truncate_before == b.truncate_before &&
           a.epoch_start == b.epoch_start;
}

/// Each byte is as the one before it: memcmp() looks at many at once.
bool zeros(uint8_t const *bytes, size_t length) noexcept
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0;
}

} // namespace

bool superblock_sane(Superblock const &s) noexcept
{
    if (!is_power_of_two(s.block) || s.block < kSmallestBlock || s.block > kLargestBlock ||
        !is_power_of_two(s.segment_size) || s.segment_size < 2ull * s.block ||
        s.segment_size > kLargestSegment)
        return false;
    if (s.sequence == 0 || s.sequence >= kLastLsn || s.epoch == 0 || s.epoch >= kLastLsn ||
        s.epoch_start_sequence == 0 || s.epoch_start_sequence >= kLastLsn)
        return false;
    if (s.epoch_start % s.block != 0 || s.epoch_start > s.durable_hint ||
        s.truncate_before > s.durable_hint || s.durable_hint > kLastLsn)
        return false;
    return (s.state == kLogOpen || s.state == kLogClosed) && zeros(s.zero, sizeof s.zero);
}

void choose_superblock(MetaCopies &copies) noexcept
{
    bool usable[2];
    for (int i = 0; i < 2; ++i) {
        copies.state[i] = judge_copy(copies.copy[i]);
        usable[i] = copies.state[i] != CopyState::invalid;
    }
    copies.chosen = usable[0] ? 0 : usable[1] ? 1 : -1;
    if (!usable[0] || !usable[1])
        return;
    if (copies.copy[1].sequence > copies.copy[0].sequence)
        copies.chosen = 1;
    bool const both_known =
        copies.state[0] == CopyState::valid && copies.state[1] == CopyState::valid;
    if (both_known && contradict(copies.copy[0], copies.copy[1]))
        copies.chosen = -1;
}

Status Meta::read(Io const &io, File file, MetaCopies &ret) noexcept
{
    io.files->drop_cache(io.files_self, file);
    for (int i = 0; i < 2; ++i) {
        memset(&ret.copy[i], 0, sizeof ret.copy[i]);
        Result<size_t> const got =
            io.files->pread(io.files_self, file, &ret.copy[i], sizeof ret.copy[i], kCopyAt[i]);
        WEIR_TRY(got);
        if (*got < sizeof ret.copy[i])
            memset(&ret.copy[i], 0, sizeof ret.copy[i]);
    }
    choose_superblock(ret);
    if (ret.chosen < 0)
        return error(kCorrupt);
    return ret.state[ret.chosen] == CopyState::valid ? kOk : error(kVersion);
}

Status Meta::open(Io const &io, MetaCopies &ret) noexcept { return open_file(io, kOpenWrite, ret); }

Status Meta::open_to_read(Io const &io, MetaCopies &ret) noexcept
{
    return open_file(io, kOpenRead, ret);
}

Status Meta::open_file(Io const &io, unsigned flags, MetaCopies &ret) noexcept
{
    Result<File> const file = io.files->open(io.files_self, kMetaName, flags, 0);
    WEIR_TRY(file);
    file_ = *file;
    Undo undo([&] { close(io); });
    // What an earlier life wrote is made durable before it is believed.
    if ((flags & kOpenWrite) != 0)
        WEIR_TRY(io.files->fdatasync(io.files_self, file_));
    WEIR_TRY(read(io, file_, ret));
    adopt(ret);
    undo.cancel();
    return kOk;
}

void Meta::adopt(MetaCopies const &copies) noexcept
{
    now_ = copies.copy[copies.chosen];
    for (int i = 0; i < 2; ++i)
        sequence_[i] = copies.state[i] == CopyState::valid ? copies.copy[i].sequence : 0;
    copy_is_bad_ = sequence_[0] == 0 || sequence_[1] == 0;
    copy_is_behind_ = copy_is_bad_ || !equal_but_hint(copies.copy[0], copies.copy[1]);
}

Status Meta::create(Io const &io, Superblock const &first, uint32_t mode) noexcept
{
    Result<File> const file =
        io.files->open(io.files_self, kNewMetaName, kOpenWrite | kOpenCreate, mode);
    WEIR_TRY(file);
    file_ = *file;
    Undo undo([&] { close(io); });
    WEIR_TRY(io.files->truncate(io.files_self, file_, 0));
    WEIR_TRY(io.files->write_zeros(io.files_self, file_, 0, kMetaBytes));
    sequence_[0] = sequence_[1] = 0;
    WEIR_TRY(write_both(io, first));
    WEIR_TRY(io.files->fsync(io.files_self, file_));
    WEIR_TRY(io.files->rename(io.files_self, kNewMetaName, kMetaName));
    WEIR_TRY(io.files->fsync_dir(io.files_self, ""));
    undo.cancel();
    return kOk;
}

void Meta::close(Io const &io) noexcept
{
    if (file_ != kNoFile)
        io.files->close(io.files_self, file_);
    file_ = kNoFile;
}

Status Meta::write_both(Io const &io, Superblock const &next) noexcept
{
    uint64_t const sequence = larger(sequence_[0], sequence_[1]) + 1;
    // The copy that counts is written last: until then it is what a torn write leaves.
    unsigned const first = other_copy();
    now_ = next;
    now_.durable_hint = larger(now_.durable_hint, now_.truncate_before);
    now_.sequence = sequence;
    now_.written_ns = real_now(); // once: two copies of one sequence are equal
    WEIR_TRY(write_copy(io, first));
    WEIR_TRY(write_copy(io, first ^ 1));
    copy_is_bad_ = copy_is_behind_ = false;
    return kOk;
}

Status Meta::write_hint(Io const &io, Lsn durable) noexcept
{
    if (durable <= now_.durable_hint)
        return kOk;
    Superblock next = now_;
    next.durable_hint = durable;
    // One copy would be the only one that knows of more than the hint: both are brought up to date.
    if (copy_is_behind_)
        return write_both(io, next);
    next.sequence = larger(sequence_[0], sequence_[1]) + 1;
    next.written_ns = real_now();
    now_ = next;
    return write_copy(io, other_copy());
}

Status Meta::write_copy(Io const &io, unsigned which) noexcept
{
    memcpy(now_.magic, kLogMagic, sizeof now_.magic);
    now_.crc = page_crc(now_);
    WEIR_TRY(io.files->pwrite(io.files_self, file_, &now_, sizeof now_, kCopyAt[which]));
    WEIR_TRY(io.files->fdatasync(io.files_self, file_));
    sequence_[which] = now_.sequence;
    return kOk;
}

} // namespace weir
