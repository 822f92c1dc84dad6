// SPDX-License-Identifier: MIT OR Apache-2.0
// What the records of these tests hold: all of it follows from a number, so it is compared byte by
// byte and kept by nobody.
#pragma once

#include "tests/fault/disk.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace fault {

class Content {
  public:
    explicit Content(uint64_t number) : value_(Random(number).next()) {}

    std::vector<uint8_t> bytes(uint64_t length) const
    {
        std::vector<uint8_t> result(length);
        uint64_t const first = std::min(length, kPeriod), words = first / kWord;
        for (uint64_t k = 0; k < words; ++k) {
            uint64_t const word = word_at(k);
            memcpy(result.data() + k * kWord, &word, kWord);
        }
        uint64_t const last = word_at(words);
        if (first % kWord != 0) // nothing may have no address
            memcpy(result.data() + words * kWord, &last, first % kWord);
        for (uint64_t i = kPeriod; i < length; i += kPeriod)
            memcpy(result.data() + i, result.data(), std::min(kPeriod, length - i));
        return result;
    }
    bool is(uint8_t const *bytes, uint64_t length) const
    {
        uint64_t const first = std::min(length, kPeriod), words = first / kWord;
        uint64_t differ = 0;
        for (uint64_t k = 0; k < words; ++k) {
            uint64_t word;
            memcpy(&word, bytes + k * kWord, kWord);
            differ |= word ^ word_at(k);
        }
        uint64_t const last = word_at(words);
        return differ == 0 &&
               (first % kWord == 0 || memcmp(bytes + words * kWord, &last, first % kWord) == 0) &&
               (length == first || memcmp(bytes, bytes + kPeriod, length - kPeriod) == 0);
    }

  private:
    static constexpr uint64_t kWord = sizeof(uint64_t), kPeriod = 256 * kWord;

    /// Each byte of the value, plus the word's number modulo 256.
    uint64_t word_at(uint64_t number) const
    {
        constexpr uint64_t kOnes = 0x0101010101010101, kTop = 0x80 * kOnes;
        uint64_t const add = (number % 256) * kOnes;
        return ((value_ & ~kTop) + (add & ~kTop)) ^ ((value_ ^ add) & kTop);
    }

    uint64_t value_;
};

} // namespace fault
