// SPDX-License-Identifier: MIT OR Apache-2.0
// Recovery where a flush, an allocation or any operation fails, and of what was never flushed.
#include "core/base/alloc.hpp"
#include "tests/unit/log_support.hpp"

using namespace unit;

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
