// SPDX-License-Identifier: MIT OR Apache-2.0
// The verbs on channels and routers and their options; each returns the exit code. Start here.
//
//   publish.cpp, subscribe.cpp   weir pub, weir sub: source.hpp reads messages, sink.hpp writes them
//   end.hpp                      how readers learn that no more is coming
//   open.hpp                     attaching to a channel or making it
//   look.cpp, tail.cpp, facts.hpp   weir channel: what a look from outside tells
//   routers.cpp                  weir router
//   command_line.cpp             their options
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <weir.h>

namespace tool::channels {

/// What a message is in a pipe.
enum class Framing {
    lines,  ///< a line without its end
    frames, ///< its length, 32 bits, least significant byte first, then its bytes
    files,  ///< a whole file: length of its path as above, path, bytes
};

constexpr char kEndSuffix[] = ".end"; ///< of the root beside a channel that has had a publisher

/// A channel that is attached to or made, and its matrix as well.
struct Choice {
    std::string matrix;
    std::string channel;
    bool foreign = false;
    std::uint64_t matrix_capacity = 0;
    std::string mode; ///< empty: whatever it is, and a queue if it is made
    weir_channel_options options = WEIR_CHANNEL_OPTIONS_INIT;
};

struct PublishOptions {
    Choice choice;
    Framing framing = Framing::lines;
    std::vector<std::string> files; ///< empty: stdin
    bool end = false;
    std::int64_t subscribers = -1; ///< to wait for; negative: one, and those that come with it
    std::uint64_t tag = 0;
    std::uint32_t priority = 0;
    std::int64_t timeout_ns = WEIR_WAIT_FOREVER;
    bool json = false;
};

struct SubscribeOptions {
    Choice choice;
    Framing framing = Framing::lines;
    std::string out = ".";   ///< folder for files
    std::uint64_t count = 0; ///< 0: all
    std::int64_t linger_ns = 0;
};

/// One object of a matrix, for looking or changing.
struct ObjectTarget {
    std::string matrix;
    std::string name; ///< of the channel or router; empty: all
    bool foreign = false;
    bool json = false;
};

struct TailOptions {
    ObjectTarget target;
    std::uint64_t count = 0; ///< 0: until interrupted
    std::int64_t interval_ns = 0;
};

struct RuleOptions {
    ObjectTarget target;
    weir_router_rule rule = WEIR_ROUTER_RULE_INIT; ///< topic and channels are taken from below
    std::string topic;
    std::vector<std::string> channels;
    std::uint64_t replaces = 0; ///< number of the rule it is put in place of; 0: none
};

struct RemoveRuleOptions {
    ObjectTarget target;
    std::uint64_t rule = 0;
};

struct RouteOptions {
    ObjectTarget target;
    std::vector<std::string> messages; ///< empty: lines from stdin
    std::uint64_t tag = 0;
    std::string topic;
    bool has_topic = false;
    std::uint32_t priority = 0;
    std::int64_t timeout_ns = WEIR_WAIT_FOREVER;
};

int publish(PublishOptions const &options);
int subscribe_to(SubscribeOptions const &options);
int list_channels(ObjectTarget const &target);
int show_channel(ObjectTarget const &target);
int tail_channel(TailOptions const &options);
int retire_channel(ObjectTarget const &target);
int create_router(ObjectTarget const &target);
int show_router(ObjectTarget const &target);
int add_rule(RuleOptions const &options);
int remove_rule(RemoveRuleOptions const &options);
int post_by_router(RouteOptions const &options);
int retire_router(ObjectTarget const &target);

} // namespace tool::channels
