// SPDX-License-Identifier: MIT OR Apache-2.0
// What the files of the command line share: checks of options, and verbs that leave their action.
// CLI11 is slow to compile, so no other file includes it.
#pragma once

#include "clock.hpp"
#include "name_rules.hpp"
#include "units.hpp"

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

namespace tool {

using Action = std::function<int()>;

constexpr std::int64_t kLongestWaitNs = 86400 * kSecond;

/// A check that tells what `parse` threw.
template <typename Parse> CLI::Validator check_with(Parse parse, char const *name)
{
    return CLI::Validator(
        [parse](std::string const &text) -> std::string {
            try {
                parse(text);
                return {};
            } catch (BadUnit const &error) {
                return error.what();
            }
        },
        name);
}

inline CLI::Validator is_bytes() { return check_with(parse_bytes, "SIZE"); }

/// Most bytes of block data that a segment can be made with.
inline CLI::Validator is_capacity()
{
    auto const parse = [](std::string const &text) {
        constexpr std::uint64_t kLeast = std::uint64_t{64} << 10;
        constexpr std::uint64_t kMost = std::uint64_t{8} << 40;
        std::uint64_t const found = parse_bytes(text);
        if (found < kLeast || found > kMost)
            throw BadUnit("not 64K to 8T: " + text);
    };
    return check_with(parse, "SIZE");
}

inline CLI::Validator is_segment_name() { return check_with(check_segment_name, ""); }

inline CLI::Validator is_root_name(std::size_t longest = kLongestRootName)
{
    return check_with([longest](std::string const &text) { check_root_name(text, longest); }, "");
}

inline CLI::Validator is_duration(std::int64_t shortest_ns)
{
    auto const parse = [shortest_ns](std::string const &text) {
        std::int64_t const found = parse_duration(text);
        if (found < shortest_ns || found > kLongestWaitNs)
            throw BadUnit("shorter than " + std::to_string(shortest_ns / kMillisecond) +
                          "ms or longer than a day: " + text);
    };
    return check_with(parse, "TIME");
}

inline CLI::Validator is_not_empty(std::string const &what = "path")
{
    auto const check = [what](std::string const &text) -> std::string {
        return text.empty() ? "an empty text is no " + what : "";
    };
    return CLI::Validator(check, "");
}

/// CLI11's own checks go by way of a double, and its conversion takes what has more than 64 bits.
inline CLI::Validator is_number(std::uint64_t least = 0)
{
    auto const check = [least](std::string const &text) -> std::string {
        char *end = nullptr;
        errno = 0;
        std::uint64_t const found = std::strtoull(text.c_str(), &end, 0);
        bool const digits = !text.empty() && text[0] >= '0' && text[0] <= '9' && *end == '\0';
        return digits && errno == 0 && found >= least
                   ? ""
                   : text + " is no number from " + std::to_string(least) + " to 2^64 - 1";
    };
    return CLI::Validator(check, "");
}

/// A verb whose options live as long as the action that is given them.
template <typename Options>
void on_choice(Action &chosen, CLI::App *verb, std::shared_ptr<Options> options,
               std::function<int(Options const &)> run)
{
    verb->callback([&chosen, options, run] { chosen = [options, run] { return run(*options); }; });
}

/// pub, sub, channel and router.
void add_channel_verbs(CLI::App &app, Action &chosen);

} // namespace tool
