// SPDX-License-Identifier: MIT OR Apache-2.0
// Descriptors of subscriptions beside what disturbs them: reads at any moment, fork.
#include "tests/api/support.hpp"

#include <poll.h>

using namespace api;

namespace {
weir_matrix *matrix = nullptr;
weir_channel *ring = nullptr;
weir_subscription *reader = nullptr;
int fd = -1;

void setup()
{
    matrix = unnamed(8 * kMiB);
    ring = channel(matrix, "ring");
    reader = subscribe(ring);
    fd = weir_channel_fd(reader);
    check_ge(fd, 0);
}
void teardown()
{
    must(weir_channel_retire(ring));
    weir_subscription_close(reader);
    weir_channel_unref(ring);
    must(weir_matrix_heal(matrix, nullptr));
    cr_expect_eq(used_blocks(matrix), 0);
    weir_matrix_unref(matrix);
}

bool readable(int timeout_ms)
{
    pollfd one = {fd, POLLIN, 0};
    return poll(&one, 1, timeout_ms) == 1 && (one.revents & POLLIN) != 0;
}
void post() { must(weir_channel_post(ring, alloc(matrix, 64), 8, nullptr, 0)); }
/// Whether there was one.
bool take_one()
{
    weir_message message;
    if (weir_channel_read(reader, 0, &message, nullptr) < 0)
        return false;
    must(weir_channel_ack(reader, &message));
    return true;
}
} // namespace

TestSuite(channel_readiness, .init = setup, .fini = teardown);

/// The child has the parent's descriptor too, and must not empty it.
Test(channel_readiness, a_fork_child_that_reads_leaves_the_parents_readable)
{
    post();
    cr_assert(readable(5000));
    pid_t const child = start([&] {
        child_check(take_one());
        child_check(!take_one());
        return 0;
    });
    check_eq(join(child), 0);
    post();
    cr_assert(readable(5000), "the parent has not found it empty, and there is a message");
    cr_assert(take_one());
}

/// A reader may find the channel empty while the descriptor is about to say something else.
Test(channel_readiness, what_finds_nothing_arms_it_whenever_it_comes)
{
    for (int i = 0; i < 3000; ++i) {
        post();
        for (int64_t const end = now_ns() + i % 100 * 1000; now_ns() < end;) {
        }
        while (take_one()) {
        }
        int in_vain = 0;
        while (in_vain < 10 && readable(i % 50 == 0 ? 1 : 0)) {
            cr_assert(!take_one());
            ++in_vain;
        }
        check_lt(in_vain, 10, "readable, and reading changes nothing");
    }
}
