// SPDX-License-Identifier: MIT OR Apache-2.0
// Where a reader begins, and where it goes on behind a gap.
#include "core/log/reader.hpp"

#include <cstring>

namespace weir {

Status Reader::seek(Lsn lsn) noexcept
{
    bool changed;
    WEIR_TRY(refresh_meta(changed));
    if (lsn != 0 && lsn < superblock_.truncate_before)
        return error(kLapped);
    if (lsn > kLastLsn)
        return error(EINVAL);
    lsn = larger(lsn, superblock_.truncate_before);
    known_durable_ = larger(known_durable_, superblock_.durable_hint);
    BatchLink link;
    WEIR_TRY(find_start(geometry_.place(lsn), link));
    source_.leave();
    restart(link);
    stale_ = after_gap_ = salvage_over_ = false;
    evidence_from_ = 0;
    from_ = lsn;
    return kOk;
}

/// The last batch at or before `lsn` at which reading may begin so that nothing from `lsn` on is
/// missed: no chain that goes on into `lsn` or behind it is open there.
Status Reader::find_start(Lsn lsn, BatchLink &ret) noexcept
{
    SegmentList segments;
    WEIR_TRY(segments.read(io_, geometry_));
    uint64_t const wanted = geometry_.number(lsn);
    Lsn first = geometry_.place(geometry_.base(lsn));
    for (size_t i = segments.count(); i-- > 0;) {
        if (segments[i] > wanted)
            continue;
        bool found;
        WEIR_TRY(hop(segments[i], lsn, ret, found));
        if (found)
            return kOk;
        first = geometry_.place(segments[i] * geometry_.segment_size);
        // Damage, or a hole among the names, is told when it is read; it is no reason to go back.
        if (ret.at == 0 || i == 0 || segments[i - 1] + 1 != segments[i])
            break;
    }
    // What is missing below the oldest segment is told too.
    Lsn const oldest = geometry_.place(superblock_.truncate_before);
    bool const at_start = segments.count() == 0 || first < oldest;
    ret = {at_start ? larger(oldest, geometry_.place(geometry_.base(oldest))) : first, 0, 0, 0};
    if (at_start)
        ret.at = geometry_.place(geometry_.base(ret.at));
    return kOk;
}

/// From header to header of one segment. `ret.at` 0: the segment does not even begin well.
Status Reader::hop(uint64_t segment, Lsn lsn, BatchLink &ret, bool &ret_found) noexcept
{
    ret_found = false;
    BatchLink link{geometry_.place(segment * geometry_.segment_size), 0, 0, 0};
    ret = {0, 0, 0, 0};
    LogFinding found;
    WEIR_TRY(other_.enter(link.at, found));
    bool any = false;
    while (found == LogFinding::none && link.at <= lsn && geometry_.number(link.at) == segment) {
        uint8_t const *block;
        WEIR_TRY(other_.bytes(link.at, geometry_.block, block));
        if (block == nullptr)
            break;
        found = judge_header(block, superblock_, link);
        if (found != LogFinding::none)
            break;
        BatchHeader header;
        memcpy(&header, block, sizeof header);
        any = true;
        bool const outside = (header.flags & kBeginsInsideChain) == 0;
        if (outside || (header.first_outside != 0 && header.start + header.first_outside <= lsn)) {
            ret = {header.start, 0, 0, 0};
            ret_found = true;
        }
        link = link_after(header, geometry_);
    }
    other_.leave();
    if (!ret_found && (any || found == LogFinding::zeros))
        ret.at = link.at; // only fragments, or nothing yet: the segment before may do
    return kOk;
}

/// Salvage: on to the next whole header below the limit.
Status Reader::skip_gap() noexcept
{
    Lsn const from = scan_.link().at;
    Lsn to = 0;
    WEIR_TRY(next_whole_header(from, to));
    other_.leave();
    salvage_over_ = to == 0;
    gap_begin_ = from;
    gap_end_ = salvage_over_ ? larger(limit_, from) : to;
    gap_bytes_ += gap_end_ - gap_begin_;
    ++gaps_;
    after_gap_ = true;
    restart({salvage_over_ ? from : to, 0, 0, 0});
    return Status{kGoOn};
}

Status Reader::next_whole_header(Lsn from, Lsn &ret) noexcept
{
    SegmentList segments;
    WEIR_TRY(segments.read(io_, geometry_));
    uint64_t const sequence = scan_.link().sequence;
    for (size_t i = 0; i < segments.count(); ++i) {
        Lsn const begin = geometry_.place(segments[i] * geometry_.segment_size);
        Lsn const end = (segments[i] + 1) * geometry_.segment_size;
        if (end <= from)
            continue;
        LogFinding ignored; // a whole batch is whole, whatever its file's header says
        WEIR_TRY(other_.enter(begin, ignored));
        for (Lsn at = larger(begin, from + geometry_.block); at < end; at += geometry_.block) {
            uint8_t const *block;
            WEIR_TRY(other_.bytes(at, geometry_.block, block));
            if (block == nullptr)
                break;
            BatchHeader header;
            memcpy(&header, block, sizeof header);
            if (header.start != at || header.sequence < sequence ||
                judge_header(block, superblock_, {at, 0, 0, 0}) != LogFinding::none)
                continue;
            ret = at;
            return kOk;
        }
    }
    return kOk;
}

} // namespace weir
