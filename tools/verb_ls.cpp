// SPDX-License-Identifier: MIT OR Apache-2.0
// weir ls: the named segments of this machine.
#include "verbs.hpp"

#include "error.hpp"
#include "matrix_handle.hpp"
#include "output.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace tool {
namespace {
constexpr char kFolder[] = "/dev/shm";
constexpr char kPrefix[] = "weir.";

struct Row {
    std::string name;
    std::uint64_t resident = 0; ///< bytes that the file takes on the file system
    std::string problem;        ///< why it cannot be looked into; empty if it can
    weir_matrix_info stats = WEIR_MATRIX_INFO_INIT;
};

std::vector<std::string> names()
{
    std::vector<std::string> found;
    std::string const prefix = kPrefix;
    for (auto const &entry : std::filesystem::directory_iterator(kFolder)) {
        std::string const file = entry.path().filename().string();
        if (file.size() > prefix.size() && file.compare(0, prefix.size(), prefix) == 0)
            found.push_back(file.substr(prefix.size()));
    }
    std::sort(found.begin(), found.end());
    return found;
}

void look_into(Row &row, bool foreign)
{
    try {
        Matrix const matrix = observe_matrix(row.name, foreign);
        row.stats = stats_of(matrix);
    } catch (Failure const &failure) {
        row.problem = failure.what();
        if (std::string const known = printable(row.name) + ": "; row.problem.rfind(known, 0) == 0)
            row.problem.erase(0, known.size()); // the row says so
    }
}

std::vector<Row> list(bool foreign)
{
    std::vector<Row> rows;
    for (auto const &name : names()) {
        struct stat info {};
        std::string const path = std::string(kFolder) + "/" + kPrefix + name;
        if (lstat(path.c_str(), &info) != 0)
            continue; // gone meanwhile
        Row row;
        row.name = name;
        row.resident = static_cast<std::uint64_t>(info.st_blocks) * 512;
        look_into(row, foreign);
        rows.push_back(std::move(row));
    }
    return rows;
}

void show_text(std::vector<Row> const &rows)
{
    Table table(
        {"name", "capacity", "committed", "in use", "blocks", "participants", "resident", "note"},
        {0, 7});
    for (auto const &row : rows) {
        if (!row.problem.empty()) {
            table.add({printable(row.name), "?", "?", "?", "?", "?", human_bytes(row.resident),
                       row.problem});
            continue;
        }
        table.add({printable(row.name), human_bytes(row.stats.capacity),
                   human_bytes(row.stats.committed_bytes), human_bytes(row.stats.used_bytes),
                   std::to_string(row.stats.used_blocks), std::to_string(row.stats.participants),
                   human_bytes(row.resident)});
    }
    print(rows.empty() ? "no segments in /dev/shm\n" : table.text());
}

void show_json(std::vector<Row> const &rows)
{
    auto list = nlohmann::ordered_json::array();
    for (auto const &row : rows) {
        nlohmann::ordered_json one{{"name", row.name}, {"resident_bytes", row.resident}};
        if (row.problem.empty()) {
            one["capacity"] = row.stats.capacity;
            one["committed_bytes"] = row.stats.committed_bytes;
            one["used_bytes"] = row.stats.used_bytes;
            one["used_blocks"] = row.stats.used_blocks;
            one["participants"] = row.stats.participants;
        } else {
            one["error"] = row.problem;
        }
        list.push_back(one);
    }
    print_json({{"segments", list}});
}
} // namespace

int list_segments(ListOptions const &options)
{
    auto const rows = list(options.foreign);
    options.json ? show_json(rows) : show_text(rows);
    return 0;
}

} // namespace tool
