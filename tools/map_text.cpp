// SPDX-License-Identifier: MIT OR Apache-2.0
// Draws the grid of a segment as text.
#include "map_picture.hpp"

#include "output.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

namespace tool {
namespace {
constexpr std::size_t kMargin = 2;
constexpr std::array<int, 6> kForegrounds = {36, 33, 35, 32, 34, 31}; // of ANSI

/// Owners as letters, capital where the cell is mostly in use; the rest as punctuation.
std::string glyph(Cell const &cell, Palette &palette, bool colours)
{
    switch (cell.use) {
    case Use::free:
        return ".";
    case Use::trimmed:
        return "_";
    case Use::cached:
        return "-";
    case Use::busy:
        return "!";
    case Use::owned:
        break;
    }
    char const letter = palette.letter(cell.owner);
    std::string const shown(1, cell.mostly ? letter : static_cast<char>(std::tolower(letter)));
    if (!colours)
        return shown;
    int const colour = kForegrounds[palette.index_of(cell.owner) % kForegrounds.size()];
    return fmt::format("\033[{}m{}\033[0m", colour, shown);
}

std::string sector_lines(SectorGrid const &grid, Palette &palette, std::size_t width, bool colours)
{
    std::string text;
    for (std::size_t i = 0; i < grid.cells.size(); ++i) {
        if (i % width == 0)
            text += (i == 0 ? "" : "\n") + std::string(kMargin, ' ');
        text += glyph(grid.cells[i], palette, colours);
    }
    return grid.cells.empty() ? "" : text + "\n";
}

std::string legend(Palette &palette, OwnerNames const &owners)
{
    std::string text =
        ". free   _ given back to the system   - kept by a thread   ! in an operation\n";
    for (std::uint64_t const owner : palette.owners())
        text += fmt::format("{} {}\n", palette.letter(owner), owners.text(owner));
    return text + "a small letter: less than half of the cell is in use\n";
}
} // namespace

std::size_t Palette::index_of(std::uint64_t owner)
{
    auto const found = std::find(owners_.begin(), owners_.end(), owner);
    if (found != owners_.end())
        return static_cast<std::size_t>(found - owners_.begin());
    owners_.push_back(owner);
    return owners_.size() - 1;
}

char Palette::letter(std::uint64_t owner) { return static_cast<char>('A' + index_of(owner) % 26); }

std::string terminal_picture(SegmentPicture const &picture, OwnerNames const &owners,
                             std::size_t width, std::size_t rows, bool colours)
{
    std::size_t const columns = width - kMargin;
    Palette palette;
    std::string text;
    for (weir_sector sector = 0; sector < kSectors; ++sector) {
        SectorGrid const grid = picture.grid(sector, columns * rows);
        text += fmt::format("{}: {} committed, {} in use", sector_name(sector),
                            human_bytes(grid.committed), human_bytes(grid.used));
        text += grid.cells.empty() ? "\n"
                                   : fmt::format("; a cell is {}\n", human_bytes(grid.cell_bytes));
        text += sector_lines(grid, palette, columns, colours) + "\n";
    }
    return text + legend(palette, owners);
}

} // namespace tool
