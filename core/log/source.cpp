// SPDX-License-Identifier: MIT OR Apache-2.0
// Bytes of segment files for whoever reads: one file at a time, one window of it in memory.
#include "core/log/scan.hpp"

namespace weir {

SegmentSource::SegmentSource(Io const &io, Superblock const &superblock, size_t window,
                             bool direct) noexcept
    : io_(io), superblock_(superblock), geometry_(geometry_of(superblock)),
      window_(larger(window, size_t{superblock.block})), direct_(direct)
{
}

SegmentSource::~SegmentSource() { leave(); }

void SegmentSource::leave() noexcept
{
    if (file_ != kNoFile)
        io_.files->close(io_.files_self, file_);
    file_ = kNoFile;
    discard();
}

bool SegmentSource::entered(Lsn lsn) const noexcept
{
    return file_ != kNoFile && number_ == geometry_.number(lsn);
}

void SegmentSource::forget() noexcept
{
    discard();
    if (file_ != kNoFile)
        io_.files->drop_cache(io_.files_self, file_);
}

Status SegmentSource::open_file(Lsn base, unsigned flags) noexcept
{
    char name[kSegmentNameBytes];
    segment_name(base, name);
    Result<File> const file = io_.files->open(io_.files_self, name, flags, 0);
    WEIR_TRY(file);
    file_ = *file;
    return kOk;
}

Status SegmentSource::enter(Lsn lsn, LogFinding &ret) noexcept
{
    leave();
    number_ = geometry_.number(lsn);
    Status opened = open_file(geometry_.base(lsn), direct_ ? kOpenDirect : kOpenRead);
    if (opened.code == -ENOENT) {
        ret = LogFinding::segment_missing;
        return kOk;
    }
    WEIR_TRY(opened);
    Undo undo([&] { leave(); }); // half entered is not entered
    if (direct_) {
        Result<Limits> const limits = io_.files->limits(io_.files_self, file_);
        WEIR_TRY(limits);
        // A log may have come from a disk with smaller blocks.
        if (limits->direct &&
            (limits->offset_alignment > geometry_.block || limits->memory_alignment > kPage)) {
            leave();
            WEIR_TRY(open_file(geometry_.base(lsn), kOpenRead));
        }
        forget();
    }
    WEIR_TRY(check_header(ret));
    undo.cancel();
    return kOk;
}

Status SegmentSource::check_header(LogFinding &ret) noexcept
{
    ret = headers_matter_ ? LogFinding::segment_damaged : LogFinding::none;
    WEIR_TRY(fill(0, geometry_.block));
    if (upto_ < sizeof(SegmentHeader))
        return kOk;
    auto const &header = *reinterpret_cast<SegmentHeader const *>(memory_.data());
    if (segment_header_fits(header, superblock_, number_))
        ret = LogFinding::none;
    return kOk;
}

/// [offset, offset + length) and what follows, as far as the file goes.
Status SegmentSource::fill(uint64_t offset, uint64_t length) noexcept
{
    uint64_t want = length;
    Lsn const base = number_ * geometry_.segment_size;
    if (ceiling_ > base + offset)
        want = larger(length, smaller(uint64_t{window_}, ceiling_ - base - offset));
    want = smaller(round_up(want, geometry_.block), geometry_.segment_size - offset);
    WEIR_TRY(memory_.reserve(want));
    discard();
    Result<size_t> const got =
        io_.files->pread(io_.files_self, file_, memory_.data(), want, offset);
    WEIR_TRY(got);
    from_ = offset;
    upto_ = offset + smaller(uint64_t{*got}, want);
    return kOk;
}

Status SegmentSource::bytes(Lsn lsn, uint64_t length, uint8_t const *&ret) noexcept
{
    ret = nullptr;
    uint64_t const offset = geometry_.offset(lsn);
    if (!entered(lsn) || length > geometry_.segment_size - offset)
        return kOk;
    if (offset < from_ || offset + length > upto_)
        WEIR_TRY(fill(offset, length));
    if (offset + length <= upto_)
        ret = memory_.data() + (offset - from_);
    return kOk;
}

} // namespace weir
