// SPDX-License-Identifier: MIT OR Apache-2.0
// The parser of doc comments: cuts a comment into blocks, then reads each block's tag.
#include "doc.hpp"

#include "doc_text.hpp"
#include "writer.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace weir::gen {
namespace {

class DocParser {
  public:
    DocParser(std::string const &file, Diagnostics &diagnostics)
        : file_(file), diagnostics_(diagnostics)
    {
    }

    Doc run(Token const &comment)
    {
        doc_.at = {file_, comment.line};
        for (DocBlock const &block : doc_blocks(comment)) {
            if (block.name.empty())
                description(block.lines);
            else
                tag(block);
        }
        return doc_;
    }

  private:
    using Reader = void (DocParser::*)(DocBlock const &);

    void fail(int line, std::string const &rule, std::string const &message)
    {
        diagnostics_.error({file_, line}, rule, message);
    }

    // -- description ---------------------------------------------------------------------------

    void description(std::vector<DocLine> const &lines)
    {
        std::vector<DocLine> paragraph;
        for (std::size_t i = 0; i < lines.size(); ++i) {
            std::string const text = trim(lines[i].text);
            if (text == "@code") {
                flush(paragraph);
                i = code(lines, i + 1);
            } else if (text.empty()) {
                flush(paragraph);
            } else {
                if (starts_with(text, "- "))
                    flush(paragraph);
                paragraph.push_back(lines[i]);
            }
        }
        flush(paragraph);
        split_brief();
    }

    void flush(std::vector<DocLine> &paragraph)
    {
        std::string text = joined(paragraph);
        paragraph.clear();
        if (text.empty())
            return;
        bool const item = starts_with(text, "- ");
        doc_.paragraphs.push_back(
            {item ? ParagraphKind::list_item : ParagraphKind::text, item ? text.substr(2) : text});
    }

    /// From the line after `@code`; returns the index of `@endcode`.
    std::size_t code(std::vector<DocLine> const &lines, std::size_t begin)
    {
        std::string text;
        for (std::size_t i = begin; i < lines.size(); ++i) {
            if (trim(lines[i].text) == "@endcode") {
                doc_.paragraphs.push_back({ParagraphKind::code, text});
                return i;
            }
            text += lines[i].text + "\n";
        }
        fail(lines[begin - 1].number, "tag-missing", "'@code' without '@endcode'");
        return lines.size();
    }

    /// The brief is the first sentence of the first paragraph.
    void split_brief()
    {
        if (doc_.paragraphs.empty() || doc_.paragraphs[0].kind != ParagraphKind::text)
            return;
        std::string const text = doc_.paragraphs[0].text;
        std::size_t const end = text.find(". ");
        doc_.brief = end == std::string::npos ? text : text.substr(0, end + 1);
        if (end == std::string::npos)
            doc_.paragraphs.erase(doc_.paragraphs.begin());
        else
            doc_.paragraphs[0].text = text.substr(end + 2);
        doc_.brief_alone = end == std::string::npos;
    }

    // -- tags ----------------------------------------------------------------------------------

    void tag(DocBlock const &block)
    {
        static std::map<std::string, Reader> const kReaders = {
            {"@class", &DocParser::read_class},
            {"@param", &DocParser::read_param},
            {"@return", &DocParser::read_return},
            {"@errors", &DocParser::read_errors},
            {"@thread", &DocParser::read_thread},
            {"@blocks", &DocParser::read_blocks},
            {"@signal", &DocParser::read_signal},
            {"@since", &DocParser::read_since},
            {"@deprecated", &DocParser::read_deprecated},
            {"@scope", &DocParser::read_scope},
            {"@kind", &DocParser::read_kind},
            {"@skip", &DocParser::read_skip},
            {"@note", &DocParser::read_note},
            {"@source", &DocParser::read_source},
            {"@file", &DocParser::read_file_heading},
        };
        auto const reader = kReaders.find(block.name);
        if (reader == kReaders.end()) {
            fail(block.tag.number, "tag-unknown", "unknown tag " + in_quotes(block.name));
            return;
        }
        static std::set<std::string> const kRepeatable = {"@param", "@skip", "@note", "@source"};
        if (kRepeatable.count(block.name) == 0 && !seen_.insert(block.name).second) {
            fail(block.tag.number, "tag-twice", in_quotes(block.name) + " is given twice");
            return;
        }
        (this->*reader->second)(block);
    }

    Tag located(DocBlock const &block) const
    {
        Tag tag;
        tag.at = {file_, block.tag.number};
        return tag;
    }

    void bad_value(DocBlock const &block, std::string const &expected)
    {
        fail(block.tag.number, "tag-unknown",
             in_quotes(block.name) + " says " + in_quotes(joined(block.lines)) + ", expected " +
                 expected);
    }

    /// A tag whose text is one word out of `allowed` (separated by blanks).
    Tag one_of(DocBlock const &block, std::string const &allowed)
    {
        Tag tag = located(block);
        tag.value = joined(block.lines);
        std::vector<std::string> const values = split_words(allowed);
        if (std::find(values.begin(), values.end(), tag.value) == values.end())
            bad_value(block, join(values, ", "));
        return tag;
    }

    void read_class(DocBlock const &block)
    {
        static std::set<std::string> const kRoles = {"ctor",   "dtor",   "ref",
                                                     "method", "static", "iter"};
        std::vector<std::string> const words = split_words(joined(block.lines));
        doc_.klass = located(block);
        if (words.size() != 2 || kRoles.count(words[1]) == 0) {
            bad_value(block, "a class and one of ctor, dtor, iter, method, ref, static");
            return;
        }
        doc_.klass.value = words[0];
        doc_.klass.argument = words[1];
    }

    void read_param(DocBlock const &block)
    {
        ParamDoc param;
        param.at = {file_, block.tag.number};
        std::string text = joined(block.lines);
        if (starts_with(text, "[")) {
            std::string const direction = text.substr(1, text.find(']') - 1);
            if (direction == "in")
                param.direction = Direction::in;
            else if (direction == "out")
                param.direction = Direction::out;
            else if (direction == "inout")
                param.direction = Direction::inout;
            else
                bad_value(block, "[in], [out] or [inout]");
            text = trim(text.substr(std::min(text.size(), text.find(']') + 1)));
        }
        std::size_t const end = std::min(text.size(), text.find(' '));
        param.name = text.substr(0, end);
        param.text = trim(text.substr(end));
        param.words = take_words(param.text, block.tag.number);
        for (ParamDoc const &other : doc_.params)
            if (other.name == param.name)
                fail(block.tag.number, "tag-twice",
                     "parameter " + in_quotes(param.name) + " is described twice");
        doc_.params.push_back(param);
    }

    void read_return(DocBlock const &block)
    {
        std::string text = joined(block.lines);
        static std::set<std::string> const kKinds = {"ok",     "count", "bool",
                                                     "handle", "text",  "value"};
        doc_.returns = located(block);
        std::size_t const end = std::min(text.size(), text.find_first_of(" ;"));
        doc_.returns.value = text.substr(0, end);
        if (kKinds.count(doc_.returns.value) == 0) {
            bad_value(block, "ok, count, bool, handle, text or value");
            return;
        }
        text = trim(text.substr(end));
        if (!text.empty() && text.find(';') == std::string::npos)
            text += ";";
        doc_.return_words = take_words(text, block.tag.number);
        doc_.returns.text = text;
    }

    void read_errors(DocBlock const &block)
    {
        doc_.errors_tag = located(block);
        for (DocLine const &line : block.lines) {
            std::string const text = trim(line.text);
            if (starts_with(text, "-")) {
                std::size_t const end = std::min(text.size(), text.find(' '));
                doc_.errors.push_back(
                    {{file_, line.number}, text.substr(0, end), trim(text.substr(end))});
            } else if (!text.empty() && !doc_.errors.empty()) {
                doc_.errors.back().text = trim(doc_.errors.back().text + " " + text);
            } else if (!text.empty()) {
                fail(line.number, "tag-unknown", "'@errors' lists lines of '-CODE text'");
            }
        }
        if (doc_.errors.empty())
            fail(block.tag.number, "text-empty", "'@errors' lists nothing");
    }

    void read_thread(DocBlock const &block) { doc_.thread = one_of(block, "any external owner"); }
    void read_scope(DocBlock const &block) { doc_.scope = one_of(block, "call notified"); }
    void read_signal(DocBlock const &block) { doc_.signal = one_of(block, "safe"); }

    void read_blocks(DocBlock const &block)
    {
        doc_.blocks = located(block);
        std::string const text = joined(block.lines);
        if (starts_with(text, "timeout(") && ends_with(text, ")")) {
            doc_.blocks.value = "timeout";
            doc_.blocks.argument = text.substr(8, text.size() - 9);
        } else {
            doc_.blocks.value = text;
        }
        if (text != "no" && text != "stall" && text != "yes" &&
            (doc_.blocks.value != "timeout" || doc_.blocks.argument.empty()))
            bad_value(block, "no, stall, yes or timeout(P)");
    }

    static bool is_minor(std::string const &version)
    {
        std::size_t const dot = version.find('.');
        return dot != std::string::npos && dot != 0 && dot + 1 < version.size() &&
               version.find_first_not_of("0123456789.") == std::string::npos &&
               version.find('.', dot + 1) == std::string::npos;
    }

    void read_since(DocBlock const &block)
    {
        doc_.since = located(block);
        doc_.since.value = joined(block.lines);
        if (!is_minor(doc_.since.value))
            fail(block.tag.number, "since",
                 "'@since' says " + in_quotes(doc_.since.value) + ", expected M.N");
    }

    void read_deprecated(DocBlock const &block)
    {
        doc_.deprecated = located(block);
        std::vector<std::string> const words = split_words(joined(block.lines));
        bool const whole = words.size() == 3 && is_minor(words[0]) && words[1] == "use" &&
                           ends_with(words[2], "()");
        if (!whole) {
            fail(block.tag.number, "deprecated-use",
                 "'@deprecated' says " + in_quotes(joined(block.lines)) +
                     ", expected 'M.N use weir_x()'");
            return;
        }
        doc_.deprecated.value = words[0];
        doc_.deprecated.argument = words[2].substr(0, words[2].size() - 2);
    }

    void read_kind(DocBlock const &block)
    {
        std::string const text = joined(block.lines);
        if (starts_with(text, "id(") && ends_with(text, ")") && text.size() > 4) {
            doc_.kind = located(block);
            doc_.kind.value = "id";
            doc_.kind.argument = text.substr(3, text.size() - 4);
        } else {
            doc_.kind = one_of(block, "options info record part id(NAME)");
        }
    }

    void read_skip(DocBlock const &block)
    {
        std::string const text = joined(block.lines);
        std::size_t const end = std::min(text.size(), text.find(' '));
        SkipDoc const skip = {
            {file_, block.tag.number}, text.substr(0, end), trim(text.substr(end))};
        if (skip.language != "rust" && skip.language != "go" && skip.language != "python")
            bad_value(block, "rust, go or python and a reason");
        doc_.skips.push_back(skip);
    }

    void read_note(DocBlock const &block) { add_text(block, doc_.notes); }
    void read_source(DocBlock const &block) { add_text(block, doc_.sources); }

    void add_text(DocBlock const &block, std::vector<std::string> &texts)
    {
        texts.push_back(joined(block.lines));
        if (texts.back().empty())
            fail(block.tag.number, "text-empty", in_quotes(block.name) + " says nothing");
    }

    /// The heading is the first line; what follows is the section's text.
    void read_file_heading(DocBlock const &block)
    {
        doc_.file = located(block);
        std::vector<DocLine> lines = block.lines;
        description(lines);
        doc_.file.value = doc_.brief;
        if (doc_.brief.empty())
            fail(block.tag.number, "text-empty", "'@file' says nothing");
    }

    // -- words ---------------------------------------------------------------------------------

    /// Takes the words in front of a semicolon off `text`; without a semicolon all is prose.
    std::vector<Word> take_words(std::string &text, int line)
    {
        std::size_t const end = text.find(';');
        if (end == std::string::npos)
            return {};
        std::vector<Word> words;
        for (std::string const &part : split_words(text.substr(0, end))) {
            words.push_back(word(part, line));
            if (words.back().name.empty())
                break; // prose with a semicolon, most likely: one error is enough
        }
        text = trim(text.substr(end + 1));
        if (text.find(';') != std::string::npos)
            fail(line, "tag-unknown", "prose holds a semicolon");
        return words;
    }

    Word word(std::string const &part, int line)
    {
        static std::map<std::string, std::string> const kKeys = {
            {"nullable", ""}, {"owned", "by"},  {"borrowed", "of"}, {"consumed", ""},
            {"bytes", "len"}, {"array", "len"}, {"userdata", "of"}, {"destroy", "of"},
            {"utf8", ""},     {"sized", ""},
        };
        std::size_t const open = std::min(part.size(), part.find('('));
        Word out;
        out.name = part.substr(0, open);
        auto const known = kKeys.find(out.name);
        if (known == kKeys.end()) {
            fail(line, "tag-unknown",
                 "unknown word " + in_quotes(part) + " in front of a semicolon");
            return Word();
        }
        if (open == part.size()) {
            if (!known->second.empty() && out.name != "owned")
                bad_word(part, known->second, line);
            return out;
        }
        std::size_t const equals = part.find('=', open);
        if (!ends_with(part, ")") || equals == std::string::npos ||
            part.substr(open + 1, equals - open - 1) != known->second || known->second.empty()) {
            bad_word(part, known->second, line);
            return out;
        }
        out.key = known->second;
        out.value = part.substr(equals + 1, part.size() - equals - 2);
        return out;
    }

    void bad_word(std::string const &part, std::string const &key, int line)
    {
        std::string const name = part.substr(0, part.find('('));
        fail(line, "tag-unknown",
             "word " + in_quotes(part) + " should be " +
                 in_quotes(key.empty() ? name : name + "(" + key + "=…)"));
    }

    friend void weir::gen::parse_member_words(Doc &, Diagnostics &);

    std::string file_;
    Diagnostics &diagnostics_;
    Doc doc_;
    std::set<std::string> seen_;
};

} // namespace

Doc parse_doc(std::string const &file, Token const &comment, Diagnostics &diagnostics)
{
    return DocParser(file, diagnostics).run(comment);
}

void parse_member_words(Doc &doc, Diagnostics &diagnostics)
{
    std::size_t const end = doc.brief.find(';');
    if (end == std::string::npos)
        return;
    DocParser parser(doc.at.file, diagnostics);
    doc.words = parser.take_words(doc.brief, doc.at.line);
}

} // namespace weir::gen
