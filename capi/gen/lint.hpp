// SPDX-License-Identifier: MIT OR Apache-2.0
// The rules of the API: what parses is not yet accepted.
#pragma once

#include "diag.hpp"
#include "emit.hpp"
#include "resolve.hpp"

namespace weir::gen {

struct LintContext {
    Model const &model;
    Index const &index;
    Diagnostics &diagnostics;
};

/// All rules on declarations and their comments (section by section in check_*.cpp).
void check_declarations(Model const &model, Diagnostics &diagnostics);

/// The groups of rules that check_declarations() runs.
void check_comments(LintContext const &context);
void check_names(LintContext const &context);
void check_types(LintContext const &context);
void check_values(LintContext const &context);
void check_params(LintContext const &context);
void check_functions(LintContext const &context);
void check_classes(LintContext const &context);

/// Compares with the newest released snapshot of the same soversion. `changelog` is the text of
/// CHANGELOG.md, which must name new error codes.
void check_abi(Model const &model, std::vector<Snapshot> const &released,
               std::string const &changelog, Diagnostics &diagnostics);

/// `'weir_x'` and what kind of item it is, for messages.
std::string describe(Item const &item);

} // namespace weir::gen
