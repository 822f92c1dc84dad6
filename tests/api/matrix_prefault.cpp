// SPDX-License-Identifier: MIT OR Apache-2.0
// Memory before its use: what is committed and present afterwards, progress, and what can fail.
#include "tests/api/support.hpp"

#include <vector>

using namespace api;

namespace {
struct Progress {
    std::vector<uint64_t> done;
    uint64_t total = 0;
    size_t stop_after = SIZE_MAX;

    static int step(uint64_t done, uint64_t total, void *self)
    {
        auto &progress = *static_cast<Progress *>(self);
        progress.done.push_back(done);
        progress.total = total;
        return progress.done.size() >= progress.stop_after ? 42 : 0;
    }
};

uint64_t resident(weir_matrix *matrix)
{
    weir_memory_info info = WEIR_MEMORY_INFO_INIT;
    must(weir_matrix_memory(matrix, &info));
    return info.resident_bytes;
}

/// Page faults of this process until now.
long faults()
{
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}
} // namespace

Test(matrix_prefault, memory_is_committed_and_present)
{
    weir_matrix *const matrix = unnamed(128 * kMiB);
    Progress progress;
    check_eq(weir_matrix_prefault(matrix, 64 * kMiB, Progress::step, &progress), 0);
    auto const info = stats(matrix);
    check_ge(info.committed_bytes, 64 * kMiB);
    check_ge(info.sector_committed[0], 16 * kMiB);
    check_ge(info.sector_committed[1], 32 * kMiB);
    check_ge(info.sector_committed[2], 16 * kMiB);
    check_ge(resident(matrix), 64 * kMiB);
    check_eq(progress.total, 64 * kMiB);
    check_eq(progress.done.back(), 64 * kMiB);
    check_eq(progress.done.size(), 4);
    for (size_t i = 1; i < progress.done.size(); ++i)
        check_ge(progress.done[i], progress.done[i - 1] + 1);

    weir_ref block;
    void *data;
    must(weir_matrix_alloc(matrix, 8 * kMiB, nullptr, &block, &data));
    long const before = faults();
    std::memset(data, 1, 8 * kMiB);
    check_lt(faults() - before, 512); // of 2048 pages; AddressSanitizer has a few of its own
    check_well(matrix);
    weir_matrix_unref(matrix);
}

Test(matrix_prefault, without_bytes_nothing_more_is_committed)
{
    auto wanted = options(64 * kMiB);
    wanted.commit = 16 * kMiB;
    Name const name("present");
    weir_matrix_unref(create(name, wanted));
    weir_matrix *const matrix = attach(name);
    uint64_t const before = resident(matrix);
    check_eq(weir_matrix_prefault(matrix, 0, nullptr, nullptr), 0);
    check_eq(stats(matrix).committed_bytes, 16 * kMiB);
    check_ge(resident(matrix), before + 15 * kMiB);
    weir_matrix_unref(matrix);
}

Test(matrix_prefault, blocks_stay_as_they_are_and_others_go_on, .timeout = 60)
{
    Name const name("contents");
    weir_matrix *const matrix = create(name, options(128 * kMiB));
    struct Block {
        weir_ref ref;
        uint32_t *data;
    };
    std::vector<Block> blocks(2000);
    for (size_t i = 0; i < blocks.size(); ++i) {
        void *data = nullptr;
        must(weir_matrix_alloc(matrix, 4 * (1 + i), nullptr, &blocks[i].ref, &data));
        blocks[i].data = static_cast<uint32_t *>(data);
        for (size_t k = 0; k <= i; ++k)
            blocks[i].data[k] = static_cast<uint32_t>(i * 7919 + k);
    }
    pid_t const other = start([&name] {
        weir_matrix *const own = attach(name);
        for (uint32_t n = 0;; ++n) { // a counter that grows by one, whatever the page does
            weir_ref block;
            void *data;
            child_must(weir_matrix_alloc(own, 5000, nullptr, &block, &data));
            auto *const words = static_cast<uint32_t volatile *>(data);
            for (uint32_t i = 0; i < 1250; ++i)
                words[i] = n + i;
            for (uint32_t i = 0; i < 1250; ++i)
                if (words[i] != n + i)
                    _exit(9);
            child_must(weir_matrix_free(own, block));
        }
    });
    for (uint64_t bytes = 8; bytes <= 96; bytes += 8)
        check_eq(weir_matrix_prefault(matrix, bytes * kMiB, nullptr, nullptr), 0);
    kill(other, SIGKILL);
    check_eq(join(other), -SIGKILL, "%s", words());
    for (size_t i = 0; i < blocks.size(); ++i)
        for (size_t k = 0; k <= i; ++k)
            check_eq(blocks[i].data[k], static_cast<uint32_t>(i * 7919 + k));
    must(weir_matrix_heal(matrix, nullptr));
    check_well(matrix);
    weir_matrix_unref(matrix);
}

Test(matrix_prefault, who_asks_may_stop_it)
{
    weir_matrix *const matrix = unnamed(256 * kMiB);
    Progress progress;
    progress.stop_after = 2;
    check_eq(weir_matrix_prefault(matrix, 256 * kMiB, Progress::step, &progress), 42);
    check_eq(progress.done.size(), 2);
    check_lt(stats(matrix).committed_bytes, 128 * kMiB);
    NothingLost(matrix).verify();
    check_eq(weir_matrix_prefault(matrix, 256 * kMiB, nullptr, nullptr), 0);
    check_eq(stats(matrix).committed_bytes, 256 * kMiB);
    check_well(matrix);
    weir_matrix_unref(matrix);
}

Test(matrix_prefault, a_callback_may_use_the_matrix)
{
    weir_matrix *const matrix = unnamed(64 * kMiB);
    check_eq(weir_matrix_prefault(
                 matrix, 64 * kMiB,
                 [](uint64_t, uint64_t, void *of) {
                     return weir_matrix_free(static_cast<weir_matrix *>(of),
                                             alloc(static_cast<weir_matrix *>(of), 3000));
                 },
                 matrix),
             0);
    check_eq(stats(matrix).committed_bytes, 64 * kMiB);
    check_well(matrix);
    weir_matrix_unref(matrix);
}

Test(matrix_prefault, what_makes_no_sense_is_refused)
{
    weir_matrix *const matrix = unnamed();
    refuse(-EINVAL, weir_matrix_prefault(nullptr, 0, nullptr, nullptr));
    refuse(-EINVAL, weir_matrix_prefault(matrix, kMiB + 1, nullptr, nullptr));
    auto wanted = options();
    wanted.flags = WEIR_MATRIX_READ_ONLY;
    weir_matrix *watcher = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(matrix), &wanted, &watcher));
    refuse(-EROFS, weir_matrix_prefault(watcher, 0, nullptr, nullptr));
    weir_matrix_unref(watcher);
    must(weir_matrix_retire(matrix));
    refuse(-WEIR_E_RETIRED, weir_matrix_prefault(matrix, 0, nullptr, nullptr));
    weir_matrix_unref(matrix);
}

Test(matrix_prefault, a_full_file_system_is_enospc)
{
    weir_matrix *const matrix = unnamed(64 * kMiB);
    in_child_ok(
        [matrix] {
            child_must(weir_matrix_heal(matrix, nullptr)); // a participant of its own
            if (!fail_system_call(SYS_fallocate, ENOSPC))
                return kNotHere;
            child_refuse(-ENOSPC, weir_matrix_prefault(matrix, 64 * kMiB, nullptr, nullptr));
            return 0;
        },
        "no system call filters here");
    NothingLost(matrix).verify();
    weir_matrix_unref(matrix);
}

namespace {
int with_madvise_failing(weir_matrix *matrix, unsigned errno_of_it, int expected)
{
    child_must(weir_matrix_heal(matrix, nullptr));
    if (!fail_system_call(SYS_madvise, errno_of_it))
        return kNotHere;
    child_refuse(expected, weir_matrix_prefault(matrix, 32 * kMiB, nullptr, nullptr));
    if (expected == 0)
        child_check(resident(matrix) >= 32 * kMiB);
    return 0;
}
} // namespace

// covers: weir_matrix_prefault -ENOMEM -WEIR_E_CORRUPT
Test(matrix_prefault, a_kernel_that_cannot_or_will_not)
{
    weir_matrix *const matrix = unnamed(64 * kMiB);
    char const *reason = "no system call filters here";
    in_child_ok([=] { return with_madvise_failing(matrix, ENOMEM, -ENOMEM); }, reason);
    in_child_ok([=] { return with_madvise_failing(matrix, EFAULT, -WEIR_E_CORRUPT); }, reason);
    // One that does not know the advice: pages are touched one by one.
    in_child_ok([=] { return with_madvise_failing(matrix, EINVAL, 0); }, reason);
    NothingLost(matrix).verify();
    weir_matrix_unref(matrix);
}

Test(matrix_prefault, a_stopped_process_that_grows_is_ebusy)
{
    weir_matrix *const matrix = unnamed(64 * kMiB);
    Gate gate;
    pid_t const holder = start([&] {
        uint64_t id = 0;
        child_must(weir_matrix_participant_id(matrix, &id));
        Raw(matrix).at<uint64_t>(Raw::kGrowth) = id & 0xffff; // its owner id
        gate.open();
        for (;;)
            pause();
    });
    gate.pass();
    refuse(-EBUSY, weir_matrix_prefault(matrix, 32 * kMiB, nullptr, nullptr));
    check_eq(weir_matrix_prefault(matrix, 0, nullptr, nullptr), 0); // needs no growth
    kill_and_join(holder);
    check_eq(weir_matrix_prefault(matrix, 32 * kMiB, nullptr, nullptr), 0);
    check_ge(stats(matrix).committed_bytes, 32 * kMiB);
    check_well(matrix);
    weir_matrix_unref(matrix);
}

Test(matrix_prefault, a_fork_child_without_descriptors_is_emfile)
{
    weir_matrix *const matrix = unnamed();
    in_child_ok([matrix] {
        limit(RLIMIT_NOFILE, 3);
        child_refuse(-EMFILE, weir_matrix_prefault(matrix, 0, nullptr, nullptr));
        limit(RLIMIT_NOFILE, 256);
        child_refuse(0, weir_matrix_prefault(matrix, 0, nullptr, nullptr));
        return 0;
    });
    weir_matrix_unref(matrix);
}

Test(matrix_prefault, a_fork_child_that_may_not_open_the_file_is_forked)
{
    weir_matrix *const matrix = unnamed();
    in_child_ok(
        [matrix] {
            if (!fail_system_call(SYS_openat, EACCES))
                return kNotHere;
            child_refuse(-WEIR_E_FORKED, weir_matrix_prefault(matrix, 0, nullptr, nullptr));
            return 0;
        },
        "no system call filters here");
    weir_matrix_unref(matrix);
}
