// SPDX-License-Identifier: MIT OR Apache-2.0
// weir map: a picture of a segment in the terminal or as SVG.
#include "verbs.hpp"

#include "map_picture.hpp"
#include "matrix_handle.hpp"
#include "output.hpp"

#include <unistd.h>

#include <string>

#include <nlohmann/json.hpp>

namespace tool {
namespace {
constexpr std::size_t kJsonCells = 64;

char const *use_name(Cell const &cell)
{
    switch (cell.use) {
    case Use::free:
        return "free";
    case Use::trimmed:
        return "trimmed";
    case Use::cached:
        return "cached";
    case Use::busy:
        return "busy";
    case Use::owned:
        return "owned";
    }
    return "unknown";
}

nlohmann::ordered_json grid_json(SegmentPicture const &picture, weir_sector sector)
{
    SectorGrid const grid = picture.grid(sector, kJsonCells);
    auto cells = nlohmann::ordered_json::array();
    for (auto const &cell : grid.cells)
        cells.push_back({{"use", use_name(cell)}, {"owner", cell.owner}, {"mostly", cell.mostly}});
    return {{"sector", sector_name(sector)},
            {"committed_bytes", grid.committed},
            {"used_bytes", grid.used},
            {"cell_bytes", grid.cell_bytes},
            {"cells", cells}};
}
} // namespace

int show_map(MapOptions const &options)
{
    Matrix const matrix = observe_matrix(options.target.name, options.target.foreign);
    OwnerNames const owners(matrix);
    SegmentPicture const picture(matrix);
    if (!options.svg.empty())
        write_svg(options.svg, picture, owners, options.target.name);
    if (options.target.json) {
        auto sectors = nlohmann::ordered_json::array();
        for (weir_sector sector = 0; sector < kSectors; ++sector)
            sectors.push_back(grid_json(picture, sector));
        print_json({{"name", options.target.name}, {"sectors", sectors}});
    } else if (options.svg.empty()) {
        std::size_t const width = options.width > 0 ? options.width : terminal_width();
        print(terminal_picture(picture, owners, width, options.rows, has_colours(STDOUT_FILENO)));
    }
    return 0;
}

} // namespace tool
