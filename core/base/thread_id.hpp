// SPDX-License-Identifier: MIT OR Apache-2.0
// A small number per thread, for as long as it lives: it finds its lane and its counters by it.
#pragma once

#include "core/base/base.hpp"

#include <cstdint>

namespace weir {

/// Numbers are 0 … kThreadNumbers - 1, the lowest free one first. More threads than that have none.
inline constexpr uint32_t kThreadNumbers = 1024;
inline constexpr uint32_t kNoThreadNumber = 0xffff;

/// Tables by thread_place() have so many entries.
inline constexpr unsigned kThreadPlaceShift = 6;
inline constexpr unsigned kThreadPlaces = 1u << kThreadPlaceShift;

/// What has to know that a thread ends. Lives inside its handle, in an intrusive list.
struct ThreadHook {
    /// By the thread that ends, before another one can have its number.
    void (*ended)(void *handle, uint32_t number) noexcept = nullptr;
    void *handle = nullptr;
    ThreadHook *next = nullptr;
    ThreadHook *previous = nullptr;
};
void register_thread_hook(ThreadHook &hook) noexcept;
void unregister_thread_hook(ThreadHook &hook) noexcept;

#ifdef WEIR_EXPLORE
/// The explorer's fibres are the threads.
uint32_t thread_number() noexcept;
inline uint64_t thread_pointer() noexcept { return uint64_t{thread_number()} + 1; }
inline unsigned thread_place(uint64_t pointer) noexcept { return pointer % kThreadPlaces; }
inline uint64_t cached_thread_number() noexcept { return thread_number(); }
inline uint32_t known_thread_number() noexcept { return thread_number(); }
#else

/// Finds or takes the calling thread's number, and puts it into the cache.
uint32_t look_up_thread_number() noexcept;

/// Numbers below kCachedNumbers by thread pointer: a thread_local of a shared library costs a
/// function call, as much as a tenth of an allocation. thread pointer << 7 | number, or 0; the bits
/// that the shift loses are those of no address (aarch64: 52 bits, x86-64: 56). Relaxed: a thread
/// believes only what stands beside its own thread pointer, which no other live thread has.
inline constexpr unsigned kCachedNumberBits = 7;
inline constexpr uint32_t kCachedNumbers = 1u << kCachedNumberBits;
extern uint64_t g_thread_cache[kThreadPlaces];

#if defined(__x86_64__) || defined(__aarch64__)
inline constexpr bool kHasThreadPointer = true;
#else
inline constexpr bool kHasThreadPointer = false;
#endif

/// Not 0, if there is one: no two live threads have the same.
inline uint64_t thread_pointer() noexcept
{
    uint64_t value;
#if defined(__x86_64__)
    asm("mov %%fs:0, %0" : "=r"(value)); // its first word points to itself (System V ABI)
#elif defined(__aarch64__)
    asm("mrs %0, tpidr_el0" : "=r"(value));
#else
    value = 0;
#endif
    return value;
}

/// Of 0 … kThreadPlaces - 1; threads may share it.
inline unsigned thread_place(uint64_t pointer) noexcept
{
    // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4)
    return static_cast<unsigned>(pointer * 0x9e3779b97f4a7c15 >> (64 - kThreadPlaceShift));
}

inline uint64_t &thread_cache_entry(uint64_t pointer) noexcept
{
    return g_thread_cache[thread_place(pointer)];
}

/// What the cache knows: the number, or something that is at least kCachedNumbers. No call.
inline uint64_t cached_thread_number() noexcept
{
    if (!kHasThreadPointer)
        return UINT64_MAX;
    uint64_t const pointer = thread_pointer();
    uint64_t const entry = __atomic_load_n(&thread_cache_entry(pointer), __ATOMIC_RELAXED);
    return entry ^ pointer << kCachedNumberBits;
}

/// The number if it stands in the cache, else kNoThreadNumber: for who then has another way, and
/// wants no call in the usual one.
inline uint32_t known_thread_number() noexcept
{
    uint64_t const number = cached_thread_number();
    return WEIR_LIKELY(number < kCachedNumbers) ? static_cast<uint32_t>(number) : kNoThreadNumber;
}

/// No two live threads of a process have the same number, but for kNoThreadNumber. What a thread
/// did with its number happens before what the next one does that has it.
inline uint32_t thread_number() noexcept
{
    uint64_t const cached = cached_thread_number();
    return WEIR_LIKELY(cached < kCachedNumbers) ? static_cast<uint32_t>(cached)
                                                : look_up_thread_number();
}
#endif

} // namespace weir
