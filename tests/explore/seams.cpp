// SPDX-License-Identifier: MIT OR Apache-2.0
// The explorer's stand-ins for what the core asks of the kernel: time, futexes, thread numbers,
// slot locks, committing memory. Linked in place of core/base/{clock,futex,thread_id,assertion}.cpp
// and core/segment/{backing_live,process_info}.cpp.
#include "tests/explore/seams.hpp"

#include "core/base/assertion.hpp"
#include "core/base/clock.hpp"
#include "core/base/futex.hpp"
#include "core/base/thread_id.hpp"
#include "core/segment/backing.hpp"
#include "core/segment/process_info.hpp"
#include "tests/explore/explorer.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace weir {

// ---- time: virtual, and waiting is somebody else's turn

Nanoseconds monotonic_now() noexcept { return explore::virtual_now(); }
Nanoseconds real_now() noexcept { return explore::virtual_now(); }
void sleep_for(Nanoseconds duration) noexcept
{
    explore::wait_for_change(duration, explore::Wait::sleep);
}
void yield_processor() noexcept { explore::wait_for_change(kMicrosecond, explore::Wait::yield); }
void spin_pause() noexcept { explore::wait_for_change(kMicrosecond / 10, explore::Wait::spin); }

uint32_t thread_number() noexcept
{
    int const fibre = explore::current();
    return fibre < 0 ? 0 : static_cast<uint32_t>(fibre);
}

ProcessInfo describe_process(char const *) noexcept
{
    ProcessInfo info;
    info.pid = thread_number() + 1;
    return info;
}

// ---- futex

void futex_wait(atomic<uint32_t> const &word, uint32_t expected, Nanoseconds limit) noexcept
{
    if (explore::current() < 0)
        return;
    explore::system_call(&word, "futex_wait");
    if (__atomic_load_n(word.address(), __ATOMIC_SEQ_CST) == expected)
        explore::sleep_on(word.address(), limit);
}

void futex_wake_all(atomic<uint32_t> const &word) noexcept
{
    explore::system_call(&word, "futex_wake_all");
    explore::wake(word.address());
}

// ---- assertions end the schedule, not the process

void assertion_failed(char const *what, char const *file, int line) noexcept
{
    explore::fail("%s:%d: assertion failed: %s", file, line, what);
    // Only in set-up code, outside all fibres.
    std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, what);
    std::abort();
}

// ---- locks: the kernel drops those of the dead

namespace {
constexpr uint32_t kSlots = 64;

struct Locks {
    int8_t holder[kSlots]; ///< fibre + 1, 0 is nobody
    int commits_to_go;     ///< until one fails; negative: none
};
Locks locks{{}, -1};

bool is_held(uint32_t slot)
{
    int const holder = locks.holder[slot] - 1;
    return holder >= 0 && !explore::is_dead(holder);
}
} // namespace

bool Backing::lock_slot(uint32_t slot) noexcept
{
    if (slot >= kSlots)
        return false;
    explore::system_call(&locks.holder[slot], "lock the slot's byte");
    if (is_held(slot))
        return false;
    locks.holder[slot] = static_cast<int8_t>(explore::current() + 1);
    explore::note_change();
    return true;
}

void Backing::unlock_slot(uint32_t slot) noexcept
{
    if (slot >= kSlots)
        return;
    explore::system_call(&locks.holder[slot], "unlock the slot's byte");
    if (locks.holder[slot] == explore::current() + 1)
        locks.holder[slot] = 0;
    explore::note_change();
}

bool Backing::slot_is_locked(uint32_t slot) const noexcept
{
    if (slot >= kSlots)
        return false;
    explore::system_call(&locks.holder[slot], "test the lock of the slot's byte");
    explore::say("slot %u is %s", slot, is_held(slot) ? "locked" : "not locked");
    return is_held(slot);
}

Status Backing::commit(uint64_t, uint64_t) noexcept
{
    explore::system_call(nullptr, "fallocate");
    if (locks.commits_to_go >= 0 && locks.commits_to_go-- == 0)
        return error(ENOSPC);
    return kOk;
}

Status Backing::populate(std::byte *, uint64_t, uint64_t) noexcept
{
    explore::system_call(nullptr, "madvise");
    return kOk;
}

namespace explore {
void *lock_table() { return &locks; }
void reset_locks() { locks = Locks{{}, -1}; }
std::size_t lock_table_size() { return sizeof locks; }
void fail_commit_after(int successes) { locks.commits_to_go = successes; }
} // namespace explore

} // namespace weir
