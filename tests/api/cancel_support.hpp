// SPDX-License-Identifier: MIT OR Apache-2.0
// What the tests of cancelled threads share.
#pragma once

#include "tests/api/support.hpp"

#include <atomic>
#include <thread>

namespace api {

inline void skip_with_asan()
{
    if (API_ASAN)
        cr_skip_test(
            "AddressSanitizer takes the stack of a cancelled thread for used after its scope");
}

/// What a thread says of itself. It asserts nothing: Criterion's own functions are cancellation
/// points, and a thread that ends in them leaves their mutex locked.
struct Steps {
    std::atomic<int> done{0};
    std::atomic<int> wrong_line{0}; ///< where a call said something else than expected
    std::atomic<int> code{0};
    std::atomic<bool> survived{false};

    void call(int line, int returned, int expected = 0) noexcept
    {
        bool const right = expected == 0 ? returned >= 0 : returned == expected;
        if (!right && wrong_line.load() == 0) {
            code = returned;
            wrong_line = line;
        }
        ++done;
    }
    void must_be(int count) const
    {
        check_eq(wrong_line.load(), 0, "a call said %d", code.load());
        check_eq(done.load(), count, "a call was a cancellation point");
        check_eq(survived.load(), false);
    }
};
#define step(...) steps.call(__LINE__, __VA_ARGS__)

/// Makes calls while somebody has asked this thread to end: the first cancellation point ends it.
template <class Action> void run_cancelled(Steps &steps, Action action)
{
    std::thread thread([&] {
        pthread_cancel(pthread_self()); // pending: deferred until a cancellation point
        action();
        pthread_testcancel();
        steps.survived = true;
    });
    thread.join();
}

} // namespace api
