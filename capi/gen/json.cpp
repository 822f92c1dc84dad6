// SPDX-License-Identifier: MIT OR Apache-2.0
// The JSON writer: commas, line ends and indent.
#include "json.hpp"

#include "writer.hpp"

namespace weir::gen {

void Json::item(std::string const &key)
{
    if (!out_.empty())
        out_ += empty_ ? "\n" : ",\n";
    out_ += std::string(2 * closers_.size(), ' ');
    if (!key.empty())
        out_ += string_literal(key) + ": ";
    empty_ = false;
}

void Json::open(std::string const &key, char begin, char end)
{
    item(key);
    out_ += begin;
    closers_ += end;
    empty_ = true;
}

void Json::close()
{
    char const end = closers_.back();
    closers_.pop_back();
    if (!empty_)
        out_ += "\n" + std::string(2 * closers_.size(), ' ');
    out_ += end;
    empty_ = false;
}

void Json::text(std::string const &key, std::string const &value)
{
    item(key);
    out_ += string_literal(value);
}

void Json::number(std::string const &key, std::uint64_t value) { raw(key, std::to_string(value)); }

void Json::raw(std::string const &key, std::string const &value)
{
    item(key);
    out_ += value;
}

} // namespace weir::gen
