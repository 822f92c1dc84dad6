// SPDX-License-Identifier: MIT OR Apache-2.0
// weir trim: gives memory of free blocks back to the system.
#include "verbs.hpp"

#include "error.hpp"
#include "matrix_handle.hpp"
#include "output.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tool {

int trim_segment(TrimOptions const &options)
{
    Matrix const matrix = attach_matrix(options.target.name, options.target.foreign);
    std::uint64_t bytes = 0;
    must(weir_matrix_trim(matrix.get(), options.keep, &bytes), "trim");
    if (options.target.json)
        print_json({{"trimmed_bytes", bytes}});
    else
        print(fmt::format("{} given back to the system\n", human_bytes(bytes)));
    return 0;
}

} // namespace tool
