// SPDX-License-Identifier: MIT OR Apache-2.0
// Rebuilding what is written rarely from what is written always.
#include "core/log/rebuild.hpp"

#include "core/base/clock.hpp"
#include "core/log/recovery.hpp"

#include <cstring>

namespace weir {
namespace {

Status read_header(Io const &io, Lsn base, SegmentHeader &ret) noexcept
{
    char name[kSegmentNameBytes];
    segment_name(base, name);
    Result<File> const file = io.files->open(io.files_self, name, kOpenRead, 0);
    WEIR_TRY(file);
    Undo const shut([&] { io.files->close(io.files_self, *file); });
    io.files->drop_cache(io.files_self, *file);
    memset(&ret, 0, sizeof ret);
    Result<size_t> const got = io.files->pread(io.files_self, *file, &ret, sizeof ret, 0);
    WEIR_TRY(got);
    return kOk;
}

/// The first whole header says what the log is; the others must say the same.
struct FoundHeader {
    SegmentHeader header{};
    bool any = false;
    uint64_t highest_epoch = 0;
};

Status find_headers(Io const &io, FoundHeader &ret) noexcept
{
    SegmentList bases;
    WEIR_TRY(bases.read(io, LogGeometry{1, 1})); // positions: the segments' size is not known yet
    for (size_t i = 0; i < bases.count(); ++i) {
        SegmentHeader header;
        WEIR_TRY(read_header(io, bases[i], header));
        if (!segment_header_whole(header) || header.base != bases[i])
            continue;
        if (!ret.any)
            ret.header = header;
        ret.any = true;
        if (memcmp(header.uuid, ret.header.uuid, sizeof header.uuid) != 0 ||
            header.segment_size != ret.header.segment_size || header.block != ret.header.block)
            return error(kCorrupt); // segments of two logs
        ret.highest_epoch = larger(ret.highest_epoch, header.epoch);
    }
    return ret.any ? kOk : error(kCorrupt);
}

/// Any epoch and any place count while nobody knows where the last epoch began.
void open_minded(SegmentHeader const &header, Superblock &ret) noexcept
{
    memset(&ret, 0, sizeof ret);
    ret.version = kLogVersion;
    ret.block = header.block;
    memcpy(ret.uuid, header.uuid, sizeof ret.uuid);
    ret.incompat = header.incompat;
    ret.ro_compat = header.ro_compat;
    ret.compat = header.compat;
    ret.checksum = header.checksum;
    ret.segment_size = header.segment_size;
    ret.sequence = 1;
    ret.epoch = kLastLsn;
    ret.epoch_start = kLastLsn;
    ret.epoch_start_sequence = 1;
    ret.state = kLogOpen;
    ret.created_ns = header.time_ns;
}

} // namespace

Status rebuild_superblock(Io const &io, Superblock &ret, LogReport &report) noexcept
{
    FoundHeader found;
    WEIR_TRY(find_headers(io, found));
    open_minded(found.header, ret);
    LogGeometry const geometry = geometry_of(ret);
    SegmentList segments;
    WEIR_TRY(segments.read(io, geometry));
    SegmentSource source(io, ret, smaller(uint64_t{kSurveyWindow}, ret.segment_size), true);
    source.ignore_headers();
    Evidence all;
    WEIR_TRY(read_evidence(source, ret, segments, 0, 0, all));
    Scan scan(source, ret);
    scan.begin_at_segment(segments.first() * geometry.segment_size);
    LogFinding end;
    WEIR_TRY(scan.run(end));
    // What lies behind the end and is of an older epoch was dropped in an earlier life.
    Evidence behind;
    WEIR_TRY(read_evidence(source, ret, segments, scan.link().at, scan.link().epoch, behind));
    // A segment's file is durable before the one behind it is begun. So one that is missing there was
    // lost, or a truncation was cut: nobody can tell, and what lies behind is not dropped in silence.
    bool const hole = end == LogFinding::segment_missing && behind.highest_epoch != 0 &&
                      behind.highest_epoch >= scan.link().epoch;
    Lsn const durable =
        geometry.place(larger(behind.durable, hole ? behind.highest_epoch_at : Lsn{0}));
    bool const damaged = durable > scan.link().at;
    ret.epoch = larger(all.highest_epoch, found.highest_epoch) + 1;
    ret.truncate_before = segments.first() * geometry.segment_size;
    ret.epoch_start = ret.durable_hint = larger(scan.link().at, durable);
    ret.epoch_start = round_up(ret.epoch_start, ret.block);
    ret.durable_hint = ret.epoch_start;
    ret.epoch_start_sequence = damaged ? all.highest_sequence + 1 : scan.link().sequence;
    ret.epoch_start_sequence = larger(ret.epoch_start_sequence, uint64_t{1});
    ret.epoch_prev_crc = damaged ? 0 : scan.link().prev_crc;
    report.mended |= kMendedMeta;
    return kOk;
}

Status rebuild_segment_headers(Io const &io, Superblock const &superblock,
                               LogReport &report) noexcept
{
    LogGeometry const geometry = geometry_of(superblock);
    SegmentList segments;
    WEIR_TRY(segments.read(io, geometry));
    for (size_t i = 0; i < segments.count(); ++i) {
        Result<SegmentState> const state = look_at_segment(io, superblock, segments[i]);
        WEIR_TRY(state);
        if (*state != SegmentState::damaged)
            continue;
        // A file with nothing of this log in it is left to recovery, which takes it away.
        SegmentList one;
        WEIR_TRY(one.add(segments[i]));
        Evidence evidence;
        SegmentSource source(io, superblock, superblock.block, true);
        WEIR_TRY(read_evidence(source, superblock, one, 0, 0, evidence));
        if (evidence.highest_epoch == 0)
            continue;
        char name[kSegmentNameBytes];
        segment_name(segments[i] * geometry.segment_size, name);
        Result<File> const file = io.files->open(io.files_self, name, kOpenWrite, 0);
        WEIR_TRY(file);
        Undo const shut([&] { io.files->close(io.files_self, *file); });
        WEIR_TRY(write_segment_header(io, *file, superblock, segments[i], 0));
        WEIR_TRY(io.files->fsync(io.files_self, *file));
        report.mended |= kMendedSegmentHeader;
    }
    return kOk;
}

} // namespace weir
