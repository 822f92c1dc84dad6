// SPDX-License-Identifier: MIT OR Apache-2.0
// Located errors: collected while a stage runs, printed together at its end.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace weir::gen {

/// A line of an input; `file` is relative to the root.
struct Location {
    std::string file;
    int line = 0;
};

/// Every rule that an error can name, one a line. The tests hold an input for each.
std::string rule_list();

class Diagnostics {
  public:
    /// `rule` is one of rule_list().
    void error(Location const &at, std::string const &rule, std::string const &message);
    std::size_t count() const { return errors_.size(); }
    bool failed() const { return !errors_.empty(); }

    /// All errors, ordered by file and line, then `weirgen: N errors`.
    std::string text() const;

  private:
    struct Error {
        Location at;
        std::string rule;
        std::string message;
    };

    std::vector<Error> errors_;
};

/// `word` in the quotes that every message uses.
std::string in_quotes(std::string const &word);

} // namespace weir::gen
