// SPDX-License-Identifier: MIT OR Apache-2.0
// Helpers for text and files that all emitters share.
#include "writer.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace weir::gen {

std::string banner(CommentStyle style)
{
    std::string const license = std::string("SPDX-License-Identifier: ") + kLicense;
    switch (style) {
    case CommentStyle::block:
        return "/* " + license + " */\n/* " + kBanner + " */\n";
    case CommentStyle::slashes:
        return "// " + license + "\n// " + kBanner + "\n";
    case CommentStyle::hash:
        break;
    }
    return "# " + license + "\n# " + kBanner + "\n";
}

namespace {

/// Words of a paragraph; what stands between backticks counts as one word.
std::vector<std::string> unbreakable_words(std::string const &text)
{
    std::vector<std::string> words;
    std::string word;
    bool code = false;
    for (char c : text) {
        if (c == '`')
            code = !code;
        if (c == ' ' && !code) {
            if (!word.empty())
                words.push_back(word);
            word.clear();
        } else {
            word += c;
        }
    }
    if (!word.empty())
        words.push_back(word);
    return words;
}

std::string without_trailing_blanks(std::string line)
{
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

} // namespace

std::string wrap(std::string const &first, std::string const &rest, std::string const &text,
                 std::size_t width)
{
    return wrap_words(first, rest, unbreakable_words(text), width);
}

std::string wrap_words(std::string const &first, std::string const &rest,
                       std::vector<std::string> const &words, std::size_t width)
{
    std::string out;
    std::string line = first;
    bool empty = true;
    for (std::string const &word : words) {
        if (!empty && line.size() + 1 + word.size() > width) {
            out += without_trailing_blanks(line) + "\n";
            line = rest;
            empty = true;
        }
        line += empty ? word : " " + word;
        empty = false;
    }
    return out + without_trailing_blanks(line) + "\n";
}

std::string join(std::vector<std::string> const &parts, std::string const &separator)
{
    std::string out;
    for (std::size_t i = 0; i < parts.size(); ++i)
        out += (i == 0 ? "" : separator) + parts[i];
    return out;
}

std::string trim(std::string const &text)
{
    std::size_t const begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string::npos)
        return "";
    return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

std::vector<std::string> split_words(std::string const &text)
{
    std::istringstream in(text);
    std::vector<std::string> words;
    for (std::string word; in >> word;)
        words.push_back(word);
    return words;
}

std::string upper(std::string text)
{
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

bool starts_with(std::string const &text, std::string const &prefix)
{
    return text.compare(0, prefix.size(), prefix) == 0;
}

bool ends_with(std::string const &text, std::string const &suffix)
{
    return text.size() >= suffix.size() &&
           text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

std::string string_literal(std::string const &text)
{
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\')
            out += '\\';
        if (c == '\n')
            out += "\\n";
        else if (c == '\t')
            out += "\\t";
        else
            out += c;
    }
    return out + "\"";
}

std::optional<std::string> read_file(std::string const &path)
{
    std::error_code failed;
    if (!std::filesystem::is_regular_file(path, failed))
        return std::nullopt;
    std::ifstream in(path, std::ios::binary);
    if (!in)
        return std::nullopt;
    std::ostringstream bytes;
    bytes << in.rdbuf();
    return bytes.str();
}

bool write_if_changed(std::string const &path, std::string const &bytes)
{
    if (read_file(path) == bytes)
        return true;
    std::error_code failed;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failed);
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << bytes;
    out.flush();
    return out.good();
}

} // namespace weir::gen
