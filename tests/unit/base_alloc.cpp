// SPDX-License-Identifier: MIT OR Apache-2.0
// Process memory: aligned, zeroed, and failing when a test asks for it.
#include "core/base/alloc.hpp"
#include "tests/unit/support.hpp"

#include <algorithm>
#include <cstring>

using namespace unit;
using namespace weir;

Test(base_alloc, memory_is_zeroed_and_aligned)
{
    for (size_t size : {1, 63, 64, 65, 1000, 100000})
        for (int round = 0; round < 3; ++round) { // again: memory that was used before
            auto *const bytes = static_cast<unsigned char *>(allocate(size));
            cr_assert(bytes != nullptr);
            check_eq(reinterpret_cast<uintptr_t>(bytes) % kCacheLine, 0);
            cr_assert(std::all_of(bytes, bytes + size, [](unsigned char b) { return b == 0; }));
            std::memset(bytes, 0xff, size);
            deallocate(bytes);
        }
    deallocate(nullptr);
}

Test(base_alloc, the_wanted_allocation_fails_once)
{
    for (int successes = 0; successes < 5; ++successes) {
        fail_allocation_after(successes);
        for (int i = 0; i < 8; ++i) {
            void *const got = allocate(10);
            check_eq(got == nullptr, i == successes);
            deallocate(got);
        }
    }
    fail_allocation_after(2);
    fail_allocation_after(-1);
    for (int i = 0; i < 5; ++i) {
        void *const got = allocate(10);
        cr_assert(got != nullptr);
        deallocate(got);
    }
}

Test(base_alloc, objects_are_built_and_destroyed)
{
    static int alive = 0;
    struct Counted {
        explicit Counted(int number) : value(number) { ++alive; }
        ~Counted() { --alive; }
        int value;
    };
    auto *const made = make<Counted>(42);
    cr_assert(made != nullptr && made->value == 42 && alive == 1);
    destroy(made);
    check_eq(alive, 0);
    fail_allocation_after(0);
    cr_assert(make<Counted>(1) == nullptr);
    check_eq(alive, 0);
    destroy<Counted>(nullptr);
}
