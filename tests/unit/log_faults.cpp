// SPDX-License-Identifier: MIT OR Apache-2.0
// Disks that lie: what was acknowledged and lost is told, and no wrong byte is delivered.
#include "tests/unit/log_support.hpp"

using namespace unit;

namespace {

/// A life in which one thing goes wrong, a power cut, and what is told. 0 whole or torn and all
/// there, 1 CORRUPT.
int one(Bad bad, char const *kind, uint64_t after, uint64_t seed, bool &ret_injected)
{
    World world;
    fault::Random random(seed);
    {
        Life life(world, false);
        world.disk.inject(kind, "", bad, after);
        Status status = life.log->start(life.recovered);
        for (int i = 0; i < 60 && status.ok(); ++i)
            status = life.log->random_step(random);
        if (status.ok())
            status = life.log->drain();
        for (int i = 0; i < 3 && status.ok(); ++i) {
            status = life.log->append(100, 1);
            if (status.ok())
                status = life.log->drain();
        }
        cr_assert(status.ok() || bad == Bad::eio || bad == Bad::enospc || bad == Bad::short_write ||
                  bad == Bad::flush_fails);
    }
    ret_injected = world.disk.injected();
    world.disk.power_cut(random);
    LogReport report;
    int const code = world.open(world.recover_options(), &report);
    if (code == -kCorrupt) {
        cr_assert(report.finding != LogFinding::none);
        return 1;
    }
    check_eq(code, 0);
    // What the scan did not look at, readers tell.
    std::string const why = world.oracle.check_and_go_on(world.io());
    bool const told = why.rfind("reader says -4097", 0) == 0;
    cr_assert(why.empty() || told, "seed %llu: %s", static_cast<unsigned long long>(seed),
              why.c_str());
    return told ? 1 : 0;
}

void many(Bad bad, char const *kind, bool may_lose)
{
    unsigned injected = 0, corrupt = 0;
    for (uint64_t seed = 1; seed < 150; ++seed) {
        bool did;
        int const result = one(bad, kind, seed % 30, seed, did);
        injected += did ? 1 : 0;
        corrupt += result;
        cr_assert(result == 0 || may_lose, "seed %llu", static_cast<unsigned long long>(seed));
    }
    check_ge(injected, 50);
    if (may_lose)
        check_ge(corrupt, 10, "some of these hit what was acknowledged");
}

} // namespace

Test(log_faults, a_write_that_fails_loses_nothing_acknowledged)
{
    many(Bad::eio, "write", false);
    many(Bad::enospc, "write", false);
    many(Bad::short_write, "write", false);
}

Test(log_faults, a_lost_write_is_told) { many(Bad::lost_write, "write", true); }

Test(log_faults, a_misdirected_write_is_told) { many(Bad::misdirected, "write", true); }

/// R12: a flush that fails once ends the log's life; what it had acknowledged before stays.
Test(log_faults, a_flush_that_fails_once_loses_nothing_acknowledged)
{
    unsigned failed = 0;
    for (uint64_t seed = 1; seed < 200; ++seed) {
        World world;
        world.options.durable_writes = false;
        fault::Random random(seed);
        Status status;
        {
            Life life(world);
            world.disk.inject("flush", "", Bad::flush_fails, seed % 17);
            for (int i = 0; i < 100 && status.ok(); ++i)
                status = life.log->random_step(random);
        }
        failed += status.ok() ? 0 : 1;
        bool const cut = seed % 2 == 0;
        if (cut)
            world.disk.power_cut(random);
        else
            world.disk.kill(random);
        check_eq(world.open(), 0, "seed %llu", static_cast<unsigned long long>(seed));
        world.expect_whole();
        // And what was found then is really there.
        world.disk.power_cut(random);
        check_eq(world.open(), 0);
        world.expect_whole();
    }
    check_ge(failed, 50);
}
