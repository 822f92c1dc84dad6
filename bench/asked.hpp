// SPDX-License-Identifier: MIT OR Apache-2.0
// A program in Rust that measures its peers, and runs beside this one: it is asked for one run at a
// time, so it alternates with the others. A question is a line, and so is its answer.
#pragma once

#include <cstdio>
#include <string>

#include <sys/types.h>

namespace bench {

class AskedProgram {
  public:
    /// Without a program, or if it cannot be started, `missing()` says why.
    explicit AskedProgram(std::string const &program, std::string const &reason);
    AskedProgram(AskedProgram const &) = delete;
    AskedProgram &operator=(AskedProgram const &) = delete;
    ~AskedProgram();

    std::string const &missing() const { return missing_; }
    /// Its first line, the names and versions of who is measured; or why they are not.
    std::string versions() const;
    std::string ask(std::string const &question);

  private:
    void start(std::string const &program);
    bool read_line(std::string &ret_line);

    std::string missing_, versions_;
    std::FILE *questions_ = nullptr;
    std::FILE *answers_ = nullptr;
    pid_t process_ = -1;
};

} // namespace bench
