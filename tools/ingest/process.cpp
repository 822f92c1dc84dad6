// SPDX-License-Identifier: MIT OR Apache-2.0
// One worker process: this program again, started by posix_spawn with the matrix's descriptor.
#include "process.hpp"

#include "../error.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

extern char **environ;

namespace tool::ingest {
namespace {
constexpr char kSelf[] = "/proc/self/exe"; // also right if the file was replaced meanwhile
constexpr int kMatrixFd = 3;

class SpawnActions {
  public:
    SpawnActions() { posix_spawn_file_actions_init(&actions_); }
    ~SpawnActions() { posix_spawn_file_actions_destroy(&actions_); }
    SpawnActions(SpawnActions const &) = delete;
    SpawnActions &operator=(SpawnActions const &) = delete;
    posix_spawn_file_actions_t *get() { return &actions_; }

  private:
    posix_spawn_file_actions_t actions_;
};
} // namespace

Process::Process(Role role, WorkerOptions options) : role_(role), options_(std::move(options)) {}

Process::Process(Process &&other) noexcept
    : role_(other.role_), options_(std::move(other.options_)), pid_(std::exchange(other.pid_, 0))
{
}

Process::~Process()
{
    if (!running())
        return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

void Process::start()
{
    std::vector<std::string> words = {"weir",     "ingest-worker",
                                      "--role",   options_.role,
                                      "--slot",   std::to_string(options_.slot),
                                      "--parent", std::to_string(getpid()),
                                      "--fd",     std::to_string(kMatrixFd),
                                      "--from",   options_.from};
    if (!options_.out.empty())
        words.insert(words.end(), {"--out", options_.out, "--scratch", options_.scratch});
    if (!options_.log.empty())
        words.insert(words.end(), {"--log", options_.log});
    std::vector<char *> arguments;
    for (auto &word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);

    SpawnActions actions;
    // Also clears close-on-exec, even if the descriptor has this number already.
    posix_spawn_file_actions_adddup2(actions.get(), options_.matrix_fd, kMatrixFd);
    int const code = posix_spawn(&pid_, kSelf, actions.get(), nullptr, arguments.data(), environ);
    if (code != 0) {
        pid_ = 0;
        throw Failure("cannot start a worker: " + error_text(code));
    }
}

void Process::kill()
{
    if (running())
        ::kill(pid_, SIGKILL);
}

End Process::poll()
{
    int status = 0;
    if (!running() || waitpid(pid_, &status, WNOHANG) != pid_)
        return End::none;
    pid_ = 0;
    if (WIFEXITED(status))
        return WEXITSTATUS(status) == 0 ? End::clean : End::failed;
    return WTERMSIG(status) == SIGKILL ? End::killed : End::failed;
}

} // namespace tool::ingest
