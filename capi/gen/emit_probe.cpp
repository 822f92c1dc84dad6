// SPDX-License-Identifier: MIT OR Apache-2.0
// probe.c: a program that prints the layout lines of the snapshot as its compiler sees weir.h.
#include "emit.hpp"

#include "names.hpp"
#include "writer.hpp"

#include <algorithm>

namespace weir::gen {
namespace {

constexpr char const *kProbeHead = R"(/*
 * Prints the layout lines of the ABI snapshot as the compiler sees weir.h, and a line that begins
 * with "wrong" for every initialiser that is not a zeroed struct with its size.
 */
#include <weir.h>

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The name of a type if the compiler agrees with it. */
#define TYPE(expression_type, name) \
    (__builtin_types_compatible_p(expression_type, name) ? #name : "another type")
#define FIELD(structure, field) (((struct structure *)0)->field)

)";

/// Fact without its values, for sorting, and the statements that print it with them.
struct Line {
    std::string fact;
    std::string code;
};

class Probe {
  public:
    explicit Probe(Model const &model) : model_(model) {}

    std::string all()
    {
        for (Section const &section : model_.sections)
            for (Item const &item : section.items)
                lines(item);
        std::sort(lines_.begin(), lines_.end(),
                  [](Line const &a, Line const &b) { return a.fact < b.fact; });
        std::string out = banner(CommentStyle::block) + kProbeHead + "int main(void)\n{\n";
        for (Line const &line : lines_)
            out += line.code;
        return out + "    return 0;\n}\n";
    }

  private:
    void add(std::string const &fact, std::string const &arguments, std::string const &more = "")
    {
        lines_.push_back(
            {fact, "    printf(\"" + fact + "\\n\",\n           " + arguments + ");\n" + more});
    }

    void lines(Item const &item)
    {
        std::string const since = " since=" + item.doc.since.value;
        switch (item.kind) {
        case ItemKind::enumeration:
            return values("enum     ", item, "uint32_t");
        case ItemKind::flags:
            return values("flag     ", item, item.storage);
        case ItemKind::structure:
            return structure(item);
        case ItemKind::id:
            return add("id       " + item.name + " %s " + item.doc.kind.argument + since,
                       type_check(item.name, item.storage));
        case ItemKind::constant:
            return add("const    " + item.name + " = " + format(item.storage) +
                           " type=" + item.storage + since,
                       value(item.storage, item.name));
        default:
            return;
        }
    }

    static bool is_signed(std::string const &storage) { return starts_with(storage, "int"); }

    static std::string format(std::string const &storage)
    {
        return is_signed(storage) ? "%lld" : "%llu";
    }

    static std::string value(std::string const &storage, std::string const &name)
    {
        return (is_signed(storage) ? "(long long)" : "(unsigned long long)") + name;
    }

    static std::string type_check(std::string const &found, std::string const &expected)
    {
        return "TYPE(" + found + ", " + expected + ")";
    }

    void values(std::string const &kind, Item const &item, std::string const &storage)
    {
        add(kind + item.name + " %s since=" + item.doc.since.value, type_check(item.name, storage));
        for (Member const &member : item.members)
            add(kind + item.name + "." + member.name + " = " + format(storage) +
                    " since=" + member.since,
                value(storage, member.name));
    }

    void structure(Item const &item)
    {
        std::string const type = "struct " + item.name;
        add("struct   " + item.name + " kind=" + item.doc.kind.value +
                " size=%zu align=%zu since=" + item.doc.since.value,
            "sizeof(" + type + "), _Alignof(" + type + ")", is_sized(item) ? init(item) : "");
        for (Member const &member : item.members) {
            std::string const place = "FIELD(" + item.name + ", " + member.name + ")";
            std::string const array =
                member.array == 0 ? "" : "[" + std::to_string(member.array) + "]";
            add("field    " + item.name + "." + member.name +
                    " off=%zu size=%zu type=%s since=" + member.since,
                "offsetof(" + type + ", " + member.name + "), sizeof(" + place + "),\n" +
                    "           " +
                    type_check("__typeof__(" + place + ")", spell(member.type) + array));
        }
    }

    static std::string init(Item const &item)
    {
        std::string const type = "struct " + item.name;
        return "    {\n        const " + type + " given = " + init_macro(item.name) + ";\n" +
               "        " + type + " zeroed;\n\n" + "        memset(&zeroed, 0, sizeof zeroed);\n" +
               "        zeroed.size = sizeof zeroed;\n" +
               "        if (memcmp(&given, &zeroed, sizeof zeroed) != 0)\n" +
               "            puts(\"wrong " + init_macro(item.name) + "\");\n    }\n";
    }

    Model const &model_;
    std::vector<Line> lines_;
};

} // namespace

std::string emit_probe(Model const &model) { return Probe(model).all(); }

} // namespace weir::gen
