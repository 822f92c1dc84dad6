// SPDX-License-Identifier: MIT OR Apache-2.0
// Moving damage out of the way, durably, before META forgets it.
#include "core/log/quarantine.hpp"

#include <cstring>

namespace weir {
namespace {

/// `quarantine/` + a file's name + `-e` + 20 digits.
struct QuarantineName {
    char text[96];
    QuarantineName(char const *name, uint64_t epoch) noexcept
    {
        char *to = add(add(add(text, kQuarantineFolder), "/"), name);
        to = add(to, "-e");
        for (uint64_t digit = 10'000'000'000'000'000'000u; digit != 0; digit /= 10)
            *to++ = static_cast<char>('0' + epoch / digit % 10);
        *to = '\0';
    }

  private:
    static char *add(char *to, char const *what) noexcept
    {
        size_t const length = strlen(what);
        memcpy(to, what, length + 1);
        return to + length;
    }
};

constexpr size_t kCopyStep = 1 << 20;

Status copy_bytes(Io const &io, File from, uint64_t offset, File to, uint64_t &ret_bytes) noexcept
{
    Buffer buffer;
    WEIR_TRY(buffer.reserve(kCopyStep));
    for (uint64_t done = 0;;) { // ends: files are finite, and a segment is at most 4 GiB
        Result<size_t> const got =
            io.files->pread(io.files_self, from, buffer.data(), kCopyStep, offset + done);
        WEIR_TRY(got);
        if (*got == 0 || offset + done >= kLargestSegment) {
            ret_bytes += done;
            return io.files->fsync(io.files_self, to);
        }
        WEIR_TRY(io.files->pwrite(io.files_self, to, buffer.data(), *got, done));
        done += *got;
    }
}

Status copy_tail(Io const &io, Superblock const &superblock, Lsn end, LogReport &report) noexcept
{
    char name[kSegmentNameBytes];
    segment_name(geometry_of(superblock).base(end), name);
    Result<File> const from = io.files->open(io.files_self, name, kOpenRead, 0);
    WEIR_TRY(from);
    Undo const shut_from([&] { io.files->close(io.files_self, *from); });
    segment_name(end, name); // the copy's name says where it begins
    QuarantineName const copy(name, superblock.epoch);
    Result<File> const to =
        io.files->open(io.files_self, copy.text, kOpenWrite | kOpenCreate, 0600);
    WEIR_TRY(to);
    Undo const shut_to([&] { io.files->close(io.files_self, *to); });
    WEIR_TRY(io.files->truncate(io.files_self, *to, 0));
    return copy_bytes(io, *from, geometry_of(superblock).offset(end), *to,
                      report.quarantined_bytes);
}

} // namespace

Status quarantine(Io const &io, Superblock const &superblock, SegmentList const &segments, Lsn end,
                  bool end_segment_usable, LogReport &report) noexcept
{
    LogGeometry const geometry = geometry_of(superblock);
    uint64_t const own = geometry.number(end);
    Result<File> const folder =
        io.files->open(io.files_self, kQuarantineFolder, kOpenFolder | kOpenCreate, 0700);
    WEIR_TRY(folder);
    bool const copied = end_segment_usable && segments.has(own);
    if (!copied && end != geometry.place(geometry.base(end)))
        return error(EIO); // it was read well a moment ago
    if (copied)
        WEIR_TRY(copy_tail(io, superblock, end, report));
    WEIR_TRY(io.files->fsync_dir(io.files_self, kQuarantineFolder));
    for (size_t i = 0; i < segments.count(); ++i) {
        if (segments[i] < own || (segments[i] == own && copied))
            continue;
        char name[kSegmentNameBytes];
        segment_name(segments[i] * geometry.segment_size, name);
        QuarantineName const moved(name, superblock.epoch);
        WEIR_TRY(io.files->rename(io.files_self, name, moved.text));
        report.quarantined_bytes += geometry.segment_size;
    }
    WEIR_TRY(io.files->fsync_dir(io.files_self, kQuarantineFolder));
    WEIR_TRY(io.files->fsync_dir(io.files_self, ""));
    report.mended |= kQuarantined;
    return kOk;
}

} // namespace weir
