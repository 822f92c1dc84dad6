// SPDX-License-Identifier: MIT OR Apache-2.0
// Salvage inside a batch: each whole record comes, and of an atomic batch all or nothing.
#include "tests/unit/log_support.hpp"

#include <map>
#include <set>

using namespace unit;

namespace {
constexpr size_t kMostOfGroup = 5;
using Records = std::map<Lsn, std::string>; ///< by LSN

struct Shown {
    Records records;
    std::set<Lsn> behind_gap;
};

Shown read(World &world, unsigned flags)
{
    OwnReader reader(world, 0, flags);
    Shown shown;
    Lsn last = 0;
    for (RecordView view;;) {
        int const code = reader->next(view).code;
        check_ge(code, 0);
        if (code == kNoRecord)
            break;
        cr_assert(view.lsn > last, "in order");
        last = view.lsn;
        if (code == kRecordAfterGap)
            shown.behind_gap.insert(view.lsn);
        shown.records[view.lsn] = std::string(static_cast<char const *>(view.data), view.length);
    }
    return shown;
}

/// What was appended, and how many records each call made.
struct Appended {
    World world;
    Records all;
    std::vector<size_t> calls;

    Appended(fault::Random &random, bool with_groups, bool with_large)
    {
        Life life(world);
        for (int i = 0; i < 40; ++i) {
            bool const group = with_groups && random.below(3) == 0;
            std::vector<uint64_t> lengths;
            for (uint64_t n = group ? 2 + random.below(kMostOfGroup - 1) : 1; n > 0; --n)
                lengths.push_back(random.below(with_large && random.below(8) == 0 ? 20000 : 300));
            life.must(group ? life.log->append_group(lengths) : life.log->append(lengths[0], 1));
            calls.push_back(lengths.size());
            if (random.below(8) == 0)
                life.must(life.log->drain());
        }
        life.must(life.log->drain());
        life.must(life.log->hint());
        world.disk.settle();
        all = read(world, 0).records;
    }
    /// Somewhere in a record, its header too. Returns how many records its call made.
    size_t damage(fault::Random &random)
    {
        size_t const hit = random.below(all.size());
        auto const at = std::next(all.begin(), static_cast<long>(hit));
        rot(world, at->first + random.below(16 + at->second.size()));
        size_t before = 0;
        for (size_t const count : calls)
            if ((before += count) > hit)
                return count;
        return 0;
    }
    /// Nothing invented, each call's records all or not, and what follows a loss says so.
    void check(Shown const &what, uint64_t seed) const
    {
        Records const &shown = what.records;
        for (auto const &[lsn, bytes] : shown) {
            auto const was = all.find(lsn);
            cr_assert(was != all.end() && was->second == bytes, "seed %llu",
                      static_cast<unsigned long long>(seed));
        }
        bool lost = false;
        for (auto const &[lsn, bytes] : all) {
            bool const there = shown.count(lsn) != 0;
            cr_assert(!there || !lost || what.behind_gap.count(lsn) != 0, "seed %llu: LSN %llu",
                      static_cast<unsigned long long>(seed), static_cast<unsigned long long>(lsn));
            lost = !there;
        }
        auto record = all.begin();
        for (size_t const count : calls) {
            size_t there = 0;
            for (size_t i = 0; i < count; ++i, ++record)
                there += shown.count(record->first);
            cr_assert(there == 0 || there == count, "seed %llu: %zu of %zu",
                      static_cast<unsigned long long>(seed), there, count);
        }
    }
};

uint32_t seed_of(World &world)
{
    Superblock now{};
    auto const meta = world.disk.content(kMetaName);
    memcpy(&now, &meta[0], sizeof now);
    return epoch_seed(now.uuid, now.epoch);
}
} // namespace

Test(log_salvage, all_but_the_damaged_call_comes)
{
    unsigned more = 0;
    for (uint64_t seed = 0; seed < 400; ++seed) {
        bool const with_groups = seed % 2 == 0;
        fault::Random random(seed);
        Appended log(random, with_groups, false);
        size_t const lost = log.damage(random);
        Shown const shown = read(log.world, kReadSalvage);
        log.check(shown, seed);
        size_t const missing = log.all.size() - shown.records.size();
        // One that goes on in the next batch is not joined with what comes there.
        check_ge(missing, lost, "seed %llu", static_cast<unsigned long long>(seed));
        check_lt(missing, lost + 1 + (with_groups ? kMostOfGroup : 0), "seed %llu",
                 static_cast<unsigned long long>(seed));
        more += missing > lost ? 1 : 0;
    }
    check_lt(more, 40);
}

Test(log_salvage, of_an_atomic_batch_all_or_nothing)
{
    size_t missing = 0, records = 0;
    for (uint64_t seed = 0; seed < 1000; ++seed) {
        fault::Random random(seed);
        Appended log(random, true, seed % 4 == 0);
        for (uint64_t n = 1 + random.below(3); n > 0; --n)
            log.damage(random);
        Shown const shown = read(log.world, kReadSalvage);
        log.check(shown, seed);
        missing += log.all.size() - shown.records.size();
        records += log.all.size();
    }
    check_lt(missing * 5, records, "damage takes what is near it, not more");
}

// What a reader of damage has in doubt does not get lost when there is no memory for it.
Test(log_salvage, without_memory_it_is_shown_later)
{
    fault::Random random(7);
    Appended log(random, true, true);
    log.damage(random);
    Records const expected = read(log.world, kReadSalvage).records;
    unsigned failed = 0;
    for (int successes = 0; successes < 12; ++successes) {
        OwnReader reader(log.world, 0, kReadSalvage);
        fail_allocation_after(successes);
        size_t count = 0;
        for (RecordView view;;) {
            int const code = reader->next(view).code;
            if (code == kNoRecord)
                break;
            if (code == -ENOMEM) {
                fail_allocation_after(-1);
                ++failed;
                continue;
            }
            check_ge(code, 0);
            ++count;
        }
        fail_allocation_after(-1);
        check_eq(count, expected.size());
    }
    check_ge(failed, 1);
}

// Who may write into a log may write what looks like a record.
Test(log_salvage, a_record_in_a_payload_is_none)
{
    fault::Random random(3);
    Appended log(random, false, false);
    uint32_t const seed = seed_of(log.world);
    unsigned tried = 0;
    for (auto const &[lsn, bytes] : log.all) {
        if (bytes.size() < 64)
            continue;
        Lsn const inner = lsn + 2 * kRecordHeader;
        std::string const name = segment_of(log.world, lsn);
        auto content = log.world.disk.content(name);
        uint8_t *const at = &content[inner % log.world.options.segment_size];
        RecordHeader forged{};
        forged.length =
            static_cast<uint32_t>(lsn + record_bytes(bytes.size()) - inner - kRecordHeader);
        forged.type = kData;
        forged.flags = kWhole;
        forged.lsn_low = static_cast<uint32_t>(inner);
        uint64_t word1;
        memcpy(&word1, &forged.type, sizeof word1);
        forged.crc = begin_record_crc(seed, inner, forged.length, word1)
                         .add(at + kRecordHeader, forged.length)
                         .value();
        memcpy(at, &forged, sizeof forged);
        log.world.disk.put(name, content);
        Shown const shown = read(log.world, kReadSalvage);
        cr_assert(shown.records.count(inner) == 0);
        ++tried;
    }
    check_ge(tried, 10);
}

namespace {
constexpr uint32_t kHostile = 4 << 20;

/// A batch in which each place, or but each `every`-th, looks like a record as long as nearly all the
/// rest. Those left out are records without bytes.
std::vector<uint8_t> hostile_batch(uint32_t every)
{
    std::vector<uint8_t> batch(kHostile);
    BatchHeader header{};
    header.start = kHostile;
    header.length = kHostile;
    memcpy(batch.data(), &header, sizeof header);
    for (uint32_t at = kBatchHeader, i = 0; at < kHostile; at += kRecordAlignment, ++i) {
        uint32_t const rest = (kHostile - at - kRecordHeader) & ~15u;
        bool const whole =
            every != 0 && i % every == every - 1 && rest >= 64; // none where others end
        Lsn const lsn = header.start + at;
        RecordHeader record{};
        record.length = whole || rest < 64 ? 0 : rest - 32;
        record.type = kData;
        record.flags = kWhole;
        record.lsn_low = static_cast<uint32_t>(lsn);
        uint64_t word1;
        memcpy(&word1, &record.type, sizeof word1);
        record.crc = begin_record_crc(7, lsn, 0, word1).value() ^ (whole ? 0 : 1);
        memcpy(&batch[at], &record, sizeof record);
    }
    batch[kBatchHeader + offsetof(RecordHeader, lsn_low)] ^= 1; // so nobody knows how long it is
    return batch;
}

void expect_an_end(std::vector<uint8_t> const &batch)
{
    RecordWalk walk(batch.data(), 7);
    RecordRef record;
    Nanoseconds const began = monotonic_now();
    do {
        while (walk.next(record)) {
        }
    } while (walk.skip_wrong());
    check_lt(monotonic_now() - began, 2 * kSecond);
}
} // namespace

Test(log_salvage, what_looks_like_records_everywhere_takes_no_time)
{
    expect_an_end(hostile_batch(0));
    expect_an_end(hostile_batch(2)); // whole ones between them: the search begins anew behind each
}
