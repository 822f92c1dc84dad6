// SPDX-License-Identifier: MIT OR Apache-2.0
// Findings in words.
#include "core/log/report.hpp"

namespace weir {

char const *log_finding_text(LogFinding finding) noexcept
{
    static constexpr char const *kTexts[kLogFindings] = {
        "nothing",
        "zeros",
        "a batch of an earlier use of the file",
        "a batch that was dropped before",
        "damaged batch header",
        "damaged record",
        "misdirected write",
        "broken chain of batches",
        "segment is missing",
        "segment is short or its header is damaged",
        "unfinished chain of records",
        "both superblocks are damaged",
        "newer superblock is lost",
        "end is not where the log was closed",
        "one superblock is damaged",
        "unused segment is short or its header is damaged",
        "both slots of a cursor are damaged",
        "one slot of a cursor is damaged",
        "unknown",
    };
    auto const index = static_cast<uint32_t>(finding);
    return kTexts[index < kLogFindings ? index : kLogFindings - 1];
}

void beside_writer(LogReport &report) noexcept
{
    report.has_writer = true;
    bool const at_end = report.finding != LogFinding::meta_copy &&
                        report.finding != LogFinding::cursor_slot &&
                        report.finding != LogFinding::unused_segment;
    if (report.verdict != LogVerdict::torn || !at_end)
        return;
    report.verdict = LogVerdict::whole;
    report.finding = LogFinding::none;
    report.segment = report.offset = report.lsn = 0;
}

} // namespace weir
