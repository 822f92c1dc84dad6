// SPDX-License-Identifier: MIT OR Apache-2.0
// The decision table of recovery as data, and what leads to it.
#include "core/log/survey.hpp"

#include <cstring>

namespace weir {
namespace {

/// What is found at P >= D. At P < D each of them is damage of what was acknowledged.
struct Row {
    LogFinding found;
    LogVerdict verdict;
};
constexpr Row kBehindDurable[] = {
    {LogFinding::zeros, LogVerdict::whole},
    {LogFinding::earlier_use, LogVerdict::whole},
    {LogFinding::dropped, LogVerdict::whole},
    {LogFinding::damaged_header, LogVerdict::torn},
    {LogFinding::damaged_record, LogVerdict::torn},
    {LogFinding::misdirected, LogVerdict::torn},
    {LogFinding::broken_link, LogVerdict::torn},
    {LogFinding::segment_missing, LogVerdict::whole},
    {LogFinding::segment_damaged, LogVerdict::torn},
    {LogFinding::higher_epoch, LogVerdict::corrupt},
};

LogVerdict behind_durable(LogFinding found) noexcept
{
    for (Row const &row : kBehindDurable)
        if (row.found == found)
            return row.verdict;
    return LogVerdict::corrupt;
}

/// Where the scan begins, or the gap in the names that makes it needless.
struct Start {
    bool known = false; ///< `link` is complete: the epoch's start
    BatchLink link;
};

Start scan_start(Superblock const &superblock, SegmentList const &segments, bool full) noexcept
{
    LogGeometry const geometry = geometry_of(superblock);
    uint64_t const near = survey_start(superblock, segments);
    uint64_t const oldest = smaller(geometry.number(superblock.truncate_before), near);
    // A gap among the names: where the valid part ends is found by walking up to it.
    if (!full && !segments.has_all(oldest, near))
        full = true;
    uint64_t const first = full ? oldest : near;
    Start start;
    start.link.at = geometry.place(first * geometry.segment_size);
    // Nothing is there that could be an anchor: META itself knows the first batch.
    if (start.link.at == geometry.place(superblock.epoch_start)) {
        start.known = true;
        start.link.sequence = superblock.epoch_start_sequence;
        start.link.prev_crc = superblock.epoch_prev_crc;
    }
    return start;
}

void weigh(BatchHeader const &header, Superblock const &superblock, uint64_t lowest_epoch,
           Evidence &ret) noexcept
{
    if (header.epoch > ret.highest_epoch) {
        ret.highest_epoch = header.epoch;
        ret.highest_epoch_at = header.start;
    }
    ret.highest_sequence = larger(ret.highest_sequence, header.sequence);
    if (header.epoch < lowest_epoch || !right_side(header, superblock, geometry_of(superblock)))
        return;
    ret.durable = larger(ret.durable, header.durable);
    ret.batches += uint64_t{header.epoch == superblock.epoch};
}

/// Whole headers behind P, and what they prove.
Status read_on(SegmentSource &source, Superblock const &superblock, SegmentList const &segments,
               Survey &ret, LogReport &report) noexcept
{
    Evidence evidence;
    WEIR_TRY(read_evidence(source, superblock, segments, ret.end.at, 0, evidence));
    ret.durable = larger(ret.durable, evidence.durable);
    report.dropped_batches = evidence.batches;
    if (evidence.highest_epoch > superblock.epoch) {
        ret.verdict = LogVerdict::corrupt;
        blame(report, LogVerdict::corrupt, LogFinding::higher_epoch, geometry_of(superblock),
              evidence.highest_epoch_at);
    }
    return kOk;
}

void judge(Superblock const &superblock, Survey &ret, LogReport &report) noexcept
{
    LogGeometry const geometry = geometry_of(superblock);
    bool const closed = superblock.state == kLogClosed;
    Lsn const hint = geometry.place(superblock.durable_hint);
    LogVerdict verdict = LogVerdict::whole;
    LogFinding found = ret.found;
    if (ret.end.at < ret.durable) {
        verdict = LogVerdict::corrupt;
    } else if (found == LogFinding::higher_epoch) {
        verdict = LogVerdict::corrupt;
    } else if (closed && ret.end.at != hint) {
        verdict = LogVerdict::corrupt;
        found = LogFinding::closed_end;
    } else if (!closed) {
        verdict = behind_durable(found);
        // Later batches were written, earlier ones not: the end is torn though nothing is here.
        if (verdict == LogVerdict::whole && report.dropped_batches != 0)
            verdict = LogVerdict::torn;
        if (verdict == LogVerdict::whole && ret.open_chain) {
            verdict = LogVerdict::torn;
            found = LogFinding::open_chain;
        }
    }
    if (verdict != LogVerdict::whole)
        blame(report, verdict, found, geometry, ret.wrong_lsn);
    ret.verdict = larger(ret.verdict, verdict);
}

/// Files behind P that a rotation would go into, and the length of P's own.
Status look_behind(Io const &io, Superblock const &superblock, SegmentList const &segments,
                   Survey &ret, LogReport &report) noexcept
{
    LogGeometry const geometry = geometry_of(superblock);
    uint64_t const number = geometry.number(ret.end.at);
    for (size_t i = 0; i < segments.count(); ++i) {
        if (segments[i] < number)
            continue;
        Result<SegmentState> const state = look_at_segment(io, superblock, segments[i]);
        WEIR_TRY(state);
        if (segments[i] == number) {
            ret.end_segment_short = *state == SegmentState::short_file;
            ret.end_segment_usable = ret.end_segment_short || *state == SegmentState::good;
        }
        if (*state == SegmentState::good)
            continue;
        ret.unused_damaged = true;
        Lsn const base = segments[i] * geometry.segment_size;
        blame(report, LogVerdict::torn, LogFinding::unused_segment, geometry, base);
        ret.verdict = larger(ret.verdict, LogVerdict::torn);
    }
    return kOk;
}

/// What proves D behind P was written between the two readings, as the look before shows: it proved
/// D as well, and all below that is there now. So P is sound, and nobody says that D is lost.
Status believe_end(Io const &io, Superblock const &superblock, SegmentList const &segments,
                   Survey &ret, LogReport &report) noexcept
{
    ret.durable = report.durable = ret.end.at;
    ret.verdict = report.verdict = LogVerdict::whole;
    report.finding = LogFinding::none;
    report.segment = report.offset = report.lsn = 0;
    report.dropped_batches = 0;
    judge(superblock, ret, report);
    return look_behind(io, superblock, segments, ret, report);
}

} // namespace

Status read_evidence(SegmentSource &source, Superblock const &superblock,
                     SegmentList const &segments, Lsn from, uint64_t lowest_epoch,
                     Evidence &ret) noexcept
{
    LogGeometry const geometry = geometry_of(superblock);
    for (size_t i = 0; i < segments.count(); ++i) {
        Lsn const begin = geometry.place(segments[i] * geometry.segment_size);
        Lsn const end = (segments[i] + 1) * geometry.segment_size;
        if (end <= from)
            continue;
        LogFinding ignored; // evidence is what whole batch headers say, whatever their file's says
        WEIR_TRY(source.enter(begin, ignored));
        for (Lsn at = larger(from, begin); at < end; at += geometry.block) {
            uint8_t const *block;
            WEIR_TRY(source.bytes(at, geometry.block, block));
            if (block == nullptr)
                break;
            BatchHeader header;
            memcpy(&header, block, sizeof header);
            if (header.start == at && batch_header_whole(header, superblock.uuid, geometry))
                weigh(header, superblock, lowest_epoch, ret);
        }
    }
    return kOk;
}

uint64_t survey_start(Superblock const &superblock, SegmentList const &segments) noexcept
{
    LogGeometry const geometry = geometry_of(superblock);
    Lsn const hint = geometry.place(superblock.durable_hint);
    uint64_t const number = geometry.number(hint);
    // No batch below the hint is in the hint's own segment: the one before has the last. It may
    // have been truncated only if META knows what follows.
    bool const begins = hint == geometry.place(geometry.base(hint));
    if (!begins || number == 0)
        return number;
    bool const kept = number - 1 >= geometry.number(superblock.truncate_before);
    bool const known = hint == geometry.place(superblock.epoch_start);
    return kept || segments.has(number - 1) || !known ? number - 1 : number;
}

void blame(LogReport &report, LogVerdict verdict, LogFinding finding) noexcept
{
    if (verdict <= report.verdict)
        return;
    report.verdict = verdict;
    report.finding = finding;
    report.segment = report.offset = report.lsn = 0;
}

void blame(LogReport &report, LogVerdict verdict, LogFinding finding, LogGeometry const &geometry,
           Lsn lsn) noexcept
{
    if (verdict <= report.verdict)
        return;
    blame(report, verdict, finding);
    report.segment = geometry.number(lsn);
    report.offset = geometry.offset(lsn);
    report.lsn = lsn;
}

Result<SegmentState> look_at_segment(Io const &io, Superblock const &superblock,
                                     uint64_t number) noexcept
{
    char name[kSegmentNameBytes];
    segment_name(number * superblock.segment_size, name);
    Result<File> const file = io.files->open(io.files_self, name, kOpenRead, 0);
    if (file.status().code == -ENOENT)
        return SegmentState::missing;
    WEIR_TRY(file);
    Undo const shut([&] { io.files->close(io.files_self, *file); });
    io.files->drop_cache(io.files_self, *file);
    SegmentHeader header{};
    Result<size_t> const got = io.files->pread(io.files_self, *file, &header, sizeof header, 0);
    WEIR_TRY(got);
    Result<uint64_t> const size = io.files->size(io.files_self, *file);
    WEIR_TRY(size);
    if (*got < sizeof header || !segment_header_fits(header, superblock, number))
        return SegmentState::damaged;
    return *size < superblock.segment_size ? SegmentState::short_file : SegmentState::good;
}

Status survey(Io const &io, Superblock const &superblock, SegmentList const &segments, bool full,
              Survey &ret, LogReport &report) noexcept
{
    LogGeometry const geometry = geometry_of(superblock);
    SegmentSource source(io, superblock, smaller(uint64_t{kSurveyWindow}, superblock.segment_size),
                         true);
    Scan scan(source, superblock);
    Start const start = scan_start(superblock, segments, full);
    scan.begin_at(start.link);
    WEIR_TRY(scan.run(ret.found));
    ret.end = scan.link();
    ret.wrong_lsn = scan.wrong_lsn();
    ret.open_chain = scan.chain().open();
    ret.durable =
        larger(geometry.place(superblock.durable_hint), geometry.place(scan.durable_seen()));
    report.scanned_from = start.link.at;
    report.batches = scan.batches();
    report.records = scan.counts().records;
    report.record_bytes = scan.counts().record_bytes;
    report.padding_bytes = scan.counts().padding_bytes;
    report.void_chains = scan.counts().void_chains;
    WEIR_TRY(read_on(source, superblock, segments, ret, report));
    judge(superblock, ret, report);
    WEIR_TRY(look_behind(io, superblock, segments, ret, report));
    report.at_end = ret.found;
    report.first = geometry.place(superblock.truncate_before);
    report.end = ret.end.at;
    report.durable = ret.durable;
    report.epoch = superblock.epoch;
    report.segments = segments.count();
    return kOk;
}

Status survey_live(Io const &io, bool full, MetaCopies &ret_copies, SegmentList &segments,
                   Survey &ret, LogReport &report) noexcept
{
    constexpr unsigned kMostLooks = 16;
    uint64_t sequence = 0;
    for (unsigned look = 0;; ++look) {
        Lsn const end_before = ret.end.at, durable_before = ret.durable;
        ret = Survey{};
        report = LogReport{};
        Result<File> const file = io.files->open(io.files_self, kMetaName, kOpenRead, 0);
        if (file.status().code == -ENOENT) {
            Status const missing = meta_missing(io);
            if (missing.code == -kCorrupt)
                blame(report, LogVerdict::corrupt, LogFinding::meta);
            return missing;
        }
        WEIR_TRY(file);
        Status const meta = Meta::read(io, *file, ret_copies);
        io.files->close(io.files_self, *file);
        if (meta.code == -kCorrupt && look < 2)
            continue; // a copy may have been read while it was written
        if (meta.code == -kCorrupt)
            blame(report, LogVerdict::corrupt, LogFinding::meta);
        WEIR_TRY(meta);
        Superblock const &now = ret_copies.copy[ret_copies.chosen];
        WEIR_TRY(segments.read(io, geometry_of(now)));
        WEIR_TRY(survey(io, now, segments, full, ret, report));
        bool const moved = look == 0 || now.sequence != sequence || ret.end.at != end_before;
        if (ret.verdict != LogVerdict::corrupt || !moved)
            return kOk;
        if (look == kMostLooks) {
            bool const beyond = report.finding == LogFinding::higher_epoch ||
                                report.finding == LogFinding::closed_end;
            bool const grows = ret.end.at > end_before && ret.end.at >= durable_before;
            return grows && !beyond ? believe_end(io, now, segments, ret, report) : kOk;
        }
        sequence = now.sequence;
    }
}

Status meta_missing(Io const &io) noexcept
{
    SegmentList segments;
    LogGeometry const any{1, 1};
    WEIR_TRY(segments.read(io, any));
    return error(segments.count() == 0 ? ENOENT : kCorrupt);
}

// ---- the list

Status SegmentList::add(uint64_t number) noexcept
{
    size_t const bytes = count_ * sizeof number;
    if (bytes + sizeof number > memory_.size())
        WEIR_TRY(memory_.reserve(larger(memory_.size() * 2, size_t{4096}), bytes));
    memcpy(memory_.data() + bytes, &number, sizeof number);
    ++count_;
    return kOk;
}

Status SegmentList::read(Io const &io, LogGeometry const &geometry) noexcept
{
    struct Visit {
        SegmentList *list;
        LogGeometry const *geometry;
        Status status;
    } visit{this, &geometry, kOk};
    count_ = 0;
    WEIR_TRY(io.files->list(
        io.files_self, "",
        [](void *userdata, char const *name) {
            auto *const into = static_cast<Visit *>(userdata);
            Lsn base;
            if (!parse_segment_name(name, base) || base > kLastLsn ||
                into->geometry->offset(base) != 0)
                return true;
            into->status = into->list->add(into->geometry->number(base));
            return into->status.ok();
        },
        &visit));
    WEIR_TRY(visit.status);
    sort();
    return kOk;
}

/// Heap sort: no recursion, no worst case; a folder may hold thousands of names in any order.
void SegmentList::sort() noexcept
{
    auto *const a = reinterpret_cast<uint64_t *>(memory_.data());
    auto sift = [a](size_t root, size_t end) {
        for (size_t child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && a[child] < a[child + 1])
                ++child;
            if (a[root] >= a[child])
                return;
            std::swap(a[root], a[child]);
        }
    };
    for (size_t i = count_ / 2; i-- > 0;)
        sift(i, count_);
    for (size_t end = count_; end > 1;) {
        std::swap(a[0], a[--end]);
        sift(0, end);
    }
}

bool SegmentList::has(uint64_t number) const noexcept
{
    size_t low = 0, high = count_;
    while (low < high) {
        size_t const middle = (low + high) / 2;
        if (numbers()[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count_ && numbers()[low] == number;
}

bool SegmentList::has_all(uint64_t first, uint64_t last) const noexcept
{
    // Numbers are unique and ascending: the run is whole if it has its length.
    return has(first) && has(last) && run_end(first) > last;
}

uint64_t SegmentList::run_end(uint64_t number) const noexcept
{
    size_t at = 0;
    while (at < count_ && numbers()[at] < number)
        ++at;
    while (at < count_ && numbers()[at] == number)
        ++at, ++number;
    return number;
}

} // namespace weir
