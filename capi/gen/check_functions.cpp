// SPDX-License-Identifier: MIT OR Apache-2.0
// Rules on whole functions: result, closed list of errors, blocking, batch forms.
#include "lint.hpp"

#include "errno_names.hpp"
#include "writer.hpp"

#include <set>

namespace weir::gen {
namespace {

class Functions {
  public:
    explicit Functions(LintContext const &context) : context_(context), index_(context.index) {}

    void check(Item const &item)
    {
        if (item.doc.returns.given())
            result(item);
        errors(item);
        blocks(item);
        if (ends_with(item.name, "_many"))
            batch(item);
    }

  private:
    void fail(Location const &at, std::string const &rule, std::string const &message)
    {
        context_.diagnostics.error(at, rule, message);
    }

    // -- return-shape --------------------------------------------------------------------------

    void result(Item const &item)
    {
        std::string const &kind = item.doc.returns.value;
        std::string const type = spell(item.result);
        bool fits = type != "void";
        if (can_fail(item))
            fits = type == "int";
        else if (kind == "text")
            fits = type == "const char *";
        else if (kind == "handle")
            fits = index_.classify(item.result) == TypeClass::handle &&
                   item.result.pointers.size() == 1 && !item.result.is_const;
        if (!fits)
            fail(item.doc.returns.at, "return-shape",
                 in_quotes(item.name) + " says '@return " + kind + "' but returns " +
                     in_quotes(type));
        std::string const &role = item.doc.klass.argument;
        if (kind == "handle" && role != "ref" && role != "dtor")
            fail(item.doc.returns.at, "return-shape",
                 in_quotes(item.name) + " returns a handle but is neither ref nor dtor");
        pointer_result(item);
    }

    void pointer_result(Item const &item)
    {
        Doc const &doc = item.doc;
        bool const pointer = !item.result.pointers.empty();
        if (doc.returns.value == "value" && pointer && !has_word(doc.return_words, "borrowed"))
            fail(doc.returns.at, "pointer-kind",
                 "result of " + in_quotes(item.name) + " is a pointer but not 'borrowed(of=…)'");
        for (Word const &word : doc.return_words) {
            if (!pointer)
                fail(doc.returns.at, "pointer-kind",
                     "result of " + in_quotes(item.name) + " is no pointer but says " +
                         in_quotes(spell(word)));
            else if (word.name == "borrowed" && find_param(item, word.value) == nullptr)
                fail(doc.returns.at, "pointer-kind",
                     in_quotes(spell(word)) + " of the result of " + in_quotes(item.name) +
                         " names no parameter");
            else if (word.key == "len" && find_param(item, word.value) == nullptr &&
                     index_.find(word.value, ItemKind::function) == nullptr)
                fail(doc.returns.at, "length-pair",
                     in_quotes(spell(word)) + " of the result of " + in_quotes(item.name) +
                         " names nothing that is a length");
        }
    }

    // -- errors-closed -------------------------------------------------------------------------

    bool is_code(std::string const &code) const
    {
        std::string const name = code.substr(1);
        if (is_errno_name(name))
            return true;
        bool found = false;
        for_each(context_.model, ItemKind::enumeration, [&](Item const &item) {
            for (Member const &member : item.members)
                found = found || (starts_with(name, "WEIR_E_") && member.name == name);
        });
        return found;
    }

    static bool needs_pointer(Item const &item)
    {
        for (Parameter const &param : item.params)
            if (!param.type.pointers.empty() && !has_word(param.doc.words, "nullable"))
                return true;
        return false;
    }

    void errors(Item const &item)
    {
        Doc const &doc = item.doc;
        if (doc.errors_tag.given() && doc.returns.given() && !can_fail(item))
            fail(doc.errors_tag.at, "errors-closed",
                 in_quotes(item.name) + " cannot fail but lists errors");
        bool invalid = false;
        std::string last;
        for (ErrorDoc const &error : doc.errors) {
            if (!is_code(error.code))
                fail(error.at, "errors-closed", "unknown code " + in_quotes(error.code));
            else if (error.code == last)
                fail(error.at, "errors-closed", "code " + in_quotes(error.code) + " is repeated");
            else if (error.code < last)
                fail(error.at, "errors-closed",
                     "code " + in_quotes(error.code) + " stands behind " + in_quotes(last) +
                         ", codes are sorted");
            invalid = invalid || error.code == "-EINVAL";
            last = error.code;
        }
        if (doc.errors_tag.given() && can_fail(item) && !invalid && needs_pointer(item))
            fail(doc.errors_tag.at, "errors-closed",
                 in_quotes(item.name) + " requires a pointer but does not list '-EINVAL'");
    }

    // -- blocks --------------------------------------------------------------------------------

    void blocks(Item const &item)
    {
        std::string const &waits = item.doc.blocks.argument;
        if (waits.empty())
            return;
        std::size_t const dot = waits.find('.');
        Parameter const *param = find_param(item, waits.substr(0, dot));
        bool found = param != nullptr;
        if (found && dot != std::string::npos) {
            Item const *structure = index_.find(param->type.base, ItemKind::structure);
            found = structure != nullptr && has_field(*structure, waits.substr(dot + 1));
        }
        if (!found)
            fail(item.doc.blocks.at, "tag-unknown",
                 "'timeout(" + waits + ")' names no parameter or field");
    }

    static bool has_field(Item const &structure, std::string const &name)
    {
        for (Member const &member : structure.members)
            if (member.name == name)
                return true;
        return false;
    }

    // -- batch-shape ---------------------------------------------------------------------------

    void batch(Item const &item)
    {
        std::string const single = item.name.substr(0, item.name.size() - 5);
        Item const *one = index_.find(single, ItemKind::function);
        if (one == nullptr)
            return fail(item.at, "batch-shape",
                        in_quotes(item.name) + " exists without " + in_quotes(single));
        if (codes(item) != codes(*one))
            fail(item.doc.at, "batch-shape",
                 in_quotes(item.name) + " lists other errors than " + in_quotes(single));
        Parameter const *count = find_param(item, "count");
        bool arrays = count != nullptr && spell(count->type) == "size_t";
        for (Parameter const &param : item.params) {
            Word const *array = find_word(param.doc.words, "array");
            arrays = arrays && (array == nullptr || array->value == "count");
        }
        if (!arrays)
            fail(item.at, "batch-shape",
                 in_quotes(item.name) + " has no 'size_t count' that all its arrays share");
    }

    static std::set<std::string> codes(Item const &item)
    {
        std::set<std::string> out;
        for (ErrorDoc const &error : item.doc.errors)
            out.insert(error.code);
        return out;
    }

    LintContext const &context_;
    Index const &index_;
};

} // namespace

void check_functions(LintContext const &context)
{
    Functions functions(context);
    for_each(context.model, ItemKind::function, [&](Item const &item) { functions.check(item); });
}

} // namespace weir::gen
