// SPDX-License-Identifier: MIT OR Apache-2.0
// Takes the stars off a comment and finds the lines that begin with a tag.
#include "doc_text.hpp"

#include "writer.hpp"

#include <sstream>

namespace weir::gen {
namespace {

/// The lines of a comment without its decoration.
std::vector<DocLine> comment_lines(Token const &comment)
{
    std::istringstream in(comment.text.substr(3, comment.text.size() - 5));
    std::vector<DocLine> lines;
    int number = comment.line;
    for (std::string text; std::getline(in, text); ++number) {
        std::size_t const star = text.find_first_not_of(" \t");
        if (number != comment.line && star != std::string::npos && text[star] == '*')
            text.erase(0, star + 1);
        if (starts_with(text, " "))
            text.erase(0, 1);
        text.erase(text.find_last_not_of(" \t\r") + 1);
        lines.push_back({number, text});
    }
    return lines;
}

} // namespace

std::vector<DocBlock> doc_blocks(Token const &comment)
{
    std::vector<DocBlock> blocks(1);
    bool code = false;
    for (DocLine const &line : comment_lines(comment)) {
        std::string const text = trim(line.text);
        if (text == "@code" || text == "@endcode")
            code = text == "@code";
        if (code || text == "@endcode" || !starts_with(text, "@")) {
            blocks.back().lines.push_back(line);
            continue;
        }
        std::size_t const end = text.find_first_of(" \t[");
        std::string const rest = end == std::string::npos ? "" : text.substr(end);
        blocks.push_back({line, text.substr(0, end), {{line.number, rest}}});
    }
    return blocks;
}

std::string joined(std::vector<DocLine> const &lines)
{
    std::string out;
    for (DocLine const &line : lines)
        out += " " + line.text;
    return join(split_words(out), " ");
}

} // namespace weir::gen
