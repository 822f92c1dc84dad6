// SPDX-License-Identifier: MIT OR Apache-2.0
// The command: explore list | run | random | replay | tap.
#include "tests/explore/explorer.hpp"
#include "tests/explore/scenarios.hpp"

#include <signal.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

using namespace weir::explore;

namespace {

struct Arguments {
    std::string command;
    std::vector<std::string> names;
    Bounds bounds;
    bool long_mode = false;
    uint64_t random_seed = 1;
};

char const *const kUsage =
    "usage: explore list\n"
    "       explore run    [SCENARIO|GROUP]... [options]   depth-first\n"
    "       explore random [SCENARIO|GROUP]... [options]   random walks\n"
    "       explore replay SCENARIO SEED                   prints the trace of one schedule\n"
    "       explore tap    [SCENARIO|GROUP]... [--long]    the tests, at their default bounds\n"
    "options: --preemptions N --deaths N --stops N --seconds S --max-schedules N --random-seed N\n";

bool take_number(Arguments &a, std::string const &option, char const *value)
{
    if (option == "--preemptions")
        a.bounds.preemptions = std::atoi(value);
    else if (option == "--deaths")
        a.bounds.deaths = std::atoi(value);
    else if (option == "--stops")
        a.bounds.stops = std::atoi(value);
    else if (option == "--seconds")
        a.bounds.seconds = std::atof(value);
    else if (option == "--max-schedules")
        a.bounds.max_schedules = std::strtoull(value, nullptr, 10);
    else if (option == "--random-seed")
        a.random_seed = std::strtoull(value, nullptr, 10);
    else
        return false;
    return true;
}

bool parse(int count, char **text, Arguments &a)
{
    if (count < 2)
        return false;
    a.command = text[1];
    if (a.command == "random")
        a.bounds = {99, 1, 0, UINT64_MAX, 10};
    for (int i = 2; i < count; i++) {
        std::string const word = text[i];
        if (word == "--long")
            a.long_mode = true;
        else if (word.rfind("--", 0) != 0)
            a.names.push_back(word);
        else if (i + 1 >= count || !take_number(a, word, text[++i]))
            return false;
    }
    return true;
}

bool is_wanted(Arguments const &a, Entry const &entry)
{
    if (a.names.empty())
        return true;
    for (auto const &name : a.names)
        if (name == entry.name || name == entry.group)
            return true;
    return false;
}

std::string describe(Bounds const &b, Outcome const &o)
{
    char text[200];
    std::snprintf(text, sizeof text,
                  "P%d D%d S%d: %" PRIu64 " schedules, %" PRIu64 " steps, %.1f s%s", b.preemptions,
                  b.deaths, b.stops, o.schedules, o.steps, o.seconds,
                  o.complete ? ", complete" : "");
    return text;
}

/// What runs now, for the signal handler.
char const *running_name = "";

void crashed(int number, siginfo_t *info, void *)
{
    if (number == SIGSEGV && note_first_write(info->si_addr))
        return;
    char text[200];
    int const length = std::snprintf(text, sizeof text, "Bail out! signal %d in %s; seed %s\n",
                                     number, running_name, current_seed().c_str());
    if (write(STDOUT_FILENO, text, static_cast<size_t>(length)) < 0)
        _exit(3);
    _exit(2);
}

/// A crash of the core must still name its schedule; on a stack of its own, as the fibre's may
/// be what is broken.
void catch_crashes()
{
    constexpr size_t kSize = 64 * 1024;
    stack_t stack{};
    stack.ss_sp = std::malloc(kSize);
    stack.ss_size = kSize;
    sigaltstack(&stack, nullptr);
    struct sigaction action {};
    action.sa_sigaction = crashed;
    action.sa_flags = SA_ONSTACK | SA_SIGINFO;
    for (int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT})
        sigaction(number, &action, nullptr);
}

void print_failure(Entry const &entry, Outcome const &o, char const *prefix)
{
    std::printf("%s%s\n%sseed: explore replay %s %s\n", prefix, o.why.c_str(), prefix,
                entry.name.c_str(), o.seed.c_str());
}

int run_all_wanted(Arguments const &a)
{
    int failures = 0;
    uint64_t schedules = 0, steps = 0;
    for (auto const &entry : scenarios()) {
        if (!is_wanted(a, entry))
            continue;
        running_name = entry.name.c_str();
        auto const scenario = entry.make();
        Outcome const o = a.command == "random" ? walk_at_random(*scenario, a.bounds, a.random_seed)
                                                : search(*scenario, a.bounds);
        std::printf("%-22s %s %s\n", entry.name.c_str(), o.failed ? "FAILED" : "ok    ",
                    describe(a.bounds, o).c_str());
        if (o.failed)
            print_failure(entry, o, "    ");
        std::fflush(stdout);
        failures += o.failed;
        schedules += o.schedules;
        steps += o.steps;
    }
    std::printf("%" PRIu64 " schedules, %" PRIu64 " steps, %d failed\n", schedules, steps,
                failures);
    return failures != 0;
}

int replay_one(Arguments const &a)
{
    if (a.names.size() != 2)
        return std::fputs(kUsage, stderr), 2;
    for (auto const &entry : scenarios())
        if (entry.name == a.names[0]) {
            running_name = entry.name.c_str();
            auto const scenario = entry.make();
            Outcome o;
            std::fputs(replay(*scenario, a.names[1], o).c_str(), stdout);
            std::printf("%s\n", o.failed ? o.why.c_str() : "nothing wrong in this schedule");
            return o.failed;
        }
    std::fprintf(stderr, "explore: no scenario %s\n", a.names[0].c_str());
    return 2;
}

struct Pass {
    bool random;
    Bounds bounds;
};

Pass depth_first(int preemptions, int deaths, int stops, double seconds)
{
    return {false, {preemptions, deaths, stops, UINT64_MAX, seconds}};
}

/// What every test runs: all schedules with few preemptions, all single deaths, single stops, and
/// random walks for what needs many preemptions. In long mode more of each.
std::vector<Pass> default_passes(Entry const &entry, bool long_mode)
{
    constexpr int kAny = 99;
    if (long_mode)
        return {depth_first(3, 0, 0, 60),
                depth_first(2, 1, 0, 60),
                depth_first(1, 2, 0, 60),
                depth_first(1, 0, 1, 60),
                depth_first(1, 1, 1, 60),
                {true, {kAny, 0, 0, UINT64_MAX, 30}},
                {true, {kAny, 2, 1, UINT64_MAX, 30}}};
    return {depth_first(entry.deepest, 0, 0, 0.66 * entry.share),
            depth_first(1, 1, 0, 0.66 * entry.share),
            depth_first(1, 0, 1, 0.66 * entry.share),
            {true, {kAny, 1, 0, 5000, 0.17 * entry.share}}};
}

Outcome run_pass(Entry const &entry, Pass const &pass, uint64_t random_seed)
{
    auto const scenario = entry.make();
    Outcome const o = pass.random ? walk_at_random(*scenario, pass.bounds, random_seed)
                                  : search(*scenario, pass.bounds);
    std::printf("# %-18s %s %s\n", entry.name.c_str(), pass.random ? "random" : "all   ",
                describe(pass.bounds, o).c_str());
    if (o.failed)
        print_failure(entry, o, "# ");
    return o;
}

int run_as_tests(Arguments const &a)
{
    int number = 0, failures = 0;
    uint64_t schedules = 0, steps = 0;
    for (auto const &entry : scenarios()) {
        if (!is_wanted(a, entry))
            continue;
        running_name = entry.name.c_str();
        bool failed = false;
        for (Pass const &pass : default_passes(entry, a.long_mode)) {
            Outcome const o = run_pass(entry, pass, a.random_seed);
            schedules += o.schedules;
            steps += o.steps;
            failed = o.failed;
            if (failed)
                break;
        }
        std::printf("%s %d - %s: %s\n", failed ? "not ok" : "ok", ++number, entry.name.c_str(),
                    entry.about.c_str());
        std::fflush(stdout);
        failures += failed;
    }
    std::printf("1..%d\n# %" PRIu64 " schedules, %" PRIu64 " steps\n", number, schedules, steps);
    return failures != 0 || number == 0;
}

int list_all()
{
    for (auto const &entry : scenarios())
        std::printf("%-12s %-22s %s\n", entry.group.c_str(), entry.name.c_str(),
                    entry.about.c_str());
    return 0;
}

} // namespace

int main(int count, char **text)
{
    Arguments a;
    if (!parse(count, text, a)) {
        std::fputs(kUsage, stderr);
        return 2;
    }
    catch_crashes();
    register_all();
    if (a.command == "list")
        return list_all();
    if (a.command == "run" || a.command == "random")
        return run_all_wanted(a);
    if (a.command == "replay")
        return replay_one(a);
    if (a.command == "tap")
        return run_as_tests(a);
    std::fputs(kUsage, stderr);
    return 2;
}
