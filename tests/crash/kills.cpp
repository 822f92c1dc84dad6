// SPDX-License-Identifier: MIT OR Apache-2.0
// Workers on one named segment, of which one after the other is killed at a random moment.
//
// Four processes allocate, free, resize, give, bind, post, read and answer blocks whose contents say what
// they must be. Their parent kills a random one every few milliseconds and starts it again. At the
// end everything must be back, nobody may ever have been blocked, and each message that a poster
// was told of must have been read. WEIR_KILLS (300) and WEIR_SEED choose how long and which way.
#include "tests/crash/kills.hpp"

#include <algorithm>

using namespace crash;

namespace {
/// The processes, as their parent sees them.
class Team {
  public:
    Team(char const *program, std::string const &name, int control_fd, Control &control,
         uint64_t seed)
        : program_(program), name_(name), fd_(std::to_string(control_fd)), control_(control),
          random_(seed)
    {
        for (unsigned i = 0; i < kWorkers; ++i)
            start(i);
    }

    /// Kills one when it has done a random amount of work. False: somebody is blocked or failed.
    bool kill_one()
    {
        unsigned const victim = static_cast<unsigned>(random_.below(kWorkers));
        uint64_t const until = load(control_.slot[victim].beats) + 1 + random_.below(300);
        int64_t const began = now_ns();
        while (load(control_.slot[victim].beats) < until && now_ns() - began < 30 * kMillisecond)
            if (!wait_a_little())
                return false;
        kill(pids_[victim], SIGKILL);
        waitpid(pids_[victim], nullptr, 0);
        start(victim);
        return wait_a_little();
    }

    /// All end by themselves.
    bool stop()
    {
        store(control_.stop, 1u);
        int64_t const began = now_ns();
        for (unsigned i = 0; i < kWorkers; ++i) {
            while (pids_[i] != 0 && waitpid(pids_[i], nullptr, WNOHANG) == 0) {
                if (now_ns() - began > kBlockedAfter) {
                    complaint_ = text("worker %u did not end", i);
                    kill_all();
                    return false;
                }
                sleep_us(500);
            }
            pids_[i] = 0;
        }
        return true;
    }
    void kill_all()
    {
        for (pid_t const pid : pids_)
            if (pid != 0)
                kill(pid, SIGKILL);
        while (waitpid(-1, nullptr, 0) > 0)
            ;
    }
    std::string const &complaint() const { return complaint_; }

  private:
    void start(unsigned number)
    {
        std::string const seed = std::to_string(random_.next()), index = std::to_string(number);
        pid_t const pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            execl(program_, program_, "worker", name_.c_str(), fd_.c_str(), index.c_str(),
                  seed.c_str(), static_cast<char *>(nullptr));
            _exit(9);
        }
        pids_[number] = pid;
        seen_[number] = load(control_.slot[number].beats);
        seen_at_[number] = now_ns();
    }

    bool wait_a_little()
    {
        sleep_us(200);
        if (load(control_.failed) != 0) {
            complaint_ = control_.failure;
            return false;
        }
        for (unsigned i = 0; i < kWorkers; ++i) {
            if (waitpid(pids_[i], nullptr, WNOHANG) > 0)
                start(i); // left in order
            uint64_t const now = load(control_.slot[i].beats);
            if (now != seen_[i])
                seen_at_[i] = now_ns();
            seen_[i] = now;
            if (now_ns() - seen_at_[i] > kBlockedAfter) {
                complaint_ = text("worker %u has not moved for %d s", i,
                                  static_cast<int>(kBlockedAfter / 1000000000));
                return false;
            }
        }
        return true;
    }

    char const *program_;
    std::string name_, fd_, complaint_;
    Control &control_;
    Random random_;
    pid_t pids_[kWorkers] = {};
    uint64_t seen_[kWorkers] = {};
    int64_t seen_at_[kWorkers] = {};
};

Control *map_control(int fd)
{
    void *const at = mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return static_cast<Control *>(at);
}

/// Takes what the workers left: roots and messages.
std::string drain(weir_matrix *matrix, weir_channel *channel, Control &control)
{
    char name[16];
    for (unsigned i = 0; i < kRoots; ++i) {
        std::snprintf(name, sizeof name, "root %u", i);
        weir_ref block = 0;
        int const code = weir_matrix_unbind(matrix, name, &block);
        if (code == -ENOENT)
            continue;
        if (code < 0 || weir_matrix_free(matrix, block) != 0)
            return text("%s: %d", name, code);
    }
    weir_subscription *reader = nullptr;
    if (weir_channel_subscribe(channel, &reader) != 0)
        return "no subscription";
    weir_message message;
    while (weir_channel_read(reader, 0, &message, nullptr) == 0) {
        if (message.tag != 0)
            control.read[message.tag] = 1;
        if (int const code = weir_channel_ack(reader, &message); code != 0)
            return text("ack gave %d", code);
    }
    weir_subscription_close(reader);
    return "";
}

int supervise(char const *program)
{
    uint64_t const kills = environment("WEIR_KILLS", 300);
    uint64_t const seed = environment("WEIR_SEED", static_cast<uint64_t>(now_ns()));
    int64_t const patience = static_cast<int64_t>(environment("WEIR_SECONDS", 3600));
    std::string const name = segment_name("kills");
    int const fd = memfd_create("control", 0); // inherited by the workers
    if (fd < 0 || ftruncate(fd, sizeof(Control)) != 0)
        return 99;
    Control &control = *map_control(fd);

    weir_matrix *matrix = nullptr;
    weir_channel *channel = nullptr;
    weir_matrix_options with = WEIR_MATRIX_OPTIONS_INIT;
    with.capacity = uint64_t{24} << 20;
    with.participants = 16;
    weir_channel_options ring = WEIR_CHANNEL_OPTIONS_INIT;
    ring.capacity = 64;
    Tap tap;
    std::printf("# seed %llu\n", static_cast<unsigned long long>(seed));
    if (!tap.ok(weir_matrix_create(name.c_str(), &with, &matrix) == 0 &&
                    weir_channel_create(matrix, "jobs", &ring, &channel) == 0,
                "the segment is made"))
        return tap.finish();

    Team team(program, name, fd, control, seed);
    uint64_t done = 0;
    int64_t const began = now_ns();
    while (done < kills && now_ns() - began < patience * 1000000000 && team.kill_one())
        ++done;
    double const seconds = static_cast<double>(now_ns() - began) / 1e9;
    bool const ended = team.complaint().empty() && team.stop();
    team.kill_all();
    tap.ok(team.complaint().empty() && ended,
           "nobody was ever blocked, refused what was his, or found another's bytes",
           team.complaint().c_str());
    tap.ok(done == kills, "all kills were done",
           text("%llu of %llu", static_cast<unsigned long long>(done),
                static_cast<unsigned long long>(kills))
               .c_str());
    tap.ok(control.failed == 0, "no worker failed while it ended", control.failure);

    weir_matrix_heal(matrix, nullptr);
    std::string const drained = drain(matrix, channel, control);
    tap.ok(drained.empty(), "what they left can be taken", drained.c_str());
    tap.ok(weir_channel_retire(channel) == 0, "the channel is retired");
    weir_channel_unref(channel);
    std::string const wrong = not_empty(matrix);
    tap.ok(wrong.empty(), "every byte came back, and each sector is one free block", wrong.c_str());
    weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
    weir_matrix_stats(matrix, &info);
    tap.ok(info.participants == 1, "all participants are gone");

    uint64_t posted = 0, lost = 0, twice = 0;
    uint64_t const last = std::min(control.next_message + 1, kTracked);
    for (uint64_t i = 1; i < last; ++i) {
        posted += control.posted[i];
        lost += control.posted[i] != 0 && control.read[i] == 0 ? 1 : 0;
        twice += control.answered[i] > 1 ? 1 : 0;
    }
    tap.ok(lost == 0, "every message that was posted was read", std::to_string(lost).c_str());
    tap.ok(twice == 0, "no message was answered twice", std::to_string(twice).c_str());
    uint64_t kinds[kKinds] = {}, least = UINT64_MAX, operations = 0;
    for (Slot const &slot : control.slot)
        for (unsigned i = 0; i < kKinds; ++i)
            kinds[i] += slot.done[i];
    for (uint64_t const kind : kinds) {
        least = std::min(least, kind);
        operations += kind;
    }
    tap.ok(least > 0 && info.deaths >= kills / 2, "every kind of operation was at work",
           text("least %llu, deaths %llu", static_cast<unsigned long long>(least),
                static_cast<unsigned long long>(info.deaths))
               .c_str());
    std::printf("# %llu kills, %llu deaths healed, %llu allocations, %llu messages, "
                "%llu operations, %.1f s\n",
                static_cast<unsigned long long>(done), static_cast<unsigned long long>(info.deaths),
                static_cast<unsigned long long>(kinds[kAlloc]),
                static_cast<unsigned long long>(posted),
                static_cast<unsigned long long>(operations), seconds);
    weir_matrix_unlink(name.c_str());
    weir_matrix_unref(matrix);
    tap.ok(files_with(name) == 0, "nothing is left over");
    return tap.finish();
}
} // namespace

int main(int argc, char **argv)
{
    if (argc == 6 && std::strcmp(argv[1], "worker") == 0) {
        Control *const control = map_control(std::atoi(argv[3]));
        work(*control, argv[2], static_cast<unsigned>(std::atoi(argv[4])),
             std::strtoull(argv[5], nullptr, 10));
        return 0;
    }
    return supervise("/proc/self/exe");
}
