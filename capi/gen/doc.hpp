// SPDX-License-Identifier: MIT OR Apache-2.0
// Doc comments: brief, paragraphs, tags and words.
#pragma once

#include "lexer.hpp"
#include "model.hpp"

namespace weir::gen {

/// Parses one `/** … */`. What a tag may say is checked here; whether it may stand there and
/// whether one is missing is lint.
Doc parse_doc(std::string const &file, Token const &comment, Diagnostics &diagnostics);

/// True for the comment of a field or constant: its words are told from prose by a semicolon.
/// Only a pointer member's comment begins with words.
void parse_member_words(Doc &doc, Diagnostics &diagnostics);

} // namespace weir::gen
