// SPDX-License-Identifier: MIT OR Apache-2.0
// Reading a log back and comparing it with what was noted.
#include "tests/disk/oracle.hpp"

#include <algorithm>

namespace disk {
namespace {

using crash::text;

unsigned long long shown(uint64_t number) { return number; }

Finding finding(Verdict verdict, std::string what) { return {verdict, std::move(what)}; }

class Reader {
  public:
    Reader(Expected const &expected, Delivered &ret) : expected_(expected), ret_(ret) {}
    Finding read(char const *folder);
    Finding check_end(bool all) const;

  private:
    Finding compare(unsigned char const *data, size_t length, uint64_t lsn, uint32_t tag);
    uint64_t find(unsigned char const *data, size_t length, uint64_t lsn) const;
    std::vector<Record> const &records() const { return *expected_.records; }

    Expected const &expected_;
    Delivered &ret_;
    bool begun_ = false;
};

template <class Each> Finding read_all(char const *folder, Each each)
{
    weir_log_reader *reader = nullptr;
    int const code = weir_log_reader_open(folder, 0, 0, &reader);
    if (code == -ENOENT)
        return {}; // no log yet: check_end() knows whether there must be one
    if (code != 0)
        return of_error("weir_log_reader_open", code);
    Finding found;
    for (;;) {
        void const *data = nullptr;
        size_t length = 0;
        uint64_t lsn = 0;
        uint32_t tag = 0;
        int const next = weir_log_reader_next(reader, &data, &length, &lsn, &tag);
        if (next < 0)
            found = of_error("weir_log_reader_next", next);
        if (next == 1)
            found = each(static_cast<unsigned char const *>(data), length, lsn, tag);
        if (next != 1 || !found.fine())
            break;
    }
    weir_log_reader_close(reader);
    return found;
}

Finding Reader::read(char const *folder)
{
    return read_all(folder, [this](unsigned char const *data, size_t length, uint64_t lsn,
                                   uint32_t tag) { return compare(data, length, lsn, tag); });
}

/// The first that was delivered: truncation decides where the log begins.
uint64_t Reader::find(unsigned char const *data, size_t length, uint64_t lsn) const
{
    uint64_t id = 0;
    if (length >= kIdBytes)
        memcpy(&id, data, sizeof id);
    auto const found = std::find_if(records().begin(), records().end(), [&](Record const &each) {
        return length >= kIdBytes ? each.id == id : each.alone && each.lsn == lsn;
    });
    return static_cast<uint64_t>(found - records().begin());
}

Finding Reader::compare(unsigned char const *data, size_t length, uint64_t lsn, uint32_t tag)
{
    if (!begun_) {
        ret_.first = ret_.end = find(data, length, lsn);
        begun_ = true;
        if (ret_.first > 0 && ret_.first < records().size() &&
            !records()[ret_.first - 1].ends_batch)
            return finding(Verdict::wrong, text("it begins inside a batch at %llu", shown(lsn)));
    }
    if (ret_.end >= records().size())
        return finding(Verdict::wrong, text("a record at %llu that nobody appended", shown(lsn)));
    Record const &wanted = records()[ret_.end];
    bool const placed = wanted.alone || wanted.ends_batch ? lsn == wanted.lsn : lsn < wanted.lsn;
    std::vector<unsigned char> const bytes = bytes_of(wanted);
    if (!placed || tag != wanted.tag || length != bytes.size() ||
        (length != 0 && memcmp(bytes.data(), data, length) != 0))
        return finding(Verdict::wrong,
                       text("at %llu is another record than %llx, which was appended at %llu",
                            shown(lsn), shown(wanted.id), shown(wanted.lsn)));
    ++ret_.end;
    return {};
}

Finding Reader::check_end(bool all) const
{
    if (ret_.end > 0 && begun_ && !records()[ret_.end - 1].ends_batch)
        return finding(Verdict::wrong, "it ends inside an atomic batch");
    for (uint64_t i = 0; all && i < records().size(); ++i) {
        Record const &each = records()[i];
        bool const there = i >= ret_.first && i < ret_.end;
        // What was cut off is checked by the watermark, what is missing in front by truncation.
        if (!there && each.lsn >= expected_.truncated && each.lsn < expected_.durable)
            return finding(Verdict::lost,
                           text("the record at %llu is lost: durable up to %llu, truncated before "
                                "%llu, delivered %llu to %llu of %llu",
                                shown(each.lsn), shown(expected_.durable),
                                shown(expected_.truncated), shown(ret_.first), shown(ret_.end),
                                shown(records().size())));
    }
    return {};
}

/// What was told at or before that position, at least.
uint64_t highest(std::vector<Told> const &told, uint64_t Told::*when, uint64_t position)
{
    uint64_t most = 0;
    for (Told const &each : told)
        if (each.*when <= position)
            most = std::max(most, each.lsn);
    return most;
}

} // namespace

Finding of_error(char const *call, int code)
{
    return {code == -WEIR_E_CORRUPT ? Verdict::reported : Verdict::refused,
            text("%s gave %d, %s", call, code, weir_strerror(code))};
}

std::vector<unsigned char> bytes_of(Record const &record)
{
    std::vector<unsigned char> bytes(record.length);
    Random random(record.id);
    uint64_t const value = random.next();
    for (size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<unsigned char>((value >> (i % 8 * 8)) + i / 8 * 7);
    if (record.length >= kIdBytes)
        memcpy(bytes.data(), &record.id, sizeof record.id);
    return bytes;
}

Finding read_back(char const *folder, Expected const &expected, bool all, Delivered &ret)
{
    ret = {};
    Reader reader(expected, ret);
    Finding const found = reader.read(folder);
    return found.fine() ? reader.check_end(all) : found;
}

Finding read_ids(char const *folder, std::vector<Found> &ret)
{
    return read_all(
        folder, [&ret](unsigned char const *data, size_t length, uint64_t lsn, uint32_t /*tag*/) {
            Found found{0, lsn};
            if (length >= kIdBytes) {
                memcpy(&found.id, data, sizeof found.id);
                ret.push_back(found);
            }
            return Finding{};
        });
}

Expected Life::at(uint64_t position) const
{
    Expected known;
    bool const is_open = position >= opened;
    known.records = is_open ? &records : &before;
    known.durable = is_open ? highest(durable, &Told::done, position) : durable_before;
    known.truncated = std::max(truncated_before, highest(truncations, &Told::asked, position));
    return known;
}

bool Life::is_cursor(uint64_t position, uint64_t lsn) const
{
    uint64_t const least = std::max(cursor_before, highest(cursors, &Told::done, position));
    if (lsn == least)
        return true;
    return std::any_of(cursors.begin(), cursors.end(), [&](Told const &each) {
        return each.asked <= position && each.done > position && each.lsn > least &&
               each.lsn == lsn;
    });
}

std::vector<Told> Life::first_in_segments() const
{
    std::vector<Told> firsts = durable;
    std::sort(firsts.begin(), firsts.end(), [](Told const &a, Told const &b) {
        uint64_t const left = a.lsn / kSegment, right = b.lsn / kSegment;
        return left != right ? left < right : a.done < b.done;
    });
    auto const same = [](Told const &a, Told const &b) {
        return a.lsn / kSegment == b.lsn / kSegment;
    };
    firsts.erase(std::unique(firsts.begin(), firsts.end(), same), firsts.end());
    return firsts;
}

Life Life::after(uint64_t position) const
{
    Life next;
    Expected const known = at(position);
    next.before = *known.records;
    next.durable_before = known.durable;
    next.truncated_before = known.truncated;
    return next;
}

} // namespace disk
