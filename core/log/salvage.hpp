// SPDX-License-Identifier: MIT OR Apache-2.0
// Salvage: the whole records of a damaged log into a new one.
#pragma once

#include "core/log/recovery.hpp"

namespace weir {

/// `to` is an empty folder (-EEXIST). `superblock` of the damaged log, from disk or rebuilt. The new
/// log has its geometry, and is closed cleanly.
Status salvage(Io const &from, Superblock const &superblock, Io const &to,
               uint8_t const (&new_uuid)[16], uint32_t permissions, LogReport &report) noexcept;

} // namespace weir
