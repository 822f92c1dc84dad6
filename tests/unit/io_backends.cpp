// SPDX-License-Identifier: MIT OR Apache-2.0
// Both backends: the same bytes, every request once, no wake lost, errors where they belong.
#include "tests/unit/io_support.hpp"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

using namespace unit;
using namespace weir;

namespace {

constexpr uint64_t kFile = 8 << 20;
constexpr uint64_t kBlock = 4096;

struct Batch {
    uint64_t offset;
    uint32_t length;
    bool durable;
    bool now; ///< in the caller
};

/// Batches that do not overlap, in any order.
std::vector<Batch> some_batches(uint64_t seed)
{
    Random random(seed);
    std::vector<Batch> batches;
    for (uint64_t at = 0; at < kFile;) {
        uint64_t const blocks = 1 + random.below(random.percent(20) ? 128 : 8);
        uint64_t const length = std::min(blocks * kBlock, kFile - at);
        if (!random.percent(10)) // some places stay zeros
            batches.push_back(
                {at, static_cast<uint32_t>(length), random.percent(30), random.percent(20)});
        at += length;
    }
    for (size_t i = batches.size(); i > 1; --i)
        std::swap(batches[i - 1], batches[random.below(i)]);
    return batches;
}

/// Up to 8 at a time, results checked, each exactly once.
void write_batches(Engine &engine, File file, char const *source, std::vector<Batch> const &batches)
{
    std::vector<WriteRequest> requests(batches.size());
    std::set<WriteRequest *> out;
    WriteRequest *done[3];
    auto const collect = [&] {
        unsigned const count = engine.reap(done, 3, 20 * kSecond);
        check_ge(count, 1, "a request never ends");
        for (unsigned i = 0; i < count; ++i) {
            check_eq(done[i]->result, 0);
            check_eq(out.erase(done[i]), 1, "it was not there, or it came twice");
        }
    };
    for (size_t i = 0; i < batches.size(); ++i) {
        requests[i].file = file;
        requests[i].durable = batches[i].durable;
        requests[i].length = batches[i].length;
        requests[i].offset = batches[i].offset;
        requests[i].data = source + batches[i].offset;
        if (batches[i].now) {
            check_eq(engine.write_now(requests[i]), 0);
            continue;
        }
        while (out.size() >= 8)
            collect();
        out.insert(&requests[i]);
        check_eq(engine.submit(&requests[i]), 0);
    }
    while (!out.empty())
        collect();
    check_eq(engine.reap(done, 3, 0), 0);
}
} // namespace

Test(io_backends, both_write_the_same_bytes, .timeout = 120)
{
    Folder const folder;
    Files files(folder.path);
    Pages const source(kFile);
    for (uint64_t round = 0; round < 6; ++round) {
        Random random(round + 100);
        for (uint64_t i = 0; i < kFile; i += 8) {
            uint64_t const word = random.next();
            std::memcpy(source.bytes + i, &word, 8);
        }
        std::vector<Batch> const batches = some_batches(round);
        std::vector<char> wanted(kFile);
        for (Batch const &batch : batches)
            std::memcpy(wanted.data() + batch.offset, source.bytes + batch.offset, batch.length);
        for (BackendKind const kind : kBoth) {
            Engine engine(files, kind);
            if (!has(engine))
                continue;
            unsigned const direct = round % 2 == 0 ? +kOpenDirect : 0u;
            std::string const name = std::string(engine.backend.name) + std::to_string(round);
            File const file = files.open(name.c_str(), kOpenWrite | kOpenCreate | direct);
            check_eq(files.ops.write_zeros(files.files, file, 0, kFile).code, 0);
            if (round >= 2)
                engine.opened(file);
            if (round >= 4) // as the ring does: 4 MiB may be pinned, this is more
                engine.memory(source.bytes, round == 4 ? 2 << 20 : kFile);
            write_batches(engine, file, source.bytes, batches);
            check_eq(engine.flush(file), 0);
            engine.closing(file);
            files.close(file);
            File const reader = files.open(name.c_str(), kOpenRead);
            cr_assert(files.read(reader, 0, kFile) == wanted, "%s", engine.backend.name);
            files.close(reader);
        }
    }
}

// ---- waking

/// Each round: a change, then wake(); the I/O thread must see the change before it sleeps for good.
Test(io_backends, no_wake_is_lost, .timeout = 120)
{
    Folder const folder;
    Files files(folder.path);
    for (BackendKind const kind : kBoth) {
        Engine engine(files, kind);
        if (!has(engine))
            continue;
        constexpr int kWakers = 2;
        uint64_t const rounds = environment("WEIR_WAKES", 6000);
        std::atomic<uint64_t> said[kWakers] = {}, seen[kWakers] = {};
        std::atomic<bool> stop{false};
        std::thread sleeper([&] {
            while (!stop.load()) {
                WriteRequest *done[1];
                check_eq(engine.reap(done, 1, -1), 0);
                for (int i = 0; i < kWakers; ++i) // relaxed: wake() is what makes it visible
                    seen[i].store(said[i].load(std::memory_order_relaxed));
            }
        });
        std::vector<std::thread> wakers;
        std::atomic<int> lost{0};
        for (int i = 0; i < kWakers; ++i)
            wakers.emplace_back([&, i] {
                Random random(static_cast<uint64_t>(i));
                for (uint64_t round = 1; round <= rounds && lost.load() == 0; ++round) {
                    said[i].store(round, std::memory_order_relaxed);
                    engine.wake();
                    Nanoseconds const limit = monotonic_now() + 10 * kSecond;
                    while (seen[i].load() < round && monotonic_now() < limit)
                        sched_yield();
                    lost.fetch_add(seen[i].load() < round);
                    for (uint64_t pause = random.below(300); pause != 0; --pause)
                        spin_pause();
                }
            });
        for (std::thread &waker : wakers)
            waker.join();
        check_eq(lost.load(), 0, "%s", engine.backend.name);
        stop.store(true);
        engine.wake();
        sleeper.join();
    }
}

Test(io_backends, a_wake_before_the_sleep_counts_and_only_once, .timeout = 30)
{
    Folder const folder;
    Files files(folder.path);
    for (BackendKind const kind : kBoth) {
        Engine engine(files, kind);
        if (!has(engine))
            continue;
        WriteRequest *done[1];
        engine.wake();
        engine.wake();
        check_eq(engine.reap(done, 1, -1), 0);
        for (int i = 0; i < 3; ++i) {
            Nanoseconds const start = monotonic_now();
            check_eq(engine.reap(done, 1, 30 * kMillisecond), 0);
            check_ge(monotonic_now() - start, 30 * kMillisecond);
        }
        check_eq(engine.reap(done, 1, 0), 0);
        std::thread later([&] {
            sleep_for(30 * kMillisecond);
            engine.wake();
        });
        check_eq(engine.reap(done, 1, -1), 0);
        later.join();
    }
}

/// Writes end while somebody wakes all the time: nothing is lost, nothing comes twice.
Test(io_backends, completions_and_wakes_mix, .timeout = 60)
{
    Folder const folder;
    Files files(folder.path);
    Pages const source(kFile);
    std::memset(source.bytes, 0x33, kFile);
    for (BackendKind const kind : kBoth) {
        Engine engine(files, kind);
        if (!has(engine))
            continue;
        File const file = files.open("a");
        check_eq(files.ops.prealloc(files.files, file, 0, kFile).code, 0);
        std::atomic<bool> stop{false};
        std::thread waker([&] {
            while (!stop.load()) {
                engine.wake();
                sched_yield();
            }
        });
        constexpr unsigned kOut = 8;
        std::vector<WriteRequest> requests(kOut);
        std::vector<WriteRequest *> free_ones;
        for (WriteRequest &request : requests)
            free_ones.push_back(&request);
        Random random(1);
        unsigned ended = 0;
        while (ended < 3000) {
            while (!free_ones.empty()) {
                WriteRequest *const request = free_ones.back();
                free_ones.pop_back();
                *request = WriteRequest{};
                request->file = file;
                request->result = 1;
                request->length = static_cast<uint32_t>(kBlock * (1 + random.below(16)));
                request->offset = kBlock * random.below(kFile / kBlock - 16);
                request->data = source.bytes + request->offset;
                check_eq(engine.submit(request), 0);
            }
            WriteRequest *done[4];
            unsigned const count = engine.reap(done, 4, 20 * kSecond);
            for (unsigned i = 0; i < count; ++i) {
                check_eq(done[i]->result, 0);
                cr_assert(std::find(free_ones.begin(), free_ones.end(), done[i]) ==
                          free_ones.end());
                free_ones.push_back(done[i]);
            }
            ended += count;
        }
        unsigned left = kOut - static_cast<unsigned>(free_ones.size());
        WriteRequest *done[kOut];
        for (int i = 0; i < 10000 && left != 0; ++i)
            left -= engine.reap(done, kOut, kSecond);
        check_eq(left, 0);
        stop.store(true);
        waker.join();
        files.close(file);
    }
}

// ---- errors

Test(io_backends, errors_stay_with_their_request, .timeout = 30)
{
    Folder const folder;
    Files files(folder.path);
    Pages const source(1 << 16);
    std::memset(source.bytes, 1, 1 << 16);
    for (BackendKind const kind : kBoth) {
        Engine engine(files, kind);
        if (!has(engine))
            continue;
        File const file = files.open("a");
        File const read_only = files.open("a", kOpenRead);
        std::vector<WriteRequest> requests(4);
        for (size_t i = 0; i < 4; ++i) {
            requests[i].file = i == 1 ? read_only : i == 2 ? 12345 : file;
            requests[i].length = 8192;
            requests[i].offset = 8192 * i;
            requests[i].data = i == 3 ? nullptr : source.bytes; // EFAULT
            requests[i].durable = true;
        }
        engine.run(requests);
        check_eq(requests[0].result, 0);
        check_eq(requests[1].result, -EBADF);
        check_eq(requests[2].result, -EBADF);
        check_eq(requests[3].result, -EFAULT);
        check_eq(engine.write_now(requests[0]), 0);
        check_eq(engine.write_now(requests[1]), -EBADF);
        check_eq(engine.flush(file), 0);
        check_eq(engine.flush(12345), -EBADF);
        files.close(file);
        files.close(read_only);
    }
}

/// A number that is closed and opened again is another file: the registered one is not written to.
Test(io_backends, a_file_number_that_comes_again_is_another_file, .timeout = 60)
{
    Folder const folder;
    Files files(folder.path);
    Pages const source(kBlock);
    for (BackendKind const kind : kBoth) {
        Engine engine(files, kind);
        if (!has(engine))
            continue;
        for (int round = 0; round < 60; ++round) {
            std::string const name = std::to_string(round);
            File const file = files.open(name.c_str());
            if (round % 3 != 0)
                engine.opened(file);
            std::memset(source.bytes, round, kBlock);
            std::vector<WriteRequest> requests(2);
            for (WriteRequest &request : requests) {
                request.file = file;
                request.length = kBlock;
                request.data = source.bytes;
            }
            requests[1].offset = kBlock;
            engine.run(requests);
            check_eq(requests[0].result, 0);
            check_eq(requests[1].result, 0);
            engine.closing(file);
            files.close(file);
        }
        for (int round = 0; round < 60; ++round) {
            File const file = files.open(std::to_string(round).c_str(), kOpenRead);
            std::vector<char> const bytes = files.read(file, 0, 3 * kBlock);
            check_eq(bytes.size(), 2 * kBlock);
            cr_assert(std::all_of(bytes.begin(), bytes.end(),
                                  [&](char c) { return c == static_cast<char>(round); }));
            files.close(file);
        }
        check_eq(engine.reap(nullptr, 0, 0), 0);
    }
}

/// A file that was closed is not held by the ring: its lock is free soon, also while it sleeps.
Test(io_backends, a_closed_file_is_let_go_by_a_sleeping_ring, .timeout = 30)
{
    Folder const folder;
    Files files(folder.path);
    for (BackendKind const kind : kBoth) {
        Engine engine(files, kind);
        if (!has(engine))
            continue;
        File const file = files.open("a");
        engine.opened(file);
        std::atomic<bool> stop{false};
        std::thread sleeper([&] {
            WriteRequest *done[1];
            while (!stop.load())
                (void)engine.reap(done, 1, -1);
        });
        sleep_for(20 * kMillisecond);
        engine.wake(); // now it is registered
        sleep_for(20 * kMillisecond);
        struct flock whole {};
        whole.l_type = F_WRLCK;
        check_eq(fcntl(file, F_OFD_SETLK, &whole), 0);
        engine.closing(file);
        ::close(file); // not by us, who would unlock
        File const other = files.open("a");
        check_eq(files.ops.lock(files.files, other, 5 * kSecond).code, 0, "%s",
                 engine.backend.name);
        files.close(other);
        stop.store(true);
        engine.wake();
        sleeper.join();
    }
}
