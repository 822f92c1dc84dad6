// SPDX-License-Identifier: MIT OR Apache-2.0
// iceoryx2's loan and release, measured by the Rust program in iceoryx2/, which runs beside this
// one and is asked for one run at a time: so it alternates with the others.
#pragma once

#include "workloads.hpp"

#include <string>

#include <sys/types.h>

namespace bench {

class LoanProgram {
  public:
    /// Without a program, or if it cannot be started, `missing()` says why.
    explicit LoanProgram(std::string const &program, std::string const &reason);
    LoanProgram(LoanProgram const &) = delete;
    LoanProgram &operator=(LoanProgram const &) = delete;
    ~LoanProgram();

    std::string const &missing() const { return missing_; }
    /// Of iceoryx2, or why it is not measured.
    std::string version() const;
    Outcome pairs(std::size_t size, int pairs);

  private:
    void start(std::string const &program);

    std::string missing_, version_;
    std::FILE *questions_ = nullptr;
    std::FILE *answers_ = nullptr;
    pid_t process_ = -1;
};

} // namespace bench
