// SPDX-License-Identifier: MIT OR Apache-2.0
// CRC-32C (Castagnoli), by the processor's instruction where there is one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tool::ingest {

/// Goes on from `crc`, which is 0 at the beginning.
std::uint32_t crc32c(std::uint32_t crc, void const *data, std::size_t length);

/// The same without the instruction; public for the self-test.
std::uint32_t crc32c_portable(std::uint32_t crc, void const *data, std::size_t length);

} // namespace tool::ingest
