// SPDX-License-Identifier: MIT OR Apache-2.0
// What kind of memory somebody wants behind a segment, what he got, and how much of it is there.
#pragma once

#include "core/segment/geometry.hpp"

#include <cstdint>

namespace weir {

/// How much a wish matters: with `attempt` what cannot be had is reported, with `require` refused.
enum class Effort : unsigned { none = 0, attempt = 1, require = 2 };

enum class Pages : unsigned { normal = 0, transparent = 1, hugetlb = 2 };

struct MemoryWish {
    Effort huge_pages = Effort::none;
    Effort lock = Effort::none;
    bool hugetlb = false; ///< this file from the pool of huge pages; see Matrix::create()
    bool set_node = false;
    bool set_group = false;
    uint32_t node = 0;
    uint32_t group = 0;
};

/// What became of a wish in this process. The codes are 0 or negative.
struct MemoryKind {
    uint64_t page_bytes =
        kLayoutAlign; ///< of the file; all offsets for the kernel are rounded to it
    Pages pages = Pages::normal;
    int32_t huge_error = 0;
    int32_t lock_error = 0;
    int32_t node_error = 0;
    int32_t node = -1;
    bool locked = false;
};

/// How much is there now, in bytes.
struct MemoryUse {
    uint64_t mapped = 0;   ///< address space of this mapping
    uint64_t file = 0;     ///< granted by the file system
    uint64_t resident = 0; ///< in this process's page tables
    uint64_t huge = 0;     ///< of those, by huge pages
};

} // namespace weir
