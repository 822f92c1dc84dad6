// SPDX-License-Identifier: MIT OR Apache-2.0
// What the stress programs share: options, random numbers, threads until a deadline, the verdict.
#pragma once

#include "core/channel/subscription.hpp"
#include "core/matrix/matrix.hpp"
#include "core/pool/pool.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace stress {
using namespace weir;

class Random {
  public:
    explicit Random(uint64_t seed) noexcept : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
    uint64_t below(uint64_t limit) noexcept
    {
        state_ ^= state_ << 13; // xorshift64 (Marsaglia, 2003)
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_ % limit;
    }

  private:
    uint64_t state_;
};

inline std::atomic<unsigned> g_mistakes{0};

inline void expect(bool holds, char const *what)
{
    if (!holds && g_mistakes.fetch_add(1) < 10)
        std::fprintf(stderr, "wrong: %s\n", what);
}

inline MatrixOptions options_for(uint64_t capacity)
{
    static RootOps const *const ops[kRootKinds] = {nullptr, nullptr, &kChannelRootOps,
                                                   &kPoolRootOps};
    MatrixOptions options;
    options.geometry.capacity = capacity;
    for (uint64_t &limit : options.geometry.limit)
        limit = capacity;
    options.geometry.participants = 8;
    options.geometry.roots = 16;
    options.root_ops = ops;
    options.lanes = false; // the shared path; lanes have tests of their own
    return options;
}

inline Matrix &must(Result<Matrix *> opened)
{
    if (opened.ok())
        return **opened;
    std::fprintf(stderr, "no matrix: %d\n", opened.status().code);
    std::exit(1);
}

/// The first word of a block's bytes. ThreadSanitizer knows memory by its address, so it does not
/// see that an atomic in one mapping is the same one in another. Of handles with one mapping, plain
/// access shows whether the library orders it; with two, only the values can be checked.
class Bytes {
  public:
    Bytes(void *data, bool one_mapping) : word_(static_cast<uint64_t *>(data)), plain_(one_mapping)
    {
    }
    void write(uint64_t value)
    {
        if (plain_)
            *word_ = value;
        else
            __atomic_store_n(word_, value, __ATOMIC_RELAXED);
    }
    uint64_t read() const { return plain_ ? *word_ : __atomic_load_n(word_, __ATOMIC_RELAXED); }

  private:
    uint64_t *word_;
    bool plain_;
};

/// Runs `work(thread, deadline)` in `count` threads for the given time.
template <class Work> void run_threads(unsigned count, Nanoseconds time, Work work)
{
    Deadline const deadline(time);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < count; ++i)
        threads.emplace_back([&, i] { work(i, deadline); });
    for (std::thread &thread : threads)
        thread.join();
}

/// What random numbers begin with: the second argument.
inline uint64_t first_seed(int argc, char **argv)
{
    return argc > 2 ? std::strtoull(argv[2], nullptr, 0) : 0;
}

/// Seconds for each part of a program: the first argument, or 2.
inline Nanoseconds part_time(int argc, char **argv)
{
    return static_cast<Nanoseconds>((argc > 1 ? std::atof(argv[1]) : 2.0) * double(kSecond));
}

inline void expect_all_free(Matrix &matrix)
{
    CheckReport report;
    expect(matrix.check(false, report).code == 0, "an invariant at the end");
    expect(report.unsettled == 0, "something unsettled at the end");
    expect(report.used_blocks == 0, "a block left over");
    expect(report.trimmed_bytes != 0 || report.blocks <= kSectors, "free blocks not merged");
}

inline int verdict(char const *program)
{
    unsigned const mistakes = g_mistakes.load();
    std::printf("%s: %u mistakes\n", program, mistakes);
    return mistakes == 0 ? 0 : 1;
}

} // namespace stress
