// SPDX-License-Identifier: MIT OR Apache-2.0
// Named cursors.
#include "tests/unit/log_support.hpp"

using namespace unit;

Test(log_cursor, names)
{
    for (char const *good : {"a", "Reader-1", "a.b_c", "0"})
        check_eq(check_cursor_name(good).code, 0);
    for (char const *bad : {"", ".", ".a", "a/b", "a b", "\xc3\xa4", "a\n"})
        check_eq(check_cursor_name(bad).code, -EINVAL, "%s", bad);
    std::string name(64, 'x');
    check_eq(check_cursor_name(name.c_str()).code, 0);
    name += 'x';
    check_eq(check_cursor_name(name.c_str()).code, -ENAMETOOLONG);
}

Test(log_cursor, stores_and_loads)
{
    World world;
    CursorView view;
    check_eq(store_cursor(world.io(), "a", 1, 0).code, -ENOENT, "no log");
    check_eq(world.open(), 0);
    check_eq(load_cursor(world.io(), "a", view).code, -ENOENT);
    check_eq(store_cursor(world.io(), "a", 5000, kCursorHold).code, 0);
    std::string const longest(64, 'z');
    check_eq(store_cursor(world.io(), longest.c_str(), 3, 0).code, 0);
    check_eq(load_cursor(world.io(), "a", view).code, 0);
    check_eq(view.lsn, 5000);
    check_eq(view.flags, kCursorHold);
    check_eq(store_cursor(world.io(), "a", 4000, 0).code, 0);
    check_eq(load_cursor(world.io(), "a", view).code, 0);
    check_eq(view.lsn, 4000);
    check_eq(store_cursor(world.io(), "a", 4000, 2).code, -EINVAL);
    check_eq(store_cursor(world.io(), "a", UINT64_MAX, 0).code, -EINVAL);
    check_eq(world.disk.open_files(), 0);
}

Test(log_cursor, the_lowest_hold_counts)
{
    World world;
    check_eq(world.open(), 0);
    uint8_t uuid[16];
    memcpy(uuid, world.recover_options().new_uuid, 16);
    check_eq(*lowest_hold(world.io(), uuid), UINT64_MAX);
    check_eq(store_cursor(world.io(), "low", 10, 0).code, 0);
    check_eq(*lowest_hold(world.io(), uuid), UINT64_MAX);
    check_eq(store_cursor(world.io(), "b", 900, kCursorHold).code, 0);
    check_eq(store_cursor(world.io(), "c", 800, kCursorHold).code, 0);
    check_eq(*lowest_hold(world.io(), uuid), 800);
    world.disk.rot("cursors/b", 30, 1);
    check_eq(*lowest_hold(world.io(), uuid), 800, "one slot is enough");
    world.disk.rot("cursors/b", 4096 + 30, 1);
    check_eq(*lowest_hold(world.io(), uuid), 0, "nobody knows what it held");
}

Test(log_cursor, a_power_cut_leaves_the_old_or_the_new)
{
    unsigned seen[3] = {};
    for (unsigned seed = 0; seed < 400; ++seed) {
        World world;
        fault::Random random(seed);
        check_eq(world.open(), 0);
        bool const existed = seed % 2 == 0;
        if (existed)
            check_eq(store_cursor(world.io(), "a", 100, 0).code, 0);
        world.disk.settle();
        world.disk.cut_after(seed % 12);
        bool const done = store_cursor(world.io(), "a", 200, 0).ok();
        world.disk.power_cut(random);
        CursorView view;
        Status const status = load_cursor(world.io(), "a", view);
        if (!status.ok()) {
            check_eq(status.code, -ENOENT, "seed %u", seed);
            cr_assert(!existed && !done);
            ++seen[0];
            continue;
        }
        cr_assert(view.lsn == 200 || (existed && !done && view.lsn == 100), "seed %u", seed);
        ++seen[view.lsn / 100];
        check_eq(store_cursor(world.io(), "a", 300, 0).code, 0);
    }
    for (unsigned count : seen)
        check_ge(count, 1);
}
