// SPDX-License-Identifier: MIT OR Apache-2.0
// Threads that take slots, write into them, pass them to each other and give them back: private, in
// one handle, in two. Plain main, for ThreadSanitizer.
#include "core/pool/pool.hpp"
#include "tests/stress/stress.hpp"

using namespace stress;

namespace {
constexpr unsigned kThreads = 4;
constexpr unsigned kMailbox = 4;
uint64_t seed = 0;

struct Shared {
    std::atomic<uint64_t> mailbox[kMailbox] = {};
    std::atomic<uint64_t> done{0};
};

void give(Pool &pool, SlotId slot)
{
    expect(pool.release(slot).ok(), "release");
    expect(pool.release(slot).code == -kStale, "a second release");
}

void work(Pool &pool, unsigned self, bool one_mapping, Deadline const &deadline, Shared &shared)
{
    Random random(seed + self + 1);
    std::vector<Taken> held;
    for (uint64_t i = 0; !deadline.passed(); ++i) {
        if (held.size() < 40 && random.below(2) == 0) {
            Taken got;
            Status const done = pool.acquire(random.below(50) == 0 ? kMillisecond : 0, got);
            expect(done.ok() || done.code == -EAGAIN || done.code == -ETIMEDOUT, "acquire");
            if (!done.ok())
                continue;
            Bytes(got.data, one_mapping).write(self * 1000000 + i);
            held.push_back(got);
            continue;
        }
        uint64_t const passed =
            shared.mailbox[random.below(kMailbox)].exchange(0, std::memory_order_acq_rel);
        if (passed != 0)
            give(pool, SlotId{passed});
        if (held.empty())
            continue;
        Taken const out = held.back();
        held.pop_back();
        expect(Bytes(out.data, one_mapping).read() / 1000000 == self, "contents");
        if (random.below(4) != 0) {
            give(pool, out.slot);
            continue;
        }
        uint64_t const before = shared.mailbox[random.below(kMailbox)].exchange(
            out.slot.value, std::memory_order_acq_rel);
        if (before != 0)
            give(pool, SlotId{before});
        shared.done.fetch_add(1);
    }
    for (Taken const &left : held)
        give(pool, left.slot);
}

void run(Pool &one, Pool &two, Nanoseconds time)
{
    Shared shared;
    run_threads(kThreads, time, [&](unsigned self, Deadline const &deadline) {
        work(self % 2 == 0 ? one : two, self, &one == &two, deadline, shared);
    });
    for (std::atomic<uint64_t> &left : shared.mailbox)
        if (left != 0)
            give(one, SlotId{left});
    PoolStats stats;
    expect(one.stats(stats).ok() && stats.live == 0, "a slot left over");
    expect(stats.free + stats.cached == stats.capacity, "a slot lost");
    expect(shared.done.load() > 0, "nothing was passed");
}

void run_shared(Matrix &one, Matrix &two, PoolOptions const &options, Nanoseconds time)
{
    auto const here = Pool::create_in(one, "pool", options);
    auto const there = Pool::attach(two, "pool", options);
    expect(here.ok() && there.ok(), "open");
    if (!here.ok() || !there.ok())
        return;
    run(**here, **there, time);
    expect((*here)->retire().ok(), "retire");
    (*here)->unref();
    (*there)->unref();
    expect_all_free(one);
}
} // namespace

int main(int argc, char **argv)
{
    Nanoseconds const time = part_time(argc, argv);
    seed = first_seed(argc, argv);
    PoolOptions options;
    options.slot_size = 64;
    options.capacity = 100; // fewer than all together want
    PoolOptions growing = options;
    growing.growable = true;
    growing.capacity = 64;
    for (PoolOptions const &kind : {options, growing}) {
        auto const pool = Pool::create(kind);
        expect(pool.ok(), "create");
        if (!pool.ok())
            break;
        run(**pool, **pool, time / 2);
        (*pool)->unref();
    }
    Matrix &one = must(Matrix::create(nullptr, options_for(8 << 20)));
    Matrix &two = must(Matrix::attach_fd(one.fd(), options_for(8 << 20)));
    run_shared(one, one, growing, time / 2);
    run_shared(one, two, options, time / 2);
    two.unref();
    one.unref();
    return verdict("pool_threads");
}
