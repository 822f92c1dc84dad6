// SPDX-License-Identifier: MIT OR Apache-2.0
// The lexer: enough of C++ to pass over any body safely (strings, raw strings, comments, `#if`).
#include "lexer.hpp"

#include "writer.hpp"

#include <cctype>

namespace weir::gen {
namespace {

bool is_word_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }

bool is_word_part(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

bool is_raw_prefix(std::string const &word)
{
    return word == "R" || word == "u8R" || word == "uR" || word == "UR" || word == "LR";
}

class Lexer {
  public:
    Lexer(std::string const &file, std::string const &text, Diagnostics &diagnostics)
        : text_(text), diagnostics_(diagnostics)
    {
        list_.file = file;
    }

    TokenList run()
    {
        while (at_ < text_.size())
            step();
        if (conditional_ != 0)
            fail(line_, "'#if' without '#endif'");
        add(TokenKind::end, "end of file", line_);
        return list_;
    }

  private:
    char peek(std::size_t ahead = 0) const
    {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }

    /// Moves on by one character and counts lines.
    char take()
    {
        char const c = text_[at_++];
        if (c == '\n') {
            ++line_;
            fresh_line_ = true;
        }
        return c;
    }

    void add(TokenKind kind, std::string const &text, int line)
    {
        list_.tokens.push_back({kind, text, line, conditional_});
        fresh_line_ = false;
    }

    void fail(int line, std::string const &message)
    {
        diagnostics_.error({list_.file, line}, "grammar", message);
    }

    void step()
    {
        char const c = peek();
        if (std::isspace(static_cast<unsigned char>(c)) != 0)
            take();
        else if (c == '#' && fresh_line_)
            directive();
        else if (c == '/' && peek(1) == '/')
            line_comment();
        else if (c == '/' && peek(1) == '*')
            block_comment();
        else if (c == '"' || c == '\'')
            literal(c);
        else if (is_word_start(c))
            word();
        else if (std::isdigit(static_cast<unsigned char>(c)) != 0)
            number();
        else
            punct();
    }

    void line_comment()
    {
        while (at_ < text_.size() && peek() != '\n') {
            if (peek() == '\\' && peek(1) == '\n')
                take();
            take();
        }
    }

    /// `/** … */` becomes a doc token; an empty or a decorated comment does not.
    void block_comment()
    {
        int const line = line_;
        bool const fresh = fresh_line_;
        std::size_t const begin = at_;
        at_ += 2;
        while (at_ < text_.size() && !(peek() == '*' && peek(1) == '/'))
            take();
        if (at_ >= text_.size()) {
            fail(line, "comment without an end");
            return;
        }
        at_ += 2;
        fresh_line_ = fresh;
        std::string const all = text_.substr(begin, at_ - begin);
        if (all.size() > 5 && all[2] == '*' && all[3] != '*')
            add(TokenKind::doc, all, line);
    }

    void literal(char quote)
    {
        int const line = line_;
        std::string text(1, take());
        while (at_ < text_.size() && peek() != quote && peek() != '\n') {
            if (peek() == '\\')
                text += take();
            if (at_ < text_.size())
                text += take();
        }
        if (peek() != quote) {
            fail(line, quote == '"' ? "string without an end" : "character without an end");
            return;
        }
        text += take();
        add(TokenKind::string, text, line);
    }

    void raw_string(int line)
    {
        std::size_t const open = text_.find('(', at_);
        if (open == std::string::npos) {
            fail(line, "raw string without '('");
            at_ = text_.size();
            return;
        }
        std::string const close = ")" + text_.substr(at_ + 1, open - at_ - 1) + "\"";
        std::size_t const end = text_.find(close, open);
        if (end == std::string::npos) {
            fail(line, "raw string without an end");
            at_ = text_.size();
            return;
        }
        while (at_ < end + close.size())
            take();
        add(TokenKind::string, "raw string", line);
    }

    void word()
    {
        int const line = line_;
        std::string text;
        while (is_word_part(peek()))
            text += take();
        if (peek() == '"' && is_raw_prefix(text))
            raw_string(line);
        else
            add(TokenKind::word, text, line);
    }

    /// Digits, suffixes and separators; `1'000` is one number.
    void number()
    {
        int const line = line_;
        std::string text;
        while (is_word_part(peek()) || peek() == '.' || (peek() == '\'' && is_word_part(peek(1))))
            text += take();
        add(TokenKind::number, text, line);
    }

    void punct()
    {
        int const line = line_;
        static char const *const kLong[] = {"...", "<<", "::", "[[", "]]"};
        for (char const *text : kLong) {
            if (text_.compare(at_, std::string(text).size(), text) == 0) {
                at_ += std::string(text).size();
                add(TokenKind::punct, text, line);
                return;
            }
        }
        add(TokenKind::punct, std::string(1, take()), line);
    }

    void directive()
    {
        int const line = line_;
        std::string text;
        while (at_ < text_.size() && peek() != '\n') {
            if (peek() == '/' && peek(1) == '/') {
                line_comment();
            } else if (peek() == '/' && peek(1) == '*') {
                skip_comment();
            } else {
                if (peek() == '\\' && peek(1) == '\n')
                    take();
                text += take();
            }
        }
        list_.directives.push_back({text, line});
        count_conditional(trim(text.substr(1)), line);
    }

    void skip_comment()
    {
        at_ += 2;
        while (at_ < text_.size() && !(peek() == '*' && peek(1) == '/'))
            take();
        at_ = at_ + 2 < text_.size() ? at_ + 2 : text_.size();
    }

    void count_conditional(std::string const &text, int line)
    {
        if (starts_with(text, "if"))
            ++conditional_;
        else if (starts_with(text, "endif") && --conditional_ < 0) {
            fail(line, "'#endif' without '#if'");
            conditional_ = 0;
        }
    }

    std::string const &text_;
    Diagnostics &diagnostics_;
    TokenList list_;
    std::size_t at_ = 0;
    int line_ = 1;
    int conditional_ = 0;
    bool fresh_line_ = true;
};

} // namespace

TokenList lex(std::string const &file, std::string const &text, Diagnostics &diagnostics)
{
    return Lexer(file, text, diagnostics).run();
}

} // namespace weir::gen
