// SPDX-License-Identifier: MIT OR Apache-2.0
// Recovery and the log's files: which are spare, cut short, or before the truncation.
#include "tests/unit/log_support.hpp"

using namespace unit;

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
    std::vector<uint8_t> bytes = log.world.disk.content(name);
    bytes.resize(log.begin[3] + 100);
    log.world.disk.put(name, bytes);
    check_eq(log.world.report().verdict, LogVerdict::torn);
    check_eq(log.world.open(), 0);
    check_eq(log.world.disk.content(name).size(), log.world.options.segment_size);
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
