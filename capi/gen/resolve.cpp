// SPDX-License-Identifier: MIT OR Apache-2.0
// The resolver: one pass over the items, in the order of the header.
#include "resolve.hpp"

#include "names.hpp"

namespace weir::gen {
namespace {

std::map<std::string, std::uint64_t> const kSizes = {
    {"char", 1},     {"int", 4},      {"size_t", 8},   {"int8_t", 1},
    {"int16_t", 2},  {"int32_t", 4},  {"int64_t", 8},  {"uint8_t", 1},
    {"uint16_t", 2}, {"uint32_t", 4}, {"uint64_t", 8},
};

/// Type whose size a value item has: an enum is stored as `uint32_t`.
std::string storage_of(Item const &item)
{
    return item.kind == ItemKind::enumeration ? "uint32_t" : item.storage;
}

std::uint64_t align_up(std::uint64_t offset, std::uint64_t align)
{
    return align == 0 ? offset : (offset + align - 1) / align * align;
}

bool is_tag(ItemKind kind) { return kind == ItemKind::handle || kind == ItemKind::structure; }

void lay_out(Item &item, Index const &index)
{
    std::uint64_t offset = 0;
    item.align = 1;
    for (Member &member : item.members) {
        std::uint64_t const element = index.size_of(member.type);
        offset = align_up(offset, element);
        member.offset = offset;
        member.size = element * (member.array == 0 ? 1 : member.array);
        offset += member.size;
        item.align = std::max(item.align, element);
    }
    item.size = align_up(offset, item.align);
}

void link_params(Item &item)
{
    for (Parameter &param : item.params)
        for (ParamDoc const &doc : item.doc.params)
            if (doc.name == param.name)
                param.doc = doc;
}

void resolve_item(Item &item, Model const &model, Index const &index)
{
    for (Member &member : item.members)
        member.since = member.doc.since.given() ? member.doc.since.value : item.doc.since.value;
    link_params(item);
    if (item.kind == ItemKind::structure) {
        lay_out(item, index);
    } else if (item.kind == ItemKind::function) {
        item.node = node_of(model, item.doc.since.value);
        item.method = method_name(item);
    } else if (item.kind == ItemKind::handle) {
        for_each(model, ItemKind::function, [&](Item const &function) {
            if (function.doc.klass.value == item.name && function.doc.klass.argument == "dtor")
                item.dtor = function.name;
        });
    }
}

} // namespace

Index::Index(Model const &model)
{
    for (Section const &section : model.sections) {
        for (Item const &item : section.items) {
            positions_.emplace(&item, positions_.size());
            (is_tag(item.kind) ? tags_ : names_).emplace(item.name, &item);
        }
    }
}

Item const *Index::find_tag(std::string const &name) const
{
    auto const found = tags_.find(name);
    return found == tags_.end() ? nullptr : found->second;
}

Item const *Index::find_name(std::string const &name) const
{
    auto const found = names_.find(name);
    return found == names_.end() ? nullptr : found->second;
}

Item const *Index::find(std::string const &name, ItemKind kind) const
{
    Item const *item = is_tag(kind) ? find_tag(name) : find_name(name);
    return item != nullptr && item->kind == kind ? item : nullptr;
}

Item const *Index::find_type(Type const &type) const
{
    return type.is_struct ? find_tag(type.base) : find_name(type.base);
}

std::size_t Index::position(Item const &item) const { return positions_.at(&item); }

TypeClass Index::classify(Type const &type) const
{
    Item const *item = find_type(type);
    if (type.is_struct) {
        if (item != nullptr && item->kind == ItemKind::handle)
            return TypeClass::handle;
        bool const known = item != nullptr && item->kind == ItemKind::structure;
        return known ? TypeClass::structure : TypeClass::unknown;
    }
    if (type.base == "void")
        return TypeClass::nothing;
    if (type.base == "bool")
        return TypeClass::boolean;
    if (kSizes.count(type.base) != 0)
        return TypeClass::integer;
    if (item == nullptr)
        return TypeClass::unknown;
    switch (item->kind) {
    case ItemKind::id:
    case ItemKind::enumeration:
    case ItemKind::flags:
        return TypeClass::integer;
    case ItemKind::callback:
        return TypeClass::callback;
    default:
        return TypeClass::unknown;
    }
}

std::uint64_t Index::size_of(Type const &type) const
{
    TypeClass const what = classify(type);
    if (!type.pointers.empty() || what == TypeClass::callback)
        return 8;
    if (what != TypeClass::integer)
        return what == TypeClass::boolean ? 1 : 0;
    auto const basic = kSizes.find(type.base);
    if (basic != kSizes.end())
        return basic->second;
    return kSizes.at(storage_of(*find_name(type.base)));
}

void resolve(Model &model)
{
    Index const index(model);
    for (Section &section : model.sections)
        for (Item &item : section.items)
            resolve_item(item, model, index);
}

Parameter const *find_param(Item const &function, std::string const &name)
{
    for (Parameter const &param : function.params)
        if (param.name == name)
            return &param;
    return nullptr;
}

std::string node_of(Model const &model, std::string const &minor)
{
    std::string base;
    for (Release const &release : model.releases) {
        if (release.soversion != model.current().soversion)
            continue;
        if (base.empty())
            base = release.node;
        if (minor_of(release.version) == minor)
            return release.node;
    }
    return base;
}

} // namespace weir::gen
