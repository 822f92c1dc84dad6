// SPDX-License-Identifier: MIT OR Apache-2.0
// weir participants: the processes that are attached to a segment, and what they did.
#include "verbs.hpp"

#include "names.hpp"
#include "output.hpp"
#include "owners.hpp"

#include <ctime>
#include <string>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tool {
namespace {
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

using Participants = std::vector<weir_participant_info>;

Participants gather(Target const &target)
{
    Matrix const matrix = observe_matrix(target.name, target.foreign);
    return participants_of(matrix);
}

std::string local_time(std::int64_t realtime_ns)
{
    return fmt::format("{:%F %T}",
                       fmt::localtime(static_cast<std::time_t>(realtime_ns / kNsPerSecond)));
}

void show_text(Participants const &listing)
{
    Table table(
        {"slot", "name", "pid", "uid", "state", "attached", "allocs", "frees", "stalls", "running"},
        {1, 4, 5});
    for (auto const &info : listing)
        table.add({std::to_string(info.slot), bounded(info.name, sizeof info.name),
                   std::to_string(info.pid), std::to_string(info.uid),
                   participant_state_name(info.state), local_time(info.attached_at_ns),
                   std::to_string(info.allocs), std::to_string(info.frees),
                   std::to_string(info.stalls), std::to_string(info.running)});
    print(table.text());
}

void show_json(Participants const &listing)
{
    auto list = nlohmann::ordered_json::array();
    for (auto const &info : listing)
        list.push_back({{"participant", info.participant},
                        {"slot", info.slot},
                        {"name", bounded(info.name, sizeof info.name)},
                        {"pid", info.pid},
                        {"uid", info.uid},
                        {"state", participant_state_name(info.state)},
                        {"attached_at_ns", info.attached_at_ns},
                        {"allocs", info.allocs},
                        {"frees", info.frees},
                        {"stalls", info.stalls},
                        {"running", info.running}});
    print_json({{"participants", list}});
}
} // namespace

int show_participants(Target const &target)
{
    Participants const listing = gather(target);
    target.json ? show_json(listing) : show_text(listing);
    return 0;
}

} // namespace tool
