// SPDX-License-Identifier: MIT OR Apache-2.0
// Threads that allocate, fill, hand over and free blocks, on one handle and on two of one segment.
// Plain main: it runs under ThreadSanitizer, which Criterion does not.
#include "tests/stress/stress.hpp"

using namespace stress;

namespace {
constexpr unsigned kThreads = 4;
constexpr unsigned kSlots = 64;

struct Worker {
    Matrix &matrix;
    Matrix &reader; ///< a handle of the same segment; what it sees must be the same
    std::atomic<uint64_t> *exchange;
    unsigned self;
    Random random;
    bool one_mapping = &matrix == &reader;

    uint64_t random_size()
    {
        return random.below(20) == 0 ? 1 + random.below(20000) : 1 + random.below(1500);
    }

    /// A block whose first and last word are its size.
    Ref make()
    {
        uint64_t size = 64 + random_size() / 8 * 8;
        Nanoseconds const timeout = random.below(4) == 0 ? kMillisecond : 0;
        Allocation made;
        Status const done =
            random.below(8) == 0
                ? matrix.alloc({size, uint64_t{1} << random.below(13), one_mapping, 60, timeout},
                               made)
                : matrix.alloc(size, made);
        expect(done.ok() || done.code == (timeout == 0 ? -ENOMEM : -ETIMEDOUT) ||
                   done.code == -ENOMEM || done.code == -EBUSY,
               "alloc");
        if (!done.ok())
            return {};
        fill(made.data, size);
        if (random.below(3) == 0)
            change_size(made, size);
        return made.ref;
    }
    void fill(void *data, uint64_t size)
    {
        Bytes(data, one_mapping).write(size);
        Bytes(static_cast<std::byte *>(data) + size - 8, one_mapping).write(size);
    }
    /// The tail that a block gives back is another thread's at once, and what it gets was another's.
    void change_size(Allocation &block, uint64_t size)
    {
        uint64_t const next = 64 + random_size() / 8 * 8;
        Status done = kOk;
        if (one_mapping && random.below(3) == 0) // it copies by plain access
            done = matrix.realloc(block.ref, {next, 1, false, 0}, block);
        else
            done = matrix.resize(block.ref, next);
        expect(done.ok() || done.code == -ENOSPC || done.code == -ENOMEM || done.code == -EBUSY,
               "resize");
        if (done.ok())
            expect(Bytes(block.data, one_mapping).read() == size, "what was kept");
        fill(block.data, done.ok() ? next : size);
    }

    /// Reads bytes that another thread wrote: only the handing over orders the two.
    void look(Ref ref)
    {
        auto const extent = reader.data(ref);
        expect(extent.ok(), "data");
        if (!extent.ok())
            return;
        uint64_t const size = Bytes(extent->data, one_mapping).read();
        expect(size >= 64 && size <= extent->size, "the first word");
        if (size >= 64 && size <= extent->size)
            expect(Bytes(static_cast<std::byte *>(extent->data) + size - 8, one_mapping).read() ==
                       size,
                   "the last word");
    }

    void step()
    {
        std::atomic<uint64_t> &slot = exchange[random.below(kSlots)];
        Ref const mine = random.below(3) == 0 ? Ref{} : make();
        if (mine.value != 0) {
            expect(matrix.set_state(mine, static_cast<uint8_t>(50 + self)).ok(), "set_state");
            expect(matrix.transition(mine, static_cast<uint8_t>(50 + self), 49).ok(), "transition");
            expect(matrix.give(mine, 0).ok(), "give to nobody");
        }
        Ref const got{slot.exchange(mine.value, std::memory_order_acq_rel)};
        if (got.value == 0)
            return;
        look(got);
        if (random.below(2) == 0)
            expect(matrix.take(got).ok(), "take");
        expect((random.below(4) == 0 ? reader : matrix).free(got).ok(), "free");
        int const second = matrix.free(got).code;
        // it may be somebody's block again only after more lives than a test has time for
        expect(second == -kStale, "a second free");
    }
};

std::atomic<uint64_t> trimmed_bytes{0};
uint64_t seed = 0;

void run(Matrix &even, Matrix &odd, Nanoseconds time)
{
    static std::atomic<uint64_t> exchange[kSlots];
    run_threads(kThreads, time, [&](unsigned self, Deadline const &deadline) {
        Worker worker{self % 2 == 0 ? even : odd, self % 2 == 0 ? odd : even, exchange, self,
                      Random(seed + self + 1)};
        while (!deadline.passed()) {
            for (int i = 0; i < 50; ++i)
                worker.step();
            if (uint64_t bytes = 0; worker.random.below(20) == 0) {
                Status const trimmed = worker.matrix.trim(0, bytes);
                expect(trimmed.ok() || trimmed.code == -EBUSY, "trim");
                trimmed_bytes.fetch_add(bytes, std::memory_order_relaxed);
            }
        }
        if (self != 0)
            return;
        CheckReport report; // also while others work
        expect(even.check(false, report).code == 0, "an invariant under load");
        MatrixStats stats;
        expect(odd.stats(stats).ok(), "stats under load");
    });
    for (std::atomic<uint64_t> &slot : exchange)
        if (uint64_t const ref = slot.exchange(0); ref != 0)
            expect(even.free({ref}).ok(), "the last free");
}
} // namespace

int main(int argc, char **argv)
{
    Nanoseconds const time = part_time(argc, argv);
    seed = first_seed(argc, argv);
    for (uint64_t capacity : {256 << 10, 8 << 20}) // mostly full, and never full
        for (bool lanes : {false, true}) {
            Matrix &watcher = must(Matrix::create(nullptr, options_for(capacity)));
            MatrixOptions options = options_for(capacity);
            options.lanes = lanes;
            Matrix &one = must(Matrix::attach_fd(watcher.fd(), options));
            run(one, one, time / 4);
            Matrix &two = must(Matrix::attach_fd(watcher.fd(), options));
            run(one, two, time / 4);
            two.unref();
            one.unref();
            expect_all_free(watcher);
            watcher.unref();
        }
    expect(trimmed_bytes.load() != 0, "memory was given back");
    return verdict("matrix_threads");
}
