// SPDX-License-Identifier: MIT OR Apache-2.0
// Who is behind an owner's id: the participants of a matrix by id.
#pragma once

#include "matrix_handle.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tool {

/// The participants of a matrix, dead ones too.
std::vector<weir_participant_info> participants_of(Matrix const &matrix);

/// Names for owners' ids, as they were at one moment.
class OwnerNames {
  public:
    explicit OwnerNames(Matrix const &matrix);
    /// "nobody", "producer-0 (pid 12)" or the id of one who left meanwhile.
    std::string text(std::uint64_t owner) const;

  private:
    std::map<std::uint64_t, std::string> names_;
};

} // namespace tool
