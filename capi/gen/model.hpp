// SPDX-License-Identifier: MIT OR Apache-2.0
// What weirgen knows about the API: plain structs, each with its location.
#pragma once

#include "diag.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::gen {

/// `[const] [struct] base { * [const] }`.
struct Type {
    bool is_const = false;
    bool is_struct = false;
    std::string base;
    std::vector<bool> pointers; ///< one per `*`: is the pointer itself const
};

/// As it stands in C: `const struct weir_x *`, with a `name` behind it if one is given.
std::string spell(Type const &type, std::string const &name = "");

struct Number {
    bool negative = false;
    std::uint64_t magnitude = 0;
};

std::string decimal(Number const &number);

/// `nullable`, `owned(by=F)`, `bytes(len=P)`: key and value are empty without parentheses.
struct Word {
    std::string name;
    std::string key;
    std::string value;
};

std::string spell(Word const &word);

enum class ParagraphKind { text, list_item, code };

struct Paragraph {
    ParagraphKind kind = ParagraphKind::text;
    std::string text; ///< of code: its lines, each with its newline
};

enum class Direction { none, in, out, inout };

char const *spell(Direction direction);

struct ParamDoc {
    Location at;
    Direction direction = Direction::none;
    std::string name;
    std::vector<Word> words;
    std::string text;
};

struct ErrorDoc {
    Location at;
    std::string code; ///< with its minus sign
    std::string text;
};

struct SkipDoc {
    Location at;
    std::string language;
    std::string reason;
};

/// A tag with one value: where it stands (line 0: nowhere), its value, what is in parentheses.
struct Tag {
    Location at;
    std::string value;
    std::string argument;
    std::string text;

    bool given() const { return at.line != 0; }
};

struct Doc {
    Location at; ///< line 0: there is no comment
    std::string brief;
    bool brief_alone = true;           ///< it is all of the first paragraph
    std::vector<Paragraph> paragraphs; ///< without the brief
    std::vector<Word> words;           ///< of a member
    Tag klass;                         ///< value: class, argument: role
    std::vector<ParamDoc> params;
    Tag returns; ///< value: kind, text: prose
    std::vector<Word> return_words;
    Tag errors_tag;
    std::vector<ErrorDoc> errors;
    Tag thread;
    Tag blocks;     ///< value: no, yes or timeout; argument: the parameter or field
    Tag signal;     ///< value: safe
    Tag since;      ///< value: M.N
    Tag deprecated; ///< value: M.N, argument: the replacement
    Tag scope;
    Tag kind; ///< value: options, info, record, part or id; argument: the guard type's name
    Tag file;
    std::vector<SkipDoc> skips;
    std::vector<std::string> notes;
    std::vector<std::string> sources;

    bool given() const { return at.line != 0; }
    bool has_tags() const;
};

/// A field of a struct or a constant of an enum or of flags.
struct Member {
    Location at;
    std::string name;
    Type type;
    std::uint64_t array = 0; ///< 0: no array
    bool has_value = false;
    Number value;
    Doc doc;
    std::uint64_t offset = 0; ///< resolved, LP64
    std::uint64_t size = 0;
    std::string since;
};

struct Parameter {
    Location at;
    std::string name;
    Type type;
    ParamDoc doc; ///< resolved; line 0: undocumented
};

enum class ItemKind { handle, enumeration, flags, structure, callback, id, constant, function };

struct Item {
    ItemKind kind = ItemKind::function;
    Location at;
    std::string name;
    Doc doc;
    std::string storage; ///< type of flags, ids and constants
    Number value;
    std::vector<Member> members;
    Type result;
    std::vector<Parameter> params;
    std::uint64_t size = 0; ///< resolved, LP64
    std::uint64_t align = 0;
    std::string dtor;   ///< of a handle
    std::string node;   ///< of a function: its version in the symbol map
    std::string method; ///< of a function: its name within the class
};

/// One input file and the heading that its `@file` comment gives.
struct Section {
    std::string file;
    Doc heading;
    std::vector<Item> items;
};

struct Release {
    Location at;
    std::string version; ///< M.N.P
    std::string date;    ///< YYYY-MM-DD or `unreleased`
    std::string node;
    std::string soversion;
};

struct Model {
    std::vector<Section> sections;
    std::vector<Release> releases;

    Release const &current() const { return releases.back(); }
};

/// Visits every item of `kind` in the order of the header.
template <typename Visit> void for_each(Model const &model, ItemKind kind, Visit visit)
{
    for (Section const &section : model.sections)
        for (Item const &item : section.items)
            if (item.kind == kind)
                visit(item);
}

Word const *find_word(std::vector<Word> const &words, std::string const &name);
bool has_word(std::vector<Word> const &words, std::string const &name);

bool is_sized(Item const &item);                  ///< options or info
bool can_fail(Item const &function);              ///< ok, count or bool
std::string minor_of(std::string const &version); ///< `0.1` of `0.1.3`
bool version_less(std::string const &a, std::string const &b);
std::uint64_t version_number(std::string const &version);

} // namespace weir::gen
