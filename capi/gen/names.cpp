// SPDX-License-Identifier: MIT OR Apache-2.0
// Naming rules and the keyword lists of C, C++, Rust, Go and Python.
#include "names.hpp"

#include "writer.hpp"

#include <set>
#include <utility>
#include <vector>

namespace weir::gen {
namespace {

using Keywords = std::set<std::string>;

Keywords words(std::string const &text)
{
    std::vector<std::string> const list = split_words(text);
    return Keywords(list.begin(), list.end());
}

std::vector<std::pair<std::string, Keywords>> const &languages()
{
    static std::vector<std::pair<std::string, Keywords>> const kLanguages = {
        {"C", words("auto break case char const continue default do double else enum extern float "
                    "for goto if inline int long register restrict return short signed sizeof "
                    "static struct switch typedef union unsigned void volatile while bool true "
                    "false nullptr constexpr typeof alignas alignof thread_local static_assert")},
        {"C++", words("asm and and_eq bitand bitor catch char8_t char16_t char32_t class co_await "
                      "co_return co_yield compl concept const_cast consteval constinit decltype "
                      "delete dynamic_cast explicit export friend mutable namespace new noexcept "
                      "not not_eq operator or or_eq private protected public reinterpret_cast "
                      "requires static_cast template this throw try typeid typename using virtual "
                      "wchar_t xor xor_eq")},
        {"Rust", words("as async await become box crate dyn extern final fn impl in let loop "
                       "macro match mod move mut override priv pub ref self Self super trait "
                       "type unsafe unsized use where yield abstract gen")},
        {"Go", words("chan defer fallthrough func go import interface map package range select "
                     "var")},
        {"Python", words("assert def del elif except finally from global is lambda nonlocal pass "
                         "raise with None True False")},
    };
    return kLanguages;
}

} // namespace

std::string method_name(Item const &function)
{
    std::string const klass = function.doc.klass.value + "_";
    if (starts_with(function.name, klass))
        return function.name.substr(klass.size());
    return starts_with(function.name, "weir_") ? function.name.substr(5) : function.name;
}

std::string plain_name(std::string const &name)
{
    return starts_with(name, "ret_") ? name.substr(4) : name;
}

std::string init_macro(std::string const &structure) { return upper(structure) + "_INIT"; }

std::string camel(std::string const &name)
{
    std::string const rest = starts_with(name, "weir_") ? name.substr(5) : name;
    std::string out;
    bool start = true;
    for (char c : rest) {
        bool const letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        char const low = letter ? static_cast<char>(c | 0x20) : c;
        if (c != '_')
            out += start ? upper(std::string(1, low)) : std::string(1, low);
        start = c == '_';
    }
    return out;
}

std::string member_name(Item const &item, Member const &member)
{
    std::string const type = upper(item.name) + "_";
    std::size_t shared = 0;
    for (std::size_t i = 0; i < type.size() && member.name[i] == type[i]; ++i)
        if (type[i] == '_')
            shared = i + 1;
    std::string const rest = member.name.substr(shared);
    bool const usable = !rest.empty() && rest[0] >= 'A' && rest[0] <= 'Z';
    return usable ? rest : member.name;
}

bool is_skipped(Item const &item, std::string const &language)
{
    for (SkipDoc const &skip : item.doc.skips)
        if (skip.language == language)
            return true;
    return false;
}

std::string keyword_language(std::string const &name)
{
    for (auto const &language : languages())
        if (language.second.count(name) != 0)
            return language.first;
    return "";
}

} // namespace weir::gen
