// SPDX-License-Identifier: MIT OR Apache-2.0
// What the tests of the log's C API share: folders that go, small logs, records as strings.
#pragma once

#include "tests/api/support.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace api {

/// A folder that goes with this object; not there yet.
class LogFolder {
  public:
    LogFolder()
    {
        char const *const base = std::getenv("TMPDIR");
        outer_ = std::string(base == nullptr ? "/tmp" : base) + "/weir-log-XXXXXX";
        if (mkdtemp(outer_.data()) == nullptr)
            cr_assert_fail("mkdtemp: %s", strerror(errno));
        path_ = outer_ + "/log";
    }
    LogFolder(LogFolder const &) = delete;
    LogFolder &operator=(LogFolder const &) = delete;
    ~LogFolder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(outer_, ignored);
    }
    char const *c_str() const { return path_.c_str(); }
    operator char const *() const { return path_.c_str(); }
    std::string file(char const *name) const { return path_ + "/" + name; }
    std::string beside(char const *name) const { return outer_ + "/" + name; }

  private:
    std::string outer_, path_;
};

/// The smallest log there is.
inline weir_log_options small_log()
{
    weir_log_options options = WEIR_LOG_OPTIONS_INIT;
    options.segment_size = kMiB;
    options.buffer_size = 64 * kKiB;
    options.buffer_count = 4;
    return options;
}

inline weir_log *open_log(char const *folder, weir_log_options const &options = small_log())
{
    weir_log *log = nullptr;
    must(weir_log_open(folder, &options, &log));
    return log;
}

inline uint64_t append(weir_log *log, std::string const &text)
{
    uint64_t lsn = 0;
    must(weir_log_append(log, text.data(), text.size(), &lsn));
    return lsn;
}

/// Appends and waits.
inline uint64_t keep(weir_log *log, std::string const &text)
{
    uint64_t const lsn = append(log, text);
    must(weir_log_wait(log, lsn, -1));
    return lsn;
}

struct LogRecord {
    std::string text;
    uint64_t lsn;
    uint32_t tag;
};

inline weir_log_reader *reader_of(char const *folder, uint64_t from = 0,
                                  weir_reader_flags flags = 0)
{
    weir_log_reader *reader = nullptr;
    must(weir_log_reader_open(folder, from, flags, &reader));
    return reader;
}

/// All that is there now.
inline std::vector<LogRecord> read_all(weir_log_reader *reader)
{
    std::vector<LogRecord> found;
    for (;;) {
        void const *data = nullptr;
        size_t length = 0;
        uint64_t lsn = 0;
        uint32_t tag = 0;
        int const code = weir_log_reader_next(reader, &data, &length, &lsn, &tag);
        must(code);
        if (code <= 0)
            return found;
        found.push_back({std::string(static_cast<char const *>(data), length), lsn, tag});
    }
}

inline std::vector<LogRecord> read_all(char const *folder, uint64_t from = 0,
                                       weir_reader_flags flags = 0)
{
    weir_log_reader *const reader = reader_of(folder, from, flags);
    auto found = read_all(reader);
    weir_log_reader_close(reader);
    return found;
}

inline weir_log_info info_of(weir_log *log)
{
    weir_log_info info = WEIR_LOG_INFO_INIT;
    must(weir_log_stats(log, &info));
    return info;
}

inline weir_log_report verify_log(char const *folder, int expected)
{
    weir_log_report report = WEIR_LOG_REPORT_INIT;
    check_eq(weir_log_verify(folder, &report), expected);
    check_eq(static_cast<int>(report.verdict), expected);
    return report;
}

/// A log of some records, with a cursor; closed.
inline void make_log(char const *folder, int records = 1, size_t size = 10)
{
    weir_log *const log = open_log(folder);
    for (int i = 0; i < records; ++i)
        keep(log, std::string(size, 'm'));
    weir_log_close(log);
    must(weir_log_cursor_store(folder, "cursor", 1, 0));
}

} // namespace api
