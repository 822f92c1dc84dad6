// SPDX-License-Identifier: MIT OR Apache-2.0
// One io_uring of one thread. Included only where it was built in (WEIR_LIBURING).
//
// Who uses what
//   submit, reap      one thread for ever: the first that calls one of them. The ring is made
//                     disabled and that thread enables it, since SINGLE_ISSUER binds it to a thread
//   wake              any thread: `said` 0 -> 1 writes the eventfd, whose read lies in the ring
//   files             any thread asks, under a lock; the ring's thread registers and unregisters
//
// States of a request: the caller's -> in the ring (user_data points to it) -> finished -> reaped.
// What the ring does not take, or ends with EAGAIN or too few bytes, is written here by pwritev2.
//
// Invariants
//   1 A completion belongs to a request in flight, to the bell, or to nobody (a NOP in the place of
//     an entry that was taken back); none is lost, as NODROP is required.
//   2 said == 1 and reap() sleeps: the eventfd was written or is about to be. Each return of reap()
//     clears `said` by a read-modify-write, so what was done before wake() is visible after it.
//   3 A slot of the file table is used for a descriptor only between file_opened() and
//     file_closing(): a new file with the same number never meets the old one's slot.
//
// Death: the kernel ends the requests of a process that died, after a while; the locks of its files
// last as long (log.md 5.2). A fork child has no mapping of the ring; it closes its descriptors, or
// the ring would outlive the parent.
#pragma once

#if __has_include(<liburing.h>) // without it this header still stands alone

#include "core/base/atomic.hpp"
#include "core/base/mutex.hpp"
#include "core/flush/io_uring.hpp"

#include <liburing.h>
#include <sys/types.h>

namespace weir {

inline constexpr unsigned kUringPolite = IORING_SETUP_COOP_TASKRUN;
inline constexpr unsigned kUringCooperating =
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_R_DISABLED;
inline constexpr unsigned kUringDeferred =
    IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_R_DISABLED;

/// Files that are registered; more are used without. Segments that are written at the same time
/// are few.
inline constexpr unsigned kUringFiles = 16;

class UringData {
  public:
    /// Anything but -EINVAL (flags that the kernel does not know) sets `refusal`.
    Status setup(uint32_t depth, unsigned flags, UringRefusal &refusal) noexcept;
    void exit() noexcept;
    void close_descriptors() noexcept;

    Status submit(WriteRequest *request) noexcept;
    unsigned reap(WriteRequest **ret, unsigned most, Nanoseconds timeout) noexcept;
    void wake() noexcept;
    void file_opened(File file) noexcept;
    void file_closing(File file) noexcept;
    void set_memory(void *begin, size_t length) noexcept;

    /// For the probe: the -errno for which a request went by pwritev2, 0: none did.
    int by_pwrite() const noexcept { return by_pwrite_; }
    /// For the probe: 0 if the read of the eventfd ends when it is written.
    int try_bell(Nanoseconds limit) noexcept;

  private:
    enum class Slot : uint8_t { unused, wanted, registered, closing };

    int check_kernel() noexcept;
    Status start() noexcept;
    void register_memory() noexcept;
    void apply_files() noexcept;
    int slot_of(File file) noexcept;
    void prepare(io_uring_sqe *entry, WriteRequest *request) noexcept;
    int submit_entries() noexcept;
    void finish(WriteRequest *request, int result) noexcept;
    void complete(WriteRequest *request, int result) noexcept;
    void complete_bell(int result) noexcept;
    void collect() noexcept;
    unsigned take_finished(WriteRequest **ret, unsigned most) noexcept;
    void arm_bell() noexcept;
    void wait(Nanoseconds limit) noexcept;
    void ring_bell() noexcept;

    // ---- the ring's thread alone
    io_uring ring_ = {};
    bool made_ = false;
    bool enabled_ = false;
    bool started_ = false;
    bool armed_ = false;  ///< the read of the eventfd is in the ring
    bool deaf_ = false;   ///< it failed for good: sleeps are short then
    bool table_ = false;  ///< the ring has a file table
    bool pinned_ = false; ///< memory_ is registered
    int by_pwrite_ = 0;
    WriteRequest *finished_ = nullptr;
    char *memory_ = nullptr; ///< set before the first submit and reap
    size_t memory_length_ = 0;
    int event_ = -1;
    pid_t process_ = 0;

    /// Writers: wake() sets it, the ring's thread clears it.
    alignas(64) atomic<uint32_t> said_;
    /// Writers: who changes a slot sets it, under the lock; the ring's thread clears it. A hint
    /// that spares the lock.
    atomic<uint32_t> changed_;
    Mutex lock_; ///< of the slots
    File file_[kUringFiles] = {};
    Slot slot_[kUringFiles] = {};
};

} // namespace weir

#endif
