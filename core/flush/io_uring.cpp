// SPDX-License-Identifier: MIT OR Apache-2.0
// The tables of io_uring's functions, and the probe; the ring itself is in uring_ring.cpp. Without
// liburing: the refusal alone.
#include "core/flush/io_uring.hpp"

#include "core/flush/io_pwrite.hpp"

#ifdef WEIR_LIBURING
#include "core/base/alloc.hpp"
#include "core/base/base.hpp"
#include "core/flush/uring_ring.hpp"
#endif

namespace weir {

#ifndef WEIR_LIBURING

Status create_uring(UringOptions const &, File, uint32_t, UringData *&,
                    UringRefusal &refusal) noexcept
{
    refusal = {"io_uring: built without liburing", 0};
    return error(EOPNOTSUPP);
}
void release_uring(UringData *) noexcept {}
void forget_uring(UringData *) noexcept {}
DataOps const kUringOps = {};

#else

namespace {

constexpr Nanoseconds kPatience = 5 * kSecond; // a disk that is slower is used without io_uring
constexpr uint32_t kProbeBlock = 64 << 10;
alignas(kPage) char g_block_of_zeros[kProbeBlock]; // never written

Status refuse(UringRefusal &refusal, char const *step, int code) noexcept
{
    refusal = {step, code};
    return error(EOPNOTSUPP);
}

/// Newest first. EINVAL: the kernel does not know it.
struct Flags {
    unsigned bits;
    bool old_kernel;
};
constexpr Flags kFlags[] = {
    {kUringDeferred, false},    // 6.1
    {kUringCooperating, false}, // 6.0
    {kUringPolite, false},      // 5.19
    {0, true},
};

Status make_ring(UringData &data, UringOptions const &options, unsigned &ret_bits,
                 UringRefusal &refusal) noexcept
{
    for (Flags const &flags : kFlags) {
        if (flags.old_kernel && !options.old_kernels)
            break;
        Status const made = data.setup(options.depth, flags.bits, refusal);
        ret_bits = flags.bits;
        if (made.code != -EINVAL)
            return made;
    }
    return refuse(refusal, "io_uring: the kernel is too old", -EINVAL);
}

/// One write and one wake, as they will be.
Status try_ring(UringData &data, File scratch, uint32_t alignment, UringRefusal &refusal) noexcept
{
    WriteRequest request;
    request.file = scratch;
    request.durable = true;
    request.length = alignment < kProbeBlock ? alignment : kProbeBlock;
    request.data = g_block_of_zeros;
    Status const submitted = data.submit(&request);
    if (!submitted.ok())
        return refuse(refusal, "io_uring: submitting is refused", submitted.code);
    WriteRequest *done = nullptr;
    if (data.reap(&done, 1, kPatience) != 1)
        return refuse(refusal, "io_uring: the probe's write does not end", -ETIMEDOUT);
    if (data.by_pwrite() != 0)
        return refuse(refusal, "io_uring: writing is refused", data.by_pwrite());
    bool const full = request.result == -ENOSPC || request.result == -EDQUOT; // no refusal
    if (request.result != 0 && !full)
        return refuse(refusal, "io_uring: the probe's write failed", request.result);
    int const bell = data.try_bell(kPatience);
    return bell == 0 ? kOk : refuse(refusal, "io_uring: reading an eventfd is refused", bell);
}

UringData *make_data(UringRefusal &refusal) noexcept
{
    auto *const data = make<UringData>();
    if (data == nullptr)
        refusal = {"io_uring: no memory", -ENOMEM};
    return data;
}

/// With a ring of its own: the real one belongs to the thread that uses it first.
Status probe(UringOptions const &options, File scratch, uint32_t alignment, unsigned &ret_bits,
             UringRefusal &refusal) noexcept
{
    UringData *const trial = make_data(refusal);
    if (trial == nullptr)
        return error(ENOMEM);
    Status result = make_ring(*trial, options, ret_bits, refusal);
    if (result.ok())
        result = try_ring(*trial, scratch, alignment, refusal);
    release_uring(trial);
    return result;
}
} // namespace

Status create_uring(UringOptions const &options, File scratch, uint32_t alignment, UringData *&ret,
                    UringRefusal &refusal) noexcept
{
    unsigned bits = 0;
    WEIR_TRY(probe(options, scratch, alignment, bits, refusal));
    UringData *const data = make_data(refusal);
    if (data == nullptr)
        return error(ENOMEM);
    Status const made = data->setup(options.depth, bits, refusal);
    if (!made.ok()) {
        release_uring(data);
        return made;
    }
    ret = data;
    return kOk;
}

void release_uring(UringData *data) noexcept
{
    if (data != nullptr)
        data->exit();
    destroy(data);
}

void forget_uring(UringData *data) noexcept { data->close_descriptors(); }

namespace {
UringData &of(void *self) noexcept { return *static_cast<UringData *>(self); }

Status submit(void *self, WriteRequest *request) { return of(self).submit(request); }
unsigned reap(void *self, WriteRequest **ret, unsigned most, Nanoseconds timeout)
{
    return of(self).reap(ret, most, timeout);
}
void wake(void *self) { of(self).wake(); }
int write_now(void *, WriteRequest const *request) { return write_whole(*request); }
int flush(void *, File file) { return flush_file(file); }
void file_opened(void *self, File file) { of(self).file_opened(file); }
void file_closing(void *self, File file) { of(self).file_closing(file); }
void memory(void *self, void *begin, size_t length) { of(self).set_memory(begin, length); }
} // namespace

DataOps const kUringOps = {
    submit, reap, wake, write_now, flush, file_opened, file_closing, memory,
};

#endif

} // namespace weir
