// SPDX-License-Identifier: MIT OR Apache-2.0
// Sessions of a log, some of them killed, and what is noted of them.
#include "tests/disk/workload.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <thread>

namespace disk {
namespace {

using crash::kMillisecond;

/// What else goes on in the file system: its own journal is not written by the log alone. Not
/// always, and not always with flushes: they would make durable what the log forgot to.
class Noise {
  public:
    Noise(std::string const &root, uint64_t seed)
        : folder_(root + "/noise"), random_(seed), flushes_(random_.below(2) == 0)
    {
        if (random_.below(3) != 0)
            thread_ = std::thread([this] { run(); });
    }
    Noise(Noise const &) = delete;
    Noise &operator=(Noise const &) = delete;
    ~Noise()
    {
        ends_.store(true);
        if (thread_.joinable())
            thread_.join();
    }

  private:
    void run()
    {
        mkdir(folder_.c_str(), 0700);
        char bytes[5000] = "noise";
        while (!ends_.load()) {
            std::string const name = folder_ + "/" + std::to_string(random_.below(8));
            int const fd = open(name.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
            (void)!pwrite(fd, bytes, random_.below(sizeof bytes),
                          static_cast<off_t>(random_.below(20000)));
            uint64_t const then = random_.below(8);
            if (then == 0 && flushes_)
                fsync(fd);
            else if (then == 1 && flushes_)
                syncfs(fd);
            else if (then == 2)
                rename(name.c_str(), (folder_ + "/renamed").c_str());
            else if (then == 3)
                unlink(name.c_str());
            close(fd);
            crash::sleep_us(random_.below(4000));
        }
    }

    std::string folder_;
    Random random_;
    bool flushes_;
    std::atomic<bool> ends_{false};
    std::thread thread_;
};

/// The LSN of a record that is in the log, or 0.
uint64_t find(std::vector<Found> const &found, uint64_t id)
{
    auto const at =
        std::find_if(found.begin(), found.end(), [id](Found const &each) { return each.id == id; });
    return at == found.end() ? 0 : at->lsn;
}

using Records = std::vector<Record>;

/// Each call's records, if all of them are there: from `begin` to the end that is returned.
Records::iterator end_of_call(Records::iterator begin, Records::iterator end)
{
    auto const last = std::find_if(begin, end, [](Record const &each) { return each.ends_batch; });
    return last == end ? end : last + 1;
}

/// What a thread noted. A kill may have come before a batch was noted as a whole, which was not
/// asked for then, or before all its records were given their LSN.
void add_notes(Notes const &notes, Records &to)
{
    Records noted;
    notes.records.append_to(noted);
    for (auto begin = noted.begin(), end = begin; begin != noted.end(); begin = end) {
        end = end_of_call(begin, noted.end());
        uint64_t lsn = 0;
        for (auto each = begin; each != end; ++each)
            lsn = std::max(lsn, each->lsn);
        for (auto each = begin; each != end && (end - 1)->ends_batch; ++each) {
            each->lsn = lsn;
            to.push_back(*each);
        }
    }
}

/// Records of calls that did not return before the kill are in the log, or are forgotten.
void resolve(Records &records, std::vector<Found> const &there)
{
    Records known;
    for (auto begin = records.begin(), end = begin; begin != records.end(); begin = end) {
        end = end_of_call(begin, records.end());
        auto const last = end - 1;
        uint64_t const lsn = last->lsn != 0 ? last->lsn : find(there, last->id);
        for (auto each = begin; each != end && lsn != 0; ++each) {
            each->lsn = lsn;
            known.push_back(*each);
        }
    }
    records = known;
}

} // namespace

weir_log_options any_options(Random &random, weir_log_backend backend)
{
    weir_log_options options = WEIR_LOG_OPTIONS_INIT;
    options.backend = backend;
    options.segment_size = kSegment;
    options.buffer_size = uint64_t{65536} << random.below(3);
    options.buffer_count = 4u << random.below(2);
    options.write_depth = static_cast<uint32_t>(1 + random.below(3));
    options.commit_depth = static_cast<uint32_t>(1 + random.below(4));
    options.max_record = 2 << 20;
    options.durability = static_cast<uint32_t>(random.below(2) * random.below(3)); // SYNC mostly
    options.evidence = static_cast<uint32_t>(random.below(4) == 0);
    options.direct = static_cast<uint32_t>(random.below(5) == 0);
    options.prepare = static_cast<uint32_t>(random.below(3));
    options.idle_evidence_ns = static_cast<int64_t>(1 + random.below(10)) * kMillisecond;
    options.idle_flush_ns = static_cast<int64_t>(1 + random.below(20)) * kMillisecond;
    options.sync_interval_ns = static_cast<int64_t>(1 + random.below(20)) * kMillisecond;
    options.group_window_ns = random.below(3) == 0 ? kMillisecond : 0;
    options.spare_segments = static_cast<uint32_t>(1 + random.below(2));
    return options;
}

/// The notes of all threads of one session.
struct Workload::Session {
    Notes notes[kMostThreads];
    Table<Told, 1> opened;
};

Workload::Workload(VolatileDisk &disk, std::string const &root, weir_log_backend backend,
                   uint64_t seed, uint64_t number, Life &life)
    : disk_(disk), root_(root), folder_(root + "/log"), backend_(backend), random_(seed),
      next_id_(number << 40), life_(life)
{
}

/// Each session that is killed is followed by one that is not: it finds out what is there.
Finding Workload::run()
{
    Noise const noise(root_, random_.next());
    (void)weir_log_cursor_load(folder_.c_str(), kCursor, &life_.cursor_before);
    Finding found = session();
    for (uint64_t i = random_.below(4); i > 0 && found.fine(); --i) {
        if (random_.below(4) != 0)
            found = killed_session();
        if (found.fine())
            found = session();
    }
    return found;
}

int Workload::open(Session &session, bool lazy)
{
    weir_log_options options = any_options(random_, backend_);
    if (lazy)
        options.durability = static_cast<uint32_t>(random_.below(3));
    int const code = weir_log_open(folder_.c_str(), &options, &log_);
    if (code == 0)
        session.opened.add({weir_log_durable(log_), 0, disk_.position()});
    return code;
}

Finding Workload::session()
{
    Session *const session = crash::shared_page<Session>();
    int const code = open(*session, false);
    Finding found = code == 0 ? look_back(*session) : of_error("weir_log_open", code);
    if (found.fine()) {
        append(*session, true);
        found = note(*session);
    }
    log_ = weir_log_close(log_);
    munmap(session, sizeof *session);
    return found;
}

/// What recovery delivers is durable from then on, and what it dropped never comes back.
Finding Workload::look_back(Session const &session)
{
    bool const is_first = life_.opened == UINT64_MAX;
    std::vector<Found> there;
    Finding found = read_ids(folder_.c_str(), there);
    if (!found.fine())
        return found;
    if (!is_first)
        resolve(life_.records, there);
    sort();
    Delivered delivered;
    found = read_back(folder_.c_str(), life_.at(is_first ? 0 : disk_.position()), true, delivered);
    if (!found.fine())
        return found;
    if (is_first)
        life_.records = life_.before;
    life_.records.resize(std::max(delivered.end, delivered.first));
    if (is_first)
        life_.opened = session.opened.items[0].done;
    return {};
}

/// In a process that does not live to close the log, perhaps not even to open it.
Finding Workload::killed_session()
{
    Session *const session = crash::shared_page<Session>();
    pid_t const child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (open(*session, true) != 0)
            _exit(10);
        append(*session, false);
        _exit(0);
    }
    next_id_ += uint64_t{kMostThreads} << 32; // the child's
    ++life_.kills;
    crash::sleep_us(random_.below(4) == 0 ? random_.below(5000) : random_.below(300000));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    Finding found = note(*session);
    if (found.fine() && WIFEXITED(status) && WEXITSTATUS(status) != 0)
        found = {Verdict::refused, "weir_log_open failed in a process that was to be killed"};
    munmap(session, sizeof *session);
    return found;
}

void Workload::append(Session &session, bool short_too)
{
    std::vector<std::unique_ptr<Appender>> appenders;
    std::vector<std::thread> threads;
    uint64_t const count = 1 + random_.below(kMostThreads);
    bool const keeps_house = random_.below(2) == 0;
    for (uint64_t i = 0; i < count; ++i) {
        appenders.push_back(std::make_unique<Appender>(Place{disk_, folder_, log_},
                                                       session.notes[i], random_.next(), next_id_,
                                                       keeps_house && i == 0, short_too));
        next_id_ += uint64_t{1} << 32;
    }
    for (auto &each : appenders)
        threads.emplace_back([&each] { each->run(); });
    for (std::thread &thread : threads)
        thread.join();
}

Finding Workload::note(Session const &session)
{
    session.opened.append_to(life_.durable);
    session.opened.append_to(life_.openings);
    Finding found;
    for (Notes const &notes : session.notes) {
        add_notes(notes, life_.records);
        notes.durable.append_to(life_.durable);
        notes.truncations.append_to(life_.truncations);
        notes.cursors.append_to(life_.cursors);
        if (notes.code != 0)
            found = of_error(notes.call, notes.code);
    }
    sort();
    return found;
}

/// Records of one batch carry the same LSN and are in their order already; those without one come
/// first, until it is known whether they are there.
void Workload::sort()
{
    std::stable_sort(life_.records.begin(), life_.records.end(),
                     [](Record const &a, Record const &b) { return a.lsn < b.lsn; });
}

} // namespace disk
