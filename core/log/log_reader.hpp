// SPDX-License-Identifier: MIT OR Apache-2.0
// A reader of a log in a folder: the files, LIVE, and waiting for more.
#pragma once

#include "core/flush/io_posix.hpp"
#include "core/log/live.hpp"
#include "core/log/reader.hpp"

namespace weir {

/// LIVE counts only while somebody holds the log's lock: after a power cut it is as old as its last
/// write-back. One thread at a time.
class LogReader {
  public:
    /// -ENOENT: no log there. Otherwise as Reader::open().
    static Status open(char const *folder, Lsn from, unsigned flags, LogReader *&ret) noexcept;
    static void close(LogReader *reader) noexcept;

    /// As Reader::next().
    Status next(RecordView &ret) noexcept;
    /// Until next() has something to say. -ETIMEDOUT.
    Status wait(Nanoseconds timeout) noexcept;
    Status seek(Lsn lsn) noexcept;

    LogReader() noexcept = default; // make<LogReader>() alone
    LogReader(LogReader const &) = delete;
    LogReader &operator=(LogReader const &) = delete;

  private:
    bool somebody_writes() const noexcept;
    Status read_on(RecordView &ret) noexcept;
    void sleep_on_page(uint32_t seen, Nanoseconds left) noexcept;

    PosixFiles *files_ = nullptr;
    Live live_{};
    File lock_ = kNoFile;   ///< LOCK, to see whether somebody holds it; kNoFile: it may not be read
    bool believes_ = false; ///< reader_ takes what LIVE says
    Reader *reader_ = nullptr;
    /// What wait() has read ahead; next() gives it out.
    bool ahead_ = false;
    Status ahead_status_{};
    RecordView ahead_record_{};
};

} // namespace weir
