// SPDX-License-Identifier: MIT OR Apache-2.0
// Two superblocks: which counts, in which order they are written, and power cuts in between.
#include "tests/unit/log_support.hpp"

using namespace unit;

namespace {

Superblock some_superblock(uint64_t sequence = 1)
{
    Superblock s{};
    memcpy(s.magic, kLogMagic, sizeof s.magic);
    s.version = kLogVersion;
    s.block = 4096;
    s.segment_size = 65536;
    s.checksum = kChecksumCrc32c;
    s.sequence = sequence;
    s.epoch = 1;
    s.epoch_start = s.durable_hint = 4096;
    s.epoch_start_sequence = 1;
    s.state = kLogOpen;
    s.crc = page_crc(s);
    return s;
}

int choose(Superblock const &a, Superblock const &b)
{
    MetaCopies copies{};
    copies.copy[0] = a;
    copies.copy[1] = b;
    choose_superblock(copies);
    return copies.chosen;
}

struct MetaOnDisk {
    Disk disk{3};
    Meta meta;
    Io io = disk.io();
    MetaOnDisk()
    {
        check_eq(meta.create(io, some_superblock(), 0600).code, 0);
        disk.settle();
    }
    uint64_t sequence(unsigned copy)
    {
        Superblock s;
        memcpy(&s, disk.content("META").data() + copy * kMetaSecondCopy, sizeof s);
        return s.crc == page_crc(s) ? s.sequence : 0;
    }
};

} // namespace

Test(log_meta, the_higher_sequence_counts)
{
    check_eq(choose(some_superblock(4), some_superblock(5)), 1);
    check_eq(choose(some_superblock(5), some_superblock(4)), 0);
    check_eq(choose(some_superblock(5), some_superblock(5)), 0);
    Superblock broken = some_superblock(6);
    broken.durable_hint += 4096;
    check_eq(choose(some_superblock(4), broken), 0);
    check_eq(choose(broken, some_superblock(4)), 1);
    check_eq(choose(broken, broken), -1);
}

Test(log_meta, two_that_contradict_each_other_are_none)
{
    Superblock other = some_superblock(5);
    other.epoch = 2;
    other.crc = page_crc(other);
    check_eq(choose(some_superblock(5), other), -1);
    other = some_superblock(6);
    other.uuid[0] ^= 1;
    other.crc = page_crc(other);
    check_eq(choose(some_superblock(5), other), -1);
}

Test(log_meta, fields_that_make_no_sense_are_refused)
{
    void (*const changes[])(Superblock &) = {
        [](Superblock &s) { s.block = 2048; },
        [](Superblock &s) { s.block = 6000; },
        [](Superblock &s) { s.segment_size = 4096; },
        [](Superblock &s) { s.segment_size = 100000; },
        [](Superblock &s) { s.segment_size = uint64_t{8} << 30; },
        [](Superblock &s) { s.sequence = 0; },
        [](Superblock &s) { s.epoch = 0; },
        [](Superblock &s) { s.epoch = UINT64_MAX; },
        [](Superblock &s) { s.epoch_start = 8192; }, // behind the hint
        [](Superblock &s) { s.epoch_start = s.durable_hint = 5000; },
        [](Superblock &s) { s.truncate_before = 1 << 20; },
        [](Superblock &s) { s.durable_hint = UINT64_MAX; },
        [](Superblock &s) { s.state = 3; },
        [](Superblock &s) { s.zero[100] = 1; },
    };
    for (auto *change : changes) {
        Superblock s = some_superblock();
        change(s);
        cr_assert_not(superblock_sane(s));
    }
    cr_assert(superblock_sane(some_superblock()));
}

Test(log_meta, a_newer_version_is_not_corrupt)
{
    MetaOnDisk on;
    void (*const changes[])(Superblock &) = {
        [](Superblock &s) { s.version = 2; },
        [](Superblock &s) { s.incompat = 4; },
        [](Superblock &s) { s.checksum = 2; },
    };
    for (auto *change : changes) {
        Superblock s = some_superblock(9);
        change(s);
        s.crc = page_crc(s);
        std::vector<uint8_t> bytes = on.disk.content("META");
        memcpy(bytes.data(), &s, sizeof s);
        on.disk.put("META", bytes);
        Meta other;
        MetaCopies copies;
        check_eq(other.open(on.io, copies).code, -kVersion);
    }
}

Test(log_meta, a_hint_alone_writes_the_lower_copy)
{
    MetaOnDisk on;
    check_eq(on.sequence(0), on.sequence(1));
    uint64_t const before = on.sequence(0);
    check_eq(on.meta.write_hint(on.io, 8192).code, 0);
    check_eq(larger(on.sequence(0), on.sequence(1)), before + 1);
    check_eq(smaller(on.sequence(0), on.sequence(1)), before);
    check_eq(on.meta.write_hint(on.io, 12288).code, 0);
    check_eq(smaller(on.sequence(0), on.sequence(1)), before + 1);
    uint64_t const flushes = on.disk.flushes;
    check_eq(on.meta.write_hint(on.io, 8192).code, 0);
    check_eq(on.disk.flushes, flushes, "a lower hint is not written");
    Superblock next = on.meta.now();
    next.epoch += 1;
    check_eq(on.meta.write_both(on.io, next).code, 0);
    check_eq(on.sequence(0), on.sequence(1));
}

/// A power cut in any operation of a change leaves the old or the new, and after a change to both
/// copies any one of them may rot.
Test(log_meta, a_power_cut_leaves_the_old_or_the_new)
{
    for (unsigned seed = 0; seed < 200; ++seed) {
        MetaOnDisk on;
        fault::Random random(seed);
        on.disk.cut_after(seed % 5);
        Superblock next = on.meta.now();
        next.epoch = 2;
        next.truncate_before = 4096;
        bool const done = on.meta.write_both(on.io, next).ok();
        on.disk.power_cut(random);
        MetaCopies copies;
        Meta again;
        check_eq(again.open(on.io, copies).code, 0, "seed %u", seed);
        check_eq(again.now().epoch == 2, again.now().truncate_before == 4096);
        cr_assert(!done || again.now().epoch == 2, "seed %u", seed);
        if (!done)
            continue;
        on.disk.rot("META", (seed % 2) * kMetaSecondCopy + 72, 0xff);
        check_eq(again.open(on.io, copies).code, 0);
        check_eq(again.now().epoch, 2, "one rotten copy brings nothing back");
        cr_assert(again.copy_is_bad());
    }
}

Test(log_meta, a_new_one_is_whole_or_absent)
{
    for (unsigned seed = 0; seed < 200; ++seed) {
        Disk disk(seed);
        fault::Random random(seed);
        Meta meta;
        disk.cut_after(seed % 13);
        bool const done = meta.create(disk.io(), some_superblock(), 0600).ok();
        disk.power_cut(random);
        MetaCopies copies;
        Status const status = meta.open(disk.io(), copies);
        cr_assert(status.ok() || (!done && status.code == -ENOENT), "seed %u: %d", seed,
                  status.code);
    }
}
