// SPDX-License-Identifier: MIT OR Apache-2.0
// The kind of memory behind a mapping: huge pages, a NUMA node, locked.
#include "core/base/bits.hpp"
#include "core/segment/backing.hpp"

#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace weir {
namespace {
// Kernel numbers that not every C library names.
constexpr unsigned kLockOnFault = 1;    // MLOCK_ONFAULT
constexpr unsigned long kMayPrefer = 1; // MPOL_PREFERRED
constexpr uint32_t kMostNodes = 1024;
} // namespace

/// Files of huge pages are rounded to those, whoever made them.
void Backing::find_page_size() noexcept
{
    struct statfs found;
    if (fstatfs(fd_, &found) != 0 || static_cast<uint64_t>(found.f_type) != HUGETLBFS_MAGIC ||
        found.f_bsize <= 0 || !is_power_of_two(static_cast<uint64_t>(found.f_bsize)))
        return;
    kind_.page_bytes = static_cast<uint64_t>(found.f_bsize);
    kind_.pages = Pages::hugetlb;
}

Status Backing::arrange(std::byte *base, uint64_t length, MemoryWish const &wish,
                        bool is_new) noexcept
{
    length = round_up(length, kind_.page_bytes);
    if (wish.set_node && is_new) {
        bind_to_node(base, length, wish.node);
        if (kind_.node_error == -EINVAL)
            return error(EINVAL);
    }
    if (wish.huge_pages != Effort::none && kind_.pages != Pages::hugetlb) {
        if (wish.huge_pages == Effort::require)
            return error(EOPNOTSUPP);
        advise_huge(base, length);
    }
    if (wish.lock == Effort::none)
        return kOk;
    lock_memory(base, length);
    return kind_.locked || wish.lock != Effort::require ? kOk : error(EAGAIN);
}

/// The node is preferred, not the only one: where it has no memory left, a strict policy would let
/// the kernel kill processes. The policy of shared memory is the file's, for all who map it.
void Backing::bind_to_node(std::byte *base, uint64_t length, uint32_t node) noexcept
{
    constexpr unsigned kBits = 8 * sizeof(unsigned long);
    unsigned long nodes[kMostNodes / kBits] = {};
    if (node >= kMostNodes) {
        kind_.node_error = -EINVAL;
        return;
    }
    nodes[node / kBits] = 1ul << node % kBits;
    // One more than there are: the kernel takes one off.
    if (syscall(SYS_mbind, base, length, kMayPrefer, nodes, kMostNodes + 1ul, 0ul) == 0)
        kind_.node = static_cast<int32_t>(node);
    else
        kind_.node_error = -errno;
}

void Backing::advise_huge(std::byte *base, uint64_t length) noexcept
{
    if (madvise(base, length, MADV_HUGEPAGE) == 0)
        kind_.pages = Pages::transparent;
    else
        kind_.huge_error = -errno; // EINVAL: a kernel without them
}

/// On fault: what is never used is neither committed nor locked. Huge pages of the pool are never
/// swapped out and need no lock.
void Backing::lock_memory(std::byte *base, uint64_t length) noexcept
{
    kind_.locked =
        kind_.pages == Pages::hugetlb || syscall(SYS_mlock2, base, length, kLockOnFault) == 0;
    kind_.lock_error = kind_.locked ? 0 : -errno;
}

void Backing::lock_memory_again(std::byte *base, uint64_t length) noexcept
{
    if (was_locked_)
        lock_memory(base, round_up(length, kind_.page_bytes));
}

} // namespace weir
