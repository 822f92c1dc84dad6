// SPDX-License-Identifier: MIT OR Apache-2.0
// Workers on one named segment, of which one after the other is killed at a random moment.
//
// Four processes allocate, free, resize, give, bind, post, read and answer blocks whose contents say what
// they must be. Their parent kills a random one every few milliseconds and starts it again. At the
// end everything must be back, nobody may ever have been blocked, and each message that a poster
// was told of must have been read. WEIR_KILLS (300) and WEIR_SEED choose how long and which way.
#include "tests/crash/support.hpp"

#include <algorithm>

using namespace crash;

namespace {
constexpr unsigned kWorkers = 4;
constexpr unsigned kMailbox = 16;
constexpr unsigned kRoots = 8;
constexpr uint64_t kTracked = uint64_t{1} << 24; ///< messages whose fate is recorded
constexpr int64_t kBlockedAfter = 10000 * kMillisecond;

enum Kind {
    kAlloc,
    kFree,
    kGive,
    kMail,
    kBind,
    kUnbind,
    kPost,
    kAck,
    kNack,
    kTake,
    kState,
    kLook,
    kTrim,
    kResize,
    kRealloc,
    kWait,
    kMany,
    kKinds
};

/// What the parent knows of a worker, wherever that one dies.
struct Slot {
    uint64_t beats; ///< operations that ended
    uint64_t participant;
    uint64_t mail[kMailbox];
    uint64_t done[kKinds]; ///< operations that succeeded, by kind
};

struct Control {
    uint32_t stop;
    uint32_t failed;
    char failure[400];
    uint64_t next_message;
    Slot slot[kWorkers];
    unsigned char posted[kTracked];
    unsigned char read[kTracked];
    unsigned char answered[kTracked];
};

template <class T> T load(T const &from) { return __atomic_load_n(&from, __ATOMIC_ACQUIRE); }
template <class T> void store(T &into, T value)
{
    __atomic_store_n(&into, value, __ATOMIC_RELEASE);
}
template <class T> void add(T &to) { __atomic_fetch_add(&to, T{1}, __ATOMIC_RELAXED); }

/// What stands at the beginning of each block; the rest of its bytes is `fill`.
struct Content {
    uint64_t magic;
    uint64_t length;
    uint64_t message;
    uint64_t fill;
};
constexpr uint64_t kMagic = 0x6b636f6c622e7265;

class Worker {
  public:
    Worker(Control &control, char const *name, unsigned number, uint64_t seed)
        : control_(control), slot_(control.slot[number]), number_(number), random_(seed)
    {
        must("attach", weir_matrix_attach(name, nullptr, &matrix_));
        must("channel", weir_channel_attach(matrix_, "jobs", nullptr, &channel_));
        must("subscribe", weir_channel_subscribe(channel_, &reader_));
        uint64_t me = 0;
        must("id", weir_matrix_participant_id(matrix_, &me));
        me_ = me;
        store(slot_.participant, me);
    }

    void run()
    {
        while (load(control_.stop) == 0) {
            step();
            add(slot_.beats);
            if (random_.below(20000) == 0)
                break; // now and then somebody leaves in order
        }
        weir_subscription_close(reader_);
        weir_channel_unref(channel_);
        weir_matrix_unref(matrix_);
    }

  private:
    static constexpr unsigned kHeld = 48;

    [[noreturn]] void fail(std::string const &what)
    {
        if (__atomic_exchange_n(&control_.failed, 1, __ATOMIC_ACQ_REL) == 0)
            std::strncpy(control_.failure, what.c_str(), sizeof control_.failure - 1);
        _exit(3);
    }
    void must(char const *what, int code)
    {
        if (code < 0)
            fail(text("worker %u: %s gave %d (%s)", number_, what, code, weir_error_name(code)));
    }
    /// Success, or one of the codes that this call may give here.
    bool went(char const *what, int code, std::initializer_list<int> fine)
    {
        if (code >= 0)
            return true;
        if (std::find(fine.begin(), fine.end(), code) == fine.end())
            must(what, code);
        return false;
    }

    bool make(weir_ref &block, uint64_t message)
    {
        uint64_t const kind = random_.below(100);
        size_t const size = sizeof(Content) + (kind < 80   ? random_.below(1500)
                                               : kind < 98 ? random_.below(20000)
                                                           : random_.below(1500000));
        void *data = nullptr;
        bool const waits = random_.below(10) == 0;
        weir_alloc_options with = WEIR_ALLOC_OPTIONS_INIT;
        with.timeout_ns = 2 * kMillisecond;
        int const code = weir_matrix_alloc(matrix_, size, waits ? &with : nullptr, &block, &data);
        if (!went("alloc", code, {-ENOMEM, -EBUSY, waits ? -ETIMEDOUT : -ENOMEM}))
            return false;
        if (waits)
            add(slot_.done[kWait]);
        write(data, size, message);
        return true;
    }
    void write(void *data, size_t size, uint64_t message)
    {
        Content const content{kMagic, size, message, random_.next() | 1};
        std::memcpy(data, &content, sizeof content);
        auto *const bytes = static_cast<unsigned char *>(data);
        std::memset(bytes + sizeof content, static_cast<int>(content.fill & 255),
                    size - sizeof content);
    }

    /// The block must be as its maker left it.
    Content verify(weir_ref block, char const *where)
    {
        void *data = nullptr;
        size_t size = 0;
        must(where, weir_matrix_data(matrix_, block, &data, &size));
        Content content;
        std::memcpy(&content, data, sizeof content);
        if (content.magic != kMagic || content.length > size)
            fail(text("worker %u: %s: a block of %zu bytes has another's content", number_, where,
                      size));
        auto const *const bytes = static_cast<unsigned char const *>(data);
        for (size_t i = sizeof content; i < content.length; ++i)
            if (bytes[i] != (content.fill & 255))
                fail(text("worker %u: %s: byte %zu of %zu was changed", number_, where, i,
                          static_cast<size_t>(content.length)));
        return content;
    }

    void hold(weir_ref block)
    {
        if (count_ == kHeld)
            drop(random_.below(kHeld));
        held_[count_++] = block;
    }
    weir_ref let_go(uint64_t index)
    {
        weir_ref const block = held_[index];
        held_[index] = held_[--count_];
        return block;
    }
    void drop(uint64_t index)
    {
        weir_ref const block = let_go(index);
        verify(block, "free");
        must("free", weir_matrix_free(matrix_, block));
        add(slot_.done[kFree]);
    }

    void step()
    {
        uint64_t const dice = random_.below(100);
        if (dice < 30)
            allocate();
        else if (dice < 42 && count_ != 0)
            drop(random_.below(count_));
        else if (dice < 49 && count_ != 0)
            change_size(random_.below(count_));
        else if (dice < 50)
            batch();
        else if (dice < 55 && count_ != 0)
            give();
        else if (dice < 60)
            open_mail();
        else if (dice < 66)
            change_root();
        else if (dice < 80)
            post();
        else if (dice < 95)
            read();
        else
            look();
    }

    void allocate()
    {
        weir_ref block;
        if (!make(block, 0))
            return;
        hold(block);
        add(slot_.done[kAlloc]);
    }

    /// In place or by moving. What fits must be as it was.
    void change_size(uint64_t index)
    {
        weir_ref &block = held_[index];
        Content const content = verify(block, "before a resize");
        size_t const size =
            sizeof content + (random_.below(2) == 0 ? random_.below(content.length)
                                                    : random_.below(2 * content.length));
        // who verifies it goes by this length
        size_t const kept = size < content.length ? size : static_cast<size_t>(content.length);
        void *data = nullptr;
        must("data", weir_matrix_data(matrix_, block, &data, nullptr));
        std::memcpy(static_cast<char *>(data) + offsetof(Content, length), &kept, sizeof kept);
        bool const moves = random_.below(3) == 0;
        int const code = moves ? weir_matrix_realloc(matrix_, block, size, nullptr, &block, nullptr)
                               : weir_matrix_resize(matrix_, block, size);
        if (!went("resize", code, {moves ? -ENOMEM : -ENOSPC, moves ? -EBUSY : -ENOSPC}))
            return;
        verify(block, "after a resize");
        must("data", weir_matrix_data(matrix_, block, &data, nullptr));
        write(data, size, content.message);
        add(slot_.done[moves ? kRealloc : kResize]);
    }

    void batch()
    {
        weir_ref blocks[20];
        int const made =
            weir_matrix_alloc_many(matrix_, 1 + random_.below(1500), 20, nullptr, blocks, nullptr);
        if (!went("alloc_many", made, {-ENOMEM, -EBUSY}))
            return;
        int const freed = weir_matrix_free_many(matrix_, blocks, static_cast<size_t>(made));
        if (freed != made)
            fail(text("worker %u: free_many gave %d of %d", number_, freed, made));
        add(slot_.done[kMany]);
    }

    void give()
    {
        Slot &peer = control_.slot[random_.below(kWorkers)];
        uint64_t &mail = peer.mail[random_.below(kMailbox)];
        uint64_t const his = load(peer.participant);
        if (his == 0 || his == me_ || load(mail) != 0)
            return;
        uint64_t const index = random_.below(count_);
        weir_ref const block = held_[index];
        if (!went("give", weir_block_give(matrix_, block, his), {-ESRCH}))
            return;
        let_go(index);
        store(mail, uint64_t{block}); // overwritten mail is a leak until its owner ends
        add(slot_.done[kGive]);
    }

    void open_mail()
    {
        uint64_t &mail = slot_.mail[random_.below(kMailbox)];
        weir_ref const block = __atomic_exchange_n(&mail, 0, __ATOMIC_ACQ_REL);
        uint64_t owner = 0;
        if (block == 0 ||
            !went("owner", weir_block_owner(matrix_, block, &owner), {-WEIR_E_STALE}) ||
            owner != me_)
            return; // given to one who had this place before
        verify(block, "mail");
        must("free mail", weir_matrix_free(matrix_, block));
        add(slot_.done[kMail]);
    }

    void change_root()
    {
        char name[16];
        std::snprintf(name, sizeof name, "root %u", static_cast<unsigned>(random_.below(kRoots)));
        weir_ref block = 0;
        if (random_.below(2) == 0) {
            if (!make(block, 0))
                return;
            if (went("bind", weir_matrix_bind(matrix_, name, block), {-EEXIST, -EBUSY}))
                add(slot_.done[kBind]);
            else
                hold(block);
            return;
        }
        if (!went("unbind", weir_matrix_unbind(matrix_, name, &block), {-ENOENT, -EBUSY}))
            return;
        if (block == 0)
            fail("a root named no block");
        verify(block, "unbind");
        hold(block);
        add(slot_.done[kUnbind]);
    }

    void post()
    {
        uint64_t message = __atomic_add_fetch(&control_.next_message, 1, __ATOMIC_RELAXED);
        if (message >= kTracked)
            message = 0;
        weir_ref block;
        if (!make(block, message))
            return;
        weir_post_options with = WEIR_POST_OPTIONS_INIT;
        with.tag = message;
        int64_t const timeout = random_.below(4) == 0 ? 3 * kMillisecond : 0;
        int const code = weir_channel_post(channel_, block, sizeof(Content), &with, timeout);
        if (!went("post", code, {-EAGAIN, -ETIMEDOUT})) {
            hold(block);
            return;
        }
        if (message != 0)
            store(control_.posted[message], static_cast<unsigned char>(1));
        add(slot_.done[kPost]);
    }

    void read()
    {
        weir_message message;
        int64_t const timeout = random_.below(4) == 0 ? 3 * kMillisecond : 0;
        int const code = weir_channel_read(reader_, timeout, &message);
        if (!went("read", code, {-EAGAIN, -ETIMEDOUT}))
            return;
        if (message.missed != 0)
            fail("a message was missed");
        Content const content = verify(message.block, "read");
        if (content.message != message.tag)
            fail(text("message %llu has the block of %llu",
                      static_cast<unsigned long long>(message.tag),
                      static_cast<unsigned long long>(content.message)));
        if (message.tag != 0)
            store(control_.read[message.tag], static_cast<unsigned char>(1));
        uint64_t const dice = random_.below(10);
        if (dice == 0) {
            must("nack", weir_channel_nack(reader_, &message));
            add(slot_.done[kNack]);
            return;
        }
        if (dice < 3) {
            must("take", weir_channel_take(reader_, &message));
            hold(message.block);
            add(slot_.done[kTake]);
        } else {
            must("ack", weir_channel_ack(reader_, &message));
            add(slot_.done[kAck]);
        }
        if (message.tag != 0)
            add(control_.answered[message.tag]);
    }

    void look()
    {
        if (count_ != 0) {
            weir_ref const block = held_[random_.below(count_)];
            must("set_state", weir_block_set_state(matrix_, block, 50));
            must("transition", weir_block_transition(matrix_, block, 50, 51));
            add(slot_.done[kState]);
        }
        if (random_.below(20) == 0) {
            uint64_t bytes = 0;
            if (went("trim", weir_matrix_trim(matrix_, random_.below(1 << 20), &bytes), {-EBUSY}) &&
                bytes != 0)
                add(slot_.done[kTrim]);
        }
        if (random_.below(50) != 0)
            return;
        weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
        must("stats", weir_matrix_stats(matrix_, &info));
        must("heal", weir_matrix_heal(matrix_, nullptr));
        add(slot_.done[kLook]);
    }

    Control &control_;
    Slot &slot_;
    unsigned number_;
    Random random_;
    weir_matrix *matrix_ = nullptr;
    weir_channel *channel_ = nullptr;
    weir_subscription *reader_ = nullptr;
    uint64_t me_ = 0;
    weir_ref held_[kHeld] = {};
    unsigned count_ = 0;
};

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
    while (weir_channel_read(reader, 0, &message) == 0) {
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
        Worker(*control, argv[2], static_cast<unsigned>(std::atoi(argv[4])),
               std::strtoull(argv[5], nullptr, 10))
            .run();
        return 0;
    }
    return supervise("/proc/self/exe");
}
