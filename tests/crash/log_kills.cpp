// SPDX-License-Identifier: MIT OR Apache-2.0
// A process with a log is killed at random moments, at once a new one opens the log again, and so
// on. Its threads append, wait, and note in shared memory what was acknowledged, each in a row of
// its own; each record says thread and number and holds bytes that follow from both.
//
// After each kill
//   - the next process opens the log at once, STRICT (no damage may be found), or, every other
//     time, weir_log_verify() looks first and says 0 or 1
//   - the parent reads the log from where it stood: of each thread all acknowledged numbers are
//     there, in order and whole; an atomic batch is there as a whole; nothing else is there
// Numbers that were not acknowledged may be gone, at the end of what their process appended; no
// number comes twice. The next process goes on behind the highest that was taken.
//
// Backends take turns. And the same for a copy of the folder, made while the process is stopped: a
// power cut that keeps all that was written.
// WEIR_LOG_KILLS (200), WEIR_LOG_COPIES (20) and WEIR_SEED choose.
#include "tests/crash/support.hpp"

#include <pthread.h>

#include <filesystem>
#include <vector>

using namespace crash;

namespace {
constexpr unsigned kThreads = 4;
constexpr uint32_t kBatchTag = 7; ///< of all records of an atomic batch but the last

struct Row {               ///< of one thread
    uint64_t taken;        ///< numbers below this one were given to append
    uint64_t acknowledged; ///< numbers below this one were in the log, said weir_log_wait()
    uint64_t lsn;          ///< of the last one of these
    uint64_t padding[5];
};
struct Shared {
    Row rows[kThreads];
    uint64_t open;      ///< the process has the log open
    uint64_t truncated; ///< below this nothing must be there
    uint64_t durable;   ///< the highest weir_log_durable()
};

struct Header {
    uint32_t thread;
    uint32_t length; ///< of all of it
    uint64_t number;
    uint64_t group; ///< number of the first of an atomic batch, or its own
};

size_t length_of(uint64_t number, unsigned thread)
{
    Random random(number * 64 + thread);
    uint64_t const kind = random.below(100);
    return sizeof(Header) + static_cast<size_t>(kind < 80   ? random.below(300)
                                                : kind < 97 ? random.below(9000)
                                                            : random.below(300000));
}

void fill(unsigned char *to, unsigned thread, uint64_t number, uint64_t group)
{
    size_t const length = length_of(number, thread);
    Header const header{thread, static_cast<uint32_t>(length), number, group};
    memcpy(to, &header, sizeof header);
    uint64_t const value = Random(number * 1000 + thread).next();
    for (size_t i = sizeof header; i < length; ++i)
        to[i] = static_cast<unsigned char>((value >> (i % 8 * 8)) + i / 8);
}

bool is_filled(unsigned char const *data, size_t length)
{
    Header header;
    if (length < sizeof header)
        return false;
    memcpy(&header, data, sizeof header);
    std::vector<unsigned char> wanted(length);
    if (header.length != length || length_of(header.number, header.thread) != length)
        return false;
    fill(wanted.data(), header.thread, header.number, header.group);
    return memcmp(wanted.data(), data, length) == 0;
}

void store(uint64_t &to, uint64_t value) { __atomic_store_n(&to, value, __ATOMIC_RELEASE); }
uint64_t load(uint64_t const &from) { return __atomic_load_n(&from, __ATOMIC_ACQUIRE); }
void raise(uint64_t &to, uint64_t value)
{
    uint64_t known = load(to);
    while (known < value && !__atomic_compare_exchange_n(&to, &known, value, false,
                                                         __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    }
}

// ---- the process that is killed

struct Writer {
    weir_log *log;
    Shared *shared;
    unsigned thread;
    Random random;
};

/// One to five records by one call. Returns how many, or an error.
int put_some(Writer &w, uint64_t number, uint64_t &ret_lsn)
{
    std::vector<unsigned char> bytes(length_of(number, w.thread));
    fill(bytes.data(), w.thread, number, number);
    uint64_t const how = w.random.below(10);
    if (how == 0 && bytes.size() < 30000) {
        void *place = nullptr;
        if (int const code = weir_log_reserve(w.log, bytes.size(), 0, &ret_lsn, &place); code != 0)
            return code;
        memcpy(place, bytes.data(), bytes.size());
        int const code = weir_log_commit(w.log, ret_lsn, bytes.size());
        return code == 0 ? 1 : code;
    }
    if (how > 2) {
        int const code = weir_log_append(w.log, bytes.data(), bytes.size(), &ret_lsn);
        return code == 0 ? 1 : code;
    }
    auto const count = static_cast<unsigned>(2 + w.random.below(4));
    std::vector<std::vector<unsigned char>> all(count);
    std::vector<weir_log_part> parts;
    for (unsigned i = 0; i < count; ++i) {
        all[i].resize(length_of(number + i, w.thread));
        fill(all[i].data(), w.thread, number + i, number);
        parts.push_back({all[i].data(), all[i].size(), i + 1 < count ? kBatchTag : 0, 0});
    }
    int const code = weir_log_append_batch(w.log, parts.data(), parts.size(), &ret_lsn);
    return code == 0 ? static_cast<int>(count) : code;
}

void *write_for_ever(void *argument)
{
    Writer &w = *static_cast<Writer *>(argument);
    Row &row = w.shared->rows[w.thread];
    uint64_t number = row.taken;
    for (;;) {
        uint64_t lsn = 0;
        store(row.taken, number + 8); // before the first byte of any of them
        int const code = put_some(w, number, lsn);
        if (code <= 0)
            _exit(10);
        number += static_cast<unsigned>(code);
        if (w.random.below(4) == 0)
            continue; // the next wait acknowledges it as well
        int const waited = w.random.below(4) == 0 ? weir_log_wait(w.log, lsn, 60 * 1000000000LL)
                                                  : weir_log_wait(w.log, lsn, -1);
        if (waited != 0)
            _exit(11);
        if (lsn >= weir_log_durable(w.log))
            _exit(12);
        store(row.lsn, lsn);
        store(row.acknowledged, number);
        raise(w.shared->durable, weir_log_durable(w.log));
        if (w.thread == 0 && w.random.below(200) == 0 && lsn > (uint64_t{6} << 20)) {
            // Numbers before that may be gone from now on.
            uint64_t const before = lsn - (uint64_t{4} << 20);
            raise(w.shared->truncated, before);
            if (weir_log_truncate_before(w.log, before) != 0)
                _exit(13);
        }
    }
}

/// Only a kill ends it.
[[noreturn]] void be_killed(char const *folder, weir_log_backend backend, Shared *shared,
                            uint64_t seed)
{
    weir_log_options options = WEIR_LOG_OPTIONS_INIT;
    options.segment_size = 1 << 20;
    options.buffer_size = 64 << 10;
    options.buffer_count = 8;
    options.max_record = 4 << 20;
    options.backend = backend;
    options.idle_evidence_ns = kMillisecond;
    Random random(seed);
    if (random.below(4) == 0)
        options.evidence = WEIR_LOG_EVIDENCE_BEFORE_ACK;
    weir_log *log = nullptr;
    if (int const code = weir_log_open(folder, &options, &log); code != 0) {
        fprintf(stderr, "# open gave %d\n", code);
        _exit(20);
    }
    store(shared->open, 1);
    static Writer writers[kThreads] = {{nullptr, nullptr, 0, Random(0)},
                                       {nullptr, nullptr, 0, Random(0)},
                                       {nullptr, nullptr, 0, Random(0)},
                                       {nullptr, nullptr, 0, Random(0)}};
    for (unsigned i = 0; i < kThreads; ++i) {
        writers[i] = {log, shared, i, Random(random.next())};
        pthread_t thread;
        if (pthread_create(&thread, nullptr, write_for_ever, &writers[i]) != 0)
            _exit(21);
    }
    for (;;)
        pause();
}

// ---- the parent

/// What it has seen of one thread.
struct Seen {
    uint64_t next = 0;  ///< numbers below are read, or known to be gone
    uint64_t group = 0; ///< of an atomic batch that has begun
    bool inside = false;
};

struct Check {
    Seen seen[kThreads];
    uint64_t position = 0; ///< read up to here
    uint64_t records = 0;
};

/// Reads on from where it stood. Empty, or what is wrong.
std::string read_on(Check &check, char const *folder, Shared const &shared)
{
    weir_log_reader *reader = nullptr;
    uint64_t const from =
        check.position < load(shared.truncated) ? load(shared.truncated) : check.position;
    bool const skips = from != check.position;
    if (int const code = weir_log_reader_open(folder, from, 0, &reader); code != 0)
        return text("the reader gave %d", code);
    bool first_of[kThreads];
    for (bool &first : first_of)
        first = skips;
    std::string wrong;
    while (wrong.empty()) {
        void const *data = nullptr;
        size_t length = 0;
        uint64_t lsn = 0;
        uint32_t tag = 0;
        int const code = weir_log_reader_next(reader, &data, &length, &lsn, &tag);
        if (code == 0)
            break;
        if (code != 1) {
            wrong = text("next gave %d behind %llu", code,
                         static_cast<unsigned long long>(check.position));
            break;
        }
        Header header;
        if (!is_filled(static_cast<unsigned char const *>(data), length)) {
            wrong =
                text("a record that nobody appended at %llu", static_cast<unsigned long long>(lsn));
            break;
        }
        memcpy(&header, data, sizeof header);
        Seen &seen = check.seen[header.thread];
        // A hole is where a kill took what was not acknowledged: end_of_life() has looked at it.
        if (header.number < seen.next || (header.number != seen.next && !first_of[header.thread]) ||
            header.number >= load(shared.rows[header.thread].taken))
            wrong = text("thread %u: number %llu at %llu, expected %llu",
                         static_cast<unsigned>(header.thread),
                         static_cast<unsigned long long>(header.number),
                         static_cast<unsigned long long>(lsn),
                         static_cast<unsigned long long>(seen.next));
        if (seen.inside && !first_of[header.thread] && header.group != seen.group)
            wrong = text("half an atomic batch before %llu", static_cast<unsigned long long>(lsn));
        first_of[header.thread] = false;
        seen.next = header.number + 1;
        seen.group = header.group;
        seen.inside = tag == kBatchTag;
        check.position = lsn + 1;
        ++check.records;
    }
    weir_log_reader_close(reader);
    return wrong;
}

/// The process is dead: what it acknowledged must have been read, and the next one begins behind
/// all that this one took.
std::string end_of_life(Check &check, Shared &shared)
{
    for (unsigned i = 0; i < kThreads; ++i) {
        Seen &seen = check.seen[i];
        Row &row = shared.rows[i];
        if (seen.inside)
            return text("thread %u: half an atomic batch at the end", i);
        if (seen.next < load(row.acknowledged) && load(row.lsn) >= load(shared.truncated))
            return text("thread %u: %llu acknowledged, %llu there; lsn %llu", i,
                        static_cast<unsigned long long>(load(row.acknowledged)),
                        static_cast<unsigned long long>(seen.next),
                        static_cast<unsigned long long>(load(row.lsn)));
        seen.next = load(row.taken);
    }
    return "";
}

std::string verified(char const *folder)
{
    weir_log_report report = WEIR_LOG_REPORT_INIT;
    int const code = weir_log_verify(folder, &report);
    return code == 0 || code == 1 ? ""
                                  : text("verify gave %d: finding %u at %llu", code,
                                         static_cast<unsigned>(report.finding),
                                         static_cast<unsigned long long>(report.lsn));
}

/// Opens the log as the next process would, and closes it.
std::string opens(char const *folder, uint64_t durable)
{
    weir_log *log = nullptr;
    if (int const code = weir_log_open(folder, nullptr, &log); code != 0)
        return text("open gave %d", code);
    bool const all = weir_log_durable(log) >= durable;
    weir_log_close(log);
    return all ? "" : "opened below what was durable";
}

class Test {
  public:
    explicit Test(uint64_t seed) : random_(seed), shared_(shared_page<Shared>())
    {
        char const *const base = std::getenv("TMPDIR");
        outer_ = std::string(base == nullptr ? "/tmp" : base) + "/weir-kills-XXXXXX";
        if (mkdtemp(outer_.data()) == nullptr)
            outer_.clear();
        folder_ = outer_ + "/log";
    }
    Test(Test const &) = delete;
    Test &operator=(Test const &) = delete;
    ~Test()
    {
        std::error_code ignored;
        if (!outer_.empty())
            std::filesystem::remove_all(outer_, ignored);
    }

    std::string kills(uint64_t wanted, weir_log_backend backend);
    std::string copies(uint64_t wanted, weir_log_backend backend);
    uint64_t records() const { return check_.records; }
    bool has_backend(weir_log_backend backend);

  private:
    std::string begin(weir_log_backend backend);
    std::string look();
    std::string look_at_copy();

    Random random_;
    Shared *shared_;
    std::string outer_, folder_;
    Check check_;
    pid_t pid_ = 0;
};

bool Test::has_backend(weir_log_backend backend)
{
    std::string const folder = outer_ + "/probe";
    weir_log_options options = WEIR_LOG_OPTIONS_INIT;
    options.segment_size = 1 << 20;
    options.backend = backend;
    weir_log *log = nullptr;
    int const code = weir_log_open(folder.c_str(), &options, &log);
    weir_log_close(log);
    return code == 0;
}

std::string Test::begin(weir_log_backend backend)
{
    store(shared_->open, 0);
    uint64_t const its = random_.next();
    pid_ = fork();
    if (pid_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        be_killed(folder_.c_str(), backend, shared_, its);
    }
    // Some die while they open; else once there is something to lose.
    if (random_.below(8) != 0)
        for (int64_t const end = now_ns() + 20000 * kMillisecond; load(shared_->open) == 0;) {
            int status = 0;
            if (waitpid(pid_, &status, WNOHANG) == pid_)
                return text("the process ended with %d before it was killed", WEXITSTATUS(status));
            if (now_ns() > end)
                return "opening takes too long";
            sleep_us(50);
        }
    sleep_us(random_.below(20) == 0 ? random_.below(60000) : random_.below(9000));
    return "";
}

std::string Test::look()
{
    std::string wrong = random_.below(2) == 0 ? verified(folder_.c_str()) : "";
    // Reading a log whose process is dead ends where its last whole batch does.
    if (wrong.empty())
        wrong = opens(folder_.c_str(), load(shared_->durable));
    if (wrong.empty())
        wrong = read_on(check_, folder_.c_str(), *shared_);
    return wrong.empty() ? end_of_life(check_, *shared_) : wrong;
}

std::string Test::kills(uint64_t wanted, weir_log_backend backend)
{
    for (uint64_t done = 0; done < wanted; ++done) {
        std::string wrong = begin(backend);
        kill(pid_, SIGKILL);
        int status = 0;
        waitpid(pid_, &status, 0);
        if (wrong.empty() && WIFEXITED(status))
            wrong = text("the process ended with %d", WEXITSTATUS(status));
        if (wrong.empty() && std::filesystem::exists(folder_ + "/META"))
            wrong = look();
        if (!wrong.empty())
            return wrong + text(", kill %llu", static_cast<unsigned long long>(done));
    }
    return "";
}

std::string Test::look_at_copy()
{
    std::string const copy = outer_ + "/copy";
    std::error_code code;
    std::filesystem::remove_all(copy, code);
    std::filesystem::copy(folder_, copy, std::filesystem::copy_options::recursive, code);
    if (code)
        return "copy: " + code.message();
    std::string wrong = verified(copy.c_str());
    if (wrong.empty())
        wrong = opens(copy.c_str(), load(shared_->durable));
    Check check = check_;
    if (wrong.empty())
        wrong = read_on(check, copy.c_str(), *shared_);
    for (unsigned i = 0; i < kThreads && wrong.empty(); ++i)
        if (check.seen[i].inside)
            wrong = "half an atomic batch at the end of the copy";
        else if (check.seen[i].next < load(shared_->rows[i].acknowledged) &&
                 load(shared_->rows[i].lsn) >= load(shared_->truncated))
            wrong = text("thread %u: acknowledged and not in the copy", i);
    std::filesystem::remove_all(copy, code);
    return wrong;
}

/// The process is stopped, its folder is copied, the copy opened; then it goes on, and is killed.
std::string Test::copies(uint64_t wanted, weir_log_backend backend)
{
    for (uint64_t done = 0; done < wanted; ++done) {
        std::string wrong = begin(backend);
        kill(pid_, SIGSTOP);
        int status = 0;
        waitpid(pid_, &status, WUNTRACED);
        if (WIFEXITED(status))
            return text("the process ended with %d", WEXITSTATUS(status));
        if (wrong.empty() && std::filesystem::exists(folder_ + "/META"))
            wrong = look_at_copy();
        kill(pid_, SIGKILL);
        waitpid(pid_, &status, 0);
        if (wrong.empty() && std::filesystem::exists(folder_ + "/META"))
            wrong = look();
        if (!wrong.empty())
            return wrong + text(", copy %llu", static_cast<unsigned long long>(done));
    }
    return "";
}
} // namespace

int main()
{
    uint64_t const kills = environment("WEIR_LOG_KILLS", 200);
    uint64_t const copies = environment("WEIR_LOG_COPIES", 20);
    alarm(static_cast<unsigned>(60 + (kills + copies) / 5)); // whatever hangs ends as a failure
    Tap tap;
    uint64_t const seed = environment("WEIR_SEED", static_cast<uint64_t>(now_ns()));
    std::printf("# seed %llu\n", static_cast<unsigned long long>(seed));
    struct {
        char const *name;
        weir_log_backend backend;
    } const backends[] = {{"pwritev2", WEIR_LOG_BACKEND_PWRITEV2},
                          {"io_uring", WEIR_LOG_BACKEND_IO_URING}};
    uint64_t records = 0, done = 0, copied = 0;
    for (auto const &each : backends) {
        Test test(seed + static_cast<uint64_t>(each.backend));
        std::string const title = text("%s: all that was acknowledged survives kills", each.name);
        std::string const second = text("%s: and is in copies of the folder", each.name);
        if (!test.has_backend(each.backend)) {
            tap.skip(title.c_str(), "no io_uring here");
            tap.skip(second.c_str(), "no io_uring here");
            continue;
        }
        std::string wrong = test.kills((kills + 1) / 2, each.backend);
        tap.ok(wrong.empty(), title.c_str(), wrong.c_str());
        done += (kills + 1) / 2;
        wrong = wrong.empty() ? test.copies((copies + 1) / 2, each.backend) : "not tried";
        tap.ok(wrong.empty(), second.c_str(), wrong.c_str());
        copied += wrong.empty() ? (copies + 1) / 2 : 0;
        records += test.records();
    }
    std::printf("# %llu kills of log writers, %llu copies of folders, %llu records read back\n",
                static_cast<unsigned long long>(done), static_cast<unsigned long long>(copied),
                static_cast<unsigned long long>(records));
    return tap.finish();
}
