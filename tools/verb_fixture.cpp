// SPDX-License-Identifier: MIT OR Apache-2.0
// weir fixture, hidden: makes blocks in a segment so that the tests have something to look at.
#include "verbs.hpp"

#include "clock.hpp"
#include "error.hpp"
#include "matrix_handle.hpp"
#include "output.hpp"

#include <unistd.h>

#include <cstring>

namespace tool {
namespace {
void churn(Matrix const &matrix)
{
    weir_ref block = WEIR_REF_NONE;
    must(weir_matrix_alloc(matrix.get(), 64, nullptr, &block, nullptr), "alloc");
    must(weir_matrix_free(matrix.get(), block), "free");
    sleep_ns(kMillisecond);
}
} // namespace

int make_fixture(FixtureOptions const &options)
{
    Matrix const matrix = attach_matrix(options.name, false);
    for (std::uint64_t i = 0; i < options.blocks; ++i) {
        weir_ref block = WEIR_REF_NONE;
        void *data = nullptr;
        must(weir_matrix_alloc(matrix.get(), options.size, nullptr, &block, &data), "alloc");
        std::memset(data, 0x5a, options.size);
        if (options.leave)
            must(weir_block_give(matrix.get(), block, WEIR_OWNER_NONE), "give");
    }
    print("ready\n");
    while (options.churn)
        churn(matrix);
    while (options.wait)
        pause(); // until it is killed
    return 0;
}

} // namespace tool
