// SPDX-License-Identifier: MIT OR Apache-2.0
// Appending files to a log, and reading them back.
#include "run_log.hpp"

#include "checksum.hpp"

#include "../error.hpp"
#include "../output.hpp"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace tool::ingest {
namespace {
constexpr std::size_t kMostPending = 64;
constexpr std::uint64_t kMostPendingBytes = 4 << 20;
constexpr std::uint64_t kLargestRecord = 1 << 30;

weir_log_options log_options()
{
    weir_log_options options = WEIR_LOG_OPTIONS_INIT;
    options.max_record = kLargestRecord;
    return options;
}

weir_log_info info_of(Log const &log)
{
    weir_log_info info = WEIR_LOG_INFO_INIT;
    must(weir_log_stats(log.get(), &info), "log");
    return info;
}
} // namespace

LogWriter::LogWriter(Session const &session, Subscription const &reader)
    : session_(session), reader_(reader), log_(open_log(session.options.log, log_options()))
{
}

void LogWriter::add(weir_message const &message, std::uint64_t index, void const *data,
                    std::uint32_t checksum)
{
    std::string const path = session_.ledger.path(index);
    // relaxed: the message has published it
    RecordHead const head{index, message.length,
                          session_.ledger.entry(index).mode.load(std::memory_order_relaxed),
                          static_cast<std::uint32_t>(path.size())};
    weir_log_part const parts[] = {
        {&head, sizeof head, 0, 0}, {path.data(), path.size(), 0, 0}, {data, message.length, 0, 0}};
    std::uint64_t lsn = 0;
    int const code = weir_log_appendv(log_.get(), parts, std::size(parts), &lsn);
    session_.laps.lap(kLog);
    if (code == -EMSGSIZE) {
        session_.ledger.record_failure(index, {Kind::unwritable, EMSGSIZE});
        acknowledge(session_, reader_, message);
        return;
    }
    must(code, "append");
    pending_.push_back({message, index, lsn, checksum});
    pending_bytes_ += message.length;
}

bool LogWriter::is_full() const
{
    return pending_.size() >= kMostPending || pending_bytes_ >= kMostPendingBytes;
}

void LogWriter::flush()
{
    if (pending_.empty())
        return;
    must(weir_log_wait(log_.get(), pending_.back().lsn, WEIR_WAIT_FOREVER), "wait for the log");
    session_.laps.lap(kLog);
    for (auto const &one : pending_) {
        // relaxed: `outcome` publishes it
        session_.ledger.entry(one.index).logged.store(one.lsn + 1, std::memory_order_relaxed);
        session_.ledger.record_delivery(one.index, one.message.length, one.checksum);
        acknowledge(session_, reader_, one.message);
        bump(session_.slot.messages);
        bump(session_.slot.bytes, one.message.length);
    }
    pending_.clear();
    pending_bytes_ = 0;
}

RunLog::RunLog(Options const &options) : options_(options)
{
    if (options.log.empty())
        return;
    weir_log_report before = WEIR_LOG_REPORT_INIT;
    if (weir_log_verify(options.log.c_str(), &before) >= 0) // opening says what is wrong
        batches_ = before.batches;
    Log const log = open_log(options.log, log_options());
    begin_ = weir_log_tail(log.get());
    epoch_ = info_of(log).epoch;
}

LogState RunLog::compare(Ledger const &ledger, Verification &verification) const
{
    // A writer that was killed at the very end leaves records that only opening proves to be there.
    open_log(options_.log, log_options()).reset();
    LogState state;
    std::vector<bool> logged(ledger.files());
    auto const problem = [&](std::uint64_t index, char const *reason) {
        verification.problems.push_back({ledger.path(index), reason});
        state.whole = false;
    };
    LogReader const reader = read_log(options_.log, begin_, 0);
    each_record(reader, [&](Record const &record) {
        RecordHead head{};
        if (record.length >= sizeof head)
            std::memcpy(&head, record.data, sizeof head);
        if (record.length < sizeof head || head.index >= ledger.files() ||
            record.length != sizeof head + head.path_length + head.length)
            throw Failure(fmt::format("LSN {} of the log is no record of an ingest", record.lsn));
        std::string const path(reinterpret_cast<char const *>(record.data) + sizeof head,
                               head.path_length);
        Entry const &entry = ledger.entry(head.index);
        // relaxed: the workers are gone
        Outcome const outcome = Outcome::unpack(entry.outcome.load(std::memory_order_relaxed));
        std::uint32_t const checksum =
            crc32c(0, record.data + sizeof head + head.path_length, head.length);
        if (path != ledger.path(head.index) || outcome.kind != Kind::delivered ||
            head.length + 1 != entry.length.load(std::memory_order_relaxed) ||
            checksum != outcome.value)
            problem(head.index, "its record in the log differs from what was delivered");
        state.duplicates += logged[head.index] ? 1 : 0;
        logged[head.index] = true;
        ++state.records;
        state.bytes += head.length;
        return true;
    });
    for (std::uint64_t i = 0; i < ledger.files(); ++i) {
        auto const outcome =
            Outcome::unpack(ledger.entry(i).outcome.load(std::memory_order_relaxed));
        if (outcome.kind == Kind::delivered && !logged[i])
            problem(i, "was acknowledged and is not in the log");
    }
    weir_log_report report = WEIR_LOG_REPORT_INIT;
    int const verdict = must(weir_log_verify(options_.log.c_str(), &report), "verify the log");
    state.batches = report.batches - batches_;
    state.openings = report.epoch - epoch_ - 1; // but for the one above
    state.verdict = verdict == WEIR_LOG_WHOLE
                        ? "log whole"
                        : fmt::format("log NOT WHOLE: {}", finding_text(report.finding));
    state.whole = state.whole && verdict == WEIR_LOG_WHOLE;
    return state;
}

} // namespace tool::ingest
