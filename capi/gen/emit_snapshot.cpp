// SPDX-License-Identifier: MIT OR Apache-2.0
// weir.abi: every fact a caller's binary or its author may rely on, one a line.
#include "emit.hpp"

#include "resolve.hpp"
#include "writer.hpp"

#include <algorithm>

namespace weir::gen {
namespace {

class Facts {
  public:
    explicit Facts(Model const &model) : model_(model), index_(model) {}

    std::vector<std::string> all()
    {
        add("soname", "libweir.so." + model_.current().soversion);
        nodes();
        for (Section const &section : model_.sections)
            for (Item const &item : section.items)
                facts(item);
        std::sort(facts_.begin(), facts_.end());
        return facts_;
    }

  private:
    void add(std::string kind, std::string const &fact)
    {
        kind.resize(9, ' ');
        facts_.push_back(kind + fact);
    }

    static std::string since(std::string const &version) { return " since=" + version; }

    /// Nodes that the functions use, in the order of the releases.
    void nodes()
    {
        std::string parent;
        for (Release const &release : model_.releases) {
            bool used = false;
            for_each(model_, ItemKind::function,
                     [&](Item const &item) { used = used || item.node == release.node; });
            if (!used || release.node == parent)
                continue;
            add("node", parent.empty() ? release.node : release.node + " " + parent);
            parent = release.node;
        }
    }

    void facts(Item const &item)
    {
        std::string const born = since(item.doc.since.value);
        switch (item.kind) {
        case ItemKind::handle:
            return add("handle", item.name + " dtor=" + item.dtor + born);
        case ItemKind::enumeration:
            return values("enum", item, "uint32_t");
        case ItemKind::flags:
            return values("flag", item, item.storage);
        case ItemKind::structure:
            return structure(item);
        case ItemKind::callback:
            add("callback",
                item.name + " " + signature(item) + " scope=" + item.doc.scope.value + born);
            return params(item);
        case ItemKind::id:
            return add("id", item.name + " " + item.storage + " " + item.doc.kind.argument + born);
        case ItemKind::constant:
            return add("const",
                       item.name + " = " + decimal(item.value) + " type=" + item.storage + born);
        case ItemKind::function:
            return function(item);
        }
    }

    void values(std::string const &kind, Item const &item, std::string const &storage)
    {
        add(kind, item.name + " " + storage + since(item.doc.since.value));
        for (Member const &member : item.members)
            add(kind, item.name + "." + member.name + " = " + decimal(member.value) +
                          since(member.since));
    }

    void structure(Item const &item)
    {
        add("struct", item.name + " kind=" + item.doc.kind.value +
                          " size=" + std::to_string(item.size) +
                          " align=" + std::to_string(item.align) + since(item.doc.since.value));
        for (Member const &member : item.members) {
            std::string const array =
                member.array == 0 ? "" : "[" + std::to_string(member.array) + "]";
            add("field", item.name + "." + member.name + " off=" + std::to_string(member.offset) +
                             " size=" + std::to_string(member.size) +
                             " type=" + spell(member.type) + array + since(member.since));
        }
    }

    void function(Item const &item)
    {
        Doc const &doc = item.doc;
        std::string blocks = doc.blocks.value;
        if (blocks == "timeout")
            blocks += "(" + doc.blocks.argument + ")";
        add("func", item.name + "@" + item.node + " " + signature(item));
        add("contract", item.name + " class=" + doc.klass.value + ":" + doc.klass.argument +
                            " return=" + doc.returns.value + words(doc.return_words, ",") +
                            " thread=" + doc.thread.value + " blocks=" + blocks +
                            " signal=" + (doc.signal.given() ? "safe" : "unsafe"));
        std::string codes;
        for (ErrorDoc const &error : doc.errors)
            codes += " " + error.code;
        if (!codes.empty())
            add("errors", item.name + codes);
        params(item);
    }

    static std::string words(std::vector<Word> const &words, std::string const &separator)
    {
        std::string out;
        for (Word const &word : words)
            out += separator + spell(word);
        return out;
    }

    void params(Item const &item)
    {
        for (std::size_t i = 0; i < item.params.size(); ++i) {
            Parameter const &param = item.params[i];
            if (!param.doc.words.empty())
                add("param", item.name + "." + std::to_string(i) + " " + param.name + " " +
                                 spell(param.doc.direction) + words(param.doc.words, " "));
        }
    }

    Model const &model_;
    Index index_;
    std::vector<std::string> facts_;
};

} // namespace

std::string signature(Item const &item)
{
    std::vector<std::string> types;
    for (Parameter const &param : item.params)
        types.push_back(spell(param.type));
    return spell(item.result) + "(" + (types.empty() ? "void" : join(types, ", ")) + ")";
}

std::vector<std::string> snapshot_facts(Model const &model) { return Facts(model).all(); }

std::string emit_snapshot(Model const &model)
{
    std::string out = banner(CommentStyle::hash) + "weir-abi 1 lp64\n";
    for (std::string const &fact : snapshot_facts(model))
        out += fact + "\n";
    return out;
}

} // namespace weir::gen
