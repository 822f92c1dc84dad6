// SPDX-License-Identifier: MIT OR Apache-2.0
// pwritev2: in the caller, and by helper threads.
#include "core/flush/io_pwrite.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/base/alloc.hpp"
#include "core/base/bits.hpp"
#include "core/base/futex.hpp"
#include "core/flush/system.hpp"
#include "core/flush/thread.hpp"

namespace weir {

// ---- in the calling thread

namespace {
constexpr int kAgain = 1000; // EAGAIN: the system lacks memory for a request; 100 us each

/// Some bytes of a write, or -errno. `lacks_dsync`: the kernel did not take the flag.
long write_some(WriteRequest const &request, uint64_t from, bool &lacks_dsync) noexcept
{
    char const *const data = static_cast<char const *>(request.data) + from;
    size_t const length = request.length - from;
    uint64_t const offset = request.offset + from;
    for (int i = 0; i < kAgain; ++i) {
        bool const flag = request.durable && !lacks_dsync;
        long const done = flag ? sys::pwritev2(request.file, data, length, offset, RWF_DSYNC)
                               : sys::pwrite(request.file, data, length, offset);
        if (flag && (done == -EOPNOTSUPP || done == -ENOSYS))
            lacks_dsync = true;
        else if (done != -EAGAIN)
            return done;
        else
            sleep_for(100 * kMicrosecond);
    }
    return -EAGAIN;
}

int write_from(WriteRequest const &request, uint64_t from, bool may_be_short) noexcept
{
    if (int const refused = sys::check_file_limit(request.offset + request.length); refused != 0)
        return refused;
    bool lacks_dsync = false;
    long done = write_some(request, from, lacks_dsync);
    if (done >= 0 && from + static_cast<uint64_t>(done) < request.length) {
        if (!may_be_short)
            return -EIO;
        from = sys::rest_begins(request.offset, from + static_cast<uint64_t>(done));
        done = write_some(request, from, lacks_dsync);
        if (done >= 0 && from + static_cast<uint64_t>(done) < request.length)
            return -EIO;
    }
    if (done < 0)
        return static_cast<int>(done);
    return lacks_dsync ? flush_file(request.file) : 0;
}
} // namespace

int write_whole(WriteRequest const &request) noexcept { return write_from(request, 0, true); }

int write_rest(WriteRequest const &request, uint32_t done) noexcept
{
    return write_from(request, sys::rest_begins(request.offset, done), false);
}

int flush_file(File file) noexcept { return sys::fdatasync(file); }

// ---- helpers

namespace {
constexpr uint32_t kWoken = 1;  // bits of bell
constexpr uint32_t kAsleep = 2; // the I/O thread sleeps, or is about to
constexpr uint32_t kOne = 4;
} // namespace

/// A request of the queue; nullptr: the end.
WriteRequest *PwriteData::take_job() noexcept
{
    for (;;) { // ends with a request or with release()
        // relaxed: what the list holds is read under the lock
        uint32_t jobs = jobs_.load(relaxed);
        while (jobs != 0 && !jobs_.compare_exchange(jobs, jobs - 1, relaxed, relaxed)) {
        }
        if (jobs != 0)
            break;
        idle_.fetch_add(1, seq_cst);  // [I] pairs with [J] in submit()
        if (jobs_.load(seq_cst) == 0) // [I2]
            futex_wait(jobs_, 0, INT64_MAX);
        idle_.fetch_sub(1, seq_cst);
    }
    if (stop_.load(acquire) != 0) // pairs with the release in join_helpers()
        return nullptr;
    Guard const guard(lock_);
    WriteRequest *const request = waiting_;
    if (request != nullptr) {
        waiting_ = request->next;
        if (waiting_ == nullptr)
            waiting_end_ = &waiting_;
    }
    return request;
}

void PwriteData::finish(WriteRequest *request) noexcept
{
    {
        Guard const guard(lock_);
        request->next = finished_;
        finished_ = request;
    }
    // After the list has it (invariant 3). acq_rel: pairs with the acquire in reap().
    if ((bell_.fetch_add(kOne, acq_rel) & kAsleep) != 0)
        futex_wake_all(bell_);
}

void PwriteData::serve() noexcept
{
    while (WriteRequest *const request = take_job()) {
        request->result = write_whole(*request);
        finish(request);
    }
}

void *PwriteData::helper(void *self) noexcept
{
    static_cast<PwriteData *>(self)->serve();
    return nullptr;
}

// ---- the I/O thread

void PwriteData::submit(WriteRequest *request) noexcept
{
    request->next = nullptr;
    {
        Guard const guard(lock_);
        *waiting_end_ = request;
        waiting_end_ = &request->next;
    }
    jobs_.fetch_add(1, seq_cst);  // [J] a helper that counted itself idle [I] before sees it [I2],
    if (idle_.load(seq_cst) != 0) // or is seen here (store buffering; Dekker)
        static_cast<void>(futex_wake_one(jobs_));
}

unsigned PwriteData::take_finished(WriteRequest **ret, unsigned most) noexcept
{
    Guard const guard(lock_);
    unsigned count = 0;
    for (; count < most && finished_ != nullptr; ++count) {
        ret[count] = finished_;
        finished_ = finished_->next;
    }
    return count;
}

unsigned PwriteData::reap(WriteRequest **ret, unsigned most, Nanoseconds timeout) noexcept
{
    Deadline const deadline(timeout);
    for (;;) {                               // ends with a request, a wake, or the deadline
        uint32_t seen = bell_.load(acquire); // pairs with finish(); before the list (invariant 3)
        unsigned const count = take_finished(ret, most);
        Nanoseconds const left = count != 0 || (seen & kWoken) != 0 ? 0 : deadline.left();
        if (left == 0) {
            // Also a wake() since `seen`: acq_rel, so what was done before it is visible to us.
            bell_.fetch_and(~(kWoken | kAsleep), acq_rel);
            return count;
        }
        // relaxed: nothing is published by it; who changes the word afterwards sees the bit
        if (!bell_.compare_exchange(seen, seen | kAsleep, relaxed, relaxed))
            continue;
        futex_wait(bell_, seen | kAsleep, left);
    }
}

void PwriteData::wake() noexcept
{
    // Always a read-modify-write: if it finds the bit, the return that clears the bit reads from
    // us or later (invariant 4). acq_rel: pairs with the one in reap().
    uint32_t const before = bell_.fetch_or(kWoken, acq_rel);
    if ((before & kWoken) == 0 && (before & kAsleep) != 0)
        futex_wake_all(bell_);
}

// ---- life

void PwriteData::join_helpers() noexcept
{
    stop_.store(1, weir::release);      // pairs with the acquire in take_job()
    jobs_.fetch_add(threads_, seq_cst); // one for each, as in submit()
    futex_wake_all(jobs_);
    for (uint32_t i = 0; i < threads_; ++i)
        pthread_join(thread_[i], nullptr);
}

Status PwriteData::create(uint32_t threads, PwriteData *&ret) noexcept
{
    if (threads == 0 || threads > kMostIoThreads)
        return error(EINVAL);
    auto *const data = make<PwriteData>();
    if (data == nullptr)
        return error(ENOMEM);
    data->process_ = getpid();
    for (; data->threads_ < threads; ++data->threads_) {
        Status const started =
            start_thread("weir-log-write", PwriteData::helper, data, data->thread_[data->threads_]);
        if (!started.ok()) {
            release(data);
            return started;
        }
    }
    ret = data;
    return kOk;
}

void PwriteData::release(PwriteData *data) noexcept
{
    if (data != nullptr && data->process_ == getpid())
        data->join_helpers();
    destroy(data);
}

struct PwriteCalls {
    static PwriteData &of(void *self) noexcept { return *static_cast<PwriteData *>(self); }

    static Status submit(void *self, WriteRequest *request)
    {
        of(self).submit(request);
        return kOk;
    }
    static unsigned reap(void *self, WriteRequest **ret, unsigned most, Nanoseconds timeout)
    {
        return of(self).reap(ret, most, timeout);
    }
    static void wake(void *self) { of(self).wake(); }
    static int write_now(void *, WriteRequest const *request) { return write_whole(*request); }
    static int flush(void *, File file) { return flush_file(file); }
    static void file(void *, File) {}
    static void memory(void *, void *, size_t) {}
};

DataOps const PwriteData::kOps = {
    PwriteCalls::submit, PwriteCalls::reap, PwriteCalls::wake, PwriteCalls::write_now,
    PwriteCalls::flush,  PwriteCalls::file, PwriteCalls::file, PwriteCalls::memory,
};

} // namespace weir
