// SPDX-License-Identifier: MIT OR Apache-2.0
// Compares the snapshot of the sources with the newest released one of the same soversion.
#include "lint.hpp"

#include "writer.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

namespace weir::gen {
namespace {

struct Fact {
    std::string kind;
    std::string name; ///< of a function without its node
    std::string rest;
    Location at; ///< in the released snapshot; unset for a fact of the sources
};

using FactsByName = std::map<std::string, Fact>; ///< by "kind name"

FactsByName parse_facts(std::vector<std::string> const &lines, std::string const &file)
{
    FactsByName facts;
    Location at = {file, 0};
    for (std::string const &line : lines) {
        ++at.line;
        std::vector<std::string> words = split_words(line);
        if (words.size() < 2 || words[0] == "#" || words[0] == "weir-abi")
            continue;
        Fact fact = {words[0], words[1], "", at};
        std::size_t const node = fact.name.find('@');
        words.erase(words.begin(), words.begin() + 2);
        fact.rest = join(words, " ");
        if (node != std::string::npos) {
            fact.rest = fact.name.substr(node) + " " + fact.rest;
            fact.name.erase(node);
        }
        std::string const key = fact.kind == "soname" ? "soname" : fact.kind + " " + fact.name;
        facts[key] = fact;
    }
    return facts;
}

std::vector<std::string> lines_of(std::string const &text)
{
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
        lines.push_back(line);
    return lines;
}

/// The value of `key=` among the words of a fact.
std::string value_of(Fact const &fact, std::string const &key)
{
    for (std::string const &word : split_words(fact.rest))
        if (starts_with(word, key + "="))
            return word.substr(key.size() + 1);
    return "";
}

std::string without_since(Fact const &fact)
{
    return trim(fact.rest.substr(0, fact.rest.rfind("since=")));
}

/// Position in a list of demands, the strongest first; what is not in it is stronger than all.
int weakness(std::string const &value, std::vector<std::string> const &demands)
{
    std::string const base = value.substr(0, value.find('('));
    auto const found = std::find(demands.begin(), demands.end(), base);
    return found == demands.end() ? -1 : static_cast<int>(found - demands.begin());
}

class AbiCheck {
  public:
    AbiCheck(Model const &model, Snapshot const &released, std::string const &changelog,
             Diagnostics &diagnostics)
        : index_(model), model_(model), released_(released), changelog_(changelog),
          diagnostics_(diagnostics),
          old_(parse_facts(lines_of(released.text),
                           "capi/abi/released/" + released.version + ".abi")),
          new_(parse_facts(snapshot_facts(model), ""))
    {
    }

    void all()
    {
        for (auto const &entry : old_)
            known(entry.first, entry.second);
        for (auto const &entry : new_)
            if (old_.count(entry.first) == 0)
                added(entry.second);
    }

  private:
    /// Errors point to the source if the item is still there, else to the released line.
    Location place(Fact const &fact) const
    {
        std::string const name = fact.name.substr(0, fact.name.find('.'));
        std::string const member =
            name.size() < fact.name.size() ? fact.name.substr(name.size() + 1) : "";
        bool const tag = fact.kind == "struct" || fact.kind == "field" || fact.kind == "handle";
        Item const *item = tag ? index_.find_tag(name) : index_.find_name(name);
        if (item == nullptr)
            return fact.at.file.empty() ? model_.current().at : fact.at;
        for (Member const &one : item->members)
            if (one.name == member)
                return one.at;
        return item->at;
    }

    void fail(Fact const &fact, std::string const &rule, std::string const &message)
    {
        diagnostics_.error(place(fact), rule, message);
    }

    void changed(Fact const &before, Fact const &after)
    {
        fail(before, "released",
             before.kind + " " + in_quotes(before.name) + " was " + in_quotes(before.rest) +
                 " in " + released_.version + " and is " + in_quotes(after.rest));
    }

    void known(std::string const &key, Fact const &before)
    {
        auto const found = new_.find(key);
        if (before.kind == "errors" || before.kind == "param")
            return lists(before, found == new_.end() ? Fact{before.kind, before.name, "", {}}
                                                     : found->second);
        if (found == new_.end())
            return gone(before);
        Fact const &after = found->second;
        if (before.rest == after.rest)
            return;
        if (!value_of(before, "since").empty() && without_since(before) == without_since(after))
            return fail(before, "since",
                        in_quotes(before.name) + " says '@since " + value_of(after, "since") +
                            "', but was released in " + value_of(before, "since"));
        if (before.kind == "contract")
            contract(before, after);
        else if (before.kind != "struct" || !may_grow(before, after))
            changed(before, after);
    }

    // -- what is gone --------------------------------------------------------------------------

    /// Parameters and contracts go with their function, which says so itself.
    void gone(Fact const &before)
    {
        bool const own = before.kind != "contract" && !is_obsolete_now(before);
        if (own)
            fail(before, "released",
                 before.kind + " " + in_quotes(before.name) + " of " + released_.version +
                     " is gone");
    }

    static std::string type_of(Fact const &fact)
    {
        return fact.name.substr(0, fact.name.find('.'));
    }

    /// An enum value may go if its number stays taken by a `WEIR_…_OBSOLETE_n`.
    bool is_obsolete_now(Fact const &before) const
    {
        if (before.kind != "enum" && before.kind != "flag")
            return false;
        for (auto const &entry : new_) {
            Fact const &after = entry.second;
            if (after.kind == before.kind && type_of(after) == type_of(before) &&
                without_since(after) == without_since(before) &&
                after.name.find("_OBSOLETE_") != std::string::npos)
                return true;
        }
        return false;
    }

    // -- what changed --------------------------------------------------------------------------

    /// The others are frozen when they are released.
    static bool is_sized(std::string const &kind) { return kind == "options" || kind == "info"; }

    static bool may_grow(Fact const &before, Fact const &after)
    {
        std::string const kind = value_of(before, "kind");
        bool const same = kind == value_of(after, "kind") && is_sized(kind) &&
                          value_of(before, "align") == value_of(after, "align") &&
                          value_of(before, "since") == value_of(after, "since");
        return same && std::stoull(value_of(after, "size")) > std::stoull(value_of(before, "size"));
    }

    static bool is_weaker(Fact const &before, Fact const &after, std::string const &key,
                          std::vector<std::string> const &demands)
    {
        std::string const was = value_of(before, key);
        std::string const is = value_of(after, key);
        return was == is || weakness(was, demands) < weakness(is, demands);
    }

    void contract(Fact const &before, Fact const &after)
    {
        bool const fine = value_of(before, "class") == value_of(after, "class") &&
                          value_of(before, "return") == value_of(after, "return") &&
                          is_weaker(before, after, "thread", {"owner", "external", "any"}) &&
                          is_weaker(before, after, "blocks", {"yes", "timeout", "stall", "no"}) &&
                          is_weaker(before, after, "signal", {"unsafe", "safe"});
        if (!fine)
            changed(before, after);
    }

    void lists(Fact const &before, Fact const &after)
    {
        std::string const function = type_of(before);
        bool const callback = index_.find(function, ItemKind::callback) != nullptr;
        if (!callback && index_.find(function, ItemKind::function) == nullptr)
            return; // the function is gone and says so itself
        if (before.kind == "errors")
            errors(before, after);
        else
            words(before, after);
    }

    /// A code is new only in a minor release, and CHANGELOG.md tells users.
    void errors(Fact const &before, Fact const &after)
    {
        std::vector<std::string> const was = split_words(before.rest);
        bool const minor = version_less(released_.version, minor_of(model_.current().version));
        for (std::string const &code : split_words(after.rest)) {
            if (std::find(was.begin(), was.end(), code) != was.end())
                continue;
            if (!minor || !changelog_names(before.name, code))
                fail(before, "released",
                     "error " + in_quotes(code) + " of " + in_quotes(before.name) +
                         " is new: only in a minor release, with a line in CHANGELOG.md");
        }
    }

    bool changelog_names(std::string const &function, std::string const &code) const
    {
        for (std::string const &line : lines_of(changelog_))
            if (line.find(function) != std::string::npos &&
                line.find(code.substr(1)) != std::string::npos)
                return true;
        return false;
    }

    /// An input may become nullable, nothing else.
    void words(Fact const &before, Fact const &after)
    {
        if (after.rest.empty())
            return changed(before, after);
        std::vector<std::string> is = split_words(after.rest);
        std::vector<std::string> const was = split_words(before.rest);
        bool const input =
            is[1] == "in" && std::find(was.begin(), was.end(), "nullable") == was.end();
        if (input)
            is.erase(std::remove(is.begin(), is.end(), "nullable"), is.end());
        if (sorted(is) != sorted(was))
            changed(before, after);
    }

    static std::vector<std::string> sorted(std::vector<std::string> words)
    {
        std::sort(words.begin(), words.end());
        return words;
    }

    // -- what is new ---------------------------------------------------------------------------

    void added(Fact const &after)
    {
        if (after.kind == "contract" || after.kind == "node" || after.kind == "soname")
            return;
        if (after.kind == "param")
            return new_words(after);
        if (after.kind == "errors")
            return new_errors(after);
        bool const obsolete = after.name.find("_OBSOLETE_") != std::string::npos;
        if (after.kind == "enum" || after.kind == "flag")
            reused(after);
        if (after.kind == "field" && !behind_released(after))
            return fail(after, "released",
                        "field " + in_quotes(after.name) + " is not behind what " +
                            released_.version + " had");
        std::string const since = since_of(after);
        if (!obsolete && !version_less(released_.version, since))
            fail(after, "since",
                 in_quotes(after.name) + " says '@since " + since + "', but is not in " +
                     released_.version);
    }

    std::string since_of(Fact const &after) const
    {
        if (after.kind != "func")
            return value_of(after, "since");
        return index_.find(after.name, ItemKind::function)->doc.since.value;
    }

    /// Words where a released parameter had none.
    void new_words(Fact const &after)
    {
        std::string const function = type_of(after);
        if (old_.count("func " + function) == 0 && old_.count("callback " + function) == 0)
            return;
        std::vector<std::string> const is = split_words(after.rest);
        if (is.size() != 3 || is[1] != "in" || is[2] != "nullable")
            changed({"param", after.name, "", {}}, after);
    }

    void new_errors(Fact const &after)
    {
        if (old_.count("func " + after.name) != 0)
            errors({"errors", after.name, "", {}}, after);
    }

    /// A number that a release used under another name stays what it was.
    void reused(Fact const &after)
    {
        for (auto const &entry : old_) {
            Fact const &before = entry.second;
            bool const same = before.kind == after.kind && type_of(before) == type_of(after) &&
                              without_since(before) == without_since(after) &&
                              before.name != after.name &&
                              before.name.find('.') != std::string::npos;
            if (same && after.name.find("_OBSOLETE_") == std::string::npos)
                fail(after, after.kind == "enum" ? "enum-value" : "flag-value",
                     in_quotes(after.name) + " has the value that " + in_quotes(before.name) +
                         " had in " + released_.version);
        }
    }

    bool behind_released(Fact const &after) const
    {
        auto const found = old_.find("struct " + type_of(after));
        if (found == old_.end())
            return true;
        return is_sized(value_of(found->second, "kind")) &&
               std::stoull(value_of(after, "off")) >= std::stoull(value_of(found->second, "size"));
    }

    Index const index_;
    Model const &model_;
    Snapshot const &released_;
    std::string const &changelog_;
    Diagnostics &diagnostics_;
    FactsByName const old_;
    FactsByName const new_;
};

} // namespace

void check_abi(Model const &model, std::vector<Snapshot> const &released,
               std::string const &changelog, Diagnostics &diagnostics)
{
    std::string const soname = "libweir.so." + model.current().soversion;
    for (auto snapshot = released.rbegin(); snapshot != released.rend(); ++snapshot) {
        FactsByName const facts = parse_facts(lines_of(snapshot->text), "");
        auto const found = facts.find("soname");
        if (found != facts.end() && found->second.name == soname)
            return AbiCheck(model, *snapshot, changelog, diagnostics).all();
    }
}

} // namespace weir::gen
