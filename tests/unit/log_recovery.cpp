// SPDX-License-Identifier: MIT OR Apache-2.0
// Recovery: what opens, the rows of its table, and what a log commits to.
#include "tests/unit/log_support.hpp"

using namespace unit;

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
             auto bytes = log.world.disk.content(segment_of(log.world, at));
             memset(&bytes[at % log.world.options.segment_size], 0, 4096);
             log.world.disk.put(segment_of(log.world, at), bytes);
         }},
        {LogFinding::damaged_header, LogVerdict::torn,
         [](ThreeBatches &log, Lsn at) { rot(log.world, at + 20); }},
        {LogFinding::damaged_record, LogVerdict::torn,
         [](ThreeBatches &log, Lsn at) { rot(log.world, at + 100); }},
        {LogFinding::misdirected, LogVerdict::torn,
         [](ThreeBatches &log, Lsn at) {
             auto bytes = log.world.disk.content(segment_of(log.world, at));
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
    auto bytes = world.disk.content(name);
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
    std::vector<uint8_t> const whole = world.disk.content(name);
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
    std::vector<uint8_t> const old = world.disk.content("META");
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
        closed = world.disk.content("META");
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
