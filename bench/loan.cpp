// SPDX-License-Identifier: MIT OR Apache-2.0
// Runs the Rust program that measures iceoryx2.
#include "loan.hpp"

#include <cinttypes>
#include <csignal>
#include <stdexcept>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

LoanProgram::LoanProgram(std::string const &program, std::string const &reason) : missing_(reason)
{
    if (program.empty() && missing_.empty())
        missing_ = "its program was not built";
    else if (missing_.empty() && access(program.c_str(), X_OK) != 0)
        missing_ = "there is no " + program;
    if (missing_.empty())
        start(program);
}

void LoanProgram::start(std::string const &program)
{
    int questions[2], answers[2];
    if (pipe2(questions, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0)
        throw std::runtime_error("no pipe");
    signal(SIGPIPE, SIG_IGN); // a program that has ended is a failed run, not our end
    process_ = fork();
    if (process_ == 0) {
        dup2(questions[0], STDIN_FILENO);
        dup2(answers[1], STDOUT_FILENO);
        execl(program.c_str(), program.c_str(), static_cast<char *>(nullptr));
        _exit(127);
    }
    close(questions[0]);
    close(answers[1]);
    questions_ = fdopen(questions[1], "w");
    answers_ = fdopen(answers[0], "r");
    char version[32] = {};
    if (std::fscanf(answers_, "iceoryx2 %31s", version) != 1)
        missing_ = "its program does not start";
    version_ = version;
}

std::string LoanProgram::version() const
{
    return missing_.empty() ? version_ : "not measured: " + missing_;
}

LoanProgram::~LoanProgram()
{
    if (process_ < 0)
        return;
    std::fclose(questions_); // it ends when there are no more questions
    std::fclose(answers_);
    waitpid(process_, nullptr, 0);
}

Outcome LoanProgram::pairs(std::size_t size, int pairs)
{
    std::uint64_t nanoseconds = 0;
    Outcome outcome;
    std::fprintf(questions_, "%zu %d\n", size, pairs);
    std::fflush(questions_);
    if (std::fscanf(answers_, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &nanoseconds,
                    &outcome.operations, &outcome.failures, &outcome.damaged) != 4)
        throw std::runtime_error("the program for iceoryx2 has ended");
    outcome.seconds = double(nanoseconds) / 1e9;
    return outcome;
}

} // namespace bench
