// SPDX-License-Identifier: MIT OR Apache-2.0
// weir create and weir rm: named segments come and go.
#include "verbs.hpp"

#include "error.hpp"
#include "matrix_handle.hpp"
#include "output.hpp"

namespace tool {

int create_segment(CreateOptions const &options)
{
    weir_matrix_options shape = matrix_options("weir");
    shape.capacity = options.capacity;
    shape.mode = options.mode;
    if (options.isolate)
        shape.flags |= WEIR_MATRIX_ISOLATE;
    weir_matrix *matrix = nullptr;
    must(weir_matrix_create(options.name.c_str(), &shape, &matrix), printable(options.name));
    weir_matrix_unref(matrix);
    return 0;
}

int remove_segments(std::vector<std::string> const &names)
{
    for (auto const &name : names)
        must(weir_matrix_unlink(name.c_str()), printable(name));
    return 0;
}

} // namespace tool
