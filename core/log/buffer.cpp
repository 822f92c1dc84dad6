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
    auto *const data = static_cast<uint8_t *>(allocate_unset(size));
    if (data == nullptr)
        return error(ENOMEM);
    if (keep != 0)
        memcpy(data, data_, keep);
    deallocate(data_);
    data_ = data;
    size_ = size;
    return kOk;
}

} // namespace weir
