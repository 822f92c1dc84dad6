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

namespace {
bool g_by_fibre = true;
}
void explore::number_threads(bool by_fibre) { g_by_fibre = by_fibre; }

uint32_t thread_number() noexcept
{
    int const fibre = explore::current();
    return fibre < 0 || !g_by_fibre ? 0 : static_cast<uint32_t>(fibre);
}

// The explorer's threads end with their world.
void register_thread_hook(ThreadHook &) noexcept {}
void unregister_thread_hook(ThreadHook &) noexcept {}

ProcessInfo describe_process(char const *) noexcept
{
    ProcessInfo info;
    info.pid = static_cast<uint32_t>(explore::current() + 1);
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

bool futex_wake_one(atomic<uint32_t> const &word) noexcept
{
    explore::system_call(&word, "futex_wake_one");
    return explore::wake_one(word.address());
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
    bool no_punch;         ///< the file system cannot
    uint64_t holes[128];   ///< lines of 64 bytes that were given back
};
Locks locks{{}, -1, false, {}};

/// Calls `visit(word, bit)` for each line that lies in the range.
template <class Visit> void each_line(uint64_t offset, uint64_t length, Visit visit)
{
    for (uint64_t line = (offset + 63) / 64; line < (offset + length) / 64; line++) {
        if (line / 64 >= sizeof locks.holes / sizeof *locks.holes) {
            std::fprintf(stderr, "explore: the table of holes is too short\n");
            std::abort();
        }
        visit(locks.holes[line / 64], uint64_t{1} << line % 64);
    }
}

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

Status Backing::commit(uint64_t offset, uint64_t length) noexcept
{
    explore::system_call(nullptr, "fallocate");
    if (locks.commits_to_go >= 0 && locks.commits_to_go-- == 0)
        return error(ENOSPC);
    each_line(offset, length, [](uint64_t &word, uint64_t bit) { word &= ~bit; });
    return kOk;
}

Status Backing::punch(uint64_t offset, uint64_t length) noexcept
{
    explore::system_call(nullptr, "fallocate (punch a hole)");
    if (locks.no_punch)
        return error(EOPNOTSUPP);
    explore::make_hole(offset, length);
    return kOk;
}

Status Backing::populate(std::byte *, uint64_t, uint64_t) noexcept
{
    explore::system_call(nullptr, "madvise");
    return kOk;
}

namespace explore {
void *lock_table() { return &locks; }
void reset_locks() { locks = Locks{{}, -1, false, {}}; }
std::size_t lock_table_size() { return sizeof locks; }
void fail_commit_after(int successes) { locks.commits_to_go = successes; }
void refuse_holes() { locks.no_punch = true; }
void make_hole(uint64_t offset, uint64_t length)
{
    each_line(offset, length, [](uint64_t &word, uint64_t bit) { word |= bit; });
}
bool has_hole(uint64_t offset, uint64_t length)
{
    bool found = false;
    each_line(offset, length,
              [&](uint64_t const &word, uint64_t bit) { found = found || (word & bit) != 0; });
    return found;
}
} // namespace explore

} // namespace weir
