// SPDX-License-Identifier: MIT OR Apache-2.0
// Starting a thread of the library.
#include "core/flush/thread.hpp"

#include <csignal>

namespace weir {
namespace {
/// Enough for this library's threads; the C library refuses it (EINVAL) in a program whose
/// thread-local variables alone need more, and then its own default is taken.
constexpr size_t kStack = 256 << 10;

int create(pthread_t &ret, void *(*function)(void *), void *argument) noexcept
{
    pthread_attr_t attributes;
    if (int const failure = pthread_attr_init(&attributes); failure != 0)
        return failure;
    pthread_attr_setstacksize(&attributes, kStack);
    int failure = pthread_create(&ret, &attributes, function, argument);
    pthread_attr_destroy(&attributes);
    if (failure == EINVAL)
        failure = pthread_create(&ret, nullptr, function, argument);
    return failure;
}
} // namespace

Status start_thread(char const *name, void *(*function)(void *), void *argument,
                    pthread_t &ret) noexcept
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); // the new thread inherits it
    int const failure = create(ret, function, argument);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (failure != 0)
        return error(failure);
    pthread_setname_np(ret, name);
    return kOk;
}

} // namespace weir
