// SPDX-License-Identifier: MIT OR Apache-2.0
// Many threads on one flush ring, each way to append and to wait, slow and wrongly ordered writes,
// then evictions; what was written is read back and compared. Plain main, for ThreadSanitizer.
#include "core/base/clock.hpp"
#include "tests/unit/flush_io.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace {
using namespace flush_test;
using weir::kMillisecond;
using weir::kSecond;

constexpr unsigned kThreads = 4;
std::atomic<unsigned> g_mistakes{0};

void expect(bool holds, char const *what)
{
    if (!holds && g_mistakes.fetch_add(1) < 10)
        std::fprintf(stderr, "wrong: %s\n", what);
}

class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
    uint64_t below(uint64_t limit)
    {
        state_ ^= state_ << 13; // xorshift64 (Marsaglia, 2003)
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_ % limit;
    }

  private:
    uint64_t state_;
};

std::string bytes_of(uint64_t seed, size_t length)
{
    std::string bytes(length, '\0');
    for (size_t i = 0; i < length; ++i)
        bytes[i] = static_cast<char>(seed * 31 + i * 7 + (i >> 8));
    return bytes;
}

/// One thread's records, as it was told.
struct Told {
    std::vector<Record> records;
    uint64_t acknowledged = 0;
};

void append_one(Log &log, unsigned self, uint64_t number, Random &random, Told &told)
{
    uint64_t const kind = random.below(100);
    size_t const length = kind < 90 ? random.below(600) : kind < 99 ? random.below(9000) : 150000;
    std::string const bytes = bytes_of(number * kThreads + self, length);
    weir::Part const part{bytes.data(), bytes.size(), static_cast<uint16_t>(self)};
    Lsn lsn = 0;
    expect(log.ring->append(&part, 1, -1, lsn).ok(), "append");
    told.records.push_back({lsn, part.tag, bytes});
}

void append_batch(Log &log, unsigned self, uint64_t number, Random &random, Told &told)
{
    std::string all[4];
    weir::Part parts[4];
    size_t const count = 1 + random.below(4);
    for (size_t i = 0; i < count; ++i) {
        all[i] = bytes_of(number + i, random.below(6000));
        parts[i] = {all[i].data(), all[i].size(), static_cast<uint16_t>(self)};
    }
    Lsn lsn = 0;
    expect(log.ring->append_batch(parts, count, -1, lsn).ok(), "append_batch");
    for (size_t i = 0; i < count; ++i) // of all but the last the LSN is not told
        told.records.push_back({i + 1 == count ? lsn : 0, parts[i].tag, all[i]});
}

void reserve_one(Log &log, unsigned self, uint64_t number, Random &random, Told &told)
{
    size_t const length = 1 + random.below(500);
    Lsn lsn = 0;
    void *data = nullptr;
    expect(log.ring->reserve(length, static_cast<uint16_t>(self), -1, lsn, data).ok(), "reserve");
    std::string const bytes = bytes_of(number, length / 2);
    std::memcpy(data, bytes.data(), bytes.size());
    if (random.below(8) == 0) {
        expect(log.ring->abort(lsn).ok(), "abort");
        return;
    }
    expect(log.ring->commit(lsn, bytes.size()).ok(), "commit");
    told.records.push_back({lsn, static_cast<uint16_t>(self), bytes});
}

void work(Log &log, unsigned self, uint64_t seed, weir::Deadline const &deadline, Told &told)
{
    Random random(seed + self);
    for (uint64_t number = 0; !deadline.passed() && number < 3000; ++number) {
        uint64_t const kind = random.below(10);
        kind < 7   ? append_one(log, self, number, random, told)
        : kind < 8 ? append_batch(log, self, number, random, told)
                   : reserve_one(log, self, number, random, told);
        if (random.below(6) != 0 || told.records.empty())
            continue;
        Lsn const lsn = told.records.back().lsn;
        expect(log.ring->wait(lsn, random.below(2) == 0 ? -1 : 100 * kSecond).ok(), "wait");
        expect(log.ring->durable() > lsn, "durable after wait");
    }
}

void compare(Log &log, std::vector<Record> told, size_t expected)
{
    Contents const found = log.read();
    expect(found.wrong.empty(), found.wrong.c_str());
    expect(log.disk.mistakes().empty(), log.disk.mistakes().c_str());
    expect(found.records.size() == expected, "as many records as were appended");
    for (Record const &record : told) {
        auto const same = [&](Record const &r) { return r == record; };
        auto at = std::lower_bound(found.records.begin(), found.records.end(), record.lsn,
                                   [](Record const &r, Lsn lsn) { return r.lsn < lsn; });
        expect(record.lsn == 0 || (at != found.records.end() && same(*at)), "a record's bytes");
    }
}

void run(weir::Durability durability, uint32_t commit_depth, uint64_t seed, Nanoseconds time)
{
    Setup setup;
    setup.options.durability = durability;
    setup.options.commit_depth = commit_depth;
    setup.options.write_depth = 3;
    setup.options.idle_flush = kMillisecond;
    setup.options.sync_interval = kMillisecond;
    Log log(setup);
    log.disk.reverse(seed % 2 == 0);
    weir::Deadline const deadline(time);
    Told told[kThreads];
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t)
        threads.emplace_back([&, t] { work(log, t, seed * 1000, deadline, told[t]); });
    for (std::thread &thread : threads)
        thread.join();
    expect(log.ring->sync().ok(), "sync");
    expect(log.ring->durable() == log.ring->tail(), "all durable after sync");
    expect(log.close() == 0, "close");
    std::vector<Record> all;
    for (Told const &one : told)
        all.insert(all.end(), one.records.begin(), one.records.end());
    compare(log, all, all.size());
}

/// Reservations that are left open for longer than the ring is patient.
void run_with_evictions(uint64_t seed, Nanoseconds time)
{
    Setup setup;
    setup.options.stall_timeout = 2 * kMillisecond;
    Log log(setup);
    weir::Deadline const deadline(time);
    std::vector<Record> told[kThreads];
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t)
        threads.emplace_back([&, t] {
            Random random(seed + t);
            for (unsigned i = 0; !deadline.passed() && i < 3000; ++i) {
                std::string const bytes = bytes_of(i, 100 + random.below(400));
                weir::Part const part{bytes.data(), bytes.size(), 0};
                Lsn lsn = 0;
                void *data = nullptr;
                if (random.below(200) != 0) {
                    weir::Status const done = log.ring->append(&part, 1, -1, lsn);
                    expect(done.ok() || done.code == -weir::kStale, "append beside evictions");
                    if (done.ok())
                        told[t].push_back({lsn, 0, bytes});
                    continue;
                }
                if (!log.ring->reserve(bytes.size(), 0, -1, lsn, data).ok())
                    continue;
                weir::sleep_for(static_cast<Nanoseconds>(random.below(8)) * kMillisecond);
                std::memcpy(data, bytes.data(), bytes.size());
                if (log.ring->commit(lsn, bytes.size()).ok())
                    told[t].push_back({lsn, 0, bytes});
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    expect(log.ring->sync().ok(), "sync after evictions");
    std::vector<Record> all;
    for (auto const &one : told)
        all.insert(all.end(), one.begin(), one.end());
    compare(log, all, all.size());
    std::printf("# %llu evictions\n", static_cast<unsigned long long>(log.stats().evictions));
}
} // namespace

int main(int argc, char **argv)
{
    auto const time = static_cast<Nanoseconds>((argc > 1 ? std::atof(argv[1]) : 2.0) * 1e9) / 5;
    uint64_t const seed = argc > 2 ? std::strtoull(argv[2], nullptr, 0) : 1;
    run(weir::Durability::sync, 1, seed, time);
    run(weir::Durability::sync, 3, seed + 1, time);
    run(weir::Durability::periodic, 2, seed + 2, time);
    run(weir::Durability::none, 2, seed + 3, time);
    run_with_evictions(seed + 4, time);
    unsigned const mistakes = g_mistakes.load();
    std::printf("flush_threads: %u mistakes\n", mistakes);
    return mistakes == 0 ? 0 : 1;
}
