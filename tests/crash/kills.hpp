// SPDX-License-Identifier: MIT OR Apache-2.0
// What the parent and the workers of kills.cpp share: the memory in which they tell each other what
// happened, wherever one of them dies.
#pragma once

#include "tests/crash/support.hpp"

namespace crash {

constexpr unsigned kWorkers = 4;
constexpr unsigned kMailbox = 16;
constexpr unsigned kRoots = 8;
constexpr uint64_t kTracked = uint64_t{1} << 24; ///< messages whose fate is recorded
constexpr int64_t kBlockedAfter = 10000 * kMillisecond;

enum Kind {
    kAlloc,
    kFree,
    kGive,
    kMail,
    kBind,
    kUnbind,
    kPost,
    kAck,
    kNack,
    kTake,
    kState,
    kLook,
    kTrim,
    kResize,
    kRealloc,
    kWait,
    kMany,
    kKinds
};

/// What the parent knows of a worker, wherever that one dies.
struct Slot {
    uint64_t beats; ///< operations that ended
    uint64_t participant;
    uint64_t mail[kMailbox];
    uint64_t done[kKinds]; ///< operations that succeeded, by kind
};

struct Control {
    uint32_t stop;
    uint32_t failed;
    char failure[400];
    uint64_t next_message;
    Slot slot[kWorkers];
    unsigned char posted[kTracked];
    unsigned char read[kTracked];
    unsigned char answered[kTracked];
};

template <class T> T load(T const &from) { return __atomic_load_n(&from, __ATOMIC_ACQUIRE); }
template <class T> void store(T &into, T value)
{
    __atomic_store_n(&into, value, __ATOMIC_RELEASE);
}
template <class T> void add(T &to) { __atomic_fetch_add(&to, T{1}, __ATOMIC_RELAXED); }

/// What stands at the beginning of each block; the rest of its bytes is `fill`.
struct Content {
    uint64_t magic;
    uint64_t length;
    uint64_t message;
    uint64_t fill;
};
constexpr uint64_t kMagic = 0x6b636f6c622e7265;

/// The life of a worker: until the parent says stop, or it leaves in order.
void work(Control &control, char const *name, unsigned number, uint64_t seed);

} // namespace crash
