// SPDX-License-Identifier: MIT OR Apache-2.0
// The thread behind the descriptors: it heals, and holds nobody up meanwhile.
#include "tests/unit/matrix_support.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

using namespace unit;

namespace {
std::atomic<bool> g_heals, g_healed, g_go_on;

/// Lasts until it is told to go on, or ten seconds.
void heal_slowly(Matrix &, Ref, Owner) noexcept
{
    g_heals = true;
    for (int i = 0; i < 10000 && !g_go_on; ++i)
        usleep(1000);
    g_healed = true;
}
constexpr RootOps kSlowOps = {heal_slowly};

Handle matrix_that_heals_slowly()
{
    static RootOps const *const ops[kRootKinds] = {nullptr, nullptr, &kChannelRootOps,
                                                   &kPoolRootOps, &kSlowOps};
    MatrixOptions options = options_for(4 * kMiB);
    options.root_ops = ops;
    Handle made = make_matrix(options);
    check_eq(made->bind_object("slow", RootKind::router, alloc(*made, 64).ref).code, 0);
    return made;
}

/// A channel with a reader that has a descriptor.
struct Watched {
    Channel *channel;
    Subscription *reader;
    int fd = -1;

    explicit Watched(Matrix &matrix) : channel(*Channel::create(matrix, "channel", {}))
    {
        reader = *channel->subscribe();
        check_eq(reader->fd(fd).code, 0);
    }
    ~Watched() { channel->unref(); }
};

void die_in(Matrix &matrix)
{
    pid_t const child = fork();
    if (child == 0)
        _exit(matrix.enter().ok() ? 0 : 1);
    int status;
    check_eq(waitpid(child, &status, 0), child);
    check_eq(status, 0);
}
} // namespace

Test(channel_watcher, a_slow_heal_holds_up_nobody_but_who_closes_the_same_matrix)
{
    Handle const slow = matrix_that_heals_slowly();
    Handle const other = make_matrix(4 * kMiB);
    Watched first(*slow), second(*other);
    die_in(*slow);
    for (int i = 0; i < 5000 && !g_heals; ++i)
        usleep(1000);
    check_eq(g_heals.load(), true, "the thread has not begun to heal");

    Message message;
    check_eq(second.reader->read(0, message).code, -EAGAIN); // arms the descriptor
    Subscription *const third = *second.channel->subscribe();
    int fd;
    check_eq(third->fd(fd).code, 0);
    third->close();
    second.reader->close();
    check_eq(g_healed.load(), false, "they waited for the heal");

    std::atomic<bool> closed{false};
    std::thread closer([&] {
        first.reader->close();
        closed = true;
    });
    usleep(50000);
    check_eq(closed.load(), false, "its matrix is in use");
    g_go_on = true;
    closer.join();
    check_eq(g_healed.load(), true);
}
