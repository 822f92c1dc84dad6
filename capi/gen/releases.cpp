// SPDX-License-Identifier: MIT OR Apache-2.0
// The release history: which version, date, map node and soversion every release has.
#include "parser.hpp"

#include "writer.hpp"

#include <sstream>

namespace weir::gen {
namespace {

bool is_version(std::string const &text)
{
    int dots = 0;
    for (char c : text)
        dots += c == '.';
    return dots == 2 && text.find_first_not_of("0123456789.") == std::string::npos &&
           text.front() != '.' && text.back() != '.' && text.find("..") == std::string::npos;
}

bool is_date(std::string const &text)
{
    if (text.size() != 10)
        return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        bool const dash = i == 4 || i == 7;
        if (dash ? text[i] != '-' : text[i] < '0' || text[i] > '9')
            return false;
    }
    return true;
}

/// What is wrong with a line by itself, or nothing.
std::string problem(std::vector<std::string> const &words)
{
    if (words.size() != 4)
        return "expected version, date, map node and soversion";
    if (!is_version(words[0]))
        return "version " + in_quotes(words[0]) + " is not M.N.P";
    if (words[1] != "unreleased" && !is_date(words[1]))
        return "date " + in_quotes(words[1]) + " is neither YYYY-MM-DD nor 'unreleased'";
    if (words[2] != "WEIR_" + minor_of(words[0]))
        return "node " + in_quotes(words[2]) + " is not 'WEIR_" + minor_of(words[0]) + "'";
    if (words[3].find_first_not_of("0123456789") != std::string::npos)
        return "soversion " + in_quotes(words[3]) + " is not a number";
    return "";
}

} // namespace

std::vector<Release> parse_releases(std::string const &file, std::string const &text,
                                    Diagnostics &diagnostics)
{
    std::vector<Release> releases;
    std::istringstream in(text);
    Location at = {file, 0};
    for (std::string line; std::getline(in, line);) {
        ++at.line;
        std::vector<std::string> const words = split_words(line.substr(0, line.find('#')));
        if (words.empty())
            continue;
        std::string const wrong = problem(words);
        if (!wrong.empty())
            diagnostics.error(at, "grammar", wrong);
        else if (!releases.empty() && !version_less(releases.back().version, words[0]))
            diagnostics.error(at, "grammar", "version " + in_quotes(words[0]) + " is out of order");
        else if (!releases.empty() && releases.back().date == "unreleased")
            diagnostics.error(at, "grammar", "only the last line may be 'unreleased'");
        else
            releases.push_back({at, words[0], words[1], words[2], words[3]});
    }
    if (releases.empty() && !diagnostics.failed())
        diagnostics.error({file, 1}, "grammar", "no release");
    return releases;
}

} // namespace weir::gen
