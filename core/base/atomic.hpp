// SPDX-License-Identifier: MIT OR Apache-2.0
// weir::atomic: the only atomic type of the core, with every memory order written out.
//
// Two reasons for a type of our own. First, no operation has a default order, so nothing is
// seq_cst by accident. Second, the same source compiles for the explorer: with WEIR_EXPLORE
// defined, every access first asks the scheduler which fibre goes on (tests/explore), so the
// explorer drives the code that ships and not a model of it.
#pragma once

#include <cstdint>
#include <type_traits>

namespace weir {

enum class Order : int {
    relaxed = __ATOMIC_RELAXED,
    acquire = __ATOMIC_ACQUIRE,
    release = __ATOMIC_RELEASE,
    acq_rel = __ATOMIC_ACQ_REL,
    seq_cst = __ATOMIC_SEQ_CST,
};

inline constexpr Order relaxed = Order::relaxed;
inline constexpr Order acquire = Order::acquire;
inline constexpr Order release = Order::release;
inline constexpr Order acq_rel = Order::acq_rel;
inline constexpr Order seq_cst = Order::seq_cst;

#ifdef WEIR_EXPLORE
namespace explore {
enum class Access { load, store, read_modify_write };
/// Called before each access: a scheduling point, where the fibre may be preempted or die.
void before(void const *address, Access access) noexcept;
/// Called after each access with the value that was read or written, for traces.
/// `changed` says whether memory is different now (then waiting fibres look again).
void after(void const *address, Access access, uint64_t value, bool changed) noexcept;
/// The three accesses that most are, between the two: one call each is less to compile and to run.
/// Of 4 and 8 bytes; all are sequentially consistent, as whatever one thread does.
template <class Raw> Raw load(Raw const &word) noexcept;
template <class Raw> void store(Raw &word, Raw value) noexcept;
template <class Raw> bool compare_exchange(Raw &word, Raw &found, Raw desired) noexcept;
} // namespace explore
#endif

/// What was loaded before it was loaded before what comes after it, also if it was no atomic.
inline void acquire_fence() noexcept
{
#if defined(__SANITIZE_THREAD__)
    // Not known to TSan, which looks at one process; the memory that needs it is other processes'.
    asm volatile("" ::: "memory");
#else
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
}

/// What was stored before it is visible before what is stored after it, also if it was no atomic.
inline void release_fence() noexcept
{
#if defined(__SANITIZE_THREAD__)
    asm volatile("" ::: "memory"); // not known to TSan, see acquire_fence()
#else
    __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

/// What was stored before it is visible to all before anything that comes after it is loaded.
inline void full_fence() noexcept
{
#if defined(__SANITIZE_THREAD__)
    // TSan does not know fences, and runs on machines where each seq_cst operation is one.
    asm volatile("" ::: "memory");
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/// An atomic of 4 or 8 bytes: an integer, or a struct that wraps one. It may live in shared
/// memory: it is address-free, its size is that of T, and zero bytes are a valid value.
template <class T> class atomic {
    static_assert(std::is_trivially_copyable_v<T>);
    static_assert(sizeof(T) == 4 || sizeof(T) == 8);
    using Raw = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;

  public:
    atomic() noexcept = default;
    atomic(atomic const &) = delete;
    atomic &operator=(atomic const &) = delete;

    T load(Order order) const noexcept
    {
#ifdef WEIR_EXPLORE
        static_cast<void>(order);
        return from(explore::load(raw_));
#else
        return from(__atomic_load_n(&raw_, static_cast<int>(order)));
#endif
    }

    void store(T value, Order order) noexcept
    {
#ifdef WEIR_EXPLORE
        static_cast<void>(order);
        explore::store(raw_, to(value));
#else
        __atomic_store_n(&raw_, to(value), static_cast<int>(order));
#endif
    }

    /// On failure `expected` receives the value that was found.
    bool compare_exchange(T &expected, T desired, Order success, Order failure) noexcept
    {
        Raw found = to(expected);
#ifdef WEIR_EXPLORE
        static_cast<void>(success), static_cast<void>(failure);
        bool const done = explore::compare_exchange(raw_, found, to(desired));
#else
        bool const done =
            __atomic_compare_exchange_n(&raw_, &found, to(desired), false,
                                        static_cast<int>(success), static_cast<int>(failure));
#endif
        if (!done)
            expected = from(found);
        return done;
    }

    /// Adds where nobody else writes: no read-modify-write. A load, which is relaxed, and a store.
    void add_alone(T value, Order order) noexcept
    {
#if defined(__x86_64__) && !defined(WEIR_EXPLORE) && !defined(__SANITIZE_THREAD__)
        // One instruction, where three would come of it; every store of this machine is a release.
        // Its suffix is said: beside a constant the assembler would take four bytes for eight.
        static_cast<void>(order);
        static_assert(sizeof raw_ == 8 || sizeof raw_ == 4);
        if constexpr (sizeof raw_ == 8)
            asm volatile("addq %1, %0" : "+m"(raw_) : "re"(to(value)) : "cc", "memory");
        else
            asm volatile("addl %1, %0" : "+m"(raw_) : "re"(to(value)) : "cc", "memory");
#else
        store(load(relaxed) + value, order);
#endif
    }

    T exchange(T value, Order order) noexcept
    {
        before(Rmw);
        Raw const old = __atomic_exchange_n(&raw_, to(value), static_cast<int>(order));
        after(Rmw, to(value), old != to(value));
        return from(old);
    }

    T fetch_add(T value, Order order) noexcept
    {
        before(Rmw);
        Raw const old = __atomic_fetch_add(&raw_, to(value), static_cast<int>(order));
        after(Rmw, old + to(value), true);
        return from(old);
    }

    T fetch_sub(T value, Order order) noexcept
    {
        before(Rmw);
        Raw const old = __atomic_fetch_sub(&raw_, to(value), static_cast<int>(order));
        after(Rmw, old - to(value), true);
        return from(old);
    }

    T fetch_or(T value, Order order) noexcept
    {
        before(Rmw);
        Raw const old = __atomic_fetch_or(&raw_, to(value), static_cast<int>(order));
        after(Rmw, old | to(value), (old | to(value)) != old);
        return from(old);
    }

    T fetch_and(T value, Order order) noexcept
    {
        before(Rmw);
        Raw const old = __atomic_fetch_and(&raw_, to(value), static_cast<int>(order));
        after(Rmw, old & to(value), (old & to(value)) != old);
        return from(old);
    }

    /// For futex system calls alone.
    Raw const *address() const noexcept { return &raw_; }

  private:
    static Raw to(T value) noexcept { return __builtin_bit_cast(Raw, value); }
    static T from(Raw raw) noexcept { return __builtin_bit_cast(T, raw); }

#ifdef WEIR_EXPLORE
    static constexpr auto Rmw = explore::Access::read_modify_write;
    void before(explore::Access a) const noexcept { explore::before(&raw_, a); }
    void after(explore::Access a, uint64_t value, bool changed) const noexcept
    {
        explore::after(&raw_, a, value, changed);
    }
#else
    enum Access { Rmw };
    static void before(Access) noexcept {}
    static void after(Access, Raw, bool) noexcept {}
#endif

    Raw raw_;
};

static_assert(sizeof(atomic<uint64_t>) == 8 && sizeof(atomic<uint32_t>) == 4);

/// A plain field of shared memory, or of a caller's, read once: others may change it between a check
/// and a use.
template <class T> T read_once(T const &field) noexcept
{
    return __atomic_load_n(&field, __ATOMIC_RELAXED);
}

} // namespace weir
