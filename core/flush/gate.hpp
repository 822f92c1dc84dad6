// SPDX-License-Identifier: MIT OR Apache-2.0
// Sleeping and locking between the threads of a ring: an eventcount, and a lock that the explorer
// can see (a pthread mutex would stop its one thread).
#pragma once

#include "core/base/base.hpp"
#include "core/base/futex.hpp"

#include <cstdint>

namespace weir {

namespace explore {
class FlushWorld;
}

inline constexpr Nanoseconds kForEver = INT64_MAX;

/// An eventcount. The sleeper: enter() [S], look again, sleep(), leave(). Who changed something,
/// by a seq_cst operation or before one: wake_*() [W]. Either the sleeper's second look sees the
/// change, or the waker sees the sleeper, or the sleep ends at once because the count is another.
class alignas(kCacheLine) Gate {
  public:
    uint32_t enter() noexcept
    {
        sleepers_.fetch_add(1, seq_cst); // [S] pairs with [W] in wake_all() and wake_one()
        return count_.load(seq_cst);
    }
    void leave() noexcept { sleepers_.fetch_sub(1, relaxed); } // a hint that is one too high
    void sleep(uint32_t seen, Nanoseconds limit) const noexcept { futex_wait(count_, seen, limit); }

    void wake_all() noexcept
    {
        count_.fetch_add(1, seq_cst);     // [W] pairs with [S]
        if (sleepers_.load(seq_cst) != 0) // [W]
            futex_wake_all(count_);
    }
    void wake_one() noexcept
    {
        count_.fetch_add(1, seq_cst);     // [W] pairs with [S]
        if (sleepers_.load(seq_cst) != 0) // [W]
            static_cast<void>(futex_wake_one(count_));
    }
    bool has_sleepers() const noexcept { return sleepers_.load(seq_cst) != 0; }

  private:
    atomic<uint32_t> count_;    ///< futex; changed by every wake-up
    atomic<uint32_t> sleepers_; ///< how many are between enter() and leave()
};

/// A lock: 0 free, 1 held, 2 held and somebody may sleep (U. Drepper, "Futexes Are Tricky", 2011).
class alignas(kCacheLine) Lock {
    friend class explore::FlushWorld;

  public:
    /// seq_cst: who fails has looked after all he did before (the wake-up of a leader needs that).
    bool try_lock() noexcept
    {
        uint32_t expected = 0;
        return word_.compare_exchange(expected, 1, seq_cst, seq_cst); // pairs with unlock()
    }
    void lock() noexcept
    {
        if (try_lock())
            return;
        while (word_.exchange(2, acquire) != 0) // pairs with unlock()
            futex_wait(word_, 2, kForEver);
    }
    void unlock() noexcept
    {
        if (word_.exchange(0, seq_cst) == 2) // pairs with lock() and try_lock()
            static_cast<void>(futex_wake_one(word_));
    }
    bool is_held() const noexcept { return word_.load(seq_cst) != 0; }

  private:
    atomic<uint32_t> word_;
};

class Locked {
  public:
    explicit Locked(Lock &lock) noexcept : lock_(lock) { lock_.lock(); }
    Locked(Locked const &) = delete;
    Locked &operator=(Locked const &) = delete;
    ~Locked() { lock_.unlock(); }

  private:
    Lock &lock_;
};

} // namespace weir
