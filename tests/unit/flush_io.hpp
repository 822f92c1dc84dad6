// SPDX-License-Identifier: MIT OR Apache-2.0
// A disk of a ring's tests, in memory: it keeps the bytes, can hold, refuse and reverse writes, and
// notices bytes that change under it.
#pragma once

#include "core/flush/ring.hpp"
#include "tests/unit/flush_reader.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace flush_test {
using weir::File;
using weir::FlushRing;
using weir::Nanoseconds;
using weir::WriteRequest;

class MemoryDisk {
    template <class F> void with(F f)
    {
        std::lock_guard<std::mutex> const guard(mutex_);
        f();
        changed_.notify_all();
    }
    template <class F> auto locked(F f)
    {
        std::lock_guard<std::mutex> const guard(mutex_);
        return f();
    }

  public:
    explicit MemoryDisk(uint64_t segment_size, uint32_t block = 4096)
        : segment_size_(segment_size), block_(block)
    {
    }

    weir::Io io()
    {
        static weir::DataOps const ops = {submit, reap,   wake,   write_now,
                                          flush,  ignore, ignore, memory};
        weir::Io made;
        made.data = &ops;
        made.data_self = this;
        return made;
    }
    weir::RingHost host()
    {
        weir::RingHost made;
        made.self = this;
        made.file_at = file_at;
        return made;
    }

    // ---- what a test may ask for, at any time
    void hold(bool on)
    {
        with([&] { held_ = on; });
    } ///< nothing completes
    void reverse(bool on)
    {
        with([&] { reversed_ = on; });
    }
    void fail_write_after(int successes, int code)
    {
        with([&] { fail_write_ = successes, fail_code_ = code; });
    }
    void fail_flush_after(int successes, int code)
    {
        with([&] { fail_flush_ = successes, flush_code_ = code; });
    }
    void delay(Nanoseconds time)
    {
        with([&] { delay_ = time; });
    }
    unsigned pending()
    {
        return locked([&] { return static_cast<unsigned>(pending_.size()); });
    }
    uint64_t writes()
    {
        return locked([&] { return writes_; });
    }
    uint64_t own_writes()
    {
        return locked([&] { return own_writes_; });
    }
    uint64_t reaps()
    {
        return locked([&] { return reaps_; });
    }
    uint64_t flushes()
    {
        return locked([&] { return flushes_; });
    }
    unsigned most_in_flight()
    {
        return locked([&] { return most_in_flight_; });
    }
    /// "" or what was done to the disk that must not be.
    std::string mistakes()
    {
        return locked([&] { return mistakes_; });
    }
    std::vector<char> segment(uint64_t number)
    {
        return locked([&] { return files_[number]; });
    }
    uint64_t segment_size() const { return segment_size_; }

  private:
    struct Pending {
        WriteRequest *request;
        uint32_t crc;
    };

    static MemoryDisk &of(void *self) { return *static_cast<MemoryDisk *>(self); }
    static uint32_t sum(WriteRequest const &r)
    {
        return weir::Crc32c().add(r.data, r.length).value();
    }

    static File file_at(void *self, Lsn lsn)
    {
        return static_cast<File>(lsn / of(self).segment_size_);
    }

    void begin(WriteRequest const &r)
    {
        if (r.offset % block_ != 0 || r.length % block_ != 0 || r.length == 0 ||
            r.offset + r.length > segment_size_)
            mistakes_ += "misaligned write; ";
        for (uint64_t at = r.offset; at < r.offset + r.length; at += block_)
            if (!touched_.insert(static_cast<uint64_t>(r.file) * segment_size_ + at).second)
                mistakes_ += "a block is written twice; ";
        ++writes_;
        most_in_flight_ = std::max(most_in_flight_, ++in_flight_);
    }
    int end(WriteRequest const &r, uint32_t crc)
    {
        --in_flight_;
        if (sum(r) != crc)
            mistakes_ += "bytes changed under a write; ";
        if (fail_write_ >= 0 && fail_write_-- == 0)
            return -fail_code_;
        auto &bytes = files_[static_cast<uint64_t>(r.file)];
        bytes.resize(segment_size_);
        std::memcpy(bytes.data() + r.offset, r.data, r.length);
        return 0;
    }

    static weir::Status submit(void *self, WriteRequest *request)
    {
        MemoryDisk &disk = of(self);
        disk.with([&] {
            disk.begin(*request);
            disk.pending_.push_back({request, sum(*request)});
        });
        return weir::kOk;
    }
    static unsigned reap(void *self, WriteRequest **ret, unsigned most, Nanoseconds timeout)
    {
        MemoryDisk &disk = of(self);
        std::unique_lock<std::mutex> lock(disk.mutex_);
        ++disk.reaps_;
        auto const ready = [&] { return disk.woken_ || (!disk.held_ && !disk.pending_.empty()); };
        if (timeout < 0 || timeout > 3600 * weir::kSecond)
            disk.changed_.wait(lock, ready);
        else if (timeout > 0)
            disk.changed_.wait_for(lock, std::chrono::nanoseconds(timeout), ready);
        if (timeout != 0)
            disk.woken_ = false;
        unsigned count = 0;
        for (; count < most && !disk.held_ && !disk.pending_.empty(); ++count) {
            auto const at = disk.reversed_ ? disk.pending_.end() - 1 : disk.pending_.begin();
            Pending const done = *at;
            disk.pending_.erase(at);
            done.request->result = disk.end(*done.request, done.crc);
            ret[count] = done.request;
        }
        return count;
    }
    static void wake(void *self)
    {
        of(self).with([&] { of(self).woken_ = true; });
    }
    static int write_now(void *self, WriteRequest const *request)
    {
        MemoryDisk &disk = of(self);
        uint32_t const crc = sum(*request);
        Nanoseconds delay = 0;
        disk.with([&] {
            disk.begin(*request);
            ++disk.own_writes_;
            delay = disk.delay_;
        });
        if (delay != 0)
            std::this_thread::sleep_for(std::chrono::nanoseconds(delay));
        std::unique_lock<std::mutex> lock(disk.mutex_);
        disk.changed_.wait(lock, [&] { return !disk.held_; });
        return disk.end(*request, crc);
    }
    static int flush(void *self, File)
    {
        MemoryDisk &disk = of(self);
        std::lock_guard<std::mutex> const guard(disk.mutex_);
        ++disk.flushes_;
        return disk.fail_flush_ >= 0 && disk.fail_flush_-- == 0 ? -disk.flush_code_ : 0;
    }
    static void ignore(void *, File) {}
    static void memory(void *, void *, size_t) {}

    uint64_t const segment_size_;
    uint32_t const block_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<uint64_t, std::vector<char>> files_;
    std::vector<Pending> pending_;
    std::set<uint64_t> touched_;
    bool held_ = false, reversed_ = false, woken_ = false;
    int fail_write_ = -1, fail_code_ = 0, fail_flush_ = -1, flush_code_ = 0;
    Nanoseconds delay_ = 0;
    uint64_t writes_ = 0, own_writes_ = 0, flushes_ = 0, reaps_ = 0;
    unsigned in_flight_ = 0, most_in_flight_ = 0;
    std::string mistakes_;
};

// ---- a ring with its disk, and perhaps its thread

struct Setup {
    weir::RingOptions options;
    weir::RingStart start;
    bool thread = true;
    bool space = true;   ///< every segment is ready
    weir::RingHost host; ///< instead of the disk's own, if it has a file_at
    Setup()
    {
        options.buffer_size = 64 << 10;
        options.segment_size = 256 << 10;
        options.buffer_count = 4;
    }
};

class Log {
  public:
    explicit Log(Setup const &wanted = Setup())
        : setup(wanted), disk(setup.options.segment_size, setup.options.block)
    {
        weir::RingHost const host = setup.host.file_at != nullptr ? setup.host : disk.host();
        code = FlushRing::create(setup.options, setup.start, disk.io(), host, ring).code;
        if (code != 0)
            return;
        if (setup.space)
            ring->space_ready(~uint64_t{0});
        if (setup.thread)
            start_thread();
    }
    ~Log()
    {
        if (ring == nullptr)
            return;
        disk.hold(false);
        close();
        FlushRing::destroy(ring);
    }
    void start_thread()
    {
        thread_ = std::thread([this] {
            while (ring->step()) {
            }
        });
    }
    int close()
    {
        if (closed_)
            return 0;
        if (!thread_.joinable())
            start_thread();
        int const result = ring->close().code;
        thread_.join();
        closed_ = true;
        thread_ = std::thread();
        return result;
    }
    void steps()
    {
        while (ring->step_without_sleep()) {
        }
    }
    Lsn append(std::string const &bytes, uint16_t tag = 0, Nanoseconds timeout = -1)
    {
        weir::Part const part{bytes.data(), bytes.size(), tag};
        Lsn lsn = 0;
        last = ring->append(&part, 1, timeout, lsn).code;
        return lsn;
    }
    /// As a record to compare with.
    Record appended(std::string const &bytes, Nanoseconds timeout = -1)
    {
        return {append(bytes, 0, timeout), 0, bytes};
    }
    /// Of any thread; 0 if it failed.
    Lsn append_from(unsigned thread, std::string const &bytes)
    {
        weir::Part const part{bytes.data(), bytes.size(), static_cast<uint16_t>(thread)};
        Lsn lsn = 0;
        return ring->append(&part, 1, -1, lsn).ok() ? lsn : 0;
    }
    weir::RingStats stats() const
    {
        weir::RingStats found;
        ring->stats(found);
        return found;
    }
    Lsn append_batch(std::vector<std::string> const &all, Nanoseconds timeout = -1)
    {
        std::vector<weir::Part> parts;
        for (auto const &bytes : all)
            parts.push_back({bytes.data(), bytes.size(), static_cast<uint16_t>(parts.size())});
        Lsn lsn = 0;
        last = ring->append_batch(parts.data(), parts.size(), timeout, lsn).code;
        return lsn;
    }
    Contents read()
    {
        return LogReader([this](uint64_t n) { return disk.segment(n); }, disk.segment_size(),
                         setup.start, setup.options.block)
            .read();
    }

    Setup const setup;
    MemoryDisk disk;
    FlushRing *ring = nullptr;
    int code = 0;
    int last = 0; ///< of the last append

  private:
    std::thread thread_;
    bool closed_ = false;
};

} // namespace flush_test
