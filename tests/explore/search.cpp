// SPDX-License-Identifier: MIT OR Apache-2.0
// The search: which schedules are tried, how they are told by a seed and replayed.
#include "core/base/bits.hpp"
#include "tests/explore/explorer.hpp"
#include "tests/explore/scheduler.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace weir::explore {
namespace {
constexpr uint64_t kWarmUp = 150; // random schedules that learn who touches what

bool learnt_something()
{
    return !std::equal(S.touch.begin(), S.touch.end(), S.frozen.begin(),
                       [](Touch a, Touch b) { return a.loads == b.loads && a.writes == b.writes; });
}

// ---- one schedule

void restore_memory()
{
    for (ToRestore const &piece : S.pieces)
        std::memcpy(piece.at, piece.copy, piece.size);
}

std::size_t page_size()
{
    static auto const size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return size;
}

void set_access(char *begin, std::size_t size, int access)
{
    if (mprotect(begin, size, access) != 0) {
        std::perror("explore: mprotect");
        std::abort();
    }
}

/// What there is now is how it will be before each schedule.
void keep_memory()
{
    std::size_t most = 0;
    for (Area &area : S.areas) {
        std::size_t const size = area.copy.size();
        std::copy_n(area.begin, size, area.copy.begin());
        area.changes.assign((size + page_size() - 1) / page_size(), 0);
        most += area.own_pages ? area.changes.size() : 1;
    }
    S.pieces.reserve(most); // note_first_write() allocates nothing
    for (Area &area : S.areas)
        if (!area.own_pages)
            S.pieces.push_back({area.begin, area.copy.data(), area.copy.size()});
        else if (!area.copy.empty())
            set_access(area.begin, area.copy.size(), PROT_READ);
}

void forget_memory()
{
    for (Area &area : S.areas)
        if (area.own_pages && !area.copy.empty())
            set_access(area.begin, area.copy.size(), PROT_READ | PROT_WRITE);
    S.areas.clear();
    S.pieces.clear();
}

void run_one()
{
    S.count = 0;
    S.running = S.acting = kNoFibre;
    S.phase = 0;
    S.preemptions = S.deaths = S.stops = 0;
    S.steps = S.changes = 0;
    S.step_limit = S.scenario->step_limit;
    S.advanced = 0;
    S.failed = false;
    S.why.clear();
    S.deviations.clear();
    S.depth = 0;
    S.next_choice = S.path.empty() ? 0 : S.path.front().step;
    S.plan_next = 0;
    restore_memory();
    S.scenario->run();
    S.running = kNoFibre;
    if (S.mode == Mode::depth_first && !S.failed && S.depth != S.path.size())
        fail(kNotRepeated); // it ended before the choice that was to be taken anew
}

std::string seed_text()
{
    std::string text;
    for (auto const &d : S.deviations)
        text += std::to_string(d.step) + d.action;
    return text.empty() ? "0" : text;
}

std::vector<Deviation> parse_seed(std::string const &text)
{
    std::vector<Deviation> plan;
    uint64_t step = 0;
    for (char c : text) {
        if (c >= '0' && c <= '9')
            step = step * 10 + static_cast<uint64_t>(c - '0');
        else {
            plan.push_back({step, c});
            step = 0;
        }
    }
    return plan;
}

void prepare(Scenario &scenario)
{
    forget_memory();
    if (S.image != nullptr)
        std::free(S.image);
    S.image = nullptr;
    S.image_size = 0;
    S.touch.clear();
    S.frozen.clear();
    S.watched.clear();
    S.scenario = &scenario;
    S.running = S.acting = kNoFibre;
    S.failed = false;
    S.count = 0;
    S.steps = 0;
    scenario.prepare();
    S.areas.push_back({S.image, std::vector<char>(S.image_size), true, {}});
    keep_memory();
}

/// Of the processor's time: what is covered within a budget does not depend on who else runs.
class Clock {
  public:
    double seconds() const { return now() - start_; }

  private:
    static double now()
    {
        timespec at{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
        return static_cast<double>(at.tv_sec) + 1e-9 * static_cast<double>(at.tv_nsec);
    }
    double start_ = now();
};

/// Counts what was run; true if the search is over.
bool account(Outcome &outcome, Bounds const &bounds, Clock const &clock)
{
    outcome.schedules++;
    outcome.steps += S.steps;
    if (S.failed) {
        outcome.failed = true;
        outcome.why = S.why;
        outcome.seed = seed_text();
        return true;
    }
    return outcome.schedules >= bounds.max_schedules ||
           ((outcome.schedules & 63) == 0 && clock.seconds() > bounds.seconds);
}

bool next_path()
{
    while (!S.path.empty() && S.path.back().taken + 1 >= S.path.back().count)
        S.path.pop_back();
    if (S.path.empty())
        return false;
    S.path.back().taken++;
    S.path.back().action = 0;
    return true;
}

/// True if the search is over: failed, or a bound was hit.
bool random_runs(Outcome &outcome, Bounds const &bounds, Clock const &clock, uint64_t count)
{
    S.mode = Mode::at_random;
    S.path.clear();
    for (uint64_t i = 0; i < count; i++) {
        S.switch_odds = uint64_t{2} << (next_random() % 5);
        S.death_odds = uint64_t{4} << (next_random() % 6);
        run_one();
        if (account(outcome, bounds, clock))
            return true;
    }
    return false;
}

/// All schedules within `S.bounds`. A pass that has learnt who else touches a word has to be run
/// again. It is looked for more and more seldom: a pass is given up before it is twice as long as
/// it was when it learnt. True if the search is over: failed, or a bound was hit.
bool exhaust(Outcome &outcome, Bounds const &bounds, Clock const &clock)
{
    bool stale = true;
    while (stale) {
        S.frozen = S.touch;
        S.path.clear();
        uint64_t done = 0;
        do {
            run_one();
            if (account(outcome, bounds, clock))
                return true;
            stale = is_power_of_two(++done) && learnt_something();
        } while (!stale && next_path());
        stale = learnt_something();
    }
    return false;
}

} // namespace

// ---- the search

/// With more and more preemptions: most of who touches what is learnt where the search is short,
/// and what fails is found with the fewest.
Outcome search(Scenario &scenario, Bounds const &bounds)
{
    Clock const clock;
    Outcome outcome;
    prepare(scenario);
    S.bounds = bounds;
    S.random = 88172645463325252u;
    bool over = random_runs(outcome, bounds, clock, kWarmUp);
    S.mode = Mode::depth_first;
    for (int preemptions = 0; preemptions <= bounds.preemptions && !over; preemptions++) {
        S.bounds.preemptions = preemptions;
        over = exhaust(outcome, bounds, clock);
    }
    outcome.complete = !over;
    outcome.seconds = clock.seconds();
    return outcome;
}

Outcome walk_at_random(Scenario &scenario, Bounds const &bounds, uint64_t random_seed)
{
    Clock const clock;
    Outcome outcome;
    prepare(scenario);
    S.bounds = bounds;
    S.random = 88172645463325252u ^ (random_seed * 0x9e3779b97f4a7c15u);
    random_runs(outcome, bounds, clock, UINT64_MAX);
    outcome.seconds = clock.seconds();
    return outcome;
}

std::string replay(Scenario &scenario, std::string const &seed, Outcome &outcome)
{
    prepare(scenario);
    S.mode = Mode::by_seed;
    S.path.clear();
    S.plan = parse_seed(seed);
    S.tracing = true;
    S.trace.clear();
    Clock const clock;
    run_one();
    S.tracing = false;
    account(outcome, Bounds{}, clock);
    return std::move(S.trace);
}

std::string current_seed() { return seed_text(); }

bool note_first_write(void const *address)
{
    auto const *const at = static_cast<char const *>(address);
    for (Area &area : S.areas) {
        auto const offset = static_cast<std::size_t>(at - area.begin);
        std::size_t const page = offset / page_size();
        if (!area.own_pages || page >= area.changes.size() || area.changes[page] != 0)
            continue;
        area.changes[page] = 1;
        std::size_t const begin = page * page_size();
        std::size_t const size = std::min(page_size(), area.copy.size() - begin);
        S.pieces.push_back({area.begin + begin, area.copy.data() + begin, size});
        set_access(area.begin + begin, page_size(), PROT_READ | PROT_WRITE);
        return true;
    }
    return false;
}

} // namespace weir::explore
