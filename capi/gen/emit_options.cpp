// SPDX-License-Identifier: MIT OR Apache-2.0
// options_gen.c: for every function that takes a sized struct, a way to call it with any size.
#include "emit.hpp"

#include "names.hpp"
#include "resolve.hpp"
#include "writer.hpp"

#include <algorithm>
#include <set>
#include <sstream>

namespace weir::gen {
namespace {

constexpr char const *kOptionsHead = R"(/*
 * Every function that takes an options or info struct, with a call that passes `data` as this
 * struct. All else is as empty as it may be: names are options_text, numbers 0, an int is -1
 * (no descriptor), pointers that may be NULL are.
 * `object` is an open handle of the class that the case names, or is ignored. What a call makes
 * is released again, so only its return code is seen:
 * - a size below released[0] or above 4096 is -EINVAL,
 * - of options, a tail behind `size` that is not all 0 is -E2BIG and one of zeros is never -E2BIG,
 * - of infos, the tail is zeroed and `size` stays.
 */
#include <weir.h>

#include <string.h>

struct options_case {
    const char *structure;
    const char *kind; /* "options" or "info" */
    const char *function;
    const char *object; /* class of the handle that the call needs, or NULL */
    size_t size;        /* sizeof the struct */
    const size_t *released; /* sizes it had, oldest first, the current one last */
    size_t released_count;
    void (*init)(void *into);              /* stores the INIT value */
    int (*call)(void *object, void *data); /* NULL: needs more than one handle */
};

extern const char *options_text;
const char *options_text = ""; /* whoever links this may have a better name */

extern const struct options_case options_cases[];
extern const size_t options_count;

#define SIZES(name) \
    sizeof(struct name), released_##name, sizeof released_##name / sizeof released_##name[0]

)";

/// Sizes of a struct in the released snapshots, and the current one.
std::vector<std::uint64_t> sizes_of(Item const &item, std::vector<Snapshot> const &released)
{
    std::vector<std::uint64_t> sizes;
    for (Snapshot const &snapshot : released) {
        std::istringstream in(snapshot.text);
        for (std::string line; std::getline(in, line);) {
            std::vector<std::string> const words = split_words(line);
            if (words.size() < 4 || words[0] != "struct" || words[1] != item.name)
                continue;
            std::uint64_t const size = std::strtoull(words[3].c_str() + 5, nullptr, 10);
            if (sizes.empty() || sizes.back() != size)
                sizes.push_back(size);
        }
    }
    if (sizes.empty() || sizes.back() != item.size)
        sizes.push_back(item.size);
    return sizes;
}

/// One thunk: locals, arguments and what is released after the call.
class Thunk {
  public:
    Thunk(Item const &function, Parameter const &data, Index const &index)
        : function_(function), index_(index)
    {
        for (Parameter const &param : function.params)
            arguments_.push_back(&param == &data ? "data" : argument(param));
    }

    bool possible() const { return possible_; }
    std::string const &object() const { return object_; }

    std::string name(std::string const &structure) const
    {
        return "call_" + function_.name + "_" + structure.substr(5);
    }

    std::string code(std::string const &structure) const
    {
        bool const simple = cleanup_.empty();
        std::string const locals = locals_ + (simple ? "" : "    int code;\n");
        std::string out = "static int " + name(structure) + "(void *object, void *data)\n{\n";
        out += locals + (locals.empty() ? "" : "\n");
        if (object_.empty())
            out += "    (void)object;\n";
        out += wrap((simple ? "    return " : "    code = ") + function_.name + "(", "        ",
                    join(arguments_, ", ") + ");", 80);
        return out + cleanup_ + (simple ? "}\n\n" : "    return code;\n}\n\n");
    }

  private:
    std::string argument(Parameter const &param)
    {
        TypeClass const what = index_.classify(param.type);
        if (what == TypeClass::handle && param.type.pointers.size() == 1)
            return handle(param);
        if (has_word(param.doc.words, "nullable") && !is_scalar(param, what))
            return "NULL";
        if (what == TypeClass::callback)
            return "stub_" + param.type.base;
        if (param.type.pointers.empty())
            return param.type.base == "int" ? "-1" : "0";
        if (has_word(param.doc.words, "utf8") && param.type.pointers.size() == 1)
            return "options_text";
        return local(param, what);
    }

    static bool is_scalar(Parameter const &param, TypeClass what)
    {
        return param.type.pointers.empty() && what != TypeClass::callback;
    }

    std::string handle(Parameter const &param)
    {
        if (object_.empty()) {
            object_ = param.type.base;
            return "object";
        }
        possible_ = possible_ && has_word(param.doc.words, "nullable");
        return "NULL";
    }

    /// A variable that the pointer shows to; bytes get a buffer.
    std::string local(Parameter const &param, TypeClass what)
    {
        std::string const name = "arg_" + param.name;
        if (param.type.pointers.size() == 1 && what == TypeClass::nothing) {
            locals_ += "    unsigned char " + name + "[64] = {0};\n";
            return name;
        }
        Type type = param.type;
        type.pointers.pop_back();
        if (type.pointers.empty())
            type.is_const = false;
        locals_ += "    " + spell(type, name) + initial(type, what) + ";\n";
        if (what == TypeClass::handle && has_word(param.doc.words, "owned"))
            release(param);
        return "&" + name;
    }

    std::string initial(Type const &type, TypeClass what) const
    {
        if (!type.pointers.empty())
            return " = NULL";
        if (what != TypeClass::structure)
            return " = 0";
        return is_sized(*index_.find_tag(type.base)) ? " = " + init_macro(type.base) : " = {0}";
    }

    void release(Parameter const &param)
    {
        Item const *handle = index_.find(param.type.base, ItemKind::handle);
        cleanup_ +=
            "    if (code >= 0)\n        (void)" + handle->dtor + "(arg_" + param.name + ");\n";
    }

    Item const &function_;
    Index const &index_;
    std::vector<std::string> arguments_;
    std::string locals_;
    std::string cleanup_;
    std::string object_;
    bool possible_ = true;
};

class OptionsTable {
  public:
    OptionsTable(Model const &model, std::vector<Snapshot> const &released)
        : model_(model), released_(released), index_(model)
    {
    }

    std::string all()
    {
        for_each(model_, ItemKind::structure, [&](Item const &item) {
            if (is_sized(item))
                structure(item);
        });
        for_each(model_, ItemKind::function, [&](Item const &item) { function(item); });
        if (count_ == 0)
            cases_ = "    {NULL, NULL, NULL, NULL, 0, NULL, 0, NULL, NULL},\n";
        return banner(CommentStyle::block) + kOptionsHead + tables_ + stubs_ + thunks_ +
               "const struct options_case options_cases[] = {\n" + cases_ +
               "};\n\nconst size_t options_count = " + std::to_string(count_) + ";\n";
    }

  private:
    void structure(Item const &item)
    {
        std::vector<std::string> numbers;
        for (std::uint64_t size : sizes_of(item, released_))
            numbers.push_back(std::to_string(size));
        std::string const type = "struct " + item.name;
        tables_ += "static const size_t released_" + item.name + "[] = {" + join(numbers, ", ") +
                   "};\n\nstatic void init_" + item.name + "(void *into)\n{\n    const " + type +
                   " value = " + init_macro(item.name) +
                   ";\n\n    memcpy(into, &value, sizeof value);\n}\n\n";
    }

    void function(Item const &item)
    {
        if (!can_fail(item))
            return;
        for (Parameter const &param : item.params) {
            Item const *structure = index_.find(param.type.base, ItemKind::structure);
            if (structure == nullptr || !is_sized(*structure) || param.type.pointers.size() != 1)
                continue;
            Thunk const thunk(item, param, index_);
            if (thunk.possible()) {
                stubs(item);
                thunks_ += thunk.code(structure->name);
            }
            add_case(item, *structure, thunk);
        }
    }

    void add_case(Item const &item, Item const &structure, Thunk const &thunk)
    {
        std::string const object = thunk.object().empty() ? "NULL" : string_literal(thunk.object());
        cases_ += "    {" + string_literal(structure.name) + ", " +
                  string_literal(structure.doc.kind.value) + ",\n     " +
                  string_literal(item.name) + ", " + object + ",\n     SIZES(" + structure.name +
                  "),\n     init_" + structure.name + ",\n     " +
                  (thunk.possible() ? thunk.name(structure.name) : "NULL") + "},\n";
        ++count_;
    }

    /// A callback that does nothing, once per type that a thunk needs.
    void stubs(Item const &function)
    {
        for (Parameter const &param : function.params) {
            Item const *callback = index_.find(param.type.base, ItemKind::callback);
            if (callback == nullptr || has_word(param.doc.words, "nullable") ||
                !seen_.insert(callback->name).second)
                continue;
            stubs_ +=
                declaration("static int stub_" + callback->name + "(", callback->params, ")") +
                "{\n";
            for (Parameter const &unused : callback->params)
                stubs_ += "    (void)" + unused.name + ";\n";
            stubs_ += "    return 0;\n}\n\n";
        }
    }

    Model const &model_;
    std::vector<Snapshot> const &released_;
    Index index_;
    std::string tables_;
    std::string stubs_;
    std::string thunks_;
    std::string cases_;
    std::set<std::string> seen_;
    int count_ = 0;
};

} // namespace

std::string emit_options(Model const &model, std::vector<Snapshot> const &released)
{
    return OptionsTable(model, released).all();
}

} // namespace weir::gen
