// SPDX-License-Identifier: MIT OR Apache-2.0
// Comments of weir.h: the source's comment again, with its words as sentences.
#pragma once

#include "model.hpp"
#include "resolve.hpp"

#include <string>

namespace weir::gen {

std::string item_comment(Item const &item, Index const &index);
std::string member_comment(Member const &member, std::string const &indent);
std::string comment_paragraph(Paragraph const &paragraph, std::string const &prefix);

/// `words` as lines of a macro, each but the last with its backslash.
std::string wrap_macro(std::string const &first, std::string const &rest,
                       std::vector<std::string> const &words);

/// Prose begins lower case in lists; as a paragraph of its own it ends with a full stop.
std::string stopped(std::string const &text);

/// What a function returns when it succeeds, as a sentence, or nothing.
std::string return_text(Item const &item, Index const &index);

/// The words of a parameter, a result or a field as sentences, or nothing.
std::string sentences(std::vector<Word> const &words, Type const &type, Index const &index);

/// "Any thread. Blocks. Not for signal handlers. Since 0.1."
std::string contract_sentences(Doc const &doc);

} // namespace weir::gen
