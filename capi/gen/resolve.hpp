// SPDX-License-Identifier: MIT OR Apache-2.0
// Links names and computes what the emitters print: layout, map nodes, method names.
#pragma once

#include "model.hpp"

#include <map>
#include <string>

namespace weir::gen {

/// What a base type is, without its pointers.
enum class TypeClass { unknown, nothing, integer, boolean, handle, structure, callback };

/// Finds items by name; `struct weir_x` and the function weir_x() are two things. Valid as long as
/// the model does not change its shape.
class Index {
  public:
    explicit Index(Model const &model);

    Item const *find(std::string const &name, ItemKind kind) const;
    Item const *find_tag(std::string const &name) const;  ///< handle or struct
    Item const *find_name(std::string const &name) const; ///< anything else

    /// The handle, struct, id, enum, flags or callback that a type names, or null.
    Item const *find_type(Type const &type) const;

    /// Position of an item in the header: what is used must stand before.
    std::size_t position(Item const &item) const;

    TypeClass classify(Type const &type) const;

    /// LP64 size and alignment; 0 for what cannot be stored.
    std::uint64_t size_of(Type const &type) const;

  private:
    std::map<std::string, Item const *> tags_;
    std::map<std::string, Item const *> names_;
    std::map<Item const *, std::size_t> positions_;
};

/// Fills the resolved fields of the model. Works as far as the input is right; lint says the rest.
void resolve(Model &model);

/// The parameter of a function by name, or null.
Parameter const *find_param(Item const &function, std::string const &name);

/// Map node of a release M.N.
std::string node_of(Model const &model, std::string const &minor);

} // namespace weir::gen
