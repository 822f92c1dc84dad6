// SPDX-License-Identifier: MIT OR Apache-2.0
// The monotonic clock for who asks it millions of times a second.
//
// The C library's clock waits until all loads before it are done, so beside the reading of the
// processor's tick counter it costs whatever cache line is just under way. Here the counter is read
// without that, and added to the last look at the clock: `ns + (ticks since then) * rate`. The rate
// comes from the looks themselves. A look holds for as long as the time from which the rate was
// learnt, at most kLongest.
//
// Off by less than a microsecond, as long as the counter runs evenly: `steady()` says whether it
// does by its maker's word, and a rate that changes by more than a 256th is learnt anew. A jump of the
// counter backwards, or by more than a look holds, ends it. Two calls on two processors, or beside a
// look, may be out of order by that microsecond.
//
// Shared by the threads of a process, a sequence lock: `turn` is odd while one of them writes. A
// reader loads it first (acquire, pairs with the release at the end of look()) and last: whoever loads
// a field (acquire) that somebody stored (release) after he made `turn` odd sees it odd or later. Who
// is stopped while he writes, or a fork child whose parent was writing, leaves `turn` odd: then all
// ask the clock itself.
#pragma once

#include "core/base/base.hpp"
#include "core/base/clock.hpp"

#include <cstdint>

namespace weir {

/// Source: static uint64_t ticks(), Nanoseconds exact(), bool steady().
template <class Source> class QuickClock {
  public:
    Nanoseconds now() noexcept
    {
        uint64_t const turn =
            __atomic_load_n(&turn_, __ATOMIC_ACQUIRE); // pairs with the end of look()
        uint64_t const tick = load(tick_), rate = load(rate_), limit = load(limit_);
        auto const ns = static_cast<Nanoseconds>(load(ns_));
        if (!WEIR_LIKELY(limit != 0))
            return look();
        uint64_t const passed = Source::ticks() - tick;
        if (WEIR_LIKELY((turn & 1) == 0 && passed < limit &&
                        __atomic_load_n(&turn_, __ATOMIC_RELAXED) == turn)) // after the acquires
            return ns + static_cast<Nanoseconds>(passed * rate >> kFraction);
        return look();
    }

    static constexpr Nanoseconds kShortest = 100 * kMicrosecond; ///< to learn a rate from
    static constexpr Nanoseconds kLongest = kMillisecond;        ///< that a look holds
    static constexpr Nanoseconds kForgotten = kSecond;           ///< nobody looked: learn it anew

  private:
    struct Use {
        static constexpr int unknown = 0, yes = 1, never = 2;
    };
    static constexpr unsigned kFraction = 32;
    /// A look that took longer was interrupted, and nobody knows which tick it belongs to.
    static constexpr uint64_t kMostTicks = 1000;
    static constexpr int kMostInterrupted =
        100; ///< in a row: to read the counter is expensive here

    WEIR_COLD Nanoseconds look() noexcept
    {
        if (__atomic_load_n(&use_, __ATOMIC_RELAXED) == Use::never) // it stays so
            return Source::exact();
        uint64_t const before = Source::ticks();
        Nanoseconds const ns = Source::exact();
        uint64_t const took = Source::ticks() - before;
        uint64_t turn = __atomic_load_n(&turn_, __ATOMIC_RELAXED); // the CAS looks again
        // acquire: our stores come after it; pairs with the end of look()
        if ((turn & 1) != 0 || !__atomic_compare_exchange_n(&turn_, &turn, turn + 1, false,
                                                            __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return ns;
        if (is_usable(took))
            learn(before + took / 2, ns);
        else
            store(limit_, 0);
        __atomic_store_n(&turn_, turn + 2, __ATOMIC_RELEASE); // pairs with now() and look()
        return ns;
    }

    void learn(uint64_t tick, Nanoseconds ns) noexcept
    {
        uint64_t const ticks = tick - learnt_at_;
        Nanoseconds const passed = ns - learnt_ns_;
        uint64_t limit = 0;
        if (passed >= kShortest && passed < kForgotten && ticks - 1 < kMostCounted) {
            uint64_t const rate = (static_cast<uint64_t>(passed) << kFraction) / ticks;
            uint64_t const last = load(rate_);
            uint64_t const change = rate > last ? rate - last : last - rate;
            store(rate_, rate);
            limit = last == 0 || change <= last >> 8 ? smaller_limit(ticks, passed) : 0;
        }
        if (passed < 0 || passed >= kLongest || (limit == 0 && passed >= kShortest)) {
            learnt_at_ = tick;
            learnt_ns_ = ns;
        }
        store(tick_, tick);
        store(ns_, static_cast<uint64_t>(ns));
        store(limit_, limit);
    }

    /// In ticks: as long as what was learnt from, or kLongest.
    static uint64_t smaller_limit(uint64_t ticks, Nanoseconds passed) noexcept
    {
        return passed <= kLongest ? ticks : ticks * kLongest / static_cast<uint64_t>(passed);
    }

    bool is_usable(uint64_t took) noexcept
    {
        if (use_ == Use::unknown)
            use(Source::steady() ? Use::yes : Use::never);
        interrupted_ = took > kMostTicks ? interrupted_ + 1 : 0;
        if (interrupted_ == kMostInterrupted)
            use(Use::never);
        return use_ == Use::yes && interrupted_ == 0;
    }
    void use(int how) noexcept { __atomic_store_n(&use_, how, __ATOMIC_RELAXED); }

    static uint64_t load(uint64_t const &field) noexcept
    {
        return __atomic_load_n(&field, __ATOMIC_ACQUIRE); // pairs with store()
    }
    static void store(uint64_t &field, uint64_t value) noexcept
    {
        __atomic_store_n(&field, value, __ATOMIC_RELEASE); // pairs with load()
    }

    /// So that the products fit into 64 bits: 4 s at 10 GHz.
    static constexpr uint64_t kMostCounted = uint64_t{1} << 35;

    uint64_t turn_ = 0;
    uint64_t tick_ = 0, ns_ = 0; ///< the last look
    uint64_t rate_ = 0;          ///< nanoseconds a tick, times 2^kFraction
    uint64_t limit_ = 0;         ///< ticks that the look holds; 0: it does not
    // By the writer alone.
    uint64_t learnt_at_ = 0; ///< the look from which the next rate is learnt
    Nanoseconds learnt_ns_ = 0;
    int interrupted_ = 0;    ///< looks in a row
    int use_ = Use::unknown; ///< who reads it as it was before looks once more
};

/// The monotonic clock, off by at most a microsecond.
Nanoseconds quick_now() noexcept;

} // namespace weir
