// SPDX-License-Identifier: MIT OR Apache-2.0
// Salvage inside a batch: each whole record comes, and of an atomic batch all or nothing.
#include "tests/unit/log_support.hpp"

#include <map>

using namespace unit;

namespace {
constexpr size_t kMostOfGroup = 5;
using Records = std::map<Lsn, std::string>; ///< by LSN

Records read(World &world, unsigned flags, unsigned &ret_gaps)
{
    OwnReader reader(world, 0, flags);
    Records records;
    ret_gaps = 0;
    Lsn last = 0;
    for (RecordView view;;) {
        int const code = reader->next(view).code;
        check_ge(code, 0);
        if (code == kNoRecord)
            break;
        cr_assert(view.lsn > last, "in order");
        last = view.lsn;
        ret_gaps += code == kRecordAfterGap ? 1 : 0;
        records[view.lsn] = std::string(static_cast<char const *>(view.data), view.length);
    }
    return records;
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
        unsigned gaps;
        all = read(world, 0, gaps);
        check_eq(gaps, 0);
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
    /// Nothing invented, and each call's records all or not.
    void check(Records const &shown, uint64_t seed) const
    {
        for (auto const &[lsn, bytes] : shown) {
            auto const was = all.find(lsn);
            cr_assert(was != all.end() && was->second == bytes, "seed %llu",
                      static_cast<unsigned long long>(seed));
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
} // namespace

Test(log_salvage, all_but_the_damaged_call_comes)
{
    unsigned more = 0;
    for (uint64_t seed = 0; seed < 400; ++seed) {
        bool const with_groups = seed % 2 == 0;
        fault::Random random(seed);
        Appended log(random, with_groups, false);
        size_t const lost = log.damage(random);
        unsigned gaps;
        Records const shown = read(log.world, kReadSalvage, gaps);
        log.check(shown, seed);
        size_t const missing = log.all.size() - shown.size();
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
        unsigned gaps;
        Records const shown = read(log.world, kReadSalvage, gaps);
        log.check(shown, seed);
        missing += log.all.size() - shown.size();
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
    unsigned gaps;
    Records const expected = read(log.world, kReadSalvage, gaps);
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
