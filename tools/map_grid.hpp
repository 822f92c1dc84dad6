// SPDX-License-Identifier: MIT OR Apache-2.0
// The picture of a segment as a grid of cells, for the terminal and for SVG.
#pragma once

#include "matrix_handle.hpp"
#include "names.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace tool {

/// What a stretch of a sector is, for the eye.
enum class Use : std::uint8_t { free, trimmed, cached, busy, owned };

struct Piece {
    std::uint64_t length;
    std::uint64_t owner;
    Use use;
};

/// One cell shows what most of its bytes are.
struct Cell {
    Use use = Use::free;
    std::uint64_t owner = 0;
    bool mostly = false; ///< more than half of the cell is not free
};

struct SectorGrid {
    std::uint64_t bytes = 0;
    std::uint64_t committed = 0; ///< of these, without what was trimmed
    std::uint64_t used = 0;
    std::uint64_t cell_bytes = 0;
    std::vector<Cell> cells;
};

/// The blocks of a matrix, walked once.
class SegmentPicture {
  public:
    explicit SegmentPicture(Matrix const &matrix);

    /// The sector in at most `most_cells` cells, each at least one granule.
    SectorGrid grid(weir_sector sector, std::size_t most_cells) const;

  private:
    std::array<std::vector<Piece>, kSectors> pieces_;
    std::array<std::uint64_t, kSectors> granules_{};
};

} // namespace tool
