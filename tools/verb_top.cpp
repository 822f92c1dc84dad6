// SPDX-License-Identifier: MIT OR Apache-2.0
// weir top: what the participants have and do, and how the channels fill, again and again.
#include "verbs.hpp"

#include "clock.hpp"
#include "error.hpp"
#include "names.hpp"
#include "output.hpp"
#include "owners.hpp"
#include "terminal.hpp"

#include "channels/facts.hpp"
#include "channels/open.hpp"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tool {
namespace {
/// Everything at one moment.
struct Sample {
    std::int64_t at_ns = 0;
    weir_matrix_info stats{};
    std::vector<weir_participant_info> participants;
    std::map<std::uint64_t, OwnerSum> sums; ///< by owner
    std::vector<channels::Facts> channels;
};

struct Rates {
    double allocs = 0;
    double frees = 0;
};

struct OwnerRow {
    std::uint64_t owner = WEIR_OWNER_NONE;
    weir_participant_info const *info =
        nullptr; ///< none: nobody, or one who came or left meanwhile
    OwnerSum sum;
    std::optional<Rates> rates; ///< none: it was not there at the first sample
};

Sample take_sample(Matrix const &matrix)
{
    Sample sample;
    sample.stats = stats_of(matrix);
    sample.sums = sums_by_owner(matrix);
    sample.participants = participants_of(matrix);
    sample.channels = channels::all_facts(matrix);
    sample.at_ns = now_ns();
    return sample;
}

double per_second(std::uint64_t before, std::uint64_t now, double seconds)
{
    return now > before ? static_cast<double>(now - before) / seconds : 0; // healed meanwhile: less
}

std::optional<Rates> rates_of(weir_participant_info const &info, Sample const &before,
                              double seconds)
{
    for (auto const &old : before.participants)
        if (old.participant == info.participant)
            return Rates{per_second(old.allocs, info.allocs, seconds),
                         per_second(old.frees, info.frees, seconds)};
    return std::nullopt;
}

double seconds_between(Sample const &before, Sample const &now)
{
    return static_cast<double>(std::max<std::int64_t>(now.at_ns - before.at_ns, 1)) / kSecond;
}

/// Those with most bytes first; owners that are no participants too.
std::vector<OwnerRow> rows_of(Sample const &before, Sample const &now)
{
    std::vector<OwnerRow> rows;
    auto sums = now.sums;
    for (auto const &info : now.participants) {
        rows.push_back({info.participant, &info, sums[info.participant],
                        rates_of(info, before, seconds_between(before, now))});
        sums.erase(info.participant);
    }
    for (auto const &[owner, sum] : sums)
        rows.push_back({owner, nullptr, sum, std::nullopt});
    std::stable_sort(rows.begin(), rows.end(), [](OwnerRow const &a, OwnerRow const &b) {
        return a.sum.bytes > b.sum.bytes;
    });
    return rows;
}

std::string rate_text(std::optional<Rates> const &rates, double Rates::*which)
{
    return rates ? fmt::format("{:.0f}", (*rates).*which) : "-";
}

/// Posts per second; none: it was not there at the first sample.
std::optional<double> post_rate(channels::Facts const &channel, Sample const &before,
                                double seconds)
{
    for (auto const &old : before.channels)
        if (old.name == channel.name)
            return per_second(old.info.posted, channel.info.posted, seconds);
    return std::nullopt;
}

std::string channels_text(Sample const &before, Sample const &now)
{
    double const seconds = seconds_between(before, now);
    Table table({"channel", "mode", "waiting", "bytes", "posts/s", "lag", "lost", "oldest"},
                {0, 1});
    for (auto const &channel : now.channels) {
        auto const rate = post_rate(channel, before, seconds);
        table.add({channels::shown_name(channel), channels::mode_name(channel.info.mode),
                   std::to_string(channel.info.waiting), human_bytes(channel.info.waiting_bytes),
                   rate ? fmt::format("{:.0f}", *rate) : "-",
                   std::to_string(channels::lag_of(channel)),
                   std::to_string(channels::lost_of(channel)),
                   human_time(static_cast<double>(channel.info.oldest_age_ns))});
    }
    return now.channels.empty() ? "" : "\n" + table.text();
}

std::string picture(std::string const &name, Sample const &before, Sample const &now)
{
    weir_matrix_info const &s = now.stats;
    double const seconds = seconds_between(before, now);
    std::string text =
        fmt::format("{}  {} of {} committed, {} in use, {} free, {} kept by threads, {} trimmed\n",
                    printable(name), human_bytes(s.committed_bytes), human_bytes(s.capacity),
                    human_bytes(s.used_bytes), human_bytes(s.free_bytes),
                    human_bytes(s.cached_bytes), human_bytes(s.trimmed_bytes));
    text += fmt::format("{} blocks, {:.0f} allocs/s, {:.0f} frees/s, {} failures, {} stalls, "
                        "{} deaths healed\n\n",
                        s.used_blocks, per_second(before.stats.allocs, s.allocs, seconds),
                        per_second(before.stats.frees, s.frees, seconds), s.failures, s.stalls,
                        s.deaths);
    Table table(
        {"name", "pid", "state", "blocks", "bytes", "largest", "allocs/s", "frees/s", "running"},
        {0, 2});
    for (OwnerRow const &row : rows_of(before, now)) {
        bool const known = row.info != nullptr;
        table.add({known ? bounded(row.info->name, sizeof row.info->name) : owner_text(row.owner),
                   known ? std::to_string(row.info->pid) : "-",
                   known ? participant_state_name(row.info->state) : "-",
                   std::to_string(row.sum.blocks), human_bytes(row.sum.bytes),
                   human_bytes(row.sum.largest), rate_text(row.rates, &Rates::allocs),
                   rate_text(row.rates, &Rates::frees),
                   known ? std::to_string(row.info->running) : "-"});
    }
    return text + table.text() + channels_text(before, now);
}

nlohmann::ordered_json channels_json(Sample const &before, Sample const &now)
{
    auto list = nlohmann::ordered_json::array();
    for (auto const &channel : now.channels) {
        auto entry = channels::summary_json(channel);
        if (auto const rate = post_rate(channel, before, seconds_between(before, now)); rate)
            entry["posts_per_second"] = *rate;
        list.push_back(entry);
    }
    return list;
}

nlohmann::ordered_json rows_json(Sample const &before, Sample const &now)
{
    auto list = nlohmann::ordered_json::array();
    for (OwnerRow const &row : rows_of(before, now)) {
        nlohmann::ordered_json entry{{"owner", row.owner},
                                     {"blocks", row.sum.blocks},
                                     {"bytes", row.sum.bytes},
                                     {"largest", row.sum.largest}};
        if (row.info != nullptr) {
            entry["name"] = bounded(row.info->name, sizeof row.info->name);
            entry["pid"] = row.info->pid;
            entry["state"] = participant_state_name(row.info->state);
            entry["running"] = row.info->running;
        }
        if (row.rates) {
            entry["allocs_per_second"] = row.rates->allocs;
            entry["frees_per_second"] = row.rates->frees;
        }
        list.push_back(entry);
    }
    return list;
}

void show_json(std::string const &name, Sample const &before, Sample const &now)
{
    weir_matrix_info const &s = now.stats;
    double const seconds = seconds_between(before, now);
    print_json({{"name", name},
                {"seconds", seconds},
                {"capacity", s.capacity},
                {"committed_bytes", s.committed_bytes},
                {"used_bytes", s.used_bytes},
                {"used_blocks", s.used_blocks},
                {"free_bytes", s.free_bytes},
                {"cached_bytes", s.cached_bytes},
                {"trimmed_bytes", s.trimmed_bytes},
                {"failures", s.failures},
                {"stalls", s.stalls},
                {"deaths", s.deaths},
                {"trimmed_bytes", s.trimmed_bytes},
                {"allocs_per_second", per_second(before.stats.allocs, s.allocs, seconds)},
                {"frees_per_second", per_second(before.stats.frees, s.frees, seconds)},
                {"owners", rows_json(before, now)},
                {"channels", channels_json(before, now)}});
}

void show_live(Matrix const &matrix, TopOptions const &options, Sample before)
{
    LiveScreen screen;
    screen.show(picture(options.target.name, before, before) + "\nq: quit");
    while (screen.pause(options.interval_ns)) {
        Sample now = take_sample(matrix);
        screen.show(picture(options.target.name, before, now) + "\nq: quit");
        before = std::move(now);
    }
}
} // namespace

int show_top(TopOptions const &options)
{
    // For looking alone: who attached would heal the dead, and what they leave is what one looks for.
    Matrix const matrix = observe_matrix(options.target.name, options.target.foreign);
    Sample const before = take_sample(matrix);
    if (!options.once && !options.target.json && isatty(STDOUT_FILENO) == 1) {
        show_live(matrix, options, before);
        return 0;
    }
    sleep_ns(options.interval_ns);
    Sample const now = take_sample(matrix);
    if (options.target.json)
        show_json(options.target.name, before, now);
    else
        print(picture(options.target.name, before, now));
    return 0;
}

} // namespace tool
