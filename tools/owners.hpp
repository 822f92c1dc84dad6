// SPDX-License-Identifier: MIT OR Apache-2.0
// Who is behind an owner's id: the participants of a matrix by id, and what each has.
#pragma once

#include "matrix_handle.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tool {

/// The participants of a matrix, dead ones too.
std::vector<weir_participant_info> participants_of(Matrix const &matrix);

/// "nobody", or an id as a number.
std::string owner_text(std::uint64_t owner);

/// Names for owners' ids, as they were at one moment.
class OwnerNames {
  public:
    explicit OwnerNames(Matrix const &matrix);
    /// "nobody", "producer-0 (pid 12)" or the id of one who left meanwhile.
    std::string text(std::uint64_t owner) const;
    /// The participant; NULL for nobody and for one who left meanwhile.
    weir_participant_info const *info(std::uint64_t owner) const;

  private:
    std::map<std::uint64_t, weir_participant_info> infos_;
};

/// Blocks of one owner.
struct OwnerSum {
    std::uint64_t blocks = 0;
    std::uint64_t bytes = 0;
    std::uint64_t largest = 0;

    void add(weir_block_info const &block)
    {
        ++blocks;
        bytes += block.length;
        largest = std::max<std::uint64_t>(largest, block.length);
    }
};

/// The blocks that somebody, or nobody, has, by owner.
std::map<std::uint64_t, OwnerSum> sums_by_owner(Matrix const &matrix);

} // namespace tool
