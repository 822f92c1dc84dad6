// SPDX-License-Identifier: MIT OR Apache-2.0
// Work in several processes that begin together; the reference workload in processes that share one
// allocator.
#pragma once

#include "workloads.hpp"

#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <new>
#include <stdexcept>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

/// What the processes share besides the allocator.
struct Meeting {
    static constexpr int kMost = 16;
    std::atomic<int> ready{0};
    std::atomic<bool> begin{false};
    Counts counts[kMost * kStride];
};

inline Meeting *make_meeting()
{
    void *const memory =
        mmap(nullptr, sizeof(Meeting), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        throw std::runtime_error("no memory for the processes to meet in");
    return new (memory) Meeting;
}

/// One worker, a thread. It joins the allocator before the clock starts.
template <class Allocator>
void reference_thread(Allocator &allocator, Meeting &meeting, int worker, int operations)
{
    Counts warm_up;
    reference_worker(allocator, worker, 1000, warm_up);
    meeting.ready.fetch_add(1, std::memory_order_release);
    while (!meeting.begin.load(std::memory_order_acquire))
        std::this_thread::yield();
    Counts &mine = meeting.counts[worker * kStride];
    mine.begin();
    reference_worker(allocator, worker, operations, mine);
    mine.end();
}

/// Waits until all workers are ready, and lets them begin.
inline std::chrono::steady_clock::time_point begin_together(Meeting &meeting, int workers)
{
    auto const limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (meeting.ready.load(std::memory_order_acquire) < workers) {
        if (std::chrono::steady_clock::now() > limit)
            throw std::runtime_error("a benchmark process did not begin");
        std::this_thread::yield();
    }
    auto const began = std::chrono::steady_clock::now();
    meeting.begin.store(true, std::memory_order_release);
    return began;
}

/// What a worker calls when it has made its preparations: returns when all have.
using Barrier = std::function<void()>;

/// Each worker is a process and calls `work(number, all_are_ready, counts)`; at most
/// Meeting::kMost. One that fails counts as damage.
template <class Work> Outcome in_processes(int processes, Work work)
{
    constexpr unsigned kLongest = 100; // seconds: one that waits for one that failed
    Meeting &meeting = *make_meeting();
    std::vector<pid_t> children;
    for (int i = 0; i < processes; ++i) {
        children.push_back(fork());
        if (children.back() != 0)
            continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL); // it waits for us
        alarm(kLongest);
        Counts &mine = meeting.counts[i * kStride];
        auto const all_are_ready = [&] {
            meeting.ready.fetch_add(1, std::memory_order_release);
            while (!meeting.begin.load(std::memory_order_acquire))
                std::this_thread::yield();
            mine.begin();
        };
        try {
            work(i, all_are_ready, mine);
        } catch (std::exception const &failure) {
            std::fprintf(stderr, "a benchmark process: %s\n", failure.what());
            _exit(1);
        }
        mine.end();
        _exit(0);
    }
    auto const began = begin_together(meeting, processes);
    std::uint64_t failed = 0;
    for (pid_t child : children) {
        int status = 0;
        failed += waitpid(child, &status, 0) != child || status != 0;
    }
    Outcome outcome = sum_up(meeting.counts, processes, kStride, began);
    outcome.damaged += failed;
    munmap(&meeting, sizeof meeting);
    return outcome;
}

template <class Allocator>
Outcome reference_in_processes(Allocator &allocator, int processes, int total)
{
    return in_processes(processes, [&](int worker, Barrier const &all_are_ready, Counts &counts) {
        Counts warm_up;
        reference_worker(allocator, worker, 1000, warm_up);
        all_are_ready();
        reference_worker(allocator, worker, total / processes, counts);
    });
}

/// The same in threads of this process, to compare with.
template <class Allocator>
Outcome reference_in_as_many_threads(Allocator &allocator, int threads, int total)
{
    Meeting &meeting = *make_meeting();
    std::vector<std::thread> all;
    for (int i = 0; i < threads; ++i)
        all.emplace_back([&, i] { reference_thread(allocator, meeting, i, total / threads); });
    auto const began = begin_together(meeting, threads);
    for (std::thread &thread : all)
        thread.join();
    Outcome const outcome = sum_up(meeting.counts, threads, kStride, began);
    munmap(&meeting, sizeof meeting);
    return outcome;
}

} // namespace bench
