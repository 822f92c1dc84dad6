// SPDX-License-Identifier: MIT OR Apache-2.0
// What the library takes as a name.
#include "name_rules.hpp"

#include "output.hpp"
#include "units.hpp"

#include <algorithm>
#include <climits>

#include <fmt/format.h>

namespace tool {
namespace {
constexpr std::size_t kLongestPlainName = 200;

bool has_control(std::string const &text)
{
    return std::any_of(text.begin(), text.end(), [](char c) {
        auto const byte = static_cast<unsigned char>(c);
        return byte < ' ' || byte == 0x7f;
    });
}

bool is_path(std::string const &name)
{
    std::size_t const last = name.size() - (name.rfind('/') + 1);
    return name[0] == '/' && name.size() < PATH_MAX && last != 0 && last <= NAME_MAX;
}
} // namespace

void check_segment_name(std::string const &name)
{
    bool const plain = name.find('/') == std::string::npos;
    bool const fits = plain ? !name.empty() && name.size() <= kLongestPlainName : is_path(name);
    if (!fits || has_control(name))
        throw BadUnit(fmt::format("'{}' is no name: 1 to {} bytes without a slash, or an absolute "
                                  "path, and no control characters",
                                  printable(name), kLongestPlainName));
}

void check_root_name(std::string const &name, std::size_t longest)
{
    if (name.empty() || name.size() > longest || has_control(name))
        throw BadUnit(fmt::format("'{}' is no name: 1 to {} bytes, and no control characters",
                                  printable(name), longest));
}

} // namespace tool
