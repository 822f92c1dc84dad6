// SPDX-License-Identifier: MIT OR Apache-2.0
// Rules on parameters: direction, kind of pointer, lengths, order, ownership, callbacks.
#include "lint.hpp"

#include "writer.hpp"

namespace weir::gen {
namespace {

bool is_output(Parameter const &param) { return param.doc.direction == Direction::out; }

class Params {
  public:
    explicit Params(LintContext const &context) : context_(context), index_(context.index) {}

    void check(Item const &item)
    {
        item_ = &item;
        for (Parameter const &param : item.params) {
            if (param.doc.at.line == 0)
                continue; // reported as tag-missing
            param_ = &param;
            what_ = classify(param.type);
            direction();
            pointer_words();
            void_pointers();
            sized();
            ownership();
            consumed();
            lengths();
            callback_words();
        }
        outputs_last();
        unused_lengths();
        if (item.kind == ItemKind::function)
            callbacks();
    }

  private:
    TypeClass classify(Type const &type) const { return index_.classify(type); }

    std::string name() const { return name(*param_); }

    std::string name(Parameter const &param) const
    {
        return "parameter " + in_quotes(param.name) + " of " + in_quotes(item_->name);
    }

    Location place(Parameter const &param) const
    {
        return param.doc.at.line == 0 ? param.at : param.doc.at;
    }

    void fail(std::string const &rule, std::string const &message)
    {
        context_.diagnostics.error(place(*param_), rule, message);
    }

    bool word(char const *name) const { return has_word(param_->doc.words, name); }
    std::size_t depth() const { return param_->type.pointers.size(); }
    bool is_pointer() const { return depth() != 0 || what_ == TypeClass::callback; }

    // -- direction -----------------------------------------------------------------------------

    void direction()
    {
        Direction const direction = param_->doc.direction;
        if (direction == Direction::none)
            return fail("pointer-direction", name() + " has no direction");
        if (direction != Direction::in && depth() == 0)
            return fail("pointer-direction", name() + " is no pointer and can only be [in]");
        if (direction != Direction::in && depth() == 1 && param_->type.is_const)
            return fail("pointer-direction", name() + " points to const and can only be [in]");
        bool const free = what_ == TypeClass::handle || word("userdata") || word("consumed");
        if (direction == Direction::in && depth() == 1 && !param_->type.is_const && !free)
            fail("pointer-direction", name() + " is [in] but does not point to const");
    }

    // -- words ---------------------------------------------------------------------------------

    void pointer_words()
    {
        for (Word const &given : param_->doc.words) {
            bool const allowed = is_pointer() || given.name == "consumed";
            if (!allowed)
                fail("pointer-kind", name() + " is no pointer but says " + in_quotes(given.name));
        }
        if (word("utf8") && param_->type.base != "char")
            fail("pointer-kind", name() + " says 'utf8' but is no 'char *'");
        if (word("userdata") && spell(param_->type) != "void *")
            fail("pointer-kind", name() + " says 'userdata' but is no 'void *'");
        if (word("array") && what_ == TypeClass::nothing && depth() == 1)
            fail("pointer-kind", name() + " is an array of 'void'");
        int kinds = 0;
        for (char const *kind : {"bytes", "array", "utf8", "userdata", "sized"})
            kinds += word(kind) ? 1 : 0;
        if (kinds > 1 && !(word("array") && depth() == 2))
            fail("pointer-kind", name() + " has more than one kind of pointer");
    }

    void void_pointers()
    {
        bool const vague = what_ == TypeClass::nothing || param_->type.base == "char";
        if (vague && depth() > 0 && !word("bytes") && !word("utf8") && !word("userdata"))
            fail("pointer-kind", name() + " is none of bytes, utf8, userdata");
    }

    void sized()
    {
        Item const *structure = index_.find(param_->type.base, ItemKind::structure);
        bool const needed = structure != nullptr && is_sized(*structure) && depth() == 1;
        if (needed && !word("sized"))
            fail("pointer-kind", name() + " points to a sized struct but does not say 'sized'");
        if (!needed && word("sized"))
            fail("pointer-kind", name() + " says 'sized' but points to no options or info");
        bool const part = structure != nullptr && structure->doc.kind.value == "part";
        bool const given = param_->doc.direction == Direction::in && word("array") && depth() == 1;
        if (part && !given)
            fail("pointer-kind", name() + " is a part and no [in] 'array(len=…)'");
    }

    void ownership()
    {
        if ((word("owned") || word("borrowed")) && param_->doc.direction == Direction::in)
            fail("pointer-kind", name() + " is [in] and can be neither owned nor borrowed");
        Word const *owned = find_word(param_->doc.words, "owned");
        if (owned != nullptr && owned->value.empty() && what_ != TypeClass::handle)
            fail("pointer-kind", name() + " is no handle and needs 'owned(by=…)'");
        if (owned != nullptr && !owned->value.empty() &&
            index_.find(owned->value, ItemKind::function) == nullptr)
            fail("pointer-kind",
                 "'owned(by=" + owned->value + ")' of " + name() + " names no function");
        Word const *borrowed = find_word(param_->doc.words, "borrowed");
        if (borrowed != nullptr && find_param(*item_, borrowed->value) == nullptr)
            fail("pointer-kind",
                 "'borrowed(of=" + borrowed->value + ")' of " + name() + " names no parameter");
    }

    void consumed()
    {
        if (!word("consumed"))
            return;
        bool const id = index_.find(param_->type.base, ItemKind::id) != nullptr;
        bool const handle = what_ == TypeClass::handle && depth() == 1;
        if (!handle && !(id && depth() <= 1))
            fail("consumed-shape", name() + " is consumed but is neither an id nor a handle");
        else if (param_->doc.direction != Direction::in)
            fail("consumed-shape", name() + " is consumed but not [in]");
    }

    // -- lengths -------------------------------------------------------------------------------

    void lengths()
    {
        for (Word const &given : param_->doc.words)
            if (given.key == "len" && !is_length(given.value))
                fail("length-pair", in_quotes("len=" + given.value) + " of " + name() +
                                        " names nothing that is a length");
    }

    /// A parameter, `return`, a function of the API, a constant or a plain number.
    bool is_length(std::string const &length) const
    {
        if (length == "return")
            return item_->doc.returns.value == "count";
        if (length.find_first_not_of("0123456789") == std::string::npos)
            return !length.empty();
        if (Parameter const *param = find_param(*item_, length))
            return index_.classify(param->type) == TypeClass::integer;
        return index_.find(length, ItemKind::function) != nullptr ||
               index_.find(length, ItemKind::constant) != nullptr;
    }

    bool is_referred_to(Parameter const &length) const
    {
        for (Parameter const &param : item_->params)
            for (Word const &given : param.doc.words)
                if (given.key == "len" && given.value == length.name)
                    return true;
        return false;
    }

    /// A number that is only reported, as by weir_block_size(), belongs to no pointer.
    bool only_reported(Parameter const &length) const
    {
        for (Parameter const &param : item_->params)
            if (has_word(param.doc.words, "bytes") || has_word(param.doc.words, "array"))
                return false;
        return is_output(length);
    }

    void unused_lengths()
    {
        for (Parameter const &param : item_->params) {
            bool const length = ends_with(param.name, "_len") || ends_with(param.name, "_size") ||
                                ends_with(param.name, "_count");
            param_ = &param;
            if (length && !is_referred_to(param) && !only_reported(param))
                fail("length-pair", name() + " is the length of nothing");
        }
    }

    // -- order ---------------------------------------------------------------------------------

    void outputs_last()
    {
        bool outputs = false;
        for (Parameter const &param : item_->params) {
            param_ = &param;
            bool const named = starts_with(param.name, "ret_");
            if (is_output(param) && !named)
                fail("out-last", "output " + name() + " is not called 'ret_…'");
            else if (named && param.doc.direction == Direction::in)
                fail("out-last", name() + " is called 'ret_…' but is no output");
            else if (depth() > 1 && !named)
                fail("out-last", name() + " points to a pointer but is not called 'ret_…'");
            if (outputs && !named && !is_output(param))
                fail("out-last", name() + " stands behind an output");
            outputs = outputs || named || is_output(param);
        }
    }

    // -- callbacks -----------------------------------------------------------------------------

    void callback_words()
    {
        if (item_->kind != ItemKind::function)
            return;
        for (char const *kind : {"userdata", "destroy"}) {
            Word const *given = find_word(param_->doc.words, kind);
            Parameter const *callback =
                given == nullptr ? nullptr : find_param(*item_, given->value);
            if (given == nullptr)
                continue;
            if (callback == nullptr || classify(callback->type) != TypeClass::callback)
                fail("callback-shape",
                     in_quotes(spell(*given)) + " of " + name() + " names no callback");
        }
    }

    bool follows(std::size_t i, char const *kind, std::string const &callback) const
    {
        if (i >= item_->params.size())
            return false;
        Word const *given = find_word(item_->params[i].doc.words, kind);
        return given != nullptr && given->value == callback;
    }

    void callbacks()
    {
        for (std::size_t i = 0; i < item_->params.size(); ++i) {
            Parameter const &param = item_->params[i];
            Item const *callback = index_.find(param.type.base, ItemKind::callback);
            if (callback == nullptr || has_word(param.doc.words, "destroy"))
                continue;
            param_ = &param;
            if (!follows(i + 1, "userdata", param.name))
                fail("callback-shape", name() + " is not followed by its userdata");
            bool const notified = callback->doc.scope.value == "notified";
            if (notified && !follows(i + 2, "destroy", param.name))
                fail("callback-shape", name() + " is notified but has no destroy function");
        }
    }

    LintContext const &context_;
    Index const &index_;
    Item const *item_ = nullptr;
    Parameter const *param_ = nullptr;
    TypeClass what_ = TypeClass::unknown;
};

} // namespace

void check_params(LintContext const &context)
{
    Params params(context);
    for (Section const &section : context.model.sections)
        for (Item const &item : section.items)
            if (item.kind == ItemKind::function || item.kind == ItemKind::callback)
                params.check(item);
}

} // namespace weir::gen
