// SPDX-License-Identifier: MIT OR Apache-2.0
// The options of weir pub, sub, channel and router.
#include "../command_line_parts.hpp"

#include "../error.hpp"
#include "channels.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include <fmt/format.h>

namespace tool {
namespace {
using namespace channels;

constexpr std::int64_t kShortestLookNs = kMillisecond;
constexpr std::uint32_t kMostLevels = 8;
constexpr std::uint32_t kMostMessages = 1 << 20;
constexpr std::int64_t kMostSubscribers = 64;
constexpr std::size_t kMostChannels = 16; ///< of one rule
constexpr std::size_t kLongestTopic = sizeof weir_rule_info::topic - 1;

/// Durations and sizes as they were typed.
struct Typed {
    std::string matrix_capacity = "256MiB";
    std::string ttl, ageing, retain, overflow = "block", timeout;
    std::string linger = "3s";
    std::string interval = "10ms";
    bool frames = false, files = false;
};

std::int64_t duration_or(std::string const &text, std::int64_t otherwise)
{
    return text.empty() ? otherwise : parse_duration(text);
}

void choice_options(CLI::App *verb, Choice &choice, Typed &typed, std::size_t longest_channel)
{
    verb->add_option("--matrix", choice.matrix, "the matrix of the channel, made if there is none")
        ->check(is_segment_name())
        ->required();
    verb->add_option("--channel", choice.channel, "the channel, made if there is none")
        ->check(is_root_name(longest_channel))
        ->required();
    verb->add_flag("--foreign", choice.foreign, "open segments of other users too");
    verb->add_option("--mode", choice.mode,
                     "queue: each message to one reader; broadcast: to every subscriber; default: "
                     "what the channel is, and a queue if it is made")
        ->check(CLI::IsMember({"queue", "broadcast"}));

    auto const made = [verb](char const *name, auto &into, char const *what) {
        return verb->add_option(name, into, what)->group("If they are made");
    };
    made("--matrix-capacity", typed.matrix_capacity, "most bytes of block data")
        ->check(is_capacity())
        ->capture_default_str();
    weir_channel_options &options = choice.options;
    made("--capacity", options.capacity, "messages that each level can hold; default: 1024")
        ->check(CLI::Range(1u, kMostMessages));
    made("--levels", options.levels, "priorities; default: 1")->check(CLI::Range(1u, kMostLevels));
    made("--ageing", typed.ageing, "what waits longer counts as of the highest priority")
        ->check(is_duration(0));
    made("--overflow", typed.overflow, "what a post does when the channel is full")
        ->check(CLI::IsMember({"block", "fail", "drop-new", "drop-oldest"}))
        ->capture_default_str();
    made("--ttl", typed.ttl, "what waits longer is lost")->check(is_duration(0));
    made("--retain", typed.retain, "broadcast: what is younger is kept for later subscribers")
        ->check(is_duration(0));
    made("--retain-count", options.retain_count,
         "broadcast: so many newest ones of each level are kept for later subscribers")
        ->check(is_number());
    made("--type", options.type_id,
         "the user's number for the type; a channel of another type is "
         "refused")
        ->check(is_number());
    made("--message-size", options.message_size,
         "bytes of each message; a channel of another size is refused")
        ->check(is_number());
}

void framing_options(CLI::App *verb, Typed &typed, char const *files)
{
    CLI::Option *const frames = verb->add_flag(
        "--frames", typed.frames,
        "messages are frames: the length as 4 bytes, the least significant first, then the bytes");
    verb->add_flag("--files", typed.files, files)->excludes(frames);
}

Framing framing_of(Typed const &typed)
{
    return typed.files ? Framing::files : typed.frames ? Framing::frames : Framing::lines;
}

Choice finished(Choice const &choice, Typed const &typed)
{
    static std::map<std::string, weir_channel_overflow> const kOverflow = {
        {"block", WEIR_CHANNEL_BLOCK},
        {"fail", WEIR_CHANNEL_FAIL},
        {"drop-new", WEIR_CHANNEL_DROP_NEW},
        {"drop-oldest", WEIR_CHANNEL_DROP_OLDEST},
    };
    Choice made = choice;
    made.matrix_capacity = parse_bytes(typed.matrix_capacity);
    made.options.overflow = kOverflow.at(typed.overflow);
    made.options.ttl_ns = duration_or(typed.ttl, 0);
    made.options.ageing_ns = duration_or(typed.ageing, 0);
    made.options.retain_ns = duration_or(typed.retain, 0);
    bool const retains = made.options.retain_ns != 0 || made.options.retain_count != 0;
    if (retains && choice.mode != "broadcast")
        throw BadUsage("--retain and --retain-count are for --mode broadcast");
    made.options.mode = choice.mode == "broadcast" ? WEIR_CHANNEL_BROADCAST : WEIR_CHANNEL_QUEUE;
    return made;
}

void add_pub(CLI::App &app, Action &chosen)
{
    struct Given {
        PublishOptions options;
        Typed typed;
    };
    auto const given = std::make_shared<Given>();
    PublishOptions &options = given->options;
    CLI::App *const verb = app.add_subcommand("pub", "post lines, frames or files to a channel");
    // Its end has a name too.
    constexpr std::size_t kLongest = kLongestRootName - (sizeof kEndSuffix - 1);
    choice_options(verb, options.choice, given->typed, kLongest);
    framing_options(verb, given->typed,
                    "each FILE is a message, with its path; without FILE all of stdin is one");
    verb->add_option("FILE", options.files, "with --files: what to post");
    verb->add_flag("--end", options.end,
                   "that was all: weir sub ends when everything has been read and no other weir "
                   "pub is at work");
    verb->add_option("--subscribers", options.subscribers,
                     "broadcast: wait for so many before the first post, 0 for none; default: one, "
                     "and until no other has come for half a second")
        ->check(CLI::Range(std::int64_t{0}, kMostSubscribers));
    verb->add_option("--priority", options.priority, "level of the messages, from 0, the lowest")
        ->capture_default_str();
    verb->add_option("--tag", options.tag, "64 bits that go with each message")
        ->check(is_number())
        ->capture_default_str();
    verb->add_option("--timeout", given->typed.timeout,
                     "give up when there is no room for so long; default: never")
        ->check(is_duration(0));
    verb->add_flag("--json", options.json, "print one JSON object at the end");
    on_choice<Given>(chosen, verb, given, [](Given const &all) {
        PublishOptions with = all.options;
        with.choice = finished(all.options.choice, all.typed);
        with.framing = framing_of(all.typed);
        with.timeout_ns = duration_or(all.typed.timeout, WEIR_WAIT_FOREVER);
        if (!with.files.empty() && with.framing != Framing::files)
            throw BadUsage("names of files are for --files");
        return publish(with);
    });
}

void add_sub(CLI::App &app, Action &chosen)
{
    struct Given {
        SubscribeOptions options;
        Typed typed;
    };
    auto const given = std::make_shared<Given>();
    SubscribeOptions &options = given->options;
    CLI::App *const verb = app.add_subcommand(
        "sub", "write the messages of a channel to stdout, acknowledging each when it is written");
    choice_options(verb, options.choice, given->typed, kLongestRootName);
    framing_options(verb, given->typed,
                    "messages are files of weir pub --files, written below --out");
    verb->add_option("--out", options.out, "with --files: the folder for them")
        ->check(is_not_empty())
        ->capture_default_str();
    verb->add_option("--count", options.count, "end after so many messages; default: never")
        ->check(is_number(1));
    verb->add_option("--linger", given->typed.linger,
                     "who comes after the end and finds nothing waits so long for a new weir pub")
        ->check(is_duration(0))
        ->capture_default_str();
    on_choice<Given>(chosen, verb, given, [](Given const &all) {
        SubscribeOptions with = all.options;
        with.choice = finished(all.options.choice, all.typed);
        with.framing = framing_of(all.typed);
        with.linger_ns = parse_duration(all.typed.linger);
        return subscribe_to(with);
    });
}

CLI::App *add_object_verb(CLI::App &group, char const *name, char const *purpose,
                          ObjectTarget &target, char const *object)
{
    CLI::App *const verb = group.add_subcommand(name, purpose);
    verb->add_option("NAME", target.matrix, "a matrix: a plain name or an absolute path")
        ->check(is_segment_name())
        ->required();
    if (object != nullptr)
        verb->add_option(object, target.name, "its name in the matrix")
            ->check(is_root_name())
            ->required();
    verb->add_flag("--foreign", target.foreign, "open segments of other users too");
    verb->add_flag("--json", target.json, "print JSON");
    return verb;
}

void add_simple(CLI::App &group, Action &chosen, char const *name, char const *purpose,
                char const *object, int (*run)(ObjectTarget const &))
{
    auto const target = std::make_shared<ObjectTarget>();
    on_choice<ObjectTarget>(chosen, add_object_verb(group, name, purpose, *target, object), target,
                            run);
}

void add_channel(CLI::App &app, Action &chosen)
{
    CLI::App *const group = app.add_subcommand("channel", "look at the channels of a matrix");
    group->require_subcommand(1);
    add_simple(*group, chosen, "ls", "its channels", nullptr, list_channels);
    add_simple(*group, chosen, "stat", "options, counters and subscribers of a channel", "CHANNEL",
               show_channel);
    add_simple(*group, chosen, "rm", "end a channel for everybody; what waits in it is freed",
               "CHANNEL", retire_channel);

    struct Given {
        TailOptions options;
        Typed typed;
    };
    auto const given = std::make_shared<Given>();
    CLI::App *const verb = add_object_verb(
        *group, "tail",
        "show messages without taking them from anybody. Broadcast: each message, as one more "
        "subscriber. Queue: only the header of the next message, looked at again and again, "
        "because who reads takes; what is read in between is not seen",
        given->options.target, "CHANNEL");
    verb->add_option("-n,--count", given->options.count, "end after so many; default: never")
        ->check(is_number(1));
    verb->add_option("--interval", given->typed.interval, "queue: between two looks")
        ->check(is_duration(kShortestLookNs))
        ->capture_default_str();
    on_choice<Given>(chosen, verb, given, [](Given const &all) {
        TailOptions with = all.options;
        with.interval_ns = parse_duration(all.typed.interval);
        return tail_channel(with);
    });
}

void check_topic(std::string const &text)
{
    if (text.size() > kLongestTopic)
        throw BadUnit(fmt::format("a pattern has at most {} bytes", kLongestTopic));
}

bool is_given(CLI::Option const *option) { return option->count() != 0; }

/// What a rule is for and what it does; whatever stands last counts, so one of each is allowed.
void rule_options(CLI::App *verb, std::shared_ptr<RuleOptions> const &options)
{
    weir_router_rule &rule = options->rule;
    CLI::Option *const mask =
        verb->add_option("--mask", rule.mask, "only these bits of --tag count")->check(is_number());
    CLI::Option *const tag =
        verb->add_option("--tag", rule.tag, "messages with this tag")->check(is_number());
    CLI::Option *const topic =
        verb->add_option("--topic", options->topic, "a pattern: * is any bytes, ? is one")
            ->check(check_with(check_topic, ""));
    CLI::Option *const otherwise = verb->add_flag("--otherwise", "those that no other rule is for");
    mask->needs(tag);
    topic->excludes(tag);
    otherwise->excludes(tag)->excludes(topic);
    // No option group: CLI11 takes an empty argument for its name.
    std::vector<CLI::Option *> actions;
    constexpr char kActions[] = "Actions, of which there is one";
    struct Name {
        char const *option;
        weir_router_action action;
        char const *what;
    };
    static constexpr Name kNames[] = {
        {"--to", WEIR_ROUTER_TO, "to this channel"},
        {"--hash", WEIR_ROUTER_HASH, "to one of these, the same one for the same tag"},
        {"--round-robin", WEIR_ROUTER_ROUND_ROBIN, "to these in turn"},
        {"--least-full", WEIR_ROUTER_LEAST_FULL, "to the one with most room"},
        {"--copy", WEIR_ROUTER_COPY, "a copy to each of them"},
    };
    for (Name const &name : kNames) {
        CLI::Option *const option = verb->add_option_function<std::vector<std::string>>(
            name.option,
            [options, name](std::vector<std::string> const &channels) {
                options->rule.action = name.action;
                options->channels = channels;
            },
            name.what);
        option->type_name("CHANNEL")->check(is_root_name())->group(kActions);
        actions.push_back(option);
        if (name.action == WEIR_ROUTER_TO)
            option->expected(1);
    }
    auto const drop = [options] { options->rule.action = WEIR_ROUTER_DROP; };
    actions.push_back(verb->add_flag_callback("--drop", drop, "they are freed")->group(kActions));
    verb->parse_complete_callback([tag, mask, topic, otherwise, actions, options, &rule] {
        rule.condition = otherwise->count() != 0 ? WEIR_ROUTER_OTHERWISE
                         : topic->count() != 0   ? WEIR_ROUTER_TOPIC
                         : mask->count() != 0    ? WEIR_ROUTER_MASK
                         : tag->count() != 0     ? WEIR_ROUTER_TAG
                                                 : WEIR_ROUTER_ANY;
        if (std::count_if(actions.begin(), actions.end(), is_given) != 1)
            throw CLI::ValidationError(
                "a rule has one of --to, --hash, --round-robin, --least-full, --copy and --drop");
        if (rule.condition == WEIR_ROUTER_MASK && (rule.tag & ~rule.mask) != 0)
            throw CLI::ValidationError("--tag has bits that --mask takes away: no message fits");
        if (options->channels.size() > kMostChannels)
            throw CLI::ValidationError(
                fmt::format("a rule has at most {} channels", kMostChannels));
    });
}

void add_rules(CLI::App &router, Action &chosen)
{
    auto const added = std::make_shared<RuleOptions>();
    CLI::App *verb =
        add_object_verb(router, "add", "add a rule, and print its number", added->target, "ROUTER");
    verb->add_option("--before", added->rule.before, "rule that it comes before; default: the end")
        ->check(is_number());
    rule_options(verb, added);
    on_choice<RuleOptions>(chosen, verb, added, add_rule);

    auto const set = std::make_shared<RuleOptions>();
    verb =
        add_object_verb(router, "set", "put a new rule in the place of one, and print its number",
                        set->target, "ROUTER");
    verb->add_option("RULE", set->replaces, "number of the old one")
        ->check(is_number(1))
        ->required();
    rule_options(verb, set);
    on_choice<RuleOptions>(chosen, verb, set, add_rule);

    auto const removed = std::make_shared<RemoveRuleOptions>();
    verb = add_object_verb(router, "remove", "remove a rule", removed->target, "ROUTER");
    verb->add_option("RULE", removed->rule, "its number")->check(is_number())->required();
    on_choice<RemoveRuleOptions>(chosen, verb, removed, remove_rule);
}

void add_route_post(CLI::App &router, Action &chosen)
{
    struct Given {
        RouteOptions options;
        Typed typed;
    };
    auto const given = std::make_shared<Given>();
    RouteOptions &options = given->options;
    CLI::App *const verb =
        add_object_verb(router, "post", "post texts by its rules; without TEXT, lines from stdin",
                        options.target, "ROUTER");
    verb->add_option("TEXT", options.messages, "a message each");
    verb->add_option("--tag", options.tag, "64 bits that rules look at")->check(is_number());
    CLI::Option *const topic = verb->add_option("--topic", options.topic, "what rules look at too");
    verb->add_option("--priority", options.priority, "level in the channel that gets it");
    verb->add_option("--timeout", given->typed.timeout, "for room; default: for ever")
        ->check(is_duration(0));
    verb->parse_complete_callback([topic, &options] { options.has_topic = topic->count() != 0; });
    on_choice<Given>(chosen, verb, given, [](Given const &all) {
        RouteOptions with = all.options;
        with.timeout_ns = duration_or(all.typed.timeout, WEIR_WAIT_FOREVER);
        return post_by_router(with);
    });
}

void add_router(CLI::App &app, Action &chosen)
{
    CLI::App *const group =
        app.add_subcommand("router", "rules that say to which channels messages go");
    group->require_subcommand(1);
    add_simple(*group, chosen, "create", "make one without rules", "ROUTER", create_router);
    add_simple(*group, chosen, "show", "its rules and what came to them", "ROUTER", show_router);
    add_rules(*group, chosen);
    add_route_post(*group, chosen);
    add_simple(*group, chosen, "rm", "end it for everybody; its channels stay", "ROUTER",
               retire_router);
}
} // namespace

void add_channel_verbs(CLI::App &app, Action &chosen)
{
    add_pub(app, chosen);
    add_sub(app, chosen);
    add_channel(app, chosen);
    add_router(app, chosen);
}

} // namespace tool
