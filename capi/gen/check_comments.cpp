// SPDX-License-Identifier: MIT OR Apache-2.0
// Rules on comments: what must be said, where a tag may stand, releases, skips, replacements.
#include "lint.hpp"

#include "writer.hpp"

namespace weir::gen {
namespace {

class Comments {
  public:
    explicit Comments(LintContext const &context) : context_(context) {}

    void item(Item const &item)
    {
        if (!item.doc.given())
            return fail(item.at, "doc-missing", describe(item) + " has no comment");
        if (item.doc.brief.empty())
            fail(item.doc.at, "text-empty", describe(item) + " has no first sentence");
        misplaced_tags(item);
        required_tags(item);
        since(item);
        params(item);
        for (ErrorDoc const &error : item.doc.errors)
            if (error.text.empty())
                fail(error.at, "text-empty",
                     "error " + in_quotes(error.code) + " of " + in_quotes(item.name) +
                         " has no text");
        for (SkipDoc const &skip : item.doc.skips)
            if (skip.reason.empty())
                fail(skip.at, "skip-reason", "'@skip " + skip.language + "' has no reason");
        deprecated(item.doc);
        for (Member const &one : item.members)
            member(item, one);
    }

  private:
    void fail(Location const &at, std::string const &rule, std::string const &message)
    {
        context_.diagnostics.error(at, rule, message);
    }

    void misplaced(Tag const &tag, char const *name, bool allowed)
    {
        if (tag.given() && !allowed)
            fail(tag.at, "tag-unknown", in_quotes(name) + " may not stand here");
    }

    void function_tags(Doc const &doc, bool allowed)
    {
        misplaced(doc.klass, "@class", allowed);
        misplaced(doc.returns, "@return", allowed);
        misplaced(doc.errors_tag, "@errors", allowed);
        misplaced(doc.thread, "@thread", allowed);
        misplaced(doc.blocks, "@blocks", allowed);
        misplaced(doc.signal, "@signal", allowed);
        for (SkipDoc const &skip : doc.skips)
            if (!allowed)
                fail(skip.at, "tag-unknown", "'@skip' may not stand here");
    }

    void misplaced_tags(Item const &item)
    {
        bool const function = item.kind == ItemKind::function;
        bool const callback = item.kind == ItemKind::callback;
        bool const kind = item.kind == ItemKind::structure || item.kind == ItemKind::id;
        function_tags(item.doc, function);
        misplaced(item.doc.scope, "@scope", callback);
        misplaced(item.doc.kind, "@kind", kind);
        if (!function && !callback && !item.doc.params.empty())
            fail(item.doc.params[0].at, "tag-unknown", "'@param' may not stand here");
    }

    void required(Item const &item, Tag const &tag, char const *name)
    {
        if (!tag.given())
            fail(item.doc.at, "tag-missing", describe(item) + " has no " + in_quotes(name));
    }

    void required_tags(Item const &item)
    {
        Doc const &doc = item.doc;
        if (item.kind == ItemKind::function) {
            required(item, doc.klass, "@class");
            required(item, doc.returns, "@return");
            required(item, doc.thread, "@thread");
            required(item, doc.blocks, "@blocks");
            if (can_fail(item))
                required(item, doc.errors_tag, "@errors");
        } else if (item.kind == ItemKind::callback) {
            required(item, doc.scope, "@scope");
        } else if (item.kind == ItemKind::structure || item.kind == ItemKind::id) {
            required(item, doc.kind, "@kind");
        }
    }

    void since(Item const &item)
    {
        if (!item.doc.since.given())
            return fail(item.doc.at, "since", describe(item) + " has no '@since'");
        not_newer(item.doc.since, describe(item));
    }

    void not_newer(Tag const &since, std::string const &what)
    {
        std::string const now = minor_of(context_.model.current().version);
        if (version_less(now, since.value))
            fail(since.at, "since",
                 what + " says '@since " + since.value + "', but the project is at " + now);
    }

    void params(Item const &item)
    {
        if (item.kind != ItemKind::function && item.kind != ItemKind::callback)
            return;
        for (Parameter const &param : item.params) {
            std::string const what =
                "parameter " + in_quotes(param.name) + " of " + in_quotes(item.name);
            if (param.doc.at.line == 0)
                fail(param.at, "tag-missing", what + " has no '@param'");
            else if (param.doc.text.empty())
                fail(param.doc.at, "text-empty", what + " has no text");
        }
        for (ParamDoc const &doc : item.doc.params)
            if (find_param(item, doc.name) == nullptr)
                fail(doc.at, "tag-unknown",
                     "'@param' names " + in_quotes(doc.name) + ", which " + in_quotes(item.name) +
                         " does not have");
    }

    void deprecated(Doc const &doc)
    {
        Tag const &tag = doc.deprecated;
        if (!tag.given() || tag.argument.empty())
            return;
        if (context_.index.find(tag.argument, ItemKind::function) == nullptr)
            fail(tag.at, "deprecated-use",
                 "replacement " + in_quotes(tag.argument + "()") + " does not exist");
        if (version_less(minor_of(context_.model.current().version), tag.value))
            fail(tag.at, "deprecated-use",
                 "'@deprecated " + tag.value + "' is newer than the project");
    }

    void member(Item const &item, Member const &member)
    {
        std::string const what = in_quotes(member.name) + " of " + in_quotes(item.name);
        if (!member.doc.given())
            return fail(member.at, "doc-missing", what + " has no comment");
        if (member.doc.brief.empty())
            fail(member.doc.at, "text-empty", what + " has no text");
        function_tags(member.doc, false);
        misplaced(member.doc.scope, "@scope", false);
        misplaced(member.doc.kind, "@kind", false);
        for (ParamDoc const &param : member.doc.params)
            fail(param.at, "tag-unknown", "'@param' may not stand here");
        deprecated(member.doc);
        if (member.doc.since.given())
            not_newer(member.doc.since, what);
        if (member.doc.since.given() && version_less(member.since, item.doc.since.value))
            fail(member.doc.since.at, "since", what + " is older than " + in_quotes(item.name));
    }

    LintContext const &context_;
};

} // namespace

void check_comments(LintContext const &context)
{
    Comments comments(context);
    for (Section const &section : context.model.sections)
        for (Item const &item : section.items)
            comments.item(item);
}

} // namespace weir::gen
