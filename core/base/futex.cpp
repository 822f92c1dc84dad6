// SPDX-License-Identifier: MIT OR Apache-2.0
// The futex system call, shared between processes.
#include "core/base/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <ctime>

namespace weir {

void futex_wait(atomic<uint32_t> const &word, uint32_t expected, Nanoseconds limit) noexcept
{
    timespec const time{limit / kSecond, static_cast<long>(limit % kSecond)};
    // EAGAIN (the word changed), EINTR and ETIMEDOUT all mean: look again.
    syscall(SYS_futex, word.address(), FUTEX_WAIT, expected, &time, nullptr, 0);
}

void futex_wake_all(atomic<uint32_t> const &word) noexcept
{
    syscall(SYS_futex, word.address(), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

bool futex_wake_one(atomic<uint32_t> const &word) noexcept
{
    return syscall(SYS_futex, word.address(), FUTEX_WAKE, 1, nullptr, nullptr, 0) > 0;
}

} // namespace weir
