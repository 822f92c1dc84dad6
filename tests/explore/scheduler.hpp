// SPDX-License-Identifier: MIT OR Apache-2.0
// The state of the explorer: the fibres of the schedule that runs, the way of the search, the image.
// For explorer.cpp, which says who runs next, and search.cpp, which says what is tried.
#pragma once

#include "tests/explore/explorer.hpp"
#include "tests/explore/fibre.hpp"

#include <vector>

namespace weir::explore {

constexpr std::size_t kStackSize = 256 * 1024;
constexpr std::size_t kWordSize = 4; // the smallest atomic
constexpr Nanoseconds kStepTime = 100;
constexpr Nanoseconds kStartOfTime = 1000 * kSecond;

enum class State { ready, waiting, asleep, stopped, ended, dead };
enum class Mode { depth_first, at_random, by_seed };

struct Fibre {
    Context context;
    char *stack = nullptr;
    std::function<void()> program;
    bool killable = false;
    bool spins_on = false; ///< in a spin loop that nobody interrupts
    bool looked = true;    ///< has accessed memory since it last waited
    Wait waits_by = Wait::spin;
    State state = State::ended;
    uint64_t own_changes = 0;  ///< of memory, by this fibre
    uint64_t seen_changes = 0; ///< of others, when it last began to look
    Nanoseconds wake_at = 0;
    void const *sleeps_on = nullptr;
    uint64_t slept_at = 0; ///< the step
};

/// Who loads and who writes a word, one bit per fibre.
struct Touch {
    uint8_t loads = 0;
    uint8_t writes = 0;
};

/// One place where the search may go on in several ways.
struct Choice {
    uint64_t step;
    uint8_t taken;
    uint8_t count;
    char action; ///< what `taken` means; 0 while it was not taken yet
};

/// A choice that was not the obvious one: 'a'… switch to that fibre, 'x' die, 's' stop, 'z' spin on.
struct Deviation {
    uint64_t step;
    char action;
};

constexpr char kGoOn = '.';
constexpr char kDie = 'x';
constexpr char kStop = 's';
constexpr char kSpinOn = 'z';

/// A failure of the explorer or of a scenario, not of the core.
constexpr char kNotRepeated[] =
    "the same choices lead to another schedule: something is not restored";

/// Up to one option per fibre, and go on, die, stop. The first is the obvious one.
struct Options {
    char action[kMaxFibres + 4];
    int count = 0;
    void add(char a) { action[count++] = a; }
};

/// Memory as it is before each schedule. Of an area with pages of its own each is read-only until
/// somebody writes to it for the first time: so it is known, whoever writes, what never changes.
struct Area {
    char *begin;
    std::vector<char> copy;
    bool own_pages;
    std::vector<uint8_t> changes; ///< a page: it has been written to
};

/// A part of an area that has to be restored.
struct ToRestore {
    char *at;
    char const *copy;
    std::size_t size;
};

struct Scheduler {
    Scenario *scenario = nullptr;
    Bounds bounds;
    Mode mode = Mode::depth_first;

    // one schedule
    Fibre fibre[kMaxFibres];
    Context main;
    int count = 0;
    int running = kNoFibre;
    int acting = kNoFibre;
    int phase = 0;
    int preemptions = 0, deaths = 0, stops = 0;
    uint64_t steps = 0;
    uint64_t step_limit = 0;
    uint64_t changes = 0;
    Nanoseconds advanced = 0;
    bool failed = false;
    std::string why;
    std::vector<Deviation> deviations;

    // the search
    std::vector<Choice> path;
    std::size_t depth = 0;
    /// The step of path[depth], 0 behind the end of the path. Until then the schedule is that of
    /// the last time, step by step: nothing is chosen, learnt or counted anew.
    uint64_t next_choice = 0;
    uint64_t random = 1;
    uint64_t switch_odds = 4, death_odds = 40;
    std::vector<Deviation> plan;
    std::size_t plan_next = 0;

    // the image
    char *image = nullptr;
    std::size_t image_size = 0;
    std::vector<Area> areas;       ///< it, and what is kept besides
    std::vector<ToRestore> pieces; ///< what of them may have changed
    std::vector<Touch> touch, frozen;
    std::vector<uint8_t> watched;

    bool tracing = false;
    std::string trace;
};

extern Scheduler S;

/// The word of the image that an address is in.
inline std::size_t index_of(void const *address)
{
    return static_cast<std::size_t>(static_cast<char const *>(address) - S.image) / kWordSize;
}

inline uint64_t next_random()
{
    S.random ^= S.random << 13;
    S.random ^= S.random >> 7;
    S.random ^= S.random << 17;
    return S.random >> 11;
}

} // namespace weir::explore
