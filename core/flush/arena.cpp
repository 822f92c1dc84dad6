// SPDX-License-Identifier: MIT OR Apache-2.0
// Pages from the kernel, for buffers.
#include "core/flush/arena.hpp"

#include <sys/mman.h>

#include <cstdint>

namespace weir {
namespace {
constexpr std::size_t kArenaPage = 2 << 20;

void *map(std::size_t size) noexcept
{
    void *const pages =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? nullptr : pages;
}

/// Aligned to huge pages, which a write to a device takes as one piece instead of 512. Best effort:
/// where the kernel gives none, they are pages.
void *map_huge(std::size_t size) noexcept
{
    auto *const room = static_cast<std::byte *>(map(size + kArenaPage));
    if (room == nullptr)
        return map(size); // a limit on memory may have room for that
    std::size_t const before = -reinterpret_cast<uintptr_t>(room) % kArenaPage;
    if (before != 0)
        munmap(room, before);
    munmap(room + before + size, kArenaPage - before);
    static_cast<void>(madvise(room + before, size, MADV_HUGEPAGE));
    return room + before;
}
} // namespace

void *map_pages(std::size_t size) noexcept
{
    void *const pages = size % kArenaPage == 0 ? map_huge(size) : map(size);
    if (pages == nullptr)
        return nullptr;
    // A child that wrote into them would copy what the kernel reads; it must not have them at all.
    if (madvise(pages, size, MADV_DONTFORK) != 0) {
        munmap(pages, size);
        return nullptr;
    }
    return pages;
}

void unmap_pages(void *pages, std::size_t size) noexcept
{
    if (pages != nullptr)
        munmap(pages, size);
}

} // namespace weir
