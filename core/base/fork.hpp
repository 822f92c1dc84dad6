// SPDX-License-Identifier: MIT OR Apache-2.0
// What must happen around fork(): handles register here and are told, in the child, that they
// are copies.
#pragma once

#include "core/base/error.hpp"

namespace weir {

/// One thing that a fork child has to make safe. Lives inside its handle, in an intrusive list.
struct ForkHook {
    void (*in_child)(void *handle) noexcept = nullptr; ///< async-signal-safe work only
    void *handle = nullptr;
    ForkHook *next = nullptr;
    ForkHook *previous = nullptr;
};

/// ENOMEM if the C library cannot register the fork handlers (first call only).
Status register_fork_hook(ForkHook &hook) noexcept;
void unregister_fork_hook(ForkHook &hook) noexcept;

/// While it lives, this process does not fork: for what must be done in one piece.
class NoFork {
  public:
    NoFork() noexcept;
    NoFork(NoFork const &) = delete;
    NoFork &operator=(NoFork const &) = delete;
    ~NoFork();
};

} // namespace weir
