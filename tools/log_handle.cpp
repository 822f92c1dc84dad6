// SPDX-License-Identifier: MIT OR Apache-2.0
// Opening logs and readers; the names of what is found in them.
#include "log_handle.hpp"

#include "output.hpp"

#include <iterator>

namespace tool {

Log open_log(std::string const &folder, weir_log_options const &options)
{
    weir_log *log = nullptr;
    must(weir_log_open(folder.c_str(), &options, &log), printable(folder));
    return Log(log);
}

LogReader read_log(std::string const &folder, std::uint64_t from, weir_reader_flags flags)
{
    weir_log_reader *reader = nullptr;
    must(weir_log_reader_open(folder.c_str(), from, flags, &reader), printable(folder));
    return LogReader(reader);
}

char const *finding_text(weir_log_finding finding)
{
    constexpr char const *kTexts[] = {
        "nothing",
        "zeros",
        "an earlier use of the file",
        "batches that an earlier recovery dropped",
        "a damaged batch header",
        "a damaged record",
        "a batch of another place",
        "a batch that does not follow the one before it",
        "a segment file is missing",
        "a damaged segment file",
        "a long record or an atomic batch that was never finished",
        "META is damaged",
        "a life of the log that META does not know",
        "META says that the log was closed elsewhere",
        "one superblock is damaged",
        "a damaged segment file that holds nothing",
        "a damaged cursor",
        "one place of a cursor is damaged",
    };
    return finding < std::size(kTexts) ? kTexts[finding] : "something unknown";
}

} // namespace tool
