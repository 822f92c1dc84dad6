// SPDX-License-Identifier: MIT OR Apache-2.0
// The serial log and the oracle.
#include "tests/fault/serial_log.hpp"

#include <algorithm>
#include <cstring>

namespace fault {

using namespace weir;

RecoverOptions recover_options(SerialOptions const &options)
{
    RecoverOptions result;
    result.segment_size = options.segment_size;
    result.block = options.block;
    result.lock_timeout = 0;
    for (unsigned i = 0; i < 16; ++i)
        result.new_uuid[i] = static_cast<uint8_t>(i * 7 + 1);
    return result;
}

// ---- the oracle

void Oracle::add(Unit const &unit)
{
    auto at = units_.end();
    while (at != units_.begin() && (at - 1)->lsn > unit.lsn)
        --at;
    units_.insert(at, unit);
}

/// What is known of a record that was never read: it lies behind the one before and below the last
/// one. From now on it is known.
bool Oracle::is_wanted_lsn(size_t unit, size_t record, Lsn lsn, Found &found) const
{
    Unit const &in = units_[unit];
    if (in.records[record].lsn != kUnknownLsn)
        return in.records[record].lsn == lsn;
    found.places.push_back({unit, record, lsn});
    bool const behind = record == 0 ? lsn >= in.lsn : lsn > lsn_of(in.records[record - 1], found);
    return behind && lsn < in.last;
}

std::string Oracle::compare(Reader &reader, Found &ret) const
{
    RecordView view;
    size_t unit = 0, record = 0;
    bool first = true;
    Lsn truncated = truncated_;
    // Past what was truncated, which may end inside an atomic batch.
    auto settle = [&] {
        for (; unit < units_.size(); ++unit, record = 0) {
            auto const &records = units_[unit].records;
            if (!records.empty() && units_[unit].last < truncated)
                record = records.size();
            while (record < records.size() && records[record].lsn < truncated)
                ++record;
            if (record < records.size())
                return;
        }
    };
    for (;;) {
        Status const status = reader.next(view);
        if (!status.ok())
            return "reader says " + std::to_string(status.code) + " at " +
                   std::to_string(reader.position()) + ": " + log_finding_text(reader.finding());
        // A truncation that a power cut has undone, or an earlier one, may be in force.
        if (first && status.code != kNoRecord)
            truncated = std::min(view.lsn, truncated);
        settle();
        // What is left of an atomic batch whose beginning was truncated may be gone with it.
        if (first && unit < units_.size() && units_[unit].lsn < truncated &&
            (status.code == kNoRecord || (units_[unit].records[record].lsn != view.lsn &&
                                          units_[unit].records[record].lsn != kUnknownLsn)))
            record = units_[unit].records.size(), settle();
        first = false;
        if (status.code == kNoRecord)
            break;
        if (unit == units_.size())
            return "a record nobody appended, or that was dropped, at " + std::to_string(view.lsn);
        bool const here = is_wanted_lsn(unit, record, view.lsn, ret);
        ret.last = view.lsn;
        Unit::Record const &wanted = units_[unit].records[record++];
        auto const *const bytes = static_cast<uint8_t const *>(view.data);
        if (!here || view.length != wanted.length || view.tag != wanted.tag ||
            !wanted.content.is(bytes, view.length))
            return "wrong record at " + std::to_string(view.lsn) + ", expected " +
                   std::to_string(wanted.lsn) + " of " + std::to_string(wanted.length) +
                   " bytes, truncated " + std::to_string(truncated) + ", durable " +
                   std::to_string(durable_);
    }
    if (record != 0 && lsn_of(units_[unit].records[record - 1], ret) >= truncated)
        return "half an atomic batch at " + std::to_string(units_[unit].lsn);
    ret.units = unit;
    return "";
}

std::string Oracle::check(Io const &io, Found &ret) const
{
    Reader *reader = nullptr;
    Status const opened = Reader::open(io, nullptr, 0, 0, reader);
    if (!opened.ok())
        return "reader cannot be opened: " + std::to_string(opened.code);
    std::string const wrong = compare(*reader, ret);
    Reader::close(reader);
    if (!wrong.empty())
        return wrong;
    // Units without visible records at the end say nothing; those before a visible one were skipped.
    for (size_t i = ret.units; i < units_.size(); ++i)
        if (!units_[i].records.empty() && units_[i].last < durable_)
            return "acknowledged and lost: " + std::to_string(units_[i].lsn) + ".." +
                   std::to_string(units_[i].last) + " of " +
                   std::to_string(units_[i].records.size()) + " records, durable " +
                   std::to_string(durable_) + ", " + std::to_string(ret.units) + " of " +
                   std::to_string(units_.size()) + " units are there";
    return "";
}

std::string Oracle::check_and_go_on(Io const &io)
{
    Found found;
    std::string const wrong = check(io, found);
    if (wrong.empty()) {
        for (Found::Place const &place : found.places)
            units_[place.unit].records[place.record].lsn = place.lsn;
        units_.resize(found.units);
    }
    return wrong;
}

// ---- the log

SerialLog::SerialLog(Disk &disk, Oracle &oracle, SerialOptions const &options)
    : disk_(disk), oracle_(oracle), options_(options), io_(disk.io()), random_(disk.operations())
{
}

SerialLog::~SerialLog()
{
    disk_.orphan();
    for (auto const &[number, file] : segments_)
        io_.files->close(io_.files_self, file);
    recovered_.open_count = 0;
    release_recovered(io_, recovered_);
}

Status SerialLog::start(Recovered &recovered)
{
    recovered_ = recovered;
    recovered.open = nullptr;
    recovered.open_count = 0;
    recovered.lock = kNoFile;
    recovered.meta = Meta();
    superblock_ = recovered_.meta.now();
    for (size_t i = 0; i < recovered_.open_count; ++i)
        segments_[recovered_.open[i].number] = recovered_.open[i].file;
    durable_ = cut_ = recovered_.start.at;
    content_ = superblock_.epoch << 32;
    disk_.begin_epoch();
    return packer_.begin(
        superblock_, recovered_.start, options_.buffer_size,
        {this, on_batch, [](void *self) { return static_cast<SerialLog *>(self)->durable_; }});
}

Status SerialLog::add(Unit unit, Status status)
{
    // Also when it failed: it may have reached the disk.
    oracle_.add(unit);
    return status;
}

Status SerialLog::append(uint64_t length, uint16_t tag)
{
    Content const content(++content_);
    std::vector<uint8_t> const bytes = content.bytes(length);
    // As the ring: a small record never has fragments.
    if (length <= 4096 && packer_.room() < length)
        WEIR_TRY(cut());
    Lsn lsn = 0;
    Status const status = packer_.record({bytes.data(), length, tag}, lsn);
    Unit unit;
    unit.records = {{lsn, length, content, tag}};
    unit.lsn = unit.last = lsn;
    // durable_ points behind a record of several fragments only when all are durable
    return lsn == 0 ? status : add(unit, status);
}

Status SerialLog::append_group(std::vector<uint64_t> const &lengths)
{
    Unit unit;
    for (size_t i = 0; i < lengths.size(); ++i) {
        Content const content(++content_);
        std::vector<uint8_t> const bytes = content.bytes(lengths[i]);
        Part const part{bytes.data(), lengths[i], static_cast<uint16_t>(i)};
        Lsn lsn = 0;
        Status const status = packer_.group_part(part, i == 0, i + 1 == lengths.size(), lsn);
        if (!status.ok())
            return lsn == 0 && i == 0 ? status : add({}, status);
        unit.records.push_back({lsn, lengths[i], content, static_cast<uint16_t>(i)});
    }
    unit.lsn = unit.records.front().lsn;
    unit.last = unit.records.back().lsn;
    return add(unit, kOk);
}

Status SerialLog::append_aborted(uint64_t length)
{
    Lsn lsn = 0;
    return packer_.raw(kAborted, 0, {nullptr, length, 0}, lsn);
}

Status SerialLog::cut() { return packer_.cut(); }

Status SerialLog::on_batch(void *self, Lsn at, uint8_t const *bytes, uint32_t length)
{
    auto &log = *static_cast<SerialLog *>(self);
    auto pending = std::make_unique<Pending>();
    pending->bytes.assign(bytes, bytes + length);
    pending->end = at + length;
    pending->durable_to = log.packer_.chain().open() ? log.packer_.chain().start : at + length;
    pending->request.offset = at % log.options_.segment_size;
    pending->request.length = length;
    pending->request.durable = log.options_.durable_writes;
    log.cut_ = at + length;
    Result<File> const file = log.segment(at / log.options_.segment_size);
    WEIR_TRY(file);
    pending->request.file = *file;
    pending->request.data = pending->bytes.data();
    log.queue_.push_back(std::move(pending));
    while (log.queue_.size() > 4) // write_depth
        WEIR_TRY(log.pump());
    return log.random_.one_in(2) ? log.submit_some() : kOk;
}

Status SerialLog::submit_some()
{
    for (auto &pending : queue_)
        if (!pending->submitted) {
            WEIR_TRY(io_.data->submit(io_.data_self, &pending->request));
            pending->submitted = true;
        }
    return kOk;
}

Status SerialLog::pump()
{
    WEIR_TRY(submit_some());
    WriteRequest *done[2];
    unsigned const count = io_.data->reap(io_.data_self, done, 2, 0);
    for (unsigned i = 0; i < count; ++i) {
        for (auto &pending : queue_)
            if (&pending->request == done[i])
                pending->written = true;
        if (done[i]->result != 0)
            return Status{done[i]->result};
    }
    if (!options_.durable_writes && random_.one_in(2))
        return flush_all();
    advance();
    return kOk;
}

/// fdatasync of every file with unflushed batches; proves what was written before.
Status SerialLog::flush_all()
{
    std::vector<Pending *> before;
    for (auto &pending : queue_)
        if (pending->written)
            before.push_back(pending.get());
    std::vector<File> files;
    for (Pending *pending : before)
        if (std::find(files.begin(), files.end(), pending->request.file) == files.end())
            files.push_back(pending->request.file);
    for (File file : files)
        if (int const code = io_.data->flush(io_.data_self, file); code != 0)
            return Status{code};
    for (Pending *pending : before)
        pending->done = true;
    advance();
    return kOk;
}

void SerialLog::advance()
{
    while (!queue_.empty()) {
        Pending const &first = *queue_.front();
        if (!(first.written && (options_.durable_writes || first.done)))
            break;
        durable_ = std::max(durable_, first.durable_to);
        queue_.pop_front();
    }
    oracle_.acknowledge(durable_);
}

Status SerialLog::drain()
{
    WEIR_TRY(cut());
    while (!queue_.empty()) {
        WEIR_TRY(pump());
        if (!options_.durable_writes)
            WEIR_TRY(flush_all());
    }
    return kOk;
}

Status SerialLog::hint() { return recovered_.meta.write_hint(io_, durable_); }

Status SerialLog::truncate(Lsn before)
{
    if (before > durable_)
        return kOk;
    Superblock next = recovered_.meta.now();
    next.truncate_before = std::max(before, next.truncate_before);
    next.durable_hint = durable_;
    oracle_.truncate(next.truncate_before);
    WEIR_TRY(recovered_.meta.write_both(io_, next));
    LogGeometry const geometry = geometry_of(next);
    uint64_t const end = removable_before(geometry, next.truncate_before, durable_);
    for (uint64_t n = recovered_.first_segment; n < end; ++n) {
        auto const open = segments_.find(n);
        if (open != segments_.end()) {
            // Its batches are durable: nothing is in flight.
            io_.files->close(io_.files_self, open->second);
            segments_.erase(open);
        }
    }
    uint64_t const first = recovered_.first_segment;
    if (end <= first)
        return kOk;
    recovered_.first_segment = end;
    if (options_.recycle && !disk_.has("spare-0.seg")) {
        char name[kSegmentNameBytes];
        segment_name(first * options_.segment_size, name);
        WEIR_TRY(io_.files->rename(io_.files_self, name, "spare-0.seg"));
        return remove_segments(io_, geometry, first + 1, end);
    }
    return remove_segments(io_, geometry, first, end);
}

/// Section 6: space, header, name, each durable before the next.
Status SerialLog::prepare(uint64_t number)
{
    char name[kSegmentNameBytes];
    segment_name(number * options_.segment_size, name);
    bool const reused = disk_.has("spare-0.seg");
    Result<File> const file = io_.files->open(io_.files_self, "spare-0.seg",
                                              kOpenWrite | kOpenCreate | kOpenDirect, 0600);
    WEIR_TRY(file);
    segments_[number] = *file;
    if (!reused)
        WEIR_TRY(io_.files->write_zeros(io_.files_self, *file, 0, options_.segment_size));
    WEIR_TRY(io_.files->fdatasync(io_.files_self, *file));
    WEIR_TRY(write_segment_header(io_, *file, superblock_, number, reused ? 1 : 0));
    WEIR_TRY(io_.files->fsync(io_.files_self, *file));
    WEIR_TRY(io_.files->rename(io_.files_self, "spare-0.seg", name));
    recovered_.end_segment = number + 1;
    return io_.files->fsync_dir(io_.files_self, "");
}

Result<File> SerialLog::segment(uint64_t number)
{
    while (recovered_.end_segment <= number)
        WEIR_TRY(prepare(recovered_.end_segment));
    auto const open = segments_.find(number);
    if (open == segments_.end())
        return error(EBADF);
    return open->second;
}

Status SerialLog::close_cleanly()
{
    WEIR_TRY(drain());
    Superblock next = recovered_.meta.now();
    next.durable_hint = packer_.link().at;
    next.state = kLogClosed;
    WEIR_TRY(recovered_.meta.write_both(io_, next));
    oracle_.acknowledge(packer_.link().at);
    return kOk;
}

Status SerialLog::random_step(Random &random)
{
    switch (random.below(16)) {
    case 0:
        return append_aborted(random.below(200));
    case 1: {
        std::vector<uint64_t> lengths(1 + random.below(6));
        for (uint64_t &length : lengths)
            length = random.one_in(8) ? random.below(9000) : random.below(300);
        return append_group(lengths);
    }
    case 2:
        return append(random.below(40000), 3);
    case 3:
    case 4:
        return cut();
    case 5:
    case 6:
        return pump();
    case 7:
        return random.one_in(3) ? hint() : drain();
    case 8:
        return random.one_in(4) && durable_ > 3 * options_.segment_size
                   ? truncate(durable_ - random.below(2 * options_.segment_size))
                   : kOk;
    default:
        return append(random.one_in(4) ? random.below(6000) : random.below(400),
                      static_cast<uint16_t>(random.below(5)));
    }
}

} // namespace fault
