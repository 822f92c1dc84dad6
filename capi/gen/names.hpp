// SPDX-License-Identifier: MIT OR Apache-2.0
// Names in the languages of the bindings, and the keywords they must not be.
#pragma once

#include "model.hpp"

#include <string>

namespace weir::gen {

/// `weir_` and the class are stripped: `alloc` of `weir_matrix_alloc`, `block_state` of
/// `weir_block_state` in class `weir_matrix`.
std::string method_name(Item const &function);

/// What a parameter is called in a binding: without `ret_`.
std::string plain_name(std::string const &name);

/// The initialiser of a sized struct: `WEIR_ALLOC_OPTIONS_INIT`.
std::string init_macro(std::string const &structure);

/// A type in the bindings: `LogReader` of `weir_log_reader`.
std::string camel(std::string const &name);

/// A constant of an enum or of flags in the bindings, without what it shares with its type:
/// `ZERO` of `WEIR_ALLOC_ZERO` in `weir_alloc_flags`.
std::string member_name(Item const &item, Member const &member);

/// Whether `@skip` keeps an item out of a language's binding.
bool is_skipped(Item const &item, std::string const &language);

/// The language in which `name` is a keyword, or nothing.
std::string keyword_language(std::string const &name);

} // namespace weir::gen
