// SPDX-License-Identifier: MIT OR Apache-2.0
// A place in a list of tokens, and the grammar's smallest parts: words, declarators, integers.
#pragma once

#include "lexer.hpp"
#include "model.hpp"

#include <stdexcept>
#include <string>
#include <vector>

namespace weir::gen {

/// Thrown at the first token that does not fit; the parser goes on behind the item.
struct Mismatch : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Cursor {
  public:
    explicit Cursor(TokenList list);

  protected:
    Token const &now() const { return list_.tokens[at_]; }
    Token const &ahead(std::size_t n) const;
    bool is(std::string const &text) const;
    bool accept(std::string const &text);
    void expect(std::string const &text);
    std::string word(std::string const &what);
    [[noreturn]] void mismatch(std::string const &expected) const;

    /// Words and stars up to something else. What they mean is decided by name_of and type_of.
    std::vector<Token> declarator_words(std::string const &what);

    /// Takes the last word off as the name.
    std::string name_of(std::vector<Token> &words) const;

    /// Several words as base, as in `unsigned long`, stay one base that lint refuses.
    Type type_of(std::vector<Token> const &words) const;

    /// `[-] literal [<< literal]`
    Number integer();

    TokenList list_;
    std::size_t at_ = 0;

  private:
    std::uint64_t literal();
};

} // namespace weir::gen
