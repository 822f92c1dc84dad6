// SPDX-License-Identifier: MIT OR Apache-2.0
// Page-aligned memory from the core's own allocator.
#include "core/log/buffer.hpp"

#include "core/base/base.hpp"

#include <cstring>

namespace weir {

Status Buffer::reserve(size_t size, size_t keep) noexcept
{
    if (size <= size_)
        return kOk;
    if (size > SIZE_MAX - kPage)
        return error(ENOMEM);
    void *const raw = allocate(size + kPage);
    if (raw == nullptr)
        return error(ENOMEM);
    auto *const data =
        reinterpret_cast<uint8_t *>(round_up(reinterpret_cast<uintptr_t>(raw), kPage));
    if (keep != 0)
        memcpy(data, data_, keep);
    deallocate(raw_);
    raw_ = raw;
    data_ = data;
    size_ = size;
    return kOk;
}

} // namespace weir
