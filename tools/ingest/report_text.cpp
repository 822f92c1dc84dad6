// SPDX-License-Identifier: MIT OR Apache-2.0
// Tells people what a run of weir ingest found out.
#include "summary.hpp"

#include "../output.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace tool::ingest {
namespace {
constexpr std::size_t kMostProblems = 10;

struct Share {
    Phase phase;
    char const *name;
};

// In the order in which a file meets them.
constexpr Share kShares[] = {
    {kReadFile, "reading the files"},
    {kAlloc, "alloc"},
    {kPost, "post"},
    {kTake, "read"},
    {kChecksum, "checksum"},
    {kWrite, "writing the files"},
    {kLog, "append, until durable"},
    {kAck, "free (ack)"},
};

double per_second(std::uint64_t amount, std::int64_t ns)
{
    return static_cast<double>(amount) * 1e9 / static_cast<double>(std::max<std::int64_t>(ns, 1));
}

std::string rate(std::uint64_t bytes, std::int64_t ns)
{
    return human_bytes(static_cast<std::uint64_t>(per_second(bytes, ns))) + "/s";
}

std::string line(char const *name, std::string const &facts)
{
    return fmt::format("  {:<12} {}\n", name, facts);
}

std::string first_lines(std::vector<std::string> const &lines)
{
    std::string text;
    for (std::size_t i = 0; i < std::min(lines.size(), kMostProblems); ++i)
        text += fmt::format("  - {}\n", printable(lines[i]));
    if (lines.size() > kMostProblems)
        text += fmt::format("  - and {} more; --json names all\n", lines.size() - kMostProblems);
    return text;
}

std::string problem_lines(Summary const &summary)
{
    std::vector<std::string> lines = summary.tree.unreadable;
    for (auto const &problem : summary.verification.problems)
        lines.push_back(problem.path + ": " + problem.reason);
    return first_lines(lines);
}

std::string verdict(Summary const &s)
{
    std::uint64_t const files = s.tree.paths.size();
    if (s.verification.verified == files && s.tree.unreadable.empty())
        return fmt::format("all {} files verified", files);
    return fmt::format("{} of {} files verified, {} problems", s.verification.verified, files,
                       s.verification.problems.size() + s.tree.unreadable.size());
}

std::string workers(Summary const &s)
{
    Supervision const &seen = s.supervision;
    std::string text = fmt::format("{} producers and {} consumers killed and restarted",
                                   seen.killed_producers, seen.killed_consumers);
    if (seen.healed > 0)
        text += fmt::format("; healed {} times, {} interrupted operations, {} blocks taken back, "
                            "the longest took {}",
                            seen.healed, seen.interrupted, seen.reclaimed_blocks,
                            human_time(static_cast<double>(seen.longest_heal_ns)));
    if (seen.kills_withheld > 0)
        text += fmt::format("; {} kills withheld so that a file could get through",
                            seen.kills_withheld);
    if (seen.failed_workers + seen.hung_workers > 0)
        text += fmt::format("; {} FAILED, {} HUNG", seen.failed_workers, seen.hung_workers);
    return text;
}

std::string deliveries(Summary const &s)
{
    return fmt::format("{}, {} of them duplicates after a kill; {} jobs and {} blocks redelivered",
                       s.verification.deliveries, s.verification.duplicates,
                       s.work.redelivered_jobs, s.work.redelivered_blocks);
}

std::string log_line(LogState const &state)
{
    return fmt::format("{} records, {}, {}; {} of them duplicates; opened {} "
                       "times, {} records made durable with {} writes; {}",
                       state.records, human_bytes(state.bytes),
                       state.whole ? "all as the files are" : "NOT as the files are",
                       state.duplicates, state.openings, state.records, state.batches,
                       state.verdict);
}

std::string latency(Work const &work)
{
    auto const time = [](std::uint64_t ns) { return human_time(static_cast<double>(ns)); };
    return fmt::format("p50 {}, p99 {}, longest {}", time(work.latency_p50_ns),
                       time(work.latency_p99_ns), time(work.latency_max_ns));
}

std::string time_shares(Work const &work)
{
    auto const &ns = work.phase_ns;
    double const all = static_cast<double>(std::accumulate(ns.begin(), ns.end(), std::uint64_t{0}));
    double const waited = static_cast<double>(ns[kWait]);
    double const busy = std::max(all - waited, 1.0);
    std::string const whole =
        fmt::format("of the workers' {}, {:.0f} % waiting; of the rest:", human_time(all),
                    100 * waited / std::max(all, 1.0));
    std::string text = line("time", whole);
    for (auto const &share : kShares)
        if (ns[share.phase] > 0)
            text += fmt::format("  {:<12} {:5.1f} %  {}\n", "",
                                100 * static_cast<double>(ns[share.phase]) / busy, share.name);
    return text;
}

std::string segment_line(SegmentState const &state)
{
    std::string text = fmt::format("{} blocks left, {}; {} committed, free in {} pieces in {} "
                                   "sectors, {} errors; {} allocs",
                                   state.used_blocks, state.whole() ? "segment whole" : "NOT WHOLE",
                                   human_bytes(state.committed_bytes), state.free_blocks,
                                   state.sectors, state.errors, state.allocs);
    if (state.used_blocks > 0)
        text += fmt::format("; LEFT {}, {} of them leaks", human_bytes(state.used_bytes),
                            state.orphans);
    return text;
}

std::string skipped(Tree const &tree)
{
    return fmt::format("{} symbolic links, {} special files", tree.links, tree.specials);
}
} // namespace

void show_text(Summary const &s)
{
    std::int64_t const ns = s.supervision.run_ns;
    std::string text = verdict(s) + "\n" + problem_lines(s);
    text += line("rate", fmt::format("{} in {}: {:.0f} files/s, {}; compared with the files in {}",
                                     human_bytes(s.verification.verified_bytes),
                                     human_time(static_cast<double>(ns)),
                                     per_second(s.verification.verified, ns),
                                     rate(s.verification.verified_bytes, ns),
                                     human_time(static_cast<double>(s.verification.duration_ns))));
    bool const ended = s.supervision.failed_workers + s.supervision.hung_workers > 0;
    if (s.options.kill_every_ns > 0 || ended)
        text += line("kills", workers(s));
    text += line("deliveries", deliveries(s));
    if (!s.options.log.empty())
        text += line("log", log_line(s.log));
    text += line("post to read", latency(s.work));
    if (s.work.full > 0)
        text += line("memory full",
                     fmt::format("{} allocations waited for the consumers", s.work.full));
    if (s.tree.links + s.tree.specials > 0)
        text += line("skipped", skipped(s.tree));
    text += time_shares(s.work);
    text += line("segment", segment_line(s.segment));
    print(text);
}

} // namespace tool::ingest
