// SPDX-License-Identifier: MIT OR Apache-2.0
// The files under a folder, as an ingest sees them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tool::ingest {

struct Tree {
    std::vector<std::string> paths; ///< regular files, relative to the root, sorted
    std::uint64_t bytes = 0;        ///< their sizes when they were listed
    std::uint64_t largest = 0;
    std::string largest_path;
    std::uint64_t links = 0;             ///< symbolic links, which are skipped
    std::uint64_t specials = 0;          ///< devices, sockets and pipes, which are skipped
    std::vector<std::string> unreadable; ///< folders that could not be listed, with the reason
};

/// Lists the tree. Throws if the root itself cannot be opened.
Tree list_tree(std::string const &root);

} // namespace tool::ingest
