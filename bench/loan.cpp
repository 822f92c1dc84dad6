// SPDX-License-Identifier: MIT OR Apache-2.0
// Asks the Rust program that measures iceoryx2's loans.
#include "loan.hpp"

#include <fmt/core.h>

#include <cinttypes>
#include <stdexcept>

namespace bench {

std::string LoanProgram::version() const
{
    std::string const all = program_.versions(); // "iceoryx2 1.2.3"
    return missing().empty() ? all.substr(all.find(' ') + 1) : all;
}

Outcome LoanProgram::pairs(std::size_t size, int pairs)
{
    std::uint64_t nanoseconds = 0;
    Outcome outcome;
    std::string const answer = program_.ask(fmt::format("{} {}", size, pairs));
    if (std::sscanf(answer.c_str(), "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &nanoseconds,
                    &outcome.operations, &outcome.failures, &outcome.damaged) != 4)
        throw std::runtime_error("the program for iceoryx2 says: " + answer);
    outcome.seconds = double(nanoseconds) / 1e9;
    return outcome;
}

} // namespace bench
