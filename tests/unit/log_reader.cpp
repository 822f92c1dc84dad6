// SPDX-License-Identifier: MIT OR Apache-2.0
// Readers: limits, following a writer, chains, seeking, gaps, truncation and new epochs.
#include "core/base/alloc.hpp"
#include "tests/unit/log_support.hpp"

using namespace unit;

namespace {

/// A LIVE page as the log would keep it.
struct Live {
    std::unique_ptr<LivePage> page{new LivePage};
    explicit Live(Life &life)
    {
        memset(static_cast<void *>(page.get()), 0, sizeof *page);
        memcpy(page->magic, kLiveMagic, sizeof page->magic);
        page->version = kLogVersion;
        memcpy(page->uuid, life.recovered.start.uuid, 16);
        page->epoch.store(life.recovered.start.epoch, release);
        update(life, life.durable());
    }
    void update(Life &life, Lsn written)
    {
        page->written.store(written, release);
        page->durable.store(life.durable(), release);
    }
};

void write_all(Life &life)
{
    life.must(life.log->cut());
    while (life.log->in_flight() != 0)
        life.must(life.log->pump());
}

} // namespace

Test(log_reader, there_is_no_log)
{
    World world;
    Reader *reader = nullptr;
    check_eq(Reader::open(world.io(), nullptr, 0, 0, reader).code, -ENOENT);
    check_eq(Reader::open(world.io(), nullptr, 0, 8, reader).code, -EINVAL);
    Life life(world);
    OwnReader empty(world);
    check_eq(empty.all().code, 0);
    life.batch(2);
    Reading const read = empty.all();
    check_eq(read.code, 0, "follows without LIVE");
}

Test(log_reader, follows_live_up_to_durable_and_not_beyond)
{
    World world;
    Life life(world);
    Live live(life);
    OwnReader durable(world, 0, 0, live.page.get());
    OwnReader written(world, 0, kReadWritten, live.page.get());
    cr_assert_not(durable->live_has_more());
    size_t total = 0;
    for (int i = 0; i < 20; ++i) {
        life.must(life.log->append(700, 1));
        write_all(life);
        live.page->written.store(life.log->tail(), release);
        cr_assert(written->live_has_more());
        check_eq(written.all().lsns.size(), 1);
        check_eq(durable.all().lsns.size(), 0, "written is not durable");
        live.page->durable.store(life.log->tail(), release);
        cr_assert(durable->live_has_more());
        check_eq(durable.all().lsns.size(), 1);
        cr_assert_not(durable->live_has_more());
        ++total;
    }
    check_eq(total, 20);
}

Test(log_reader, a_limit_inside_a_batch_is_kept)
{
    World world;
    Life life(world);
    Live live(life);
    Lsn const first = life.log->tail();
    life.must(life.log->append(100, 1));
    Lsn const second = life.log->tail();
    life.must(life.log->append_group({10, 10}));
    life.must(life.log->drain());
    live.page->durable.store(second, release); // never into a chain: its start
    OwnReader reader(world, 0, 0, live.page.get());
    Reading read = reader.all();
    check_eq(read.lsns.size(), 1);
    check_ge(read.lsns[0], first);
    live.page->durable.store(life.log->tail(), release);
    check_eq(reader.all().lsns.size(), 2);
}

Test(log_reader, without_live_the_disk_proves)
{
    World world;
    Life life(world);
    for (int i = 0; i < 3; ++i)
        life.batch(2);
    OwnReader reader(world);
    check_eq(reader.all().lsns.size(), 4, "the last batch is above all evidence");
    life.batch(2);
    check_eq(reader.all().lsns.size(), 2, "and proved by the next");
    life.must(life.log->hint());
    check_eq(reader.all().lsns.size(), 2, "or by META");
    OwnReader written(world, 0, kReadWritten);
    check_eq(written.all().lsns.size(), 8);
}

Test(log_reader, damage_behind_the_hint_is_corrupt_if_later_batches_prove_it_durable)
{
    World world;
    Life life(world);
    life.batch(2);
    Lsn const at = life.log->tail();
    life.batch(2);
    life.batch(2);
    world.disk.rot(segment_of(world, at), at % world.options.segment_size + 90, 1);
    OwnReader reader(world);
    Reading const read = reader.all();
    check_eq(read.lsns.size(), 2);
    check_eq(read.code, -kCorrupt);
    check_eq(reader->finding(), LogFinding::damaged_record);
    check_eq(reader->finding_lsn(), at + 80);
    check_eq(reader.all().code, -kCorrupt, "and is told again");
}

Test(log_reader, a_stale_or_failing_read_is_no_damage)
{
    World world;
    Life life(world);
    for (int i = 0; i < 6; ++i)
        life.batch(3, 900);
    life.must(life.log->hint());
    for (uint64_t after = 0; after < 12; ++after) {
        OwnReader reader(world);
        world.disk.inject("read", "seg-", Bad::stale_read, after);
        Reading const read = reader.all();
        check_eq(read.code, 0, "after %u reads", static_cast<unsigned>(after));
        check_eq(read.lsns.size(), 18);
        if (!world.disk.injected())
            break;
        OwnReader other(world);
        world.disk.inject("read", "seg-", Bad::eio, after);
        Reading const failed = other.all();
        cr_assert(failed.code == -EIO || failed.code == 0);
        check_eq(failed.lsns.size() + other.all().lsns.size(), 18, "goes on where it was");
    }
}

Test(log_reader, large_records_and_atomic_batches_come_whole)
{
    World world;
    Life life(world);
    life.must(life.log->append(30000, 7));
    life.must(life.log->append_group({100, 9000, 0, 12000}));
    life.batch(1);
    life.must(life.log->hint());
    OwnReader reader(world);
    Reading const read = reader.all();
    check_eq(read.lengths.size(), 6);
    check_eq(read.lengths[0], 30000);
    check_eq(read.lengths[2], 9000);
    check_eq(read.lengths[3], 0);
    world.expect_whole();
}

Test(log_reader, a_group_is_not_shown_before_its_end_is)
{
    World world;
    Life life(world);
    Live live(life);
    OwnReader written(world, 0, kReadWritten, live.page.get());
    life.must(life.log->append(100, 1));
    write_all(life);
    life.must(life.log->append_group({20, 20000, 20}));
    // All its batches but the last.
    while (life.log->in_flight() != 0)
        life.must(life.log->pump());
    Lsn const cut = round_down(life.log->tail(), 4096) - 4096;
    live.page->written.store(cut, release);
    check_eq(written.all().lsns.size(), 1);
    write_all(life);
    live.page->written.store(life.log->tail(), release);
    check_eq(written.all().lsns.size(), 3);
}

Test(log_reader, seeking_shows_the_first_record_at_or_after)
{
    World world;
    {
        Life life(world);
        fault::Random random(3);
        for (int i = 0; i < 300; ++i)
            life.must(life.log->random_step(random));
        life.must(life.log->drain());
        life.must(life.log->hint());
    }
    OwnReader reader(world);
    Reading const all = reader.all();
    check_ge(all.lsns.size(), 20);
    check_eq(all.code, 0);
    for (size_t i = 0; i < all.lsns.size(); ++i) {
        for (Lsn from : {all.lsns[i], i == 0 ? all.lsns[0] : all.lsns[i - 1] + 1}) {
            check_eq(reader->seek(from).code, 0);
            cr_assert(reader->position() >= from);
            RecordView view;
            check_eq(reader->next(view).code, 1);
            check_eq(view.lsn, all.lsns[i], "from %llu", static_cast<unsigned long long>(from));
            check_eq(view.length, all.lengths[i]);
        }
    }
    check_eq(reader->seek(all.lsns.back() + 1).code, 0);
    check_eq(reader.all().code, 0);
    check_eq(reader->seek(1 << 30).code, 0);
    check_eq(reader.all().lsns.size(), 0);
    check_eq(reader->seek(UINT64_MAX).code, -EINVAL);
    check_eq(reader->seek(0).code, 0);
    check_eq(reader.all().lsns.size(), all.lsns.size());
}

Test(log_reader, an_unfinished_chain_is_void_in_the_next_epoch)
{
    World world;
    {
        Life life(world);
        life.must(life.log->append(100, 1));
        life.must(life.log->append_group({100, 9000, 20000}));
        // The last batch of the group never reaches the disk.
        while (life.log->in_flight() != 0)
            life.must(life.log->pump());
        world.disk.settle();
    }
    LogReport const report = world.report();
    check_eq(report.verdict, LogVerdict::torn);
    check_eq(report.finding, LogFinding::open_chain);
    {
        Life life(world);
        life.must(life.log->append(55, 1));
        life.must(life.log->drain());
        life.must(life.log->hint());
    }
    OwnReader reader(world);
    Reading const read = reader.all();
    check_eq(read.code, 0);
    check_eq(read.lengths.size(), 2);
    check_eq(read.lengths[1], 55);
    check_eq(world.report().void_chains, 1);
}

Test(log_reader, a_new_epoch_below_what_was_read_makes_it_stale)
{
    World world;
    auto reader = std::unique_ptr<OwnReader>();
    Lsn hole = 0;
    {
        Life life(world);
        Live live(life);
        reader = std::make_unique<OwnReader>(world, 0, kReadWritten);
        life.batch(2);
        hole = life.log->tail();
        world.disk.settle();
        life.must(life.log->append(100, 1));
        write_all(life);
        check_eq(reader->all().lsns.size(), 3);
    }
    // What was written and not proved durable is gone after a power cut.
    world.disk.rot(segment_of(world, hole), hole % world.options.segment_size + 8, 1);
    world.disk.begin_epoch();
    {
        Life life(world);
        check_eq(life.recovered.start.at, hole);
        life.batch(4);
        check_eq(reader->all().code, -kStale);
        check_eq(reader->all().code, -kStale, "until it seeks");
        check_eq((*reader)->seek(hole).code, 0);
        check_eq(reader->all().lsns.size(), 4);
    }
}

Test(log_reader, a_reader_lives_through_epochs)
{
    World world;
    auto reader = std::unique_ptr<OwnReader>();
    for (int i = 0; i < 4; ++i) {
        Life life(world);
        Live live(life);
        if (!reader)
            reader = std::make_unique<OwnReader>(world);
        life.batch(3);
        life.must(life.log->hint());
        Reading const read = reader->all();
        check_eq(read.code, 0);
        check_eq(read.lsns.size(), 3);
    }
}

Test(log_reader, truncation_laps_a_reader)
{
    World world;
    world.options.segment_size = 16 << 10;
    Life life(world);
    OwnReader slow(world);
    RecordView view;
    for (int i = 0; i < 16; ++i)
        life.batch(2, 900);
    life.must(life.log->hint());
    check_eq(slow->next(view).code, 1);
    Lsn const first = view.lsn;
    life.must(life.log->truncate(life.durable() - 4096));
    Reading const read = slow.all();
    check_eq(read.code, -kLapped);
    Reader *late = nullptr;
    check_eq(Reader::open(world.io(), nullptr, first, 0, late).code, -kLapped);
    check_eq(slow->seek(0).code, 0);
    Reading const rest = slow.all();
    check_eq(rest.code, 0);
    check_ge(rest.lsns.size(), 2);
    check_ge(rest.lsns[0], life.durable() - 4096);
}

/// The reader's file becomes another segment while it reads.
Test(log_reader, a_recycled_file_laps_and_shows_nothing_old_as_new)
{
    World world;
    world.options.segment_size = 16 << 10;
    Life life(world);
    OwnReader slow(world);
    RecordView view;
    for (int i = 0; i < 6; ++i)
        life.batch(2, 900);
    life.must(life.log->hint());
    check_eq(slow->next(view).code, 1);
    for (int i = 0; i < 40; ++i) {
        life.batch(2, 900);
        life.must(life.log->truncate(life.durable()));
    }
    Lsn last = view.lsn;
    int code;
    while ((code = slow->next(view).code) == 1) {
        cr_assert(view.lsn > last);
        last = view.lsn;
    }
    check_eq(code, -kLapped);
}

Test(log_reader, salvage_names_the_gap_and_goes_on)
{
    World world;
    world.options.segment_size = 16 << 10;
    std::vector<Lsn> batches;
    {
        Life life(world);
        for (int i = 0; i < 12; ++i) {
            batches.push_back(life.log->tail());
            life.batch(2, 500);
        }
        life.must(life.log->hint());
        world.disk.settle();
    }
    world.disk.rot(segment_of(world, batches[3]), batches[3] % world.options.segment_size + 600, 1);
    world.disk.remove(segment_of(world, batches[6]));
    OwnReader strict(world);
    check_eq(strict.all().code, -kCorrupt);
    OwnReader reader(world, 0, kReadSalvage);
    Reading const read = reader.all();
    check_eq(read.code, 0);
    check_eq(read.gaps, 2);
    check_eq(reader->gaps(), 2);
    check_eq(read.lsns.size(), 24 - 1 - 6, "one record of a batch, and a segment");
    // The damaged header of a file is no reason to lose what is in it.
    world.disk.rot(segment_of(world, batches[0]), 50, 1);
    OwnReader other(world, 0, kReadSalvage);
    check_eq(other.all().lsns.size(), read.lsns.size());
}

Test(log_reader, failing_allocations_are_told)
{
    World world;
    {
        Life life(world);
        life.must(life.log->append(20000, 1));
        life.batch(3);
        life.must(life.log->hint());
    }
    unsigned failed = 0;
    for (int successes = 0; successes < 20; ++successes) {
        Reader *reader = nullptr;
        fail_allocation_after(successes);
        Status const opened = Reader::open(world.io(), nullptr, 0, 0, reader);
        RecordView view;
        int code = opened.code;
        unsigned records = 0;
        while (code >= 0 && (code = reader->next(view).code) == 1)
            ++records;
        fail_allocation_after(-1);
        cr_assert(code == 0 || code == -ENOMEM, "%d", code);
        failed += code == -ENOMEM ? 1 : 0;
        while (reader != nullptr && reader->next(view).code == 1)
            ++records;
        if (reader != nullptr)
            check_eq(records, 4, "goes on where it was");
        Reader::close(reader);
        check_eq(world.disk.open_files(), 0);
    }
    check_ge(failed, 3);
}

/// LIVE is another process's memory.
Test(log_reader, a_live_page_of_rubbish_is_not_believed)
{
    World world;
    Life life(world);
    life.batch(2);
    life.must(life.log->hint());
    Live live(life);
    unit::Random random(9);
    for (int i = 0; i < 200; ++i) {
        auto page = std::make_unique<Live>(life);
        auto *bytes = reinterpret_cast<uint8_t *>(page->page.get());
        for (int k = 0; k < 3; ++k)
            bytes[random.below(80)] = static_cast<uint8_t>(random.next());
        OwnReader reader(world, 0, static_cast<unsigned>(random.below(4)), page->page.get());
        Reading const read = reader.all();
        cr_assert(read.code == 0 || read.code == -kCorrupt || read.code == -kLapped, "%d",
                  read.code);
        cr_assert(read.lsns.size() <= 2);
    }
}
