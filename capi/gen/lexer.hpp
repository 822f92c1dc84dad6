// SPDX-License-Identifier: MIT OR Apache-2.0
// Cuts a source into tokens with line numbers; comments go, doc comments stay.
#pragma once

#include "diag.hpp"

#include <string>
#include <vector>

namespace weir::gen {

enum class TokenKind { word, number, punct, string, doc, end };

struct Token {
    TokenKind kind = TokenKind::end;
    std::string text;
    int line = 0;
    int conditional = 0; ///< how many `#if` are open here
};

/// A preprocessor line with its continuations.
struct Directive {
    std::string text;
    int line = 0;
};

struct TokenList {
    std::string file;
    std::vector<Token> tokens; ///< the last one is `end`
    std::vector<Directive> directives;
};

TokenList lex(std::string const &file, std::string const &text, Diagnostics &diagnostics);

} // namespace weir::gen
