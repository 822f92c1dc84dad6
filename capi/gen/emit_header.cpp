// SPDX-License-Identifier: MIT OR Apache-2.0
// weir.h: declarations in the order of the sources, each under its comment.
#include "emit.hpp"

#include "header_comment.hpp"
#include "names.hpp"
#include "resolve.hpp"
#include "writer.hpp"

#include <algorithm>

namespace weir::gen {
namespace {

constexpr char const *kPreamble = R"(
/** What `weir_version_number()` returns: major << 16 | minor << 8 | patch. */
#define WEIR_VERSION_NUMBER \
    (WEIR_VERSION_MAJOR << 16 | WEIR_VERSION_MINOR << 8 | WEIR_VERSION_PATCH)

/* An exported function: a C symbol that is visible outside the library. */
#if defined(__GNUC__)
#define WEIR_VISIBLE __attribute__((visibility("default")))
#else
#define WEIR_VISIBLE
#endif

#ifdef __cplusplus
#define WEIR_API extern "C" WEIR_VISIBLE
#define WEIR_NOEXCEPT noexcept
#else
#define WEIR_API WEIR_VISIBLE
#define WEIR_NOEXCEPT
#endif

#ifdef __cplusplus
extern "C" {
#endif
)";

bool uses_bool(Model const &model)
{
    bool found = false;
    for (Section const &section : model.sections)
        for (Item const &item : section.items)
            for (Parameter const &param : item.params)
                found = found || param.type.base == "bool";
    return found;
}

std::string preamble(Model const &model)
{
    std::string const &version = model.current().version;
    std::uint64_t const number = version_number(version);
    std::string out = "#ifndef WEIR_H\n#define WEIR_H\n\n";
    if (uses_bool(model))
        out += "#include <stdbool.h>\n";
    out += "#include <stddef.h>\n#include <stdint.h>\n\n";
    out += "#define WEIR_VERSION_MAJOR " + std::to_string(number >> 16) + "\n";
    out += "#define WEIR_VERSION_MINOR " + std::to_string(number >> 8 & 0xff) + "\n";
    out += "#define WEIR_VERSION_PATCH " + std::to_string(number & 0xff) + "\n";
    out += "#define WEIR_VERSION_STRING \"" + version + "\"\n";
    return out + kPreamble;
}

std::string heading(Doc const &doc)
{
    std::string const rule(74, '=');
    std::string out = "\n/* " + rule + "\n" + wrap(" * ", " * ", doc.file.value, 80);
    for (Paragraph const &paragraph : doc.paragraphs)
        out += " *\n" + comment_paragraph(paragraph, " * ");
    return out + " * " + rule + " */\n";
}

/// `INT64_C(5)`, `(-INT64_C(1))`: usable in `#if` and of the right type.
std::string constant_literal(std::string const &type, std::string const &digits, bool negative)
{
    std::string const macro = upper(type.substr(0, type.size() - 2)) + "_C(" + digits + ")";
    return negative ? "(-" + macro + ")" : macro;
}

std::string hexadecimal(std::uint64_t value)
{
    static char const kDigits[] = "0123456789abcdef";
    std::string out;
    do {
        out.insert(out.begin(), kDigits[value & 15]);
        value >>= 4;
    } while (value != 0);
    return "0x" + out;
}

std::string enumeration(Item const &item)
{
    std::string out = "typedef uint32_t " + item.name + ";\nenum {\n";
    for (Member const &member : item.members)
        out += member_comment(member, "    ") + "    " + member.name + " = " +
               decimal(member.value) + ",\n";
    return out + "};\n";
}

std::string flags(Item const &item)
{
    std::string out = "typedef " + item.storage + " " + item.name + ";\n";
    for (Member const &member : item.members) {
        std::string const value =
            constant_literal(item.storage, hexadecimal(member.value.magnitude), false);
        out += member_comment(member, "") + "#define " + member.name + " " + value + "\n";
    }
    return out;
}

std::string initial_value(Item const &item, Member const &member)
{
    if (member.name == "size")
        return "sizeof(struct " + item.name + ")";
    if (member.array != 0)
        return "{0}";
    return member.type.pointers.empty() ? "0" : "NULL";
}

std::string initialiser(Item const &item, Index const &index)
{
    std::vector<std::string> parts;
    for (Member const &member : item.members) {
        bool const callback = index.classify(member.type) == TypeClass::callback;
        bool const last = &member == &item.members.back();
        parts.push_back((callback ? std::string("NULL") : initial_value(item, member)) +
                        (last ? " }" : ","));
    }
    return "#define " + init_macro(item.name) + " \\\n" + wrap_macro("    { ", "      ", parts);
}

std::string structure(Item const &item, Index const &index)
{
    std::string out = "struct " + item.name + " {\n";
    for (Member const &member : item.members) {
        std::string const array = member.array == 0 ? "" : "[" + std::to_string(member.array) + "]";
        out += member_comment(member, "    ") + "    " + spell(member.type, member.name) + array +
               ";\n";
    }
    out += "};\n";
    if (is_sized(item))
        out += "/** A `struct " + item.name + "` with `size` set and all else 0. */\n" +
               initialiser(item, index);
    return out;
}

std::string callback(Item const &item)
{
    std::string const head = "typedef " + spell(item.result, "(*" + item.name + ")") + "(";
    return declaration(head, item.params, ");");
}

std::string declare(Item const &item, Index const &index)
{
    switch (item.kind) {
    case ItemKind::handle:
        return "struct " + item.name + ";\n";
    case ItemKind::enumeration:
        return enumeration(item);
    case ItemKind::flags:
        return flags(item);
    case ItemKind::structure:
        return structure(item, index);
    case ItemKind::callback:
        return callback(item);
    case ItemKind::id:
        return "typedef uint64_t " + item.name + ";\n";
    case ItemKind::constant:
        return "#define " + item.name + " " +
               constant_literal(item.storage, std::to_string(item.value.magnitude),
                                item.value.negative) +
               "\n";
    case ItemKind::function:
        break;
    }
    return declaration("WEIR_API " + spell(item.result, item.name) + "(", item.params,
                       ") WEIR_NOEXCEPT;");
}

} // namespace

std::string declaration(std::string const &head, std::vector<Parameter> const &params,
                        std::string const &tail)
{
    if (params.empty())
        return head + "void" + tail + "\n";
    std::size_t widest = 0;
    for (Parameter const &param : params)
        widest = std::max(widest, spell(param.type, param.name).size());
    bool const hanging = head.size() + widest + tail.size() > 80;
    std::string const indent(hanging ? 8 : head.size(), ' ');
    std::string out = hanging ? head + "\n" : "";
    std::string line = hanging ? indent : head;
    for (std::size_t i = 0; i < params.size(); ++i) {
        bool const last = i + 1 == params.size();
        std::string const text = spell(params[i].type, params[i].name) + (last ? tail : ",");
        bool const first = line == indent || line == head;
        if (!first && line.size() + 1 + text.size() > 80) {
            out += line + "\n";
            line = indent;
        }
        line += (line == indent || line == head ? "" : " ") + text;
    }
    return out + line + "\n";
}

std::string emit_header(Model const &model)
{
    Index const index(model);
    std::string out = banner(CommentStyle::block) + preamble(model);
    for (Section const &section : model.sections) {
        if (section.heading.given() && !section.items.empty())
            out += heading(section.heading);
        for (Item const &item : section.items)
            out += "\n" + item_comment(item, index) + declare(item, index);
    }
    out += "\n#ifdef __cplusplus\n} /* extern \"C\" */\n#endif\n\n#endif /* WEIR_H */\n";
    return out;
}

} // namespace weir::gen
