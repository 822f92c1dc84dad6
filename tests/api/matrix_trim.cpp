// SPDX-License-Identifier: MIT OR Apache-2.0
// weir_matrix_trim: what it says, what it refuses, and what others notice of it.
#include "tests/api/support.hpp"

#include <vector>

using namespace api;

namespace {
/// Frees a block of that many bytes, so that there is something to give back.
void leave_free(weir_matrix *matrix, size_t size)
{
    weir_ref block;
    void *data;
    must(weir_matrix_alloc(matrix, size, nullptr, &block, &data));
    std::memset(data, 1, size);
    must(weir_matrix_free(matrix, block));
}
} // namespace

Test(matrix_trim, gives_back_and_takes_again)
{
    weir_matrix *const matrix = unnamed(8 * kMiB);
    leave_free(matrix, 4 * kMiB);
    uint64_t bytes = 0;
    must(weir_matrix_trim(matrix, kMiB, &bytes));
    check_eq(bytes, 3 * kMiB);
    weir_matrix_info info = stats(matrix);
    check_eq(info.trimmed_bytes, bytes);
    check_eq(info.sector_trimmed[WEIR_SECTOR_LARGE], bytes);
    check_eq(info.committed_bytes, kMiB);
    check_eq(info.free_bytes, kMiB);
    check_eq(info.scattered_bytes, 0);
    check_eq(info.cached_bytes, 0);
    check_eq(check_well(matrix).trimmed_bytes, bytes);
    must(weir_matrix_trim(matrix, 0, nullptr));
    check_eq(stats(matrix).committed_bytes, 0);
    uint64_t kinds[8] = {};
    check_eq(weir_matrix_walk(
                 matrix,
                 [](weir_block_info const *block, void *userdata) {
                     static_cast<uint64_t *>(userdata)[block->kind] += block->length;
                     return 0;
                 },
                 kinds),
             0);
    check_eq(kinds[WEIR_BLOCK_TRIMMED], 4 * kMiB);
    leave_free(matrix, 4 * kMiB);
    check_eq(stats(matrix).trimmed_bytes, 0);
    must(weir_matrix_trim(matrix, UINT64_MAX, &bytes));
    check_eq(bytes, 0);
    check_well(matrix);
    weir_matrix_unref(matrix);
}

Test(matrix_trim, scattered_is_what_no_large_request_gets)
{
    weir_matrix *const matrix = unnamed(kMiB);
    weir_ref blocks[100];
    for (weir_ref &block : blocks)
        block = alloc(matrix);
    uint64_t const rest = stats(matrix).largest_free_bytes;
    for (size_t i = 0; i < 100; i += 2)
        must(weir_matrix_free(matrix, blocks[i]));
    weir_matrix_info const info = stats(matrix);
    check_ge(info.largest_free_bytes, rest);
    check_eq(info.scattered_bytes, info.free_bytes - info.largest_free_bytes);
    check_ge(info.scattered_bytes + info.cached_bytes, 49 * 64);
    check_ge(info.scattered_bytes, 16 * 64); // the lane keeps some of them
    weir_matrix_unref(matrix);
}

Test(matrix_trim, bad_calls_are_refused)
{
    weir_matrix *const matrix = unnamed();
    leave_free(matrix, 100000);
    uint64_t bytes = 77;
    refuse(-EINVAL, weir_matrix_trim(nullptr, 0, &bytes));
    must(weir_matrix_retire(matrix));
    refuse(-WEIR_E_RETIRED, weir_matrix_trim(matrix, 0, &bytes));
    check_eq(bytes, 77);
    weir_matrix_unref(matrix);
}

/// A live participant seems to grow the matrix and does not move.
Test(matrix_trim, a_stopped_grower_makes_it_busy_and_others_work_on)
{
    auto impatient = options();
    impatient.stall_ns = 20 * kMillisecond;
    weir_matrix *const matrix = create(nullptr, impatient);
    weir_matrix *other = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(matrix), &impatient, &other));
    leave_free(matrix, 200000);
    Raw const raw(matrix);
    raw.at<uint64_t>(Raw::kGrowth) |= participant(other) & 0xffff;
    int64_t const began = now_ns();
    uint64_t bytes = 77;
    refuse(-EBUSY, weir_matrix_trim(matrix, 0, &bytes));
    check_lt(now_ns() - began, 2000 * kMillisecond);
    check_eq(bytes, 77);
    leave_free(matrix, 200000); // what is free is there for all
    weir_matrix_unref(other);   // his leave gives it back
    must(weir_matrix_trim(matrix, 0, &bytes));
    check_ge(bytes, 131072);
    check_well(matrix);
    weir_matrix_unref(matrix);
}

Test(matrix_trim, a_file_system_without_holes_is_eopnotsupp)
{
    in_child_ok(
        [] {
            auto const with = options(8 * kMiB);
            weir_matrix *matrix = nullptr;
            weir_ref block;
            child_must(weir_matrix_create(nullptr, &with, &matrix));
            child_must(weir_matrix_alloc(matrix, 4 * kMiB, nullptr, &block, nullptr));
            child_must(weir_matrix_free(matrix, block));
            if (!fail_system_call(SYS_fallocate, EOPNOTSUPP))
                return kNotHere;
            uint64_t bytes = 77;
            child_refuse(-EOPNOTSUPP, weir_matrix_trim(matrix, 0, &bytes));
            child_check(bytes == 77);
            weir_check_report report = WEIR_CHECK_REPORT_INIT;
            child_refuse(0, weir_matrix_check(matrix, 0, &report));
            child_check(report.free_bytes + report.trimmed_bytes == 4 * kMiB);
            weir_matrix_unref(matrix);
            return 0;
        },
        "no system call filters here");
}

/// Several processes trim all the time while others allocate, write and verify.
Test(matrix_trim, trimming_all_the_time_harms_nobody)
{
    weir_matrix *const matrix = unnamed(16 * kMiB);
    pid_t children[3];
    for (unsigned i = 0; i < 3; ++i)
        children[i] = start([=] {
            weir_matrix *own = nullptr;
            child_must(weir_matrix_attach_fd(weir_matrix_fd(matrix), nullptr, &own));
            for (int round = 0; round < 60; ++round) {
                if (i == 0) {
                    child_must(weir_matrix_trim(own, round % 3 * kMiB, nullptr));
                    continue;
                }
                size_t const size = round % 2 == 0 ? 3000 : 900000;
                std::vector<unsigned char *> bytes;
                std::vector<weir_ref> blocks;
                while (blocks.size() * size < 3 * kMiB) {
                    weir_ref block;
                    void *data;
                    child_must(weir_matrix_alloc(own, size, nullptr, &block, &data));
                    std::memset(data, static_cast<int>(i), size);
                    bytes.push_back(static_cast<unsigned char *>(data));
                    blocks.push_back(block);
                }
                for (unsigned char const *each : bytes)
                    for (size_t at = 0; at < size; at += 61)
                        child_check(each[at] == i);
                for (weir_ref const block : blocks)
                    child_must(weir_matrix_free(own, block));
            }
            weir_matrix_unref(own);
            return 0;
        });
    for (pid_t const child : children)
        check_eq(join(child), 0, "%s", words());
    check_eq(check_well(matrix).used_blocks, 0);
    weir_matrix_unref(matrix);
}
