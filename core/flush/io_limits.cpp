// SPDX-License-Identifier: MIT OR Apache-2.0
// Magic numbers, statx and the probe of alignments.
#include "core/flush/io_limits.hpp"

#include <sys/stat.h>
#include <sys/statfs.h>

#include <cstddef>

#include "core/base/base.hpp"
#include "core/base/bits.hpp"
#include "core/flush/system.hpp"

namespace weir {
namespace {

constexpr uint32_t kBtrfs = 0x9123683e;
/// Locks and flushes of these are a matter of another machine.
constexpr uint32_t kNetwork[] = {
    0x00006969, // nfs
    0x0000517b, // smb
    0xff534d42, // cifs
    0xfe534d42, // smb2
    0x00c36400, // ceph
    0x01021997, // 9p
    0x5346414f, // afs
    0x6b414653, // kafs
    0x73757245, // coda
    0x0000564c, // ncp
    0x01161970, // gfs2
    0x7461636f, // ocfs2
    0x0bd00bd0, // lustre
    0x47504653, // gpfs
    0x19830326, // beegfs
    0xaad7aaea, // panfs
    0x013111a8, // ibrix
};
constexpr uint32_t kInMemory[] = {
    0x01021994, // tmpfs
    0x858458f6, // ramfs
    0x958458f6, // hugetlbfs
};
constexpr uint32_t kCopyOnWrite[] = {
    kBtrfs,
    0xca451a4e, // bcachefs
    0x2fc12fc1, // zfs
    0x00003434, // nilfs2
    0xf2f52010, // f2fs
};

template <size_t kCount> bool has(uint32_t const (&list)[kCount], uint32_t magic) noexcept
{
    for (uint32_t const one : list)
        if (one == magic)
            return true;
    return false;
}

/// struct statx as far as Linux 6.1 has it: headers may be older than the kernel.
struct FoundByStatx {
    uint32_t mask;
    char before[148];
    uint32_t memory_alignment; ///< stx_dio_mem_align; 0: no direct transfers of this file
    uint32_t offset_alignment; ///< stx_dio_offset_align
    char after[96];
};
constexpr uint32_t kAlignments = 0x2000; // STATX_DIOALIGN
static_assert(sizeof(FoundByStatx) == 256 && offsetof(FoundByStatx, memory_alignment) == 152);
#ifdef STATX_DIOALIGN
static_assert(STATX_DIOALIGN == kAlignments && sizeof(struct statx) == sizeof(FoundByStatx) &&
              offsetof(struct statx, stx_dio_mem_align) == 152 &&
              offsetof(struct statx, stx_dio_offset_align) == 156);
#endif

bool ask_kernel(int fd, FoundByStatx &ret) noexcept
{
    return sys::call(SYS_statx, fd, "", AT_EMPTY_PATH, kAlignments, &ret) == 0 &&
           (ret.mask & kAlignments) != 0;
}

constexpr uint32_t kLeast = 512;
constexpr uint32_t kMost = 64 << 10;

alignas(kPage) char g_limit_zeros[kMost]; // never written

/// The smallest power of two that a direct write is taken with; 0: none is.
uint32_t probe(PosixFiles &files) noexcept
{
    Result<File> const file = files.scratch(kOpenDirect);
    if (!file.ok())
        return kPage; // nowhere to try: what nearly all need
    uint32_t found = 0;
    for (uint32_t size = kLeast; size <= kMost && found == 0; size *= 2)
        if (sys::pwrite(*file, g_limit_zeros, size, size) == static_cast<long>(size))
            found = size;
    sys::close(*file);
    return found;
}
} // namespace

Status kind_of_file_system(int fd, Limits &ret, bool &ret_btrfs) noexcept
{
    struct statfs found {};
    if (fstatfs(fd, &found) != 0)
        return error(errno);
    auto const magic = static_cast<uint32_t>(found.f_type);
    ret = Limits{};
    ret.network = has(kNetwork, magic);
    ret.volatile_fs = has(kInMemory, magic);
    ret.copy_on_write = has(kCopyOnWrite, magic);
    ret_btrfs = magic == kBtrfs;
    return kOk;
}

Result<Limits> limits_of_file(PosixFiles &files, File file, Limits kind) noexcept
{
    long const flags = sys::call(SYS_fcntl, file, F_GETFL, 0L);
    if (flags < 0)
        return Status{static_cast<int>(flags)};
    kind.memory_alignment = kPage;
    if ((flags & O_DIRECT) == 0)
        return kind;
    FoundByStatx found{};
    if (ask_kernel(file, found)) {
        if (found.memory_alignment > kPage)
            kind.memory_alignment = found.memory_alignment;
        kind.offset_alignment = found.offset_alignment;
        kind.direct = found.memory_alignment != 0 && is_power_of_two(found.offset_alignment);
    } else {
        kind.offset_alignment = probe(files);
        kind.direct = kind.offset_alignment != 0;
    }
    if (!kind.direct || kind.offset_alignment < kLeast)
        kind.offset_alignment = kLeast;
    return kind;
}

} // namespace weir
