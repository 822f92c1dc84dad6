// SPDX-License-Identifier: MIT OR Apache-2.0
// Looking at channels; with a read-only matrix nobody notices.
#include "facts.hpp"

#include "../error.hpp"
#include "../output.hpp"
#include "open.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tool::channels {
namespace {
/// False: it went meanwhile.
bool look(Matrix const &matrix, std::string const &name, Facts &ret_facts)
{
    weir_channel *found = nullptr;
    int code = weir_channel_attach(matrix.get(), name.c_str(), nullptr, &found);
    Channel const channel(found);
    ret_facts = {name, WEIR_CHANNEL_INFO_INIT, {}};
    if (code == 0)
        code = weir_channel_inquire(found, &ret_facts.info);
    auto const keep = [](weir_subscriber_info const *info, void *userdata) {
        static_cast<std::vector<weir_subscriber_info> *>(userdata)->push_back(*info);
        return 0;
    };
    if (code == 0)
        code = weir_channel_subscribers(found, keep, &ret_facts.subscribers);
    if (code == -ENOENT || code == -WEIR_E_RETIRED || code == -WEIR_E_TYPE)
        return false;
    must(code, printable(name));
    return true;
}
} // namespace

Facts facts_of(Matrix const &matrix, std::string const &name)
{
    attach_channel(matrix, name); // says what is wrong
    Facts facts;
    if (!look(matrix, name, facts))
        throw Failure(printable(name) + ": was retired meanwhile");
    return facts;
}

std::vector<Facts> all_facts(Matrix const &matrix)
{
    std::vector<std::string> names;
    each_root(matrix, [&names](weir_root_info const &root) {
        if (root.kind == WEIR_ROOT_CHANNEL && root.retired == 0)
            names.emplace_back(root.name, strnlen(root.name, sizeof root.name));
    });
    std::sort(names.begin(), names.end());
    std::vector<Facts> all;
    Facts facts;
    for (auto const &name : names)
        if (look(matrix, name, facts))
            all.push_back(facts);
    return all;
}

std::uint64_t lag_of(Facts const &facts)
{
    if (facts.info.mode != WEIR_CHANNEL_BROADCAST)
        return facts.info.waiting + facts.info.held;
    std::uint64_t most = 0;
    for (auto const &subscriber : facts.subscribers)
        most = std::max(most, subscriber.lag);
    return most;
}

std::uint64_t lost_of(Facts const &facts) { return facts.info.dropped + facts.info.expired; }

std::string shown_name(Facts const &facts) { return printable(facts.name); }

nlohmann::ordered_json summary_json(Facts const &facts)
{
    weir_channel_info const &i = facts.info;
    return {{"name", shown_name(facts)},
            {"mode", mode_name(i.mode)},
            {"capacity", i.capacity},
            {"levels", i.levels},
            {"posted", i.posted},
            {"waiting", i.waiting},
            {"waiting_bytes", i.waiting_bytes},
            {"held", i.held},
            {"lag", lag_of(facts)},
            {"subscribers", i.subscribers},
            {"dropped", i.dropped},
            {"expired", i.expired},
            {"oldest_age_ns", i.oldest_age_ns}};
}

} // namespace tool::channels
