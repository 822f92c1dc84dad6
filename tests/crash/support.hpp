// SPDX-License-Identifier: MIT OR Apache-2.0
// What the crash programs share: TAP, time, random numbers, segment names.
#pragma once

#include <weir.h>

#include <dirent.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

namespace crash {

constexpr int64_t kMillisecond = 1000000;

inline int64_t now_ns()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

inline void sleep_us(uint64_t us)
{
    timespec const time{static_cast<time_t>(us / 1000000), static_cast<long>(us % 1000000) * 1000};
    nanosleep(&time, nullptr);
}

inline uint64_t environment(char const *name, uint64_t otherwise)
{
    char const *const text = std::getenv(name);
    return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 0);
}

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): any seed is a good one.
class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t next()
    {
        state_ += 0x9e3779b97f4a7c15u;
        uint64_t z = state_;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
    }
    uint64_t below(uint64_t limit) { return next() % limit; }

  private:
    uint64_t state_;
};

/// Test Anything Protocol: one line per result, diagnostics behind `#`.
class Tap {
  public:
    bool ok(bool good, char const *name, char const *detail = "")
    {
        ++count_;
        failed_ = failed_ || !good;
        std::printf("%s %d - %s\n", good ? "ok" : "not ok", count_, name);
        if (!good && *detail != '\0')
            std::printf("#   %s\n", detail);
        std::fflush(stdout);
        return good;
    }
    void skip(char const *name, char const *reason)
    {
        std::printf("ok %d - %s # SKIP %s\n", ++count_, name, reason);
        std::fflush(stdout);
    }
    int finish() const
    {
        std::printf("1..%d\n", count_);
        std::fflush(stdout);
        return failed_ ? 1 : 0;
    }

  private:
    int count_ = 0;
    bool failed_ = false;
};

__attribute__((format(printf, 1, 2))) inline std::string text(char const *format, ...)
{
    char buffer[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    return buffer;
}

inline std::string segment_name(char const *test)
{
    return std::string("crash-") + test + "-" + std::to_string(getpid());
}

/// How many files in /dev/shm have this name, or it and something behind it in theirs. It ends with
/// the number of a process, and no longer number is meant.
inline int files_with(std::string const &name)
{
    DIR *const folder = opendir("/dev/shm");
    int count = 0;
    while (dirent const *const entry = readdir(folder)) {
        char const *const found = std::strstr(entry->d_name, name.c_str());
        count += found != nullptr && std::isdigit(found[name.size()]) == 0 ? 1 : 0;
    }
    closedir(folder);
    return count;
}

/// Shared with children, zeroed.
template <class T> T *shared_page()
{
    void *const page =
        mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return static_cast<T *>(page);
}

/// What a matrix looks like when nobody has anything: empty, or what is wrong with it.
inline std::string not_empty(weir_matrix *matrix)
{
    // What lanes keep is given back, and nothing else: more than all free bytes shall stay.
    if (int const code = weir_matrix_trim(matrix, UINT64_MAX, nullptr); code != 0)
        return text("trim gave %d", code);
    weir_check_report report = WEIR_CHECK_REPORT_INIT;
    int const errors = weir_matrix_check(matrix, 0, &report);
    if (errors != 0)
        return text("check found %d: chains %d tails %d pairs %d unfindable %d miscounted %d "
                    "dangling %d",
                    errors, static_cast<int>(report.broken_chains),
                    static_cast<int>(report.wrong_tails), static_cast<int>(report.unmerged_pairs),
                    static_cast<int>(report.unfindable), static_cast<int>(report.miscounted),
                    static_cast<int>(report.dangling));
    if (report.freed_roots != 0) // nobody here frees what has a name
        return text("%d names of no block", static_cast<int>(report.freed_roots));
    weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
    if (int const code = weir_matrix_stats(matrix, &info); code != 0)
        return text("stats gave %d", code);
    uint64_t blocks = 0;
    for (int i = 0; i < 3; ++i) {
        if (info.sector_committed[i] != info.sector_free[i])
            return text("sector %d: %llu bytes committed, %llu free", i,
                        static_cast<unsigned long long>(info.sector_committed[i]),
                        static_cast<unsigned long long>(info.sector_free[i]));
        blocks += info.sector_committed[i] != 0 ? 1 : 0;
    }
    if (info.trimmed_bytes != 0)
        blocks = info.free_blocks; // what was trimmed lies between
    if (info.used_blocks != 0 || info.free_blocks != blocks)
        return text("%llu blocks used, %llu free ones instead of %llu",
                    static_cast<unsigned long long>(info.used_blocks),
                    static_cast<unsigned long long>(info.free_blocks),
                    static_cast<unsigned long long>(blocks));
    return "";
}

} // namespace crash
