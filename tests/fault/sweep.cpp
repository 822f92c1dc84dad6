// SPDX-License-Identifier: MIT OR Apache-2.0
// R7: every single fault in a small log against the verdict table of the design. Two logs of three
// epochs in four segments, with atomic batches, large records and an aborted one: closed cleanly,
// and crashed with batches above all evidence. Speaks TAP.
#include "core/log/cursor.hpp"
#include "core/log/repair.hpp"
#include "core/log/verify.hpp"
#include "tests/fault/serial_log.hpp"

#include <chrono>
#include <cstdio>
#include <cstring>

namespace {

using namespace weir;
using namespace fault;

constexpr uint64_t kSegment = 16 << 10, kBlock = 4096;

/// One record as readers show it.
struct Shown {
    Lsn lsn;
    uint64_t length;
    uint32_t sum;
    uint16_t tag;
    bool operator==(Shown const &o) const
    {
        return lsn == o.lsn && length == o.length && sum == o.sum && tag == o.tag;
    }
};

struct Read {
    std::vector<Shown> records;
    int code = 0;
    LogFinding finding = LogFinding::none;
};

Read read_all(Io const &io, unsigned flags = 0)
{
    Read result;
    Reader *reader = nullptr;
    Status const opened = Reader::open(io, nullptr, 0, flags, reader);
    if (!opened.ok()) {
        result.code = opened.code;
        return result;
    }
    for (uint64_t i = 0; i < 100000; ++i) {
        RecordView view;
        Status const status = reader->next(view);
        result.code = status.code;
        if (status.code <= 0)
            break;
        result.records.push_back(
            {view.lsn, view.length, Crc32c().add(view.data, view.length).value(), view.tag});
    }
    result.finding = reader->finding();
    Reader::close(reader);
    return result;
}

struct SmallLog {
    Disk disk{7};
    Oracle oracle;
    SerialOptions options;
    Lsn end = 0, durable = 0, tail_batch = 0;
    Read good;
    std::string failure;

    explicit SmallLog(bool closed)
    {
        options.segment_size = kSegment;
        options.buffer_size = 8 << 10;
        options.recycle = false;
        for (int epoch = 0; epoch < 3; ++epoch)
            write(epoch, closed && epoch == 2);
        Io const io = disk.io();
        if (store_cursor(io, "reader", 5000, 0).code != 0)
            failure = "cursor";
        LogReport report;
        if (verify(io, report).code != 0)
            failure = std::string("verify: ") + log_finding_text(report.finding);
        end = report.end;
        durable = report.durable;
        good = read_all(io);
        disk.put("LIVE", std::vector<uint8_t>(4096, 0x5a));
        disk.put("LOCK", {});
        if (good.code != 0 || good.records.size() < 30)
            failure = "the log cannot be read";
    }

    void must(Status status)
    {
        if (!status.ok() && failure.empty())
            failure = "made with " + std::to_string(status.code);
    }

    void write(int epoch, bool closed)
    {
        Recovered recovered;
        must(recover(disk.io(), recover_options(options), recovered));
        SerialLog log(disk, oracle, options);
        must(log.start(recovered));
        for (uint64_t i = 0; i < 3; ++i) {
            must(log.append(i * 37 % 300, static_cast<uint16_t>(i)));
            must(log.append_group({20, 0, 300 + i}));
            if (i == 1 && epoch == 1)
                must(log.append(5000, 9));
            if (i == 2)
                must(log.append_aborted(100));
            must(log.cut());
        }
        must(log.drain());
        must(log.hint());
        if (closed) {
            must(log.close_cleanly());
        } else if (epoch == 2) {
            // Two batches that nobody knows to be durable.
            must(log.append(700, 1));
            must(log.cut());
            tail_batch = log.tail();
            must(log.append(100, 2));
            must(log.cut());
            while (log.in_flight() != 0)
                must(log.pump());
        }
        disk.settle();
    }

    std::vector<std::string> segments() const
    {
        std::vector<std::string> result;
        Lsn base;
        for (std::string const &name : disk.names())
            if (parse_segment_name(name.c_str(), base))
                result.push_back(name);
        return result;
    }
};

/// Verdict and place that the table wants for damage at `lsn` (the byte's position).
struct Wanted {
    int verdict = 0;
    Lsn lsn = 0; ///< 0: nobody asks where
};

class Sweep {
  public:
    explicit Sweep(SmallLog &log, char const *name) : log_(log), name_(name) {}

    Wanted in_segment(Lsn lsn) const
    {
        if (lsn % kSegment < kBlock) {
            Lsn const first = lsn / kSegment * kSegment + kBlock;
            return first < log_.durable ? Wanted{2, first} : Wanted{1, 0};
        }
        if (lsn < log_.durable)
            return {2, lsn};
        if (lsn < log_.end)
            return {1, 0};
        return {!closed && lsn < log_.end + kBlock ? 1 : 0, 0};
    }

    /// All that must hold of a damaged log, whatever is damaged.
    void check(Wanted const &wanted, std::string const &what)
    {
        ++cases;
        Io const io = log_.disk.io();
        LogReport report;
        int const verdict = verify(io, report).code;
        // Where nothing is left of the last batches, nothing is torn.
        bool const nothing =
            verdict == 0 && wanted.verdict == 1 && !closed &&
            (report.at_end == LogFinding::zeros || report.at_end == LogFinding::earlier_use);
        if (verdict != wanted.verdict && !(nothing && may_be_nothing))
            return fail(what + ": verify says " + std::to_string(verdict) + " (" +
                        log_finding_text(report.finding) + "), not " +
                        std::to_string(wanted.verdict));
        if (wanted.lsn != 0 &&
            (report.lsn > wanted.lsn || report.lsn + 8192 <= wanted.lsn ||
             report.segment != report.lsn / kSegment || report.offset != report.lsn % kSegment))
            return fail(what + ": place " + std::to_string(report.lsn) + ", not " +
                        std::to_string(wanted.lsn));
        bool const corrupt = verdict == 2 && report.finding != LogFinding::cursor;
        if (cases % 7 == 0) // the same survey as verify's
            check_open(what, corrupt);
        check_reader(report, what, corrupt);
        if (log_.disk.open_files() != 0)
            fail(what + ": files are left open");
    }

    void check_open(std::string const &what, bool corrupt)
    {
        Io const io = log_.disk.io();
        Recovered recovered;
        RecoverOptions options;
        options.read_only = options.verify_all = true;
        int const opened = recover(io, options, recovered).code;
        release_recovered(io, recovered);
        if (opened != (corrupt ? -kCorrupt : 0))
            fail(what + ": open says " + std::to_string(opened));
    }

    /// A prefix of the good log, then CORRUPT exactly if the log is.
    void check_reader(LogReport const &report, std::string const &what, bool corrupt)
    {
        Read const read = read_all(log_.disk.io());
        if (read.code != (corrupt ? -kCorrupt : 0))
            return fail(what + ": reader says " + std::to_string(read.code));
        auto const &good = log_.good.records;
        if (read.records.size() > good.size())
            return fail(what + ": too many records");
        for (size_t i = 0; i < read.records.size(); ++i)
            if (!(read.records[i] == good[i]))
                return fail(what + ": wrong record at " + std::to_string(read.records[i].lsn));
        // What lies in batches before the damage, or in an undamaged log, is shown.
        for (size_t i = read.records.size(); i < good.size(); ++i)
            if (good[i].lsn + good[i].length + 8192 <
                    (corrupt && report.finding != LogFinding::meta ? report.end : report.durable) &&
                (!corrupt || report.finding != LogFinding::meta))
                return fail(what + ": whole record missing at " + std::to_string(good[i].lsn));
    }

    void fail(std::string const &why)
    {
        if (failures++ < 8)
            printf("# %s: %s\n", name_, why.c_str());
    }

    void flips(std::string const &file, Lsn base)
    {
        uint64_t const size = log_.disk.content(file).size();
        for (uint64_t i = 0; i < size; ++i) {
            auto const mask = static_cast<uint8_t>(1u << (i * 5 % 8));
            log_.disk.rot(file, i, mask);
            check(in_segment(base + i), file + " byte " + std::to_string(i));
            log_.disk.rot(file, i, mask);
        }
    }

    void zeros(std::string const &file, Lsn base)
    {
        std::vector<uint8_t> const whole = log_.disk.content(file);
        for (uint64_t i = 0; i < whole.size(); i += kSector) {
            std::vector<uint8_t> damaged = whole;
            memset(damaged.data() + i, 0, kSector);
            Wanted wanted = in_segment(base + i);
            if (damaged == whole)
                wanted = {0, 0};
            log_.disk.put(file, damaged);
            check(wanted, file + " zeroed at " + std::to_string(i));
        }
        log_.disk.put(file, whole);
    }

    void cuts(std::string const &file, Lsn base)
    {
        std::vector<uint8_t> const whole = log_.disk.content(file);
        for (uint64_t size = 0; size < whole.size(); ++size) {
            log_.disk.put(file, {whole.begin(), whole.begin() + static_cast<long>(size)});
            Lsn const first = base + kBlock;
            bool const below = size < kBlock ? first < log_.durable : base + size < log_.durable;
            check({below ? 2 : 1, 0}, file + " cut at " + std::to_string(size));
        }
        log_.disk.put(file, whole);
    }

    /// Each block of the log into the place of each other one.
    void moves(bool swap)
    {
        auto const files = log_.segments();
        std::vector<std::vector<uint8_t>> const whole = contents(files);
        size_t const blocks = files.size() * (kSegment / kBlock);
        for (size_t a = 0; a < blocks; ++a)
            for (size_t b = swap ? a + 1 : 0; b < blocks; ++b)
                if (a != b)
                    move(files, whole, a, b, swap);
        for (size_t i = 0; i < files.size(); ++i)
            log_.disk.put(files[i], whole[i]);
    }

    void move(std::vector<std::string> const &files, std::vector<std::vector<uint8_t>> const &whole,
              size_t a, size_t b, bool swap)
    {
        constexpr size_t kPer = kSegment / kBlock;
        auto damaged = whole;
        uint8_t *const to = &damaged[b / kPer][b % kPer * kBlock];
        memcpy(to, &whole[a / kPer][a % kPer * kBlock], kBlock);
        if (swap)
            memcpy(&damaged[a / kPer][a % kPer * kBlock], &whole[b / kPer][b % kPer * kBlock],
                   kBlock);
        int verdict = 0;
        for (size_t block : {a, b})
            if (damaged[block / kPer] != whole[block / kPer] && (swap || block == b) &&
                memcmp(&damaged[block / kPer][block % kPer * kBlock],
                       &whole[block / kPer][block % kPer * kBlock], kBlock) != 0)
                verdict = std::max(verdict, in_segment(block * kBlock).verdict);
        for (size_t i = 0; i < files.size(); ++i)
            log_.disk.put(files[i], damaged[i]);
        check({verdict, 0},
              (swap ? "swapped " : "replayed ") + std::to_string(a) + " to " + std::to_string(b));
    }

    std::vector<std::vector<uint8_t>> contents(std::vector<std::string> const &files)
    {
        std::vector<std::vector<uint8_t>> result;
        for (std::string const &file : files)
            result.push_back(log_.disk.content(file));
        return result;
    }

    void removals()
    {
        auto const files = log_.segments();
        auto const whole = contents(files);
        for (size_t i = 0; i < files.size(); ++i) {
            log_.disk.remove(files[i]);
            Lsn const first = i * kSegment + kBlock;
            check({first < log_.durable ? 2 : 0, 0}, files[i] + " removed");
            log_.disk.put(files[i], whole[i]);
        }
    }

    void meta()
    {
        std::vector<uint8_t> const whole = log_.disk.content("META");
        for (uint64_t copy : {uint64_t{0}, kMetaSecondCopy}) {
            for (uint64_t i = 0; i < 4096; ++i) {
                log_.disk.rot("META", copy + i, 0x10);
                check({1, 0}, "META byte " + std::to_string(copy + i));
                log_.disk.rot("META", copy + i, 0x10);
            }
        }
        log_.disk.rot("META", 5000, 1);
        check({0, 0}, "META between its copies");
        log_.disk.put("META", whole);
        log_.disk.rot("META", 100, 1);
        log_.disk.rot("META", kMetaSecondCopy + 100, 1);
        check({2, 0}, "both superblocks");
        log_.disk.put("META", {whole.begin(), whole.begin() + 100});
        check({2, 0}, "META cut");
        log_.disk.put("META", whole);
    }

    void cursors()
    {
        std::string const file = "cursors/reader";
        std::vector<uint8_t> const whole = log_.disk.content(file);
        CursorView view;
        for (uint64_t i = 0; i < kCursorBytes; ++i) {
            log_.disk.rot(file, i, 0x80);
            check({1, 0}, "cursor byte " + std::to_string(i));
            Status const loaded = load_cursor(log_.disk.io(), "reader", view);
            if (loaded.code != 0 || view.lsn != 5000)
                fail("cursor with one slot");
            log_.disk.rot(file, i, 0x80);
        }
        log_.disk.rot(file, 10, 1);
        log_.disk.rot(file, 4106, 1);
        check({2, 0}, "both cursor slots");
        if (load_cursor(log_.disk.io(), "reader", view).code != -kCorrupt)
            fail("both cursor slots are loaded");
        log_.disk.put(file, whole);
        log_.disk.rot("LIVE", 20, 1);
        check({0, 0}, "LIVE");
    }

    void done(int number, char const *what)
    {
        printf("%s %d - %s: %s (%llu cases)\n", failures == 0 ? "ok" : "not ok", number, name_,
               what, static_cast<unsigned long long>(cases));
        failed |= failures != 0;
        failures = 0;
        cases = 0;
    }

    bool closed = false;
    bool may_be_nothing = false; ///< whole blocks were changed
    bool failed = false;
    uint64_t cases = 0, failures = 0;

  private:
    SmallLog &log_;
    char const *name_;
};

/// Every fault in turn on a copy, opened for writing, and repaired. What was acknowledged and is
/// whole is still there.
struct Mending {
    SmallLog &log;
    char const *name;
    uint64_t cases = 0, failures = 0;

    void fail(std::string const &why)
    {
        if (failures++ < 8)
            printf("# %s: %s\n", name, why.c_str());
    }

    /// What an open does not mend: a cursor's slot, and bytes behind the end that are no batch.
    static bool harmless(LogReport const &report)
    {
        return report.finding == LogFinding::cursor_slot ||
               (report.verdict == LogVerdict::torn && report.lsn == report.end);
    }

    bool all_there(Disk &disk, std::string const &what)
    {
        Read const read = read_all(disk.io());
        bool const same =
            read.code == 0 && read.records.size() >= log.good.records.size() &&
            std::equal(log.good.records.begin(), log.good.records.end(), read.records.begin());
        if (!same)
            fail(what + ": records are lost, " + std::to_string(read.code));
        return same;
    }

    /// STRICT changes nothing where it says CORRUPT; elsewhere it opens, and verify is content.
    void strict(Disk const &damaged, std::string const &what)
    {
        ++cases;
        Disk disk(damaged), before(damaged);
        LogReport report;
        int const verdict = verify(disk.io(), report).code;
        Recovered recovered;
        RecoverOptions options = recover_options(log.options);
        options.verify_all = true;
        int const opened = recover(disk.io(), options, recovered).code;
        release_recovered(disk.io(), recovered);
        bool const cursor = report.finding == LogFinding::cursor;
        if (opened == -kCorrupt) {
            if (verdict != 2 || !disk.same_as(before))
                fail(what + ": STRICT changed a byte");
            return;
        }
        if (opened != 0 || (verdict == 2 && !cursor))
            return fail(what + ": open says " + std::to_string(opened));
        LogReport after;
        if (verify(disk.io(), after).code > (cursor ? 2 : 0) && !harmless(after))
            fail(what + ": opened, and then " + log_finding_text(after.finding));
        all_there(disk, what);
    }

    /// POINT_IN_TIME opens whatever is not META's, and leaves a prefix.
    void point_in_time(Disk const &damaged, std::string const &what)
    {
        Disk disk(damaged);
        Recovered recovered;
        RecoverOptions options = recover_options(log.options);
        options.verify_all = true;
        options.mode = RecoveryMode::point_in_time;
        int const opened = recover(disk.io(), options, recovered).code;
        Lsn const end = recovered.start.at;
        bool const meta = recovered.report.finding == LogFinding::meta;
        release_recovered(disk.io(), recovered);
        if (opened != 0) {
            if (!meta)
                fail(what + ": POINT_IN_TIME says " + std::to_string(opened));
            return;
        }
        LogReport report;
        int const after = verify(disk.io(), report).code;
        if (after != 0 && report.finding != LogFinding::cursor && !harmless(report))
            fail(what + ": after POINT_IN_TIME " + log_finding_text(report.finding));
        Read const read = read_all(disk.io());
        if (read.code != 0)
            fail(what + ": cannot be read after POINT_IN_TIME");
        for (size_t i = 0; i < read.records.size() && i < log.good.records.size(); ++i)
            if (!(read.records[i] == log.good.records[i]) || read.records[i].lsn >= end)
                return fail(what + ": wrong record after POINT_IN_TIME");
    }

    /// Salvage shows everything that is whole, in another log.
    void salvage(Disk const &damaged, std::string const &what)
    {
        Disk disk(damaged), target(3);
        Io const io = disk.io(), to = target.io();
        RepairOptions options;
        options.salvage_to = &to;
        options.new_uuid[0] = 99;
        LogReport report;
        int const code = repair(io, options, report).code;
        if (code != 1)
            return fail(what + ": salvage says " + std::to_string(code));
        LogReport clean;
        if (verify(to, clean).code != 0)
            fail(what + ": what was salvaged is " + log_finding_text(clean.finding));
        Read const read = read_all(to);
        // In order, each one appended once: a subsequence of what was good, or of the tail.
        size_t at = 0, known = 0;
        for (Shown const &record : read.records) {
            size_t i = at;
            while (i < log.good.records.size() && (log.good.records[i].sum != record.sum ||
                                                   log.good.records[i].length != record.length))
                ++i;
            if (i < log.good.records.size())
                at = i + 1, ++known;
        }
        if (read.records.size() > known + 2)
            fail(what + ": salvage invented records");
        if (known + 12 < log.good.records.size())
            fail(what + ": salvage found only " + std::to_string(known));
    }

    void all(Disk const &damaged, std::string const &what)
    {
        strict(damaged, what);
        point_in_time(damaged, what);
        salvage(damaged, what);
    }

    void repair_meta()
    {
        Disk disk(log.disk);
        disk.rot("META", 100, 1);
        disk.rot("META", kMetaSecondCopy + 100, 1);
        repaired(disk, "both superblocks", true);
        Disk none(log.disk);
        none.remove("META");
        repaired(none, "no META", true);
        for (size_t i = 0; i < log.segments().size(); ++i) {
            Disk header(log.disk);
            header.rot(log.segments()[i], 70, 1);
            repaired(header, "segment header " + std::to_string(i), true);
            header.rot("META", 100, 1);
            header.rot("META", kMetaSecondCopy + 100, 1);
            header.rot(log.segments()[i], 70, 1);
            header.rot(log.segments()[0], 71, 1);
            repaired(header, "headers and META", true);
        }
    }

    void repaired(Disk const &damaged, std::string const &what, bool whole)
    {
        ++cases;
        Disk disk(damaged);
        LogReport report;
        int const code = repair(disk.io(), {}, report).code;
        if (code != 1)
            return fail(what + ": repair says " + std::to_string(code) + ", " +
                        log_finding_text(report.finding));
        LogReport after;
        if (verify(disk.io(), after).code != 0)
            fail(what + ": repaired, and then " + log_finding_text(after.finding));
        if (repair(disk.io(), {}, after).code != 0)
            fail(what + ": a second repair finds something");
        if (whole)
            all_there(disk, what);
    }

    void run()
    {
        for (std::string const &file : log.segments()) {
            uint64_t const size = log.disk.content(file).size();
            for (uint64_t i = 3; i < size; i += 331) {
                Disk damaged(log.disk);
                damaged.rot(file, i, 4);
                all(damaged, file + " byte " + std::to_string(i));
            }
            for (uint64_t cut = 0; cut < size; cut += 1777) {
                Disk damaged(log.disk);
                std::vector<uint8_t> bytes = damaged.content(file);
                bytes.resize(cut);
                damaged.put(file, bytes);
                all(damaged, file + " cut at " + std::to_string(cut));
            }
            Disk damaged(log.disk);
            damaged.remove(file);
            all(damaged, file + " removed");
        }
        Disk damaged(log.disk);
        damaged.rot("META", 100, 1);
        all(damaged, "one superblock");
        repair_meta();
    }
};

bool sweep(bool closed, int &number)
{
    SmallLog log(closed);
    char const *const name = closed ? "closed log" : "crashed log";
    if (!log.failure.empty()) {
        printf("not ok %d - %s: %s\n", ++number, name, log.failure.c_str());
        return false;
    }
    printf("# %s: %zu segments, end %llu, durable %llu, %zu records\n", name, log.segments().size(),
           static_cast<unsigned long long>(log.end), static_cast<unsigned long long>(log.durable),
           log.good.records.size());
    Sweep sweep(log, name);
    sweep.closed = closed;
    sweep.check({0, 0}, "nothing");
    auto const files = log.segments();
    // What differs from the closed log lies at the end.
    size_t const first = closed ? 0 : files.size() - 2;
    for (size_t i = first; i < files.size(); ++i)
        sweep.flips(files[i], i * kSegment);
    sweep.done(++number, "every byte flipped");
    sweep.may_be_nothing = true;
    for (size_t i = 0; i < files.size(); ++i)
        sweep.zeros(files[i], i * kSegment);
    sweep.done(++number, "every sector zeroed");
    for (size_t i = first; i < files.size(); ++i)
        sweep.cuts(files[i], i * kSegment);
    sweep.done(++number, "cut at every byte");
    sweep.moves(true);
    sweep.done(++number, "blocks swapped");
    sweep.moves(false);
    sweep.done(++number, "blocks replayed");
    sweep.may_be_nothing = false;
    sweep.removals();
    if (closed)
        sweep.meta(), sweep.cursors();
    sweep.done(++number, "segments removed, META, cursors, LIVE");
    Mending mending{log, name};
    mending.run();
    printf("%s %d - %s: opened, repaired, salvaged (%llu cases)\n",
           mending.failures == 0 ? "ok" : "not ok", ++number, name,
           static_cast<unsigned long long>(mending.cases));
    return !sweep.failed && mending.failures == 0;
}

} // namespace

int main(int argc, char **argv)
{
    if (argc > 1) {
        int alone = 0;
        bool const good = sweep(strcmp(argv[1], "closed") == 0, alone);
        printf("1..%d\n", alone);
        return good ? 0 : 1;
    }
    auto const begin = std::chrono::steady_clock::now();
    int number = 0;
    bool const closed = sweep(true, number);
    bool const crashed = sweep(false, number);
    std::chrono::duration<double> const took = std::chrono::steady_clock::now() - begin;
    printf("1..%d\n# %.1f s\n", number, took.count());
    return closed && crashed ? 0 : 1;
}
