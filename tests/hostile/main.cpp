// SPDX-License-Identifier: MIT OR Apache-2.0
// A peer that writes what it likes into a segment must not crash or hang those who only call weir.
//
// usage: hostile_peer [SEED [PERCENT [SCENARIO]]]
//
// Each scenario runs in a process of its own, which a watchdog looks after. PERCENT makes them
// longer or shorter; SCENARIO runs one of them, from 1. Speaks TAP.
#include "hostile.hpp"

#include <execinfo.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <thread>
#include <vector>

namespace hostile {
namespace {
constexpr int64_t kSecond = 1000000000;
constexpr int64_t kLongestCall = 5 * kSecond;
constexpr int kFailed = 99;

void say(char const *format, ...) noexcept __attribute__((format(printf, 1, 2)));
void say(char const *format, ...) noexcept
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int const length = std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t const bytes = length < 0 ? 0 : static_cast<size_t>(length);
    if (write(1, text, bytes < sizeof text ? bytes : sizeof text - 1) < 0)
        std::abort();
}

/// Where a thread is, for people: a crash, or the watchdog wants to know.
void show_place(int signal, siginfo_t *info, void *)
{
    Running const *const running = here;
    say("# signal %d at %p in %s, process %d\n", signal,
        signal == SIGUSR1 ? nullptr : info->si_addr,
        running != nullptr && running->since_ns != 0 ? running->call : "no call", getpid());
    void *frames[16];
    int const count = backtrace(frames, 16);
    for (int i = 0; i < count; ++i) {
        say("# ");
        backtrace_symbols_fd(&frames[i], 1, 1);
    }
    if (signal != SIGUSR1) {
        std::signal(signal, SIG_DFL);
        raise(signal);
    }
}

void install_handlers() noexcept
{
    void *frame[1];
    backtrace(frame, 1); // loads what it needs now
    struct sigaction action {};
    action.sa_sigaction = show_place;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    for (int const signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGUSR1})
        sigaction(signal, &action, nullptr);
}

// ---- scenarios

uint64_t scaled(uint64_t value, unsigned percent) noexcept { return value * percent / 100; }

struct Scenario {
    uint64_t seed;
    unsigned percent;

    uint64_t count(uint64_t full) const noexcept { return scaled(full, percent); }
    int64_t time(int64_t full) const noexcept
    {
        return static_cast<int64_t>(scaled(static_cast<uint64_t>(full), percent));
    }
};

uint64_t some_capacity(Random &random) noexcept { return (1 + random.below(8)) << 20; }

/// All in one thread, so that a seed always gives the same run.
void flip_between_calls(Scenario const &scenario)
{
    Random random(scenario.seed);
    uint64_t const rounds = scenario.count(10000);
    for (uint64_t done = 0; done < rounds;) {
        Victim victim;
        victim.make(some_capacity(random));
        {
            Worker worker(victim, random.next(), true);
            for (unsigned i = 0; i < 40; ++i)
                worker.step();
            for (unsigned i = 0; i < 100 && done < rounds; ++i, ++done) {
                victim.flip(random);
                ++board->rounds;
                worker.step();
                worker.step();
                if (i % 8 == 7)
                    victim.mend();
            }
            victim.mend();
        }
        victim.leave();
    }
}

/// Threads that work until the time is up.
class Crew {
  public:
    Crew(Victim &victim, Random &random, unsigned threads, unsigned first_seat) noexcept
    {
        for (unsigned i = 0; i < threads; ++i)
            threads_.emplace_back([this, &victim, seat = first_seat + i, seed = random.next()] {
                sit_down(seat);
                Worker worker(victim, seed, false);
                while (!__atomic_load_n(&end_, __ATOMIC_RELAXED))
                    worker.step();
            });
    }
    Crew(Crew const &) = delete;
    Crew &operator=(Crew const &) = delete;
    ~Crew()
    {
        __atomic_store_n(&end_, true, __ATOMIC_RELAXED);
        for (std::thread &thread : threads_)
            thread.join();
    }

  private:
    bool end_ = false;
    std::vector<std::thread> threads_;
};

void flip_while_threads_work(Scenario const &scenario)
{
    Random random(scenario.seed);
    int64_t const end = now_ns() + scenario.time(2500000000);
    while (now_ns() < end) {
        Victim victim;
        victim.make(some_capacity(random));
        {
            Crew crew(victim, random, 3, 1);
            int64_t const segment_end = now_ns() + 100000000;
            while (now_ns() < segment_end) {
                for (unsigned i = 0; i < 4; ++i)
                    victim.flip(random);
                board->rounds += 4;
                victim.mend();
                std::this_thread::sleep_for(std::chrono::microseconds(200));
            }
            victim.mend();
            victim.mend_limits();
        }
        victim.leave();
    }
}

enum class Aim { tables, everything, attacks };

[[noreturn]] void scribble_for_ever(Victim &victim, Random random, Aim aim, pid_t parent) noexcept
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    unsigned kind = 0;
    victim.look_at_limits();
    for (uint64_t i = 0;; ++i) {
        if (aim == Aim::attacks) {
            if (i % 20000 == 0)
                kind = static_cast<unsigned>(random.below(Victim::kAttacks));
            victim.attack(random, kind);
        } else {
            victim.scribble(random, aim == Aim::everything);
        }
        __atomic_fetch_add(&board->rounds, 1, __ATOMIC_RELAXED);
        if (i % 32 == 0)
            victim.mend();
        if (i % 4096 == 0 && aim != Aim::attacks)
            victim.mend_limits();
    }
}

/// A process that works too; it ends by itself.
pid_t start_worker_process(Victim &victim, uint64_t seed, int64_t end) noexcept
{
    pid_t const child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sit_down(8);
    {
        Worker worker(victim, seed, false);
        while (now_ns() < end)
            worker.step();
    }
    victim.leave();
    _exit(0);
}

void scribble_in_a_process(Scenario const &scenario, Aim aim)
{
    Random random(scenario.seed);
    int64_t const end = now_ns() + scenario.time(2500000000);
    while (now_ns() < end) {
        Victim victim;
        victim.make(some_capacity(random));
        { // something to spoil
            Worker worker(victim, random.next(), false);
            for (unsigned i = 0; i < 200; ++i)
                worker.step();
        }
        int64_t const segment_end = now_ns() + 250000000;
        pid_t const worker = start_worker_process(victim, random.next(), segment_end);
        pid_t const parent = getpid();
        pid_t const scribbler = fork();
        if (scribbler == 0)
            scribble_for_ever(victim, Random(random.next()), aim, parent);
        {
            Crew crew(victim, random, 2, 1);
            while (now_ns() < segment_end)
                std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        victim.leave();
        int status = 0;
        waitpid(worker, &status, 0);
        if (status != 0)
            fail("a working process ended with status 0x%x", static_cast<unsigned>(status));
        kill(scribbler, SIGKILL);
        waitpid(scribbler, nullptr, 0);
    }
}

void scribble_tables(Scenario const &scenario) { scribble_in_a_process(scenario, Aim::tables); }
void scribble_all(Scenario const &scenario) { scribble_in_a_process(scenario, Aim::everything); }
void scribble_attacks(Scenario const &scenario) { scribble_in_a_process(scenario, Aim::attacks); }

/// The word on which sleepers sleep says nothing any more, the tickets' counts run away: who waits
/// for ever gets what is freed, who waits for a moment is told when it is over.
void scribble_over_sleepers(Scenario const &scenario)
{
    Random random(scenario.seed);
    Victim victim;
    victim.make(1 << 20);
    pid_t const parent = getpid();
    pid_t const scribbler = fork();
    if (scribbler == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == parent) {
            victim.attack(random, Victim::kForgetSleepers);
            __atomic_fetch_add(&board->rounds, 1, __ATOMIC_RELAXED);
        }
        _exit(0);
    }
    size_t const large = 600 << 10; // there is room for one
    weir_ref taken = 0;
    weir_alloc_options wait = WEIR_ALLOC_OPTIONS_INIT;
    if (CALL(weir_matrix_alloc(victim.matrix(), large, nullptr, &taken, nullptr)) < 0)
        fail("no memory to begin with");
    for (uint64_t turn = 0; turn < scenario.count(4); ++turn) {
        weir_ref next = 0;
        wait.timeout_ns = 20000000;
        if (int const code = CALL(weir_matrix_alloc(victim.matrix(), large, &wait, &next, nullptr));
            code != -ETIMEDOUT)
            fail("a wait in vain ends with %d", code);
        wait.timeout_ns = WEIR_WAIT_FOREVER;
        std::thread sleeper([&] {
            sit_down(1);
            if (int const code =
                    CALL(weir_matrix_alloc(victim.matrix(), large, &wait, &next, nullptr));
                code != 0)
                fail("who waits for ever gets %d", code);
        });
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        if (CALL(weir_matrix_free(victim.matrix(), taken)) < 0)
            fail("what was allocated cannot be freed");
        sleeper.join();
        taken = next;
    }
    kill(scribbler, SIGKILL);
    waitpid(scribbler, nullptr, 0);
    victim.leave();
}

// ---- the watchdog

/// The call that runs for too long, if there is one.
Running *stuck() noexcept
{
    for (Running &running : board->running) {
        int64_t const since = __atomic_load_n(&running.since_ns, __ATOMIC_RELAXED);
        if (since != 0 && now_ns() - since > kLongestCall)
            return &running;
    }
    return nullptr;
}

void pause_for(int64_t ns) noexcept
{
    timespec const time{ns / kSecond, ns % kSecond};
    nanosleep(&time, nullptr);
}

/// True if the scenario ended well.
bool watch(pid_t child) noexcept
{
    for (;;) {
        int status = 0;
        if (waitpid(child, &status, WNOHANG) == child) {
            kill(-child, SIGKILL); // what it left behind
            if (WIFSIGNALED(status))
                say("# died of signal %d\n", WTERMSIG(status));
            return status == 0;
        }
        if (Running const *const running = stuck(); running != nullptr) {
            say("# hangs for %lld s: %s\n", static_cast<long long>(kLongestCall / kSecond),
                running->call);
            for (unsigned i = 0; i < 3; ++i) {
                syscall(SYS_tgkill, running->process, running->thread, SIGUSR1);
                pause_for(100000000);
            }
            kill(-child, SIGKILL);
            waitpid(child, nullptr, 0);
            return false;
        }
        pause_for(20000000);
    }
}

struct Case {
    char const *name;
    void (*run)(Scenario const &);
};
constexpr Case kCases[] = {
    {"bits flip between the calls of one thread", flip_between_calls},
    {"bits flip while threads work", flip_while_threads_work},
    {"a process scribbles over the tables", scribble_tables},
    {"a process scribbles over everything", scribble_all},
    {"a process attacks one mechanism after the other", scribble_attacks},
    {"who waits for memory is not forgotten for ever", scribble_over_sleepers},
};

bool run_case(Case const &test, Scenario const &scenario) noexcept
{
    std::memset(board, 0, sizeof *board);
    std::fflush(nullptr);
    int64_t const began = now_ns();
    pid_t const child = fork();
    if (child == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        install_handlers();
        sit_down(0);
        test.run(scenario);
        _exit(0);
    }
    setpgid(child, child);
    bool const good = watch(child);
    say("# %.1f s, %llu calls, %llu times spoilt, the longest call %.0f ms: %s\n",
        static_cast<double>(now_ns() - began) / 1e9, static_cast<unsigned long long>(board->calls),
        static_cast<unsigned long long>(board->rounds),
        static_cast<double>(board->slowest_ns) / 1e6,
        board->slowest_call == nullptr ? "none" : board->slowest_call);
    return good;
}
} // namespace

// ---- shared

Board *board = nullptr;
thread_local Running *here = nullptr;

int64_t now_ns() noexcept
{
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * kSecond + now.tv_nsec;
}

void sit_down(unsigned slot) noexcept
{
    here = &board->running[slot];
    *here = {nullptr, 0, getpid(), static_cast<pid_t>(syscall(SYS_gettid))};
}

OnBoard::OnBoard(Running &running, char const *call) noexcept : running_(running)
{
    running.call = call;
    __atomic_store_n(&running.since_ns, now_ns(), __ATOMIC_RELEASE);
}

OnBoard::~OnBoard()
{
    int64_t const took = now_ns() - running_.since_ns;
    __atomic_store_n(&running_.since_ns, int64_t{0}, __ATOMIC_RELEASE);
    __atomic_fetch_add(&board->calls, 1, __ATOMIC_RELAXED);
    if (took > __atomic_load_n(&board->slowest_ns, __ATOMIC_RELAXED)) { // roughly
        __atomic_store_n(&board->slowest_ns, took, __ATOMIC_RELAXED);
        __atomic_store_n(&board->slowest_call, running_.call, __ATOMIC_RELAXED);
    }
}

void fail(char const *format, ...) noexcept
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    say("# %s\n", text);
    _exit(kFailed);
}

int run(int count, char **arguments) noexcept
{
    uint64_t const seed = count > 1 ? std::strtoull(arguments[1], nullptr, 0)
                                    : static_cast<uint64_t>(now_ns()) % 1000000;
    unsigned const percent =
        count > 2 ? static_cast<unsigned>(std::strtoul(arguments[2], nullptr, 0)) : 100;
    unsigned const only =
        count > 3 ? static_cast<unsigned>(std::strtoul(arguments[3], nullptr, 0)) : 0;
    void *const shared =
        mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    board = static_cast<Board *>(shared);
    say("1..%zu\n# seed %llu\n", sizeof kCases / sizeof *kCases,
        static_cast<unsigned long long>(seed));
    unsigned number = 0;
    bool all = true;
    for (Case const &test : kCases) {
        if (++number != only && only != 0) {
            say("ok %u - %s # SKIP not asked for\n", number, test.name);
            continue;
        }
        bool const good = run_case(test, {seed + number, percent});
        all = all && good;
        say("%s %u - %s", good ? "ok" : "not ok", number, test.name);
        say(good ? "\n" : ", seed %llu\n", static_cast<unsigned long long>(seed));
    }
    return all ? 0 : 1;
}

} // namespace hostile

int main(int count, char **arguments) { return hostile::run(count, arguments); }
