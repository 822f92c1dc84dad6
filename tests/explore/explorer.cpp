// SPDX-License-Identifier: MIT OR Apache-2.0
// The scheduler: who runs next, what a step is, and what scenarios and seams ask for.
#include "tests/explore/explorer.hpp"

#include "tests/explore/scheduler.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace weir::explore {

Scheduler S;

namespace {

uint64_t changes_of_others(int fibre) { return S.changes - S.fibre[fibre].own_changes; }

bool can_run(int fibre)
{
    Fibre const &f = S.fibre[fibre];
    return f.state == State::ready ||
           (f.state == State::waiting && changes_of_others(fibre) != f.seen_changes);
}

void back_to_main()
{
    int const from = S.running;
    S.running = kNoFibre;
    Context::change(S.fibre[from].context, S.main);
}

void switch_to(int to)
{
    int const from = S.running;
    S.fibre[to].state = State::ready;
    if (to == from)
        return;
    if (S.tracing && from != kNoFibre)
        say("*** switch to %c", letter(to));
    S.running = to;
    Context::change(from == kNoFibre ? S.main : S.fibre[from].context, S.fibre[to].context);
}

void go_down_the_path()
{
    S.depth++;
    S.next_choice = S.depth < S.path.size() ? S.path[S.depth].step : 0;
}

/// The part of the path that was gone before. Of what is obvious there, nothing is asked again:
/// see known_step().
int pick_from_path(Options const &options)
{
    if (S.depth == S.path.size())
        S.path.push_back({S.steps, 0, static_cast<uint8_t>(options.count), 0});
    Choice &choice = S.path[S.depth];
    if (choice.step != S.steps || choice.count != options.count) {
        fail(kNotRepeated);
        return 0;
    }
    choice.action = options.action[choice.taken];
    go_down_the_path();
    return choice.taken;
}

int pick_from_plan(Options const &options)
{
    if (S.plan_next >= S.plan.size() || S.plan[S.plan_next].step != S.steps)
        return 0;
    char const action = S.plan[S.plan_next++].action;
    for (int i = 0; i < options.count; i++)
        if (options.action[i] == action)
            return i;
    fail("the seed asks for '%c' at step %llu, which is not possible there", action,
         static_cast<unsigned long long>(S.steps));
    return 0;
}

int pick_at_random(Options const &options)
{
    int const last = options.count - 1;
    if (options.action[0] != kGoOn)
        return static_cast<int>(next_random() % static_cast<uint64_t>(options.count));
    int deadly = 0; // die and stop are the last options
    while (deadly < last && options.action[last - deadly] >= kStop)
        deadly++;
    if (deadly > 0 && next_random() % S.death_odds == 0)
        return last - static_cast<int>(next_random() % static_cast<uint64_t>(deadly));
    int const others = last - deadly;
    if (others == 0 || next_random() % S.switch_odds != 0)
        return 0;
    return 1 + static_cast<int>(next_random() % static_cast<uint64_t>(others));
}

char decide(Options const &options)
{
    int picked = 0;
    if (S.mode == Mode::by_seed)
        picked = pick_from_plan(options);
    else if (options.count > 1)
        picked = S.mode == Mode::at_random ? pick_at_random(options) : pick_from_path(options);
    if (picked != 0)
        S.deviations.push_back({S.steps, options.action[picked]});
    return options.action[picked];
}

void check_end()
{
    if (S.steps > S.step_limit)
        fail("no end after %llu steps: livelock", static_cast<unsigned long long>(S.steps - 1));
}

void count_step()
{
    S.steps++;
    check_end();
}

/// Everybody waits: the one whose time is up first goes on. False if nobody waits.
bool advance_time()
{
    int first = kNoFibre;
    for (int i = 0; i < S.count; i++) {
        State const state = S.fibre[i].state;
        if ((state == State::waiting || state == State::asleep) &&
            (first == kNoFibre || S.fibre[i].wake_at < S.fibre[first].wake_at))
            first = i;
    }
    if (first == kNoFibre)
        return false;
    if (S.tracing)
        say("*** nobody can run: time passes for %c", letter(first));
    Fibre &f = S.fibre[first];
    bool const slept = f.state == State::asleep;
    if (f.wake_at > virtual_now())
        S.advanced += f.wake_at - virtual_now();
    f.state = State::ready;
    if (slept)
        S.scenario->overslept(first);
    else if (f.waits_by == Wait::sleep)
        S.scenario->stalled(first);
    return !S.failed;
}

bool resume_stopped()
{
    for (int i = 0; i < S.count; i++)
        if (S.fibre[i].state == State::stopped) {
            S.fibre[i].state = State::ready;
            return true;
        }
    return false;
}

/// The running fibre cannot go on: somebody else does, which costs no preemption. Returns when
/// it can go on; never, if it has ended or died. `may_spin`: or it spins on.
void give_way(bool may_spin = false)
{
    for (;;) {
        count_step();
        Options options;
        for (int i = 0; i < S.count; i++)
            if (can_run(i))
                options.add(letter(i));
        if (options.count > 0 && may_spin)
            options.add(kSpinOn);
        if (options.count > 0) {
            char const action = decide(options);
            if (action == kSpinOn) {
                say("*** spins on");
                S.fibre[S.running].spins_on = true;
                S.fibre[S.running].state = State::ready;
                return;
            }
            switch_to(action - 'a');
            return;
        }
        if (!advance_time() && !resume_stopped()) {
            if (S.running != kNoFibre)
                back_to_main();
            return;
        }
    }
}

void die()
{
    int const who = S.running;
    S.deaths++;
    say("*** dies");
    S.fibre[who].state = State::dead;
    note_change();
    S.scenario->died(who);
    give_way();
}

void be_stopped()
{
    S.stops++;
    // To wait until a stopped fibre's time is up takes many looks at memory.
    S.step_limit = S.scenario->step_limit * 50;
    say("*** is stopped");
    S.fibre[S.running].state = State::stopped;
    give_way();
}

bool may_be_preempted() { return S.preemptions < S.bounds.preemptions || S.mode == Mode::by_seed; }

/// Whether add_options() may find more than to go on: most accesses are of no interest to anybody.
bool may_choose(bool shared, bool writes)
{
    return shared || S.mode != Mode::depth_first ||
           (writes && S.deaths < S.bounds.deaths && S.fibre[S.running].killable);
}

/// What may happen before an access of a fibre that does not spin on. The scenario is asked last:
/// most often it does not matter whether somebody may die.
void add_options(Options &options, bool shared, bool writes)
{
    Fibre const &self = S.fibre[S.running];
    bool const any = S.mode == Mode::by_seed;
    options.add(kGoOn);
    if (may_be_preempted() && (shared || S.mode != Mode::depth_first))
        for (int i = 0; i < S.count; i++)
            if (i != S.running && can_run(i))
                options.add(letter(i));
    bool const others = options.count > 1;
    bool const stoppable =
        shared && S.stops < S.bounds.stops && (self.killable || !S.scenario->stops_killable);
    if (others && (any || (stoppable && S.scenario->may_die())))
        options.add(kStop);
    if (writes && self.killable && (any || S.deaths < S.bounds.deaths) && S.scenario->may_die())
        options.add(kDie);
}

/// One step of the running fibre.
inline void go_on(bool writes)
{
    S.steps++;
    Fibre &self = S.fibre[S.running];
    self.looked = true;
    if (writes)
        self.spins_on = false;
}

/// A choice on the part of the path that was gone before: true if it was to go on.
__attribute__((noinline)) bool known_choice()
{
    if (S.path[S.depth].action != kGoOn)
        return false;
    go_down_the_path();
    return true;
}

/// A step on the part of the path that was gone before, at which the fibre went on: true, and all
/// is done. What could be learnt, chosen or checked at it was the last time.
__attribute__((always_inline)) inline bool known_step(bool writes)
{
    if (S.steps + 1 > S.next_choice || (S.steps + 1 == S.next_choice && !known_choice()))
        return false;
    go_on(writes);
    return true;
}

// Out of line, as what else is seldom done: so what each access does is short and needs no stack.
__attribute__((noinline)) void choose(bool shared, bool writes)
{
    Options options;
    add_options(options, shared, writes);
    if (options.count == 1)
        return;

    char const action = decide(options);
    if (action == kGoOn)
        return;
    if (action == kDie)
        return die();
    if (action == kStop)
        return be_stopped();
    S.preemptions++;
    switch_to(action - 'a');
}

/// Before something that others may notice (`shared`), that may change something (`writes`).
void point(bool shared, bool writes)
{
    go_on(writes);
    check_end();
    if (!S.fibre[S.running].spins_on && may_choose(shared, writes))
        choose(shared, writes);
}

void run_fibre()
{
    S.fibre[S.running].program();
    if (!known_step(true))
        point(false, true); // to die with everything done, but before anybody was told
    say("*** ends");
    S.fibre[S.running].state = State::ended;
    give_way();
    std::abort(); // nobody switches to a fibre that has ended
}

// ---- who touches what

bool in_image(void const *address)
{
    return static_cast<std::size_t>(static_cast<char const *>(address) - S.image) < S.image_size;
}

void learn(std::size_t index, bool load, bool write)
{
    if (S.phase != 1)
        return; // later phases have one fibre each, or are not searched for preemptions
    auto const me = static_cast<uint8_t>(1u << S.running);
    if (load)
        S.touch[index].loads |= me;
    if (write)
        S.touch[index].writes |= me;
}

/// Whether another fibre could notice when this access happens.
bool is_shared(std::size_t index, bool write)
{
    if (S.phase > 1)
        return true;
    auto const others = static_cast<uint8_t>(~(1u << S.running));
    Touch const touch = S.frozen[index];
    uint8_t const by = write ? touch.loads | touch.writes : touch.writes;
    return (by & others) != 0 || (write && S.watched[index] != 0);
}

} // namespace

// ---- for scenarios

int spawn(bool killable, std::function<void()> program)
{
    int const number = S.count++;
    Fibre &f = S.fibre[number];
    if (f.stack == nullptr)
        f.stack = make_stack(kStackSize);
    f.program = std::move(program);
    f.killable = killable;
    f.state = State::ready;
    f.own_changes = f.seen_changes = 0;
    f.spins_on = false;
    f.looked = true;
    f.context.start(f.stack, kStackSize, run_fibre);
    return number;
}

bool run_all()
{
    if (S.failed)
        return false;
    S.phase++;
    S.acting = kNoFibre;
    for (int i = 0; i < S.count; i++)
        S.fibre[i].seen_changes = changes_of_others(i);
    S.running = kNoFibre;
    give_way();
    S.running = kNoFibre;
    return !S.failed;
}

void fail(char const *format, ...)
{
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!S.failed) {
        S.failed = true;
        S.why = text;
        say("*** FAILS: %s", text);
    }
    if (S.running != kNoFibre)
        back_to_main();
}

bool has_failed() { return S.failed; }

void say(char const *format, ...)
{
    if (!S.tracing)
        return;
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char line[640];
    std::snprintf(line, sizeof line, "%5llu %c  %s\n", static_cast<unsigned long long>(S.steps),
                  letter(S.running), text);
    S.trace += line;
}

bool tracing() { return S.tracing; }

int current() { return S.running != kNoFibre ? S.running : S.acting; }
void act_as(int fibre) { S.acting = fibre; }
bool is_dead(int fibre) { return fibre < S.count && S.fibre[fibre].state == State::dead; }
void die_too(int fibre)
{
    if (fibre < S.count && S.fibre[fibre].state != State::dead) {
        S.fibre[fibre].state = State::dead;
        note_change();
    }
}
bool has_ended(int fibre) { return fibre < S.count && S.fibre[fibre].state == State::ended; }
bool is_stopped(int fibre) { return fibre < S.count && S.fibre[fibre].state == State::stopped; }
bool anybody_died() { return S.deaths > 0; }
bool anybody_stopped() { return S.stops > 0; }
int fibres() { return S.count; }

// ---- the seams

void system_call(void const *what, char const *text)
{
    (void)what;
    if (S.running == kNoFibre)
        return;
    if (!known_step(true))
        point(true, true);
    say("%s", text);
}

void wait_for_change(Nanoseconds limit, Wait kind)
{
    if (S.running == kNoFibre)
        return;
    Fibre &f = S.fibre[S.running];
    int const me = S.running;
    if (kind == Wait::spin && !f.looked)
        return; // a longer turn of the same wait
    f.looked = false;
    if (f.spins_on && kind == Wait::spin)
        return count_step();
    f.spins_on = false;
    f.waits_by = kind;
    if (changes_of_others(me) == f.seen_changes) {
        say("waits until somebody has changed something");
        f.state = State::waiting;
        f.wake_at = virtual_now() + limit;
        give_way(S.scenario->may_spin_on && kind == Wait::spin);
    }
    f.seen_changes = changes_of_others(me);
}

void sleep_on(void const *address, Nanoseconds limit)
{
    Fibre &f = S.fibre[S.running];
    if (S.tracing)
        say("sleeps on %s", S.scenario->name_of(address).c_str());
    f.state = State::asleep;
    f.sleeps_on = address;
    f.slept_at = S.steps;
    f.wake_at = virtual_now() + (limit < kLongestSleep ? limit : kLongestSleep);
    give_way();
}

void wake(void const *address)
{
    for (int i = 0; i < S.count; i++)
        if (S.fibre[i].state == State::asleep && S.fibre[i].sleeps_on == address)
            S.fibre[i].state = State::ready;
}

bool wake_one(void const *address)
{
    int first = kNoFibre;
    for (int i = 0; i < S.count; i++)
        if (S.fibre[i].state == State::asleep && S.fibre[i].sleeps_on == address &&
            (first == kNoFibre || S.fibre[i].slept_at < S.fibre[first].slept_at))
            first = i;
    if (first != kNoFibre)
        S.fibre[first].state = State::ready;
    return first != kNoFibre;
}

bool is_asleep(int fibre) { return S.fibre[fibre].state == State::asleep; }

void const *slept_on(int fibre) { return S.fibre[fibre].sleeps_on; }

Nanoseconds virtual_now()
{
    return kStartOfTime + S.advanced + static_cast<Nanoseconds>(S.steps) * kStepTime;
}

void note_change()
{
    S.changes++;
    if (S.running != kNoFibre)
        S.fibre[S.running].own_changes++;
}

// ---- what weir::atomic calls

namespace {
__attribute__((noinline)) void trace_access(void const *address, Access access, uint64_t value,
                                            bool changed)
{
    std::string const name = S.scenario->name_of(address);
    std::string const text = S.scenario->value_of(address, value);
    if (access == Access::load)
        say("load %s = %s", name.c_str(), text.c_str());
    else if (access == Access::store)
        say("store %s := %s", name.c_str(), text.c_str());
    else
        say("%s %s %s", name.c_str(), changed ? ":=" : "unchanged:", text.c_str());
}

__attribute__((noinline)) void new_access(void const *address, Access access)
{
    bool const write = access != Access::load;
    std::size_t const index = index_of(address);
    learn(index, access != Access::store, write);
    point(may_be_preempted() && is_shared(index, write), write);
}
} // namespace

void before(void const *address, Access access) noexcept
{
    if (S.running == kNoFibre || !in_image(address))
        return;
    if (!known_step(access != Access::load))
        new_access(address, access);
}

void after(void const *address, Access access, uint64_t value, bool changed) noexcept
{
    if (!(changed || S.tracing) || S.running == kNoFibre || !in_image(address))
        return;
    if (S.tracing)
        trace_access(address, access, value, changed);
    if (!changed)
        return;
    note_change();
    S.scenario->changed(address, S.running);
}

template <class Raw> Raw load(Raw const &word) noexcept
{
    before(&word, Access::load);
    Raw const value = word;
    after(&word, Access::load, value, false);
    return value;
}

template <class Raw> void store(Raw &word, Raw value) noexcept
{
    before(&word, Access::store);
    word = value;
    after(&word, Access::store, value, true);
}

template <class Raw> bool compare_exchange(Raw &word, Raw &found, Raw desired) noexcept
{
    before(&word, Access::read_modify_write);
    Raw const expected = found;
    found = word;
    bool const done = found == expected;
    if (done)
        word = desired;
    after(&word, Access::read_modify_write, done ? desired : found, done);
    return done;
}

template uint32_t load(uint32_t const &) noexcept;
template uint64_t load(uint64_t const &) noexcept;
template void store(uint32_t &, uint32_t) noexcept;
template void store(uint64_t &, uint64_t) noexcept;
template bool compare_exchange(uint32_t &, uint32_t &, uint32_t) noexcept;
template bool compare_exchange(uint64_t &, uint64_t &, uint64_t) noexcept;

} // namespace weir::explore
