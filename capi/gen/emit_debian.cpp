// SPDX-License-Identifier: MIT OR Apache-2.0
// The symbols file of the Debian package: since which version of weir each symbol is there.
#include "emit.hpp"

#include "writer.hpp"

namespace weir::gen {

// Versions are weir's own, without a Debian revision: a package depends on what a release added,
// not on who built it.
Output emit_debian(Model const &model)
{
    std::string const package = "libweir" + model.current().soversion;
    std::string out = banner(CommentStyle::hash);
    out += "libweir.so." + model.current().soversion + " " + package + " #MINVER#\n";
    out += "* Build-Depends-Package: libweir-dev\n";
    auto const line = [&](std::string const &symbol, Node const &node) {
        out += " " + symbol + "@" + node.name + " " + node.version + "\n";
    };
    for (Node const &node : nodes_of(model)) {
        line(node.name, node); // the linker makes a symbol of the node itself
        for (std::string const &symbol : node.symbols)
            line(symbol, node);
    }
    return {"debian", "pkgconfig/distro/debian/" + package + ".symbols", out};
}

} // namespace weir::gen
