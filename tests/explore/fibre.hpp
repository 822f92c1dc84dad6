// SPDX-License-Identifier: MIT OR Apache-2.0
// Switching between stacks inside one thread: x86-64 by hand, elsewhere with ucontext (also with
// WEIR_EXPLORE_UCONTEXT, to try that way).
#pragma once

#include <cstddef>

#if !defined(__x86_64__) || defined(WEIR_EXPLORE_UCONTEXT)
#include <ucontext.h>
#endif

namespace weir::explore {

/// A point of execution that can be left and entered again.
class Context {
  public:
    Context() = default;
    Context(Context const &) = delete;
    Context &operator=(Context const &) = delete;

    /// Makes the context ready to enter `entry` on a stack that ends at `stack + size`. `entry`
    /// must not return. It may be called again later, for a fresh start on the same stack.
    void start(char *stack, std::size_t size, void (*entry)());

    /// Leaves `from` and continues `to`; returns when somebody switches back to `from`.
    static void change(Context &from, Context &to);

  private:
#if defined(__x86_64__) && !defined(WEIR_EXPLORE_UCONTEXT)
    void *stack_pointer_ = nullptr;
#else
    ucontext_t context_{};
#endif
};

/// A stack with a guard page below it, so that an overflow stops at once. Never freed: the
/// explorer keeps one per fibre number.
char *make_stack(std::size_t size);

} // namespace weir::explore
