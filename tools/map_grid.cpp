// SPDX-License-Identifier: MIT OR Apache-2.0
// The picture of a segment as a grid of cells, for the terminal and for SVG.
#include "map_grid.hpp"

#include "error.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace tool {
namespace {
Use use_of(weir_block_kind kind)
{
    switch (kind) {
    case WEIR_BLOCK_FREE:
        return Use::free;
    case WEIR_BLOCK_TRIMMED:
        return Use::trimmed;
    case WEIR_BLOCK_CACHED:
        return Use::cached;
    case WEIR_BLOCK_ALLOCATED:
    case WEIR_BLOCK_RESIZING:
        return Use::owned;
    default:
        return Use::busy;
    }
}

/// Collects the bytes of one cell by what they are.
class CellSum {
  public:
    void add(Piece const &piece, std::uint64_t bytes)
    {
        if (piece.use != Use::free)
            taken_[{piece.use, piece.owner}] += bytes;
        total_ += bytes;
    }

    Cell finish()
    {
        Cell cell;
        std::uint64_t taken = 0;
        std::uint64_t most = 0;
        for (auto const &[what, bytes] : taken_) {
            taken += bytes;
            if (bytes > most) {
                most = bytes;
                cell.use = what.first;
                cell.owner = what.second;
            }
        }
        cell.mostly = taken * 2 > total_;
        if (cell.use == Use::trimmed && !cell.mostly)
            cell.use = Use::free;
        taken_.clear();
        total_ = 0;
        return cell;
    }

  private:
    std::map<std::pair<Use, std::uint64_t>, std::uint64_t> taken_;
    std::uint64_t total_ = 0;
};

std::uint64_t round_up(std::uint64_t value, std::uint64_t step)
{
    return (value + step - 1) / step * step;
}
} // namespace

SegmentPicture::SegmentPicture(Matrix const &matrix)
{
    weir_matrix_info const stats = stats_of(matrix);
    std::copy_n(stats.sector_granule, kSectors, granules_.begin());
    int const code = each_block(matrix, [this](weir_block_info const &block) {
        if (block.sector < kSectors)
            pieces_[block.sector].push_back({block.length, block.owner, use_of(block.kind)});
    });
    must(code, "walk");
}

SectorGrid SegmentPicture::grid(weir_sector sector, std::size_t most_cells) const
{
    SectorGrid grid;
    for (auto const &piece : pieces_[sector]) {
        grid.bytes += piece.length;
        if (piece.use != Use::trimmed)
            grid.committed += piece.length;
        if (piece.use == Use::owned)
            grid.used += piece.length;
    }
    std::uint64_t const least = std::max<std::uint64_t>(granules_[sector], 1);
    std::uint64_t const wanted = (grid.bytes + most_cells - 1) / most_cells;
    grid.cell_bytes = std::max(least, round_up(wanted, least));

    CellSum sum;
    std::uint64_t room = grid.cell_bytes;
    for (auto const &piece : pieces_[sector]) {
        for (std::uint64_t left = piece.length; left > 0;) {
            std::uint64_t const part = std::min(left, room);
            sum.add(piece, part);
            left -= part;
            room -= part;
            if (room == 0) {
                grid.cells.push_back(sum.finish());
                room = grid.cell_bytes;
            }
        }
    }
    if (room < grid.cell_bytes)
        grid.cells.push_back(sum.finish());
    return grid;
}

} // namespace tool
