// SPDX-License-Identifier: MIT OR Apache-2.0
// The ring: set up, submitting, reaping, waking, and what is registered with it.
#include "core/flush/uring_ring.hpp"

#include <sys/eventfd.h>
#include <sys/resource.h>

#include "core/base/base.hpp"
#include "core/base/bits.hpp"
#include "core/flush/io_pwrite.hpp"
#include "core/flush/system.hpp"

namespace weir {
namespace {
/// Where the bell's read puts its count. Nobody reads it; it outlives every ring, whose last read
/// the kernel may end later than exit() returns.
uint64_t g_count;

// user_data of what is no request: no address of one
constexpr uint64_t kBell = 1;
constexpr uint64_t kNoRequest = 2;

constexpr Nanoseconds kShortSleep = 10 * kMillisecond;
} // namespace

// ---- life

/// 0, or what it lacks. The probe's structure of liburing would come from malloc.
int UringData::check_kernel() noexcept
{
    constexpr unsigned kFeatures = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP;
    if ((ring_.features & kFeatures) != kFeatures)
        return -EOPNOTSUPP;
    constexpr unsigned kOps = 64;
    alignas(
        io_uring_probe) char space[sizeof(io_uring_probe) + kOps * sizeof(io_uring_probe_op)] = {};
    auto *const probe = reinterpret_cast<io_uring_probe *>(space);
    int const done = io_uring_register_probe(&ring_, probe, kOps);
    if (done < 0)
        return done;
    for (int const op : {IORING_OP_NOP, IORING_OP_READ, IORING_OP_WRITE, IORING_OP_WRITE_FIXED})
        if (io_uring_opcode_supported(probe, op) == 0)
            return -EOPNOTSUPP;
    return 0;
}

Status UringData::setup(uint32_t depth, unsigned flags, UringRefusal &refusal) noexcept
{
    auto const refuse = [&refusal](char const *step, int code) {
        refusal = {step, code};
        return error(EOPNOTSUPP);
    };
    io_uring_params params{};
    params.flags = flags;
    int const made = io_uring_queue_init_params(2 * depth + 8, &ring_, &params);
    if (made == -EINVAL)
        return error(EINVAL);
    if (made < 0)
        return refuse("io_uring: setting up is refused", made);
    made_ = true;
    enabled_ = (flags & IORING_SETUP_R_DISABLED) == 0;
    process_ = getpid();
    if (int const lacks = check_kernel(); lacks != 0)
        return refuse("io_uring: the kernel lacks what is needed", lacks);
    if (int const kept = io_uring_ring_dontfork(&ring_); kept < 0)
        return refuse("io_uring: the ring cannot be kept from fork children", kept);
    event_ = eventfd(0, EFD_CLOEXEC); // blocking, or its read would end at once
    return event_ >= 0 ? kOk : refuse("io_uring: no eventfd", -errno);
}

void UringData::close_descriptors() noexcept
{
    if (made_ && ring_.ring_fd >= 0)
        sys::close(ring_.ring_fd);
    if (event_ >= 0)
        sys::close(event_);
    ring_.ring_fd = event_ = -1;
}

void UringData::exit() noexcept
{
    if (process_ != getpid()) { // a fork child: the ring is not mapped here
        close_descriptors();
        return;
    }
    if (event_ >= 0)
        sys::close(event_);
    if (made_)
        io_uring_queue_exit(&ring_);
}

/// By the thread that uses it from now on.
Status UringData::start() noexcept
{
    if (!enabled_) {
        // By number: the library of liburing 2.3 does not export its function for it.
        long const done = sys::call(SYS_io_uring_register, ring_.ring_fd,
                                    IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
        if (done < 0)
            return Status{static_cast<int>(done)};
        enabled_ = true;
    }
    if (!started_) // best effort
        table_ = io_uring_register_files_sparse(&ring_, kUringFiles) == 0;
    started_ = true;
    if (!pinned_ && memory_ != nullptr)
        register_memory();
    return kOk;
}

// ---- memory and files

void UringData::set_memory(void *begin, size_t length) noexcept
{
    memory_ = static_cast<char *>(begin);
    memory_length_ = length;
}

/// Best effort, and not more than half of what the process may lock: it may want some itself.
void UringData::register_memory() noexcept
{
    struct rlimit most {};
    bool const fits = getrlimit(RLIMIT_MEMLOCK, &most) == 0 &&
                      (most.rlim_cur == RLIM_INFINITY || memory_length_ <= most.rlim_cur / 2);
    iovec const all{memory_, memory_length_};
    pinned_ = fits && io_uring_register_buffers(&ring_, &all, 1) == 0;
    if (!pinned_)
        memory_ = nullptr; // once
}

void UringData::file_opened(File file) noexcept
{
    Guard const guard(lock_);
    for (unsigned i = 0; i < kUringFiles; ++i)
        if (slot_[i] == Slot::unused) {
            slot_[i] = Slot::wanted;
            file_[i] = file;
            changed_.store(1, release); // pairs with the exchange in apply_files()
            return;
        }
}

void UringData::file_closing(File file) noexcept
{
    bool held = false;
    {
        Guard const guard(lock_);
        for (unsigned i = 0; i < kUringFiles; ++i)
            if (file_[i] == file && slot_[i] == Slot::registered) {
                slot_[i] = Slot::closing;
                changed_.store(1, release); // pairs with the exchange in apply_files()
                held = true;
            } else if (file_[i] == file && slot_[i] == Slot::wanted) {
                slot_[i] = Slot::unused;
            }
    }
    if (held)
        wake(); // the table would keep the file, its space and its lock for as long as it sleeps
}

void UringData::apply_files() noexcept
{
    // relaxed: a hint. acquire: pairs with the release of who set it; the lock does the rest.
    if (!table_ || changed_.load(relaxed) == 0 || changed_.exchange(0, acquire) == 0)
        return;
    Guard const guard(lock_);
    int const nothing = -1;
    for (unsigned i = 0; i < kUringFiles; ++i) {
        if (slot_[i] == Slot::closing) {
            (void)io_uring_register_files_update(&ring_, i, &nothing, 1);
            slot_[i] = Slot::unused;
        } else if (slot_[i] == Slot::wanted) {
            bool const done = io_uring_register_files_update(&ring_, i, &file_[i], 1) == 1;
            slot_[i] = done ? Slot::registered : Slot::unused;
        }
    }
}

int UringData::slot_of(File file) noexcept
{
    Guard const guard(lock_);
    for (unsigned i = 0; i < kUringFiles; ++i)
        if (file_[i] == file && slot_[i] == Slot::registered)
            return static_cast<int>(i);
    return -1;
}

// ---- submitting

void UringData::prepare(io_uring_sqe *entry, WriteRequest *request) noexcept
{
    int const slot = slot_of(request->file);
    int const fd = slot < 0 ? request->file : slot;
    auto const *const data = static_cast<char const *>(request->data);
    bool const pinned =
        pinned_ && data >= memory_ && data + request->length <= memory_ + memory_length_;
    if (pinned)
        io_uring_prep_write_fixed(entry, fd, data, request->length, request->offset, 0);
    else
        io_uring_prep_write(entry, fd, data, request->length, request->offset);
    entry->rw_flags = request->durable ? RWF_DSYNC : 0;
    if (slot >= 0)
        entry->flags |= IOSQE_FIXED_FILE;
    entry->user_data = reinterpret_cast<uintptr_t>(request);
}

/// 0 if the kernel has taken all that was prepared.
int UringData::submit_entries() noexcept
{
    int done = 0;
    for (int i = 0; i < sys::kInterruptions && io_uring_sq_ready(&ring_) != 0; ++i) {
        done = io_uring_submit(&ring_);
        if (done < 0 && done != -EINTR)
            return done;
        if (done == 0)
            return -EAGAIN;
    }
    return io_uring_sq_ready(&ring_) == 0 ? 0 : -EAGAIN;
}

Status UringData::submit(WriteRequest *request) noexcept
{
    WEIR_TRY(start());
    apply_files();
    if (int const refused = sys::check_file_limit(request->offset + request->length);
        refused != 0) {
        finish(request, refused);
        return kOk;
    }
    io_uring_sqe *const entry = io_uring_get_sqe(&ring_);
    int refused = -EBUSY; // more in flight than was said
    if (entry != nullptr) {
        prepare(entry, request);
        refused = submit_entries();
    }
    if (refused == 0)
        return kOk;
    if (entry != nullptr) { // the kernel will see it with the next call: as nothing
        io_uring_prep_nop(entry);
        entry->user_data = kNoRequest;
    }
    by_pwrite_ = refused;
    finish(request, write_whole(*request));
    return kOk;
}

// ---- reaping

void UringData::finish(WriteRequest *request, int result) noexcept
{
    request->result = result;
    request->next = finished_;
    finished_ = request;
}

void UringData::complete(WriteRequest *request, int result) noexcept
{
    if (result >= 0 && static_cast<uint32_t>(result) >= request->length) {
        finish(request, 0);
    } else if (result >= 0) {
        finish(request, write_rest(*request, static_cast<uint32_t>(result)));
    } else if (result == -EAGAIN || result == -EINTR || result == -EOPNOTSUPP) {
        by_pwrite_ = result;
        finish(request, write_whole(*request));
    } else {
        finish(request, result);
    }
}

void UringData::complete_bell(int result) noexcept
{
    armed_ = false;
    deaf_ = result < 0 && result != -EINTR && result != -EAGAIN;
}

/// What has ended already; no system call.
void UringData::collect() noexcept
{
    io_uring_cqe *entry = nullptr;
    while (io_uring_peek_cqe(&ring_, &entry) == 0 && entry != nullptr) {
        uint64_t const whose = entry->user_data;
        int const result = entry->res;
        io_uring_cqe_seen(&ring_, entry);
        if (whose == kBell)
            complete_bell(result);
        else if (whose != kNoRequest)
            complete(reinterpret_cast<WriteRequest *>(whose), result);
    }
}

unsigned UringData::take_finished(WriteRequest **ret, unsigned most) noexcept
{
    unsigned count = 0;
    for (; count < most && finished_ != nullptr; ++count) {
        ret[count] = finished_;
        finished_ = finished_->next;
    }
    return count;
}

void UringData::arm_bell() noexcept
{
    io_uring_sqe *const entry = armed_ || deaf_ ? nullptr : io_uring_get_sqe(&ring_);
    if (entry == nullptr)
        return;
    io_uring_prep_read(entry, event_, &g_count, sizeof g_count, 0);
    entry->user_data = kBell;
    armed_ = true;
}

/// Until something ends, at most `limit`. Entries that are prepared go along.
void UringData::wait(Nanoseconds limit) noexcept
{
    arm_bell();
    Nanoseconds const most = armed_ ? limit : smaller(limit, kShortSleep);
    __kernel_timespec time{};
    time.tv_sec = most / kSecond;
    time.tv_nsec = most % kSecond;
    io_uring_cqe *entry = nullptr;
    int const done = io_uring_submit_and_wait_timeout(&ring_, &entry, 1, &time, nullptr);
    if (done < 0 && done != -ETIME && done != -EINTR)
        sleep_for(smaller(most, kMillisecond)); // nothing to be had from it now
}

unsigned UringData::reap(WriteRequest **ret, unsigned most, Nanoseconds timeout) noexcept
{
    Deadline const deadline(timeout);
    if (!start().ok()) { // submit() says so too
        sleep_for(smaller(deadline.left(), kShortSleep));
        return 0;
    }
    apply_files();
    for (bool last = false;;) { // ends with a request, a wake, or the deadline
        collect();
        unsigned const count = take_finished(ret, most);
        // relaxed: the exchange below orders
        if (count != 0 || last || said_.load(relaxed) != 0) {
            said_.exchange(0, acq_rel); // pairs with the one in wake() (invariant 2)
            return count;
        }
        Nanoseconds const left = deadline.left();
        last = left == 0;
        if (last)
            (void)io_uring_get_events(&ring_); // deferred completions come by a call alone
        else
            wait(left);
    }
}

// ---- waking

void UringData::ring_bell() noexcept
{
    uint64_t const one = 1;
    (void)sys::call(SYS_write, event_, &one, sizeof one);
}

void UringData::wake() noexcept
{
    // Always a read-modify-write: if it finds 1, the exchange that clears it reads from us or later.
    if (said_.exchange(1, acq_rel) == 0) // acq_rel: pairs with the one in reap()
        ring_bell();
}

int UringData::try_bell(Nanoseconds limit) noexcept
{
    Deadline const deadline(limit);
    ring_bell();
    do {
        wait(deadline.left());
        collect();
    } while (armed_ && !deadline.passed());
    return armed_ ? -ETIMEDOUT : deaf_ ? -EIO : 0;
}

} // namespace weir
