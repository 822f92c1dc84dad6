// SPDX-License-Identifier: MIT OR Apache-2.0
// Reads words, types and integers, and says what was expected where they do not fit.
#include "cursor.hpp"

#include "writer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace weir::gen {
namespace {

std::uint64_t shifted(std::uint64_t value, std::uint64_t by)
{
    if (by > 63 || (value << by) >> by != value)
        throw Mismatch("the shifted value does not fit 64 bits");
    return value << by;
}

} // namespace

Cursor::Cursor(TokenList list) : list_(std::move(list)) {}

Token const &Cursor::ahead(std::size_t n) const
{
    return list_.tokens[std::min(at_ + n, list_.tokens.size() - 1)];
}

bool Cursor::is(std::string const &text) const
{
    return now().kind != TokenKind::string && now().kind != TokenKind::doc &&
           now().kind != TokenKind::end && now().text == text;
}

bool Cursor::accept(std::string const &text)
{
    if (!is(text))
        return false;
    ++at_;
    return true;
}

void Cursor::expect(std::string const &text)
{
    if (!accept(text))
        mismatch(in_quotes(text));
}

std::string Cursor::word(std::string const &what)
{
    if (now().kind != TokenKind::word)
        mismatch(what);
    return list_.tokens[at_++].text;
}

void Cursor::mismatch(std::string const &expected) const
{
    std::string found = in_quotes(now().text);
    if (now().kind == TokenKind::end)
        found = "the end of the file";
    else if (now().kind == TokenKind::doc)
        found = "a doc comment";
    throw Mismatch("expected " + expected + ", found " + found);
}

std::vector<Token> Cursor::declarator_words(std::string const &what)
{
    std::vector<Token> words;
    while (now().kind == TokenKind::word || is("*"))
        words.push_back(list_.tokens[at_++]);
    if (words.empty() || words[0].text == "*")
        mismatch(what);
    return words;
}

std::string Cursor::name_of(std::vector<Token> &words) const
{
    if (words.size() < 2 || words.back().text == "*" || words.back().text == "const")
        mismatch("a name");
    std::string const name = words.back().text;
    words.pop_back();
    return name;
}

Type Cursor::type_of(std::vector<Token> const &words) const
{
    Type type;
    std::vector<std::string> base;
    for (Token const &word : words) {
        if (word.text == "*")
            type.pointers.push_back(false);
        else if (word.text == "const" && !type.pointers.empty())
            type.pointers.back() = true;
        else if (word.text == "const" && base.empty() && !type.is_const)
            type.is_const = true;
        else if (word.text == "struct" && base.empty())
            type.is_struct = true;
        else if (type.pointers.empty())
            base.push_back(word.text);
        else
            throw Mismatch("expected '*', 'const' or a name, found " + in_quotes(word.text));
    }
    if (base.empty())
        throw Mismatch("expected a type in front of " + in_quotes(now().text));
    type.base = join(base, " ");
    return type;
}

Number Cursor::integer()
{
    Number number;
    number.negative = accept("-");
    number.magnitude = literal();
    if (accept("<<"))
        number.magnitude = shifted(number.magnitude, literal());
    return number;
}

std::uint64_t Cursor::literal()
{
    if (now().kind != TokenKind::number)
        mismatch("an integer");
    std::string text = now().text;
    if (ends_with(text, "u") || ends_with(text, "U"))
        text.pop_back();
    bool const hexadecimal = starts_with(text, "0x") || starts_with(text, "0X");
    std::string const digits = hexadecimal ? "0123456789abcdefABCDEF" : "0123456789";
    std::string const body = hexadecimal ? text.substr(2) : text;
    bool const octal = !hexadecimal && body.size() > 1 && body[0] == '0';
    if (body.empty() || octal || body.find_first_not_of(digits) != std::string::npos)
        mismatch("a decimal or hexadecimal integer");
    errno = 0;
    std::uint64_t const value = std::strtoull(body.c_str(), nullptr, hexadecimal ? 16 : 10);
    if (errno != 0)
        mismatch("an integer of 64 bits");
    ++at_;
    return value;
}

} // namespace weir::gen
