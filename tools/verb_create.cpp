// SPDX-License-Identifier: MIT OR Apache-2.0
// weir create and weir rm: named segments come and go.
#include "verbs.hpp"

#include "error.hpp"
#include "matrix_handle.hpp"
#include "output.hpp"

#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

namespace tool {

namespace {
constexpr std::uint64_t kSmallestCapacity = std::uint64_t{64} << 10;
constexpr std::uint64_t kLargestCapacity = std::uint64_t{8} << 40;

std::string why_invalid(CreateOptions const &options)
{
    if (options.capacity < kSmallestCapacity || options.capacity > kLargestCapacity)
        return "--capacity is 64K to 8T (EINVAL)";
    return fmt::format(
        "'{}' is no name: 1 to 200 bytes without a slash, or an absolute path, and no "
        "control characters (EINVAL)",
        printable(options.name));
}
} // namespace

int create_segment(CreateOptions const &options)
{
    weir_matrix_options shape = matrix_options("weir");
    shape.capacity = options.capacity;
    shape.mode = options.mode;
    if (options.isolate)
        shape.flags |= WEIR_MATRIX_ISOLATE;
    weir_matrix *matrix = nullptr;
    int const code = weir_matrix_create(options.name.c_str(), &shape, &matrix);
    if (code == -EINVAL)
        throw Failure(why_invalid(options));
    must(code, printable(options.name));
    weir_matrix_unref(matrix);
    return 0;
}

namespace {
/// Names that the library refuses to remove, because it does not know what stands there.
bool is_refused(int code) { return code == -WEIR_E_CORRUPT || code == -EACCES || code == -EBUSY; }

void remove_anything(std::string const &name)
{
    std::string const path = name[0] == '/' ? name : "/dev/shm/weir." + name;
    if (unlink(path.c_str()) != 0)
        fail_errno(printable(path));
}
} // namespace

int remove_segments(RemoveOptions const &options)
{
    for (auto const &name : options.names) {
        int const code = weir_matrix_unlink(name.c_str());
        if (options.force && is_refused(code))
            remove_anything(name);
        else if (code == -WEIR_E_CORRUPT)
            throw Failure(printable(name) + ": not a segment; --force removes it all the same");
        else
            must(code, printable(name));
    }
    return 0;
}

} // namespace tool
