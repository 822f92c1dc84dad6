// SPDX-License-Identifier: MIT OR Apache-2.0
// The emitters of the C side: each makes one file out of a resolved model.
#pragma once

#include "model.hpp"

#include <string>
#include <utility>
#include <vector>

namespace weir::gen {

/// A file that weirgen writes; `kind` is the word of `--only`.
struct Output {
    std::string kind;
    std::string path;
    std::string text;
};

std::string emit_header(Model const &model);   ///< capi/include/weir.h
std::string emit_map(Model const &model);      ///< capi/abi/weir.map
std::string emit_snapshot(Model const &model); ///< capi/abi/weir.abi
std::string emit_json(Model const &model);     ///< capi/abi/weir.json
std::string emit_probe(Model const &model);    ///< tests/abi/probe.c
std::string emit_surface(Model const &model);  ///< tests/api/surface_gen.c

/// A version node of the symbol map: the release that brought it, and what it added, sorted.
struct Node {
    std::string name;
    std::string version;
    std::vector<std::string> symbols;
};

/// Nodes of the current soversion in the order of the releases; without those that added nothing.
std::vector<Node> nodes_of(Model const &model);

/// pkgconfig/distro/debian/libweirN.symbols, N being the soversion.
Output emit_debian(Model const &model);

/// A released snapshot: the version of its release and the bytes of the file.
struct Snapshot {
    std::string version;
    std::string text;
};

/// capi/src/abi_table.inc; `released` is in order of version.
std::string emit_abi_table(Model const &model, std::vector<Snapshot> const &released);

/// tests/api/options_gen.c; `released` tells the sizes a struct had before.
std::string emit_options(Model const &model, std::vector<Snapshot> const &released);

/// capi/man: a page per function, libweir.3, and meson.build, which installs them.
void emit_man(Model const &model, std::vector<Output> &outputs);

/// bindings/python/weir: `_ffi.py` with its stub, and `errors.py`.
void emit_python(Model const &model, std::vector<Output> &outputs);

/// bindings/go: `types_gen.go` and `funcs_gen.go`.
void emit_go(Model const &model, std::vector<Output> &outputs);

/// bindings/rust: weir-sys with its layout test, and `gen.rs` of the safe crate.
void emit_rust(Model const &model, std::vector<Output> &outputs);

/// FNV-1a 64, what weir_abi_hash() says about a snapshot.
std::uint64_t snapshot_hash(std::string const &bytes);

/// The facts of a snapshot, sorted: what emit_snapshot prints below its head.
std::vector<std::string> snapshot_facts(Model const &model);

/// The type of a function in a snapshot: `int(struct weir_matrix *, size_t)`.
std::string signature(Item const &function);

/// A declaration with its parameters, broken at 80 columns: `head` and `tail` go around them.
std::string declaration(std::string const &head, std::vector<Parameter> const &params,
                        std::string const &tail);

} // namespace weir::gen
