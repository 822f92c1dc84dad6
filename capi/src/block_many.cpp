// SPDX-License-Identifier: MIT OR Apache-2.0
// The C functions that allocate and free many blocks in one call.
/**
 * @file Many blocks
 */
#include "capi/src/convert.hpp"
#include "capi/src/internal.hpp"

#include "core/matrix/matrix.hpp"

#include <climits>

using namespace weir::capi;

static_assert(sizeof(weir::Ref) == sizeof(weir_ref), "arrays of refs are passed as they are");

/**
 * Allocates up to `count` blocks of at least `size` bytes each.
 *
 * It stops at the first one that cannot be had and returns how many there are:
 * only the first entries of the arrays are written. An error is returned if there
 * is none. So a result below `count` says: call again, and be told why.
 *
 * A timeout holds for the first block; the others are not waited for.
 *
 * @class weir_matrix method
 * @param[in]  matrix     the matrix
 * @param[in]  size       bytes of each block, 1 to the matrix's capacity
 * @param[in]  count      how many, at most `INT_MAX`, and 0 does nothing
 * @param[in]  options    sized nullable; NULL means all defaults
 * @param[out] ret_blocks array(len=count) owned(by=weir_matrix_free); the new blocks
 * @param[out] ret_data   nullable array(len=count) bytes(len=size) borrowed(of=ret_blocks); the first byte of each
 * @return count
 * @errors
 *   -E2BIG           `options` has an unknown field that is not 0
 *   -EBUSY           a stopped process holds what could serve it, or, in a fork child, all participant slots are taken
 *   -EINVAL          `size` is 0 or above the capacity, `count` is too large, an option is out of range, or a required pointer is NULL
 *   -EMFILE          in a fork child: too many open files
 *   -ENOMEM          no free run could serve one and the matrix is at its capacity
 *   -ENOSPC          no free run could serve one and the file system behind the segment is full
 *   -EROFS           the handle is read-only
 *   -ETIMEDOUT       as one of -EBUSY, -ENOMEM, -ENOSPC, until the timeout was over
 *   -WEIR_E_CORRUPT  the segment contradicts itself
 *   -WEIR_E_FORKED   in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED  the matrix was retired, perhaps while this call slept
 * @thread any
 * @blocks timeout(options.timeout_ns)
 * @since 0.1
 */
WEIR_API int weir_matrix_alloc_many(struct weir_matrix *matrix, size_t size, size_t count,
                                    const struct weir_alloc_options *options, weir_ref *ret_blocks,
                                    void **ret_data) noexcept
{
    if (matrix == nullptr || ret_blocks == nullptr || count > INT_MAX)
        return -EINVAL;
    weir::AllocRequest request{};
    if (int const code = to_core(options, size, request); code < 0)
        return code;
    size_t made = 0;
    weir::Status const done = core(matrix)->alloc_many(
        request, count, reinterpret_cast<weir::Ref *>(ret_blocks), ret_data, made);
    return done.ok() ? static_cast<int>(made) : done.code;
}

/**
 * Frees blocks, one after the other, until one of them cannot be freed.
 *
 * Returns how many were freed, which is also the index of the one that could not
 * be. Called again from there on, it returns that one's error; called from behind
 * it, it frees the others.
 *
 * @class weir_matrix method
 * @param[in] matrix the matrix
 * @param[in] blocks array(len=count) consumed; the blocks
 * @param[in] count  how many, at most `INT_MAX`, and 0 does nothing
 * @return count
 * @errors
 *   -EBUSY          the first one's owner is changing its size, or, in a fork child, all participant slots are taken
 *   -EINVAL         a pointer is NULL, `count` is too large, or the first one cannot be a block of this matrix
 *   -EMFILE         in a fork child: too many open files
 *   -EROFS          the handle is read-only
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 *   -WEIR_E_STALE   the first one was freed before, or is a ref of another matrix
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_matrix_free_many(struct weir_matrix *matrix, const weir_ref *blocks,
                                   size_t count) noexcept
{
    if (matrix == nullptr || blocks == nullptr || count > INT_MAX)
        return -EINVAL;
    size_t freed = 0;
    weir::Status const done =
        core(matrix)->free_many(reinterpret_cast<weir::Ref const *>(blocks), count, freed);
    return done.ok() ? static_cast<int>(freed) : done.code;
}
