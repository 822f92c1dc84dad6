// SPDX-License-Identifier: MIT OR Apache-2.0
// What a thread does with a log.
#include "tests/disk/appender.hpp"

#include <algorithm>

namespace disk {
namespace {

using crash::kMillisecond;

constexpr uint64_t kKept = 1 << 20; ///< a truncation in the first segment takes nothing away
constexpr uint32_t kBatchTag = 7;   ///< of all records of an atomic batch but the last
constexpr uint32_t kMostInBatch = 6;

} // namespace

void Appender::run()
{
    uint64_t const steps = 10 + random_.below(120);
    int code = 0;
    for (uint64_t i = 0; i < steps && code == 0; ++i) {
        code = append();
        if (code == 0)
            code = acknowledge();
        if (code == 0 && keeps_house_ && random_.below(10) == 0)
            code = keep_house();
        if (random_.below(25) == 0)
            crash::sleep_us(random_.below(6000)); // time to note what is durable
    }
    notes_.code = code;
}

int Appender::append()
{
    if (notes_.records.full(kMostInBatch))
        return 0;
    switch (random_.below(12)) {
    case 0:
    case 1:
    case 2:
        return append_batch();
    case 3:
        return append_reserved(false);
    case 4:
        return append_reserved(true);
    default:
        return append_one();
    }
}

Record Appender::any_record(uint64_t least)
{
    uint64_t const kind = random_.below(100);
    uint64_t const most = kind < 75 ? 300 : kind < 97 ? 9000 : 300000;
    Record record{};
    record.id = next_id_++;
    record.length = static_cast<uint32_t>(least + random_.below(most));
    record.ends_batch = record.alone = true;
    return record;
}

int Appender::append_one()
{
    notes_.call = "weir_log_append";
    Record &record = notes_.records.add(any_record(least_));
    std::vector<unsigned char> const bytes = bytes_of(record);
    int const code = weir_log_append(place_.log, bytes.data(), bytes.size(), &lsn_);
    if (code == 0)
        record.lsn = lsn_;
    return code;
}

int Appender::append_reserved(bool abort)
{
    notes_.call = "weir_log_reserve";
    Record wanted = any_record(least_);
    wanted.length = static_cast<uint32_t>(least_ + wanted.length % 20000); // it has to fit a buffer
    wanted.tag = static_cast<uint32_t>(random_.below(65536));
    uint64_t const reserved = wanted.length + random_.below(100);
    uint64_t lsn = 0;
    void *data = nullptr;
    if (int const code = weir_log_reserve(place_.log, reserved, wanted.tag, &lsn, &data); code != 0)
        return code;
    notes_.call = "weir_log_commit";
    if (abort)
        return weir_log_abort(place_.log, lsn);
    Record &record = notes_.records.add(wanted);
    std::vector<unsigned char> const bytes = bytes_of(record);
    if (!bytes.empty())
        memcpy(data, bytes.data(), bytes.size());
    int const code = weir_log_commit(place_.log, lsn, bytes.size());
    if (code == 0)
        lsn_ = record.lsn = lsn;
    return code;
}

int Appender::append_batch()
{
    notes_.call = "weir_log_append_batch";
    uint64_t const count = 2 + random_.below(kMostInBatch - 1);
    std::vector<Record *> batch;
    std::vector<std::vector<unsigned char>> bytes;
    std::vector<weir_log_part> parts;
    for (uint64_t i = 0; i < count; ++i) {
        Record record = any_record(kIdBytes);
        record.alone = false;
        record.ends_batch = i + 1 == count;
        record.tag = record.ends_batch ? 0 : kBatchTag;
        bytes.push_back(bytes_of(record));
        parts.push_back({bytes.back().data(), bytes.back().size(), record.tag, 0});
        batch.push_back(&notes_.records.add(record));
    }
    int const code = weir_log_append_batch(place_.log, parts.data(), parts.size(), &lsn_);
    for (Record *record : batch)
        record->lsn = code == 0 ? lsn_ : 0;
    return code;
}

/// In one of the ways in which a log says that something is durable, or not at all.
int Appender::acknowledge()
{
    uint64_t const how = random_.below(10);
    if (how < 4 || lsn_ == 0)
        return 0;
    notes_.call = "weir_log_wait";
    if (how < 9)
        return tell(notes_.durable, lsn_ + 1, [&] {
            return weir_log_wait(place_.log, lsn_, how < 8 ? -1 : 60000 * kMillisecond);
        });
    notes_.call = "weir_log_sync";
    if (random_.below(2) == 0)
        return tell(notes_.durable, lsn_ + 1, [&] { return weir_log_sync(place_.log); });
    return tell(notes_.durable, weir_log_durable(place_.log), [] { return 0; });
}

int Appender::keep_house()
{
    uint64_t const below = weir_log_durable(place_.log);
    if (random_.below(2) == 0)
        return truncate(below);
    notes_.call = "weir_log_cursor_store";
    return tell(notes_.cursors, below,
                [&] { return weir_log_cursor_store(place_.folder.c_str(), kCursor, below, 0); });
}

/// Before a record of mine that is no part of a batch: half of that would stay, as was asked for.
int Appender::truncate(uint64_t below)
{
    notes_.call = "weir_log_truncate_before";
    Record const *const begin = notes_.records.items;
    Record const *const end = begin + notes_.records.size();
    Record const *const at = std::find_if(begin, end, [&](Record const &each) {
        return each.alone && each.lsn < below && each.lsn > kKept && random_.below(4) == 0;
    });
    if (at == end)
        return 0;
    return tell(notes_.truncations, at->lsn,
                [&] { return weir_log_truncate_before(place_.log, at->lsn); });
}

} // namespace disk
