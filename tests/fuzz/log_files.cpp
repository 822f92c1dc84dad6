// SPDX-License-Identifier: MIT OR Apache-2.0
// R8: a log's folder from the fuzzer's bytes: META, two segments, a cursor, LIVE. Whatever they
// hold: no crash, no hang, nothing left open; and verify, open, readers and repair agree.
//
// The input is a list of edits of a whole log: {file, offset, length, bytes}; the last bit of
// `file` asks for sums to be made right again, so that the fuzzer gets behind them.
#include "core/log/cursor.hpp"
#include "core/log/repair.hpp"
#include "core/log/verify.hpp"
#include "tests/fault/serial_log.hpp"

#include <cstdlib>
#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

namespace {

using namespace weir;
using namespace fault;

constexpr char const *kFiles[] = {
    "META",
    "seg-00000000000000000000.log",
    "seg-00000000000000016384.log",
    "seg-00000000000000032768.log",
    "cursors/a",
    "LIVE",
};

void must(bool right)
{
    if (!right)
        abort();
}

SerialOptions small()
{
    SerialOptions options;
    options.segment_size = 16 << 10;
    options.buffer_size = 8 << 10;
    options.recycle = false;
    return options;
}

/// Two epochs, chains, a group; made once.
Disk &whole_log()
{
    static Disk disk(1);
    static bool made = false;
    if (made)
        return disk;
    made = true;
    Oracle oracle;
    for (int epoch = 0; epoch < 2; ++epoch) {
        Recovered recovered;
        must(recover(disk.io(), recover_options(small()), recovered).ok());
        SerialLog log(disk, oracle, small());
        must(log.start(recovered).ok());
        for (uint64_t i = 0; i < 4; ++i) {
            must(log.append(i * 50, 1).ok() && log.append_group({10, 20}).ok());
            must(log.append_aborted(30).ok() && log.append(i == 2 ? 6000 : 10, 2).ok());
            must(log.drain().ok());
        }
        must(log.hint().ok());
    }
    must(store_cursor(disk.io(), "a", 4096, kCursorHold).ok());
    std::vector<uint8_t> live(4096);
    memcpy(live.data(), kLiveMagic, 8);
    disk.put("LIVE", live);
    disk.settle();
    return disk;
}

template <class Page> void mend_page(uint8_t *bytes)
{
    Page page;
    memcpy(&page, bytes, sizeof page);
    page.crc = page_crc(page);
    memcpy(bytes, &page, sizeof page);
}

/// All sums as a hostile writer would make them.
void mend_sums(char const *name, std::vector<uint8_t> &bytes, uint8_t const (&uuid)[16])
{
    if (strcmp(name, "META") == 0 && bytes.size() >= kMetaSecondCopy + 4096) {
        mend_page<Superblock>(bytes.data());
        mend_page<Superblock>(bytes.data() + kMetaSecondCopy);
    }
    if (strncmp(name, "cursors", 7) == 0 && bytes.size() >= 4096)
        mend_page<CursorSlot>(bytes.data());
    if (strncmp(name, "seg", 3) != 0)
        return;
    if (bytes.size() >= 4096)
        mend_page<SegmentHeader>(bytes.data());
    for (size_t at = 4096; at + 4096 <= bytes.size(); at += 4096) {
        BatchHeader header;
        memcpy(&header, &bytes[at], sizeof header);
        if (header.magic != kBatchMagic)
            continue;
        uint32_t const seed = epoch_seed(uuid, header.epoch);
        Crc32c digest;
        size_t const end = std::min<size_t>(bytes.size(), at + header.length);
        for (size_t r = at + kBatchHeader; r + kRecordHeader <= end;) {
            RecordHeader record;
            memcpy(&record, &bytes[r], sizeof record);
            if (record_bytes(record.length) > end - r)
                break;
            uint64_t word1;
            memcpy(&word1, &bytes[r + 8], sizeof word1);
            record.crc = begin_record_crc(seed, header.start + (r - at), record.length, word1)
                             .add(&bytes[r + 16], round_up(record.length, 16))
                             .value();
            memcpy(&bytes[r], &record, sizeof record);
            digest.add32(record.crc);
            r += record_bytes(record.length);
        }
        header.digest = digest.value();
        header.crc = batch_crc(seed, header);
        memcpy(&bytes[at], &header, sizeof header);
    }
}

void apply_edits(Disk &disk, uint8_t const *data, size_t size)
{
    uint8_t uuid[16];
    memcpy(uuid, recover_options(small()).new_uuid, 16);
    for (unsigned edits = 0; size >= 5 && edits < 32; ++edits) {
        char const *const name = kFiles[(data[0] >> 1) % 6];
        bool const mend = (data[0] & 1) != 0;
        size_t const offset = data[1] | data[2] << 8 | (data[3] & 1) << 16;
        bool const resize = data[3] == 0xff;
        size_t const length = std::min<size_t>(data[4], size - 5);
        auto bytes = disk.content(name);
        if (resize)
            bytes.resize(std::min<size_t>(offset, 2 * kMetaBytes));
        for (size_t i = 0; i < length && offset + i < bytes.size(); ++i)
            bytes[offset + i] = data[5 + i];
        if (mend)
            mend_sums(name, bytes, uuid);
        disk.put(name, bytes);
        data += 5 + length;
        size -= 5 + length;
    }
}

void read(Io const &io, unsigned flags, LivePage const *live)
{
    Reader *reader = nullptr;
    if (!Reader::open(io, live, 0, flags, reader).ok())
        return;
    uint64_t sum = 0;
    Lsn last = 0;
    for (unsigned i = 0;; ++i) {
        RecordView view;
        Status const status = reader->next(view);
        if (status.code <= 0)
            break;
        must(view.lsn > last && i < 100000);
        last = view.lsn;
        for (uint64_t k = 0; k < view.length; ++k) // every byte is ours to read
            sum += static_cast<uint8_t const *>(view.data)[k];
    }
    must(reader->seek(last).ok() || sum > 0 || true);
    Reader::close(reader);
}

} // namespace

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    Disk disk(whole_log());
    apply_edits(disk, data, size);
    Io const io = disk.io();
    LogReport report;
    int const verdict = verify(io, report).code;
    LivePage live;
    auto const bytes = disk.content("LIVE");
    memcpy(static_cast<void *>(&live), bytes.data(), std::min<size_t>(sizeof live, bytes.size()));
    for (unsigned flags = 0; flags <= kKnownReaderFlags; ++flags)
        read(io, flags, flags == kReadWritten ? &live : nullptr);
    CursorView cursor;
    (void)load_cursor(io, "a", cursor);
    must(disk.open_files() == 0);
    Disk strict(disk), point(disk), rest(disk), target(5);
    RecoverOptions options = recover_options(small());
    options.segment_size = 0;
    options.verify_all = true;
    Recovered recovered;
    int const opened = recover(strict.io(), options, recovered).code;
    release_recovered(strict.io(), recovered);
    must(opened != -kCorrupt || verdict == 2);
    must(opened != -kCorrupt || strict.same_as(disk));
    options.mode = RecoveryMode::point_in_time;
    if (recover(point.io(), options, recovered).ok()) {
        release_recovered(point.io(), recovered);
        LogReport after;
        int const code = verify(point.io(), after).code;
        must(code != 2 || after.finding == LogFinding::cursor);
    }
    must(point.open_files() == 0 && strict.open_files() == 0);
    Io const to = target.io();
    RepairOptions how;
    how.lock_timeout = 0;
    (void)repair(rest.io(), how, report);
    how.salvage_to = &to;
    how.new_uuid[0] = 1;
    (void)repair(disk.io(), how, report);
    must(rest.open_files() == 0 && disk.open_files() == 0 && target.open_files() == 0);
    return 0;
}
