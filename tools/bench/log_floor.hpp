// SPDX-License-Identifier: MIT OR Apache-2.0
// The floors that the figures of weir log bench are compared with: copying under a CRC, and files
// without a log.
#pragma once

#include "../clock.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace tool::bench {

/// memcpy, and CRC32C (three lanes of the processor's instruction, or a table): what any log with
/// checksums does at least.
std::uint32_t copy_and_sum(void *to, void const *from, std::size_t length);
/// The sum bit by bit; what copy_and_sum() is checked with.
std::uint32_t sum_bit_by_bit(void const *from, std::size_t length);

/// Runs `work(thread)` in so many threads that begin together; ns until the last was done. One
/// thread is the caller.
template <class Work> std::int64_t run_together(unsigned threads, Work work)
{
    if (threads == 1) {
        std::int64_t const begin = now_ns();
        work(0u);
        return now_ns() - begin;
    }
    std::atomic<unsigned> ready{0};
    std::atomic<bool> go{false};
    std::vector<std::exception_ptr> thrown(threads);
    std::vector<std::int64_t> ends(threads);
    std::vector<std::thread> all;
    for (unsigned i = 0; i < threads; ++i)
        all.emplace_back([&, i] {
            ready.fetch_add(1, std::memory_order_relaxed); // a count, nothing hangs on it
            while (!go.load(std::memory_order_acquire))    // pairs with the store below
                std::this_thread::yield();
            try {
                work(i);
            } catch (...) {
                thrown[i] = std::current_exception();
            }
            ends[i] = now_ns();
        });
    while (ready.load(std::memory_order_relaxed) < threads)
        std::this_thread::yield();
    std::int64_t const begin = now_ns();
    go.store(true, std::memory_order_release); // what was prepared is seen by the workers
    std::int64_t end = begin;
    for (unsigned i = 0; i < threads; ++i) {
        all[i].join();
        end = ends[i] > end ? ends[i] : end;
    }
    for (auto const &one : thrown)
        if (one)
            std::rethrow_exception(one);
    return end - begin;
}

/// Whole pages, aligned to one: what O_DIRECT takes.
class Pages {
  public:
    explicit Pages(std::size_t bytes);
    unsigned char *data() const { return bytes_.get(); }

  private:
    struct Free {
        void operator()(unsigned char *bytes) const;
    };
    std::unique_ptr<unsigned char, Free> bytes_;
};

/// A file that was written once from end to end, past the page cache where that is possible.
class BareFile {
  public:
    BareFile(std::string const &path, std::uint64_t bytes);
    ~BareFile();
    BareFile(BareFile const &) = delete;
    BareFile &operator=(BareFile const &) = delete;

    std::uint64_t size() const { return size_; }
    bool direct() const { return direct_; }
    void write(std::uint64_t offset, void const *data, std::size_t length, bool durable) const;
    void read(std::uint64_t offset, void *data, std::size_t length) const;
    void sync() const;

  private:
    std::string path_;
    std::uint64_t size_;
    int fd_ = -1;
    bool direct_ = false;
};

/// A folder that goes with all that is in it.
class Scratch {
  public:
    explicit Scratch(std::string const &parent);
    ~Scratch();
    Scratch(Scratch const &) = delete;
    Scratch &operator=(Scratch const &) = delete;
    std::string path(std::string const &name) const { return folder_ + "/" + name; }

  private:
    std::string folder_;
};

} // namespace tool::bench
