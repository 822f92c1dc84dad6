// SPDX-License-Identifier: MIT OR Apache-2.0
// Rules on types: only what every language can hold, no padding, units in names, callbacks.
#include "lint.hpp"

#include "writer.hpp"

namespace weir::gen {
namespace {

constexpr std::uint64_t kLargestStruct = 4096;

class Types {
  public:
    explicit Types(LintContext const &context) : context_(context), index_(context.index) {}

    void check(Item const &item)
    {
        user_ = &item;
        if (item.kind == ItemKind::function || item.kind == ItemKind::callback)
            signature(item);
        if (item.kind == ItemKind::structure)
            structure(item);
        if (item.kind == ItemKind::id && item.doc.kind.given() && item.doc.kind.value != "id")
            fail(item.doc.kind.at, "struct-kind", describe(item) + " is not '@kind id(NAME)'");
        if (item.kind == ItemKind::callback)
            callback(item);
    }

  private:
    void fail(Location const &at, std::string const &rule, std::string const &message)
    {
        context_.diagnostics.error(at, rule, message);
    }

    // -- abi-type ------------------------------------------------------------------------------

    void signature(Item const &item)
    {
        if (item.result.base == "bool")
            fail(item.at, "abi-type", "result of " + in_quotes(item.name) + " is 'bool'");
        else if (item.result.base != "void" || !item.result.pointers.empty())
            type(item.at, item.result, "result of " + in_quotes(item.name));
        for (Parameter const &param : item.params) {
            std::string const what =
                "parameter " + in_quotes(param.name) + " of " + in_quotes(item.name);
            if (param.type.base == "bool" && !param.type.pointers.empty())
                fail(param.at, "abi-type", what + " points to 'bool'");
            else
                type(param.at, param.type, what);
            unit(param.at, param.name, param.type, what);
        }
    }

    void type(Location const &at, Type const &type, std::string const &what)
    {
        TypeClass const found = index_.classify(type);
        bool const value = type.pointers.empty();
        std::string const name = in_quotes(spell(type));
        if (found == TypeClass::unknown)
            fail(at, "abi-type", "type " + name + " of " + what + " is outside the grammar");
        else if (value && (found == TypeClass::structure || found == TypeClass::handle))
            fail(at, "abi-type", what + " is a struct by value");
        else if (value && found == TypeClass::nothing)
            fail(at, "abi-type", what + " is 'void'");
        else if (found == TypeClass::callback && !value)
            fail(at, "abi-type", what + " points to a callback");
        else if (type.pointers.size() > 2)
            fail(at, "abi-type", "type " + name + " of " + what + " has too many '*'");
        declared_before(at, type, what);
    }

    void declared_before(Location const &at, Type const &type, std::string const &what)
    {
        Item const *used = index_.find_type(type);
        if (used != nullptr && index_.position(*used) > index_.position(*user_))
            fail(at, "abi-type",
                 "type " + in_quotes(spell(type)) + " of " + what + " is declared later");
    }

    // -- unit ----------------------------------------------------------------------------------

    void unit(Location const &at, std::string const &name, Type const &type,
              std::string const &what)
    {
        for (char const *suffix : {"_ms", "_us", "_sec", "timeout"})
            if (ends_with(name, suffix))
                fail(at, "unit",
                     what + " ends in " + in_quotes(suffix) + ", times are 'int64_t …_ns'");
        if (ends_with(name, "_ns") && type.base != "int64_t")
            fail(at, "unit", what + " is a time but not 'int64_t'");
        if (index_.classify(type) == TypeClass::nothing)
            return;
        for (char const *suffix : {"size", "length", "bytes"})
            if (ends_with(name, suffix) && type.base != "size_t" && type.base != "uint64_t")
                fail(at, "unit", what + " is neither 'size_t' nor 'uint64_t'");
    }

    // -- structs -------------------------------------------------------------------------------

    void structure(Item const &item)
    {
        for (Member const &member : item.members) {
            std::string const what =
                "field " + in_quotes(member.name) + " of " + in_quotes(item.name);
            if (member.type.base == "bool")
                fail(member.at, "abi-type", what + " is 'bool'");
            else
                type(member.at, member.type, what);
            unit(member.at, member.name, member.type, what);
        }
        kind(item);
        padding(item);
    }

    void kind(Item const &item)
    {
        if (item.members.empty())
            return fail(item.at, "struct-kind", describe(item) + " has no fields");
        if (item.doc.kind.given() && item.doc.kind.value == "id")
            fail(item.doc.kind.at, "struct-kind",
                 describe(item) + " is none of options, info, record, part");
        Member const &first = item.members[0];
        bool const size = first.name == "size" && first.array == 0 && spell(first.type) == "size_t";
        if (is_sized(item) && !size)
            fail(first.at, "struct-kind", describe(item) + " does not begin with 'size_t size'");
        if (is_sized(item) && item.size > kLargestStruct)
            fail(item.at, "struct-kind", describe(item) + " is larger than 4096 bytes");
        if (item.doc.kind.value == "record")
            record(item);
        if (item.doc.kind.value == "part")
            part(item);
    }

    void record(Item const &item)
    {
        for (Member const &member : item.members) {
            bool const pointer = !member.type.pointers.empty() ||
                                 index_.classify(member.type) == TypeClass::callback;
            if (pointer)
                fail(member.at, "struct-kind",
                     "field " + in_quotes(member.name) + " of record " + in_quotes(item.name) +
                         " is a pointer");
        }
        without_size(item);
    }

    /// A piece of the caller's memory: each of its pointers says how long it is.
    void part(Item const &item)
    {
        std::size_t pointers = 0;
        for (Member const &member : item.members) {
            if (member.type.pointers.empty())
                continue;
            ++pointers;
            Word const *const bytes = find_word(member.doc.words, "bytes");
            if (bytes == nullptr || !is_length(item, bytes->value))
                fail(member.at, "struct-kind",
                     "field " + in_quotes(member.name) + " of part " + in_quotes(item.name) +
                         " is not 'bytes(len=…)' of a field that is a 'size_t'");
        }
        if (pointers == 0)
            fail(item.at, "struct-kind", "part " + in_quotes(item.name) + " points to nothing");
        without_size(item);
    }

    static bool is_length(Item const &item, std::string const &name)
    {
        for (Member const &member : item.members)
            if (member.name == name && spell(member.type) == "size_t")
                return true;
        return false;
    }

    /// Frozen ones have none.
    void without_size(Item const &item)
    {
        if (item.members[0].name == "size")
            fail(item.members[0].at, "struct-kind",
                 item.doc.kind.value + " " + in_quotes(item.name) + " begins with 'size'");
    }

    static std::string bytes(std::uint64_t count)
    {
        return std::to_string(count) + (count == 1 ? " byte" : " bytes");
    }

    void padding(Item const &item)
    {
        std::uint64_t end = 0;
        for (Member const &member : item.members) {
            if (member.offset != end)
                fail(member.at, "struct-padding",
                     bytes(member.offset - end) + " of padding before " + in_quotes(member.name) +
                         " in " + in_quotes(item.name));
            end = member.offset + member.size;
        }
        if (item.size != end)
            fail(item.at, "struct-padding",
                 bytes(item.size - end) + " of padding at the end of " + in_quotes(item.name));
    }

    // -- callbacks -----------------------------------------------------------------------------

    void callback(Item const &item)
    {
        if (spell(item.result) != "int")
            fail(item.at, "callback-shape", describe(item) + " does not return 'int'");
        bool const last = !item.params.empty() && spell(item.params.back().type) == "void *" &&
                          item.params.back().name == "userdata";
        if (!last)
            fail(item.at, "callback-shape", describe(item) + " does not end with 'void *userdata'");
    }

    LintContext const &context_;
    Index const &index_;
    Item const *user_ = nullptr;
};

} // namespace

void check_types(LintContext const &context)
{
    Types types(context);
    for (Section const &section : context.model.sections)
        for (Item const &item : section.items)
            types.check(item);
}

} // namespace weir::gen
