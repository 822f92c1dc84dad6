// SPDX-License-Identifier: MIT OR Apache-2.0
// explore: runs every interleaving, and every death, of the core's own code. Start here.
//
// What it is
//   The core is compiled with WEIR_EXPLORE: each access of a weir::atomic calls before() and
//   after() below (core/base/atomic.hpp). The threads and processes of a scenario are fibres of one
//   thread, and before() is the place where another fibre may go on, or where this one dies as by
//   SIGKILL. The explorer takes the scenario again and again from its first step, depth-first over
//   all choices with at most 0, 1 … P preemptions, D deaths and S stops, or at random.
//   Memory is sequentially consistent here: missing memory orders are ThreadSanitizer's business.
//
// Glossary
//   scenario    memory, a few fibres with a few operations each, and what must hold
//   fibre       one participant: a process with one thread, or one of the threads of a process.
//               Named a, b, c … in order of spawn()
//   step        one access of an atomic, one call into a seam (lock, futex), or one forced switch
//   preemption  a switch away from a fibre that could have gone on. A switch because a fibre ended,
//               died or waits is free
//   death       the fibre never runs again; its slot's lock is dropped
//   stop        the fibre runs again only when all others have ended (SIGSTOP, a page fault)
//   phase       what one run_all() runs. Usually: the operations; a healer, which may die; a
//               second healer; then the checks at rest
//   seed        the choices of one schedule that were not the obvious ones: `12b40x` is "at step 12
//               switch to b, at step 40 whoever runs dies"; s is stopped, z spins on.
//               `explore replay SCENARIO SEED` shows it
//
// How to read a trace
//   `  40 a  cas   small.word[2] := CLAIMED(a, 2, gen 1)`: step, fibre, access, place, the value
//   that was read or that is there now. `cas failed` shows the value that was found. Lines with
//   `***` are switches, deaths, and the failure; the last lines are what was seen at rest.
//
// What is left out of the search, and why nothing is lost
//   * A fibre is not preempted before an access that no other fibre of the phase can notice (nobody
//     else writes what it loads, or touches what it writes): the same schedule exists with the
//     switch at its next access. Who touches what is learnt: the search starts again when it has
//     seen a new pair. Words watched by every_step() always count.
//   * A fibre dies only before an access that can write, before a system call, and at its end: to
//     die before a load is to die before the next write.
//   * A fibre that spins on (may_spin_on) is not preempted until it writes: what it loads is what it
//     has loaded before.
//   * A fibre that waits (spin_pause, yield, sleep) is put aside until somebody else has changed
//     memory. Virtual time goes on by itself only when everybody waits.
//
// How to add a scenario
//   Derive from Scenario (or from MatrixWorld, ChannelWorld …), write prepare() and run(), and
//   register it in the table of its file. See scenarios_index.cpp for the smallest one.
//   A new check is worth nothing before it was seen to fail: add a row to a file of broken/.
#pragma once

#include "core/base/atomic.hpp"
#include "core/base/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::explore {

inline constexpr int kMaxFibres = 8;
inline constexpr int kNoFibre = -1;

struct Bounds {
    int preemptions = 2;
    int deaths = 0;
    int stops = 0;
    uint64_t max_schedules = UINT64_MAX;
    double seconds = 1e9; ///< of the processor
};

struct Outcome {
    uint64_t schedules = 0;
    uint64_t steps = 0;
    double seconds = 0;
    bool complete = false; ///< everything within the bounds was run
    bool failed = false;
    std::string why;
    std::string seed;
};

/// The memory that fibres share: formatted once, restored before each schedule.
class Scenario {
  public:
    virtual ~Scenario() = default;

    /// Formats memory and attaches the participants; called once.
    virtual void prepare() = 0;
    /// One schedule: spawn(), run_all() (perhaps several times), checks at rest.
    virtual void run() = 0;

    /// After each change of shared memory: `address` was written by fibre `who`.
    virtual void changed(void const *address, int who) { (void)address, (void)who; }
    virtual void died(int who) { (void)who; }
    /// Whether somebody may die or be stopped now.
    virtual bool may_die() const { return true; }
    /// A sleeper's time ran out and nobody else could run: was it forgotten?
    virtual void overslept(int who) { (void)who; }
    /// The same for one who has given up spinning and sleeps until others change something: all
    /// wait for each other, and only their patience ends it.
    virtual void stalled(int who) { (void)who; }

    /// For traces.
    std::string name_of(void const *address) const;
    virtual std::string value_of(void const *address, uint64_t value) const;
    /// The elements of `size` bytes from `begin` on are called `label[0]`, `label[1]` …
    void name(void const *begin, std::size_t count, std::size_t size, std::string label);

    /// Reserves the shared image, zeroed and aligned. Once, in prepare(). Only the first `live`
    /// bytes are restored, and are steps when they are accessed.
    char *reserve_image(std::size_t size, std::size_t live);
    /// Process-local state of a handle, restored like the image. Large ones are made in pages of
    /// their own: of those only what is ever written to is restored.
    static void *make_pages(std::size_t size);
    void keep(void *object, std::size_t size, bool own_pages = false);
    /// Words that changed() looks at: every write of them is a scheduling point.
    void watch(void const *begin, void const *end);

    /// A schedule may take at most so many steps; more is a livelock.
    uint64_t step_limit = 4000;
    /// Spinning may also go on until the code gives it up by itself, before anybody else runs
    /// (else it ends with the next change). For scenarios of what comes after the spinning.
    bool may_spin_on = false;
    /// Only killable fibres are stopped. For worlds with locks, whose holders do not vanish.
    bool stops_killable = false;

  private:
    struct Named {
        char const *begin;
        std::size_t count, size;
        std::string label;
    };
    std::vector<Named> names_;
};

struct Entry {
    std::string group; ///< index, participants, matrix, channel …
    std::string name;
    std::string about;
    std::function<std::unique_ptr<Scenario>()> make;
    int deepest = 2;  ///< the largest P that ends in a second or so: the default bound
    double share = 1; ///< of the seconds that a scenario may usually take
};

/// All scenarios, in the order of registration.
std::vector<Entry> &scenarios();

// ---- for scenarios

/// Starts a fibre in the next run_all(). Returns its number.
int spawn(bool killable, std::function<void()> program);
/// Runs all fibres until each has ended, died, or failed. False after a failure.
bool run_all();
/// Records the failure; inside a fibre it does not return.
void fail(char const *format, ...) __attribute__((format(printf, 1, 2)));
bool has_failed();
/// A line in the trace.
void say(char const *format, ...) __attribute__((format(printf, 1, 2)));
bool tracing();

/// The running fibre; while nobody runs, who was named by act_as(); else kNoFibre.
int current();
/// Set-up code attaches participants in the name of a later fibre.
void act_as(int fibre);
bool is_dead(int fibre);
/// In died(): another thread of the process that has just died.
void die_too(int fibre);
bool has_ended(int fibre);
bool is_stopped(int fibre);
bool anybody_died();
bool anybody_stopped();
int fibres();
inline char letter(int fibre) { return fibre < 0 ? '-' : static_cast<char>('a' + fibre); }

// ---- for the seams

/// A scheduling point that is no access of an atomic: a system call on `what`.
void system_call(void const *what, char const *text);
/// Nothing to do until somebody else has changed memory, or until `limit` has passed.
enum class Wait { spin, yield, sleep };
void wait_for_change(Nanoseconds limit, Wait kind);
/// Sleeps on `address` until wake(address), at most `limit`.
void sleep_on(void const *address, Nanoseconds limit);
void wake(void const *address);
/// Wakes the one who has slept longest on it; false if nobody sleeps there.
bool wake_one(void const *address);
bool is_asleep(int fibre);
/// No sleep is longer: who says "for ever" is woken then, and was forgotten.
inline constexpr Nanoseconds kLongestSleep = 3600 * kSecond;
/// What a sleeper sleeps on, or slept on last.
void const *slept_on(int fibre);
Nanoseconds virtual_now();
/// Somebody changed something that is not in the image (a lock): waiting fibres look again.
void note_change();

// ---- the search

Outcome search(Scenario &scenario, Bounds const &bounds);
Outcome walk_at_random(Scenario &scenario, Bounds const &bounds, uint64_t random_seed);
/// Runs one schedule and returns its trace.
std::string replay(Scenario &scenario, std::string const &seed, Outcome &outcome);
/// The seed of what runs now, for a crash.
std::string current_seed();
/// For SIGSEGV: true if it was the first write to a page that is restored; it may go on now.
bool note_first_write(void const *address);

} // namespace weir::explore
