// SPDX-License-Identifier: MIT OR Apache-2.0
// The text of a doc comment: lines without decoration, cut into blocks that begin with a tag.
#pragma once

#include "lexer.hpp"

#include <string>
#include <vector>

namespace weir::gen {

struct DocLine {
    int number;
    std::string text; ///< without the star in front; indent is kept
};

/// A tag with the lines that belong to it; `name` is empty for the text before the first tag.
struct DocBlock {
    DocLine tag;
    std::string name;
    std::vector<DocLine> lines; ///< the first one without the tag
};

std::vector<DocBlock> doc_blocks(Token const &comment);

/// All words of the lines, with single blanks.
std::string joined(std::vector<DocLine> const &lines);

} // namespace weir::gen
