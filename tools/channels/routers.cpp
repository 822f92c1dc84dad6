// SPDX-License-Identifier: MIT OR Apache-2.0
// weir router: rules that say to which channels a message goes, and posting by them.
#include "channels.hpp"

#include "../error.hpp"
#include "../interrupt.hpp"
#include "../matrix_handle.hpp"
#include "../output.hpp"
#include "open.hpp"
#include "source.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tool::channels {
namespace {
struct RouterUnref {
    void operator()(weir_router *router) const noexcept { weir_router_unref(router); }
};
using Router = std::unique_ptr<weir_router, RouterUnref>;

Router attach_router(Matrix const &matrix, std::string const &name)
{
    weir_router *router = nullptr;
    must(weir_router_attach(matrix.get(), name.c_str(), &router), printable(name));
    return Router(router);
}

char const *action_name(weir_router_action action)
{
    switch (action) {
    case WEIR_ROUTER_TO:
        return "to";
    case WEIR_ROUTER_HASH:
        return "hash";
    case WEIR_ROUTER_ROUND_ROBIN:
        return "round-robin";
    case WEIR_ROUTER_LEAST_FULL:
        return "least-full";
    case WEIR_ROUTER_COPY:
        return "copy";
    case WEIR_ROUTER_DROP:
        return "drop";
    default:
        return "unknown";
    }
}

std::string condition_text(weir_rule_info const &rule)
{
    switch (rule.condition) {
    case WEIR_ROUTER_ANY:
        return "any";
    case WEIR_ROUTER_TAG:
        return fmt::format("tag {:#x}", rule.tag);
    case WEIR_ROUTER_MASK:
        return fmt::format("tag {:#x} of {:#x}", rule.tag, rule.mask);
    case WEIR_ROUTER_TOPIC:
        return "topic " + bounded(rule.topic, sizeof rule.topic);
    case WEIR_ROUTER_OTHERWISE:
        return "otherwise";
    default:
        return "unknown";
    }
}

std::vector<std::string> channels_of(weir_rule_info const &rule)
{
    std::string const all(rule.channels, strnlen(rule.channels, sizeof rule.channels));
    std::vector<std::string> names;
    for (std::size_t at = 0; at < all.size();) {
        std::size_t const end = std::min(all.find('\n', at), all.size());
        names.push_back(printable(all.substr(at, end - at)));
        at = end + 1;
    }
    return names;
}

std::vector<weir_rule_info> rules_of(Router const &router)
{
    std::vector<weir_rule_info> rules;
    auto const keep = [](weir_rule_info const *info, void *userdata) {
        static_cast<std::vector<weir_rule_info> *>(userdata)->push_back(*info);
        return 0;
    };
    must(weir_router_rules(router.get(), keep, &rules), "rules");
    return rules;
}

std::string joined(std::vector<std::string> const &names, char const *between)
{
    std::string text;
    for (auto const &name : names)
        text += (&name == &names.front() ? "" : between) + name;
    return text;
}

/// As must(), for a call that is given the number of a rule.
void must_find_rule(int code, std::uint64_t rule)
{
    if (code == -ENOENT)
        throw Failure(fmt::format("the router has no rule {} (ENOENT)", rule));
    must(code, "rule");
}

nlohmann::ordered_json rule_json(weir_rule_info const &rule)
{
    static constexpr char const *kConditions[] = {"any", "tag", "mask", "topic", "otherwise"};
    bool const known = static_cast<std::size_t>(rule.condition) < std::size(kConditions);
    return {{"id", rule.id},
            {"condition", known ? kConditions[rule.condition] : "unknown"},
            {"tag", rule.tag},
            {"mask", rule.mask},
            {"topic", bounded(rule.topic, sizeof rule.topic)},
            {"action", action_name(rule.action)},
            {"channels", channels_of(rule)},
            {"matched", rule.matched},
            {"posted", rule.posted},
            {"refused", rule.refused}};
}

/// Posts texts one by one, and counts what became of them.
class Sender {
  public:
    Sender(RouteOptions const &options)
        : options_(options), matrix_(attach_matrix(options.target.matrix, options.target.foreign)),
          router_(attach_router(matrix_, options.target.name))
    {
        with_.tag = options.tag;
        with_.topic = options.has_topic ? options.topic.c_str() : nullptr;
        with_.priority = options.priority;
    }

    void send(std::string_view text)
    {
        weir_alloc_options patient = WEIR_ALLOC_OPTIONS_INIT;
        patient.timeout_ns = options_.timeout_ns;
        weir_ref block = WEIR_REF_NONE;
        void *data = nullptr;
        must(weir_matrix_alloc(matrix_.get(), std::max<std::size_t>(text.size(), 1), &patient,
                               &block, &data),
             "alloc");
        std::memcpy(data, text.data(), text.size());
        int const copies = post(block, text.size());
        if (copies < 0)
            weir_matrix_free(matrix_.get(), block);
        if (copies == -EINVAL && options_.priority != 0)
            throw BadUsage(fmt::format("the channel that gets the message has no priority {} "
                                       "(EINVAL)",
                                       options_.priority));
        if (copies == -ENOENT)
            throw Failure("no rule is for the message, or its channel is missing");
        must(copies, "post");
        ++messages_;
        copies_ += static_cast<std::uint64_t>(copies);
        dropped_ += copies == 0 ? 1 : 0;
    }

    void send_lines()
    {
        Source source(Framing::lines, stats_of(matrix_).capacity);
        do
            for (std::string_view line; source.take(line);)
                send(line);
        while (source.fill());
    }

    void report() const
    {
        if (options_.target.json)
            print_json({{"messages", messages_}, {"posted", copies_}, {"dropped", dropped_}});
        else
            print(fmt::format("{} messages, {} posts, {} dropped\n", messages_, copies_, dropped_));
    }

  private:
    /// In turns, so that a signal ends the wait for room.
    int post(weir_ref block, std::size_t length)
    {
        std::int64_t const end =
            options_.timeout_ns < 0 ? INT64_MAX : now_ns() + options_.timeout_ns;
        for (;;) {
            std::int64_t const left = std::max<std::int64_t>(end - now_ns(), 0);
            int const code =
                weir_router_post(router_.get(), block, length, &with_, std::min(left, kTurnNs));
            if (code != -ETIMEDOUT || left == 0 || was_interrupted())
                return code;
        }
    }

    RouteOptions const &options_;
    Matrix const matrix_;
    Router const router_;
    weir_route_options with_ = WEIR_ROUTE_OPTIONS_INIT;
    std::uint64_t messages_ = 0;
    std::uint64_t copies_ = 0;
    std::uint64_t dropped_ = 0;
};
} // namespace

int create_router(ObjectTarget const &target)
{
    Matrix const matrix = attach_matrix(target.matrix, target.foreign);
    weir_router *router = nullptr;
    must(weir_router_create(matrix.get(), target.name.c_str(), &router), printable(target.name));
    weir_router_unref(router);
    return 0;
}

int show_router(ObjectTarget const &target)
{
    Matrix const matrix = observe_matrix(target.matrix, target.foreign);
    auto const rules = rules_of(attach_router(matrix, target.name));
    if (target.json) {
        auto list = nlohmann::ordered_json::array();
        for (auto const &rule : rules)
            list.push_back(rule_json(rule));
        print_json({{"router", printable(target.name)}, {"rules", list}});
        return 0;
    }
    Table table({"rule", "for", "action", "channels", "matched", "posted", "refused"}, {1, 2, 3});
    for (auto const &rule : rules)
        table.add({std::to_string(rule.id), condition_text(rule), action_name(rule.action),
                   joined(channels_of(rule), " "), std::to_string(rule.matched),
                   std::to_string(rule.posted), std::to_string(rule.refused)});
    print(rules.empty() ? "no rules\n" : table.text());
    return 0;
}

/// A rule that is replaced goes when the new one is there, so no message meets neither.
int add_rule(RuleOptions const &options)
{
    Matrix const matrix = attach_matrix(options.target.matrix, options.target.foreign);
    Router const router = attach_router(matrix, options.target.name);
    std::string const channels = joined(options.channels, "\n");
    weir_router_rule rule = options.rule;
    rule.topic = rule.condition == WEIR_ROUTER_TOPIC ? options.topic.c_str() : nullptr;
    rule.channels = options.channels.empty() ? nullptr : channels.c_str();
    if (options.replaces != 0)
        rule.before = options.replaces;
    std::uint64_t id = 0;
    int const added = weir_router_add_rule(router.get(), &rule, &id);
    must_find_rule(added, rule.before);
    if (options.replaces != 0)
        must_find_rule(weir_router_remove_rule(router.get(), options.replaces), options.replaces);
    if (options.target.json)
        print_json({{"id", id}});
    else
        print(fmt::format("{}\n", id));
    return 0;
}

int remove_rule(RemoveRuleOptions const &options)
{
    Matrix const matrix = attach_matrix(options.target.matrix, options.target.foreign);
    Router const router = attach_router(matrix, options.target.name);
    must_find_rule(weir_router_remove_rule(router.get(), options.rule), options.rule);
    return 0;
}

int post_by_router(RouteOptions const &options)
{
    watch_interrupts();
    Sender sender(options);
    for (auto const &message : options.messages)
        sender.send(message);
    if (options.messages.empty())
        sender.send_lines();
    sender.report();
    return 0;
}

int retire_router(ObjectTarget const &target)
{
    Matrix const matrix = attach_matrix(target.matrix, target.foreign);
    must(weir_router_retire(attach_router(matrix, target.name).get()), printable(target.name));
    return 0;
}

} // namespace tool::channels
