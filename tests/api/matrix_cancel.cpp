// SPDX-License-Identifier: MIT OR Apache-2.0
// Threads that are cancelled: no call of the library is a cancellation point, so nothing is left in
// the middle.
#include "tests/api/cancel_support.hpp"

#include <poll.h>

using namespace api;

namespace {
/// poll() is a cancellation point itself.
int await_readable(int fd)
{
    int before = 0;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    pollfd one{fd, POLLIN, 0};
    int const ready = poll(&one, 1, 10000);
    pthread_setcancelstate(before, &before);
    return ready == 1 ? 0 : -ETIMEDOUT;
}
} // namespace

/// Where a call is a cancellation point, the thread ends in it: what comes after is not counted.
Test(matrix_cancel, no_call_on_a_matrix_is_a_cancellation_point)
{
    skip_with_asan();
    Name const name("cancel");
    int const before = open_descriptors();
    Steps steps;
    run_cancelled(steps, [&] {
        weir_matrix *made = nullptr, *other = nullptr, *third = nullptr, *opened = nullptr;
        auto const wanted = options(8 * kMiB);
        step(weir_matrix_create(name, &wanted, &made));
        step(weir_matrix_attach(name, nullptr, &other));
        step(weir_matrix_attach_fd(weir_matrix_fd(made), nullptr, &third));
        step(weir_matrix_open(name, &wanted, &opened));
        weir_ref block = 0;
        step(weir_matrix_alloc(other, 3 * kMiB, nullptr, &block, nullptr));
        step(weir_matrix_resize(other, block, 2 * kMiB));
        step(weir_matrix_realloc(other, block, 4 * kMiB, nullptr, &block, nullptr));
        weir_alloc_options waits = WEIR_ALLOC_OPTIONS_INIT;
        waits.timeout_ns = 2 * kMillisecond;
        weir_ref none = 0;
        step(weir_matrix_alloc(made, 7 * kMiB, &waits, &none, nullptr), -ETIMEDOUT);
        step(weir_matrix_free(other, block));
        step(weir_matrix_trim(made, 0, nullptr));
        step(weir_matrix_prefault(made, kMiB, nullptr, nullptr));
        weir_memory_info memory = WEIR_MEMORY_INFO_INIT;
        step(weir_matrix_memory(made, &memory));
        weir_check_report report = WEIR_CHECK_REPORT_INIT;
        step(weir_matrix_check(made, WEIR_CHECK_REPAIR, &report));
        step(weir_matrix_heal(made, nullptr));
        for (weir_matrix *const handle : {other, third, opened}) {
            weir_matrix_unref(handle);
            ++steps.done;
        }
        step(weir_matrix_retire(made));
        weir_matrix_unref(made);
        ++steps.done;
        step(weir_matrix_create(name, &wanted, &made));
        step(weir_matrix_unlink(name));
        weir_matrix_unref(made);
        ++steps.done;
        step(weir_feature_supported(WEIR_FEATURE_NAMED));
        step(weir_feature_supported(WEIR_FEATURE_MEMFD));
        step(weir_feature_supported(WEIR_FEATURE_IO_URING));
    });
    steps.must_be(25);
    check_eq(open_descriptors(), before);
    check_eq(mappings_of(name), 0);
}

Test(matrix_cancel, no_call_on_a_channel_is_a_cancellation_point)
{
    skip_with_asan();
    weir_matrix *const matrix = unnamed();
    Steps steps;
    run_cancelled(steps, [&] {
        weir_channel *ring = nullptr, *again = nullptr;
        weir_subscription *reader = nullptr;
        weir_message message;
        step(weir_channel_create(matrix, "ring", nullptr, &ring));
        step(weir_channel_attach(matrix, "ring", nullptr, &again));
        step(weir_channel_subscribe(again, &reader));
        step(weir_channel_fd(reader));
        step(weir_channel_read(reader, 2 * kMillisecond, &message, nullptr), -ETIMEDOUT);
        weir_ref block = 0;
        step(weir_matrix_alloc(matrix, 64, nullptr, &block, nullptr));
        step(weir_channel_post(ring, block, 1, nullptr, 2 * kMillisecond));
        step(await_readable(weir_channel_fd(reader)));
        step(weir_channel_read(reader, 2 * kMillisecond, &message, nullptr));
        step(weir_channel_ack(reader, &message));
        step(weir_channel_read(reader, 0, &message, nullptr), -EAGAIN); // which arms the descriptor
        step(weir_channel_retire(ring));
        weir_subscription_close(reader);
        weir_channel_unref(again);
        weir_channel_unref(ring);
        ++steps.done;
    });
    steps.must_be(13);
    check_eq(check_well(matrix).used_blocks, 0);
    weir_matrix_unref(matrix);
}

/// In a fork child the first call attaches again, which opens the file.
Test(matrix_cancel, no_first_call_of_a_fork_child_is_a_cancellation_point)
{
    skip_with_asan();
    weir_matrix *const matrix = unnamed();
    check_eq(unit::in_child([&] {
                 Steps steps;
                 run_cancelled(steps, [&] {
                     weir_ref block = 0;
                     step(weir_matrix_alloc(matrix, 64, nullptr, &block, nullptr));
                     step(weir_matrix_free(matrix, block));
                 });
                 return steps.done == 2 && steps.wrong_line == 0 ? 0 : 1;
             }),
             0);
    must(weir_matrix_heal(matrix, nullptr));
    check_eq(check_well(matrix).used_blocks, 0);
    weir_matrix_unref(matrix);
}

/// A thread that is cancelled ends outside the library: nothing stays in its hand.
Test(matrix_cancel, a_cancelled_thread_leaves_nothing_in_the_middle, .timeout = 60)
{
    if (API_ASAN)
        cr_skip_test(
            "AddressSanitizer takes the stack of a cancelled thread for used after its scope");
    // small: each round asks the system for nearly all of it
    weir_matrix *const matrix = unnamed(16 * kMiB);
    for (int round = 0; round < 60; ++round) {
        std::atomic<int> turns{0};
        std::thread worker([&] {
            for (;;) {
                weir_ref block = 0;
                if (weir_matrix_alloc(matrix, 3 * kMiB, nullptr, &block, nullptr) == 0)
                    must(weir_matrix_free(matrix, block));
                must(weir_matrix_trim(matrix, 0,
                                      nullptr)); // so that the next one has to ask the system
                turns.fetch_add(1);
                pthread_testcancel(); // outside: here it may end
            }
        });
        while (turns.load() < 1 + round % 4)
            sched_yield();
        check_eq(pthread_cancel(worker.native_handle()), 0);
        worker.join();
        weir_ref block = 0;
        must(weir_matrix_alloc(matrix, 12 * kMiB, nullptr, &block, nullptr));
        must(weir_matrix_free(matrix, block));
    }
    check_eq(check_well(matrix).used_blocks, 0);
    weir_matrix_unref(matrix);
}
