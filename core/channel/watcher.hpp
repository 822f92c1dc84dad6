// SPDX-License-Identifier: MIT OR Apache-2.0
// Descriptors for epoll: one thread of the process sleeps for all subscriptions that have one.
//
// A descriptor is an eventfd. It becomes readable when its subscription has something to read, or
// was ended by retirement; it stays so until a read finds nothing, which arms it again. The thread
// begins with the first descriptor and ends with the last. It takes no message. When nobody wakes it,
// it heals the matrices of its descriptors, without the lock: who closes one waits for a heal of the
// same matrix, and nobody else does.
//
// A fork child has no such thread: there the first use makes a new descriptor, and a thread.
#pragma once

#include "core/base/atomic.hpp"
#include "core/base/error.hpp"

#include <cstdint>

namespace weir {

class Subscription;

/// The part of a subscription that the thread looks at. All but `signalled` under the thread's lock.
struct Watch {
    Subscription *subscription = nullptr;
    int fd = -1;
    uint32_t epoch = 0;     ///< of the process that made `fd`
    uint32_t signalled = 0; ///< `fd` is readable; by __atomic builtins
    unsigned healed_in = 0; ///< the thread's turn in which it last healed the matrix
    Watch *next = nullptr;
};

/// The descriptor, made if there is none. EMFILE, ENFILE, ENOMEM.
Status watch(Watch &watch, int &ret_fd) noexcept;
/// Closes it. The thread does not look at it any more.
void unwatch(Watch &watch) noexcept;
/// After a read that found nothing.
void rearm(Watch &watch) noexcept;

} // namespace weir
