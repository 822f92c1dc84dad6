// SPDX-License-Identifier: MIT OR Apache-2.0
// Process memory for handles. All of the core's own allocations pass here, so that a test can
// make the n-th of them fail.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>
#include <new>
#include <utility>

namespace weir {

/// Zeroed memory, aligned to a cache line, or nullptr.
void *allocate(std::size_t size) noexcept;
/// The same for much memory, of which pages appear when they are used; aligned as by malloc.
void *allocate_untouched(std::size_t size) noexcept;
/// Aligned to a page, and what is in it is whatever was there before; or nullptr.
void *allocate_unset(std::size_t size) noexcept;
void deallocate(void *pointer) noexcept;

/// Tests only: the allocation after `successes` more fails, once. A negative number: none.
void fail_allocation_after(int successes) noexcept;

template <class T, class... Arguments> T *make(Arguments &&...arguments) noexcept
{
    static_assert(alignof(T) <= kCacheLine);
    void *const place = allocate(sizeof(T));
    return place == nullptr ? nullptr : new (place) T(std::forward<Arguments>(arguments)...);
}

template <class T> void destroy(T *object) noexcept
{
    if (object == nullptr)
        return;
    object->~T();
    deallocate(object);
}

} // namespace weir
