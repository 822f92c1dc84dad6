// SPDX-License-Identifier: MIT OR Apache-2.0
// The Rust binding: weir-sys, its layout test, and the safe crate's handles, options and constants.
#include "emit.hpp"

#include "names.hpp"
#include "resolve.hpp"
#include "writer.hpp"

#include <cstdio>
#include <map>

namespace weir::gen {
namespace {

constexpr std::size_t kRustWidth = 100;

bool rust_skips(Item const &item) { return is_skipped(item, "rust"); }

std::string doc_lines(std::string const &indent, std::string const &text)
{
    return wrap(indent + "/// ", indent + "/// ", text, kRustWidth);
}

std::string rust_hexadecimal(std::uint64_t value)
{
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

class Rust {
  public:
    explicit Rust(Model const &model) : model_(model), index_(model) {}

    std::string sys()
    {
        Release const &release = model_.current();
        out_ = banner(CommentStyle::slashes) +
               "//! weir.h, declaration by declaration.\n"
               "#![allow(non_camel_case_types)]\n\n"
               "use std::marker::{PhantomData, PhantomPinned};\n"
               "#[allow(unused_imports)]\nuse std::os::raw::{c_char, c_int, c_void};\n\n"
               "/// The release that these declarations were made from.\n"
               "pub const VERSION_NUMBER: u32 = " +
               rust_hexadecimal(version_number(release.version)) +
               ";\n/// What `weir_abi_hash(VERSION_NUMBER)` says if the library fits them.\n"
               "pub const ABI_HASH: u64 = " +
               rust_hexadecimal(snapshot_hash(emit_snapshot(model_))) + ";\n";
        types();
        out_ += "\nextern \"C\" {\n";
        for_each(model_, ItemKind::function, [&](Item const &item) { function(item); });
        return out_ + "}\n";
    }

    std::string layout()
    {
        out_ = banner(CommentStyle::slashes) +
               "//! Sizes and offsets as the ABI snapshot has them, and the library as well.\n"
               "use std::mem::{align_of, size_of, MaybeUninit};\nuse std::ptr::addr_of;\n"
               "use weir_sys::*;\n\n"
               "macro_rules! offset {\n    ($structure:ident, $field:ident) => {{\n"
               "        let value = MaybeUninit::<$structure>::uninit();\n"
               "        let base = value.as_ptr();\n"
               "        // SAFETY: the address of a field is taken, nothing is read.\n"
               "        let field = unsafe { addr_of!((*base).$field) };\n"
               "        field as usize - base as usize\n    }};\n}\n\n"
               "#[test]\nfn library_fits() {\n"
               "    // SAFETY: has no preconditions.\n"
               "    assert_eq!(unsafe { weir_abi_hash(VERSION_NUMBER) }, ABI_HASH);\n}\n";
        for_each(model_, ItemKind::structure, [&](Item const &item) {
            if (!rust_skips(item))
                layout_of(item);
        });
        return out_;
    }

    std::string safe()
    {
        out_ = banner(CommentStyle::slashes) +
               "#[allow(unused_imports)]\nuse std::os::raw::c_char;\nuse std::ptr::NonNull;\n"
               "#[allow(unused_imports)]\nuse std::time::Duration;\nuse weir_sys as sys;\n";
        for (Section const &section : model_.sections)
            for (Item const &item : section.items)
                if (!rust_skips(item))
                    safe_item(item);
        return out_;
    }

  private:
    std::string basic(std::string const &base) const
    {
        static std::map<std::string, std::string> const kNames = {
            {"size_t", "usize"}, {"int", "c_int"},  {"char", "c_char"},  {"bool", "bool"},
            {"void", "c_void"},  {"int8_t", "i8"},  {"int16_t", "i16"},  {"int32_t", "i32"},
            {"int64_t", "i64"},  {"uint8_t", "u8"}, {"uint16_t", "u16"}, {"uint32_t", "u32"},
            {"uint64_t", "u64"}};
        auto const found = kNames.find(base);
        return found == kNames.end() ? base : found->second;
    }

    /// `const T **` is a pointer to a pointer to constant T.
    std::string type(Type const &type) const
    {
        std::string out = basic(type.base);
        bool constant = type.is_const;
        for (bool is_const : type.pointers) {
            out = (constant ? "*const " : "*mut ") + out;
            constant = is_const;
        }
        return out;
    }

    void types()
    {
        for (Section const &section : model_.sections)
            for (Item const &item : section.items)
                if (!rust_skips(item) && item.kind != ItemKind::function)
                    declare(item);
    }

    void declare(Item const &item)
    {
        out_ += "\n" + doc_lines("", item.doc.brief);
        switch (item.kind) {
        case ItemKind::handle:
            out_ += "#[repr(C)]\npub struct " + item.name +
                    " {\n    _data: [u8; 0],\n    _marker: PhantomData<(*mut u8, "
                    "PhantomPinned)>,\n}\n";
            return;
        case ItemKind::enumeration:
        case ItemKind::flags:
            return constants(item);
        case ItemKind::structure:
            return structure(item);
        case ItemKind::id:
            out_ += "pub type " + item.name + " = " + basic(item.storage) + ";\n";
            return;
        case ItemKind::constant:
            out_ += "pub const " + item.name + ": " + basic(item.storage) + " = " +
                    decimal(item.value) + ";\n";
            return;
        case ItemKind::callback:
            out_ += arguments("pub type " + item.name + " = Option<unsafe extern \"C\" fn(", item,
                              ")" + result(item) + ">;");
            return;
        case ItemKind::function:
            return;
        }
    }

    void constants(Item const &item)
    {
        std::string const storage =
            item.kind == ItemKind::enumeration ? "u32" : basic(item.storage);
        out_ += "pub type " + item.name + " = " + storage + ";\n";
        for (Member const &member : item.members)
            out_ += doc_lines("", member.doc.brief) + "pub const " + member.name + ": " +
                    item.name + " = " + decimal(member.value) + ";\n";
    }

    void structure(Item const &item)
    {
        out_ += "#[repr(C)]\n#[derive(Clone, Copy, Debug)]\npub struct " + item.name + " {\n";
        for (Member const &member : item.members) {
            std::string kind = type(member.type);
            if (member.array != 0)
                kind = "[" + kind + "; " + std::to_string(member.array) + "]";
            out_ += doc_lines("    ", member.doc.brief) + "    pub " + member.name + ": " + kind +
                    ",\n";
        }
        out_ += "}\n\nimpl Default for " + item.name + " {\n    fn default() -> Self {\n";
        out_ += "        // SAFETY: zeros are a value of each field.\n";
        if (is_sized(item))
            out_ += "        let mut made: Self = unsafe { std::mem::zeroed() };\n"
                    "        made.size = std::mem::size_of::<Self>();\n        made\n";
        else
            out_ += "        unsafe { std::mem::zeroed() }\n";
        out_ += "    }\n}\n";
    }

    std::string result(Item const &item) const
    {
        bool const none = item.result.base == "void" && item.result.pointers.empty();
        return none ? "" : " -> " + type(item.result);
    }

    std::string arguments(std::string const &head, Item const &item, std::string const &tail) const
    {
        std::vector<std::string> words;
        for (Parameter const &param : item.params)
            words.push_back(param.name + ": " + type(param.type));
        std::string const line = head + join(words, ", ") + tail;
        if (line.size() <= kRustWidth)
            return line + "\n";
        std::string const indent(head.find_first_not_of(' '), ' ');
        std::string out = head + "\n";
        for (std::string const &word : words)
            out += indent + "    " + word + ",\n";
        return out + indent + tail + "\n";
    }

    void function(Item const &item)
    {
        if (rust_skips(item))
            return;
        out_ += doc_lines("    ", item.doc.brief);
        if (item.doc.deprecated.given())
            out_ += "    #[deprecated(note = \"use " + item.doc.deprecated.argument + "\")]\n";
        out_ += arguments("    pub fn " + item.name + "(", item, ")" + result(item) + ";");
    }

    void layout_of(Item const &item)
    {
        out_ += "\n#[test]\nfn layout_of_" + item.name + "() {\n";
        out_ +=
            "    assert_eq!(size_of::<" + item.name + ">(), " + std::to_string(item.size) + ");\n";
        out_ += "    assert_eq!(align_of::<" + item.name + ">(), " + std::to_string(item.align) +
                ");\n";
        for (Member const &member : item.members)
            out_ += "    assert_eq!(offset!(" + item.name + ", " + member.name + "), " +
                    std::to_string(member.offset) + ");\n";
        if (is_sized(item))
            out_ += "    assert_eq!(" + item.name + "::default().size, " +
                    std::to_string(item.size) + ");\n";
        out_ += "}\n";
    }

    void safe_item(Item const &item)
    {
        if (item.kind == ItemKind::handle)
            handle(item);
        else if (item.kind == ItemKind::enumeration && item.name != "weir_error")
            newtype(item);
        else if (item.kind == ItemKind::flags)
            newtype(item);
        else if (item.kind == ItemKind::structure && item.doc.kind.value == "options")
            builder(item);
        else if (item.kind == ItemKind::structure &&
                 (item.doc.kind.value == "info" || ends_with(item.name, "_info")))
            out_ += "\n" + doc_lines("", item.doc.brief) + "pub type " + camel(item.name) +
                    " = sys::" + item.name + ";\n";
    }

    /// The strictest thread class of a class; its end is its owner's alone in any case.
    std::string thread_class(Item const &handle) const
    {
        std::string found = "any";
        for_each(model_, ItemKind::function, [&](Item const &item) {
            std::string const &role = item.doc.klass.argument;
            bool const counts = item.doc.klass.value == handle.name && role != "static";
            std::string const &thread = item.doc.thread.value;
            if (counts && (thread == "owner" || (role != "dtor" && thread != "any")))
                found = found == "owner" ? found : thread;
        });
        return found;
    }

    std::string ref_of(Item const &handle) const
    {
        std::string found;
        for_each(model_, ItemKind::function, [&](Item const &item) {
            if (item.doc.klass.value == handle.name && item.doc.klass.argument == "ref")
                found = item.name;
        });
        return found;
    }

    void handle(Item const &item)
    {
        std::string const name = camel(item.name) + "Handle";
        std::string const raw = "sys::" + item.name;
        std::string const thread = thread_class(item);
        out_ += "\n" + doc_lines("", item.doc.brief) + "#[derive(Debug)]\npub(crate) struct " +
                name + "(NonNull<" + raw + ">);\n\n";
        if (thread != "owner")
            out_ += "// SAFETY: no function of it is bound to the thread that made it.\n"
                    "unsafe impl Send for " +
                    name + " {}\n";
        if (thread == "any")
            out_ += "// SAFETY: any thread may call each of its functions at any time.\n"
                    "unsafe impl Sync for " +
                    name + " {}\n";
        out_ += "\nimpl " + name +
                " {\n    /// Takes over what a constructor returned.\n"
                "    pub(crate) fn own(raw: *mut " +
                raw +
                ") -> Self {\n"
                "        Self(NonNull::new(raw).expect(\"a constructor's handle\"))\n    }\n\n"
                "    pub(crate) fn raw(&self) -> *mut " +
                raw + " {\n        self.0.as_ptr()\n    }\n}\n\n";
        out_ += "impl Drop for " + name +
                " {\n    fn drop(&mut self) {\n"
                "        // SAFETY: it is ours, and nobody uses it any more.\n"
                "        unsafe { sys::" +
                item.dtor + "(self.raw()) };\n    }\n}\n";
        std::string const ref = ref_of(item);
        if (!ref.empty())
            out_ += "\nimpl Clone for " + name +
                    " {\n    fn clone(&self) -> Self {\n"
                    "        // SAFETY: it is alive as long as `self` is.\n"
                    "        Self::own(unsafe { sys::" +
                    ref + "(self.raw()) })\n    }\n}\n";
    }

    void newtype(Item const &item)
    {
        bool const flags = item.kind == ItemKind::flags;
        std::string const name = camel(item.name);
        std::string const storage = flags ? basic(item.storage) : "u32";
        out_ += "\n" + doc_lines("", item.doc.brief) +
                "#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]\npub struct " + name +
                "(pub " + storage + ");\n\nimpl " + name + " {\n";
        for (Member const &member : item.members)
            out_ += doc_lines("    ", member.doc.brief) + "    pub const " +
                    member_name(item, member) + ": Self = Self(" + decimal(member.value) + ");\n";
        out_ += "}\n";
        if (flags)
            out_ += "\nimpl std::ops::BitOr for " + name +
                    " {\n    type Output = Self;\n    fn bitor(self, other: Self) -> Self {\n"
                    "        Self(self.0 | other.0)\n    }\n}\n";
    }

    bool is_text(Member const &member) const
    {
        return member.type.base == "char" && member.type.pointers.size() == 1;
    }

    bool has_setter(Member const &member) const
    {
        return member.name != "size" && !starts_with(member.name, "reserved") &&
               index_.classify(member.type) != TypeClass::callback &&
               (is_text(member) || member.type.pointers.empty());
    }

    void builder(Item const &item)
    {
        std::vector<Member> texts;
        for (Member const &member : item.members)
            if (is_text(member))
                texts.push_back(member);
        std::string const name = camel(item.name);
        out_ += "\n" + doc_lines("", item.doc.brief);
        if (texts.empty())
            out_ += "#[derive(Clone, Copy, Debug, Default)]\npub struct " + name +
                    "(pub(crate) sys::" + item.name + ");\n";
        else
            texts_struct(item, name, texts);
        out_ += "\nimpl " + name + " {\n" +
                "    /// All defaults.\n    pub fn new() -> Self {\n"
                "        Self::default()\n    }\n";
        for (Member const &member : item.members)
            if (has_setter(member))
                setter(member, texts.empty() ? "0" : "raw");
        if (!texts.empty())
            texts_call(item, texts);
        out_ += "}\n";
    }

    /// Strings are kept beside the struct, whose pointers are set for a call alone.
    void texts_struct(Item const &item, std::string const &name, std::vector<Member> const &texts)
    {
        out_ += "#[derive(Clone, Debug, Default)]\npub struct " + name +
                " {\n    raw: sys::" + item.name + ",\n";
        for (Member const &member : texts)
            out_ += "    " + member.name + ": Option<String>,\n";
        out_ += "}\n\n// SAFETY: the pointers in `raw` are NULL.\nunsafe impl Send for " + name +
                " {}\n// SAFETY: as above.\nunsafe impl Sync for " + name + " {}\n";
    }

    void texts_call(Item const &item, std::vector<Member> const &texts)
    {
        out_ += "\n    /// Calls with what C understands; a NUL inside a string is an invalid "
                "argument.\n    pub(crate) fn with<R>(\n        &self,\n"
                "        call: impl FnOnce(&sys::" +
                item.name +
                ") -> crate::Result<R>,\n    ) -> crate::Result<R> {\n"
                "        let mut raw = self.raw;\n";
        for (Member const &member : texts) {
            std::string const &name = member.name;
            out_ += "        let " + name + " = self." + name +
                    ".as_deref().map(crate::error::c_string).transpose()?;\n";
            out_ += "        raw." + name + " = " + name +
                    ".as_ref().map_or(std::ptr::null(), |text| text.as_ptr());\n";
        }
        out_ += "        call(&raw)\n    }\n";
    }

    /// `place` is the field of the builder that is the struct of C.
    void setter(Member const &member, std::string const &place)
    {
        std::string name = member.name, target = place + "." + member.name;
        std::string kind = type(member.type), value = "value";
        Item const *constants = index_.find_type(member.type);
        if (is_text(member))
            kind = "&str", target = member.name, value = "Some(value.to_owned())";
        else if (member.array != 0 && member.type.base == "char")
            return text_setter(member, place);
        else if (member.array != 0)
            kind = "[" + kind + "; " + std::to_string(member.array) + "]";
        else if (constants != nullptr &&
                 (constants->kind == ItemKind::enumeration || constants->kind == ItemKind::flags))
            kind = camel(constants->name), value = "value.0";
        else if (constants != nullptr)
            kind = "sys::" + kind;
        else if (ends_with(name, "timeout_ns"))
            name = name.substr(0, name.size() - 3), kind = "Option<Duration>",
            value = "crate::nanoseconds(value)";
        out_ += "\n" + doc_lines("    ", member.doc.brief) + "    pub fn " + name +
                "(mut self, value: " + kind + ") -> Self {\n        self." + target + " = " +
                value + ";\n        self\n    }\n";
    }

    /// The last byte stays NUL.
    void text_setter(Member const &member, std::string const &place)
    {
        out_ += "\n" + doc_lines("    ", member.doc.brief) + "    pub fn " + member.name +
                "(mut self, value: &str) -> Self {\n        self." + place + "." + member.name +
                " = Default::default();\n        for (to, from) in self." + place + "." +
                member.name + "[.." + std::to_string(member.array - 1) +
                "].iter_mut().zip(value.bytes()) {\n            *to = from as c_char;\n"
                "        }\n        self\n    }\n";
    }

    Model const &model_;
    Index index_;
    std::string out_;
};

} // namespace

void emit_rust(Model const &model, std::vector<Output> &outputs)
{
    std::string const folder = "bindings/rust/";
    outputs.push_back({"rust", folder + "weir-sys/src/lib.rs", Rust(model).sys()});
    outputs.push_back({"rust", folder + "weir-sys/tests/layout.rs", Rust(model).layout()});
    outputs.push_back({"rust", folder + "weir/src/gen.rs", Rust(model).safe()});
}

} // namespace weir::gen
