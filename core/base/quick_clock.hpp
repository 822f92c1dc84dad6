// SPDX-License-Identifier: MIT OR Apache-2.0
// The monotonic clock for who asks it millions of times a second.
//
// The C library's clock waits until all loads before it are done, so beside the reading of the
// processor's tick counter it costs whatever cache line is just under way. Here the counter is read
// without that, and added to the last look at the clock: `ns + (ticks since then) * rate`. The rate
// comes from the looks themselves. A look holds for as long as the time from which the rate was
// learnt, at most a millisecond.
//
// Off by less than a microsecond, ahead or behind, as long as the counter runs evenly (`steady()`: by
// its maker's word) and the slewing of the clock changes by at most 500 ppm, as NTP's does. If the
// rate changes by more than a 256th, it is learnt anew; until then, at most a millisecond, the time may
// be off by what the clock was slewed. A jump of the counter is noticed if it is longer than a look
// holds, or leads to before the last look.
//
// Shared by the threads of a process, a sequence lock: `turn` is odd while one of them writes. A
// reader loads it first (acquire, pairs with the release at the end of look()) and last: whoever loads
// a field (acquire) that somebody stored (release) after he made `turn` odd sees it odd or later. Who
// is stopped while he writes, or a fork child whose parent was writing, leaves `turn` odd: then all
// ask the clock itself.
#pragma once

#include "core/base/base.hpp"
#include "core/base/bits.hpp"
#include "core/base/clock.hpp"

#include <cstdint>

namespace weir {

/// Source: static uint64_t ticks(), Nanoseconds exact(), bool steady(). A look holds for `kLongest`.
template <class Source, Nanoseconds kLongest = kMillisecond> class QuickClock {
  public:
    Nanoseconds now() noexcept
    {
        uint64_t const turn = __atomic_load_n(&turn_, __ATOMIC_ACQUIRE); // the end of look()
        uint64_t const tick = load(tick_), rate = load(rate_), limit = load(limit_);
        auto const ns = static_cast<Nanoseconds>(load(ns_));
        if (WEIR_LIKELY(limit != 0 && (turn & 1) == 0)) {
            uint64_t const passed = Source::ticks() - tick;
            // relaxed: after the acquires
            if (WEIR_LIKELY(passed < limit && __atomic_load_n(&turn_, __ATOMIC_RELAXED) == turn))
                return ns + static_cast<Nanoseconds>(passed * rate >> kFraction);
        }
        return look();
    }

  private:
    static constexpr Nanoseconds kShortest = kLongest / 10; ///< to learn a rate from
    static constexpr Nanoseconds kEnough = kLongest * 8;    ///< then from a later look on
    static constexpr Nanoseconds kForgotten = kSecond;      ///< nobody looked: learn it anew
    static constexpr unsigned kFraction = 32;
    /// So that the products fit into 64 bits: 4 s at 8 GHz.
    static constexpr uint64_t kMostCounted = uint64_t{1} << 35;
    /// A look that took much longer than the shortest was interrupted: nobody knows which tick it
    /// belongs to.
    static constexpr uint64_t kInterrupted = 4;
    static constexpr int kMostInterrupted = 100; ///< in a row; then looks take that long now
    static constexpr uint64_t kMostTicks = 1000; ///< for a look; else the counter is slow to read

    static constexpr int kUnknown = 0, kAlways = 1, kNever = 2; ///< to use the counter

    struct Look {
        uint64_t tick;
        Nanoseconds ns;
        uint64_t took;
    };
    static Look measure() noexcept
    {
        uint64_t const before = Source::ticks();
        Nanoseconds const ns = Source::exact();
        uint64_t const took = Source::ticks() - before;
        return {before + took / 2, ns, took};
    }

    WEIR_COLD Nanoseconds look() noexcept
    {
        if (__atomic_load_n(&use_, __ATOMIC_RELAXED) == kNever) // it stays so
            return Source::exact();
        // Before the look, so that the CAS tells a later one of somebody else. acquire: its end
        uint64_t turn = __atomic_load_n(&turn_, __ATOMIC_ACQUIRE);
        Look seen = measure();
        if (!is_whole(seen.took)) // after a rest the clock's code and data were far away
            seen = measure();
        // acquire: our stores come after it
        if ((turn & 1) != 0 || !__atomic_compare_exchange_n(&turn_, &turn, turn + 1, false,
                                                            __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return seen.ns;
        if (is_usable(seen.took))
            learn(seen.tick, seen.ns);
        __atomic_store_n(&turn_, turn + 2, __ATOMIC_RELEASE); // pairs with now() and look()
        return seen.ns;
    }

    bool is_whole(uint64_t took) const noexcept
    {
        // relaxed: somebody else may be changing it; the writer looks again
        return took / kInterrupted <= __atomic_load_n(&fastest_, __ATOMIC_RELAXED) &&
               took <= kMostTicks;
    }
    bool is_usable(uint64_t took) noexcept
    {
        if (use_ == kUnknown)
            use(Source::steady() ? kAlways : kNever);
        bool const whole = is_whole(took);
        interrupted_ = whole ? 0 : interrupted_ + 1;
        fastest_of_row_ = whole ? UINT64_MAX : smaller(fastest_of_row_, took);
        if (whole)
            set_fastest(smaller(fastest_, took));
        if (interrupted_ == kMostInterrupted) {
            if (fastest_of_row_ > kMostTicks)
                use(kNever);
            set_fastest(fastest_of_row_);
            fastest_of_row_ = UINT64_MAX; // a lucky one must not count for the next row too
            interrupted_ = 0;
        }
        return whole && use_ == kAlways;
    }
    void set_fastest(uint64_t took) noexcept
    {
        __atomic_store_n(&fastest_, took, __ATOMIC_RELAXED); // see is_whole()
    }
    void use(int how) noexcept
    {
        __atomic_store_n(&use_, how, __ATOMIC_RELAXED); // who sees it late looks once more
        if (how == kNever)
            look_from(0, 0, 0, 0);
    }

    void learn(uint64_t tick, Nanoseconds ns) noexcept
    {
        uint64_t const ticks = tick - learnt_at_;
        Nanoseconds const passed = ns - learnt_ns_;
        if (learnt_ns_ == 0 || passed < 0 || passed >= kForgotten || ticks - 1 >= kMostCounted ||
            tick < load(tick_))
            return begin(tick, ns);
        if (passed < kShortest)
            return; // the last look holds as long as it did
        uint64_t const rate = (static_cast<uint64_t>(passed) << kFraction) / ticks;
        uint64_t const last = load(rate_);
        if (last != 0 && (rate > last ? rate - last : last - rate) > last >> 8)
            return begin(tick, ns);
        uint64_t const held =
            passed <= kLongest ? ticks : ticks * kLongest / static_cast<uint64_t>(passed);
        look_from(tick, ns, rate, held);
        if (passed >= kEnough)
            learn_from(tick, ns);
    }
    void begin(uint64_t tick, Nanoseconds ns) noexcept
    {
        look_from(tick, ns, 0, 0);
        learn_from(tick, ns);
    }
    void learn_from(uint64_t tick, Nanoseconds ns) noexcept
    {
        learnt_at_ = tick;
        learnt_ns_ = ns;
    }
    void look_from(uint64_t tick, Nanoseconds ns, uint64_t rate, uint64_t limit) noexcept
    {
        store(tick_, tick);
        store(ns_, static_cast<uint64_t>(ns));
        store(rate_, rate);
        store(limit_, limit);
    }

    static uint64_t load(uint64_t const &field) noexcept
    {
        return __atomic_load_n(&field, __ATOMIC_ACQUIRE); // pairs with store()
    }
    static void store(uint64_t &field, uint64_t value) noexcept
    {
        __atomic_store_n(&field, value, __ATOMIC_RELEASE); // pairs with load()
    }

    uint64_t turn_ = 0;
    uint64_t tick_ = 0, ns_ = 0; ///< the last look
    uint64_t rate_ = 0;          ///< nanoseconds a tick, times 2^kFraction
    uint64_t limit_ = 0;         ///< ticks that the look holds; 0: it does not
    // Written by the writer alone, and read but where it says otherwise.
    uint64_t learnt_at_ = 0; ///< the look from which the rate is learnt
    Nanoseconds learnt_ns_ = 0;
    uint64_t fastest_ = UINT64_MAX; ///< look, in ticks; others read it
    uint64_t fastest_of_row_ = UINT64_MAX;
    int interrupted_ = 0; ///< looks in a row
    int use_ = kUnknown;  ///< others read it
};

/// The monotonic clock, off by less than a microsecond; see above.
Nanoseconds quick_now() noexcept;

} // namespace weir
