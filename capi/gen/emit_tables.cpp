// SPDX-License-Identifier: MIT OR Apache-2.0
// Small tables: the hashes of all snapshots, and the address of every function.
#include "emit.hpp"

#include "writer.hpp"

#include <cstdio>

namespace weir::gen {
namespace {

std::string table_line(std::string const &version, std::string const &snapshot)
{
    char line[96];
    std::snprintf(line, sizeof line, "    {0x%06llxu, UINT64_C(0x%016llx)}, // %s\n",
                  static_cast<unsigned long long>(version_number(version)),
                  static_cast<unsigned long long>(snapshot_hash(snapshot)), version.c_str());
    return line;
}

} // namespace

std::uint64_t snapshot_hash(std::string const &bytes)
{
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (char c : bytes)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return hash;
}

std::string emit_abi_table(Model const &model, std::vector<Snapshot> const &released)
{
    std::string out = banner(CommentStyle::slashes);
    out += "// FNV-1a 64 of the ABI snapshot of every release, for weir_abi_hash().\n"
           "static constexpr struct {\n    uint32_t version;\n    uint64_t hash;\n"
           "} kAbiTable[] = {\n";
    for (Release const &release : model.releases)
        for (Snapshot const &snapshot : released)
            if (snapshot.version == minor_of(release.version) &&
                release.version != model.current().version)
                out += table_line(release.version, snapshot.text);
    return out + table_line(model.current().version, emit_snapshot(model)) + "};\n";
}

std::string emit_surface(Model const &model)
{
    std::string out = banner(CommentStyle::block);
    out += "/* The name and the address of every function; without them all nothing links. */\n"
           "#include <weir.h>\n\n"
           "struct surface_function {\n    const char *name;\n    void (*address)(void);\n};\n\n"
           "extern const struct surface_function surface_functions[];\n"
           "extern const size_t surface_count;\n\n"
           "const struct surface_function surface_functions[] = {\n";
    std::size_t count = 0;
    for_each(model, ItemKind::function, [&](Item const &item) {
        out += "    {\"" + item.name + "\", (void (*)(void))" + item.name + "},\n";
        ++count;
    });
    if (count == 0)
        out += "    {NULL, NULL},\n";
    return out + "};\n\nconst size_t surface_count = " + std::to_string(count) + ";\n";
}

} // namespace weir::gen
