// SPDX-License-Identifier: MIT OR Apache-2.0
// Starts a program and talks to it through two pipes.
#include "asked.hpp"

#include <csignal>
#include <stdexcept>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

AskedProgram::AskedProgram(std::string const &program, std::string const &reason) : missing_(reason)
{
    if (program.empty() && missing_.empty())
        missing_ = "its program was not built";
    else if (missing_.empty() && access(program.c_str(), X_OK) != 0)
        missing_ = "there is no " + program;
    if (missing_.empty())
        start(program);
}

void AskedProgram::start(std::string const &program)
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
    if (!read_line(versions_))
        missing_ = "its program does not start";
}

bool AskedProgram::read_line(std::string &ret_line)
{
    char line[256] = {};
    if (std::fgets(line, sizeof line, answers_) == nullptr)
        return false;
    ret_line = line;
    if (!ret_line.empty() && ret_line.back() == '\n')
        ret_line.pop_back();
    return true;
}

std::string AskedProgram::versions() const
{
    return missing_.empty() ? versions_ : "not measured: " + missing_;
}

std::string AskedProgram::ask(std::string const &question)
{
    std::fprintf(questions_, "%s\n", question.c_str());
    std::fflush(questions_);
    std::string answer;
    if (!read_line(answer))
        throw std::runtime_error("the program of " + versions_ + " has ended");
    return answer;
}

AskedProgram::~AskedProgram()
{
    if (process_ < 0)
        return;
    std::fclose(questions_); // it ends when there are no more questions
    std::fclose(answers_);
    waitpid(process_, nullptr, 0);
}

} // namespace bench
