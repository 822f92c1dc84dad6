// SPDX-License-Identifier: MIT OR Apache-2.0
// What weir log bench does to a log. Each record has a payload of its own, and all that was
// acknowledged is read back and compared.
#pragma once

#include "log_floor.hpp"

#include "../log_handle.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace tool::bench {

/// The payloads of one thread: 32 slots of random bytes that differ from each other and between
/// threads, stamped with the number of the record. A slot is stamped 16 records ahead: a copy that
/// follows at once would wait for the store.
class Payloads {
  public:
    static constexpr std::uint64_t kSlots = 32;
    static constexpr std::uint64_t kAhead = 16;

    Payloads(unsigned thread, std::uint32_t bytes);
    /// The payload of record `number`; numbers follow each other.
    unsigned char const *take(std::uint64_t number)
    {
        stamp(number + kAhead);
        return at(number);
    }
    /// Stamps what the first records of a row need.
    void begin(std::uint64_t number);
    /// Whether it is the payload of that record.
    bool is(std::uint64_t number, void const *data, std::size_t length) const;
    std::uint32_t bytes() const { return bytes_; }

  private:
    unsigned char *at(std::uint64_t number) { return slots_.data() + (number % kSlots) * stride_; }
    void stamp(std::uint64_t number);

    unsigned thread_;
    std::uint32_t bytes_;
    std::size_t stride_;
    std::vector<unsigned char> slots_;
};

/// The number of the record whose payload this is, and its thread.
std::uint64_t number_in(void const *payload);
unsigned thread_in(void const *payload);

/// Finds out whether all records of all threads come back, each once and in its thread's order.
class ReadBack {
  public:
    explicit ReadBack(std::vector<Payloads> &payloads) : payloads_(payloads), next_(payloads.size())
    {
    }
    /// Throws if it is not what was appended.
    void take(void const *data, std::size_t length);
    /// Throws unless there were so many of each.
    void expect(std::vector<std::uint64_t> const &counts) const;

  private:
    std::vector<Payloads> &payloads_;
    std::vector<std::uint64_t> next_;
};

double median_of(std::vector<double> values);

struct Work {
    unsigned threads = 1;
    std::uint32_t bytes = 64; ///< of a payload
    unsigned batch = 1;       ///< records of an append; more: atomic batches
};

constexpr std::uint64_t kBurst = 8 << 20;      ///< bytes of records that are timed in one go
constexpr std::uint64_t kBigBuffer = 16 << 20; ///< of the ring: a burst lies in one
constexpr std::uint64_t kBigBuffers = 4;

/// Appends in memory: bursts that lie in one buffer, and the write that follows is not timed.
class MemoryLog {
  public:
    explicit MemoryLog(std::string const &folder);
    /// ns of wall time per record.
    double run(Work const &work, std::int64_t slice_ns);

  private:
    void make_room();

    Log log_;
    LogReader reader_;
};

/// The floor of it, in as much memory: copy_and_sum(), with a bare fetch_add if `counted`.
class MemoryFloor {
  public:
    MemoryFloor();
    double run(Work const &work, bool counted, std::int64_t slice_ns);

  private:
    Pages memory_;
    unsigned turn_ = 0;
    alignas(64) std::atomic<std::uint64_t> tail_{0};
};

/// Operations that somebody waits for.
struct Waited {
    std::uint64_t operations = 0;
    std::int64_t ns = 0;
    std::vector<std::int64_t> latencies; ///< of each
    double per_second() const
    {
        return static_cast<double>(operations) * 1e9 / static_cast<double>(ns > 0 ? ns : 1);
    }
};
/// Calls `one(thread, number)` in each thread until the time is over.
template <class One> Waited wait_together(unsigned threads, std::int64_t slice_ns, One one)
{
    std::vector<std::vector<std::int64_t>> latencies(threads);
    Waited waited;
    waited.ns = run_together(threads, [&](unsigned thread) {
        auto &mine = latencies[thread];
        mine.reserve(1 << 16);
        std::int64_t const begin = now_ns();
        std::int64_t at = begin;
        while (at - begin < slice_ns) {
            one(thread, static_cast<std::uint64_t>(mine.size()));
            std::int64_t const then = now_ns();
            mine.push_back(then - at);
            at = then;
        }
    });
    for (auto const &some : latencies) {
        waited.operations += some.size();
        waited.latencies.insert(waited.latencies.end(), some.begin(), some.end());
    }
    return waited;
}

/// Each append is waited for, by as many threads. Its segments are used again from the start.
class DurableLog {
  public:
    explicit DurableLog(std::string const &folder,
                        weir_log_backend backend = WEIR_LOG_BACKEND_AUTO);
    Waited run(Work const &work, std::int64_t slice_ns);
    /// One thread: after each append it waits for the one before.
    Waited run_one_behind(std::uint32_t bytes, std::int64_t slice_ns);
    weir_log_info info() const;

  private:
    void read_back(std::vector<Payloads> &payloads, std::vector<std::uint64_t> const &counts);

    Log log_;
    LogReader reader_;
};
/// Bare writes with RWF_DSYNC instead, each thread in a place of its own.
Waited write_durably(BareFile const &file, unsigned threads, std::size_t bytes,
                     std::int64_t slice_ns);

/// Appends of 1 KiB and one sync at the end.
class StreamingLog {
  public:
    /// Recycled: segments are used again, after turns that nobody times.
    StreamingLog(std::string const &folder, std::uint64_t bytes_per_run, bool recycled,
                 weir_log_backend backend = WEIR_LOG_BACKEND_AUTO);
    /// Bytes of payload per second.
    double run();
    /// Closes it, and verifies it: bytes of batches per second. It cannot be appended to any more.
    double verify();

  private:
    std::uint64_t segments_made() const;

    std::string folder_;
    std::uint64_t records_;
    Log log_;
    LogReader reader_;
};
/// `depth` bare writes of `bytes` at any time and one fdatasync at the end; bytes per second.
double stream_bare(BareFile const &file, std::uint64_t total, std::size_t bytes, unsigned depth);
/// Bare reads of 1 MiB, one after the other.
double read_bare(BareFile const &file, std::uint64_t total);

} // namespace tool::bench
