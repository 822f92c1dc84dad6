// SPDX-License-Identifier: MIT OR Apache-2.0
// Recovery to a point in time, and recovery that only reads.
#include "core/log/survey.hpp"
#include "tests/unit/log_support.hpp"

using namespace unit;

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
    std::vector<uint8_t> const before = world.disk.content(segment_of(world, damage));
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
        auto const bytes = world.disk.content(name);
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
