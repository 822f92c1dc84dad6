// SPDX-License-Identifier: MIT OR Apache-2.0
// weir.map: one version node per release that added functions.
#include "emit.hpp"

#include "writer.hpp"

#include <algorithm>

namespace weir::gen {
namespace {

std::vector<std::string> symbols_of(Model const &model, std::string const &node)
{
    std::vector<std::string> symbols;
    for_each(model, ItemKind::function, [&](Item const &item) {
        if (item.node == node)
            symbols.push_back(item.name);
    });
    std::sort(symbols.begin(), symbols.end());
    return symbols;
}

/// Nodes of the current soversion, each once, in the order of the releases.
std::vector<std::string> nodes_of(Model const &model)
{
    std::vector<std::string> nodes;
    for (Release const &release : model.releases)
        if (release.soversion == model.current().soversion &&
            (nodes.empty() || nodes.back() != release.node))
            nodes.push_back(release.node);
    return nodes;
}

} // namespace

std::string emit_map(Model const &model)
{
    std::string out = banner(CommentStyle::block);
    std::string parent;
    for (std::string const &node : nodes_of(model)) {
        std::vector<std::string> const symbols = symbols_of(model, node);
        if (symbols.empty() && !parent.empty())
            continue;
        out += (parent.empty() ? "" : "\n") + node + " {\n";
        if (!symbols.empty())
            out += "global:\n";
        for (std::string const &symbol : symbols)
            out += "    " + symbol + ";\n";
        if (parent.empty())
            out += "local:\n    *;\n";
        out += parent.empty() ? "};\n" : "} " + parent + ";\n";
        parent = node;
    }
    return out;
}

} // namespace weir::gen
