// SPDX-License-Identifier: MIT OR Apache-2.0
// An image: verify, the cursor, readers, recovery, and the log in use again.
#include "tests/disk/workload.hpp"

namespace disk {
namespace {

using crash::text;

Finding check_cursor(char const *folder, Life const &life, uint64_t position)
{
    uint64_t lsn = 0;
    int const code = weir_log_cursor_load(folder, kCursor, &lsn);
    if (code != 0 && code != -ENOENT)
        return of_error("weir_log_cursor_load", code);
    if (life.is_cursor(position, lsn))
        return {};
    return {Verdict::lost, text("the cursor stands at %llu", static_cast<unsigned long long>(lsn))};
}

/// The log is open after its recovery: it goes on behind what it delivered.
Finding go_on(weir_log *log, char const *folder, Expected expected, Delivered delivered,
              Random &random)
{
    auto const end = expected.records->begin() + static_cast<std::ptrdiff_t>(delivered.end);
    std::vector<Record> records(expected.records->begin(), end);
    for (uint64_t i = 0, count = 1 + random.below(4); i < count; ++i) {
        Record record{UINT64_MAX - i, 0,   static_cast<uint32_t>(kIdBytes + random.below(5000)), 0,
                      true,           true};
        std::vector<unsigned char> const bytes = bytes_of(record);
        int const code = weir_log_append(log, bytes.data(), bytes.size(), &record.lsn);
        if (code != 0)
            return of_error("weir_log_append", code);
        records.push_back(record);
    }
    if (int const code = weir_log_sync(log); code != 0)
        return of_error("weir_log_sync", code);
    expected.records = &records;
    expected.durable = weir_log_tail(log);
    return read_back(folder, expected, true, delivered);
}

Finding recover(char const *folder, Expected const &expected, weir_log_backend backend,
                Random &random, weir_log_report const &verified, bool is_log)
{
    weir_log_options const options = any_options(random, backend);
    weir_log *log = nullptr;
    if (int const code = weir_log_open(folder, &options, &log); code != 0)
        return of_error("weir_log_open", code);
    Finding found;
    uint64_t const end = weir_log_durable(log);
    if (is_log && end != verified.end_lsn)
        found = {Verdict::wrong,
                 text("recovery ends at %llu, verify at %llu", static_cast<unsigned long long>(end),
                      static_cast<unsigned long long>(verified.end_lsn))};
    Delivered delivered;
    if (found.fine())
        found = read_back(folder, expected, true, delivered);
    bool const goes_on = random.below(3) == 0;
    if (found.fine() && goes_on)
        found = go_on(log, folder, expected, delivered, random);
    weir_log_close(log);
    if (!found.fine() || !goes_on)
        return found;
    int const code = weir_log_verify(folder, nullptr);
    return code == 0 ? found
                     : Finding{code == 2 ? Verdict::reported : Verdict::wrong,
                               text("weir_log_verify gave %d after the log was closed", code)};
}

} // namespace

Finding check_image(std::string const &root, Life const &life, uint64_t position,
                    weir_log_backend backend, uint64_t seed)
{
    std::string const folder = root + "/log";
    Random random(seed);
    Expected const expected = life.at(position);
    weir_log_report report = WEIR_LOG_REPORT_INIT;
    int const verdict = weir_log_verify(folder.c_str(), &report);
    if (verdict == 2)
        return {Verdict::reported,
                text("weir_log_verify found %u at %llu", static_cast<unsigned>(report.finding),
                     static_cast<unsigned long long>(report.lsn))};
    if (verdict < 0 && verdict != -ENOENT)
        return of_error("weir_log_verify", verdict);
    Finding found = check_cursor(folder.c_str(), life, position);
    Delivered delivered;
    if (found.fine() && random.below(4) == 0)
        found = read_back(folder.c_str(), expected, false, delivered);
    if (!found.fine())
        return found;
    return recover(folder.c_str(), expected, backend, random, report, verdict >= 0);
}

} // namespace disk
