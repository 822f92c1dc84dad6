// SPDX-License-Identifier: MIT OR Apache-2.0
// Repair and salvage: what they answer. (What they mend is swept in tests/fault.)
#include "core/base/alloc.hpp"
#include "tests/unit/log_support.hpp"

using namespace unit;

namespace {
void make_log(World &world, int batches = 6)
{
    Life life(world);
    for (int i = 0; i < batches; ++i)
        life.batch(3, 700);
    life.must(life.log->hint());
    world.disk.settle();
}
void lose_meta(World &world)
{
    world.disk.rot("META", 90, 1);
    world.disk.rot("META", kMetaSecondCopy + 90, 1);
}
} // namespace

Test(log_repair, answers)
{
    World world;
    LogReport report;
    RepairOptions how;
    how.lock_timeout = 0;
    check_eq(repair(world.io(), how, report).code, -ENOENT);
    cr_assert(world.disk.names().empty());
    make_log(world);
    check_eq(repair(world.io(), how, report).code, 0, "nothing to do");
    {
        Life life(world);
        check_eq(repair(world.io(), how, report).code, -EBUSY);
        check_eq(world.disk.open_files(), 3); // LOCK, META and the segment of the living
    }
    lose_meta(world);
    check_eq(repair(world.io(), how, report).code, 1);
    cr_assert((report.mended & kMendedMeta) != 0);
    check_eq(repair(world.io(), how, report).code, 0);
    world.expect_whole();
    check_eq(world.disk.open_files(), 0);
}

// A record goes on into the missing segment, and no header behind that says that it was durable.
Test(log_repair, without_meta_a_missing_segment_is_no_torn_tail)
{
    World world;
    {
        Life life(world);
        life.batch(7, 9000);
        check_ge(life.durable(), 2 * world.options.segment_size);
        world.disk.settle();
    }
    LogReport report;
    RepairOptions how;
    how.lock_timeout = 0;
    lose_meta(world);
    world.disk.remove("seg-00000000000000032768.log");
    check_eq(repair(world.io(), how, report).code, -kCorrupt);
    check_eq(report.finding, LogFinding::segment_missing);
}

Test(log_repair, damaged_records_need_a_mode)
{
    World world;
    make_log(world);
    world.disk.rot("seg-00000000000000000000.log", 4096 + 200, 1);
    Disk const before(world.disk);
    LogReport report;
    RepairOptions how;
    check_eq(repair(world.io(), how, report).code, -kCorrupt);
    cr_assert(world.disk.same_as(before));
    how.mode = RecoveryMode::point_in_time;
    check_eq(repair(world.io(), how, report).code, 1);
    check_eq(world.report().verdict, LogVerdict::whole);
    check_eq(world.report().end, 4096);
}

Test(log_repair, salvage_wants_an_empty_folder)
{
    World world, full;
    make_log(world);
    lose_meta(world); // also that does not stop it
    make_log(full);
    Io target = full.io();
    RepairOptions how;
    how.salvage_to = &target;
    LogReport report;
    check_eq(repair(world.io(), how, report).code, -EEXIST);
    Disk empty(4);
    target = empty.io();
    Disk const before(world.disk);
    check_eq(repair(world.io(), how, report).code, 1);
    check_eq(report.records, 18);
    check_eq(report.gaps, 0);
    cr_assert(world.disk.same_as(before), "the old log is not changed");
    check_eq(verify(target, report).code, 0);
    check_eq(report.records >= 18, true);
}

Test(log_repair, segments_of_two_logs_are_no_log)
{
    World world, other;
    make_log(world);
    make_log(other);
    auto bytes = other.disk.content("seg-00000000000000000000.log");
    SegmentHeader header;
    memcpy(&header, bytes.data(), sizeof header);
    header.uuid[0] ^= 1;
    header.number = 4;
    header.base = 4 * header.segment_size;
    header.crc = page_crc(header);
    memcpy(bytes.data(), &header, sizeof header);
    char name[kSegmentNameBytes];
    segment_name(header.base, name);
    world.disk.put(name, bytes);
    lose_meta(world);
    LogReport report;
    check_eq(repair(world.io(), {}, report).code, -kCorrupt);
}

Test(log_repair, failing_operations_are_told_and_leave_what_repair_can_repair)
{
    unsigned failed = 0;
    for (uint64_t cut = 0; cut < 40; ++cut) {
        World world;
        make_log(world);
        lose_meta(world);
        world.disk.cut_after(cut);
        LogReport report;
        int const code = repair(world.io(), {}, report).code;
        check_eq(world.disk.open_files(), 0);
        failed += code == -EIO ? 1 : 0;
        cr_assert(code == -EIO || code == 1, "%d", code);
        world.disk.power_cut(world.cuts);
        cr_assert(repair(world.io(), {}, report).code >= 0);
        world.expect_whole();
        check_eq(world.report().verdict, LogVerdict::whole);
    }
    check_ge(failed, 5);
}

namespace {
/// A power cut after a repair that said it is done changes nothing.
void expect_durable(Disk &disk, uint64_t seed, char const *what)
{
    fault::Random random(seed);
    Disk const done(disk);
    disk.power_cut(random);
    cr_assert(disk.same_as(done), "%s, seed %llu", what, static_cast<unsigned long long>(seed));
}
} // namespace

Test(log_repair, what_was_reported_survives_a_power_cut)
{
    constexpr char kFirst[] = "seg-00000000000000000000.log";
    constexpr uint64_t kSeeds = 20;
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
        LogReport report;
        RepairOptions how;
        {
            World world;
            make_log(world);
            lose_meta(world);
            check_eq(repair(world.io(), how, report).code, 1);
            expect_durable(world.disk, seed, "META from segments");
        }
        {
            World world;
            make_log(world);
            world.disk.rot(kFirst, 90, 1);
            check_eq(repair(world.io(), how, report).code, 1);
            cr_assert((report.mended & kMendedSegmentHeader) != 0);
            expect_durable(world.disk, seed, "the header of a segment");
        }
        {
            World world;
            make_log(world, 30); // several segments: damage in the first moves the others
            world.disk.rot(kFirst, 4096 + 200, 1);
            how.mode = RecoveryMode::point_in_time;
            check_eq(repair(world.io(), how, report).code, 1);
            check_ge(report.quarantined_bytes, world.options.segment_size);
            expect_durable(world.disk, seed, "quarantine");
            how.mode = RepairOptions{}.mode;
        }
        {
            World world;
            make_log(world);
            Disk target(seed);
            Io const io = target.io();
            how.salvage_to = &io;
            check_eq(repair(world.io(), how, report).code, 1);
            expect_durable(target, seed, "salvage");
            check_eq(verify(io, report).code, 0);
        }
    }
}
