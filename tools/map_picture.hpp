// SPDX-License-Identifier: MIT OR Apache-2.0
// Draws the grid of a segment: as text, in colours if wanted, and as SVG.
#pragma once

#include "map_grid.hpp"
#include "owners.hpp"

#include <string>

namespace tool {

std::string terminal_picture(SegmentPicture const &picture, OwnerNames const &owners,
                             std::size_t width, std::size_t rows, bool colours);

/// Throws if the file cannot be written.
void write_svg(std::string const &path, SegmentPicture const &picture, OwnerNames const &owners,
               std::string const &title);

/// Owners in the order in which they appear, each with a letter and a colour.
class Palette {
  public:
    std::size_t index_of(std::uint64_t owner);
    /// A, B, ... Z, then A again.
    char letter(std::uint64_t owner);
    std::vector<std::uint64_t> const &owners() const { return owners_; }

  private:
    std::vector<std::uint64_t> owners_;
};

} // namespace tool
