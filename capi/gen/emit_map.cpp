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

} // namespace

std::vector<Node> nodes_of(Model const &model)
{
    std::vector<Node> nodes;
    std::string last;
    for (Release const &release : model.releases) {
        if (release.soversion != model.current().soversion || release.node == last)
            continue;
        last = release.node;
        std::vector<std::string> symbols = symbols_of(model, release.node);
        if (!symbols.empty() || nodes.empty())
            nodes.push_back({release.node, release.version, std::move(symbols)});
    }
    return nodes;
}

std::string emit_map(Model const &model)
{
    std::string out = banner(CommentStyle::block);
    std::string parent;
    for (Node const &node : nodes_of(model)) {
        out += (parent.empty() ? "" : "\n") + node.name + " {\n";
        if (!node.symbols.empty())
            out += "global:\n";
        for (std::string const &symbol : node.symbols)
            out += "    " + symbol + ";\n";
        if (parent.empty())
            out += "local:\n    *;\n";
        out += parent.empty() ? "};\n" : "} " + parent + ";\n";
        parent = node.name;
    }
    return out;
}

} // namespace weir::gen
