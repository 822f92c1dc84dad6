// SPDX-License-Identifier: MIT OR Apache-2.0
// DataOps by pwritev2: helper threads write what the I/O thread submits.
//
// Words
//   jobs    a semaphore: requests in the queue that no helper has taken yet (futex of helpers)
//   idle    helpers that sleep or are about to; a submitter that finds 0 makes no system call
//   bell    {count:30 | asleep:1 | woken:1}, futex of the I/O thread
//   lists   waiting (first in, first out) and finished, both under one lock
//
// States of a request: the caller's -> waiting -> a helper's -> finished -> the caller's (reaped).
//
// Invariants
//   1 A request is in at most one list or in the hand of one helper; its bytes are not changed.
//   2 jobs >= requests waiting, minus helpers between their decrement and their taking: a helper
//     that took a job finds a request.
//   3 A request that is put on `finished` changes bell afterwards; reap() reads bell first, then
//     the list, and sleeps only on the value it read. So no completion is slept over.
//   4 wake() sets `woken` by a read-modify-write, and every return of reap() clears it by one: what
//     the caller did before wake() is visible to the I/O thread after the return that took it.
//
// Death: threads die with their process. A fork child has none of them: release() there frees
// memory alone.
#pragma once

#include "core/base/atomic.hpp"
#include "core/base/mutex.hpp"
#include "core/flush/io.hpp"

#include <pthread.h>
#include <sys/types.h>

namespace weir {

inline constexpr uint32_t kMostIoThreads = 16;

class PwriteData {
  public:
    /// 1 to kMostIoThreads helpers. -EAGAIN: the system has no more threads for us.
    static Status create(uint32_t threads, PwriteData *&ret) noexcept;
    /// Every request was reaped.
    static void release(PwriteData *data) noexcept;

    static DataOps const kOps;

  private:
    friend struct PwriteCalls;

    void serve() noexcept;
    static void *helper(void *self) noexcept;
    WriteRequest *take_job() noexcept;
    void finish(WriteRequest *request) noexcept;
    unsigned take_finished(WriteRequest **ret, unsigned most) noexcept;
    void submit(WriteRequest *request) noexcept;
    unsigned reap(WriteRequest **ret, unsigned most, Nanoseconds timeout) noexcept;
    void wake() noexcept;
    void join_helpers() noexcept;

    /// Writers: the I/O thread adds, helpers take one each.
    alignas(64) atomic<uint32_t> jobs_;
    /// Writers: helpers, around their sleep.
    atomic<uint32_t> idle_;
    /// Writers: release() alone, once.
    atomic<uint32_t> stop_;
    /// Writers: helpers count up, anybody sets `woken`, the I/O thread the rest.
    alignas(64) atomic<uint32_t> bell_;
    alignas(64) Mutex lock_;
    WriteRequest *waiting_ = nullptr;
    WriteRequest **waiting_end_ = &waiting_;
    WriteRequest *finished_ = nullptr;
    uint32_t threads_ = 0;
    pid_t process_ = 0;
    pthread_t thread_[kMostIoThreads] = {};
};

// ---- what both backends do in the calling thread

/// Writes all of it: 0 or -errno. EAGAIN is tried again for a while; a short write is completed
/// once, from an aligned offset, else it is -EIO. If the kernel does not know RWF_DSYNC, fdatasync
/// follows.
int write_whole(WriteRequest const &request) noexcept;
/// The same for a request of which `done` bytes are written already (a short write).
int write_rest(WriteRequest const &request, uint32_t done) noexcept;
/// 0 or -errno.
int flush_file(File file) noexcept;

} // namespace weir
