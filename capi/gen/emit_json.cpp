// SPDX-License-Identifier: MIT OR Apache-2.0
// weir.json: the whole model, for other people's generators.
#include "emit.hpp"

#include "json.hpp"
#include "names.hpp"
#include "resolve.hpp"
#include "writer.hpp"

namespace weir::gen {
namespace {

class JsonEmitter {
  public:
    explicit JsonEmitter(Model const &model) : model_(model), index_(model) {}

    std::string all()
    {
        json_.open_object();
        json_.text("license", kLicense);
        json_.text("generated", kBanner);
        json_.number("schema", 1);
        json_.text("version", model_.current().version);
        json_.number("version_number", version_number(model_.current().version));
        json_.text("soname", "libweir.so." + model_.current().soversion);
        releases();
        json_.open_array("sections");
        for (Section const &section : model_.sections)
            emit_section(section);
        json_.close();
        json_.close();
        return json_.take();
    }

  private:
    void optional(std::string const &key, std::string const &value)
    {
        if (!value.empty())
            json_.text(key, value);
    }

    void releases()
    {
        json_.open_array("releases");
        for (Release const &release : model_.releases) {
            json_.open_object();
            json_.text("version", release.version);
            json_.text("date", release.date);
            json_.text("node", release.node);
            json_.text("soversion", release.soversion);
            json_.close();
        }
        json_.close();
    }

    void emit_section(Section const &section)
    {
        json_.open_object();
        json_.text("file", section.file);
        optional("heading", section.heading.file.value);
        paragraphs(section.heading);
        json_.open_array("items");
        for (Item const &item : section.items)
            emit_item(item);
        json_.close();
        json_.close();
    }

    static char const *kind_name(ItemKind kind)
    {
        switch (kind) {
        case ItemKind::handle:
            return "handle";
        case ItemKind::enumeration:
            return "enum";
        case ItemKind::flags:
            return "flags";
        case ItemKind::structure:
            return "struct";
        case ItemKind::callback:
            return "callback";
        case ItemKind::id:
            return "id";
        case ItemKind::constant:
            return "const";
        case ItemKind::function:
            break;
        }
        return "function";
    }

    void emit_item(Item const &item)
    {
        json_.open_object();
        json_.text("item", kind_name(item.kind));
        json_.text("name", item.name);
        json_.text("file", item.at.file);
        doc(item.doc);
        optional("storage", item.kind == ItemKind::enumeration ? "uint32_t" : item.storage);
        if (item.kind == ItemKind::constant)
            json_.raw("value", decimal(item.value));
        optional("dtor", item.dtor);
        if (item.kind == ItemKind::structure)
            structure(item);
        if (item.kind == ItemKind::callback || item.kind == ItemKind::function)
            callable(item);
        else if (!item.members.empty())
            members(item);
        json_.close();
    }

    void structure(Item const &item)
    {
        json_.number("size", item.size);
        json_.number("align", item.align);
        if (is_sized(item))
            json_.text("init", init_macro(item.name));
    }

    void members(Item const &item)
    {
        json_.open_array(item.kind == ItemKind::structure ? "fields" : "values");
        for (Member const &member : item.members) {
            json_.open_object();
            json_.text("name", member.name);
            doc(member.doc);
            if (!member.doc.since.given())
                json_.text("since", member.since);
            if (item.kind == ItemKind::structure) {
                type("type", member.type);
                if (member.array != 0)
                    json_.number("array", member.array);
                json_.number("offset", member.offset);
                json_.number("size", member.size);
                words(member.doc.words);
            } else {
                json_.raw("value", decimal(member.value));
            }
            json_.close();
        }
        json_.close();
    }

    void callable(Item const &item)
    {
        optional("node", item.node);
        optional("method", item.method);
        type("result", item.result);
        json_.open_array("params");
        for (Parameter const &param : item.params) {
            json_.open_object();
            json_.text("name", param.name);
            type("type", param.type);
            json_.text("direction", spell(param.doc.direction));
            words(param.doc.words);
            json_.text("text", param.doc.text);
            json_.close();
        }
        json_.close();
    }

    void type(std::string const &key, Type const &type)
    {
        json_.open_object(key);
        json_.text("c", spell(type));
        json_.text("base", type.base);
        json_.text("class", class_name(type));
        json_.number("pointers", type.pointers.size());
        json_.boolean("const", type.is_const);
        json_.close();
    }

    char const *class_name(Type const &type) const
    {
        switch (index_.classify(type)) {
        case TypeClass::unknown:
            break;
        case TypeClass::nothing:
            return "void";
        case TypeClass::integer:
            return "integer";
        case TypeClass::boolean:
            return "bool";
        case TypeClass::handle:
            return "handle";
        case TypeClass::structure:
            return "struct";
        case TypeClass::callback:
            return "callback";
        }
        return "unknown";
    }

    void words(std::vector<Word> const &words)
    {
        if (words.empty())
            return;
        json_.open_array("words");
        for (Word const &word : words) {
            json_.open_object();
            json_.text("word", word.name);
            optional(word.key.empty() ? "value" : word.key, word.value);
            json_.close();
        }
        json_.close();
    }

    void paragraphs(Doc const &doc)
    {
        if (doc.paragraphs.empty())
            return;
        json_.open_array("description");
        for (Paragraph const &paragraph : doc.paragraphs) {
            json_.open_object();
            static char const *const kKinds[] = {"text", "item", "code"};
            json_.text(kKinds[static_cast<int>(paragraph.kind)], paragraph.text);
            json_.close();
        }
        json_.close();
    }

    void texts(std::string const &key, std::vector<std::string> const &texts)
    {
        if (texts.empty())
            return;
        json_.open_array(key);
        for (std::string const &text : texts)
            json_.text("", text);
        json_.close();
    }

    void doc(Doc const &doc)
    {
        optional("brief", doc.brief);
        paragraphs(doc);
        optional("class", doc.klass.value);
        optional("role", doc.klass.argument);
        optional("kind", doc.kind.value);
        optional("guard", doc.kind.argument);
        optional("scope", doc.scope.value);
        optional("return", doc.returns.value);
        optional("return_text", doc.returns.text);
        if (!doc.return_words.empty()) {
            json_.open_object("return_ownership");
            words(doc.return_words);
            json_.close();
        }
        errors(doc);
        optional("thread", doc.thread.value);
        optional("blocks", doc.blocks.value);
        optional("blocks_on", doc.blocks.argument);
        if (doc.thread.given())
            json_.text("signal", doc.signal.given() ? "safe" : "unsafe");
        texts("notes", doc.notes);
        texts("sources", doc.sources);
        skips(doc);
        optional("since", doc.since.value);
        optional("deprecated", doc.deprecated.value);
        optional("replacement", doc.deprecated.argument);
    }

    void errors(Doc const &doc)
    {
        if (doc.errors.empty())
            return;
        json_.open_array("errors");
        for (ErrorDoc const &error : doc.errors) {
            json_.open_object();
            json_.text("code", error.code);
            json_.text("text", error.text);
            json_.close();
        }
        json_.close();
    }

    void skips(Doc const &doc)
    {
        if (doc.skips.empty())
            return;
        json_.open_array("skip");
        for (SkipDoc const &skip : doc.skips) {
            json_.open_object();
            json_.text("language", skip.language);
            json_.text("reason", skip.reason);
            json_.close();
        }
        json_.close();
    }

    Model const &model_;
    Index index_;
    Json json_;
};

} // namespace

std::string emit_json(Model const &model) { return JsonEmitter(model).all(); }

} // namespace weir::gen
