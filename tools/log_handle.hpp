// SPDX-License-Identifier: MIT OR Apache-2.0
// Owning handles over the log's part of weir.h.
#pragma once

#include "error.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <weir.h>

namespace tool {

struct CloseLog {
    void operator()(weir_log *log) const noexcept { weir_log_close(log); }
    void operator()(weir_log_reader *reader) const noexcept { weir_log_reader_close(reader); }
};
using Log = std::unique_ptr<weir_log, CloseLog>;

/// A reader, and the folder that its failures name.
class LogReader {
  public:
    LogReader() = default;
    LogReader(weir_log_reader *reader, std::string folder)
        : reader_(reader), folder_(std::move(folder))
    {
    }
    weir_log_reader *get() const { return reader_.get(); }
    void reset() { reader_.reset(); }
    std::string const &folder() const { return folder_; }

  private:
    std::unique_ptr<weir_log_reader, CloseLog> reader_;
    std::string folder_;
};

/// Opens a log; the message of a failure names the folder.
Log open_log(std::string const &folder, weir_log_options const &options);
LogReader read_log(std::string const &folder, std::uint64_t from, weir_reader_flags flags);

/// A record while the reader stands on it.
struct Record {
    unsigned char const *data;
    std::size_t length;
    std::uint64_t lsn;
    std::uint32_t tag;
    bool behind_gap;
};

/// As must(), for what opens, reads or mends the log in `folder`, in words that fit a log.
int must_log(int code, std::string const &folder);
/// The same, for the next record.
int must_read(int code, std::string const &folder);

/// Calls `visit(Record)` until nothing more is there now, or it says false.
template <typename Visit> void each_record(LogReader const &reader, Visit visit)
{
    for (;;) {
        void const *data = nullptr;
        Record record{};
        int const code =
            weir_log_reader_next(reader.get(), &data, &record.length, &record.lsn, &record.tag);
        int const found = must_read(code, reader.folder());
        if (found == 0)
            return;
        record.data = static_cast<unsigned char const *>(data);
        record.behind_gap = found == 2;
        if (!visit(record))
            return;
    }
}

char const *finding_text(weir_log_finding finding);

} // namespace tool
