// SPDX-License-Identifier: MIT OR Apache-2.0
// How a poster waits for room, and a reader for a message: spinning a little, then giving the
// processor to others, then asleep.
#pragma once

#include "core/base/bits.hpp"
#include "core/base/clock.hpp"
#include "core/base/waiting.hpp"
#include "core/matrix/matrix.hpp"

namespace weir {

/// How long it pays to spin: twice as long after spinning was enough, half after it was not. One
/// per handle; threads share it. Relaxed: a guess.
class SpinBudget {
  public:
    /// Pauses, before it sleeps.
    int turns() const noexcept { return __atomic_load_n(&turns_, __ATOMIC_RELAXED); }
    void was_enough() noexcept { set(turns() * 2); }
    void was_not() noexcept { set(turns() / 2); }

  private:
#ifdef WEIR_EXPLORE
    static constexpr int kLeast = 2, kFirst = 2, kMost = 4; // each more shows nothing new
#else
    static constexpr int kLeast = 16, kFirst = 128, kMost = 1024;
#endif
    void set(int turns) noexcept
    {
        int const bounded = turns < kLeast ? kLeast : turns > kMost ? kMost : turns;
        __atomic_store_n(&turns_, bounded, __ATOMIC_RELAXED);
    }
    int turns_ = kFirst;
};

/// Whether to let others run before falling asleep. If the other side waits for our processor, it goes
/// on at once, and has nobody to wake afterwards. But if a stranger waits for it, we may get it back
/// after a whole slice of the scheduler's; after such a yield some waits go without, twice as many each
/// time. One per handle; threads share it. Relaxed: a guess.
class YieldBudget {
  public:
#ifdef WEIR_EXPLORE
    static constexpr int kTimes = 0; // a look more, as each turn of the spinning is one
#else
    static constexpr int kTimes = 4;
#endif
    /// Alone: nobody waited for the processor. Too long: not once more.
    enum class Outcome { alone, used, too_long };

    /// Of a wait that begins.
    bool pays() noexcept
    {
        int const left = __atomic_load_n(&waits_without_, __ATOMIC_RELAXED);
        if (left != 0)
            __atomic_store_n(&waits_without_, left - 1, __ATOMIC_RELAXED);
        return left == 0;
    }
    /// `well_used()`: whether a long one was for others of the channel.
    template <class WellUsed> Outcome yield(WellUsed well_used) noexcept
    {
        Nanoseconds const began = monotonic_now();
        yield_processor();
        Nanoseconds const took = monotonic_now() - began;
        bool const was_long = took > kLong && !well_used();
        learn(was_long);
        return was_long ? Outcome::too_long : took < kAlone ? Outcome::alone : Outcome::used;
    }
    void learn(bool was_long) noexcept
    {
        int const penalty = __atomic_load_n(&penalty_, __ATOMIC_RELAXED);
        if (was_long)
            __atomic_store_n(&waits_without_, penalty, __ATOMIC_RELAXED);
        int const next = was_long ? smaller(penalty * 2, kMost) : larger(penalty / 2, kLeast);
        __atomic_store_n(&penalty_, next, __ATOMIC_RELAXED);
    }

    static constexpr int kLeast = 16, kMost = 4096; ///< waits without, after a long one

  private:
    /// Less than it takes to go to another thread and back.
    static constexpr Nanoseconds kAlone = kMicrosecond;
    /// Less than a slice, and enough for the others to empty or to fill a ring.
    static constexpr Nanoseconds kLong = 500 * kMicrosecond;

    int waits_without_ = 0;
    int penalty_ = kLeast; ///< waits without, after the next long one
};

/// What a handle has learnt about its waits.
struct WaitBudget {
    SpinBudget spins;
    YieldBudget yields;
};

/// The longest sleep before a look for dead participants.
inline constexpr Nanoseconds kSlice = 250 * kMillisecond;
/// While a peer scribbles over the word to sleep on.
inline constexpr Nanoseconds kBlindSlice = kMillisecond;
/// Wake-ups in vain before a look for dead participants.
inline constexpr unsigned kVainWakes = 1000;

/// Between two looks of who waits for room. Each look takes away the line that the next reader
/// needs, so who waits long looks seldom, and finds room for several messages then.
inline constexpr int kPausesForRoom = 64;
inline constexpr int kPausesForMessage = 1;
/// While spinning, so many looks come to an attempt that is made though it does not look promising.
#ifdef WEIR_EXPLORE
inline constexpr unsigned kLooksPerAttempt = 2; // as there are fewer turns
#else
inline constexpr unsigned kLooksPerAttempt = 4;
#endif

/// What somebody waits for.
template <class Attempt, class Promising, class WellUsed> struct Wanted {
    Attempt attempt;     ///< EAGAIN: not yet
    Promising promising; ///< a cheap look; an attempt in vain disturbs those who would end the wait
    WellUsed well_used;  ///< see YieldBudget
    int most_pauses;     ///< between two looks while spinning; the first is 1, each doubles
};
template <class Attempt, class Promising, class WellUsed>
Wanted(Attempt, Promising, WellUsed, int) -> Wanted<Attempt, Promising, WellUsed>;

/// EAGAIN: spinning was in vain.
template <class What>
Status try_spinning(WaitBudget &budget, Deadline const &deadline, What &what) noexcept
{
    int pauses = 1;
    unsigned looks = 0;
    for (int i = budget.spins.turns(); i > 0; i -= pauses) {
        for (int k = 0; k < pauses; ++k)
            spin_pause();
        bool const tries = ++looks % kLooksPerAttempt == 0 || what.promising();
        if (Status const done = tries ? what.attempt() : error(EAGAIN); done.code != -EAGAIN) {
            budget.spins.was_enough();
            return done;
        }
        if ((i & 15) < pauses && deadline.passed())
            break;
        pauses = smaller(pauses * 2, what.most_pauses);
    }
    return error(EAGAIN);
}

/// After the spinning. EAGAIN: it is time to sleep.
template <class What>
WEIR_COLD Status try_yielding(WaitBudget &budget, Deadline const &deadline, What &what) noexcept
{
    for (int i = budget.yields.pays() ? YieldBudget::kTimes : 0; i > 0 && !deadline.passed(); --i) {
        auto const yielded = budget.yields.yield(what.well_used);
        if (Status const done = what.attempt(); done.code != -EAGAIN) {
            if (yielded == YieldBudget::Outcome::alone)
                budget.spins.was_enough(); // nearly
            else
                budget.spins.was_not(); // others need the processor
            return done;
        }
        if (yielded == YieldBudget::Outcome::too_long)
            break;
    }
    return error(EAGAIN);
}

/// Makes attempts until one is not EAGAIN, sleeping on `word` in between. Who was woken always
/// tries once more before he gives up.
template <class Enter, class What>
Status wait_for(atomic<uint32_t> &word, WaitBudget &budget, Nanoseconds timeout, Matrix &matrix,
                Enter enter, What what) noexcept
{
    Status done = what.attempt();
    if (done.code != -EAGAIN || timeout == 0)
        return done;
    Deadline const deadline(timeout);
    if (done = try_spinning(budget, deadline, what); done.code != -EAGAIN)
        return done;
    if (done = try_yielding(budget, deadline, what); done.code != -EAGAIN)
        return done;
    budget.spins.was_not();
    Waiting waiting(word);
    for (unsigned turn = 1;; ++turn) {
        WEIR_TRY(enter());
        done = what.attempt(); // first: an announcement costs who wakes us
        if (done.code != -EAGAIN)
            return done;
        uint32_t seen = 0;
        bool const announced = waiting.announce(seen);
        WEIR_TRY(enter()); // [F] as below: who retired it may have woken us before we slept
        if (done = what.attempt(); done.code != -EAGAIN) // [F] after the announcement
            return done;
        Nanoseconds const left = deadline.left();
        if (left == 0)
            return error(ETIMEDOUT);
        if (announced)
            waiting.sleep(seen, smaller(left, kSlice));
        else
            sleep_for(smaller(left, kBlindSlice));
        if (waiting.begin() == seen || turn % kVainWakes == 0)
            matrix.heal_dead(); // nobody woke us: perhaps he who should have is dead
    }
}

} // namespace weir
