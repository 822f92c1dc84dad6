// SPDX-License-Identifier: MIT OR Apache-2.0
// What most reads and answers do. Included by the files that need it inline.
#pragma once

#include "core/channel/ring.hpp"
#include "core/matrix/lane_hot.hpp"

namespace weir {

WEIR_HOT Status Ring::read(ReaderState &reader, Message &ret) noexcept
{
    Look const seen = plain_queue_       ? look_at_head(reader, ret)
                      : plain_broadcast_ ? look_at_cursor(reader, ret)
                                         : Look::again;
    if (WEIR_LIKELY(seen == Look::found))
        return kOk;
    return WEIR_LIKELY(seen == Look::empty) ? error(EAGAIN) : read_properly(reader, ret);
}

WEIR_HOT Status Ring::answer(ReaderState &reader, Message const &message, Answer how) noexcept
{
    return broadcast() ? answer_shared(reader, message, how) : answer_held(reader, message, how);
}

/// Bytes of the block of a message, whose place was looked for and `placed`; 0: there is none that is
/// nobody's.
WEIR_HOT uint64_t Ring::size_of_posted(Ref ref, bool placed, Place &block) noexcept
{
    bool const posted = placed && matrix_->is_at(ref, block, acquire) && // as in find()
                        block.word.owner() == kNobody;
    return WEIR_LIKELY(posted) ? block.sector->bytes_of(block.word.granules())
                               : size_of_posted(ref);
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
