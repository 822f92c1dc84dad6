// SPDX-License-Identifier: MIT OR Apache-2.0
#include "tests/disk/workload.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <thread>

namespace disk {
namespace {

using crash::kMillisecond;
using crash::text;

constexpr uint64_t kSegment = 1 << 20;
constexpr uint64_t kKept = kSegment; ///< a truncation below this place would take nothing away
constexpr uint32_t kBatchTag = 7;    ///< of all records of an atomic batch but the last
constexpr char const *kCursor = "reader";

Finding refused(char const *call, int code)
{
    return {code == -WEIR_E_CORRUPT ? Verdict::reported : Verdict::refused,
            text("%s gave %d, %s", call, code, weir_strerror(code))};
}

/// One of the threads that append.
class Appender {
  public:
    Appender(VolatileDisk &disk, weir_log *log, std::string const &folder, uint64_t seed,
             uint64_t first_id, bool keeps_house)
        : disk_(disk), log_(log), folder_(folder), random_(seed), next_id_(first_id),
          keeps_house_(keeps_house)
    {
    }
    void run();

    Finding found;
    std::vector<Record> records;
    std::vector<Told> durable, truncations, cursors;

  private:
    int append();
    int append_one();
    int append_reserved(bool abort);
    int append_batch();
    int acknowledge();
    int keep_house();
    Record any_record(uint64_t least);
    template <class Call> int tell(std::vector<Told> &to, uint64_t lsn, Call call)
    {
        uint64_t const asked = disk_.position();
        int const code = call();
        if (code == 0)
            to.push_back({lsn, asked, disk_.position()}); // afterwards: never too early
        return code;
    }

    VolatileDisk &disk_;
    weir_log *log_;
    std::string const &folder_;
    Random random_;
    uint64_t next_id_;
    bool keeps_house_;
    uint64_t lsn_ = 0; ///< of the last record of mine
    char const *call_ = "";
};

void Appender::run()
{
    uint64_t const steps = 10 + random_.below(120);
    int code = 0;
    for (uint64_t i = 0; i < steps && code == 0; ++i) {
        code = append();
        if (code == 0)
            code = acknowledge();
        if (code == 0 && keeps_house_ && random_.below(10) == 0)
            code = keep_house();
        if (random_.below(25) == 0)
            crash::sleep_us(random_.below(6000)); // time to note what is durable
    }
    if (code != 0)
        found = refused(call_, code);
}

int Appender::append()
{
    switch (random_.below(12)) {
    case 0:
    case 1:
    case 2:
        return append_batch();
    case 3:
        return append_reserved(false);
    case 4:
        return append_reserved(true);
    default:
        return append_one();
    }
}

Record Appender::any_record(uint64_t least)
{
    uint64_t const kind = random_.below(100);
    uint64_t const most = kind < 75 ? 300 : kind < 97 ? 9000 : 300000;
    Record record{};
    record.id = next_id_++;
    record.length = static_cast<uint32_t>(least + random_.below(most));
    record.ends_batch = record.alone = true;
    return record;
}

int Appender::append_one()
{
    call_ = "weir_log_append";
    Record record = any_record(0);
    std::vector<unsigned char> const bytes = bytes_of(record);
    int const code = weir_log_append(log_, bytes.data(), bytes.size(), &record.lsn);
    if (code != 0)
        return code;
    lsn_ = record.lsn;
    records.push_back(record);
    return 0;
}

int Appender::append_reserved(bool abort)
{
    call_ = "weir_log_reserve";
    Record record = any_record(0);
    record.length %= 20000; // it has to fit a buffer
    record.tag = static_cast<uint32_t>(random_.below(65536));
    void *place = nullptr;
    int code =
        weir_log_reserve(log_, record.length + random_.below(100), record.tag, &record.lsn, &place);
    if (code != 0)
        return code;
    call_ = "weir_log_commit";
    if (abort)
        return weir_log_abort(log_, record.lsn);
    std::vector<unsigned char> const bytes = bytes_of(record);
    if (!bytes.empty())
        memcpy(place, bytes.data(), bytes.size());
    code = weir_log_commit(log_, record.lsn, bytes.size());
    if (code != 0)
        return code;
    lsn_ = record.lsn;
    records.push_back(record);
    return 0;
}

int Appender::append_batch()
{
    call_ = "weir_log_append_batch";
    uint64_t const count = 2 + random_.below(5);
    std::vector<Record> batch;
    std::vector<std::vector<unsigned char>> bytes;
    std::vector<weir_log_part> parts;
    for (uint64_t i = 0; i < count; ++i) {
        Record record = any_record(kIdBytes);
        record.alone = false;
        record.ends_batch = i + 1 == count;
        record.tag = record.ends_batch ? 0 : kBatchTag;
        bytes.push_back(bytes_of(record));
        parts.push_back({bytes.back().data(), bytes.back().size(), record.tag, 0});
        batch.push_back(record);
    }
    uint64_t lsn = 0;
    int const code = weir_log_append_batch(log_, parts.data(), parts.size(), &lsn);
    if (code != 0)
        return code;
    for (Record &record : batch)
        record.lsn = lsn;
    lsn_ = lsn;
    records.insert(records.end(), batch.begin(), batch.end());
    return 0;
}

/// In one of the ways in which a log says that something is durable, or not at all.
int Appender::acknowledge()
{
    uint64_t const how = random_.below(10);
    if (how < 4 || lsn_ == 0)
        return 0;
    call_ = "weir_log_wait";
    if (how < 8)
        return tell(durable, lsn_ + 1, [&] { return weir_log_wait(log_, lsn_, -1); });
    if (how == 8)
        return tell(durable, lsn_ + 1,
                    [&] { return weir_log_wait(log_, lsn_, 60000 * kMillisecond); });
    call_ = "weir_log_sync";
    if (random_.below(2) == 0)
        return tell(durable, lsn_ + 1, [&] { return weir_log_sync(log_); });
    uint64_t const below = weir_log_durable(log_);
    return tell(durable, below, [] { return 0; });
}

int Appender::keep_house()
{
    uint64_t const below = weir_log_durable(log_);
    if (random_.below(2) == 0) {
        call_ = "weir_log_cursor_store";
        return tell(cursors, below,
                    [&] { return weir_log_cursor_store(folder_.c_str(), kCursor, below, 0); });
    }
    // Inside an atomic batch half of it would stay, as was asked for.
    auto const at = std::find_if(records.begin(), records.end(), [&](Record const &each) {
        return each.alone && each.lsn < below && each.lsn > kKept && random_.below(4) == 0;
    });
    if (at == records.end())
        return 0;
    call_ = "weir_log_truncate_before";
    uint64_t const to = at->lsn;
    uint64_t const asked = disk_.position();
    int const code = weir_log_truncate_before(log_, to);
    truncations.push_back({to, asked, disk_.position()});
    return code;
}

/// What else goes on in the file system: its own journal is not written by the log alone.
class Noise {
  public:
    Noise(std::string const &root, uint64_t seed)
        : folder_(root + "/noise"), random_(seed), thread_([this] { run(); })
    {
    }
    Noise(Noise const &) = delete;
    Noise &operator=(Noise const &) = delete;
    ~Noise()
    {
        ends_.store(true);
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
            if (then == 0)
                fsync(fd);
            else if (then == 1)
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
    std::atomic<bool> ends_{false};
    std::thread thread_;
};

void add_to(std::vector<Told> &all, std::vector<Told> const &more)
{
    all.insert(all.end(), more.begin(), more.end());
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

// ---- a life

Workload::Workload(VolatileDisk &disk, std::string const &root, weir_log_backend backend,
                   uint64_t seed, uint64_t number, Life &life)
    : disk_(disk), root_(root), folder_(root + "/log"), backend_(backend), random_(seed),
      next_id_(number << 40), life_(life)
{
}

Finding Workload::run()
{
    Noise const noise(root_, random_.next());
    uint64_t const opens = 1 + random_.below(3);
    Finding found = open_first();
    for (uint64_t i = 0; found.fine(); ++i) {
        found = fill();
        log_ = weir_log_close(log_);
        if (i + 1 == opens || !found.fine())
            break;
        found = open_again();
    }
    log_ = weir_log_close(log_); // NULL if it is closed
    return found;
}

Finding Workload::open_again()
{
    weir_log_options const options = any_options(random_, backend_);
    int const code = weir_log_open(folder_.c_str(), &options, &log_);
    if (code != 0)
        return refused("weir_log_open", code);
    uint64_t const below = weir_log_durable(log_);
    life_.durable.push_back({below, 0, disk_.position()});
    return {};
}

/// What recovery delivers is durable from then on, and what it dropped never comes back.
Finding Workload::open_first()
{
    (void)weir_log_cursor_load(folder_.c_str(), kCursor, &life_.cursor_before);
    Finding found = open_again();
    uint64_t const position = disk_.position();
    Delivered delivered;
    if (found.fine())
        found = read_back(folder_.c_str(), life_.at(0), true, delivered);
    if (!found.fine())
        return found;
    auto const end = life_.before.begin() + static_cast<std::ptrdiff_t>(delivered.end);
    life_.records.assign(life_.before.begin(), end);
    life_.opened = position;
    return {};
}

Finding Workload::fill()
{
    std::vector<std::unique_ptr<Appender>> appenders;
    std::vector<std::thread> threads;
    uint64_t const count = 1 + random_.below(4);
    for (uint64_t i = 0; i < count; ++i) {
        appenders.push_back(
            std::make_unique<Appender>(disk_, log_, folder_, random_.next(), next_id_, i == 0));
        next_id_ += uint64_t{1} << 32;
    }
    for (auto &each : appenders)
        threads.emplace_back([&each] { each->run(); });
    for (std::thread &thread : threads)
        thread.join();
    Finding found;
    for (auto &each : appenders) {
        if (!each->found.fine())
            found = each->found;
        life_.records.insert(life_.records.end(), each->records.begin(), each->records.end());
        add_to(life_.durable, each->durable);
        add_to(life_.truncations, each->truncations);
        add_to(life_.cursors, each->cursors);
    }
    // Records of one batch carry the same LSN and are in their order already.
    std::stable_sort(life_.records.begin(), life_.records.end(),
                     [](Record const &a, Record const &b) { return a.lsn < b.lsn; });
    return found;
}

// ---- an image

namespace {

Finding check_cursor(char const *folder, Life const &life, uint64_t position)
{
    uint64_t lsn = 0;
    int const code = weir_log_cursor_load(folder, kCursor, &lsn);
    if (code != 0 && code != -ENOENT)
        return refused("weir_log_cursor_load", code);
    if (life.is_cursor(position, lsn))
        return {};
    return {Verdict::lost, text("the cursor stands at %llu", static_cast<unsigned long long>(lsn))};
}

/// The log is open after its recovery: is it what verify said, and does it go on?
Finding go_on(weir_log *log, char const *folder, Expected expected, Random &random)
{
    Delivered delivered;
    Finding found = read_back(folder, expected, true, delivered);
    if (!found.fine())
        return found;
    auto const end = expected.records->begin() + static_cast<std::ptrdiff_t>(delivered.end);
    std::vector<Record> records(expected.records->begin(), end);
    for (uint64_t i = 0, count = random.below(4); i < count; ++i) {
        Record record{UINT64_MAX - i, 0,   static_cast<uint32_t>(kIdBytes + random.below(5000)), 0,
                      true,           true};
        std::vector<unsigned char> const bytes = bytes_of(record);
        int const code = weir_log_append(log, bytes.data(), bytes.size(), &record.lsn);
        if (code != 0)
            return refused("weir_log_append", code);
        records.push_back(record);
    }
    if (int const code = weir_log_sync(log); code != 0)
        return refused("weir_log_sync", code);
    expected.records = &records;
    expected.durable = weir_log_tail(log);
    return read_back(folder, expected, true, delivered);
}

Finding recover(char const *folder, Expected const &expected, weir_log_backend backend,
                Random &random, weir_log_report const &verified, bool is_log)
{
    weir_log_options const options = any_options(random, backend);
    weir_log *log = nullptr;
    if (int const code = weir_log_open(folder, &options, &log); code != 0)
        return refused("weir_log_open", code);
    Finding found;
    uint64_t const end = weir_log_durable(log);
    if (is_log && end != verified.end_lsn)
        found = {Verdict::wrong,
                 text("recovery ends at %llu, verify at %llu", static_cast<unsigned long long>(end),
                      static_cast<unsigned long long>(verified.end_lsn))};
    else
        found = go_on(log, folder, expected, random);
    weir_log_close(log);
    if (!found.fine())
        return found;
    int const code = weir_log_verify(folder, nullptr);
    return code == 0 ? found
                     : Finding{code == 2 ? Verdict::reported : Verdict::wrong,
                               text("weir_log_verify gave %d after the log was closed", code)};
}

} // namespace

Finding check_image(std::string const &root, Life const &life, uint64_t position,
                    weir_log_backend backend, uint64_t seed)
{
    std::string const folder = root + "/log";
    Random random(seed);
    Expected const expected = life.at(position);
    weir_log_report report = WEIR_LOG_REPORT_INIT;
    int const verdict = weir_log_verify(folder.c_str(), &report);
    if (verdict == 2)
        return {Verdict::reported,
                text("weir_log_verify found %u at %llu", static_cast<unsigned>(report.finding),
                     static_cast<unsigned long long>(report.lsn))};
    if (verdict < 0 && verdict != -ENOENT)
        return refused("weir_log_verify", verdict);
    Finding found = check_cursor(folder.c_str(), life, position);
    Delivered delivered;
    if (found.fine() && random.below(4) == 0)
        found = read_back(folder.c_str(), expected, false, delivered);
    if (!found.fine())
        return found;
    return recover(folder.c_str(), expected, backend, random, report, verdict >= 0);
}

} // namespace disk
