// SPDX-License-Identifier: MIT OR Apache-2.0
// Opening logs and readers; the names of what is found in them.
#include "log_handle.hpp"

#include "output.hpp"

#include <cerrno>
#include <iterator>

namespace tool {

int must_log(int code, std::string const &folder)
{
    std::string const name = printable(folder);
    switch (code) {
    case -ENOENT:
        throw Failure(name + ": there is no log, or its parent folder is missing (ENOENT)");
    case -EBUSY:
        throw Failure(name + ": another process has the log open (EBUSY)");
    case -WEIR_E_CORRUPT:
        throw Failure(name +
                      ": META or what was acknowledged is damaged; weir log verify tells where, "
                      "weir log repair builds META anew (WEIR_E_CORRUPT)");
    case -WEIR_E_LAPPED:
        throw Failure(name + ": the log begins later, what was before is truncated "
                             "(WEIR_E_LAPPED)");
    default:
        return must(code, name);
    }
}

int must_read(int code, std::string const &folder)
{
    std::string const name = printable(folder);
    switch (code) {
    case -WEIR_E_CORRUPT:
        throw Failure(name +
                      ": the log is damaged here; weir log verify tells where, weir log dump "
                      "--salvage goes on behind it (WEIR_E_CORRUPT)");
    case -WEIR_E_LAPPED:
        throw Failure(name + ": what comes next was truncated meanwhile (WEIR_E_LAPPED)");
    default:
        return must(code, name + ": read");
    }
}

Log open_log(std::string const &folder, weir_log_options const &options)
{
    weir_log *log = nullptr;
    must_log(weir_log_open(folder.c_str(), &options, &log), folder);
    return Log(log);
}

LogReader read_log(std::string const &folder, std::uint64_t from, weir_reader_flags flags)
{
    weir_log_reader *reader = nullptr;
    must_log(weir_log_reader_open(folder.c_str(), from, flags, &reader), folder);
    return {reader, folder};
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
