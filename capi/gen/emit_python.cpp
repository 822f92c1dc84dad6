// SPDX-License-Identifier: MIT OR Apache-2.0
// The Python binding's own layer: ctypes declarations, their stub, and the classes of errors.
#include "emit.hpp"

#include "names.hpp"
#include "resolve.hpp"
#include "writer.hpp"

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>

namespace weir::gen {
namespace {

constexpr std::size_t kPythonWidth = 100;
constexpr char const *kFolder = "bindings/python/weir/";

std::string quoted_text(std::string const &text) { return string_literal(text); }

bool python_skips(Item const &item) { return is_skipped(item, "python"); }

/// A call with its arguments, broken where it does not fit.
std::string call(std::string const &head, std::vector<std::string> arguments,
                 std::string const &tail)
{
    for (std::size_t i = 0; i + 1 < arguments.size(); ++i)
        arguments[i] += ",";
    if (arguments.empty())
        return head + tail + "\n";
    arguments.back() += tail;
    arguments.front() = head + arguments.front();
    return wrap_words("", "    ", arguments, kPythonWidth);
}

class Python {
  public:
    explicit Python(Model const &model) : model_(model), index_(model) {}

    std::string module()
    {
        head();
        for (Section const &section : model_.sections)
            for (Item const &item : section.items)
                if (!python_skips(item))
                    declare(item);
        sizes();
        for (std::size_t at; (at = out_.find("\n\n\n\n")) != std::string::npos;)
            out_.erase(at, 1);
        return out_;
    }

    std::string stub()
    {
        out_ =
            banner(CommentStyle::hash) +
            "import ctypes\nfrom enum import IntEnum, IntFlag\nfrom typing import Any, Callable\n\n"
            "VERSION: str\nVERSION_NUMBER: int\nABI_HASH: int\nSONAME: str\n";
        for (Section const &section : model_.sections)
            for (Item const &item : section.items)
                if (!python_skips(item))
                    stub(item);
        return out_;
    }

    std::string errors()
    {
        out_ = banner(CommentStyle::hash) +
               "\"\"\"A class for each of the library's own error codes.\"\"\"\n"
               "from weir._error import Error, known\n";
        std::string table;
        for_each(model_, ItemKind::enumeration, [&](Item const &item) {
            if (item.name != "weir_error")
                return;
            for (Member const &member : item.members) {
                std::string const name = error_class(member);
                out_ += "\n\nclass " + name + "(Error):\n    \"\"\"" + plain(member.doc.brief) +
                        ".\"\"\"\n";
                table += "    " + decimal(member.value) + ": " + name + ",\n";
            }
        });
        return out_ + "\n\nBY_CODE: dict[int, type[Error]] = {\n" + table +
               "}\nknown.update(BY_CODE)\n";
    }

  private:
    /// `StaleError` of `WEIR_E_STALE`; none hides an exception of the language.
    static std::string error_class(Member const &member)
    {
        static std::set<std::string> const kBuiltIn = {
            "Attribute", "Buffer",      "Connection", "EOF",       "IO",        "Import",
            "Index",     "Interrupted", "Key",        "Lookup",    "Memory",    "Name",
            "OS",        "Overflow",    "Permission", "Recursion", "Reference", "Runtime",
            "Syntax",    "System",      "Timeout",    "Type",      "Unicode",   "Value"};
        std::string const name = camel(member.name.substr(7));
        return (kBuiltIn.count(name) != 0 ? "Weir" + name : name) + "Error";
    }

    static std::string plain(std::string const &text)
    {
        std::string out;
        for (char c : text)
            out += c == '\\' ? "\\\\" : std::string(1, c);
        return out;
    }

    static std::string hexadecimal(std::uint64_t value)
    {
        char text[32];
        std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
        return text;
    }

    void head()
    {
        Release const &release = model_.current();
        out_ = banner(CommentStyle::hash);
        out_ +=
            "\"\"\"weir.h for ctypes: every function under its own name.\n\n"
            "A function with `_nowait` at its end keeps the interpreter's lock; it is for "
            "timeouts of 0.\nctypes drops the upper bits of a number: here one that C would not "
            "see as it is raises\nOverflowError, and what is no number TypeError.\n\"\"\"\n"
            "from ctypes import (CFUNCTYPE, POINTER, Structure, c_bool, c_char, c_char_p, "
            "c_int, c_int8,\n"
            "                    c_int16, c_int32, c_int64, c_size_t, c_uint8, c_uint16, "
            "c_uint32, c_uint64,\n"
            "                    c_void_p)\n"
            "from enum import IntEnum, IntFlag\n\n"
            "from weir._convert import integer as _integer\n"
            "from weir._load import bind as _bind, check_sizes as _check_sizes, load as "
            "_load\n\n";
        out_ += "VERSION = " + quoted_text(release.version) + "\n";
        out_ += "VERSION_NUMBER = " + hexadecimal(version_number(release.version)) + "\n";
        out_ += "ABI_HASH = " + hexadecimal(snapshot_hash(emit_snapshot(model_))) + "\n";
        out_ += "SONAME = \"libweir.so." + release.soversion + "\"\n\n";
        out_ += "_free, _held = _load(SONAME, VERSION, VERSION_NUMBER, ABI_HASH)\n";
    }

    std::string basic(std::string const &base) const
    {
        if (Item const *item = index_.find_name(base)) {
            if (item->kind == ItemKind::callback)
                return camel(base);
            return basic(item->kind == ItemKind::enumeration ? "uint32_t" : item->storage);
        }
        if (base == "size_t" || base == "int" || base == "char" || base == "bool")
            return "c_" + base;
        return base == "void" ? "None" : "c_" + base.substr(0, base.size() - 2);
    }

    /// The ctypes type; handles and untyped memory are plain pointers.
    std::string type(Type const &type) const
    {
        std::size_t const depth = type.pointers.size();
        TypeClass const what = index_.classify(type);
        if (depth == 0)
            return basic(type.base);
        if (depth == 1 && type.base == "char")
            return "c_char_p";
        if (depth == 1 && (what == TypeClass::handle || what == TypeClass::nothing))
            return "c_void_p";
        if (depth == 2)
            return "POINTER(c_void_p)";
        return "POINTER(" + (what == TypeClass::structure ? camel(type.base) : basic(type.base)) +
               ")";
    }

    std::vector<std::string> types(Item const &item) const
    {
        std::vector<std::string> out = {type(item.result)};
        for (Parameter const &param : item.params)
            out.push_back(type(param.type));
        return out;
    }

    void declare(Item const &item)
    {
        switch (item.kind) {
        case ItemKind::handle:
        case ItemKind::id:
            return;
        case ItemKind::constant:
            out_ += "\n" + item.name + " = " + decimal(item.value) + "\n";
            return;
        case ItemKind::enumeration:
        case ItemKind::flags:
            return constants(item);
        case ItemKind::structure:
            return structure(item);
        case ItemKind::callback:
            out_ += "\n" + call(camel(item.name) + " = CFUNCTYPE(", types(item), ")");
            return;
        case ItemKind::function:
            return function(item);
        }
    }

    void constants(Item const &item)
    {
        out_ += "\n\nclass " + camel(item.name) +
                (item.kind == ItemKind::flags ? "(IntFlag)" : "(IntEnum)") + ":\n    \"\"\"" +
                plain(item.doc.brief) + "\"\"\"\n";
        for (Member const &member : item.members)
            out_ += "    " + member_name(item, member) + " = " + decimal(member.value) + "\n";
        out_ += "\n";
    }

    void structure(Item const &item)
    {
        out_ += "\n\nclass " + camel(item.name) + "(Structure):\n    \"\"\"" +
                plain(item.doc.brief) + "\"\"\"\n    _fields_ = [\n";
        for (Member const &member : item.members) {
            std::string const array = member.array == 0 ? "" : " * " + std::to_string(member.array);
            out_ += "        (\"" + member.name + "\", " + type(member.type) + array + "),\n";
        }
        out_ += "    ]\n\n";
    }

    static bool takes_callback(Item const &item)
    {
        for (Parameter const &param : item.params)
            if (has_word(param.doc.words, "userdata"))
                return true;
        return false;
    }

    /// The interpreter's lock is kept only by what neither waits nor calls back.
    void function(Item const &item)
    {
        std::string const blocks = item.doc.blocks.value;
        bool const free = blocks != "no" || takes_callback(item);
        bind(item, free ? "_free" : "_held", "");
        if (blocks == "timeout")
            bind(item, "_held", "_nowait");
    }

    void bind(Item const &item, std::string const &library, std::string const &ending)
    {
        std::vector<std::string> arguments = types(item);
        arguments.insert(arguments.begin(), quoted_text(item.name));
        arguments.insert(arguments.begin(), library);
        std::string const name = (takes_number(item) ? "_" : "") + item.name + ending;
        out_ += "\n" + call(name + " = _bind(", arguments, ")");
        if (takes_number(item))
            checked(item, item.name + ending);
    }

    /// Whether C takes this parameter as an integer, of which ctypes would drop the upper bits.
    bool is_number(Parameter const &param) const
    {
        std::string const kind = type(param.type);
        return kind.rfind("c_int", 0) == 0 || kind.rfind("c_uint", 0) == 0 || kind == "c_size_t";
    }

    bool takes_number(Item const &item) const
    {
        return std::any_of(item.params.begin(), item.params.end(),
                           [&](Parameter const &param) { return is_number(param); });
    }

    /// The least and the greatest number that a ctypes type holds.
    static std::pair<std::string, std::string> limits(std::string const &kind)
    {
        bool const is_signed = kind.rfind("c_int", 0) == 0;
        std::string const bits = kind.substr(is_signed ? 5 : 6);
        unsigned const wide = kind == "c_size_t" ? 64 : bits.empty() ? 32 : std::stoul(bits);
        std::uint64_t const all = ~std::uint64_t{0} >> (64 - wide);
        if (!is_signed)
            return {"0", hexadecimal(all)};
        return {"-" + hexadecimal(all / 2 + 1), hexadecimal(all / 2)};
    }

    /// The test stands in the function itself: calling another one costs as much as the call of C.
    void checked(Item const &item, std::string const &name)
    {
        std::vector<std::string> names;
        for (Parameter const &param : item.params)
            names.push_back(param.name);
        std::vector<std::string> params = names;
        params.push_back("/");
        out_ += "\n\n" + call("def " + name + "(", params, "):");
        for (Parameter const &param : item.params) {
            if (!is_number(param))
                continue;
            auto const [low, high] = limits(type(param.type));
            out_ += "    if type(" + param.name + ") is not int or not " + low +
                    " <= " + param.name + " <= " + high + ":\n        " + param.name +
                    " = _integer(" + quoted_text(param.name) + ", " + param.name + ", " + low +
                    ", " + high + ")\n";
        }
        out_ += indented(call("return _" + name + "(", names, ")")) + "\n";
    }

    static std::string indented(std::string const &text)
    {
        std::string out;
        for (char c : text)
            out += out.empty() || out.back() == '\n' ? std::string("    ") + c : std::string(1, c);
        return out;
    }

    void sizes()
    {
        out_ += "\n_check_sizes({\n";
        for_each(model_, ItemKind::structure, [&](Item const &item) {
            if (!python_skips(item))
                out_ += "    " + camel(item.name) + ": " + std::to_string(item.size) + ",\n";
        });
        out_ += "})\n";
    }

    /// What a caller hands over: numbers, text, or anything that ctypes takes for a pointer.
    static std::string hint(Type const &type)
    {
        if (type.pointers.empty())
            return type.base == "bool" ? "bool" : "int";
        return type.pointers.size() == 1 && type.base == "char" ? "bytes | None" : "Any";
    }

    std::string result_hint(Item const &item) const
    {
        if (!item.result.pointers.empty())
            return item.result.base == "char" ? "bytes" : "int | None";
        return item.result.base == "void" ? "None" : hint(item.result);
    }

    void stub(Item const &item)
    {
        if (item.kind == ItemKind::constant)
            out_ += item.name + ": int\n";
        else if (item.kind == ItemKind::callback)
            out_ += camel(item.name) + ": Any\n";
        else if (item.kind == ItemKind::enumeration || item.kind == ItemKind::flags)
            stub_constants(item);
        else if (item.kind == ItemKind::structure)
            stub_structure(item);
        else if (item.kind == ItemKind::function)
            stub_function(item);
    }

    void stub_constants(Item const &item)
    {
        out_ += "\nclass " + camel(item.name) +
                (item.kind == ItemKind::flags ? "(IntFlag)" : "(IntEnum)") + ":\n";
        for (Member const &member : item.members)
            out_ += "    " + member_name(item, member) + " = " + decimal(member.value) + "\n";
        out_ += "\n";
    }

    void stub_structure(Item const &item)
    {
        out_ += "\nclass " + camel(item.name) + "(ctypes.Structure):\n";
        for (Member const &member : item.members) {
            bool const text = member.array != 0 && member.type.base == "char";
            std::string kind = text ? "bytes" : member.array != 0 ? "Any" : hint(member.type);
            if (!member.type.pointers.empty())
                kind = "Any";
            out_ += "    " + member.name + ": " + kind + "\n";
        }
        out_ += "\n";
    }

    /// What is ctypes' own is no function for `inspect`: the stub does not say that it is one.
    void stub_pointer(Item const &item, std::string const &name)
    {
        std::string hints;
        for (Parameter const &param : item.params)
            hints += (hints.empty() ? "" : ", ") + hint(param.type);
        out_ += name + ": Callable[[" + hints + "], " + result_hint(item) + "]\n";
    }

    void stub_function(Item const &item)
    {
        bool const timed = item.doc.blocks.value == "timeout";
        if (!takes_number(item)) {
            stub_pointer(item, item.name);
            if (timed)
                stub_pointer(item, item.name + "_nowait");
            return;
        }
        std::vector<std::string> params;
        for (Parameter const &param : item.params)
            params.push_back(param.name + ": " + hint(param.type));
        if (!params.empty())
            params.push_back("/");
        std::string const tail = ") -> " + result_hint(item) + ": ...";
        out_ += call("def " + item.name + "(", params, tail);
        if (timed)
            out_ += call("def " + item.name + "_nowait(", params, tail);
    }

    Model const &model_;
    Index index_;
    std::string out_;
};

} // namespace

void emit_python(Model const &model, std::vector<Output> &outputs)
{
    std::string const folder = kFolder;
    outputs.push_back({"python", folder + "_ffi.py", Python(model).module()});
    outputs.push_back({"python", folder + "_ffi.pyi", Python(model).stub()});
    outputs.push_back({"python", folder + "errors.py", Python(model).errors()});
}

} // namespace weir::gen
