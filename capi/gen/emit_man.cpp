// SPDX-License-Identifier: MIT OR Apache-2.0
// Manual pages in man(7) roff: one per function, and libweir(3), which lists them all.
#include "emit.hpp"

#include "header_comment.hpp"
#include "resolve.hpp"
#include "writer.hpp"

#include <algorithm>

namespace weir::gen {
namespace {

/// Text that roff prints as it stands.
std::string escape(std::string const &text)
{
    std::string out;
    for (char c : text) {
        if (c == '\\')
            out += "\\e";
        else if (c == '-')
            out += "\\-";
        else
            out += c;
    }
    return out;
}

bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// `weir_x()` in bold, with its section.
std::string link_functions(std::string const &text)
{
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = at;
        while (end < text.size() && is_name(text[end]))
            ++end;
        std::string const word = text.substr(at, end - at);
        bool const call = starts_with(word, "weir_") && text.compare(end, 2, "()") == 0;
        out += call ? "\\fB" + word + "\\fR(3)" : escape(word);
        if (call)
            end += 2;
        else if (word.empty())
            out += escape(std::string(1, text[end++]));
        at = end;
    }
    return out;
}

/// Prose: code in bold, functions with their section.
std::string prose(std::string const &text)
{
    std::string out, piece;
    bool code = false;
    for (char c : text + "`") {
        if (c != '`') {
            piece += c;
            continue;
        }
        bool const call = code && starts_with(piece, "weir_") && ends_with(piece, "()");
        if (!piece.empty())
            out += code && !call ? "\\fB" + escape(piece) + "\\fR" : link_functions(piece);
        piece.clear();
        code = !code;
    }
    return out;
}

/// Lines of input: none begins like a request.
std::string lines(std::string const &text)
{
    std::string out;
    std::string const wrapped = wrap("", "", text, 100);
    bool fresh = true;
    for (char c : wrapped) {
        if (fresh && (c == '.' || c == '\''))
            out += "\\&";
        out += c;
        fresh = c == '\n';
    }
    return out;
}

/// Code: every line and blank as it is.
std::string verbatim(std::string const &text)
{
    std::string out = ".nf\n";
    bool fresh = true;
    for (char c : text) {
        if (fresh && (c == '.' || c == '\''))
            out += "\\&";
        out += c == '\n' && fresh ? ".sp\n" : c == '\n' ? "\n" : escape(std::string(1, c));
        fresh = c == '\n';
    }
    return out + ".fi\n";
}

std::string tagged(std::string const &head, std::string const &text)
{
    return ".TP\n" + head + "\n" + (text.empty() ? "\\&\n" : lines(prose(text)));
}

std::string comment_lines()
{
    return std::string(".\\\" SPDX-License-Identifier: ") + kLicense + "\n.\\\" " + kBanner + "\n";
}

std::string title(Model const &model, std::string const &name, std::string const &minor)
{
    std::string date;
    for (Release const &release : model.releases)
        if (date.empty() && minor_of(release.version) == minor)
            date = release.date;
    return ".TH " + upper(name) + " 3 \"" + escape(date) + "\" \"weir " + model.current().version +
           "\" \"weir manual\"\n";
}

std::string heading(std::string const &text) { return ".SH " + text + "\n"; }

/// A brief as the one line of NAME: without its full stop, in lower case.
std::string name_line(std::string const &name, std::string brief)
{
    if (ends_with(brief, "."))
        brief.pop_back();
    bool const word = brief.size() > 1 && brief[1] >= 'a' && brief[1] <= 'z';
    if (word && brief[0] >= 'A' && brief[0] <= 'Z')
        brief[0] = static_cast<char>(brief[0] - 'A' + 'a');
    std::string plain;
    for (char c : brief)
        plain += c == '`' ? "" : std::string(1, c);
    return name + " \\- " + escape(plain) + "\n";
}

class Page {
  public:
    Page(Model const &model, Index const &index, Item const &item)
        : model_(model), index_(index), item_(item)
    {
    }

    std::string all()
    {
        Doc const &doc = item_.doc;
        out_ = comment_lines() + title(model_, item_.name, doc.since.value);
        out_ += heading("NAME") + name_line(item_.name, doc.brief);
        synopsis();
        description();
        returns();
        errors();
        out_ += heading("ATTRIBUTES") + lines(prose(contract_sentences(doc)));
        history();
        see_also();
        return out_;
    }

  private:
    void synopsis()
    {
        out_ += heading("SYNOPSIS") + ".nf\n.B #include <weir.h>\n.sp\n";
        std::string const code =
            declaration(spell(item_.result, item_.name) + "(", item_.params, ");");
        for (std::string const &line : split_lines(code))
            out_ += ".B \"" + escape(line) + "\"\n";
        out_ += ".fi\n";
    }

    static std::vector<std::string> split_lines(std::string const &text)
    {
        std::vector<std::string> parts(1);
        for (char c : text) {
            if (c == '\n')
                parts.emplace_back();
            else
                parts.back() += c;
        }
        while (!parts.empty() && parts.back().empty())
            parts.pop_back();
        return parts;
    }

    void description()
    {
        Doc const &doc = item_.doc;
        out_ += heading("DESCRIPTION");
        bool const glued = !doc.brief_alone;
        out_ += lines(prose(glued ? doc.brief + " " + doc.paragraphs[0].text : doc.brief));
        for (std::size_t i = glued ? 1 : 0; i < doc.paragraphs.size(); ++i)
            paragraph(doc.paragraphs[i]);
        for (Parameter const &param : item_.params)
            parameter(param);
        for (std::string const &note : doc.notes)
            out_ += ".PP\n" + lines(prose("Note: " + stopped(note)));
        for (std::string const &source : doc.sources)
            out_ += ".PP\n" + lines(prose("Source: " + stopped(source)));
        for (Parameter const &param : item_.params)
            fields(param);
    }

    void paragraph(Paragraph const &paragraph)
    {
        if (paragraph.kind == ParagraphKind::code)
            out_ += ".PP\n.RS 4\n" + verbatim(paragraph.text) + ".RE\n";
        else if (paragraph.kind == ParagraphKind::list_item)
            out_ += ".IP \\(bu 2\n" + lines(prose(paragraph.text));
        else
            out_ += ".PP\n" + lines(prose(paragraph.text));
    }

    void parameter(Parameter const &param)
    {
        std::string const words = sentences(param.doc.words, param.type, index_);
        std::string const text = stopped(param.doc.text);
        out_ += tagged(".IR " + param.name + " \" (" + spell(param.doc.direction) + ")\"",
                       text.empty() || words.empty() ? text + words : text + " " + words);
    }

    /// The fields of a struct that a parameter points to, so that nobody needs the header.
    void fields(Parameter const &param)
    {
        Item const *structure = index_.find_type(param.type);
        if (structure == nullptr || structure->kind != ItemKind::structure)
            return;
        out_ += ".SS \"struct " + structure->name + "\"\n" + lines(prose(structure->doc.brief));
        for (Member const &member : structure->members) {
            std::string const array =
                member.array == 0 ? "" : "[" + std::to_string(member.array) + "]";
            std::string text = member.doc.brief;
            for (Paragraph const &paragraph : member.doc.paragraphs)
                text += " " + paragraph.text;
            out_ += tagged(".B \"" + spell(member.type, member.name) + array + "\"", stopped(text));
        }
        values(*structure);
    }

    /// The constants that its fields may have.
    void values(Item const &structure)
    {
        std::vector<Item const *> listed;
        for (Member const &member : structure.members) {
            Item const *kind = index_.find_type(member.type);
            bool const constants = kind != nullptr && (kind->kind == ItemKind::enumeration ||
                                                       kind->kind == ItemKind::flags);
            if (!constants || std::find(listed.begin(), listed.end(), kind) != listed.end())
                continue;
            listed.push_back(kind);
            out_ += ".SS " + kind->name + "\n" + lines(prose(kind->doc.brief));
            for (Member const &value : kind->members)
                out_ += tagged(".B " + value.name, stopped(value.doc.brief));
        }
    }

    void returns()
    {
        std::string text = return_text(item_, index_);
        if (text.empty() && item_.result.base == "void" && item_.result.pointers.empty())
            text = "Nothing.";
        if (text.empty())
            text = "The value; the call cannot fail.";
        if (!item_.doc.errors.empty())
            text += " Otherwise a negative error.";
        out_ += heading("\"RETURN VALUE\"") + lines(prose(text));
    }

    void errors()
    {
        if (item_.doc.errors.empty())
            return;
        out_ += heading("ERRORS");
        for (ErrorDoc const &error : item_.doc.errors)
            out_ += tagged(".B " + escape(error.code), stopped(error.text));
    }

    void history()
    {
        Doc const &doc = item_.doc;
        out_ += heading("HISTORY") + "Since " + doc.since.value + ".\n";
        if (doc.deprecated.given())
            out_ += "Deprecated since " + doc.deprecated.value + ".\n";
    }

    void see_also()
    {
        std::vector<std::string> names;
        if (item_.doc.deprecated.given())
            names.push_back(item_.doc.deprecated.argument);
        for (Parameter const &param : item_.params) {
            Word const *owned = find_word(param.doc.words, "owned");
            Item const *handle = index_.find(param.type.base, ItemKind::handle);
            if (owned != nullptr && !owned->value.empty())
                names.push_back(owned->value);
            else if (owned != nullptr && handle != nullptr)
                names.push_back(handle->dtor);
        }
        out_ += heading("\"SEE ALSO\"");
        std::string before;
        for (std::string const &name : names)
            if (name != before && name != item_.name)
                out_ += ".BR " + (before = name) + " (3),\n";
        out_ += ".BR libweir (3),\n.BR weir (7)\n";
    }

    Model const &model_;
    Index const &index_;
    Item const &item_;
    std::string out_;
};

/// libweir(3): every function under the heading of its source.
std::string overview(Model const &model)
{
    std::string out = comment_lines() + title(model, "libweir", minor_of(model.current().version));
    out += heading("NAME") + "libweir \\- the functions of weir.h\n";
    out += heading("SYNOPSIS") + ".nf\n.B #include <weir.h>\n.sp\n.B cc ... \\-lweir\n.fi\n";
    out += heading("DESCRIPTION") +
           "Every function has a page of its own.\nHow they belong together is told in\n"
           ".BR weir (7).\n";
    for (Section const &section : model.sections) {
        std::string entries;
        for (Item const &item : section.items)
            if (item.kind == ItemKind::function)
                entries += tagged(".BR " + item.name + " (3)", item.doc.brief);
        if (!entries.empty())
            out += ".SS \"" + escape(section.heading.file.value) + "\"\n" + entries;
    }
    return out + heading("\"SEE ALSO\"") + ".BR weir (7)\n";
}

/// The pages for Meson, so that nobody lists functions by hand.
std::string page_list(std::vector<Output> const &pages)
{
    std::string out = banner(CommentStyle::hash) + "\nman_pages = files(\n";
    for (Output const &page : pages)
        out += "  '" + page.path.substr(page.path.rfind('/') + 1) + "',\n";
    return out + ")\ninstall_man(man_pages, 'weir.7')\n";
}

} // namespace

void emit_man(Model const &model, std::vector<Output> &outputs)
{
    Index const index(model);
    std::vector<Output> pages = {{"man", "capi/man/libweir.3", overview(model)}};
    for_each(model, ItemKind::function, [&](Item const &item) {
        pages.push_back({"man", "capi/man/" + item.name + ".3", Page(model, index, item).all()});
    });
    outputs.push_back({"man", "capi/man/meson.build", page_list(pages)});
    outputs.insert(outputs.end(), pages.begin(), pages.end());
}

} // namespace weir::gen
