// SPDX-License-Identifier: MIT OR Apache-2.0
// Hands out thread numbers, and takes them back when a thread ends.
#include "core/base/thread_id.hpp"

#include "core/base/bits.hpp"
#include "core/base/fork.hpp"
#include "core/base/mutex.hpp"

#include <pthread.h>

namespace weir {
namespace {
constexpr unsigned kWords = kThreadNumbers / 64;

/// Protects what follows; a thread passes here when it begins and when it ends.
Mutex g_numbers_mutex;
uint64_t g_taken[kWords] = {};
pthread_key_t g_key;
bool g_has_key = false;
ThreadHook *g_first_hook = nullptr;
ForkHook g_fork_hook;

// Plain data without a destructor, so that no run-time support of C++ is needed. 0: none yet.
__thread uint32_t t_number_plus_one = 0;

uint32_t take_lowest() noexcept
{
    for (unsigned i = 0; i < kWords; ++i) {
        if (~g_taken[i] == 0)
            continue;
        unsigned const free = lowest_bit(~g_taken[i]);
        g_taken[i] |= bit(free);
        return i * 64 + free;
    }
    return kNoThreadNumber;
}

void give_back(uint32_t number) noexcept { g_taken[number / 64] &= ~bit(number % 64); }

/// At the end of a thread. Its number, and with it its lanes, are for the next one. If a later
/// destructor of the same thread calls us again, it gets a number again.
void at_thread_exit(void *) noexcept
{
    uint64_t const pointer = thread_pointer();
    uint64_t &entry = thread_cache_entry(pointer);
    uint64_t seen = __atomic_load_n(&entry, __ATOMIC_RELAXED);
    // A CAS, because somebody else's entry may take its place. Relaxed: the mutex orders.
    if ((seen ^ pointer << kCachedNumberBits) < kCachedNumbers)
        __atomic_compare_exchange_n(&entry, &seen, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    if (t_number_plus_one == 0)
        return;
    Guard const guard(g_numbers_mutex);
    uint32_t const number = t_number_plus_one - 1;
    for (ThreadHook *hook = g_first_hook; hook != nullptr; hook = hook->next)
        hook->ended(hook->handle, number);
    give_back(number);
    t_number_plus_one = 0;
}

/// A fork child has one thread.
void in_fork_child(void *) noexcept
{
    g_numbers_mutex.reset();
    for (uint64_t &word : g_taken)
        word = 0;
    for (uint64_t &entry : g_thread_cache)
        __atomic_store_n(&entry, 0, __ATOMIC_RELAXED); // nobody else is there
    if (t_number_plus_one != 0)
        g_taken[(t_number_plus_one - 1) / 64] |= bit((t_number_plus_one - 1) % 64);
}

/// When the library is loaded. Later would be too late: a fork by another thread, while the first one
/// is here, would leave a child with a mutex that nobody resets.
__attribute__((constructor)) void prepare() noexcept
{
    g_fork_hook.in_child = &in_fork_child;
    if (pthread_key_create(&g_key, &at_thread_exit) != 0)
        return;
    g_has_key = register_fork_hook(g_fork_hook).ok();
    if (!g_has_key)
        pthread_key_delete(g_key);
}

/// Takes a number for this thread, for as long as it lives.
uint32_t take_number() noexcept
{
    if (!g_has_key)
        return kNoThreadNumber;
    Guard const guard(g_numbers_mutex);
    uint32_t const number = take_lowest();
    if (number == kNoThreadNumber)
        return number;
    if (pthread_setspecific(g_key, g_taken) != 0) { // any value but NULL: the destructor runs
        give_back(number);
        return kNoThreadNumber;
    }
    t_number_plus_one = number + 1;
    return number;
}
} // namespace

uint64_t g_thread_cache[kThreadPlaces] = {};

// No fork in between: the child would find the list half changed.

void register_thread_hook(ThreadHook &hook) noexcept
{
    NoFork const whole;
    Guard const guard(g_numbers_mutex);
    hook.next = g_first_hook;
    hook.previous = nullptr;
    if (g_first_hook != nullptr)
        g_first_hook->previous = &hook;
    g_first_hook = &hook;
}

void unregister_thread_hook(ThreadHook &hook) noexcept
{
    NoFork const whole;
    Guard const guard(g_numbers_mutex);
    if (hook.previous != nullptr)
        hook.previous->next = hook.next;
    else if (g_first_hook == &hook)
        g_first_hook = hook.next;
    if (hook.next != nullptr)
        hook.next->previous = hook.previous;
    hook.next = hook.previous = nullptr;
}

uint32_t look_up_thread_number() noexcept
{
    uint32_t const number = t_number_plus_one != 0 ? t_number_plus_one - 1 : take_number();
    uint64_t const pointer = thread_pointer();
    if (number < kCachedNumbers && kHasThreadPointer)
        __atomic_store_n(&thread_cache_entry(pointer), pointer << kCachedNumberBits | number,
                         __ATOMIC_RELAXED);
    return number;
}

} // namespace weir
