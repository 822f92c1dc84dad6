// SPDX-License-Identifier: MIT OR Apache-2.0
// The stack switch itself. Signal masks are not touched: a system call per step would make the
// search a hundred times slower.
#include "tests/explore/fibre.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#if defined(__x86_64__) && !defined(WEIR_EXPLORE_UCONTEXT)
extern "C" void weir_explore_switch(void **save, void *load);

// The callee-saved registers of the System V ABI go on the old stack, those of the new come back.
asm(R"(
    .text
    .globl weir_explore_switch
    .type weir_explore_switch, @function
weir_explore_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size weir_explore_switch, .-weir_explore_switch
)");
#endif

namespace weir::explore {

#if defined(__x86_64__) && !defined(WEIR_EXPLORE_UCONTEXT)

void Context::start(char *stack, std::size_t size, void (*entry)())
{
    constexpr int kSavedRegisters = 6;
    auto *top = reinterpret_cast<void **>(stack + size - 64); // 16-byte aligned, room for probes
    *--top = nullptr; // the return address of `entry`, which never returns; aligns the stack
    *--top = reinterpret_cast<void *>(entry);
    for (int i = 0; i < kSavedRegisters; i++)
        *--top = nullptr;
    stack_pointer_ = top;
}

void Context::change(Context &from, Context &to)
{
    weir_explore_switch(&from.stack_pointer_, to.stack_pointer_);
}

#else

void Context::start(char *stack, std::size_t size, void (*entry)())
{
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack;
    context_.uc_stack.ss_size = size;
    context_.uc_link = nullptr;
    makecontext(&context_, entry, 0);
}

void Context::change(Context &from, Context &to) { swapcontext(&from.context_, &to.context_); }

#endif

char *make_stack(std::size_t size)
{
    constexpr std::size_t kGuard = 4096;
    void *const place = mmap(nullptr, size + kGuard, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED || mprotect(place, kGuard, PROT_NONE) != 0) {
        std::perror("explore: stack");
        std::abort();
    }
    return static_cast<char *>(place) + kGuard;
}

} // namespace weir::explore
