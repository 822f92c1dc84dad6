// SPDX-License-Identifier: MIT OR Apache-2.0
// Many blocks in one call. Both stop at the first that fails; what was done until then stays done.
#include "core/matrix/matrix.hpp"

namespace weir {

Status Matrix::alloc_many(AllocRequest const &request, size_t count, Ref *refs, void **data,
                          size_t &ret_made) noexcept
{
    WEIR_TRY(enter());
    AllocRequest next = request;
    for (ret_made = 0; ret_made < count; ++ret_made) {
        bool const plain =
            next.alignment == 1 && !next.zero && next.state == 0 && next.timeout == 0;
        Allocation made;
        Status const done = plain ? alloc(next.size, made) : alloc(next, made);
        if (!done.ok())
            return ret_made == 0 ? done : kOk;
        refs[ret_made] = made.ref;
        if (data != nullptr)
            data[ret_made] = made.data;
        next.timeout = 0; // there is something to begin with
    }
    return kOk;
}

Status Matrix::free_many(Ref const *refs, size_t count, size_t &ret_freed) noexcept
{
    WEIR_TRY(enter());
    for (ret_freed = 0; ret_freed < count; ++ret_freed) {
        Status const done = free(refs[ret_freed]);
        if (!done.ok())
            return ret_freed == 0 ? done : kOk;
    }
    return kOk;
}

} // namespace weir
