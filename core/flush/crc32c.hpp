// SPDX-License-Identifier: MIT OR Apache-2.0
// CRC32C (Castagnoli polynomial, reflected; initial and final value ~0), and copying under it.
//
// Three ways, the best that the processor has is found once:
//   table     eight tables of 256; everywhere
//   lanes     the instruction (SSE4.2, ARMv8 CRC). Its result comes after 3 cycles, one starts each
//             cycle: longer inputs run in three lanes whose registers are joined by multiplication
//             modulo the polynomial (V. Gopal et al., "Fast CRC Computation for iSCSI Polynomial
//             Using CRC32 Instruction", Intel 2011)
//   folding   from 256 bytes on, where there is AVX-512 with VPCLMULQDQ: 256 bytes of state that
//             are folded over the input (V. Gopal et al., "Fast CRC Computation for Generic
//             Polynomials Using PCLMULQDQ Instruction", Intel 2009)
// All give the same sum; a test goes through all lengths and alignments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weir {

enum class CrcWay : int { table = 0, lanes = 1, folding = 2 };

/// Written once, before anything of the library runs.
extern CrcWay g_crc_way;

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
        // A header of a record is shorter than a call.
        if (__builtin_constant_p(length) && length <= kInline && length % 4 == 0 && by_step())
            return add_inline(static_cast<char const *>(data), length);
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
    static constexpr size_t kInline = 32;

#if defined(__x86_64__)
    static bool by_step() noexcept { return g_crc_way != CrcWay::table; }
    /// Assembler, because the callers of this header are compiled for every processor.
    Crc32c &add_inline(char const *data, size_t length) noexcept
    {
        uint64_t state = state_;
        for (; length >= 8; length -= 8, data += 8) {
            uint64_t value;
            std::memcpy(&value, data, sizeof value);
            asm("crc32q %1, %0" : "+r"(state) : "rm"(value));
        }
        if (length != 0) {
            uint32_t value;
            std::memcpy(&value, data, sizeof value);
            asm("crc32l %1, %k0" : "+r"(state) : "rm"(value));
        }
        state_ = static_cast<uint32_t>(state);
        return *this;
    }
#else
    static constexpr bool by_step() noexcept { return false; }
    Crc32c &add_inline(char const *, size_t) noexcept { return *this; }
#endif

    static uint32_t extend(uint32_t state, void const *data, size_t length) noexcept;
    static uint32_t extend_copy(uint32_t state, void *to, void const *from, size_t length) noexcept;

    uint32_t state_ = ~uint32_t{0};
};

/// Tests only: whether this processor can, and the sum of `from` (copied if `to` is not null).
bool crc32c_can(CrcWay way) noexcept;
uint32_t crc32c_by(CrcWay way, void *to, void const *from, size_t length) noexcept;
/// Tests only: by tables, as on a processor without the instruction.
uint32_t crc32c_by_table(void const *data, size_t length) noexcept;

} // namespace weir
