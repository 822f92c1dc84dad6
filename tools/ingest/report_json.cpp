// SPDX-License-Identifier: MIT OR Apache-2.0
// Tells programs what a run of weir ingest found out.
#include "summary.hpp"

#include "../output.hpp"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

namespace tool::ingest {
namespace {
using Json = nlohmann::ordered_json;

constexpr std::pair<Phase, char const *> kPhaseNames[] = {
    {kReadFile, "read_file"}, {kAlloc, "alloc"}, {kPost, "post"}, {kTake, "read"},
    {kChecksum, "checksum"},  {kWrite, "write"}, {kLog, "log"},   {kAck, "free"},
    {kWait, "wait"},
};

Json problems(Summary const &s)
{
    Json list = Json::array();
    for (auto const &folder : s.tree.unreadable)
        list.push_back({{"path", folder}, {"reason", "cannot be listed"}});
    for (auto const &problem : s.verification.problems)
        list.push_back({{"path", problem.path}, {"reason", problem.reason}});
    return list;
}

Json kills(Supervision const &seen)
{
    return {{"producers", seen.killed_producers},        {"consumers", seen.killed_consumers},
            {"withheld", seen.kills_withheld},           {"healed", seen.healed},
            {"reclaimed_blocks", seen.reclaimed_blocks}, {"reclaimed_bytes", seen.reclaimed_bytes},
            {"interrupted", seen.interrupted},           {"longest_heal_ns", seen.longest_heal_ns}};
}

Json time_of(Work const &work)
{
    std::uint64_t busy = 0;
    for (std::size_t phase = 0; phase < kPhases; ++phase)
        busy += phase == kWait ? 0 : work.phase_ns[phase];
    Json ns;
    Json share;
    for (auto const &[phase, name] : kPhaseNames) {
        ns[name] = work.phase_ns[phase];
        if (phase != kWait)
            share[name] = static_cast<double>(work.phase_ns[phase]) /
                          static_cast<double>(std::max<std::uint64_t>(busy, 1));
    }
    return {{"ns", ns}, {"share_of_busy", share}};
}

Json segment(SegmentState const &state)
{
    return {{"whole", state.whole()},         {"used_blocks", state.used_blocks},
            {"used_bytes", state.used_bytes}, {"orphans", state.orphans},
            {"errors", state.errors},         {"committed_bytes", state.committed_bytes},
            {"free_bytes", state.free_bytes}, {"free_blocks", state.free_blocks},
            {"sectors", state.sectors},       {"allocs", state.allocs},
            {"frees", state.frees},           {"stalls", state.stalls}};
}

Json log(LogState const &state)
{
    return {{"whole", state.whole},           {"verdict", state.verdict},
            {"records", state.records},       {"bytes", state.bytes},
            {"duplicates", state.duplicates}, {"openings", state.openings},
            {"batches", state.batches}};
}
} // namespace

void show_json(Summary const &s)
{
    double const seconds = static_cast<double>(s.supervision.run_ns) / 1e9;
    Json object{
        {"good", s.good()},
        {"from", s.options.from},
        {"producers", s.options.producers},
        {"consumers", s.options.consumers},
        {"capacity", s.options.capacity},
        {"files", s.tree.paths.size()},
        {"bytes", s.tree.bytes},
        {"verified", s.verification.verified},
        {"verified_bytes", s.verification.verified_bytes},
        {"problems", problems(s)},
        {"skipped_links", s.tree.links},
        {"skipped_specials", s.tree.specials},
        {"run_ns", s.supervision.run_ns},
        {"compare_ns", s.verification.duration_ns},
        {"files_per_second", static_cast<double>(s.verification.verified) / seconds},
        {"bytes_per_second", static_cast<double>(s.verification.verified_bytes) / seconds},
        {"deliveries", s.verification.deliveries},
        {"duplicates", s.verification.duplicates},
        {"redelivered_jobs", s.work.redelivered_jobs},
        {"redelivered_blocks", s.work.redelivered_blocks},
        {"allocs_that_waited", s.work.full},
        {"files_read_again", s.work.rereads},
        {"failed_workers", s.supervision.failed_workers},
        {"hung_workers", s.supervision.hung_workers},
        {"kills", kills(s.supervision)},
        {"post_to_read_ns",
         {{"samples", s.work.latency_samples},
          {"p50", s.work.latency_p50_ns},
          {"p99", s.work.latency_p99_ns},
          {"max", s.work.latency_max_ns}}},
        {"time", time_of(s.work)},
        {"segment", segment(s.segment)},
    };
    if (!s.options.log.empty())
        object["log"] = log(s.log);
    print_json(object);
}

} // namespace tool::ingest
