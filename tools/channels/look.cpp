// SPDX-License-Identifier: MIT OR Apache-2.0
// weir channel ls, stat and rm.
#include "channels.hpp"

#include "../error.hpp"
#include "../output.hpp"
#include "../owners.hpp"
#include "end.hpp"
#include "facts.hpp"
#include "open.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tool::channels {
namespace {
std::string time_or_none(std::int64_t ns)
{
    return ns == 0 ? "none" : human_time(static_cast<double>(ns));
}

std::string next_text(weir_channel_info const &i, OwnerNames const &owners)
{
    if (i.waiting == 0)
        return "none";
    return fmt::format("level {}, number {}, {}, tag {:#x}, from {}", i.next_priority,
                       i.next_sequence, human_bytes(i.next_length), i.next_tag,
                       owners.text(i.next_sender));
}

std::string levels_text(weir_channel_info const &i)
{
    Table table({"level", "waiting", "bytes"});
    for (std::uint32_t level = 0; level < i.levels && level < std::size(i.level_waiting); ++level)
        table.add({std::to_string(level), std::to_string(i.level_waiting[level]),
                   human_bytes(i.level_bytes[level])});
    return table.text();
}

std::string stat_text(Facts const &facts, OwnerNames const &owners)
{
    weir_channel_info const &i = facts.info;
    std::string text = fmt::format("{}  {}, {} messages a level, full: {}\n", shown_name(facts),
                                   mode_name(i.mode), i.capacity, overflow_name(i.overflow));
    text += fmt::format("type       {:#x}, messages of {}\n", i.type_id,
                        i.message_size == 0 ? "any size" : human_bytes(i.message_size));
    text += fmt::format("times      to live {}, ageing {}, kept for late ones {} or {} messages\n",
                        time_or_none(i.ttl_ns), time_or_none(i.ageing_ns),
                        time_or_none(i.retain_ns), i.retain_count);
    text +=
        fmt::format("waiting    {} with {}, the oldest for {}\n", i.waiting,
                    human_bytes(i.waiting_bytes), human_time(static_cast<double>(i.oldest_age_ns)));
    text += fmt::format("in hand    {}, being posted {}\n", i.held, i.writing);
    text += fmt::format("since ever {} positions taken, {} dropped, {} expired\n", i.posted,
                        i.dropped, i.expired);
    text += fmt::format("next       {}\n\n", next_text(i, owners)) + levels_text(i);
    Table table({"subscriber", "lag", "missed"});
    for (auto const &subscriber : facts.subscribers)
        table.add({owners.text(subscriber.participant), std::to_string(subscriber.lag),
                   std::to_string(subscriber.missed)});
    return facts.subscribers.empty() ? text : text + "\n" + table.text();
}

nlohmann::ordered_json stat_json(Facts const &facts)
{
    weir_channel_info const &i = facts.info;
    auto json = summary_json(facts);
    json["overflow"] = overflow_name(i.overflow);
    json["type_id"] = i.type_id;
    json["message_size"] = i.message_size;
    json["ttl_ns"] = i.ttl_ns;
    json["ageing_ns"] = i.ageing_ns;
    json["retain_ns"] = i.retain_ns;
    json["retain_count"] = i.retain_count;
    json["writing"] = i.writing;
    auto levels = nlohmann::ordered_json::array();
    for (std::uint32_t level = 0; level < i.levels && level < std::size(i.level_waiting); ++level)
        levels.push_back(
            {{"waiting", i.level_waiting[level]}, {"waiting_bytes", i.level_bytes[level]}});
    json["by_level"] = levels;
    if (i.waiting != 0)
        json["next"] = {{"level", i.next_priority}, {"sequence", i.next_sequence},
                        {"length", i.next_length},  {"tag", i.next_tag},
                        {"sender", i.next_sender},  {"posted_at_ns", i.next_posted_at_ns}};
    auto list = nlohmann::ordered_json::array();
    for (auto const &subscriber : facts.subscribers)
        list.push_back({{"participant", subscriber.participant},
                        {"slot", subscriber.slot},
                        {"lag", subscriber.lag},
                        {"missed", subscriber.missed}});
    json["readers"] = list;
    return json;
}
} // namespace

int list_channels(ObjectTarget const &target)
{
    auto const all = all_facts(observe_matrix(target.matrix, target.foreign));
    if (target.json) {
        auto list = nlohmann::ordered_json::array();
        for (auto const &facts : all)
            list.push_back(summary_json(facts));
        print_json({{"channels", list}});
        return 0;
    }
    Table table({"name", "mode", "waiting", "bytes", "lag", "subscribers", "lost", "oldest"},
                {0, 1});
    for (auto const &facts : all)
        table.add({shown_name(facts), mode_name(facts.info.mode),
                   std::to_string(facts.info.waiting), human_bytes(facts.info.waiting_bytes),
                   std::to_string(lag_of(facts)), std::to_string(facts.info.subscribers),
                   std::to_string(lost_of(facts)),
                   human_time(static_cast<double>(facts.info.oldest_age_ns))});
    print(all.empty() ? "no channels\n" : table.text());
    return 0;
}

int show_channel(ObjectTarget const &target)
{
    Matrix const matrix = observe_matrix(target.matrix, target.foreign);
    Facts const facts = facts_of(matrix, target.name);
    if (target.json)
        print_json(stat_json(facts));
    else
        print(stat_text(facts, OwnerNames(matrix)));
    return 0;
}

int retire_channel(ObjectTarget const &target)
{
    Matrix const matrix = attach_matrix(target.matrix, target.foreign);
    must(weir_channel_retire(attach_channel(matrix, target.name).get()), printable(target.name));
    forget_end(matrix, target.name);
    return 0;
}

} // namespace tool::channels
