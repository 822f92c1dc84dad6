// SPDX-License-Identifier: MIT OR Apache-2.0
// weir log: looks into durable logs, verifies, follows and repairs them.
#include "verbs.hpp"

#include "error.hpp"
#include "log_handle.hpp"
#include "output.hpp"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <exception>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tool {
namespace {
using Json = nlohmann::ordered_json;

constexpr std::size_t kPreview = 60;
constexpr std::uint64_t kTailBytes = 64 << 20; ///< tail looks at the last so many first

char const *verdict_text(weir_log_verdict verdict)
{
    return verdict == WEIR_LOG_WHOLE ? "whole" : verdict == WEIR_LOG_TORN ? "torn" : "corrupt";
}

std::string mended_text(weir_log_mended mended)
{
    struct Name {
        weir_log_mended bit;
        char const *text;
    };
    constexpr Name kNames[] = {
        {WEIR_LOG_MENDED_META_COPY, "a superblock"},
        {WEIR_LOG_MENDED_META, "META"},
        {WEIR_LOG_MENDED_SEGMENT_HEADER, "a segment's header"},
        {WEIR_LOG_MENDED_UNUSED_SEGMENT, "an unused segment removed"},
        {WEIR_LOG_MENDED_TRUNCATED, "leftovers removed"},
        {WEIR_LOG_MENDED_TAIL, "an unacknowledged tail dropped"},
        {WEIR_LOG_MENDED_QUARANTINE, "damaged parts moved to quarantine"},
        {WEIR_LOG_MENDED_CURSOR, "cursors"},
        {WEIR_LOG_MENDED_SALVAGED, "whole records copied"},
    };
    std::string text;
    for (auto const &name : kNames)
        if ((mended & name.bit) != 0)
            text += (text.empty() ? "" : ", ") + std::string(name.text);
    return text.empty() ? "nothing" : text;
}

bool is_place(weir_log_report const &report)
{
    return report.lsn != 0 || report.segment != 0 || report.offset != 0;
}

std::string report_text(std::string const &folder, weir_log_report const &r)
{
    std::string text = fmt::format("{}  {}", printable(folder), verdict_text(r.verdict));
    if (r.finding != WEIR_LOG_FOUND_NOTHING)
        text += fmt::format(": {}", finding_text(r.finding));
    text += "\n";
    if (r.finding != WEIR_LOG_FOUND_NOTHING && is_place(r))
        text +=
            fmt::format("at         LSN {}: segment {}, offset {}\n", r.lsn, r.segment, r.offset);
    text += fmt::format("records    {} in {} batches, {} of payload, {} of padding and headers\n",
                        r.records, r.batches, human_bytes(r.record_bytes),
                        human_bytes(r.padding_bytes));
    text += fmt::format("LSN        {} to {}, proven durable up to {}\n", r.first_lsn, r.end_lsn,
                        r.durable_lsn);
    text += fmt::format("files      {} segments, {} cursors, epoch {}\n", r.segments, r.cursors,
                        r.epoch);
    if (r.has_writer != 0)
        text += "writer     has it open\n";
    // Behind those of the tail come findings that opening mends, such as one superblock.
    if (r.verdict == WEIR_LOG_TORN && r.finding <= WEIR_LOG_FOUND_OPEN_CHAIN)
        text += fmt::format("opening it drops what lies behind LSN {}: {} whole batches\n",
                            r.end_lsn, r.dropped_batches);
    if (r.void_chains != 0)
        text += fmt::format("unfinished {} long records or atomic batches\n", r.void_chains);
    return text;
}

Json report_json(weir_log_report const &r)
{
    return {{"verdict", verdict_text(r.verdict)},
            {"finding", finding_text(r.finding)},
            {"finding_code", r.finding},
            {"segment", r.segment},
            {"offset", r.offset},
            {"lsn", r.lsn},
            {"at_end", finding_text(r.at_end)},
            {"mended", r.mended},
            {"first_lsn", r.first_lsn},
            {"end_lsn", r.end_lsn},
            {"durable_lsn", r.durable_lsn},
            {"epoch", r.epoch},
            {"segments", r.segments},
            {"batches", r.batches},
            {"records", r.records},
            {"record_bytes", r.record_bytes},
            {"padding_bytes", r.padding_bytes},
            {"void_chains", r.void_chains},
            {"dropped_batches", r.dropped_batches},
            {"quarantined_bytes", r.quarantined_bytes},
            {"gaps", r.gaps},
            {"gap_bytes", r.gap_bytes},
            {"cursors", r.cursors},
            {"has_writer", r.has_writer != 0}};
}

std::string hex_of(Record const &record)
{
    constexpr std::size_t kPerLine = 16;
    std::string text;
    for (std::size_t at = 0; at < record.length; at += kPerLine) {
        text += fmt::format("  {:08x} ", at);
        for (std::size_t i = at; i < std::min(at + kPerLine, record.length); ++i)
            text += fmt::format(" {:02x}", record.data[i]);
        text += "\n";
    }
    return text;
}

std::string preview_of(Record const &record)
{
    std::size_t const shown = std::min(record.length, kPreview);
    std::string const text(reinterpret_cast<char const *>(record.data), shown);
    return printable(text) + (shown < record.length ? " …" : "");
}

/// One line for people, or one JSON object a line.
std::string line_of(Record const &record, bool hex, bool json)
{
    if (json)
        return Json{{"lsn", record.lsn},
                    {"tag", record.tag},
                    {"length", record.length},
                    {"behind_gap", record.behind_gap},
                    {"hex", hex_digits(record.data, record.length)}}
                   .dump() +
               "\n";
    std::string const head = fmt::format("{}{:>12}  {:>5}  {:>8}", record.behind_gap ? "~" : " ",
                                         record.lsn, record.tag, record.length);
    return hex ? head + "\n" + hex_of(record) : head + "  " + preview_of(record) + "\n";
}

std::string heading(bool json) { return json ? "" : "          lsn    tag     bytes\n"; }

weir_log_options read_only()
{
    weir_log_options options = WEIR_LOG_OPTIONS_INIT;
    options.flags = WEIR_LOG_READ_ONLY;
    return options;
}

weir_log_info info_of(std::string const &folder)
{
    Log const log = open_log(folder, read_only());
    weir_log_info info = WEIR_LOG_INFO_INIT;
    must(weir_log_stats(log.get(), &info), printable(folder));
    return info;
}

LogReader read_from(LogTailOptions const &options, std::uint64_t from)
{
    return read_log(options.target.folder, from, options.salvage ? WEIR_READER_SALVAGE : 0);
}

/// Where the look for the last records begins; 0: at the oldest.
std::uint64_t tail_start(LogTailOptions const &options)
{
    if (options.salvage)
        return 0; // a damaged log says nothing about itself
    weir_log_info const info = info_of(options.target.folder);
    std::uint64_t const from = info.durable_lsn > kTailBytes ? info.durable_lsn - kTailBytes : 0;
    return from < info.first_lsn ? 0 : from;
}

/// The last `count` records, oldest first, and where they end.
std::vector<std::string> last_records(LogTailOptions const &options, std::uint64_t &ret_next)
{
    std::uint64_t from = tail_start(options);
    for (;; from = 0) {
        std::deque<std::string> lines;
        ret_next = from;
        LogReader const reader = read_from(options, from);
        each_record(reader, [&](Record const &record) {
            lines.push_back(line_of(record, options.hex, options.target.json));
            if (lines.size() > options.count)
                lines.pop_front();
            ret_next = record.lsn + 1; // the first record at or behind it is the next one
            return true;
        });
        if (from == 0 || lines.size() == options.count)
            return {lines.begin(), lines.end()};
    }
}

[[noreturn]] void follow(LogTailOptions const &options, std::uint64_t from)
{
    LogReader const reader = read_from(options, from);
    for (;;) {
        each_record(reader, [&](Record const &record) {
            print(line_of(record, options.hex, options.target.json));
            return true;
        });
        must(weir_log_reader_wait(reader.get(), WEIR_WAIT_FOREVER), "wait");
    }
}
} // namespace

int show_log(LogTarget const &target)
{
    weir_log_info const i = info_of(target.folder);
    if (target.json) {
        print_json({{"folder", target.folder},
                    {"first_lsn", i.first_lsn},
                    {"durable_lsn", i.durable_lsn},
                    {"epoch", i.epoch},
                    {"verdict", verdict_text(i.recovered_verdict)},
                    {"finding", finding_text(i.recovered_finding)},
                    {"finding_lsn", i.recovered_lsn},
                    {"scanned_batches", i.recovered_batches},
                    {"dropped_batches", i.recovered_dropped}});
        return 0;
    }
    std::string text =
        fmt::format("{}  {}", printable(target.folder), verdict_text(i.recovered_verdict));
    if (i.recovered_verdict == WEIR_LOG_WHOLE)
        text += ", as far as opening reads it";
    if (i.recovered_finding != WEIR_LOG_FOUND_NOTHING)
        text += fmt::format(": {} at LSN {}", finding_text(i.recovered_finding), i.recovered_lsn);
    text += fmt::format("\nLSN        {} to {}, epoch {}\n", i.first_lsn, i.durable_lsn, i.epoch);
    text += fmt::format("recovery   would read the last {} batches and drop {}\n",
                        i.recovered_batches, i.recovered_dropped);
    print(text);
    return 0;
}

int dump_log(LogDumpOptions const &options)
{
    LogReader const reader =
        read_log(options.target.folder, options.from, options.salvage ? WEIR_READER_SALVAGE : 0);
    print(heading(options.target.json));
    each_record(reader, [&options](Record const &record) {
        if (options.to != 0 && record.lsn >= options.to)
            return false;
        print(line_of(record, options.hex, options.target.json));
        return true;
    });
    return 0;
}

/// Whatever fails here must not look like a verdict.
int verify_log(LogTarget const &target)
{
    try {
        weir_log_report report = WEIR_LOG_REPORT_INIT;
        int const verdict = weir_log_verify(target.folder.c_str(), &report);
        must_log(verdict, target.folder);
        if (target.json)
            print_json(report_json(report));
        else
            print(report_text(target.folder, report));
        return verdict;
    } catch (std::exception const &failure) {
        throw Unanswered(failure.what());
    }
}

int tail_log(LogTailOptions const &options)
{
    std::uint64_t next = 0;
    auto const lines = last_records(options, next);
    print(heading(options.target.json));
    for (auto const &line : lines)
        print(line);
    if (options.follow)
        follow(options, next);
    return 0;
}

int repair_log(LogRepairOptions const &options)
{
    weir_log_options with = WEIR_LOG_OPTIONS_INIT;
    if (options.point_in_time)
        with.recovery = WEIR_LOG_RECOVERY_POINT_IN_TIME;
    weir_log_report report = WEIR_LOG_REPORT_INIT;
    int const code = weir_log_repair(
        options.target.folder.c_str(),
        options.salvage_to.empty() ? nullptr : options.salvage_to.c_str(), &with, &report);
    if (code == -WEIR_E_CORRUPT)
        throw Failure(fmt::format("{}: records are damaged; --point-in-time ends the log in front "
                                  "of them, --salvage-to DIR copies what is whole",
                                  printable(options.target.folder)));
    if (!options.salvage_to.empty() && (code == -EEXIST || code == -ENOENT))
        throw Failure(fmt::format("{} or {}: {} ({})", printable(options.target.folder),
                                  printable(options.salvage_to),
                                  code == -EEXIST ? "the latter is there and not empty"
                                                  : "there is no log, or no folder to make one in",
                                  weir_error_name(code)));
    must_log(code, options.target.folder);
    if (options.target.json) {
        print_json(report_json(report));
        return 0;
    }
    print(report_text(options.target.folder, report));
    print(fmt::format("mended     {}\n", mended_text(report.mended)));
    if (report.quarantined_bytes != 0)
        print(fmt::format("taken out  {}, which are in the folder quarantine\n",
                          human_bytes(report.quarantined_bytes)));
    if (report.gaps != 0)
        print(
            fmt::format("lost       {} places, {}\n", report.gaps, human_bytes(report.gap_bytes)));
    return 0;
}

} // namespace tool
