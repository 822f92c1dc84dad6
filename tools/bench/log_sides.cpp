// SPDX-License-Identifier: MIT OR Apache-2.0
// What weir log bench does to a log.
#include "log_sides.hpp"

#include "workload.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace tool::bench {
namespace {
constexpr std::uint32_t kFillerTag = 1;
constexpr std::uint64_t kHeader = 16; // of a record
constexpr std::uint64_t kSegment = 64 << 20;
constexpr unsigned kThreadShift = 48;

std::uint64_t record_bytes(std::uint32_t payload)
{
    return kHeader + (std::uint64_t{payload} + kHeader - 1) / kHeader * kHeader;
}

Log open_bench_log(std::string const &folder, weir_log_options options)
{
    options.flags |= WEIR_LOG_EXCLUSIVE;
    return open_log(folder, options);
}

weir_log_options kept(std::uint64_t bytes)
{
    weir_log_options options = WEIR_LOG_OPTIONS_INIT;
    options.retain_bytes = bytes;
    return options;
}

weir_log_options with(weir_log_backend backend, weir_log_options options)
{
    options.backend = backend;
    return options;
}

weir_log_options in_memory()
{
    weir_log_options options = kept(4 * kSegment);
    options.buffer_size = kBigBuffer;
    options.buffer_count = kBigBuffers;
    options.idle_flush_ns = -1; // nothing is written before the sync
    return options;
}

std::vector<Payloads> payloads_for(Work const &work)
{
    std::vector<Payloads> all;
    for (unsigned thread = 0; thread < work.threads; ++thread)
        all.emplace_back(thread, work.bytes);
    return all;
}

std::uint64_t records_of_burst(Work const &work)
{
    std::uint64_t const each = kBurst / record_bytes(work.bytes) / work.threads;
    return each / work.batch * work.batch;
}

void append_some(weir_log *log, Payloads &payloads, std::uint64_t from, std::uint64_t count)
{
    std::uint64_t lsn = 0;
    for (std::uint64_t i = from; i < from + count; ++i)
        if (int const code = weir_log_append(log, payloads.take(i), payloads.bytes(), &lsn);
            code < 0)
            must(code, "append");
}

void append_batches(weir_log *log, Payloads &payloads, std::uint64_t from, std::uint64_t count,
                    unsigned batch)
{
    std::array<weir_log_part, Payloads::kAhead> parts{};
    std::uint64_t lsn = 0;
    for (std::uint64_t i = from; i < from + count; i += batch) {
        for (unsigned k = 0; k < batch; ++k)
            parts[k] = {payloads.take(i + k), payloads.bytes(), 0, 0};
        if (int const code = weir_log_append_batch(log, parts.data(), batch, &lsn); code < 0)
            must(code, "append_batch");
    }
}

/// 1 MiB that no check looks at.
void append_filler(Log const &log)
{
    static std::vector<unsigned char> const filler(1 << 20);
    weir_log_part const part{filler.data(), filler.size(), kFillerTag, 0};
    std::uint64_t lsn = 0;
    must(weir_log_appendv(log.get(), &part, 1, &lsn), "append");
}

/// Hands all records of the benchmark that are there to the check.
void read_all(LogReader const &reader, ReadBack &check)
{
    each_record(reader, [&](Record const &record) {
        if (record.tag != kFillerTag)
            check.take(record.data, record.length);
        return true;
    });
}
} // namespace

double median_of(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    std::size_t const middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// ---- payloads

Payloads::Payloads(unsigned thread, std::uint32_t bytes)
    : thread_(thread), bytes_(bytes), stride_((bytes + 63u) / 64 * 64), slots_(kSlots * stride_)
{
    Random random(thread + 1);
    for (auto &byte : slots_)
        byte = static_cast<unsigned char>(random.below(256));
    begin(0);
}

void Payloads::begin(std::uint64_t number)
{
    for (std::uint64_t i = 0; i < kAhead; ++i)
        stamp(number + i);
}

void Payloads::stamp(std::uint64_t number)
{
    std::uint64_t const value = std::uint64_t{thread_} << kThreadShift | number;
    std::memcpy(at(number), &value, sizeof value);
}

bool Payloads::is(std::uint64_t number, void const *data, std::size_t length) const
{
    constexpr std::size_t kStamp = sizeof number;
    return length == bytes_ && number_in(data) == number && thread_in(data) == thread_ &&
           std::memcmp(static_cast<unsigned char const *>(data) + kStamp,
                       slots_.data() + (number % kSlots) * stride_ + kStamp, length - kStamp) == 0;
}

std::uint64_t number_in(void const *payload)
{
    std::uint64_t value;
    std::memcpy(&value, payload, sizeof value);
    return value & ((std::uint64_t{1} << kThreadShift) - 1);
}

unsigned thread_in(void const *payload)
{
    std::uint64_t value;
    std::memcpy(&value, payload, sizeof value);
    return static_cast<unsigned>(value >> kThreadShift);
}

void ReadBack::take(void const *data, std::size_t length)
{
    unsigned const thread = length < sizeof(std::uint64_t) ? ~0u : thread_in(data);
    if (thread >= next_.size() || !payloads_[thread].is(next_[thread], data, length))
        throw Failure("a record does not hold what was appended, or is not where it belongs");
    ++next_[thread];
}

void ReadBack::expect(std::vector<std::uint64_t> const &counts) const
{
    if (next_ != counts)
        throw Failure("records that were acknowledged are not there");
}

// ---- in memory

MemoryLog::MemoryLog(std::string const &folder)
    : log_(open_bench_log(folder, in_memory())), reader_(read_log(folder, 0, 0))
{
}

/// Fills the buffer that is open, unless a burst still fits.
void MemoryLog::make_room()
{
    constexpr std::uint64_t kRest = kBigBuffer - kBurst - (64 << 10); // headers, and a block or two
    while (weir_log_tail(log_.get()) % kBigBuffer > kRest)
        append_filler(log_);
    must(weir_log_sync(log_.get()), "sync");
}

double MemoryLog::run(Work const &work, std::int64_t slice_ns)
{
    std::vector<Payloads> payloads = payloads_for(work);
    ReadBack check(payloads);
    std::uint64_t const each = records_of_burst(work);
    std::uint64_t done = 0;
    std::int64_t timed = 0;
    std::vector<double> bursts; // ns per record: the median, so that an interruption is one of many
    std::int64_t const limit = now_ns() + 4 * slice_ns; // reading back takes time, too
    do {
        make_room();
        std::int64_t const ns = run_together(work.threads, [&](unsigned thread) {
            if (work.batch == 1)
                append_some(log_.get(), payloads[thread], done, each);
            else
                append_batches(log_.get(), payloads[thread], done, each, work.batch);
        });
        done += each;
        timed += ns;
        bursts.push_back(static_cast<double>(ns) / static_cast<double>(each * work.threads));
        must(weir_log_sync(log_.get()), "sync");
        read_all(reader_, check);
    } while (timed < slice_ns && now_ns() < limit);
    check.expect(std::vector<std::uint64_t>(work.threads, done));
    return median_of(std::move(bursts));
}

MemoryFloor::MemoryFloor() : memory_(kBigBuffer * kBigBuffers) {}

double MemoryFloor::run(Work const &work, bool counted, std::int64_t slice_ns)
{
    std::vector<Payloads> payloads = payloads_for(work);
    std::uint64_t const each = records_of_burst(work);
    std::uint64_t const need = record_bytes(work.bytes);
    std::uint64_t done = 0;
    std::int64_t timed = 0;
    std::vector<double> bursts;
    do {
        // a buffer after the other, as the ring goes round
        unsigned char *const buffer = memory_.data() + (turn_++ % kBigBuffers) * kBigBuffer;
        tail_.store(0, std::memory_order_relaxed); // no thread runs
        std::int64_t const ns = run_together(work.threads, [&](unsigned thread) {
            unsigned char *to = buffer;
            std::uint32_t sums = 0;
            for (std::uint64_t i = done; i < done + each; ++i) {
                // relaxed: what it would cost at least; nobody reads what others copied
                to =
                    counted ? buffer + tail_.fetch_add(need, std::memory_order_relaxed) : to + need;
                unsigned char const *const payload = payloads[thread].take(i);
                std::uint32_t const sum = copy_and_sum(to, payload, work.bytes);
                std::memcpy(to + work.bytes, &sum, sizeof sum);
                sums ^= sum;
            }
            static std::atomic<std::uint32_t> kept{0};
            kept.fetch_xor(sums, std::memory_order_relaxed); // so that they are made
        });
        done += each;
        timed += ns;
        bursts.push_back(static_cast<double>(ns) / static_cast<double>(each * work.threads));
    } while (timed < slice_ns);
    return median_of(std::move(bursts));
}

// ---- durable

DurableLog::DurableLog(std::string const &folder, weir_log_backend backend)
    : log_(open_bench_log(folder, with(backend, kept(16 * kSegment))))
{
    constexpr int kMost = 4096; // fillers
    constexpr std::uint64_t kTurns = 3;
    for (int i = 0; i < kMost && info().segments_recycled < kTurns; ++i)
        append_filler(log_);
    must(weir_log_sync(log_.get()), "sync");
    reader_ = read_log(folder, weir_log_tail(log_.get()), 0);
}

void DurableLog::read_back(std::vector<Payloads> &payloads,
                           std::vector<std::uint64_t> const &counts)
{
    ReadBack check(payloads);
    read_all(reader_, check);
    check.expect(counts);
}

Waited DurableLog::run(Work const &work, std::int64_t slice_ns)
{
    std::vector<Payloads> payloads = payloads_for(work);
    std::vector<std::uint64_t> counts(work.threads);
    Waited const waited =
        wait_together(work.threads, slice_ns, [&](unsigned thread, std::uint64_t number) {
            std::uint64_t lsn = 0;
            must(weir_log_append(log_.get(), payloads[thread].take(number), work.bytes, &lsn),
                 "append");
            must(weir_log_wait(log_.get(), lsn, -1), "wait");
            counts[thread] = number + 1;
        });
    read_back(payloads, counts);
    return waited;
}

Waited DurableLog::run_one_behind(std::uint32_t bytes, std::int64_t slice_ns)
{
    std::vector<Payloads> payloads = payloads_for({1, bytes, 1});
    std::uint64_t before = 0, count = 0;
    Waited const waited = wait_together(1, slice_ns, [&](unsigned, std::uint64_t number) {
        std::uint64_t lsn = 0;
        must(weir_log_append(log_.get(), payloads[0].take(number), bytes, &lsn), "append");
        if (number != 0)
            must(weir_log_wait(log_.get(), before, -1), "wait");
        before = lsn;
        count = number + 1;
    });
    must(weir_log_wait(log_.get(), before, -1), "wait");
    read_back(payloads, {count});
    return waited;
}

weir_log_info DurableLog::info() const
{
    weir_log_info info = WEIR_LOG_INFO_INIT;
    must(weir_log_stats(log_.get(), &info), "stats");
    return info;
}

Waited write_durably(BareFile const &file, unsigned threads, std::size_t bytes,
                     std::int64_t slice_ns)
{
    std::vector<Pages> pages;
    for (unsigned i = 0; i < threads; ++i)
        pages.emplace_back(bytes);
    std::uint64_t const each = file.size() / threads / bytes;
    return wait_together(threads, slice_ns, [&](unsigned thread, std::uint64_t number) {
        std::memcpy(pages[thread].data(), &number, sizeof number);
        file.write((thread * each + number % each) * bytes, pages[thread].data(), bytes, true);
    });
}

// ---- streaming

namespace {
constexpr std::uint32_t kStreamed = 1024;

weir_log_options streaming(std::uint64_t bytes, bool recycled)
{
    weir_log_options options = WEIR_LOG_OPTIONS_INIT;
    // what a run appends stays until it was read back
    options.retain_bytes = recycled ? bytes + bytes / 8 + 2 * kSegment : 0;
    options.durability = WEIR_LOG_DURABILITY_NONE;
    return options;
}
} // namespace

StreamingLog::StreamingLog(std::string const &folder, std::uint64_t bytes_per_run, bool recycled,
                           weir_log_backend backend)
    : folder_(folder), records_(bytes_per_run / kStreamed),
      log_(open_bench_log(folder, with(backend, streaming(bytes_per_run, recycled)))),
      reader_(read_log(folder, 0, 0))
{
    constexpr int kTurns = 12;
    constexpr int kQuiet = 2; // turns in which no segment was made
    int quiet = 0;
    for (int i = 0; recycled && i < kTurns && quiet < kQuiet; ++i) {
        std::uint64_t const before = segments_made();
        run();
        quiet = segments_made() == before ? quiet + 1 : 0;
    }
}

std::uint64_t StreamingLog::segments_made() const
{
    weir_log_info info = WEIR_LOG_INFO_INIT;
    must(weir_log_stats(log_.get(), &info), "stats");
    return info.segments_made;
}

double StreamingLog::run()
{
    std::vector<Payloads> payloads = payloads_for({1, kStreamed, 1});
    std::int64_t const begin = now_ns();
    append_some(log_.get(), payloads[0], 0, records_);
    must(weir_log_sync(log_.get()), "sync");
    std::int64_t const ns = now_ns() - begin;
    ReadBack check(payloads);
    read_all(reader_, check);
    check.expect({records_});
    return static_cast<double>(records_ * kStreamed) * 1e9 / static_cast<double>(ns);
}

double StreamingLog::verify()
{
    reader_.reset();
    log_.reset();
    weir_log_report report = WEIR_LOG_REPORT_INIT;
    std::int64_t const begin = now_ns();
    must(weir_log_verify(folder_.c_str(), &report), "verify");
    std::int64_t const ns = now_ns() - begin;
    if (report.verdict != WEIR_LOG_WHOLE)
        throw Failure("the log is not whole");
    return static_cast<double>(report.end_lsn - report.first_lsn) * 1e9 / static_cast<double>(ns);
}

double stream_bare(BareFile const &file, std::uint64_t total, std::size_t bytes, unsigned depth)
{
    std::vector<Pages> pages;
    for (unsigned i = 0; i < depth; ++i)
        pages.emplace_back(bytes);
    std::uint64_t const count = std::min(total, file.size()) / bytes;
    std::atomic<std::uint64_t> next{0};
    std::int64_t const begin = now_ns();
    run_together(depth, [&](unsigned thread) {
        for (;;) {
            // relaxed: a number to each
            std::uint64_t const i = next.fetch_add(1, std::memory_order_relaxed);
            if (i >= count)
                return;
            std::memcpy(pages[thread].data(), &i, sizeof i);
            file.write(i * bytes, pages[thread].data(), bytes, false);
        }
    });
    file.sync();
    return static_cast<double>(count * bytes) * 1e9 / static_cast<double>(now_ns() - begin);
}

double read_bare(BareFile const &file, std::uint64_t total)
{
    constexpr std::size_t kPiece = 1 << 20;
    Pages const page(kPiece);
    std::uint64_t const count = std::min(total, file.size()) / kPiece;
    std::int64_t const begin = now_ns();
    for (std::uint64_t i = 0; i < count; ++i)
        file.read(i * kPiece, page.data(), kPiece);
    return static_cast<double>(count * kPiece) * 1e9 / static_cast<double>(now_ns() - begin);
}

} // namespace tool::bench
