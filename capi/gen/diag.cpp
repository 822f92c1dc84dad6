// SPDX-License-Identifier: MIT OR Apache-2.0
// Formats the errors of a stage: one line each, in the order of the files.
#include "diag.hpp"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <tuple>

namespace weir::gen {
namespace {

constexpr char const *kRules[] = {
    "grammar",        "unannotated",   "doc-missing", "tag-unknown",    "tag-missing",
    "tag-twice",      "text-empty",    "name-prefix", "name-keyword",   "pointer-direction",
    "pointer-kind",   "out-last",      "length-pair", "class-shape",    "handle-dtor",
    "return-shape",   "errors-closed", "enum-value",  "flag-value",     "struct-kind",
    "struct-padding", "abi-type",      "unit",        "callback-shape", "batch-shape",
    "since",          "released",      "skip-reason", "deprecated-use", "consumed-shape",
};

} // namespace

std::string rule_list()
{
    std::string out;
    for (char const *rule : kRules)
        out += std::string(rule) + "\n";
    return out;
}

void Diagnostics::error(Location const &at, std::string const &rule, std::string const &message)
{
    if (std::find(std::begin(kRules), std::end(kRules), rule) == std::end(kRules))
        throw std::logic_error("unknown rule " + rule);
    errors_.push_back({at, rule, message});
}

std::string Diagnostics::text() const
{
    std::vector<Error> sorted = errors_;
    std::stable_sort(sorted.begin(), sorted.end(), [](Error const &a, Error const &b) {
        return std::tie(a.at.file, a.at.line) < std::tie(b.at.file, b.at.line);
    });

    std::string out;
    for (Error const &error : sorted)
        out += error.at.file + ":" + std::to_string(error.at.line) + ": error: " + error.message +
               " [" + error.rule + "]\n";
    out += "weirgen: " + std::to_string(count()) + (count() == 1 ? " error\n" : " errors\n");
    return out;
}

std::string in_quotes(std::string const &word) { return "'" + word + "'"; }

} // namespace weir::gen
