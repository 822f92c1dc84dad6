// SPDX-License-Identifier: MIT OR Apache-2.0
// Memory for transfers: aligned to a page, grows, frees itself.
#pragma once

#include "core/base/alloc.hpp"
#include "core/base/bits.hpp"
#include "core/base/error.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

class Buffer {
  public:
    Buffer() noexcept = default;
    Buffer(Buffer const &) = delete;
    Buffer &operator=(Buffer const &) = delete;
    ~Buffer() { deallocate(data_); }

    /// At least `size` bytes; what was in it is kept if `keep` says how much, the rest is unset.
    /// -ENOMEM.
    Status reserve(size_t size, size_t keep = 0) noexcept;
    uint8_t *data() noexcept { return data_; }
    uint8_t const *data() const noexcept { return data_; }
    size_t size() const noexcept { return size_; }

  private:
    uint8_t *data_ = nullptr;
    size_t size_ = 0;
};

} // namespace weir
