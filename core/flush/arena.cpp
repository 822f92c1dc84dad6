// SPDX-License-Identifier: MIT OR Apache-2.0
// Pages from the kernel, for buffers.
#include "core/flush/arena.hpp"

#include <sys/mman.h>

namespace weir {

void *map_pages(std::size_t size) noexcept
{
    void *const pages =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
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
