// SPDX-License-Identifier: MIT OR Apache-2.0
// A capacity far beyond the machine, and attaching thousands of times: what it costs and leaves.
#include "tests/api/support.hpp"

#include <algorithm>
#include <vector>

using namespace api;

namespace {
constexpr uint64_t kGiB = uint64_t{1} << 30;

uint64_t blocks_of(weir_matrix *matrix)
{
    struct stat found;
    check_eq(fstat(weir_matrix_fd(matrix), &found), 0);
    return static_cast<uint64_t>(found.st_blocks) * 512;
}

/// AddressSanitizer makes mappings of its own while it runs.
int mappings() { return mappings_of(API_ASAN ? "weir." : ""); }
} // namespace

Test(matrix_scale, a_capacity_of_64_gib_costs_nothing_until_it_is_used)
{
    Name const name("64g");
    weir_matrix *const first = create(name, options(64 * kGiB));
    uint64_t const fixed = blocks_of(first);
    check_lt(fixed, kMiB);
    std::vector<int64_t> times;
    for (int i = 0; i < 50; ++i) {
        int64_t const began = now_ns();
        weir_matrix *const matrix = attach(name);
        times.push_back(now_ns() - began);
        weir_matrix_unref(matrix);
    }
    std::sort(times.begin(), times.end());
    check_lt(times[times.size() / 2], 10 * kMillisecond); // on an idle machine a tenth of 1 ms
    check_eq(blocks_of(first), fixed);

    weir_matrix *const second = attach(name);
    weir_ref block = alloc(second, 100);
    uint64_t const used = blocks_of(first);
    check_lt(used, fixed + kMiB);
    must(weir_matrix_free(second, block));
    weir_matrix_unref(second);
    check_lt(blocks_of(first), used + 1);
    NothingLost(first).verify();
    weir_matrix_unref(first);
}

Test(matrix_scale, address_space_that_ends_is_enomem_and_leaves_nothing)
{
    Name const name("as");
    weir_matrix *const first = create(name, options(64 * kGiB));
    in_child_ok(
        [&] {
            if (API_ASAN)
                return kNotHere;
            int const fds = open_descriptors(), maps = mappings();
            weir_matrix *none = nullptr;
            for (uint64_t const room : {32 * kGiB, kGiB, kMiB}) {
                limit(RLIMIT_AS, room);
                child_refuse(-ENOMEM, weir_matrix_attach(name, nullptr, &none));
                child_refuse(-ENOMEM, weir_matrix_open(name, nullptr, &none));
                child_refuse(-ENOMEM, weir_matrix_attach_fd(weir_matrix_fd(first), nullptr, &none));
            }
            child_check(none == nullptr);
            child_check(open_descriptors() == fds && mappings() == maps);
            limit(RLIMIT_AS, RLIM_INFINITY);
            child_must(weir_matrix_attach(name, nullptr, &none));
            weir_matrix_unref(none);
            return 0;
        },
        "AddressSanitizer needs address space itself");
    check_eq(weir_matrix_heal(first, nullptr), 0);
    check_eq(stats(first).participants, 1);
    weir_matrix_unref(first);
}

Test(matrix_scale, thousands_of_attachments_leave_nothing_behind, .timeout = 120)
{
    Name const name("cycles");
    weir_matrix *const first = create(name, options(64 * kMiB));
    auto watching = options();
    watching.flags = WEIR_MATRIX_READ_ONLY;
    // The first time the C library may make mappings that stay.
    weir_matrix_unref(attach(name));
    int const fds = open_descriptors(), maps = mappings();
    for (int i = 0; i < 4096; ++i) {
        weir_matrix *matrix = nullptr;
        if (i % 4 == 3)
            must(weir_matrix_attach(name, &watching, &matrix));
        else if (i % 4 == 2)
            must(weir_matrix_attach_fd(weir_matrix_fd(first), nullptr, &matrix));
        else
            matrix = attach(name);
        if (i % 4 == 1)
            alloc(matrix); // comes back when it leaves
        weir_matrix_unref(matrix);
    }
    check_eq(open_descriptors(), fds);
    check_eq(mappings(), maps);
    check_eq(stats(first).participants, 1);
    check_eq(used_blocks(first), 0);
    NothingLost(first).verify();
    weir_matrix_unref(first);
}
