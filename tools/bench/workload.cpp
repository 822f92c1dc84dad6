// SPDX-License-Identifier: MIT OR Apache-2.0
// The floor that the figures of weir bench are compared with.
#include "workload.hpp"

namespace tool::bench {

Tally run_cas_pairs(std::int64_t duration_ns)
{
    constexpr int kBatch = 1000;
    /// Stands for a block's state: 0 free, 1 taken. Nobody else has it.
    alignas(64) static std::atomic<std::uint64_t> word{0};
    Tally tally;
    std::int64_t const begin = now_ns();
    do {
        for (int i = 0; i < kBatch; ++i) {
            std::uint64_t idle = 0;
            // acquire and release as a real take and give-back would need; the partner is ourselves
            word.compare_exchange_strong(idle, 1, std::memory_order_acquire,
                                         std::memory_order_relaxed);
            std::uint64_t taken = 1;
            if (word.compare_exchange_strong(taken, 0, std::memory_order_release,
                                             std::memory_order_relaxed))
                ++tally.operations;
        }
        tally.ns = now_ns() - begin;
    } while (tally.ns < duration_ns);
    return tally;
}

} // namespace tool::bench
