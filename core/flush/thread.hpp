// SPDX-License-Identifier: MIT OR Apache-2.0
// The library's own threads: no signal of the program is ever handled on them, their stacks are
// small, and they have names that `top -H` shows.
#pragma once

#include "core/base/error.hpp"

#include <pthread.h>

namespace weir {

/// `name`: at most 15 bytes. -EAGAIN: the system has no more threads for us. All signals are
/// blocked in it, so SIGXFSZ (RLIMIT_FSIZE) and SIGPIPE of its system calls come as errors.
Status start_thread(char const *name, void *(*function)(void *), void *argument,
                    pthread_t &ret) noexcept;

} // namespace weir
