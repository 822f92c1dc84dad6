// SPDX-License-Identifier: MIT OR Apache-2.0
// The C functions of names for blocks.
/**
 * @file Names of blocks
 */
#include "capi/src/internal.hpp"

#include "capi/src/convert.hpp"
#include "core/matrix/matrix.hpp"

using namespace weir::capi;

/**
 * Gives a block a name in the matrix, and to nobody: from now on it outlives
 * this process.
 *
 * The name does not protect the block: who frees it leaves a name of nothing.
 * weir_matrix_lookup() then finds a stale ref, weir_matrix_unbind() removes the
 * name, and weir_matrix_check() counts it in `freed_roots`.
 *
 * @class weir_matrix method
 * @param[in] matrix the matrix
 * @param[in] name   utf8; 1 to 63 bytes, no control characters, other bytes as they are
 * @param[in] block  one of this participant's, or one of nobody's
 * @return ok
 * @errors
 *   -EBUSY          a stopped process holds the directory, or, in a fork child, all participant slots are taken
 *   -EEXIST         the name is taken
 *   -EINVAL         a bad name or ref, or a required pointer is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -ENAMETOOLONG   the name is too long
 *   -ENOSPC         all 256 roots are taken
 *   -EPERM          the block is another participant's
 *   -EROFS          the handle is read-only
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 *   -WEIR_E_STALE   the block was freed
 * @thread any
 * @blocks stall
 * @since 0.1
 */
WEIR_API int weir_matrix_bind(struct weir_matrix *matrix, const char *name, weir_ref block) noexcept
{
    if (matrix == nullptr || name == nullptr)
        return -EINVAL;
    return core(matrix)->bind(name, weir::Ref{block}).code;
}

/**
 * Finds a block by its name.
 *
 * @class weir_matrix method
 * @param[in]  matrix    the matrix
 * @param[in]  name      utf8; 1 to 63 bytes
 * @param[out] ret_block the block, which nobody owns, and which is stale if somebody freed it
 * @return ok
 * @errors
 *   -EINVAL         a bad name, or a pointer is NULL
 *   -ENAMETOOLONG   the name is too long
 *   -ENOENT         there is none
 *   -WEIR_E_RETIRED the matrix was retired
 *   -WEIR_E_TYPE    the name stands for something else
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_matrix_lookup(struct weir_matrix *matrix, const char *name,
                                weir_ref *ret_block) noexcept
{
    if (matrix == nullptr || name == nullptr || ret_block == nullptr)
        return -EINVAL;
    auto const found = core(matrix)->lookup(name);
    if (!found.ok())
        return found.status().code;
    *ret_block = (*found).value;
    return 0;
}

/**
 * Removes a block's name; the block is this participant's from now on.
 *
 * @class weir_matrix method
 * @param[in]  matrix    the matrix
 * @param[in]  name      utf8; 1 to 63 bytes
 * @param[out] ret_block nullable; the block, or 0 if it had been freed
 * @return ok
 * @errors
 *   -EBUSY          a stopped process holds the directory, or, in a fork child, all participant slots are taken
 *   -EINVAL         a bad name, or a required pointer is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -ENAMETOOLONG   the name is too long
 *   -ENOENT         there is none
 *   -EROFS          the handle is read-only
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 *   -WEIR_E_TYPE    the name stands for something else
 * @thread any
 * @blocks stall
 * @since 0.1
 */
WEIR_API int weir_matrix_unbind(struct weir_matrix *matrix, const char *name,
                                weir_ref *ret_block) noexcept
{
    if (matrix == nullptr || name == nullptr)
        return -EINVAL;
    auto const found = core(matrix)->unbind(name);
    if (!found.ok())
        return found.status().code;
    if (ret_block != nullptr)
        *ret_block = (*found).value;
    return 0;
}

/**
 * Calls a function for each root.
 *
 * @class weir_matrix iter
 * @param[in] matrix   the matrix
 * @param[in] callback called for each root, may call functions of this matrix
 * @param[in] userdata userdata(of=callback) nullable; passed on
 * @return count; 0, or what ended it: the callback's value
 * @errors
 *   -EINVAL `matrix` or `callback` is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_matrix_roots(struct weir_matrix *matrix, weir_root_fn callback,
                               void *userdata) noexcept
{
    if (matrix == nullptr || callback == nullptr)
        return -EINVAL;
    WalkAdapter<weir::RootInfo, weir_root_fn> adapter{callback, userdata};
    return core(matrix)->roots(adapter.function(), &adapter).code;
}
