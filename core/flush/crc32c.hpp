// SPDX-License-Identifier: MIT OR Apache-2.0
// CRC32C (Castagnoli polynomial, reflected; initial and final value ~0), and copying under it.
//
// By the processor's instruction where there is one (SSE4.2, ARMv8 CRC), else by tables. Long
// inputs run in three lanes whose registers are joined by multiplication modulo the polynomial
// (the method of V. Gopal et al., "Fast CRC Computation for iSCSI Polynomial Using CRC32
// Instruction", Intel 2011).
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir {

/// A sum that is being made. value() may be asked at any time.
class Crc32c {
  public:
    constexpr Crc32c() noexcept = default;
    /// Goes on from a finished sum.
    static constexpr Crc32c from(uint32_t value) noexcept
    {
        Crc32c sum;
        sum.state_ = ~value;
        return sum;
    }

    Crc32c &add(void const *data, size_t length) noexcept
    {
        state_ = extend(state_, data, length);
        return *this;
    }
    Crc32c &add32(uint32_t value) noexcept { return add(&value, sizeof value); }
    Crc32c &add64(uint64_t value) noexcept { return add(&value, sizeof value); }
    Crc32c &add_zeros(size_t length) noexcept;
    /// Copies and sums what it has stored, not what it reads twice: a source that others change
    /// meanwhile gives a sum that fits the copy.
    Crc32c &copy(void *to, void const *from, size_t length) noexcept
    {
        state_ = extend_copy(state_, to, from, length);
        return *this;
    }
    constexpr uint32_t value() const noexcept { return ~state_; }

  private:
    static uint32_t extend(uint32_t state, void const *data, size_t length) noexcept;
    static uint32_t extend_copy(uint32_t state, void *to, void const *from, size_t length) noexcept;

    uint32_t state_ = ~uint32_t{0};
};

/// Tests only: by tables, as on a processor without the instruction.
uint32_t crc32c_by_table(void const *data, size_t length) noexcept;

} // namespace weir
