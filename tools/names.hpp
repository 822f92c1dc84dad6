// SPDX-License-Identifier: MIT OR Apache-2.0
// The words for the library's numbers.
#pragma once

#include <weir.h>

namespace tool {

constexpr weir_sector kSectors = 3;

char const *sector_name(weir_sector sector);
char const *block_kind_name(weir_block_kind kind);
char const *root_kind_name(weir_root_kind kind);
char const *participant_state_name(weir_participant_state state);

} // namespace tool
