// SPDX-License-Identifier: MIT OR Apache-2.0
// Compares what the consumers saw with the files, which are read again for it.
#include "../interrupt.hpp"
#include "files.hpp"
#include "summary.hpp"

#include "../clock.hpp"
#include "../error.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include <fmt/format.h>

namespace tool::ingest {
namespace {
constexpr unsigned kMostThreads = 4;

struct Delivered {
    std::uint64_t length;
    std::uint32_t checksum;
};

class Comparison {
  public:
    Comparison(Ledger const &ledger, Options const &options)
        : ledger_(ledger), from_(open_folder(options.from))
    {
        if (!options.out.empty())
            out_ = open_folder(options.out);
    }

    Verification run()
    {
        std::int64_t const begin = now_ns();
        unsigned const threads = std::clamp(std::thread::hardware_concurrency(), 1u, kMostThreads);
        std::vector<std::thread> others;
        for (unsigned i = 1; i < threads; ++i)
            others.emplace_back([this] { work(); });
        work();
        for (auto &thread : others)
            thread.join();
        if (thrown_)
            std::rethrow_exception(thrown_);
        auto const by_path = [](Problem const &a, Problem const &b) { return a.path < b.path; };
        std::sort(result_.problems.begin(), result_.problems.end(), by_path);
        result_.duration_ns = now_ns() - begin;
        return std::move(result_);
    }

  private:
    void work()
    try {
        auto const next = [this] { return next_.fetch_add(1, std::memory_order_relaxed); };
        for (std::uint64_t i = next(); i < ledger_.files() && !was_interrupted(); i = next())
            look_at(i);
    } catch (...) {
        std::lock_guard const guard(mutex_);
        thrown_ = std::current_exception();
    }

    void look_at(std::uint64_t index)
    {
        Entry const &entry = ledger_.entry(index);
        auto const problem = compare(index, entry);
        // relaxed: the workers are gone
        std::uint32_t const deliveries = entry.deliveries.load(std::memory_order_relaxed);
        std::uint64_t const length = entry.length.load(std::memory_order_relaxed);

        std::lock_guard const guard(mutex_);
        result_.deliveries += deliveries;
        result_.duplicates += deliveries > 1 ? deliveries - 1 : 0;
        if (problem) {
            result_.problems.push_back({ledger_.path(index), *problem});
        } else {
            ++result_.verified;
            result_.verified_bytes += length - 1;
        }
    }

    /// Says what is wrong with a file; nothing if all is well.
    std::optional<std::string> compare(std::uint64_t index, Entry const &entry) const
    {
        // acquire: pairs with the release in record_delivery(); the length is visible then
        Outcome const outcome = Outcome::unpack(entry.outcome.load(std::memory_order_acquire));
        switch (outcome.kind) {
        case Kind::pending:
            return "was not delivered";
        case Kind::unstable:
            return outcome.value != 0
                       ? "has a size of 0 and content all the same, like those of /proc"
                       : "kept changing its size while it was read";
        case Kind::unreadable:
            return "cannot be read: " + error_text(static_cast<int>(outcome.value));
        case Kind::unwritable:
            return "cannot be written: " + error_text(static_cast<int>(outcome.value));
        case Kind::delivered:
            break;
        }
        if (entry.conflicts.load(std::memory_order_relaxed) > 0)
            return "was delivered twice with different content";
        Delivered const delivered{entry.length.load(std::memory_order_relaxed) - 1, outcome.value};
        std::string const path = ledger_.path(index);
        auto problem = differs(from_, path, delivered, "the file");
        if (!problem && out_)
            problem = differs(out_, path, delivered, "the written file");
        return problem;
    }

    static std::optional<std::string> differs(File const &root, std::string const &path,
                                              Delivered const &delivered, char const *what)
    {
        std::uint64_t length = 0;
        std::uint32_t checksum = 0;
        if (!checksum_file(root, path, length, checksum))
            return fmt::format("{} cannot be read again: {}", what, error_text(errno));
        if (length != delivered.length)
            return fmt::format("{} has {} bytes, {} were delivered", what, length,
                               delivered.length);
        if (checksum != delivered.checksum)
            return fmt::format("{} has checksum {:08x}, {:08x} was delivered", what, checksum,
                               delivered.checksum);
        return std::nullopt;
    }

    Ledger const &ledger_;
    File from_;
    File out_;
    /// The next file to look at; all threads add 1. relaxed: only the number counts.
    std::atomic<std::uint64_t> next_{0};
    std::mutex mutex_; ///< of what follows
    Verification result_;
    std::exception_ptr thrown_;
};
} // namespace

Verification verify(Ledger const &ledger, Options const &options)
{
    return Comparison(ledger, options).run();
}

} // namespace tool::ingest
