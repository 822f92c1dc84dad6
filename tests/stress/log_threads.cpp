// SPDX-License-Identifier: MIT OR Apache-2.0
// Threads on one log, through the C functions: they append in every way, wait, poll the descriptor,
// truncate and look at statistics, while readers follow; what was appended is read back. Both
// backends. Plain main, for ThreadSanitizer.
#include "tests/stress/stress.hpp"

#include <weir.h>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace {
using stress::expect;
using stress::Random;
using weir::Deadline;
using weir::kSecond;
using weir::Nanoseconds;

constexpr unsigned kWriters = 3;
constexpr uint64_t kMiB = 1 << 20;

struct Head {
    uint32_t thread;
    uint32_t length; ///< of the record
    uint64_t number; ///< consecutive, by thread
};

void fill(std::vector<unsigned char> &to, uint32_t thread, uint64_t number, size_t length)
{
    to.resize(sizeof(Head) + length);
    Head const head{thread, static_cast<uint32_t>(to.size()), number};
    std::memcpy(to.data(), &head, sizeof head);
    for (size_t i = sizeof head; i < to.size(); ++i)
        to[i] = static_cast<unsigned char>(number * 31 + thread + i * 7 + (i >> 8));
}

struct Shared {
    weir_log *log = nullptr;
    std::string folder;
    std::atomic<uint64_t> appended[kWriters] = {}; ///< numbers below it are in the log
    std::atomic<uint64_t> truncated{0};
    std::atomic<bool> ended{false};
};

/// One to four records. How many.
unsigned append_some(Shared &shared, unsigned self, uint64_t number, Random &random,
                     uint64_t &ret_lsn)
{
    std::vector<unsigned char> bytes[4];
    uint64_t const how = random.below(20);
    size_t const length = how == 0  ? random.below(200000)
                          : how < 4 ? random.below(9000)
                                    : random.below(500);
    fill(bytes[0], self, number, length);
    unsigned count = 1;
    int code = 0;
    switch (random.below(6)) {
    case 0: {
        count = 1 + static_cast<unsigned>(random.below(4));
        weir_log_part parts[4] = {};
        for (unsigned i = 0; i < count; ++i) {
            fill(bytes[i], self, number + i, random.below(3000));
            parts[i] = {bytes[i].data(), bytes[i].size(), self, 0};
        }
        code = weir_log_append_batch(shared.log, parts, count, &ret_lsn);
        break;
    }
    case 1: {
        size_t const half = bytes[0].size() / 2;
        weir_log_part const parts[] = {{bytes[0].data(), half, self, 0},
                                       {bytes[0].data() + half, bytes[0].size() - half, 0, 0}};
        code = weir_log_appendv(shared.log, parts, 2, &ret_lsn);
        break;
    }
    case 2:
        if (bytes[0].size() < 20000) {
            void *place = nullptr;
            code = weir_log_reserve(shared.log, bytes[0].size() + 50, self, &ret_lsn, &place);
            if (code != 0)
                break;
            if (random.below(8) == 0) { // a place for nothing, and then the record
                code = weir_log_abort(shared.log, ret_lsn);
                expect(code == 0, "abort");
                code = weir_log_append(shared.log, bytes[0].data(), bytes[0].size(), &ret_lsn);
                break;
            }
            std::memcpy(place, bytes[0].data(), bytes[0].size());
            code = weir_log_commit(shared.log, ret_lsn, bytes[0].size());
            break;
        }
        [[fallthrough]];
    case 3:
        if (bytes[0].size() < 20000) {
            do
                code = weir_log_try_append(shared.log, bytes[0].data(), bytes[0].size(), &ret_lsn);
            while (code == -EAGAIN);
            break;
        }
        [[fallthrough]];
    default:
        code = weir_log_append(shared.log, bytes[0].data(), bytes[0].size(), &ret_lsn);
    }
    char what[40];
    std::snprintf(what, sizeof what, "append gave %d", code);
    expect(code == 0, what);
    return code == 0 ? count : 0;
}

void write_records(Shared &shared, unsigned self, uint64_t seed, Deadline const &deadline)
{
    Random random(seed * 10 + self);
    uint64_t number = 0;
    while (!deadline.passed()) {
        uint64_t lsn = 0;
        number += append_some(shared, self, number, random, lsn);
        shared.appended[self].store(number);
        int const fd = random.below(30) == 0 ? weir_log_fd(shared.log) : -1;
        if (fd >= 0) {
            pollfd waiting{fd, POLLIN, 0};
            for (unsigned i = 0; i < 200 && weir_log_durable(shared.log) <= lsn; ++i) {
                uint64_t count = 0;
                if (poll(&waiting, 1, 50) == 1)
                    static_cast<void>(read(fd, &count, sizeof count)); // perhaps another has it
            }
            expect(weir_log_durable(shared.log) > lsn, "durable, says the descriptor");
        } else if (random.below(4) == 0) {
            int64_t const limit = random.below(2) == 0 ? -1 : 100 * kSecond;
            expect(weir_log_wait(shared.log, lsn, limit) == 0, "wait");
            expect(weir_log_durable(shared.log) > lsn, "durable after wait");
        } else if (random.below(20) == 0) {
            expect(weir_log_sync(shared.log) == 0, "sync");
            expect(weir_log_durable(shared.log) > lsn, "durable after sync");
        }
    }
    expect(weir_log_sync(shared.log) == 0, "the last sync");
}

/// Statistics, cursors, and truncation well behind the tail.
void look_after(Shared &shared, Deadline const &deadline)
{
    while (!deadline.passed()) {
        weir_log_info info = WEIR_LOG_INFO_INIT;
        expect(weir_log_stats(shared.log, &info) == 0, "stats");
        expect(weir_log_error(shared.log) == 0, "no error");
        uint64_t const durable = weir_log_durable(shared.log);
        expect(durable <= weir_log_tail(shared.log), "durable up to the tail");
        expect(weir_log_cursor_store(shared.folder.c_str(), "here", durable, 0) == 0, "cursor");
        if (durable > 8 * kMiB) {
            shared.truncated.store(durable - 6 * kMiB);
            expect(weir_log_truncate_before(shared.log, durable - 6 * kMiB) == 0, "truncate");
        }
        weir::sleep_for(5 * weir::kMillisecond);
    }
}

/// What one reader has seen of each thread.
class Follower {
  public:
    explicit Follower(Shared &shared) : shared_(shared) {}

    void follow()
    {
        weir_log_reader *reader = nullptr;
        expect(weir_log_reader_open(shared_.folder.c_str(), 0, 0, &reader) == 0, "reader");
        while (reader != nullptr) {
            bool const last = shared_.ended.load(); // before we look: then all is there
            int const code = take_all(reader);
            if (code == -WEIR_E_LAPPED) {
                expect(weir_log_reader_seek(reader, shared_.truncated.load()) == 0, "seek");
                skipped_ = ~0u;
                continue;
            }
            expect(code == 0, "next");
            if (last || code != 0)
                break;
            int const waited = weir_log_reader_wait(reader, 20 * weir::kMillisecond);
            expect(waited == 0 || waited == -ETIMEDOUT, "reader_wait");
        }
        weir_log_reader_close(reader);
        for (unsigned i = 0; i < kWriters; ++i)
            expect(next_[i] == shared_.appended[i].load(), "all records were read");
    }

  private:
    int take_all(weir_log_reader *reader)
    {
        for (;;) {
            void const *data = nullptr;
            size_t length = 0;
            uint64_t lsn = 0;
            int const code = weir_log_reader_next(reader, &data, &length, &lsn, nullptr);
            if (code <= 0)
                return code;
            take(data, length);
        }
    }

    void take(void const *data, size_t length)
    {
        Head head{};
        expect(length >= sizeof head, "length");
        std::memcpy(&head, data, std::min(length, sizeof head));
        expect(head.length == length && head.thread < kWriters, "head");
        fill(wanted_, head.thread, head.number, length - sizeof head);
        expect(std::memcmp(wanted_.data(), data, length) == 0, "content");
        uint64_t &next = next_[head.thread % kWriters];
        bool const skipped = (skipped_ >> head.thread & 1) != 0;
        expect(head.number == next || (skipped && head.number > next), "each once, in order");
        skipped_ &= ~(1u << head.thread);
        next = head.number + 1;
    }

    Shared &shared_;
    std::vector<unsigned char> wanted_;
    uint64_t next_[kWriters] = {};
    unsigned skipped_ = ~0u; ///< bits of threads: it may begin late
};

void run(weir_log_backend backend, weir_log_durability durability, uint64_t seed, Nanoseconds time)
{
    char const *const base = std::getenv("TMPDIR");
    std::string outer = std::string(base == nullptr ? "/tmp" : base) + "/weir-threads-XXXXXX";
    if (mkdtemp(outer.data()) == nullptr)
        return expect(false, "a folder");
    Shared shared;
    shared.folder = outer + "/log";
    weir_log_options options = WEIR_LOG_OPTIONS_INIT;
    options.segment_size = kMiB;
    options.buffer_size = 64 << 10;
    options.max_record = kMiB;
    options.backend = backend;
    options.durability = durability;
    options.idle_evidence_ns = weir::kMillisecond;
    int const code = weir_log_open(shared.folder.c_str(), &options, &shared.log);
    if (code == 0) {
        std::vector<std::thread> readers;
        for (unsigned i = 0; i < 2; ++i)
            readers.emplace_back([&shared] { Follower(shared).follow(); });
        stress::run_threads(kWriters + 1, time, [&](unsigned self, Deadline const &deadline) {
            self < kWriters ? write_records(shared, self, seed, deadline)
                            : look_after(shared, deadline);
        });
        shared.ended.store(true);
        for (std::thread &reader : readers)
            reader.join();
        weir_log_close(shared.log);
        weir_log_report report = WEIR_LOG_REPORT_INIT;
        expect(weir_log_verify(shared.folder.c_str(), &report) == 0, "whole at the end");
        std::printf("# %llu records\n", static_cast<unsigned long long>(report.records));
    } else {
        expect(code == -EOPNOTSUPP && backend == WEIR_LOG_BACKEND_IO_URING, "open");
    }
    std::error_code ignored;
    std::filesystem::remove_all(outer, ignored);
}
} // namespace

int main(int argc, char **argv)
{
    Nanoseconds const time = stress::part_time(argc, argv) / 2;
    uint64_t const seed = stress::first_seed(argc, argv);
    run(WEIR_LOG_BACKEND_PWRITEV2, WEIR_LOG_DURABILITY_SYNC, seed, time);
    run(WEIR_LOG_BACKEND_IO_URING, WEIR_LOG_DURABILITY_SYNC, seed + 1, time);
    run(WEIR_LOG_BACKEND_AUTO, WEIR_LOG_DURABILITY_NONE, seed + 2, time);
    return stress::verdict("log_threads");
}
