// SPDX-License-Identifier: MIT OR Apache-2.0
// weir bench matrix: the allocator beside malloc and a pair of CAS, measured in the same minute.
#include "matrix_bench.hpp"

#include "workload.hpp"

#include "../matrix_handle.hpp"

#include <algorithm>

namespace tool::bench {
namespace {
constexpr int kRounds = 5;
constexpr std::uint64_t kCapacity = 50'000'000; // of the reference workload

double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// Collects rounds of one figure; each round measures all sides one after the other, so that a
/// change of the machine's speed hits all of them.
template <typename Weir, typename Malloc, typename Floor>
Figure run_rounds(Figure figure, Weir weir, Malloc malloc_side, Floor floor)
{
    std::vector<double> weir_ns;
    std::vector<double> malloc_ns;
    std::vector<double> floor_ns;
    for (int round = 0; round < kRounds; ++round) {
        floor_ns.push_back(floor().ns_per_operation());
        malloc_ns.push_back(malloc_side().ns_per_operation());
        Tally const tally = weir();
        weir_ns.push_back(tally.ns_per_operation());
        figure.failures += tally.failures;
    }
    figure.weir_ns = median(weir_ns);
    figure.malloc_ns = median(malloc_ns);
    figure.cas_pair_ns = median(floor_ns);
    return figure;
}

Figure pair(Matrix const &matrix, std::uint32_t bytes, std::int64_t slice)
{
    Figure figure;
    figure.name = "pair";
    figure.bytes = bytes;
    return run_rounds(
        figure, [&] { return run_pairs(WeirAllocator(matrix.get()), bytes, slice); },
        [&] { return run_pairs(MallocAllocator(), bytes, slice); },
        [&] { return run_cas_pairs(slice); });
}

Figure mix(Matrix const &matrix, unsigned threads, std::int64_t slice)
{
    // No floor here: an operation is an alloc or a free, and mostly touches its payload.
    Figure figure;
    figure.name = "reference";
    figure.threads = threads;
    return run_rounds(
        figure, [&] { return run_mix_threads(WeirAllocator(matrix.get()), threads, slice); },
        [&] { return run_mix_threads(MallocAllocator(), threads, slice); }, [] { return Tally{}; });
}
} // namespace

MatrixResult run_matrix(MatrixOptions const &options)
{
    weir_matrix_options shape = matrix_options("bench");
    shape.capacity = kCapacity;
    weir_matrix *made = nullptr;
    must(weir_matrix_create(nullptr, &shape, &made), "a segment");
    Matrix const matrix(made);

    auto const slice = static_cast<std::int64_t>(options.seconds * 1e9 / kRounds);
    MatrixResult result{kRounds, stats_of(matrix).capacity, {}};
    result.figures.push_back(pair(matrix, 64, slice));
    for (unsigned const threads : options.threads)
        result.figures.push_back(mix(matrix, threads, slice));
    return result;
}

} // namespace tool::bench
