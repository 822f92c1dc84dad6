// SPDX-License-Identifier: MIT OR Apache-2.0
// weir bench matrix: the allocator beside malloc and a pair of CAS, measured in the same minute.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tool::bench {

struct MatrixOptions {
    double seconds = 1; ///< per figure
    std::vector<unsigned> threads = {1, 2, 8};
};

/// One figure: medians of interleaved rounds.
struct Figure {
    std::string name;
    unsigned threads = 1;
    std::uint32_t bytes = 0; ///< of a block; 0: a mix
    double weir_ns = 0;      ///< per operation
    double malloc_ns = 0;    ///< the same with the C library's
    double cas_pair_ns = 0;  ///< two uncontended CAS; 0: not compared
    std::uint64_t failures = 0;
};

struct MatrixResult {
    int rounds = 0;
    std::uint64_t capacity = 0;
    std::vector<Figure> figures;
};

MatrixResult run_matrix(MatrixOptions const &options);

} // namespace tool::bench
