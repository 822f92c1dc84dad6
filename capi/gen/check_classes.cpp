// SPDX-License-Identifier: MIT OR Apache-2.0
// Rules on classes: a role fits its prototype, and every handle has exactly one end.
#include "lint.hpp"

#include "writer.hpp"

namespace weir::gen {
namespace {

class Classes {
  public:
    explicit Classes(LintContext const &context) : context_(context), index_(context.index) {}

    void all()
    {
        for_each(context_.model, ItemKind::function, [&](Item const &item) {
            if (!item.doc.klass.value.empty())
                role(item);
        });
        for_each(context_.model, ItemKind::handle, [&](Item const &item) { handle(item); });
    }

  private:
    void fail(Location const &at, std::string const &rule, std::string const &message)
    {
        context_.diagnostics.error(at, rule, message);
    }

    /// Whether a type is `struct CLASS *`.
    static bool is_handle(Type const &type, std::string const &klass)
    {
        return type.is_struct && type.base == klass && type.pointers.size() == 1;
    }

    static bool takes_handle(Item const &item)
    {
        return !item.params.empty() && is_handle(item.params[0].type, item.doc.klass.value);
    }

    void role(Item const &item)
    {
        std::string const &klass = item.doc.klass.value;
        std::string const &role = item.doc.klass.argument;
        bool const handle = index_.find(klass, ItemKind::handle) != nullptr;
        std::string wrong;
        if (klass == "library" && role != "static")
            wrong = "'library' has only static functions";
        else if (klass != "library" && !handle)
            wrong = "class " + in_quotes(klass) + " is neither a handle nor 'library'";
        else if (role == "ctor" && !makes_handle(item))
            wrong = "constructor " + in_quotes(item.name) + " has no owned 'struct " + klass +
                    " **ret_…'";
        else if ((role == "method" || role == "iter") && !takes_handle(item))
            wrong = in_quotes(item.name) + " does not take 'struct " + klass + " *' first";
        else if (role == "ref" && !(takes_handle(item) && is_handle(item.result, klass)))
            wrong = in_quotes(item.name) + " does not take and return 'struct " + klass + " *'";
        else if (role == "iter" && !iterates(item))
            wrong = in_quotes(item.name) + " takes no callback and fills no array";
        if (!wrong.empty())
            fail(item.doc.klass.at, "class-shape", wrong);
    }

    static bool makes_handle(Item const &item)
    {
        for (Parameter const &param : item.params)
            if (param.type.is_struct && param.type.base == item.doc.klass.value &&
                param.type.pointers.size() == 2 && has_word(param.doc.words, "owned"))
                return true;
        return false;
    }

    bool iterates(Item const &item) const
    {
        for (Parameter const &param : item.params)
            if (index_.classify(param.type) == TypeClass::callback ||
                has_word(param.doc.words, "array"))
                return true;
        return false;
    }

    // -- handle-dtor ---------------------------------------------------------------------------

    void handle(Item const &handle)
    {
        std::vector<Item const *> ends;
        for_each(context_.model, ItemKind::function, [&](Item const &item) {
            if (item.doc.klass.value == handle.name && item.doc.klass.argument == "dtor")
                ends.push_back(&item);
        });
        if (ends.size() != 1)
            fail(handle.at, "handle-dtor",
                 describe(handle) + " has " + std::to_string(ends.size()) +
                     " destructors instead of 1");
        if (index_.find_name(handle.name + "_unref") != nullptr &&
            index_.find_name(handle.name + "_close") != nullptr)
            fail(handle.at, "handle-dtor", describe(handle) + " has both '_unref' and '_close'");
        for (Item const *end : ends)
            destructor(handle, *end);
    }

    void destructor(Item const &handle, Item const &end)
    {
        bool const shape = end.params.size() == 1 && takes_handle(end) &&
                           has_word(end.params[0].doc.words, "nullable") &&
                           is_handle(end.result, handle.name) && end.doc.returns.value == "handle";
        if (!shape)
            fail(end.at, "handle-dtor",
                 "destructor " + in_quotes(end.name) + " does not take a nullable 'struct " +
                     handle.name + " *' and return it as NULL");
    }

    LintContext const &context_;
    Index const &index_;
};

} // namespace

void check_classes(LintContext const &context) { Classes(context).all(); }

} // namespace weir::gen
