// SPDX-License-Identifier: MIT OR Apache-2.0
// io_uring by liburing, or its refusal where the library was built without.
#include "core/flush/io_uring.hpp"

#include "core/flush/io_pwrite.hpp"

namespace weir {

Status create_uring(UringOptions const &, File, uint32_t, UringData *&,
                    UringRefusal &refusal) noexcept
{
    refusal = {"io_uring: built without liburing", 0};
    return error(EOPNOTSUPP);
}
void release_uring(UringData *) noexcept {}
void forget_uring(UringData *) noexcept {}
DataOps const kUringOps = {};

} // namespace weir
