// SPDX-License-Identifier: MIT OR Apache-2.0
// Spelling and small questions about the model.
#include "model.hpp"

#include "writer.hpp"

#include <sstream>

namespace weir::gen {

std::string spell(Type const &type, std::string const &name)
{
    std::string out = type.is_const ? "const " : "";
    out += type.is_struct ? "struct " + type.base : type.base;
    for (std::size_t i = 0; i < type.pointers.size(); ++i) {
        out += i == 0 ? " *" : "*";
        if (type.pointers[i])
            out += "const ";
    }
    if (name.empty())
        return trim(out);
    return type.pointers.empty() ? out + " " + name : out + name;
}

std::string decimal(Number const &number)
{
    return (number.negative ? "-" : "") + std::to_string(number.magnitude);
}

std::string spell(Word const &word)
{
    return word.key.empty() ? word.name : word.name + "(" + word.key + "=" + word.value + ")";
}

char const *spell(Direction direction)
{
    switch (direction) {
    case Direction::none:
        break;
    case Direction::in:
        return "in";
    case Direction::out:
        return "out";
    case Direction::inout:
        return "inout";
    }
    return "none";
}

bool Doc::has_tags() const
{
    return klass.given() || returns.given() || thread.given() || blocks.given() || since.given() ||
           scope.given() || kind.given() || errors_tag.given() || !params.empty();
}

Word const *find_word(std::vector<Word> const &words, std::string const &name)
{
    for (Word const &word : words)
        if (word.name == name)
            return &word;
    return nullptr;
}

bool has_word(std::vector<Word> const &words, std::string const &name)
{
    return find_word(words, name) != nullptr;
}

bool is_sized(Item const &item)
{
    return item.kind == ItemKind::structure &&
           (item.doc.kind.value == "options" || item.doc.kind.value == "info");
}

bool can_fail(Item const &function)
{
    std::string const &kind = function.doc.returns.value;
    return kind == "ok" || kind == "count" || kind == "bool";
}

std::string minor_of(std::string const &version)
{
    return version.substr(0, version.find('.', version.find('.') + 1));
}

namespace {

std::vector<std::uint64_t> numbers(std::string const &version)
{
    std::vector<std::uint64_t> out;
    std::istringstream in(version);
    for (std::string part; std::getline(in, part, '.');)
        out.push_back(std::strtoull(part.c_str(), nullptr, 10));
    out.resize(3);
    return out;
}

} // namespace

bool version_less(std::string const &a, std::string const &b) { return numbers(a) < numbers(b); }

std::uint64_t version_number(std::string const &version)
{
    std::vector<std::uint64_t> const parts = numbers(version);
    return parts[0] << 16 | parts[1] << 8 | parts[2];
}

} // namespace weir::gen
