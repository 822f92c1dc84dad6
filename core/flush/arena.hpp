// SPDX-License-Identifier: MIT OR Apache-2.0
// Memory of a ring: whole pages, zeroed, which a fork child does not get. The explorer brings its
// own.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>

namespace weir {

/// nullptr if there is none.
void *map_pages(std::size_t size) noexcept;
void unmap_pages(void *pages, std::size_t size) noexcept;

} // namespace weir
