// SPDX-License-Identifier: MIT OR Apache-2.0
// Numbers threads as they come.
#include "core/base/thread_id.hpp"

namespace weir {
namespace {
uint32_t g_next = 0;
// Plain data without a destructor, so that no run-time support of C++ is needed. 0: none yet.
__thread uint32_t t_number_plus_one = 0;
} // namespace

uint64_t g_thread_cache[kThreadCache] = {};

uint32_t look_up_thread_number() noexcept
{
    if (t_number_plus_one == 0) // relaxed: the numbers order nothing
        t_number_plus_one = __atomic_add_fetch(&g_next, 1, __ATOMIC_RELAXED);
    uint32_t const number = t_number_plus_one - 1;
    uint64_t const pointer = thread_pointer();
    if (pointer != 0 && pointer >> 48 == 0 && number <= 0xffff)
        __atomic_store_n(&thread_cache_entry(pointer), pointer << 16 | number, __ATOMIC_RELAXED);
    return number;
}

} // namespace weir
