// SPDX-License-Identifier: MIT OR Apache-2.0
// The families of scenarios. Each registers its own (explicitly: a static constructor in an
// object file that nobody refers to would be left out by the linker).
#pragma once

namespace weir::explore {

void register_index();
void register_participants();
void register_matrix();
void register_lanes();
void register_growth();
void register_trim();
void register_resize();
void register_wait();
void register_channel();
void register_router();
void register_flush();
void register_pool();
void register_policies();  ///< of channels
void register_broadcast(); ///< of channels

void register_all();

} // namespace weir::explore
