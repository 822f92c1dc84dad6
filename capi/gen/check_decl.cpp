// SPDX-License-Identifier: MIT OR Apache-2.0
// Runs every group of declaration rules, so that one run shows all that is wrong.
#include "lint.hpp"

namespace weir::gen {

std::string describe(Item const &item)
{
    static char const *const kKinds[] = {"handle",   "enum", "flags",    "struct",
                                         "callback", "id",   "constant", "function"};
    return std::string(kKinds[static_cast<int>(item.kind)]) + " " + in_quotes(item.name);
}

void check_declarations(Model const &model, Diagnostics &diagnostics)
{
    Index const index(model);
    LintContext const context = {model, index, diagnostics};
    check_comments(context);
    check_names(context);
    check_types(context);
    check_values(context);
    check_params(context);
    check_functions(context);
    check_classes(context);
}

} // namespace weir::gen
