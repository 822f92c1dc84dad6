// SPDX-License-Identifier: MIT OR Apache-2.0
// iceoryx2's loan and release, measured by the Rust program in iceoryx2/.
#pragma once

#include "asked.hpp"
#include "workloads.hpp"

#include <string>

namespace bench {

class LoanProgram {
  public:
    explicit LoanProgram(std::string const &program, std::string const &reason)
        : program_(program, reason)
    {
    }

    std::string const &missing() const { return program_.missing(); }
    /// Of iceoryx2, or why it is not measured.
    std::string version() const;
    Outcome pairs(std::size_t size, int pairs);

  private:
    AskedProgram program_;
};

} // namespace bench
