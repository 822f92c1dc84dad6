// SPDX-License-Identifier: MIT OR Apache-2.0
// Turns doc comments back into text for people who read weir.h.
#include "header_comment.hpp"

#include "names.hpp"
#include "writer.hpp"

namespace weir::gen {
namespace {

constexpr std::size_t kWidth = 80;

std::string joined(std::string const &a, std::string const &b)
{
    return a.empty() || b.empty() ? a + b : a + " " + b;
}

std::string length_sentence(Word const &word)
{
    bool const bytes = word.name == "bytes";
    if (word.value == "return")
        return bytes ? "As many bytes as the call returns."
                     : "An array of as many elements as the call returns.";
    bool const function = starts_with(word.value, "weir_");
    std::string const amount = function ? word.value + "()" : "`" + word.value + "`";
    return bytes ? amount + " bytes." : "An array of " + amount + " elements.";
}

std::string owned_sentence(Word const &word, Type const &type, Index const &index)
{
    std::string release = word.value;
    Item const *handle = index.find(type.base, ItemKind::handle);
    if (release.empty() && handle != nullptr)
        release = handle->dtor;
    return "The caller owns it and gives it back with " + release + "().";
}

std::string sized_sentence(Type const &type)
{
    return "Its `size` is set, as `" + init_macro(type.base) + "` does.";
}

std::string sentence(Word const &word, Type const &type, Index const &index)
{
    if (word.name == "owned")
        return owned_sentence(word, type, index);
    if (word.name == "borrowed")
        return "Valid as long as `" + word.value + "` is.";
    if (word.name == "consumed")
        return "Passes to the library, unless the call fails.";
    if (word.name == "bytes" || word.name == "array")
        return length_sentence(word);
    if (word.name == "userdata")
        return "Handed to `" + word.value + "`.";
    if (word.name == "destroy")
        return "Called when `" + word.value + "` is no longer needed.";
    if (word.name == "utf8")
        return "UTF-8, ended by NUL.";
    return word.name == "sized" ? sized_sentence(type) : "";
}

/// Lines of ` * text` with a blank comment line in front if something stands above.
class Comment {
  public:
    void paragraph(std::string const &text)
    {
        if (text.empty())
            return;
        gap();
        body_ += wrap(" * ", " * ", text, kWidth);
    }

    void raw(std::string const &lines) { body_ += lines; }

    void gap()
    {
        if (!body_.empty())
            body_ += " *\n";
    }

    /// On one line if it fits.
    std::string finish() const
    {
        bool const single = body_.find('\n') + 1 == body_.size() && body_.size() <= kWidth - 4;
        if (single)
            return "/** " + trim(body_.substr(3)) + " */\n";
        return "/**\n" + body_ + " */\n";
    }

  private:
    std::string body_;
};

void add_params(Comment &comment, Item const &item, Index const &index)
{
    if (!item.params.empty())
        comment.gap();
    std::vector<std::string> heads;
    for (Parameter const &param : item.params)
        heads.push_back(std::string("@param[") + spell(param.doc.direction) + "] " + param.name);
    std::size_t widest = 0;
    for (std::string const &head : heads)
        widest = std::max(widest, head.size());
    for (std::size_t i = 0; i < heads.size(); ++i) {
        Parameter const &param = item.params[i];
        heads[i].resize(widest + 1, ' ');
        std::string const text =
            joined(stopped(param.doc.text), sentences(param.doc.words, param.type, index));
        comment.raw(wrap(" * " + heads[i], " *     ", text, kWidth));
    }
}

void add_return(Comment &comment, Item const &item, Index const &index)
{
    std::string text = item.doc.returns.given() ? return_text(item, index) : "";
    if (!item.doc.errors.empty())
        text += " Otherwise a negative error:";
    if (text.empty())
        return;
    comment.gap();
    comment.raw(wrap(" * @return ", " *     ", text, kWidth));
    std::size_t widest = 0;
    for (ErrorDoc const &error : item.doc.errors)
        widest = std::max(widest, error.code.size());
    for (ErrorDoc const &error : item.doc.errors) {
        std::string const pad(widest - error.code.size() + 1, ' ');
        std::string const indent = " *   " + std::string(widest + 1, ' ');
        comment.raw(wrap(" *   " + error.code + pad, indent, error.text, kWidth));
    }
}

std::string deprecation(Doc const &doc)
{
    if (!doc.deprecated.given())
        return "";
    return "Deprecated since " + doc.deprecated.value + ", use " + doc.deprecated.argument + "().";
}

void add_description(Comment &comment, Doc const &doc)
{
    bool listing = false;
    bool glued = !doc.brief_alone; // the brief and the text behind it are one paragraph
    comment.paragraph(glued ? doc.brief + " " + doc.paragraphs[0].text : doc.brief);
    for (Paragraph const &paragraph : doc.paragraphs) {
        if (glued) {
            glued = false;
            continue;
        }
        if (paragraph.kind != ParagraphKind::list_item || !listing)
            comment.gap();
        listing = paragraph.kind == ParagraphKind::list_item;
        comment.raw(comment_paragraph(paragraph, " * "));
    }
}

std::string kind_sentence(Item const &item)
{
    if (item.kind == ItemKind::function && item.doc.klass.argument == "dtor")
        return "";
    if (item.kind != ItemKind::callback || !item.doc.scope.given())
        return "";
    return item.doc.scope.value == "call" ? "Called only during the call that takes it."
                                          : "Called until its destroy function has run.";
}

} // namespace

std::string stopped(std::string const &text)
{
    if (text.empty() || ends_with(text, ".") || ends_with(text, ":") || ends_with(text, "?"))
        return text;
    return text + ".";
}

std::string return_text(Item const &item, Index const &index)
{
    Doc const &doc = item.doc;
    std::string text = stopped(doc.returns.text);
    if (text.empty() && doc.returns.value == "ok")
        text = "0.";
    else if (text.empty() && doc.returns.value == "count")
        text = "A count, 0 or more.";
    else if (text.empty() && doc.returns.value == "bool")
        text = "1 if so, else 0.";
    else if (text.empty() && doc.returns.value == "handle")
        text = doc.klass.argument == "dtor" ? "NULL." : "The same handle.";
    else if (text.empty() && doc.returns.value == "text")
        text = "A static string, never NULL.";
    text = joined(text, sentences(doc.return_words, item.result, index));
    return text;
}

std::string sentences(std::vector<Word> const &words, Type const &type, Index const &index)
{
    std::string out = has_word(words, "nullable") ? "May be NULL." : "";
    for (Word const &word : words)
        out = joined(out, sentence(word, type, index));
    return out;
}

std::string contract_sentences(Doc const &doc)
{
    std::string out;
    if (doc.thread.value == "any")
        out = "Any thread.";
    else if (doc.thread.value == "owner")
        out = "Only the thread that made the object.";
    else if (doc.thread.value == "external")
        out = "Callers serialise calls on one object.";
    if (doc.blocks.value == "no")
        out = joined(out, "Does not block.");
    else if (doc.blocks.value == "stall")
        out = joined(out, "Waits for a stopped process alone, at most the matrix's `stall_ns`.");
    else if (doc.blocks.value == "yes")
        out = joined(out, "May block.");
    else if (doc.blocks.value == "timeout")
        out = joined(out, "Blocks only if `" + doc.blocks.argument + "` is not 0.");
    if (doc.thread.given())
        out = joined(out,
                     doc.signal.given() ? "Safe in signal handlers." : "Not for signal handlers.");
    return out;
}

std::string comment_paragraph(Paragraph const &paragraph, std::string const &prefix)
{
    if (paragraph.kind == ParagraphKind::text)
        return wrap(prefix, prefix, paragraph.text, kWidth);
    if (paragraph.kind == ParagraphKind::list_item)
        return wrap(prefix + "- ", prefix + "  ", paragraph.text, kWidth);
    std::string out = prefix + "@code\n";
    std::string line;
    for (char c : paragraph.text) {
        if (c == '\n') {
            out += (line.empty() ? prefix.substr(0, prefix.size() - 1) : prefix + line) + "\n";
            line.clear();
        } else {
            line += c;
        }
    }
    return out + prefix + "@endcode\n";
}

std::string item_comment(Item const &item, Index const &index)
{
    Comment comment;
    add_description(comment, item.doc);
    add_params(comment, item, index);
    add_return(comment, item, index);
    for (std::string const &note : item.doc.notes)
        comment.paragraph("Note: " + stopped(note));
    for (std::string const &source : item.doc.sources)
        comment.paragraph("Source: " + stopped(source));
    comment.paragraph(deprecation(item.doc));
    std::string const contract = joined(contract_sentences(item.doc), kind_sentence(item));
    comment.paragraph(joined(contract, "Since " + item.doc.since.value + "."));
    return comment.finish();
}

std::string member_comment(Member const &member, std::string const &indent)
{
    std::string text = member.doc.brief;
    for (Paragraph const &paragraph : member.doc.paragraphs)
        text = joined(text, paragraph.text);
    if (member.doc.since.given())
        text = joined(stopped(text), "Since " + member.doc.since.value + ".");
    if (member.doc.deprecated.given())
        text = joined(stopped(text), deprecation(member.doc));
    std::string const single = indent + "/** " + text + " */";
    if (single.size() <= kWidth)
        return single + "\n";
    std::string out = wrap(indent + "/** ", indent + " *  ", text, kWidth - 3);
    out.pop_back();
    return out + " */\n";
}

std::string wrap_macro(std::string const &first, std::string const &rest,
                       std::vector<std::string> const &words)
{
    std::string out;
    std::string const lines = wrap_words(first, rest, words, kWidth - 2);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        bool const inner = lines[i] == '\n' && i + 1 < lines.size();
        out += inner ? " \\\n" : std::string(1, lines[i]);
    }
    return out;
}

} // namespace weir::gen
