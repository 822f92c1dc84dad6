// SPDX-License-Identifier: MIT OR Apache-2.0
// Draws the grid of a segment as SVG.
#include "map_picture.hpp"

#include "error.hpp"
#include "output.hpp"

#include <array>
#include <fstream>

#include <fmt/format.h>

namespace tool {
namespace {
constexpr std::size_t kColumns = 160;
constexpr std::size_t kRows = 40;
constexpr int kCell = 6;    // pixels
constexpr int kLine = 18;   // pixels between lines of text
constexpr int kBorder = 12; // pixels

// Okabe and Ito's colours, which most colour-blind people can tell apart.
constexpr std::array<char const *, 8> kFills = {"#0072B2", "#E69F00", "#009E73", "#CC79A7",
                                                "#56B4E9", "#D55E00", "#F0E442", "#000000"};

std::string escaped(std::string const &text)
{
    std::string safe;
    for (char const c : text) {
        switch (c) {
        case '&':
            safe += "&amp;";
            break;
        case '<':
            safe += "&lt;";
            break;
        case '>':
            safe += "&gt;";
            break;
        case '"':
            safe += "&quot;";
            break;
        default:
            safe += c;
        }
    }
    return safe;
}

std::string colour_of(Cell const &cell, Palette &palette)
{
    switch (cell.use) {
    case Use::free:
        return "#eeeeee";
    case Use::trimmed:
        return "#ffffff";
    case Use::cached:
        return "#bbbbbb";
    case Use::busy:
        return "#ff0000";
    case Use::owned:
        break;
    }
    return kFills[palette.index_of(cell.owner) % kFills.size()];
}

/// Grows downwards as things are added.
class Drawing {
  public:
    void text(std::string const &line)
    {
        body_ += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>\n", kBorder, y_ + kLine - 5,
                             escaped(line));
        y_ += kLine;
    }

    void key(std::string const &colour, std::string const &line)
    {
        body_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{}\"/>"
                             "<text x=\"{}\" y=\"{}\">{}</text>\n",
                             kBorder, y_ + 3, colour, kBorder + 18, y_ + kLine - 5, escaped(line));
        y_ += kLine;
    }

    void cells(SectorGrid const &grid, Palette &palette)
    {
        for (std::size_t i = 0; i < grid.cells.size();) {
            Cell const &cell = grid.cells[i];
            std::string const colour = colour_of(cell, palette);
            double const opacity = cell.use == Use::owned && !cell.mostly ? 0.5 : 1;
            std::size_t run = 1; // equal cells of one row are one rectangle
            while (i + run < grid.cells.size() && (i + run) % kColumns != 0 &&
                   same(cell, grid.cells[i + run]))
                ++run;
            body_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\" "
                                 "fill-opacity=\"{}\"/>\n",
                                 kBorder + static_cast<int>(i % kColumns) * kCell,
                                 y_ + static_cast<int>(i / kColumns) * kCell,
                                 static_cast<int>(run) * kCell, kCell, colour, opacity);
            i += run;
        }
        y_ += static_cast<int>((grid.cells.size() + kColumns - 1) / kColumns) * kCell + kBorder;
    }

    std::string document() const
    {
        int const width = 2 * kBorder + static_cast<int>(kColumns) * kCell;
        return fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
                           "viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" font-size=\"13\">\n"
                           "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n{2}</svg>\n",
                           width, y_ + kBorder, body_);
    }

  private:
    static bool same(Cell const &left, Cell const &right)
    {
        return left.use == right.use && left.owner == right.owner && left.mostly == right.mostly;
    }

    std::string body_;
    int y_ = kBorder;
};
} // namespace

void write_svg(std::string const &path, SegmentPicture const &picture, OwnerNames const &owners,
               std::string const &title)
{
    Palette palette;
    Drawing drawing;
    drawing.text(fmt::format("weir map {}", printable(title)));
    for (weir_sector sector = 0; sector < kSectors; ++sector) {
        SectorGrid const grid = picture.grid(sector, kColumns * kRows);
        drawing.text(fmt::format("{}: {} committed, {} in use", sector_name(sector),
                                 human_bytes(grid.committed), human_bytes(grid.used)));
        drawing.cells(grid, palette);
    }
    drawing.key("#eeeeee", "free");
    drawing.key("#ffffff", "given back to the system");
    drawing.key("#bbbbbb", "kept by a thread for its next allocation");
    drawing.key("#ff0000", "in the hands of an operation");
    for (std::uint64_t const owner : palette.owners())
        drawing.key(kFills[palette.index_of(owner) % kFills.size()], owners.text(owner));

    if (path == "-") {
        print(drawing.document());
        return;
    }
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << drawing.document();
    file.close();
    if (!file)
        fail_errno("cannot write " + printable(path));
}

} // namespace tool
