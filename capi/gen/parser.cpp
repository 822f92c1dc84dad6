// SPDX-License-Identifier: MIT OR Apache-2.0
// Recursive descent over the grammar of the annotated sources; `other` is skipped, but watched.
#include "parser.hpp"

#include "cursor.hpp"
#include "doc.hpp"
#include "writer.hpp"

#include <algorithm>
#include <set>

namespace weir::gen {
namespace {

bool is_annotation(std::string const &text)
{
    static std::set<std::string> const kWords = {"WEIR_API",   "WEIR_HANDLE", "WEIR_ENUM",
                                                 "WEIR_FLAGS", "WEIR_STRUCT", "WEIR_CALLBACK"};
    return kWords.count(text) != 0;
}

class Parser : Cursor {
  public:
    Parser(TokenList list, Diagnostics &diagnostics)
        : Cursor(std::move(list)), diagnostics_(diagnostics)
    {
        section_.file = list_.file;
    }

    Section run()
    {
        check_directives();
        while (now().kind != TokenKind::end) {
            if (now().kind == TokenKind::doc)
                comment();
            else if (begins_item())
                item();
            else
                other();
        }
        drop_comment();
        return section_;
    }

  private:
    Location here() const { return {list_.file, now().line}; }

    void fail(int line, std::string const &rule, std::string const &message)
    {
        diagnostics_.error({list_.file, line}, rule, message);
    }

    // -- comments ------------------------------------------------------------------------------

    void comment()
    {
        drop_comment();
        Doc doc = parse_doc(list_.file, now(), diagnostics_);
        ++at_;
        if (!doc.file.given())
            pending_ = doc;
        else if (!section_.heading.given())
            section_.heading = doc;
    }

    /// A comment that no item follows. With tags it is an item that lost its annotation.
    void drop_comment()
    {
        if (pending_.given() && pending_.has_tags())
            fail(pending_.at.line, "unannotated", "comment with tags in front of no item");
        pending_ = Doc();
    }

    Doc take_comment()
    {
        Doc const doc = pending_;
        pending_ = Doc();
        return doc;
    }

    /// A comment of a field or constant, if there is one.
    Doc member_comment()
    {
        Doc doc;
        while (now().kind == TokenKind::doc) {
            doc = parse_doc(list_.file, now(), diagnostics_);
            ++at_;
        }
        return doc;
    }

    // -- what is passed over -------------------------------------------------------------------

    void check_directives()
    {
        for (Directive const &directive : list_.directives)
            for (char const *text : {"WEIR_API", "WEIR_HANDLE", "WEIR_ENUM", "WEIR_FLAGS",
                                     "WEIR_STRUCT", "WEIR_CALLBACK"})
                if (directive.text.find(text) != std::string::npos)
                    fail(directive.line, "unannotated",
                         in_quotes(text) + " in a preprocessor line");
    }

    /// Looks at one token of something that is no item.
    void watch(Token const &token)
    {
        if (token.kind == TokenKind::word && is_annotation(token.text))
            fail(token.line, "unannotated", in_quotes(token.text) + " stands where no item may be");
        if (token.kind == TokenKind::word && token.text == "extern" &&
            ahead(1).kind == TokenKind::string)
            fail(token.line, "unannotated", "'extern \"C\"' instead of WEIR_API");
        if (token.kind == TokenKind::word && token.text == "visibility")
            fail(token.line, "unannotated", "visibility attribute instead of WEIR_API");
    }

    /// From an opening brace to behind its partner.
    void skip_braces()
    {
        int const line = now().line;
        int depth = 0;
        do {
            if (now().kind == TokenKind::end)
                throw Mismatch("'{' of line " + std::to_string(line) + " is never closed");
            watch(now());
            depth += is("{") ? 1 : is("}") ? -1 : 0;
            ++at_;
        } while (depth > 0);
    }

    /// One declaration or definition that is no item: up to its `;` or its body's `}`.
    void other()
    {
        drop_comment();
        int const line = now().line;
        try {
            skip_other();
        } catch (Mismatch const &error) {
            fail(line, "grammar", error.what());
        }
    }

    void skip_other()
    {
        bool value = false; // behind a '=': calls are no declarations
        int parens = 0;
        while (now().kind != TokenKind::end) {
            if (is("{"))
                return end_of_braces(parens);
            watch(now());
            if (is("=") && parens == 0)
                value = true;
            if (!value && parens == 0 && now().kind == TokenKind::word &&
                starts_with(now().text, "weir_") && ahead(1).text == "(")
                fail(now().line, "unannotated",
                     "function " + in_quotes(now().text) + " without WEIR_API");
            if (!value && starts_with(now().text, "WEIR_") && ahead(1).text == "=")
                fail(now().line, "unannotated",
                     "constant " + in_quotes(now().text) + " that does not begin with 'constexpr'");
            parens += is("(") ? 1 : is(")") ? -1 : 0;
            bool const stray = is("}");
            bool const done = stray || (is(";") && parens <= 0);
            if (stray)
                fail(now().line, "grammar", "'}' without '{'");
            ++at_;
            if (done)
                return;
        }
    }

    /// Behind a body may come `;` or the rest of a declaration such as `} table[] = {…};`.
    void end_of_braces(int parens)
    {
        skip_braces();
        if (parens > 0 || is("=") || is(","))
            return skip_other();
        accept(";");
    }

    // -- items ---------------------------------------------------------------------------------

    bool begins_item() const
    {
        if (now().kind != TokenKind::word)
            return false;
        if (is_annotation(now().text))
            return true;
        if (now().text == "constexpr")
            return declares("WEIR_", "=");
        return now().text == "typedef" && declares("weir_", ";");
    }

    /// Whether the declaration that begins here makes a name with `prefix`, right before `end`.
    bool declares(std::string const &prefix, std::string const &end) const
    {
        for (std::size_t n = 1; ahead(n).kind != TokenKind::end && ahead(n).text != ";"; ++n)
            if (ahead(n + 1).text == end)
                return starts_with(ahead(n).text, prefix);
        return false;
    }

    void item()
    {
        Item item;
        item.at = here();
        item.doc = take_comment();
        if (now().conditional != 0)
            fail(now().line, "unannotated", "item inside '#if'");
        std::size_t const begin = at_;
        try {
            read(item);
            section_.items.push_back(item);
        } catch (Mismatch const &error) {
            fail(now().line, "grammar", error.what());
            recover(begin);
        }
    }

    /// Goes on behind the `;` or the body of the item that begins at `begin` and did not parse.
    void recover(std::size_t begin)
    {
        int depth = 0;
        for (at_ = begin; now().kind != TokenKind::end; ++at_) {
            if (depth == 0 && at_ != begin && begins_item())
                return;
            depth += is("{") ? 1 : is("}") ? -1 : 0;
            if (depth <= 0 && (is(";") || is("}"))) {
                ++at_;
                accept(";");
                return;
            }
        }
    }

    void read(Item &item)
    {
        std::string const keyword = word("an item");
        if (keyword == "WEIR_API")
            function(item);
        else if (keyword == "typedef")
            id(item);
        else if (keyword == "constexpr")
            constant(item);
        else
            annotated(item, keyword);
    }

    void annotated(Item &item, std::string const &keyword)
    {
        expect("(");
        item.name = word("a name");
        if (keyword == "WEIR_FLAGS") {
            item.kind = ItemKind::flags;
            expect(",");
            item.storage = word("'uint32_t' or 'uint64_t'");
            if (item.storage != "uint32_t" && item.storage != "uint64_t")
                throw Mismatch("expected 'uint32_t' or 'uint64_t', found " +
                               in_quotes(item.storage));
        }
        expect(")");
        if (keyword == "WEIR_HANDLE") {
            item.kind = ItemKind::handle;
        } else if (keyword == "WEIR_CALLBACK") {
            item.kind = ItemKind::callback;
            callback(item);
        } else {
            members(item, keyword == "WEIR_STRUCT");
        }
        expect(";");
    }

    void callback(Item &item)
    {
        item.result = type_of(declarator_words("'('"));
        params(item);
    }

    void members(Item &item, bool structure)
    {
        if (structure)
            item.kind = ItemKind::structure;
        else if (item.kind != ItemKind::flags)
            item.kind = ItemKind::enumeration;
        expect("{");
        while (!is("}")) {
            Doc const doc = member_comment();
            if (is("}"))
                break;
            Member member;
            member.at = here();
            member.doc = doc;
            if (structure)
                field(member);
            else
                enumerator(member);
            item.members.push_back(member);
        }
        expect("}");
    }

    void enumerator(Member &member)
    {
        member.name = word("a constant's name");
        member.has_value = accept("=");
        if (member.has_value)
            member.value = integer();
        expect(",");
    }

    void field(Member &member)
    {
        std::vector<Token> words = declarator_words("a field");
        member.name = name_of(words);
        member.type = type_of(words);
        if (accept("[")) {
            Number const length = integer();
            if (length.negative || length.magnitude == 0)
                throw Mismatch("expected an array length above 0, found " + decimal(length));
            member.array = length.magnitude;
            expect("]");
        }
        expect(";");
        if (!member.type.pointers.empty())
            parse_member_words(member.doc, diagnostics_);
    }

    void id(Item &item)
    {
        item.kind = ItemKind::id;
        expect("uint64_t");
        item.storage = "uint64_t";
        item.name = word("a name");
        expect(";");
    }

    void constant(Item &item)
    {
        item.kind = ItemKind::constant;
        std::vector<Token> words = declarator_words("a type");
        item.name = name_of(words);
        item.storage = spell(type_of(words));
        expect("=");
        item.value = integer();
        expect(";");
    }

    void function(Item &item)
    {
        item.kind = ItemKind::function;
        std::vector<Token> words = declarator_words("a function");
        item.at.line = words.empty() ? item.at.line : words.back().line;
        item.name = name_of(words);
        item.result = type_of(words);
        params(item);
        expect("noexcept");
        if (!is("{"))
            mismatch("'{'");
        skip_braces();
    }

    void params(Item &item)
    {
        expect("(");
        if (is("void") && ahead(1).text == ")") {
            at_ += 2;
            return;
        }
        do {
            Parameter param;
            std::vector<Token> words = declarator_words("a parameter");
            param.at = {list_.file, words.back().line};
            param.name = name_of(words);
            param.type = type_of(words);
            item.params.push_back(param);
        } while (accept(","));
        expect(")");
    }

    Diagnostics &diagnostics_;
    Section section_;
    Doc pending_;
};

} // namespace

Section parse(std::string const &file, std::string const &text, Diagnostics &diagnostics)
{
    return Parser(lex(file, text, diagnostics), diagnostics).run();
}

} // namespace weir::gen
