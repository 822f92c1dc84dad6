// SPDX-License-Identifier: MIT OR Apache-2.0
// The thread behind the descriptors.
#include "core/channel/watcher.hpp"

#include "core/base/fork.hpp"
#include "core/base/mutex.hpp"
#include "core/base/waiting.hpp"
#include "core/channel/subscription.hpp"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace weir {
namespace {
/// What futex_waitv takes, one of them for `control`.
constexpr unsigned kMostWords = FUTEX_WAITV_MAX;
/// Between looks when there are more, when the kernel (before 5.16) has no futex_waitv, or while a
/// peer scribbles over a word to sleep on.
constexpr Nanoseconds kLookAgain = 5 * kMillisecond;

Mutex g_watch_mutex; // protects all below but the two that are atomic
Watch *g_first_watch = nullptr;
Matrix *g_healing = nullptr; ///< what the thread heals, without the lock
bool g_running = false;
pthread_t g_thread;
uint32_t g_epoch = 1;
bool g_hooked = false;
ForkHook g_hook;
/// Counts changes that the thread must know of. Writers: anybody, adding. Process memory.
atomic<uint32_t> g_control;
/// Counts heals that are over. Writer: the thread, adding, with the lock. Process memory.
atomic<uint32_t> g_healed;

void in_child(void *) noexcept
{
    g_watch_mutex.reset();
    g_first_watch = nullptr; // the watches themselves are the parent's, by their epoch
    g_healing = nullptr;
    g_running = false;
    ++g_epoch;
}

void tell_thread() noexcept
{
    g_control.fetch_add(1, seq_cst); // pairs with run(): read before the look
    futex_wake_all(g_control);
}

/// The words that the thread sleeps on.
struct Sleep {
    futex_waitv words[kMostWords] = {};
    unsigned count = 0;
    bool all = true;

    void add(atomic<uint32_t> const &word, uint32_t seen) noexcept
    {
        all = all && count < kMostWords;
        if (count == kMostWords)
            return;
        futex_waitv &at = words[count++];
        at.val = seen;
        at.uaddr = reinterpret_cast<uint64_t>(word.address());
        at.flags = FUTEX_32;
    }
    /// There is something to look at of which nobody will tell us.
    void add_blind() noexcept { all = false; }
    /// False: the time was up.
    bool wait() noexcept
    {
        Nanoseconds const limit = all ? kSlice : kLookAgain;
        Nanoseconds const end = monotonic_now() + limit;
        timespec const at{end / kSecond, static_cast<long>(end % kSecond)};
        if (syscall(SYS_futex_waitv, words, count, 0, &at, CLOCK_MONOTONIC) >= 0)
            return true;
        if (errno == ENOSYS || errno == EPERM)
            sleep_for(kLookAgain);
        return errno == EAGAIN || errno == EINTR;
    }
};

void signal_ready(Watch &watch) noexcept
{
    __atomic_store_n(&watch.signalled, 1, __ATOMIC_RELEASE); // pairs with rearm()
    uint64_t const one = 1;
    // It fails only if the counter is full, and then it is readable.
    syscall(SYS_write, watch.fd, &one, sizeof one);
}

/// Looks, says that somebody sleeps, looks again.
void look(Watch &watch, Sleep &sleep) noexcept
{
    if (__atomic_load_n(&watch.signalled, __ATOMIC_ACQUIRE) != 0) // pairs with rearm()
        return;
    atomic<uint32_t> &word = watch.subscription->channel().ring().header().watchers.word;
    Waiting waiting(word);
    uint32_t seen = 0;
    bool const announced = waiting.announce(seen);
    if (watch.subscription->is_ready()) // [F] after the announcement
        signal_ready(watch);
    else if (announced)
        sleep.add(word, seen);
    else
        sleep.add_blind();
}

Matrix &matrix_of(Watch const &watch) noexcept { return watch.subscription->channel().matrix(); }

/// A matrix that some watch has, and that was not healed in this turn; nullptr if there is none.
Matrix *next_to_heal(unsigned turn) noexcept
{
    Matrix *found = nullptr;
    for (Watch *at = g_first_watch; at != nullptr; at = at->next) {
        if (found == nullptr && at->healed_in != turn)
            found = &matrix_of(*at);
        if (found == &matrix_of(*at))
            at->healed_in = turn;
    }
    return found;
}

/// Without the lock, which a heal may take long for. The matrix stays: unwatch() waits for it.
void heal_all(unsigned turn) noexcept
{
    while ((g_healing = next_to_heal(turn)) != nullptr) {
        g_watch_mutex.unlock();
        g_healing->heal_dead(); // ours: only this thread writes it, but for a fork child's
        g_watch_mutex.lock();
        g_healing = nullptr;
        g_healed.fetch_add(1, seq_cst); // pairs with await_heal()
        futex_wake_all(g_healed);
    }
}

/// With the lock, which it lets go meanwhile.
void await_heal(Matrix const *matrix) noexcept
{
    while (g_healing == matrix) {
        uint32_t const seen = g_healed.load(seq_cst); // with the lock; pairs with heal_all()
        g_watch_mutex.unlock();
        futex_wait(g_healed, seen, kSlice);
        g_watch_mutex.lock();
    }
}

void *run(void *) noexcept
{
    g_watch_mutex.lock();
    for (unsigned turn = 1; g_first_watch != nullptr; ++turn) {
        Sleep sleep;
        sleep.add(g_control, g_control.load(seq_cst)); // before the looks; pairs with tell_thread()
        for (Watch *at = g_first_watch; at != nullptr; at = at->next)
            look(*at, sleep);
        g_watch_mutex.unlock();
        // What is unmapped meanwhile makes the call fail, and unwatch() has counted.
        bool const woken = sleep.wait();
        g_watch_mutex.lock();
        // Who should have woken us may be dead.
        if ((!woken && sleep.all) || turn % kVainWakes == 0)
            heal_all(turn);
    }
    g_running = false;
    g_watch_mutex.unlock();
    return nullptr;
}

/// Without signals: they are the user's threads' business.
bool start_thread() noexcept
{
    constexpr size_t kStack = 128 * 1024;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, kStack);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool const made = pthread_create(&g_thread, &attributes, run, nullptr) == 0;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    return made;
}

Status prepare_thread() noexcept
{
    if (!g_hooked) {
        g_hook.in_child = in_child;
        WEIR_TRY(register_fork_hook(g_hook));
        g_hooked = true;
    }
    if (!g_running && !start_thread())
        return error(ENOMEM);
    g_running = true;
    return kOk;
}
} // namespace

Status watch(Watch &watch, int &ret_fd) noexcept
{
    Guard const guard(g_watch_mutex);
    if (watch.fd >= 0 && watch.epoch == g_epoch) {
        ret_fd = watch.fd;
        return kOk;
    }
    int const made = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made < 0)
        return error(errno);
    Watch const before = watch;
    watch.fd = made;
    watch.epoch = g_epoch;
    watch.signalled = 0;
    watch.healed_in = 0;
    watch.next = g_first_watch;
    g_first_watch = &watch; // the thread ends when there is none
    Status const ready = prepare_thread();
    if (!ready.ok()) {
        g_first_watch = watch.next;
        watch = before;
        syscall(SYS_close, made);
        return ready;
    }
    if (before.fd >= 0)
        syscall(SYS_close, before.fd); // our copy of the parent's
    tell_thread();
    ret_fd = made;
    return kOk;
}

void unwatch(Watch &watch) noexcept
{
    if (watch.fd < 0)
        return;
    Guard const guard(g_watch_mutex);
    for (Watch **at = &g_first_watch; *at != nullptr; at = &(*at)->next)
        if (*at == &watch) {
            *at = watch.next;
            break;
        }
    await_heal(&matrix_of(watch)); // else it could be the last who keeps it
    syscall(SYS_close, watch.fd);
    watch.fd = -1;
    tell_thread();
}

void rearm(Watch &watch) noexcept
{
    if (__atomic_load_n(&watch.signalled, __ATOMIC_ACQUIRE) == 0) // pairs with signal_ready()
        return;
    Guard const guard(g_watch_mutex); // the thread sets it and writes to the descriptor, or neither
    uint64_t count;
    if (watch.epoch == g_epoch) // else it is the parent's too, who wants to find it readable
        syscall(SYS_read, watch.fd, &count, sizeof count);
    __atomic_store_n(&watch.signalled, 0, __ATOMIC_RELEASE); // pairs with look()
    tell_thread();
}

} // namespace weir
