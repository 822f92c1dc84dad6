// SPDX-License-Identifier: MIT OR Apache-2.0
// Jumps of the clock on the wall: no timeout is shorter or longer for them.
//
// This program has a clock_gettime() of its own, which the library is linked to like everybody in
// it: so the wall clock can jump here and nowhere else on this machine. What asks the kernel past the
// C library is caught by a filter of system calls: waits by the wall clock end the process.
#include "tests/api/support.hpp"

#include <linux/futex.h>

#include <atomic>
#include <thread>

namespace {
std::atomic<int64_t> wall_clock_jump{0}; ///< seconds
std::atomic<int> wall_clock_asked{0};
} // namespace

extern "C" int clock_gettime(clockid_t clock, struct timespec *ret_now) noexcept
{
    long const code = syscall(SYS_clock_gettime, clock, ret_now);
    if (clock == CLOCK_REALTIME) {
        ret_now->tv_sec += wall_clock_jump.load();
        wall_clock_asked.fetch_add(1);
    }
    return static_cast<int>(code);
}

using namespace api;

namespace {
constexpr int64_t kTimeout = 150 * kMillisecond;
constexpr int64_t kLatest = 3000 * kMillisecond; // machines are busy
constexpr int64_t kYear = 365 * 86400;

int64_t kernel_now()
{
    timespec now{};
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

/// From now on a wait of this thread by the wall clock is SIGSYS: FUTEX_CLOCK_REALTIME, and
/// clock_nanosleep() by CLOCK_REALTIME.
bool forbid_waits_by_the_wall_clock()
{
    constexpr unsigned kFirst = offsetof(seccomp_data, args[0]); // little endian: the lower half
    constexpr unsigned kSecond = offsetof(seccomp_data, args[1]);
    sock_filter program[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, SYS_futex},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, kSecond},
        {BPF_JMP | BPF_JSET | BPF_K, 4, 0, FUTEX_CLOCK_REALTIME},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, SYS_clock_nanosleep},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, kFirst},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, CLOCK_REALTIME},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    sock_fprog const whole{sizeof program / sizeof *program, program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole) == 0;
}

/// A call that ends with its timeout, while the wall clock goes a year forward and two back.
template <class Call> int survives_jumps(Call call)
{
    int const asked = wall_clock_asked.load();
    for (int64_t const jump : {kYear, -kYear}) {
        wall_clock_jump = 0;
        int code = 0;
        bool filtered = false;
        int64_t took = 0;
        std::thread caller([&] {
            filtered = forbid_waits_by_the_wall_clock();
            int64_t const began = kernel_now();
            code = call();
            took = kernel_now() - began;
        });
        sleep_ms(40);
        wall_clock_jump = jump;
        caller.join();
        if (!filtered)
            return kNotHere;
        child_refuse(-ETIMEDOUT, code);
        child_check(took >= kTimeout && took < kLatest);
    }
    child_check(wall_clock_asked.load() == asked); // it is for people alone
    return 0;
}

int all_timeouts()
{
    weir_matrix *const matrix = unnamed();
    weir_channel *const ring = channel(matrix, "ring");
    weir_subscription *const reader = subscribe(ring);
    weir_message message;
    if (int const code =
            survives_jumps([&] { return weir_channel_read(reader, kTimeout, &message, nullptr); });
        code != 0)
        return code;
    int filled = 0;
    while ((filled = weir_channel_post(ring, alloc(matrix), 1, nullptr, 0)) == 0) {
    }
    child_refuse(-EAGAIN, filled);
    weir_ref const more = alloc(matrix);
    child_check(
        survives_jumps([&] { return weir_channel_post(ring, more, 1, nullptr, kTimeout); }) == 0);
    weir_alloc_options waits = WEIR_ALLOC_OPTIONS_INIT;
    waits.timeout_ns = kTimeout;
    weir_ref block = 0;
    must(weir_matrix_alloc(matrix, 600 * kKiB, nullptr, &block, nullptr));
    child_check(survives_jumps([&] {
                    return weir_matrix_alloc(matrix, 600 * kKiB, &waits, &block, nullptr);
                }) == 0);
    weir_subscription_close(reader);
    weir_channel_unref(ring);
    weir_matrix_unref(matrix);
    return 0;
}
} // namespace

Test(matrix_clock, the_clock_of_this_program_is_asked, .timeout = 30)
{
    weir_matrix *const matrix = unnamed();
    int const before = wall_clock_asked.load();
    wall_clock_jump = kYear;
    weir_matrix *other = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(matrix), nullptr, &other)); // notes when, for people
    wall_clock_jump = 0;
    cr_assert(wall_clock_asked.load() > before, "else the next test would prove nothing");
    weir_matrix_unref(other);
    weir_matrix_unref(matrix);
}

Test(matrix_clock, jumps_of_the_wall_clock_change_no_timeout, .timeout = 60)
{
    in_child_ok(all_timeouts, "no system call filters here");
}

namespace {
/// A process for which the monotonic clock says something else, as in another container.
int in_another_time(weir_matrix *matrix, weir_ref taken)
{
    constexpr int kNewTime = 0x80; // CLONE_NEWTIME
    if (unshare(kNewTime) != 0)
        return kNotHere;
    std::FILE *const offsets = std::fopen("/proc/self/timens_offsets", "we");
    if (offsets == nullptr || std::fprintf(offsets, "monotonic 864000 0\n") < 0 ||
        std::fclose(offsets) != 0)
        return kNotHere;
    int64_t const ours = kernel_now();
    return unit::in_child([=] {
        child_check(kernel_now() > ours + int64_t{86400} * 1000000000); // it is another time
        weir_alloc_options waits = WEIR_ALLOC_OPTIONS_INIT;
        waits.timeout_ns = kTimeout;
        weir_ref block = 0;
        int64_t const began = kernel_now();
        child_refuse(-ETIMEDOUT, weir_matrix_alloc(matrix, 600 * kKiB, &waits, &block, nullptr));
        child_check(kernel_now() - began >= kTimeout && kernel_now() - began < kLatest);
        child_must(weir_matrix_free(matrix, taken)); // wakes who sleeps in the usual time
        child_must(weir_matrix_alloc(matrix, 64, nullptr, &block, nullptr));
        return 0;
    });
}
} // namespace

/// Nothing that processes leave each other in the segment is a time to wait for.
Test(matrix_clock, processes_of_different_times_wake_each_other, .timeout = 60)
{
    weir_matrix *const matrix = unnamed();
    weir_ref const taken = alloc(matrix, 600 * kKiB);
    pid_t const child = api::start([=] { return in_another_time(matrix, taken); });
    weir_alloc_options waits = WEIR_ALLOC_OPTIONS_INIT;
    waits.timeout_ns = 20000 * kMillisecond;
    weir_ref block = 0;
    std::atomic<int> code{1};
    std::thread sleeper(
        [&] { code = weir_matrix_alloc(matrix, 600 * kKiB, &waits, &block, nullptr); });
    int const ended = join(child);
    if (ended == kNotHere)
        static_cast<void>(weir_matrix_free(matrix, taken));
    sleeper.join();
    if (ended == kNotHere)
        cr_skip_test("only root may make a time namespace");
    check_eq(ended, 0, "%s", words());
    check_eq(code.load(), 0);
    must(weir_matrix_heal(matrix, nullptr));
    check_eq(check_well(matrix).used_blocks, 1);
    weir_matrix_unref(matrix);
}
