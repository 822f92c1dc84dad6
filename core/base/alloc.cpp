// SPDX-License-Identifier: MIT OR Apache-2.0
// Process memory from the C library, with failures that tests can ask for.
#include "core/base/alloc.hpp"

#include "core/base/bits.hpp"

#include <cstdlib>
#include <cstring>

namespace weir {
namespace {
// Allocations until one fails; negative: none does. Relaxed throughout: tests arm it and then
// allocate in the same thread.
int g_until_failure = -1;

bool must_fail() noexcept
{
    if (__atomic_load_n(&g_until_failure, __ATOMIC_RELAXED) < 0)
        return false;
    return __atomic_fetch_sub(&g_until_failure, 1, __ATOMIC_RELAXED) == 0;
}
} // namespace

void *allocate(std::size_t size) noexcept
{
    if (must_fail())
        return nullptr;
    std::size_t const rounded = round_up(size, kCacheLine);
    void *const place = std::aligned_alloc(kCacheLine, rounded);
    return place == nullptr ? nullptr : std::memset(place, 0, rounded);
}

void *allocate_untouched(std::size_t size) noexcept
{
    return must_fail() ? nullptr : std::calloc(1, size);
}

void *allocate_unset(std::size_t size) noexcept
{
    return must_fail() ? nullptr : std::aligned_alloc(kPage, round_up(size, kPage));
}

void deallocate(void *pointer) noexcept { std::free(pointer); }

void fail_allocation_after(int successes) noexcept
{
    __atomic_store_n(&g_until_failure, successes, __ATOMIC_RELAXED);
}

} // namespace weir
