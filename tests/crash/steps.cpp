// SPDX-License-Identifier: MIT OR Apache-2.0
// Death at each system call: a child is stopped at its k-th one and killed there, for every k.
//
// Both the entry and the exit of a call count, so the child dies before and after each of them.
// Afterwards the name must be usable at once, or the child's slot and memory must come back. And a
// child that is stopped, not killed, inside a call or anywhere else, must not make others hang.
#include "tests/crash/support.hpp"

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

using namespace crash;

namespace {
constexpr int kMostStops = 2000;

weir_matrix_options small_matrix(int64_t stall = 0)
{
    weir_matrix_options with = WEIR_MATRIX_OPTIONS_INIT;
    with.capacity = uint64_t{4} << 20;
    with.participants = 4;
    with.stall_ns = stall;
    with.flags = WEIR_MATRIX_NO_LANES; // all that is free is counted
    return with;
}

/// A child that runs `action` and can be led from one system call to the next.
class Traced {
  public:
    template <class Action> explicit Traced(Action action)
    {
        pid_ = fork();
        if (pid_ == 0) {
            if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0)
                _exit(99);
            raise(SIGSTOP);
            _exit(action());
        }
        int status = 0;
        waitpid(pid_, &status, 0);
        alive_ = WIFSTOPPED(status);
        if (alive_)
            ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
        else
            exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    Traced(Traced const &) = delete;
    Traced &operator=(Traced const &) = delete;
    ~Traced() { end(); }

    /// To the next entry or exit of a system call. False: it ended before.
    bool step()
    {
        int signal = 0;
        while (alive_) {
            int status = 0;
            ptrace(PTRACE_SYSCALL, pid_, nullptr, signal);
            waitpid(pid_, &status, 0);
            if (!WIFSTOPPED(status)) {
                alive_ = false;
                exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
                return false;
            }
            if (WSTOPSIG(status) == (SIGTRAP | 0x80))
                return true;
            signal = WSTOPSIG(status);
        }
        return false;
    }
    /// To the entry of this system call.
    bool step_to(long number)
    {
        while (step()) {
            __ptrace_syscall_info info;
            if (ptrace(PTRACE_GET_SYSCALL_INFO, pid_, sizeof info, &info) > 0 &&
                info.op == PTRACE_SYSCALL_INFO_ENTRY &&
                info.entry.nr == static_cast<uint64_t>(number))
                return true;
        }
        return false;
    }
    void end()
    {
        if (!alive_)
            return;
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        alive_ = false;
    }
    int exit_code() const { return exit_code_; }

  private:
    pid_t pid_;
    bool alive_ = false;
    int exit_code_ = 0;
};

/// Runs `action` in children that die at the first stop, the second, and so on; `verify` looks
/// after each. Returns what was wrong, or nothing.
template <class Action, class Verify>
std::string for_every_stop(Action action, Verify verify, int &ret_stops)
{
    for (int stops = 1; stops < kMostStops; ++stops) {
        bool reached = true;
        int code = 0;
        {
            Traced child(action);
            for (int i = 0; i < stops && reached; ++i)
                reached = child.step();
            code = child.exit_code();
        }
        std::string const wrong = verify(!reached);
        if (!wrong.empty())
            return text("killed at stop %d: %s", stops, wrong.c_str());
        if (!reached) {
            ret_stops = stops - 1;
            return code == 0 ? "" : text("the child that lived ended with %d", code);
        }
    }
    return "it never ends";
}

void report(Tap &tap, char const *name, std::string const &wrong, int stops, int least)
{
    std::string const detail = wrong.empty() ? text("only %d stops", stops) : wrong;
    tap.ok(wrong.empty() && stops >= least, name, detail.c_str());
    std::printf("# %d stops\n", stops);
}

/// Works with the matrix a little. Empty if all is well.
std::string usable(weir_matrix *matrix)
{
    weir_ref block = 0;
    if (int const code = weir_matrix_alloc(matrix, 1000, nullptr, &block, nullptr); code != 0)
        return text("alloc gave %d", code);
    if (int const code = weir_matrix_free(matrix, block); code != 0)
        return text("free gave %d", code);
    return "";
}

// ---- making a segment

void creators_die(Tap &tap)
{
    std::string const name = segment_name("create");
    int stops = 0;
    auto const verify = [&](bool lived) -> std::string {
        int const files = files_with(name);
        if (files > 1 || (lived && files != 1))
            return text("%d files", files);
        int64_t const began = now_ns();
        weir_matrix *matrix = nullptr;
        auto const with = small_matrix();
        int const code = weir_matrix_open(name.c_str(), &with, &matrix);
        int64_t const took = now_ns() - began;
        if (code != 0 || took > 1000 * kMillisecond)
            return text("open gave %d after %d ms", code, static_cast<int>(took / kMillisecond));
        weir_matrix_heal(matrix, nullptr);
        std::string wrong = usable(matrix);
        if (wrong.empty())
            wrong = not_empty(matrix);
        weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
        weir_matrix_stats(matrix, &info);
        if (wrong.empty() && info.participants != 1)
            wrong = text("%d participants", static_cast<int>(info.participants));
        weir_matrix_unlink(name.c_str());
        weir_matrix_unref(matrix);
        if (wrong.empty() && files_with(name) != 0)
            wrong = "a file is left over";
        return wrong;
    };
    for (uint64_t const commit : {uint64_t{0}, uint64_t{2} << 20}) {
        auto const create = [&] {
            auto with = small_matrix();
            with.commit = commit;
            weir_matrix *matrix = nullptr;
            return weir_matrix_create(name.c_str(), &with, &matrix) == 0 ? 0 : 1;
        };
        std::string const wrong = for_every_stop(create, verify, stops);
        report(tap,
               commit == 0 ? "a creator may die at any system call"
                           : "a creator that commits memory may die at any system call",
               wrong, stops, 20);
    }
}

// ---- using one

/// A segment with something in it, and what must hold after each death.
class World {
  public:
    World() : name_(segment_name("use"))
    {
        auto const with = small_matrix();
        good_ = weir_matrix_create(name_.c_str(), &with, &matrix_) == 0 &&
                weir_channel_create(matrix_, "ring", nullptr, &channel_) == 0;
        used_ = used();
    }
    World(World const &) = delete;
    World &operator=(World const &) = delete;
    ~World()
    {
        weir_channel_unref(channel_);
        weir_matrix_unlink(name_.c_str());
        weir_matrix_unref(matrix_);
    }

    std::string verify()
    {
        if (!good_)
            return "no segment";
        weir_matrix_heal(matrix_, nullptr);
        weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
        weir_matrix_stats(matrix_, &info);
        if (info.participants != 1)
            return text("%d participants are left", static_cast<int>(info.participants));
        weir_ref bound = 0; // what it named may have survived it
        if (weir_matrix_unbind(matrix_, "bound", &bound) == 0)
            weir_matrix_free(matrix_, bound);
        drain();
        if (used() != used_)
            return text("%d blocks instead of %d", static_cast<int>(used()),
                        static_cast<int>(used_));
        weir_check_report report = WEIR_CHECK_REPORT_INIT;
        if (int const errors = weir_matrix_check(matrix_, 0, &report); errors != 0)
            return text("check found %d errors", errors);
        weir_matrix *more[3] = {};
        for (weir_matrix *&each : more) // all slots are free again
            if (weir_matrix_attach(name_.c_str(), nullptr, &each) != 0)
                return "a slot is lost";
        for (weir_matrix *each : more)
            weir_matrix_unref(each);
        return usable(matrix_);
    }
    char const *name() const { return name_.c_str(); }
    weir_matrix *matrix() const { return matrix_; }

  private:
    uint64_t used()
    {
        weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
        weir_matrix_stats(matrix_, &info);
        return info.used_blocks;
    }
    void drain()
    {
        weir_subscription *reader = nullptr;
        weir_message message;
        if (weir_channel_subscribe(channel_, &reader) != 0)
            return;
        while (weir_channel_read(reader, 0, &message, nullptr) == 0)
            weir_channel_ack(reader, &message);
        weir_subscription_close(reader);
    }

    std::string name_;
    weir_matrix *matrix_ = nullptr;
    weir_channel *channel_ = nullptr;
    uint64_t used_ = 0;
    bool good_ = false;
};

/// Sleeps until its time is up, as nobody frees anything; then gives back what was in the way.
bool sleeps_in_vain(weir_matrix *matrix)
{
    weir_ref taken, block;
    weir_alloc_options with = WEIR_ALLOC_OPTIONS_INIT;
    with.timeout_ns = kMillisecond;
    bool const good =
        weir_matrix_alloc(matrix, size_t{3} << 19, nullptr, &taken, nullptr) == 0 &&
        weir_matrix_alloc(matrix, size_t{3} << 19, &with, &block, nullptr) == -ETIMEDOUT;
    return weir_matrix_free(matrix, taken) == 0 && good; // and wakes those who are not there
}

/// All that needs the kernel: attach, growth, giving memory back and taking it again, sleeping in a channel and for memory, waking, leaving.
int live_a_life(char const *name)
{
    weir_matrix *matrix = nullptr;
    if (weir_matrix_attach(name, nullptr, &matrix) != 0)
        return 1;
    weir_ref small, large, posted;
    weir_channel *channel = nullptr;
    weir_subscription *reader = nullptr;
    weir_message message;
    bool good = weir_matrix_alloc(matrix, 100, nullptr, &small, nullptr) == 0 &&
                weir_matrix_alloc(matrix, 300000, nullptr, &large, nullptr) == 0 &&
                weir_matrix_free(matrix, large) == 0 && weir_matrix_trim(matrix, 0, nullptr) == 0 &&
                weir_matrix_alloc(matrix, 300000, nullptr, &large, nullptr) == 0 &&
                weir_matrix_resize(matrix, large, 200000) == 0 &&
                weir_matrix_realloc(matrix, large, 900000, nullptr, &large, nullptr) == 0 &&
                weir_matrix_bind(matrix, "bound", small) == 0 && sleeps_in_vain(matrix) &&
                weir_channel_attach(matrix, "ring", nullptr, &channel) == 0 &&
                weir_channel_subscribe(channel, &reader) == 0 &&
                weir_channel_read(reader, kMillisecond, &message, nullptr) == -ETIMEDOUT &&
                weir_matrix_alloc(matrix, 100, nullptr, &posted, nullptr) == 0 &&
                weir_channel_post(channel, posted, 100, nullptr, 0) == 0 &&
                weir_channel_read(reader, 0, &message, nullptr) == 0 &&
                weir_channel_nack(reader, &message) == 0 &&
                weir_channel_read(reader, 0, &message, nullptr) == 0 &&
                weir_channel_ack(reader, &message) == 0;
    weir_subscription_close(reader);
    weir_channel_unref(channel);
    weir_matrix_unref(matrix);
    return good ? 0 : 2;
}

void users_die(Tap &tap)
{
    World world;
    int stops = 0;
    char const *const name = world.name();
    auto const verify = [&](bool) { return world.verify(); };

    auto const attach = [=] {
        weir_matrix *matrix = nullptr;
        return weir_matrix_attach(name, nullptr, &matrix) == 0 ? 0 : 1;
    };
    std::string wrong = for_every_stop(attach, verify, stops);
    report(tap, "who attaches may die at any system call", wrong, stops, 20);

    auto const fork_child = [&world] {
        uint64_t id = 0;
        return weir_matrix_participant_id(world.matrix(), &id) == 0 ? 0 : 1;
    };
    wrong = for_every_stop(fork_child, verify, stops);
    report(tap, "a fork child may die at any system call of its first call", wrong, stops, 4);

    wrong = for_every_stop([=] { return live_a_life(name); }, verify, stops);
    report(tap, "a user may die at any system call of a whole life", wrong, stops, 40);
}

void retirers_die(Tap &tap)
{
    std::string const name = segment_name("retire");
    int stops = 0;
    auto const retire = [&] {
        auto const with = small_matrix();
        weir_matrix *matrix = nullptr;
        if (weir_matrix_create(name.c_str(), &with, &matrix) != 0)
            return 1;
        int const code = weir_matrix_retire(matrix);
        weir_matrix_unref(matrix);
        return code == 0 ? 0 : 2;
    };
    auto const verify = [&](bool lived) -> std::string {
        weir_matrix *matrix = nullptr;
        int const code = weir_matrix_attach(name.c_str(), nullptr, &matrix);
        weir_matrix_unref(matrix);
        weir_matrix_unlink(name.c_str());
        bool const fine = code == -ENOENT || (!lived && (code == 0 || code == -WEIR_E_RETIRED));
        return fine ? "" : text("attach gave %d", code);
    };
    std::string const wrong = for_every_stop(retire, verify, stops);
    report(tap, "who retires a matrix may die at any system call", wrong, stops, 20);
}

// ---- stopped, not killed

/// Fills the matrix; each call must return in time. Returns the slowest one.
int64_t fill(weir_matrix *matrix, size_t size, int &ret_code)
{
    int64_t slowest = 0;
    for (;;) {
        weir_ref block;
        int64_t const began = now_ns();
        ret_code = weir_matrix_alloc(matrix, size, nullptr, &block, nullptr);
        int64_t const took = now_ns() - began;
        slowest = took > slowest ? took : slowest;
        if (ret_code < 0)
            return slowest;
    }
}

constexpr int64_t kStall = 50 * kMillisecond;
constexpr int64_t kSlack = 450 * kMillisecond; // a busy machine

void stopped_while_growing(Tap &tap)
{
    auto const with = small_matrix(kStall);
    weir_matrix *matrix = nullptr;
    if (weir_matrix_create(nullptr, &with, &matrix) != 0) {
        tap.ok(false, "a matrix is made");
        return;
    }
    Traced child([=] {
        weir_ref block;
        weir_matrix *own = nullptr;
        return weir_matrix_attach_fd(weir_matrix_fd(matrix), nullptr, &own) == 0 &&
                       weir_matrix_alloc(own, 5000, nullptr, &block, nullptr) == 0
                   ? 0
                   : 1;
    });
    bool const there = child.step_to(SYS_fallocate);
    int code = 0;
    int64_t const took = fill(matrix, 5000, code);
    tap.ok(there && took < kStall + kSlack, "who is stopped while it grows makes nobody hang",
           text("%d ms", static_cast<int>(took / kMillisecond)).c_str());
    tap.ok(code == -EBUSY, "memory that a stopped process is about to add is -EBUSY, not -ENOMEM",
           weir_error_name(code));
    child.end();
    weir_ref block;
    code = weir_matrix_alloc(matrix, 5000, nullptr, &block, nullptr);
    tap.ok(code == 0, "when it is dead the others grow", weir_error_name(code));
    weir_matrix_unref(matrix);
}

void stopped_anywhere(Tap &tap)
{
    uint64_t const rounds = environment("WEIR_STOPS", 25);
    Random random(environment("WEIR_SEED", static_cast<uint64_t>(now_ns())));
    auto with = small_matrix(kStall);
    with.capacity = uint64_t{1} << 20;
    weir_matrix *matrix = nullptr;
    if (weir_matrix_create(nullptr, &with, &matrix) != 0) {
        tap.ok(false, "a matrix is made");
        return;
    }
    auto *const beats = shared_page<uint64_t>();
    pid_t const pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;; __atomic_fetch_add(beats, 1, __ATOMIC_RELAXED)) {
            weir_ref blocks[8];
            int made = 0;
            while (made < 8 && weir_matrix_alloc(matrix, 64 + 500 * static_cast<size_t>(made),
                                                 nullptr, &blocks[made], nullptr) == 0)
                ++made;
            while (made > 0)
                weir_matrix_free(matrix, blocks[--made]);
        }
    }
    int64_t slowest = 0;
    bool codes_fine = true, moves = true;
    for (uint64_t i = 0; i < rounds; ++i) {
        sleep_us(1000 + random.below(3000));
        kill(pid, SIGSTOP);
        waitpid(pid, nullptr, WUNTRACED);
        weir_matrix *mine = nullptr;
        if (weir_matrix_attach_fd(weir_matrix_fd(matrix), &with, &mine) != 0)
            break;
        for (size_t const size : {size_t{200000}, size_t{3000}, size_t{64}}) {
            int code = 0;
            int64_t const took = fill(mine, size, code);
            slowest = took > slowest ? took : slowest;
            codes_fine = codes_fine && (code == -ENOMEM || code == -EBUSY);
        }
        weir_matrix_unref(mine); // gives all back
        uint64_t const before = __atomic_load_n(beats, __ATOMIC_RELAXED);
        kill(pid, SIGCONT);
        int64_t const began = now_ns();
        while (__atomic_load_n(beats, __ATOMIC_RELAXED) == before &&
               now_ns() - began < 5000 * kMillisecond)
            sleep_us(100);
        moves = moves && __atomic_load_n(beats, __ATOMIC_RELAXED) != before;
    }
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    tap.ok(slowest < kStall + kSlack, "who is stopped anywhere makes nobody hang",
           text("%d ms", static_cast<int>(slowest / kMillisecond)).c_str());
    tap.ok(codes_fine, "a matrix that is full meanwhile says so");
    tap.ok(moves, "who was stopped goes on");
    weir_matrix_heal(matrix, nullptr);
    std::string const wrong = not_empty(matrix);
    tap.ok(wrong.empty(), "every byte came back", wrong.c_str());
    weir_matrix_unref(matrix);
}

bool can_trace()
{
    Traced child([] { return static_cast<int>(syscall(SYS_getppid)) == 0 ? 1 : 0; });
    return child.step();
}
} // namespace

int main()
{
    alarm(120); // a watchdog: whatever hangs ends as a failure
    Tap tap;
    if (can_trace()) {
        creators_die(tap);
        users_die(tap);
        retirers_die(tap);
        stopped_while_growing(tap);
    } else {
        tap.skip("deaths at every system call", "ptrace is not allowed here");
    }
    stopped_anywhere(tap);
    int left = 0;
    for (char const *const test : {"create", "use", "retire"})
        left += files_with(segment_name(test));
    tap.ok(left == 0, "nothing is left over", text("%d files", left).c_str());
    return tap.finish();
}
