// SPDX-License-Identifier: MIT OR Apache-2.0
// Recovery: the rows of its table, its order, and what it must not do.
#include "core/base/alloc.hpp"
#include "core/log/survey.hpp"
#include "tests/unit/log_support.hpp"

using namespace unit;

namespace {

std::string segment_of(World &world, Lsn lsn)
{
    char name[kSegmentNameBytes];
    segment_name(round_down(lsn, world.options.segment_size), name);
    return name;
}

void rot(World &world, Lsn lsn)
{
    world.disk.rot(segment_of(world, lsn), lsn % world.options.segment_size, 0x40);
}

/// Three batches; the last is above all evidence. Where each begins.
struct ThreeBatches {
    World world;
    Lsn begin[4] = {};

    ThreeBatches()
    {
        Life life(world);
        for (Lsn &at : begin) {
            at = life.log->tail();
            if (&at != &begin[3])
                life.batch();
        }
        world.disk.settle();
    }
};

} // namespace

Test(log_recovery, a_new_log_begins_behind_its_first_header)
{
    World world;
    Recovered recovered;
    check_eq(recover(world.io(), world.recover_options(), recovered).code, 0);
    cr_assert(recovered.created);
    check_eq(recovered.start.at, 4096);
    check_eq(recovered.start.epoch, 1);
    check_eq(recovered.start.sequence, 1);
    check_eq(recovered.end_segment, 0);
    release_recovered(world.io(), recovered);
    check_eq(world.open(), 0, "and is found again");
    check_eq(world.report().verdict, LogVerdict::whole);
}

Test(log_recovery, options_are_checked)
{
    World world;
    RecoverOptions how = world.recover_options();
    how.create = false;
    check_eq(world.open(how), -ENOENT);
    cr_assert(world.disk.names().empty(), "nothing was made");
    how.create = true;
    how.segment_size = 4096;
    check_eq(world.open(how), -EINVAL);
    how.segment_size = 100000;
    check_eq(world.open(how), -EINVAL);
    check_eq(world.open(), 0);
    how = world.recover_options();
    how.exclusive = true;
    check_eq(world.open(how), -EEXIST);
    how.exclusive = false;
    how.segment_size *= 2;
    check_eq(world.open(how), -EINVAL);
    how.segment_size = 0;
    check_eq(world.open(how), 0);
}

Test(log_recovery, the_second_opener_is_told_busy)
{
    World world;
    Life life(world);
    Recovered other;
    check_eq(recover(world.io(), world.recover_options(), other).code, -EBUSY);
}

Test(log_recovery, requests_of_a_dead_process_are_waited_for_by_the_segments_lock)
{
    World world;
    {
        Life life(world);
        life.batch();
    }
    Io const io = world.io();
    Result<File> const held =
        io.files->open(io.files_self, segment_of(world, 0).c_str(), kOpenWrite, 0);
    check_eq(io.files->lock(io.files_self, *held, 0).code, 0);
    Recovered other;
    check_eq(recover(io, world.recover_options(), other).code, -EBUSY);
    io.files->close(io.files_self, *held);
    check_eq(world.open(), 0);
}

Test(log_recovery, segments_without_meta_are_no_new_log)
{
    ThreeBatches log;
    log.world.disk.remove("META");
    LogReport report;
    check_eq(log.world.open(log.world.recover_options(), &report), -kCorrupt);
    check_eq(report.finding, LogFinding::meta);
}

Test(log_recovery, each_open_begins_an_epoch_and_a_hint)
{
    ThreeBatches log;
    for (uint64_t epoch = 2; epoch < 5; ++epoch) {
        Recovered recovered;
        check_eq(recover(log.world.io(), log.world.recover_options(), recovered).code, 0);
        Superblock const &now = recovered.meta.now();
        check_eq(now.epoch, epoch);
        check_eq(now.epoch_start, log.begin[3]);
        check_eq(now.durable_hint, log.begin[3]);
        check_eq(now.epoch_start_sequence, 4);
        check_eq(recovered.start.prev_crc, now.epoch_prev_crc);
        cr_assert(now.epoch_prev_crc != 0);
        release_recovered(log.world.io(), recovered);
    }
}

Test(log_recovery, rows_behind_the_durable_lsn)
{
    struct Row {
        LogFinding found;
        LogVerdict verdict;
        void (*damage)(ThreeBatches &log, Lsn at);
    };
    Row const rows[] = {
        {LogFinding::zeros, LogVerdict::whole,
         [](ThreeBatches &log, Lsn at) {
             auto bytes = *log.world.disk.content(segment_of(log.world, at));
             memset(&bytes[at % log.world.options.segment_size], 0, 4096);
             log.world.disk.put(segment_of(log.world, at), bytes);
         }},
        {LogFinding::damaged_header, LogVerdict::torn,
         [](ThreeBatches &log, Lsn at) { rot(log.world, at + 20); }},
        {LogFinding::damaged_record, LogVerdict::torn,
         [](ThreeBatches &log, Lsn at) { rot(log.world, at + 100); }},
        {LogFinding::misdirected, LogVerdict::torn,
         [](ThreeBatches &log, Lsn at) {
             auto bytes = *log.world.disk.content(segment_of(log.world, at));
             memcpy(&bytes[at % log.world.options.segment_size],
                    &bytes[log.begin[0] % log.world.options.segment_size], 4096);
             log.world.disk.put(segment_of(log.world, at), bytes);
         }},
    };
    for (Row const &row : rows) {
        ThreeBatches log; // what its last batch is, nobody knows to be durable
        row.damage(log, log.begin[2]);
        LogReport const before = log.world.report();
        check_eq(before.verdict, row.verdict, "%s", log_finding_text(row.found));
        check_eq(before.at_end, row.found);
        check_eq(before.end, log.begin[2]);
        check_eq(log.world.open(), 0);
        // The same below D is damage.
        ThreeBatches other;
        row.damage(other, other.begin[1]);
        auto const untouched = std::make_unique<Disk>(other.world.disk);
        LogReport report;
        check_eq(other.world.open(other.world.recover_options(), &report), -kCorrupt);
        check_eq(report.finding, row.found);
        check_eq(report.segment, 0);
        cr_assert(report.lsn >= other.begin[1] && report.lsn < other.begin[2]);
        check_eq(report.offset, report.lsn);
        cr_assert(other.world.disk.same_as(*untouched), "STRICT changed something");
    }
}

namespace {
/// Another payload under right sums, as no fault makes it: of the record alone, or of its batch.
void forge(World &world, Lsn batch, bool whole_batch)
{
    std::string const name = segment_of(world, batch);
    auto bytes = *world.disk.content(name);
    uint8_t *const at = &bytes[batch % world.options.segment_size];
    BatchHeader header;
    memcpy(&header, at, sizeof header);
    uint32_t const seed = epoch_seed(world.recover_options().new_uuid, header.epoch);
    Crc32c digest;
    for (uint32_t r = kBatchHeader; r < header.length;) {
        RecordHeader record;
        memcpy(&record, at + r, sizeof record);
        if (r == kBatchHeader)
            at[r + kRecordHeader] ^= 1;
        uint64_t word1;
        memcpy(&word1, at + r + 8, sizeof word1);
        record.crc = begin_record_crc(seed, batch + r, record.length, word1)
                         .add(at + r + kRecordHeader, round_up(record.length, kRecordAlignment))
                         .value();
        memcpy(at + r, &record, sizeof record);
        digest.add32(record.crc);
        r += static_cast<uint32_t>(record_bytes(record.length));
    }
    header.digest = digest.value();
    header.crc = batch_crc(seed, header);
    if (whole_batch)
        memcpy(at, &header, sizeof header);
    world.disk.put(name, bytes);
}
} // namespace

Test(log_recovery, the_digest_commits_to_the_records)
{
    ThreeBatches log;
    forge(log.world, log.begin[1], false);
    LogReport report;
    check_eq(log.world.open(log.world.recover_options(), &report), -kCorrupt);
    check_eq(report.finding, LogFinding::damaged_record);
    check_eq(report.end, log.begin[1]);
}

Test(log_recovery, the_link_commits_to_the_batch_before)
{
    ThreeBatches log;
    forge(log.world, log.begin[0], true);
    LogReport report;
    check_eq(log.world.open(log.world.recover_options(), &report), -kCorrupt);
    check_eq(report.finding, LogFinding::broken_link);
    check_eq(report.lsn, log.begin[1]);
    ThreeBatches end;
    forge(end.world, end.begin[1], true);
    check_eq(end.world.report().verdict, LogVerdict::torn, "above all evidence");
    check_eq(end.world.report().at_end, LogFinding::broken_link);
}

Test(log_recovery, a_damaged_batch_is_proved_durable_by_those_behind_it)
{
    ThreeBatches log;
    rot(log.world, log.begin[1] + 100); // the third batch's header knows that it was durable
    check_eq(log.world.open(), -kCorrupt);
    ThreeBatches other;
    rot(other.world, other.begin[1] + 100);
    rot(other.world, other.begin[2] + 20); // without it nobody knows
    check_eq(other.world.open(), 0);
}

Test(log_recovery, what_was_dropped_never_comes_back)
{
    World world;
    Lsn hole = 0;
    {
        Life life(world);
        life.batch();
        // Two batches, of which the second alone reaches the disk.
        hole = life.log->tail();
        life.must(life.log->append(100, 1));
        life.must(life.log->cut());
        life.must(life.log->append(200, 2));
        life.must(life.log->cut());
        while (life.log->in_flight() != 0)
            life.must(life.log->pump());
        world.disk.settle();
    }
    std::string const name = segment_of(world, hole);
    std::vector<uint8_t> const whole = *world.disk.content(name);
    rot(world, hole);
    Oracle prefix = world.oracle; // the rot is a torn write: it was not acknowledged by evidence
    check_eq(world.open(), 0);
    // The bytes come back as they were: their epoch is over.
    world.disk.put(name, whole);
    LogReport const report = world.report();
    check_eq(report.end, hole);
    check_eq(report.at_end, LogFinding::dropped);
    check_eq(report.verdict, LogVerdict::whole);
    OwnReader reader(world);
    check_eq(reader.all().lsns.size(), 3);
}

Test(log_recovery, an_older_superblock_is_noticed_by_a_batch_of_a_higher_epoch)
{
    World world;
    {
        Life life(world);
        life.batch();
        world.disk.settle();
    }
    std::vector<uint8_t> const old = *world.disk.content("META");
    {
        Life life(world);
        life.batch();
        world.disk.settle();
    }
    world.disk.put("META", old);
    LogReport report;
    check_eq(world.open(world.recover_options(), &report), -kCorrupt);
    check_eq(report.finding, LogFinding::higher_epoch);
    RepairOptions how;
    check_eq(repair(world.io(), how, report).code, 1);
    world.expect_whole();
    check_eq(world.report().verdict, LogVerdict::whole);
}

Test(log_recovery, a_clean_end_is_exact)
{
    World world;
    std::vector<uint8_t> closed;
    {
        Life life(world);
        life.batch();
        life.must(life.log->close_cleanly());
        closed = *world.disk.content("META");
    }
    check_eq(world.report().verdict, LogVerdict::whole);
    {
        Life life(world);
        life.batch();
        world.disk.settle();
    }
    // The state of the first life with batches of the second would be a lost META.
    world.disk.put("META", closed);
    check_eq(world.open(), -kCorrupt);
}

Test(log_recovery, a_failed_flush_before_the_scan_refuses_the_open)
{
    for (char const *name : {"META", "seg-"}) {
        ThreeBatches log;
        log.world.disk.inject("flush", name, Bad::flush_fails);
        check_eq(log.world.open(), -EIO, "%s", name);
        cr_assert(log.world.disk.injected());
        check_eq(log.world.open(), 0, "%s", name);
        log.world.expect_whole();
    }
    ThreeBatches log;
    log.world.disk.inject("dir", "", Bad::eio);
    check_eq(log.world.open(), -EIO);
}

/// A page whose write-back failed is clean in memory and absent on disk: what recovery accepted
/// from memory would be gone after the next power cut.
Test(log_recovery, what_is_only_in_the_page_cache_is_not_believed)
{
    for (bool direct : {false, true}) {
        World world;
        world.disk.limits.direct = direct;
        world.options.durable_writes = false;
        Life life(world);
        life.batch();
        Lsn const lost = life.log->tail();
        life.must(life.log->append(100, 1));
        life.must(life.log->cut());
        world.disk.inject("flush", "spare-", Bad::flush_fails); // what the file was called first
        while (life.log->pump().ok() && life.log->in_flight() != 0) {
        }
        cr_assert(world.disk.injected());
        life.log.reset();
        Recovered recovered;
        check_eq(recover(world.io(), world.recover_options(), recovered).code, 0);
        check_eq(recovered.start.at, lost);
        release_recovered(world.io(), recovered);
        world.disk.power_cut(world.cuts);
        world.expect_whole();
    }
}

Test(log_recovery, what_a_dead_process_wrote_is_durable_before_it_counts)
{
    World world;
    world.options.durable_writes = false;
    {
        Life life(world);
        for (int i = 0; i < 3; ++i) {
            life.must(life.log->append(100, 1));
            life.must(life.log->cut());
        }
        for (int i = 0; i < 20; ++i)
            life.must(life.log->pump());
    }
    world.disk.kill(world.cuts); // the machine goes on: the page cache has it
    Recovered recovered;
    check_eq(recover(world.io(), world.recover_options(), recovered).code, 0);
    Lsn const end = recovered.start.at;
    release_recovered(world.io(), recovered);
    Disk copy(world.disk);
    for (int i = 0; i < 8; ++i) {
        Disk cut(copy);
        cut.power_cut(world.cuts);
        LogReport report;
        check_eq(verify(cut.io(), report).code, 0);
        check_eq(report.end, end);
    }
}

Test(log_recovery, point_in_time_ends_the_log_and_keeps_the_rest_aside)
{
    World world;
    world.options.segment_size = 16 << 10;
    Lsn damage = 0;
    {
        Life life(world);
        for (int i = 0; i < 14; ++i) {
            if (i == 6)
                damage = life.log->tail();
            life.batch(2, 900);
        }
        world.disk.settle();
    }
    rot(world, damage + 200);
    check_eq(world.open(), -kCorrupt);
    std::vector<uint8_t> const before = *world.disk.content(segment_of(world, damage));
    RecoverOptions how = world.recover_options();
    how.mode = RecoveryMode::point_in_time;
    how.verify_all = true;
    Recovered recovered;
    check_eq(recover(world.io(), how, recovered).code, 0);
    check_eq(recovered.start.at, damage);
    bool open_there = false;
    for (size_t i = 0; i < recovered.open_count; ++i)
        open_there |= recovered.open[i].number == damage / world.options.segment_size;
    cr_assert(open_there, "the segment where the log goes on is open");
    cr_assert((recovered.report.mended & kQuarantined) != 0);
    release_recovered(world.io(), recovered);
    unsigned kept = 0;
    bool tail = false;
    for (std::string const &name : world.disk.names()) {
        if (name.rfind("quarantine/", 0) != 0)
            continue;
        ++kept;
        auto const &bytes = *world.disk.content(name);
        uint64_t const offset = damage % world.options.segment_size;
        tail |= bytes.size() == before.size() - offset &&
                memcmp(bytes.data(), before.data() + offset, bytes.size()) == 0;
    }
    cr_assert(tail, "the bytes from P on were copied");
    check_ge(kept, 3, "and later segments moved");
    check_eq(world.report().verdict, LogVerdict::whole);
    OwnReader reader(world);
    Reading const read = reader.all();
    check_eq(read.code, 0);
    check_eq(read.lsns.size(), 12);
}

/// A death while the evidence is moved away must not make the damage look like a torn tail.
Test(log_recovery, point_in_time_that_is_cut_stays_corrupt_for_strict)
{
    unsigned finished = 0, corrupt = 0;
    for (uint64_t cut = 0; cut < 60; ++cut) {
        World world;
        world.options.segment_size = 16 << 10;
        Lsn damage = 0;
        {
            Life life(world);
            for (int i = 0; i < 9; ++i) {
                if (i == 2)
                    damage = life.log->tail();
                life.batch(2, 900);
            }
            world.disk.settle();
        }
        rot(world, damage + 200);
        RecoverOptions how = world.recover_options();
        how.mode = RecoveryMode::point_in_time;
        world.disk.cut_after(cut);
        int const code = world.open(how);
        world.disk.power_cut(world.cuts);
        LogReport report;
        RecoverOptions strictly = world.recover_options();
        strictly.verify_all = true;
        int const strict = world.open(strictly, &report);
        cr_assert(strict == 0 || strict == -kCorrupt, "%d", strict);
        if (code == 0 || (strict == 0 && report.epoch > 1))
            ++finished; // META says so
        else
            check_eq(strict, -kCorrupt, "cut %u", static_cast<unsigned>(cut)), ++corrupt;
        check_eq(world.open(how), 0);
        check_eq(world.report().end, damage);
    }
    check_ge(finished, 1);
    check_ge(corrupt, 5);
}

Test(log_recovery, read_only_changes_nothing)
{
    ThreeBatches log;
    rot(log.world, log.begin[2] + 20);
    Disk const before(log.world.disk);
    RecoverOptions how = log.world.recover_options();
    how.read_only = true;
    how.segment_size = 0;
    uint64_t const operations = log.world.disk.operations();
    Recovered recovered;
    check_eq(recover(log.world.io(), how, recovered).code, 0);
    check_eq(recovered.start.at, log.begin[2]);
    check_eq(recovered.durable, log.begin[1], "nobody knows more");
    release_recovered(log.world.io(), recovered);
    check_eq(log.world.disk.operations(), operations);
    cr_assert(log.world.disk.same_as(before));
    World empty;
    check_eq(empty.open(how), -ENOENT);
}

namespace {
/// A writer that is at it whenever somebody has read the log's end: in each look once, and so much
/// that reading on sees it.
struct BusyWriter {
    static BusyWriter *now;
    World &world;
    Life &life;
    Io quiet = world.io();
    FileOps ops = *quiet.files;
    unsigned readings = 0; ///< of the end, in this look
    unsigned times = 0;

    BusyWriter(World &in, Life &of) : world(in), life(of)
    {
        ops.list = [](void *self, char const *sub, bool (*visit)(void *, char const *),
                      void *userdata) {
            now->readings = 0; // a look begins
            return now->quiet.files->list(self, sub, visit, userdata);
        };
        ops.pread = [](void *self, File file, void *data, size_t length, uint64_t offset) {
            auto const got = now->quiet.files->pread(self, file, data, length, offset);
            Lsn const end = now->life.durable();
            // An end that is found is read again: only that is believed.
            if (offset <= end && end - offset < length && ++now->readings == 2)
                now->write();
            return got;
        };
        now = this;
    }
    Io io()
    {
        Io made = quiet;
        made.files = &ops;
        return made;
    }
    void write()
    {
        ++times;
        life.batch(1, kSurveyWindow);
        life.batch(1);
    }
};
BusyWriter *BusyWriter::now;
} // namespace

// What was written between two readings proved that the end had been durable, and lost.
Test(log_recovery, read_only_beside_a_writer_is_not_corrupt)
{
    for (bool const verifies : {false, true}) {
        World world;
        world.options.segment_size = 32 << 20; // one will do
        world.options.buffer_size = 256 << 10;
        Life life(world);
        life.batch();
        Lsn const before = life.durable();
        BusyWriter writer(world, life);
        RecoverOptions how = world.recover_options();
        how.read_only = true;
        how.segment_size = 0;
        Recovered recovered;
        LogReport report;
        if (verifies) {
            check_ge(verify(writer.io(), report).code, 0);
        } else {
            check_eq(recover(writer.io(), how, recovered).code, 0);
            check_ge(recovered.durable, before);
            check_ge(recovered.start.at, recovered.durable);
            report = recovered.report;
            release_recovered(world.io(), recovered);
        }
        cr_assert(report.verdict != LogVerdict::corrupt);
        check_ge(report.durable, before);
        check_ge(writer.times, 10); // it never came to rest
    }
}

// And real damage is, writer or not.
Test(log_recovery, read_only_beside_a_writer_sees_damage)
{
    World world;
    world.options.segment_size = 32 << 20;
    world.options.buffer_size = 256 << 10;
    Life life(world);
    life.batch();
    Lsn const damage = life.durable();
    life.batch();
    life.batch();
    world.disk.settle();
    rot(world, damage + 20);
    BusyWriter writer(world, life);
    RecoverOptions how = world.recover_options();
    how.read_only = true;
    how.segment_size = 0;
    Recovered recovered;
    check_eq(recover(writer.io(), how, recovered).code, -kCorrupt);
    check_eq(recovered.report.lsn, damage);
    release_recovered(world.io(), recovered);
}

Test(log_recovery, what_is_spare_is_mended)
{
    World world;
    {
        Life life(world);
        life.batch();
        world.disk.settle();
    }
    // A segment behind the end with a damaged header, one behind a gap, a leftover spare.
    char name[kSegmentNameBytes];
    std::vector<uint8_t> const rubbish(world.options.segment_size, 0x33);
    for (uint64_t number : {1, 7}) {
        segment_name(number * world.options.segment_size, name);
        world.disk.put(name, rubbish);
    }
    world.disk.put("spare-3.seg", rubbish);
    world.disk.put("spare-12.seg", rubbish);
    check_eq(world.report().verdict, LogVerdict::torn);
    check_eq(world.report().finding, LogFinding::unused_segment);
    Recovered recovered;
    check_eq(recover(world.io(), world.recover_options(), recovered).code, 0);
    check_eq(recovered.first_segment, 0);
    check_eq(recovered.end_segment, 1);
    release_recovered(world.io(), recovered);
    cr_assert(!world.disk.has("spare-3.seg") && !world.disk.has("spare-12.seg"));
    cr_assert(!world.disk.has(name));
    check_eq(world.report().verdict, LogVerdict::whole);
    world.disk.power_cut(world.cuts);
    world.expect_whole();
}

Test(log_recovery, a_file_cut_behind_the_end_gets_its_length_back)
{
    ThreeBatches log;
    std::string const name = segment_of(log.world, 0);
    std::vector<uint8_t> bytes = *log.world.disk.content(name);
    bytes.resize(log.begin[3] + 100);
    log.world.disk.put(name, bytes);
    check_eq(log.world.report().verdict, LogVerdict::torn);
    check_eq(log.world.open(), 0);
    check_eq(log.world.disk.content(name)->size(), log.world.options.segment_size);
    log.world.expect_whole();
}

Test(log_recovery, a_truncation_that_was_cut_is_finished)
{
    World world;
    world.options.segment_size = 16 << 10;
    {
        Life life(world);
        for (int i = 0; i < 12; ++i)
            life.batch(2, 900);
        Superblock next = life.log->meta().now();
        next.truncate_before = next.durable_hint = life.durable();
        world.oracle.truncate(life.durable());
        life.must(life.log->meta().write_both(world.io(), next)); // and dies before it removes
        world.disk.settle();
    }
    Recovered recovered;
    check_eq(recover(world.io(), world.recover_options(), recovered).code, 0);
    check_ge(recovered.first_segment, 2);
    check_eq(recovered.first_segment,
             removable_before(LogGeometry{16 << 10, 4096}, recovered.meta.now().truncate_before,
                              recovered.start.at));
    release_recovered(world.io(), recovered);
    cr_assert(!world.disk.has(segment_of(world, 0)));
    world.expect_whole();
    check_eq(world.report().verdict, LogVerdict::whole);
}

Test(log_recovery, the_segment_of_the_last_batch_is_kept)
{
    LogGeometry const geometry{65536, 4096};
    check_eq(removable_before(geometry, 3 * 65536, 3 * 65536), 2, "the end is a segment's end");
    check_eq(removable_before(geometry, 3 * 65536, 3 * 65536 + 4096), 2);
    check_eq(removable_before(geometry, 3 * 65536, 3 * 65536 + 8192), 3);
    check_eq(removable_before(geometry, 3 * 65536 - 1, 9 * 65536), 2);
    check_eq(removable_before(geometry, 0, 0), 0);
}

/// Everything truncated up to an end that is exactly a segment's end: the next batch must find what
/// it links to.
Test(log_recovery, a_log_truncated_to_its_end_goes_on)
{
    World world;
    world.options.segment_size = 16 << 10;
    for (int life_number = 0; life_number < 4; ++life_number) {
        Life life(world);
        for (int i = 0; i < 4; ++i) {
            do
                life.batch(1, 900);
            while (life.log->tail() % world.options.segment_size != 4096);
            life.must(life.log->truncate(life.durable()));
        }
        world.disk.power_cut(world.cuts);
        life.log.reset();
        world.expect_whole();
        check_eq(world.report().verdict, LogVerdict::whole);
    }
}

Test(log_recovery, failing_allocations_are_told_and_hold_nothing)
{
    ThreeBatches log;
    unsigned failed = 0;
    for (int successes = 0; successes < 60; ++successes) {
        Recovered recovered;
        fail_allocation_after(successes);
        int const code = recover(log.world.io(), log.world.recover_options(), recovered).code;
        fail_allocation_after(-1);
        cr_assert(code == 0 || code == -ENOMEM, "%d", code);
        failed += code == -ENOMEM ? 1 : 0;
        release_recovered(log.world.io(), recovered);
        check_eq(log.world.disk.open_files(), 0);
    }
    check_ge(failed, 3);
    log.world.expect_whole();
}

Test(log_recovery, failing_operations_are_told_and_hold_nothing)
{
    char const *const kinds[] = {"open", "read", "flush", "dir", "list", "write", "lock", "limits"};
    for (char const *kind : kinds) {
        unsigned failed = 0;
        for (uint64_t after = 0; after < 12; ++after) {
            ThreeBatches log;
            log.world.disk.inject(kind, "", Bad::eio, after);
            int const code = log.world.open();
            if (!log.world.disk.injected())
                break;
            check_eq(code, -EIO, "%s %llu", kind, static_cast<unsigned long long>(after));
            ++failed;
            check_eq(log.world.open(), 0);
            log.world.expect_whole();
        }
        if (strcmp(kind, "limits") != 0)
            check_ge(failed, 1, "%s", kind);
    }
}
