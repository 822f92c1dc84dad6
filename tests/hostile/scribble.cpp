// SPDX-License-Identifier: MIT OR Apache-2.0
// A process that damages the segment all the time, while others work in it.
//
// Calls may fail then, but only with codes that weir.h lists for them, and they may neither crash,
// nor hang, nor lead outside the segment. Each round has a segment of its own and another kind of
// damage. Argument: the ABI file. WEIR_HOSTILE (10000) is the number of steps of each worker and
// round, WEIR_HOSTILE_MS (2000) the longest time of a round: in a ruin each call is slow. WEIR_SEED
// chooses the way.
#include "tests/crash/support.hpp"

#include <sys/stat.h>

#include <map>
#include <set>
#include <vector>

using namespace crash;

namespace {
constexpr unsigned kWorkers = 2;
/// A call hangs if it takes so much of the processor, or so long on a machine that does other things too.
constexpr int64_t kHang = 8000 * kMillisecond;
constexpr int64_t kSleep = 5 * kHang;
constexpr uint64_t kCapacity = uint64_t{2} << 20;

using Documented = std::map<std::string, std::set<std::string>>;

/// The errors of each function, from the lines `errors FUNCTION CODE…`.
Documented read_abi(char const *path)
{
    Documented found;
    std::FILE *const file = std::fopen(path, "re");
    if (file == nullptr)
        return found;
    char line[1024];
    while (std::fgets(line, sizeof line, file) != nullptr) {
        char *at = std::strtok(line, " \n");
        if (at == nullptr || std::strcmp(at, "errors") != 0)
            continue;
        char const *const function = std::strtok(nullptr, " \n");
        while ((at = std::strtok(nullptr, " \n")) != nullptr)
            found[function].insert(at + 1);
    }
    std::fclose(file);
    return found;
}

struct Control {
    uint64_t beats[kWorkers];
    uint64_t refused[kWorkers];
    char const *running[kWorkers]; ///< the call each worker is in: literals, the same after a fork
    uint32_t stop;
    uint32_t failed;
    char failure[300];
};

/// Calls whatever there is with whatever it got before.
class Worker {
  public:
    Worker(Control &control, Documented const &documented, unsigned number, char const *name,
           weir_matrix *matrix, uint64_t seed)
        : control_(control), documented_(documented), number_(number), name_(name), matrix_(matrix),
          random_(seed)
    {
        struct stat found;
        fstat(weir_matrix_fd(matrix), &found);
        length_ = static_cast<uint64_t>(found.st_size);
    }

    int run(uint64_t steps, int64_t longest)
    {
        int64_t const until = now_ns() + longest;
        weir_channel_attach(matrix_, "ring", nullptr, &channel_);
        if (channel_ != nullptr)
            weir_channel_subscribe(channel_, &reader_);
        weir_pool_attach(matrix_, "slots", nullptr, &pool_);
        for (uint64_t i = 0; i < steps && now_ns() < until; ++i) {
            step();
            __atomic_fetch_add(&control_.beats[number_], 1, __ATOMIC_RELAXED);
        }
        control_.running[number_] = "the end";
        weir_subscription_close(reader_);
        weir_channel_unref(channel_);
        weir_pool_unref(pool_);
        weir_matrix_unref(matrix_);
        return 0;
    }

  private:
    [[noreturn]] void fail(std::string const &what)
    {
        if (__atomic_exchange_n(&control_.failed, 1, __ATOMIC_ACQ_REL) == 0)
            std::strncpy(control_.failure, what.c_str(), sizeof control_.failure - 1);
        _exit(3);
    }
    void running(char const *function) { control_.running[number_] = function; }
    bool fine(char const *function, int code)
    {
        if (code >= 0)
            return true;
        ++control_.refused[number_];
        auto const known = documented_.find(function);
        if (known == documented_.end() || known->second.count(weir_error_name(code)) == 0)
            fail(text("%s gave %s, which weir.h does not list", function, weir_error_name(code)));
        return false;
    }
#define CALL(function, ...) (running(#function), fine(#function, function(__VA_ARGS__)))

    /// Everything a block promises may be touched.
    void touch(void *data, size_t size)
    {
        if (size > length_)
            fail("a block is larger than the segment");
        auto *const bytes = static_cast<unsigned char *>(data);
        bytes[0] = bytes[size - 1] = 1;
        if (size < 10000)
            std::memset(data, 1, size);
    }
    weir_ref any_ref()
    {
        if (random_.below(20) == 0)
            return random_.next();
        weir_ref const ref = refs_[random_.below(kRefs)];
        return random_.below(10) == 0 ? ref ^ uint64_t { 1 } << random_.below(64) : ref;
    }

    void step()
    {
        switch (random_.below(27)) {
        default:
            return allocate();
        case 6:
        case 7:
        case 8:
        case 9:
        case 10:
            CALL(weir_matrix_free, matrix_, any_ref());
            return;
        case 11:
            return inspect_block();
        case 12:
            return change_block();
        case 13:
        case 14:
            return post();
        case 15:
        case 16:
        case 17:
            return read();
        case 18:
            return change_root();
        case 19:
            return look();
        case 20:
            return join_again();
        case 21:
        case 22:
        case 23:
            return use_slots();
        }
    }

    void allocate()
    {
        weir_ref block = 0;
        void *data = nullptr;
        size_t const size = 1 + random_.below(random_.below(20) == 0 ? 200000 : 2000);
        weir_alloc_options with = WEIR_ALLOC_OPTIONS_INIT;
        with.flags = random_.below(2) == 0 ? 0 : WEIR_ALLOC_ZERO;
        with.alignment = size_t{1} << random_.below(13);
        bool const plain = random_.below(2) == 0;
        if (!CALL(weir_matrix_alloc, matrix_, size, plain ? nullptr : &with, &block, &data))
            return;
        running("touching a new block");
        touch(data, size);
        refs_[random_.below(kRefs)] = block;
    }
    void inspect_block()
    {
        void *data = nullptr;
        size_t size = 0;
        uint64_t owner = 0;
        weir_ref const block = any_ref();
        if (CALL(weir_matrix_data, matrix_, block, &data, &size)) {
            running("touching a block");
            touch(data, size);
            weir_ref again = 0;
            CALL(weir_matrix_ref_of, matrix_, data, 1, &again);
        }
        CALL(weir_block_size, matrix_, block, &size);
        CALL(weir_block_state, matrix_, block);
        CALL(weir_block_owner, matrix_, block, &owner);
    }
    void change_block()
    {
        weir_ref const block = any_ref();
        CALL(weir_block_set_state, matrix_, block, 50);
        CALL(weir_block_transition, matrix_, block, 50, 60);
        CALL(weir_block_give, matrix_, block, random_.below(2) == 0 ? 0 : 2);
        CALL(weir_block_take, matrix_, block);
    }
    void post()
    {
        if (channel_ != nullptr)
            CALL(weir_channel_post, channel_, any_ref(), 1, nullptr,
                 random_.below(50) == 0 ? kMillisecond : 0);
    }
    void read()
    {
        if (reader_ == nullptr)
            return;
        weir_message message;
        void *data = nullptr;
        if (!CALL(weir_channel_read, reader_, random_.below(50) == 0 ? kMillisecond : 0, &message,
                  &data))
            return;
        if (message.length != 0)
            touch(data, message.length);
        size_t size = 0;
        if (CALL(weir_matrix_data, matrix_, message.block, &data, &size))
            touch(data, size);
        switch (random_.below(3)) {
        case 0:
            CALL(weir_channel_ack, reader_, &message);
            break;
        case 1:
            CALL(weir_channel_nack, reader_, &message);
            break;
        default:
            CALL(weir_channel_take, reader_, &message);
        }
    }
    void use_slots()
    {
        if (pool_ == nullptr)
            return;
        weir_slot slot = random_.below(20) == 0 ? random_.next() : held_;
        void *data = nullptr;
        weir_pool_info info = WEIR_POOL_INFO_INIT;
        switch (random_.below(10)) {
        case 0:
            CALL(weir_pool_data, pool_, slot, &data);
            CALL(weir_pool_is_live, pool_, slot);
            break;
        case 1:
            if (CALL(weir_pool_acquire_many, pool_, 1, 0, &slot, &data))
                CALL(weir_pool_release_ptr, pool_, data);
            break;
        case 2:
            CALL(weir_pool_stats, pool_, &info);
            CALL(weir_pool_grow, pool_, 1);
            break;
        default:
            CALL(weir_pool_release, pool_, slot);
            if (CALL(weir_pool_acquire, pool_, random_.below(50) == 0 ? kMillisecond : 0, &held_,
                     &data))
                touch(data, weir_pool_slot_size(pool_));
        }
    }
    void change_root()
    {
        char name[8] = "root ?";
        name[5] = static_cast<char>('0' + random_.below(10));
        weir_ref block = 0;
        CALL(weir_matrix_bind, matrix_, name, any_ref());
        CALL(weir_matrix_lookup, matrix_, name, &block);
        CALL(weir_matrix_unbind, matrix_, name, &block);
    }
    void look()
    {
        if (random_.below(8) != 0)
            return;
        weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
        weir_check_report report = WEIR_CHECK_REPORT_INIT;
        weir_channel_info ring = WEIR_CHANNEL_INFO_INIT;
        CALL(weir_matrix_stats, matrix_, &info);
        CALL(
            weir_matrix_walk, matrix_, [](weir_block_info const *, void *) { return 0; }, nullptr);
        CALL(
            weir_matrix_participants, matrix_,
            [](weir_participant_info const *, void *) { return 0; }, nullptr);
        CALL(
            weir_matrix_roots, matrix_, [](weir_root_info const *, void *) { return 0; }, nullptr);
        if (channel_ != nullptr)
            CALL(weir_channel_inquire, channel_, &ring);
        if (random_.below(8) == 0)
            CALL(weir_matrix_heal, matrix_, nullptr);
        if (random_.below(8) == 0)
            CALL(weir_matrix_check, matrix_, WEIR_CHECK_REPAIR, &report);
    }
    void join_again()
    {
        if (random_.below(20) != 0)
            return;
        weir_matrix *another = nullptr;
        weir_channel *its = nullptr;
        if (!CALL(weir_matrix_attach, name_, nullptr, &another))
            return;
        if (CALL(weir_channel_open, another, "ring", nullptr, &its))
            weir_channel_unref(its);
        if (CALL(weir_channel_create, another, "new", nullptr, &its)) {
            CALL(weir_channel_retire, its);
            weir_channel_unref(its);
        }
        CALL(weir_matrix_prefault, another, 0, nullptr, nullptr);
        running("weir_matrix_unref");
        weir_matrix_unref(another);
        watch();
    }
    /// As a monitor does, which may write nothing.
    void watch()
    {
        weir_matrix_options options = WEIR_MATRIX_OPTIONS_INIT;
        options.flags = WEIR_MATRIX_READ_ONLY;
        weir_matrix *watcher = nullptr;
        weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
        weir_check_report report = WEIR_CHECK_REPORT_INIT;
        if (!CALL(weir_matrix_attach, name_, &options, &watcher))
            return;
        CALL(weir_matrix_check, watcher, 0, &report);
        CALL(weir_matrix_stats, watcher, &info);
        CALL(weir_matrix_free, watcher, any_ref());
        running("weir_matrix_unref");
        weir_matrix_unref(watcher);
    }

    static constexpr unsigned kRefs = 64;
    Control &control_;
    Documented const &documented_;
    unsigned number_;
    char const *name_;
    weir_matrix *matrix_;
    Random random_;
    uint64_t length_ = 0;
    weir_channel *channel_ = nullptr;
    weir_pool *pool_ = nullptr;
    weir_slot held_ = 0;
    weir_subscription *reader_ = nullptr;
    weir_ref refs_[kRefs] = {};
};

// ---- damage

struct Range {
    uint64_t begin, length;
};

/// Where damage hurts: all tables, and the block of the channel (docs/FORMAT.md).
std::vector<Range> tender_places(char const *base, uint64_t channel)
{
    constexpr uint64_t kDescriptors = 152, kDescriptor = 48;
    auto const word = [base](uint64_t offset) {
        uint64_t value;
        std::memcpy(&value, base + offset, sizeof value);
        return value;
    };
    uint64_t const directory = word(144);
    std::vector<Range> found = {{0, 512}, {576, directory + 256 * 256 - 576}};
    for (uint64_t i = 0; i < 3; ++i) {
        uint64_t const at = kDescriptors + i * kDescriptor;
        uint64_t const words = word(at + 16), hints = word(at + 24);
        uint64_t const end = i < 2 ? word(at + kDescriptor + 16) : word(kDescriptors + 40);
        found.push_back({words, (hints - words) / 4}); // where the blocks are
        found.push_back({hints, end - hints < 65536 ? end - hints : 65536});
    }
    found.push_back({channel, 6000});
    return found;
}

/// What is written over a word of 8 bytes.
uint64_t damage(unsigned kind, uint64_t before, Random &random)
{
    switch (kind) {
    case 0:
        return before ^ uint64_t { 1 } << random.below(64); // one bit
    case 1:
        return random.next(); // noise
    case 2:
        return random.below(7) << 60 | random.below(4) << 42 | random.below(64) << 28 |
               random.below(64); // nearly a block word
    case 3:
        return random.below(3) == 0 ? 0 : random.below(3) == 0 ? UINT64_MAX : before + 1;
    default:
        return (random.below(5) << 61 | random.below(64) << 55 | random.below(4) << 45 |
                random.below(4)); // nearly a cell word
    }
}

int scribble(Control &control, weir_matrix *matrix, uint64_t channel, unsigned kind, uint64_t seed)
{
    struct stat found;
    fstat(weir_matrix_fd(matrix), &found);
    auto *const base = static_cast<char *>(mmap(nullptr, static_cast<size_t>(found.st_size),
                                                PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                                                weir_matrix_fd(matrix), 0));
    auto const places = tender_places(base, channel);
    char constant[512];
    std::memcpy(constant, base, sizeof constant);
    Random random(seed);
    while (__atomic_load_n(&control.stop, __ATOMIC_ACQUIRE) == 0) {
        Range const &place = places[random.below(places.size())];
        auto *const word =
            reinterpret_cast<uint64_t *>(base + place.begin + random.below(place.length / 8) * 8);
        __atomic_store_n(word, damage(kind, __atomic_load_n(word, __ATOMIC_RELAXED), random),
                         __ATOMIC_RELAXED);
        if (random.below(64) == 0)
            std::memcpy(base, constant, sizeof constant); // or nobody could attach
        if (kind != 1 && random.below(4) == 0)
            sleep_us(1);
    }
    return 0;
}

// ---- a round

void find_channel(weir_matrix *matrix, uint64_t &into)
{
    auto const keep = [](weir_root_info const *info, void *userdata) {
        *static_cast<uint64_t *>(userdata) = info->block & ((uint64_t{1} << 48) - 1);
        return 0;
    };
    weir_matrix_roots(matrix, keep, &into);
}

template <class Action> pid_t start(Action action)
{
    pid_t const pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(action());
    }
    return pid;
}

/// Nanoseconds of processor time that a child has had.
int64_t cpu_time_of(pid_t child)
{
    clockid_t clock;
    timespec time{};
    if (clock_getcpuclockid(child, &clock) != 0 || clock_gettime(clock, &time) != 0)
        return 0;
    return int64_t{time.tv_sec} * 1000 * kMillisecond + time.tv_nsec;
}

/// Whether a worker is in one call for too long.
class Pulse {
  public:
    bool is_missing(uint64_t beats, pid_t worker)
    {
        int64_t const now = now_ns();
        if (began_ != 0 && beats == beats_)
            return now - began_ > kSleep ||
                   (now - began_ > kHang && cpu_time_of(worker) - cpu_ > kHang);
        beats_ = beats;
        began_ = now;
        cpu_ = cpu_time_of(worker);
        return false;
    }

  private:
    uint64_t beats_ = 0;
    int64_t began_ = 0, cpu_ = 0;
};

/// Waits for all workers; says what went wrong.
std::string watch(Control &control, pid_t (&workers)[kWorkers])
{
    Pulse pulse[kWorkers];
    for (unsigned left = kWorkers; left > 0;) {
        sleep_us(1000);
        for (unsigned i = 0; i < kWorkers; ++i) {
            if (workers[i] == 0)
                continue;
            int status = 0;
            if (waitpid(workers[i], &status, WNOHANG) > 0) {
                workers[i] = 0;
                --left;
                if (WIFSIGNALED(status))
                    return text("signal %d in %s", WTERMSIG(status), control.running[i]);
                if (WEXITSTATUS(status) != 0)
                    return control.failed != 0 ? std::string(control.failure) : "a worker failed";
                continue;
            }
            uint64_t const beats = __atomic_load_n(&control.beats[i], __ATOMIC_RELAXED);
            if (pulse[i].is_missing(beats, workers[i]))
                return text("hangs in %s", control.running[i]);
        }
    }
    return "";
}

struct Sum {
    uint64_t steps = 0, refused = 0;
};

std::string play(unsigned kind, uint64_t seed, Documented const &documented, Sum &sum)
{
    uint64_t const steps = environment("WEIR_HOSTILE", 10000);
    auto const longest = static_cast<int64_t>(environment("WEIR_HOSTILE_MS", 2000)) * kMillisecond;
    std::string const name = segment_name("hostile");
    auto *const control = shared_page<Control>();
    weir_matrix_options with = WEIR_MATRIX_OPTIONS_INIT;
    with.capacity = kCapacity;
    with.commit = kCapacity / 2;
    with.participants = 16;
    with.stall_ns = 20000; // damaged counters would cost it in each call
    weir_channel_options ring = WEIR_CHANNEL_OPTIONS_INIT;
    ring.capacity = 64;
    weir_matrix *matrix = nullptr;
    weir_channel *channel = nullptr;
    weir_pool *pool = nullptr;
    weir_pool_options slots = WEIR_POOL_OPTIONS_INIT;
    slots.slot_size = 100;
    slots.capacity = 64;
    slots.max_capacity = 512;
    slots.flags = WEIR_POOL_GROWABLE;
    uint64_t place = 0;
    if (weir_matrix_create(name.c_str(), &with, &matrix) != 0 ||
        weir_channel_create(matrix, "ring", &ring, &channel) != 0 ||
        weir_pool_create_in(matrix, "slots", &slots, &pool) != 0)
        return "no segment";
    find_channel(matrix, place);

    pid_t workers[kWorkers];
    for (unsigned i = 0; i < kWorkers; ++i)
        workers[i] = start([&] {
            return Worker(*control, documented, i, name.c_str(), matrix, seed + i)
                .run(steps, longest);
        });
    pid_t const scribbler =
        start([&] { return scribble(*control, matrix, place, kind, seed + 100); });
    std::string wrong = watch(*control, workers);
    for (pid_t const pid : workers)
        if (pid != 0) {
            kill(pid, SIGKILL);
            waitpid(pid, nullptr, 0);
        }
    __atomic_store_n(&control->stop, 1, __ATOMIC_RELEASE);
    waitpid(scribbler, nullptr, 0);
    for (unsigned i = 0; i < kWorkers; ++i) {
        sum.refused += control->refused[i];
        sum.steps += control->beats[i];
    }

    // What is left is a ruin; it can still be looked at and left.
    pid_t const visitor = start([&] {
        alarm(10);
        weir_check_report report = WEIR_CHECK_REPORT_INIT;
        weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
        weir_matrix_check(matrix, WEIR_CHECK_REPAIR, &report);
        weir_matrix_heal(matrix, nullptr);
        weir_matrix_stats(matrix, &info);
        weir_channel_unref(channel);
        weir_pool_unref(pool);
        weir_matrix_unref(matrix);
        return 0;
    });
    int status = 0;
    waitpid(visitor, &status, 0);
    if (wrong.empty() && status != 0)
        wrong = WIFSIGNALED(status) ? text("signal %d while looking at the ruin", WTERMSIG(status))
                                    : "the visitor failed";
    weir_channel_unref(channel);
    weir_pool_unref(pool);
    weir_matrix_unref(matrix);
    unlink(("/dev/shm/weir." + name).c_str()); // it may not begin like a segment any more
    munmap(control, sizeof *control);
    return wrong;
}
} // namespace

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    Tap tap;
    Documented const documented = read_abi(argv[1]);
    tap.ok(documented.size() > 30, "the documented errors are known");
    uint64_t const seed = environment("WEIR_SEED", static_cast<uint64_t>(now_ns()));
    std::printf("# seed %llu\n", static_cast<unsigned long long>(seed));
    char const *const kinds[] = {"single bits", "noise", "likely block words", "extremes",
                                 "likely cell words"};
    uint64_t steps = 0;
    for (unsigned kind = 0; kind < 5; ++kind) {
        Sum sum;
        int64_t const began = now_ns();
        alarm(60); // if even leaving hangs
        std::string const wrong = play(kind, seed + 1000 * kind, documented, sum);
        std::string const name =
            std::string("damage by ") + kinds[kind] + " costs errors, not crashes or hangs";
        tap.ok(wrong.empty() && sum.refused > 10, name.c_str(), wrong.c_str());
        std::printf("# %llu steps, %llu calls refused, %.1f s\n",
                    static_cast<unsigned long long>(sum.steps),
                    static_cast<unsigned long long>(sum.refused),
                    static_cast<double>(now_ns() - began) / 1e9);
        steps += sum.steps;
    }
    // one step in each millisecond and round is little
    tap.ok(steps >= environment("WEIR_HOSTILE_MS", 10000), "enough was tried");
    tap.ok(files_with(segment_name("hostile")) == 0, "nothing is left over");
    return tap.finish();
}
