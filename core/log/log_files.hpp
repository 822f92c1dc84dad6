// SPDX-License-Identifier: MIT OR Apache-2.0
// Cursors, verify and repair of a log that is named by its folder.
#pragma once

#include "core/log/cursor.hpp"
#include "core/log/repair.hpp"
#include "core/log/verify.hpp"

namespace weir {

Status store_cursor_in(char const *folder, char const *name, Lsn lsn, uint32_t flags) noexcept;
Result<CursorView> load_cursor_in(char const *folder, char const *name) noexcept;
/// As verify(); beside a writer what is being written is no torn tail.
Status verify_in(char const *folder, LogReport &ret) noexcept;
/// `target` null: in place. Otherwise a folder, which is made if it is not there.
Status repair_in(char const *folder, char const *target, RecoverOptions const &options,
                 LogReport &ret) noexcept;

} // namespace weir
