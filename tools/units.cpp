// SPDX-License-Identifier: MIT OR Apache-2.0
// Sizes and durations as people type them: "64M", "64MiB", "100ms".
#include "units.hpp"

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <map>

namespace tool {
namespace {
using Units = std::map<std::string, double>;

double parse(std::string const &text, Units const &units, char const *kind)
{
    char *end = nullptr;
    double const number = std::strtod(text.c_str(), &end);
    auto const unit = units.find(end);
    bool const numeric = !text.empty() && (std::isdigit(text.front()) != 0) && end != text.c_str();
    if (!numeric || unit == units.end() || !std::isfinite(number))
        throw BadUnit("'" + text + "' is not a " + kind);
    double const value = number * unit->second;
    if (value >= 9.2e18)
        throw BadUnit("'" + text + "' is too large");
    return value;
}
} // namespace

std::uint64_t parse_bytes(std::string const &text)
{
    static Units const units = {
        {"", 1},         {"B", 1},      {"K", 0x1p10},   {"KiB", 0x1p10}, {"M", 0x1p20},
        {"MiB", 0x1p20}, {"G", 0x1p30}, {"GiB", 0x1p30}, {"T", 0x1p40},   {"TiB", 0x1p40},
    };
    return static_cast<std::uint64_t>(parse(text, units, "size such as 64MiB"));
}

std::int64_t parse_duration(std::string const &text)
{
    static Units const units = {{"", 1e9},   {"ns", 1},  {"us", 1e3},
                                {"ms", 1e6}, {"s", 1e9}, {"m", 6e10}};
    return static_cast<std::int64_t>(parse(text, units, "duration such as 100ms"));
}

std::uint32_t parse_mode(std::string const &text)
{
    if (text.empty() || text.size() > 4 || text.find_first_not_of("01234567") != std::string::npos)
        throw BadUnit("'" + text + "' is not up to four octal digits");
    auto const mode = static_cast<std::uint32_t>(std::stoul(text, nullptr, 8));
    if (mode == 0 || mode > 0777)
        throw BadUnit("'" + text + "' is not between 1 and 777");
    return mode;
}

} // namespace tool
