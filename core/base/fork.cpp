// SPDX-License-Identifier: MIT OR Apache-2.0
// One pthread_atfork registration for the whole library, and the list of handles it walks.
#include "core/base/fork.hpp"

#include "core/base/mutex.hpp"

#include <pthread.h>

namespace weir {
namespace {
Mutex g_mutex; // protects the list; held across fork(), so that the child finds it whole
ForkHook *g_first = nullptr;
bool g_registered = false;

void before_fork() { g_mutex.lock(); }

void after_fork_in_parent() { g_mutex.unlock(); }

void after_fork_in_child()
{
    g_mutex.reset();
    for (ForkHook *hook = g_first; hook != nullptr; hook = hook->next)
        hook->in_child(hook->handle);
}
} // namespace

Status register_fork_hook(ForkHook &hook) noexcept
{
    Guard const guard(g_mutex);
    if (!g_registered) {
        int const failure = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
        if (failure != 0)
            return error(failure);
        g_registered = true;
    }
    hook.next = g_first;
    hook.previous = nullptr;
    if (g_first != nullptr)
        g_first->previous = &hook;
    g_first = &hook;
    return kOk;
}

void unregister_fork_hook(ForkHook &hook) noexcept
{
    Guard const guard(g_mutex);
    if (hook.previous != nullptr)
        hook.previous->next = hook.next;
    else if (g_first == &hook)
        g_first = hook.next;
    if (hook.next != nullptr)
        hook.next->previous = hook.previous;
    hook.next = hook.previous = nullptr;
}

NoFork::NoFork() noexcept { g_mutex.lock(); }

NoFork::~NoFork() { g_mutex.unlock(); }

} // namespace weir
