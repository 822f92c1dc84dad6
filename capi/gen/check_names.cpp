// SPDX-License-Identifier: MIT OR Apache-2.0
// Rules on names: prefix, case, keywords of the five languages, nothing declared twice.
#include "lint.hpp"

#include "names.hpp"
#include "writer.hpp"

#include <map>
#include <set>

namespace weir::gen {
namespace {

constexpr char const *kLower = "abcdefghijklmnopqrstuvwxyz0123456789_";
constexpr char const *kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

bool is_type_or_function(Item const &item) { return item.kind != ItemKind::constant; }

class Names {
  public:
    explicit Names(LintContext const &context) : context_(context) {}

    void all()
    {
        for (Section const &section : context_.model.sections)
            for (Item const &item : section.items)
                check(item);
    }

  private:
    void fail(Location const &at, std::string const &rule, std::string const &message)
    {
        context_.diagnostics.error(at, rule, message);
    }

    void check(Item const &item)
    {
        if (is_type_or_function(item))
            lower(item.at, item.name, "weir_", describe(item));
        else
            upper(item.at, item.name);
        unique(item);
        if (item.kind == ItemKind::function)
            method(item);
        params(item);
        members(item);
    }

    void lower(Location const &at, std::string const &name, std::string const &prefix,
               std::string const &what)
    {
        if (!starts_with(name, prefix) || (name == prefix && !prefix.empty()))
            fail(at, "name-prefix", what + " does not begin with " + in_quotes(prefix));
        else if (name.find_first_not_of(kLower) != std::string::npos)
            fail(at, "name-prefix", what + " is not lower case");
    }

    void upper(Location const &at, std::string const &name)
    {
        if (!starts_with(name, "WEIR_") || name == "WEIR_")
            fail(at, "name-prefix", "constant " + in_quotes(name) + " does not begin with 'WEIR_'");
        else if (name.find_first_not_of(kUpper) != std::string::npos)
            fail(at, "name-prefix", "constant " + in_quotes(name) + " is not upper case");
        if (!constants_.insert(name).second)
            fail(at, "name-prefix", in_quotes(name) + " is declared twice");
    }

    /// A struct and a function may share a name; a struct and a typedef may not (in C++).
    void unique(Item const &item)
    {
        bool const function = item.kind == ItemKind::function;
        std::set<std::string> &names = function ? functions_ : types_;
        if (item.kind != ItemKind::constant && !names.insert(item.name).second)
            fail(item.at, "name-prefix", in_quotes(item.name) + " is declared twice");
    }

    /// Taking and giving a reference become clone and close: their names are never printed.
    void method(Item const &item)
    {
        std::string const &role = item.doc.klass.argument;
        if (role != "ref" && role != "dtor")
            keyword(item.at, item.method, "method of " + describe(item));
        std::string const full = item.doc.klass.value + "." + item.method;
        auto const first = methods_.emplace(full, item.name);
        if (!first.second && first.first->second != item.name)
            fail(item.at, "name-prefix",
                 in_quotes(item.name) + " and " + in_quotes(first.first->second) + " are both " +
                     in_quotes(item.method) + " of " + in_quotes(item.doc.klass.value));
    }

    void keyword(Location const &at, std::string const &name, std::string const &what)
    {
        std::string const language = keyword_language(name);
        if (!language.empty())
            fail(at, "name-keyword",
                 what + " is called " + in_quotes(name) + ", a keyword of " + language);
    }

    void params(Item const &item)
    {
        std::set<std::string> names;
        for (Parameter const &param : item.params) {
            std::string const what =
                "parameter " + in_quotes(param.name) + " of " + in_quotes(item.name);
            lower(param.at, param.name, "", what);
            keyword(param.at, plain_name(param.name), what);
            if (!names.insert(param.name).second)
                fail(param.at, "name-prefix", what + " is declared twice");
        }
    }

    void members(Item const &item)
    {
        std::set<std::string> names;
        for (Member const &member : item.members) {
            if (item.kind != ItemKind::structure) {
                upper(member.at, member.name);
                continue;
            }
            std::string const what =
                "field " + in_quotes(member.name) + " of " + in_quotes(item.name);
            lower(member.at, member.name, "", what);
            keyword(member.at, member.name, what);
            if (!names.insert(member.name).second)
                fail(member.at, "name-prefix", what + " is declared twice");
        }
    }

    LintContext const &context_;
    std::set<std::string> types_;
    std::set<std::string> functions_;
    std::set<std::string> constants_;
    std::map<std::string, std::string> methods_;
};

} // namespace

void check_names(LintContext const &context) { Names(context).all(); }

} // namespace weir::gen
