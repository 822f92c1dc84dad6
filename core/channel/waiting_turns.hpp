// SPDX-License-Identifier: MIT OR Apache-2.0
// How a poster waits for room, and a reader for a message: spinning a little, then asleep.
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

/// The longest sleep before a look for dead participants.
inline constexpr Nanoseconds kSlice = 250 * kMillisecond;
/// While a peer scribbles over the word to sleep on.
inline constexpr Nanoseconds kBlindSlice = kMillisecond;
/// Wake-ups in vain before a look for dead participants.
inline constexpr unsigned kVainWakes = 1000;

/// Between two looks of who waits for room. Each look takes away the line that the next reader
/// needs, so who waits long looks seldom, and finds room for several messages then.
inline constexpr int kPausesForRoom = 64;

/// Tries `attempt` until it is not EAGAIN, sleeping on `word` in between. Who was woken always
/// tries once more before he gives up. `most_pauses`: between two tries without sleep; it begins
/// with one, and doubles.
template <class Attempt, class Enter>
Status wait_for(atomic<uint32_t> &word, SpinBudget &spins, Nanoseconds timeout, Matrix &matrix,
                Enter enter, Attempt attempt, int most_pauses = 1) noexcept
{
    Status done = attempt();
    if (done.code != -EAGAIN || timeout == 0)
        return done;
    Deadline const deadline(timeout);
    int pauses = 1;
    for (int i = spins.turns(); i > 0; i -= pauses) {
        for (int k = 0; k < pauses; ++k)
            spin_pause();
        if (done = attempt(); done.code != -EAGAIN) {
            spins.was_enough();
            return done;
        }
        if ((i & 15) < pauses && deadline.passed())
            break;
        pauses = smaller(pauses * 2, most_pauses);
    }
    spins.was_not();
    Waiting waiting(word);
    for (unsigned turn = 1;; ++turn) {
        WEIR_TRY(enter());
        if (done = attempt(); done.code != -EAGAIN) // first: an announcement costs who wakes us
            return done;
        uint32_t seen = 0;
        bool const announced = waiting.announce(seen);
        WEIR_TRY(enter()); // [F] as below: who retired it may have woken us before we slept
        if (done = attempt(); done.code != -EAGAIN) // [F] after the announcement
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
