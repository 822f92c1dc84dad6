// SPDX-License-Identifier: MIT OR Apache-2.0
// The C functions that change the size of a block.
/**
 * @file Sizes of blocks
 */
#include "capi/src/convert.hpp"
#include "capi/src/internal.hpp"

#include "core/matrix/matrix.hpp"

using namespace weir::capi;

/**
 * Makes a block larger or smaller where it is. Its ref and its bytes stay.
 *
 * A smaller size gives the rest back. A larger one takes from the free memory
 * right behind the block, also from what weir_matrix_trim() gave back there, if
 * the capacity and the file system have room for it; if that is not enough, or
 * not free at this moment, nothing changes: weir_matrix_realloc() moves the block
 * then. New bytes are unspecified.
 *
 * A block shrinks where it is even if blocks of the new size are kept elsewhere.
 * In a matrix with `WEIR_MATRIX_ISOLATE` it does not grow beyond the sizes of its
 * sector.
 *
 * Only the owner may do this. A block of nobody must be taken before.
 *
 * @class weir_matrix method
 * @param[in] matrix the matrix
 * @param[in] block  one of this participant's
 * @param[in] size   bytes, 1 to the matrix's capacity
 * @return ok
 * @errors
 *   -EBUSY          another thread is changing its size, or, in a fork child, all participant slots are taken
 *   -EINVAL         `matrix` is NULL, `size` is 0 or above the capacity, or `block` cannot be a block of this matrix
 *   -EMFILE         in a fork child: too many open files
 *   -ENOSPC         there is not so much free memory behind it, or the file system has no room for what was trimmed there; nothing has changed
 *   -EPERM          the block is not this participant's
 *   -EROFS          the handle is read-only
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 *   -WEIR_E_STALE   it was freed, or is a ref of another matrix
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_matrix_resize(struct weir_matrix *matrix, weir_ref block, size_t size) noexcept
{
    if (matrix == nullptr)
        return -EINVAL;
    return core(matrix)->resize(weir::Ref{block}, size).code;
}

/**
 * Makes a block larger or smaller, and moves it if it must.
 *
 * It tries weir_matrix_resize() first. Else it allocates a block with these
 * options, copies what fits, gives it the old one's state, and frees the old one:
 * then `ret_block` differs from `block`. After an error the old block is as it
 * was, and still the caller's.
 *
 * `WEIR_REF_NONE` as `block` allocates a new one. With another block, `state` of
 * the options must be 0, because the block keeps the one it has;
 * `WEIR_ALLOC_ZERO` is for the bytes behind the old weir_block_size(); a block
 * that has not the alignment asked for is moved.
 *
 * Only the owner may do this. Others who know the old ref find it stale after a
 * move, and what they write into the block during this call may be lost.
 *
 * @class weir_matrix method
 * @param[in]  matrix    the matrix
 * @param[in]  block     consumed; one of this participant's, or `WEIR_REF_NONE`
 * @param[in]  size      bytes, 1 to the matrix's capacity
 * @param[in]  options   sized nullable; NULL means all defaults
 * @param[out] ret_block owned(by=weir_matrix_free); the block as it is now
 * @param[out] ret_data  nullable bytes(len=size) borrowed(of=ret_block); its first byte
 * @return ok
 * @errors
 *   -E2BIG           `options` has an unknown field that is not 0
 *   -EBUSY           another thread is changing its size, or as weir_matrix_alloc()
 *   -EINVAL          `size` is 0 or above the capacity, an option is out of range, a required pointer is NULL, or `block` cannot be a block of this matrix
 *   -EMFILE          in a fork child: too many open files
 *   -ENOMEM          it must be moved, no free run could serve it and the matrix is at its capacity
 *   -ENOSPC          it must be moved, no free run could serve it and the file system behind the segment is full
 *   -EPERM           the block is not this participant's
 *   -EROFS           the handle is read-only
 *   -ETIMEDOUT       it must be moved, and no memory came until the timeout was over
 *   -WEIR_E_CORRUPT  the segment contradicts itself
 *   -WEIR_E_FORKED   in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED  the matrix was retired, perhaps while this call slept
 *   -WEIR_E_STALE    it was freed, perhaps during this call, or is a ref of another matrix
 * @thread any
 * @blocks timeout(options.timeout_ns)
 * @since 0.1
 */
WEIR_API int weir_matrix_realloc(struct weir_matrix *matrix, weir_ref block, size_t size,
                                 const struct weir_alloc_options *options, weir_ref *ret_block,
                                 void **ret_data) noexcept
{
    if (matrix == nullptr || ret_block == nullptr)
        return -EINVAL;
    weir::AllocRequest request{};
    if (int const code = to_core(options, size, request); code < 0)
        return code;
    if (block != WEIR_REF_NONE && request.state != 0)
        return -EINVAL;
    weir::Allocation now;
    if (auto const status = core(matrix)->realloc(weir::Ref{block}, request, now); !status.ok())
        return status.code;
    *ret_block = now.ref.value;
    if (ret_data != nullptr)
        *ret_data = now.data;
    return 0;
}
