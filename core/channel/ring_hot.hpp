// SPDX-License-Identifier: MIT OR Apache-2.0
// What reading and answering do with the block of each message. Included by the files that need it
// inline.
#pragma once

#include "core/channel/ring.hpp"
#include "core/matrix/lane_hot.hpp"

namespace weir {

/// False: only find_posted() can tell.
WEIR_HOT bool Ring::find_posted_quickly(Ref ref, uint64_t &ret_size) noexcept
{
    Place block;
    bool const posted = matrix_->find_quickly(ref, block, acquire) && // as in find()
                        block.word.owner() == kNobody;
    if (WEIR_LIKELY(posted))
        ret_size = block.sector->bytes_of(block.word.granules());
    return posted;
}

/// nobody's -> free.
WEIR_HOT Status Ring::free_posted(Ref ref) noexcept
{
    if (!WEIR_LIKELY(matrix_->has_lanes() && matrix_->free_fast(ref, kNobody)))
        return matrix_->free_owned(ref, kNobody);
    matrix_->tell_waiting();
    return kOk;
}

} // namespace weir
