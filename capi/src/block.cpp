// SPDX-License-Identifier: MIT OR Apache-2.0
// The C functions of blocks: allocating, freeing, looking at one, handing it over.
/**
 * @file Block functions
 */
#include "capi/src/convert.hpp"
#include "capi/src/internal.hpp"

#include "core/matrix/lane_hot.hpp"

using namespace weir::capi;

namespace {
int hand_over(weir::Status status, weir::Allocation const &made, weir_ref *ret_block,
              void **ret_data) noexcept
{
    if (!status.ok())
        return status.code;
    *ret_block = made.ref.value;
    if (ret_data != nullptr)
        *ret_data = made.data;
    return 0;
}

int hand_over(weir::Extent const &found, void **ret_data, size_t *ret_size) noexcept
{
    *ret_data = found.data;
    if (ret_size != nullptr)
        *ret_size = found.size;
    return 0;
}

// Out of line: most allocations have no options, and find a block in their thread's lane.

__attribute__((noinline)) int alloc_with(weir_matrix *matrix, size_t size,
                                         weir_alloc_options const &options, weir_ref *ret_block,
                                         void **ret_data) noexcept
{
    weir::AllocRequest request{};
    if (int const code = to_core(&options, size, request); code < 0)
        return code;
    weir::Allocation made;
    weir::Status const status = core(matrix)->alloc(request, made);
    return hand_over(status, made, ret_block, ret_data);
}

__attribute__((noinline)) int alloc_slowly(weir_matrix *matrix, size_t size, weir_ref *ret_block,
                                           void **ret_data) noexcept
{
    weir::Allocation made;
    return hand_over(core(matrix)->alloc(size, made), made, ret_block, ret_data);
}

// These end a call, so that the usual way needs no stack.

__attribute__((noinline)) int alloc_without_lanes(weir_matrix *matrix, size_t size,
                                                  weir_ref *ret_block, void **ret_data) noexcept
{
    return core(matrix)->alloc_shared(size, *ret_block, ret_data).code;
}

__attribute__((noinline)) int free_without_lanes(weir_matrix *matrix, weir::Ref block) noexcept
{
    return core(matrix)->free_shared(block).code;
}

__attribute__((noinline)) int free_slowly(weir_matrix *matrix, weir::Ref block) noexcept
{
    return core(matrix)->free(block).code;
}

WEIR_COLD int find_slowly(weir_matrix *matrix, weir::Ref block, void **ret_data,
                          size_t *ret_size) noexcept
{
    auto const found = core(matrix)->data(block);
    return found.ok() ? hand_over(*found, ret_data, ret_size) : found.status().code;
}

__attribute__((noinline, cold)) int wake(weir_matrix *matrix) noexcept
{
    core(matrix)->tell_waiting();
    return 0;
}
} // namespace

/**
 * Allocates a block of at least `size` bytes.
 *
 * The block is the calling process's until it is freed, given away or posted.
 * Its bytes are unspecified unless `WEIR_ALLOC_ZERO` is set. Its data is aligned
 * to 64 bytes or to what the options ask for.
 *
 * `-ENOMEM` is exact: at some moment during the call there was no free run that
 * could have served it. One case is not: others changed the matrix without a
 * pause until `stall_ns` was over, so that there never was such a moment to look
 * at. `-EBUSY` says that there is a run, or may be, but that a stopped process
 * holds it.
 *
 * With a timeout in the options, none of these is answered while there is time:
 * the call sleeps until any process frees memory, and tries again. It is not in a
 * queue: who calls meanwhile may be served first. What could not be served by an
 * empty matrix is refused at once. `stall_ns` of the matrix may be added.
 *
 * @class weir_matrix method
 * @param[in]  matrix    the matrix
 * @param[in]  size      bytes, 1 to the matrix's capacity
 * @param[in]  options   sized nullable; NULL means all defaults
 * @param[out] ret_block owned(by=weir_matrix_free); the new block
 * @param[out] ret_data  nullable bytes(len=size) borrowed(of=ret_block); its first byte
 * @return ok
 * @errors
 *   -E2BIG           `options` has an unknown field that is not 0
 *   -EBUSY           a stopped process holds what could serve it, or, in a fork child, all participant slots are taken
 *   -EINVAL          `size` is 0 or above the capacity, an option is out of range, or a required pointer is NULL
 *   -EMFILE          in a fork child: too many open files
 *   -ENOMEM          no free run could serve it and the matrix is at its capacity
 *   -ENOSPC          no free run could serve it and the file system behind the segment is full
 *   -EROFS           the handle is read-only
 *   -ETIMEDOUT       as one of -EBUSY, -ENOMEM, -ENOSPC, until the timeout was over
 *   -WEIR_E_CORRUPT  the segment contradicts itself
 *   -WEIR_E_FORKED   in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED  the matrix was retired, perhaps while this call slept
 * @thread any
 * @note the smallest block takes 64 bytes; when the sector of its size cannot grow
 *   any more, a request is served by another one in steps of up to 64 KiB;
 *   weir_block_size() tells
 * @blocks timeout(options.timeout_ns)
 * @source size classes: TLSF, Masmano et al., ECRTS 2004
 * @since 0.1
 */
WEIR_API int weir_matrix_alloc(struct weir_matrix *matrix, size_t size,
                               const struct weir_alloc_options *options, weir_ref *ret_block,
                               void **ret_data) noexcept
{
    if (matrix == nullptr || ret_block == nullptr)
        return -EINVAL;
    if (options != nullptr)
        return alloc_with(matrix, size, *options, ret_block, ret_data);
    if (!core(matrix)->has_lanes())
        return alloc_without_lanes(matrix, size, ret_block, ret_data);
    weir::Allocation made;
    if (!WEIR_LIKELY(core(matrix)->alloc_fast(size, made)))
        return alloc_slowly(matrix, size, ret_block, ret_data);
    return hand_over(weir::kOk, made, ret_block, ret_data);
}

/**
 * Frees a block. Any process that is attached may do this.
 *
 * A second free of a block is recognised by its generation and changes nothing.
 * A block that has a name is freed too, and its name then stands for nothing:
 * call weir_matrix_unbind() first, which also settles who may free it. One that was
 * posted is its readers': see weir_channel_post(). The block of a channel, a router
 * or a pool, which weir_matrix_roots() and weir_matrix_walk() show, is not told from
 * others: to free it destroys the object for everybody. Retire it instead.
 *
 * @class weir_matrix method
 * @param[in] matrix the matrix
 * @param[in] block  consumed; the block
 * @return ok
 * @errors
 *   -EBUSY          its owner is changing its size, or, in a fork child, all participant slots are taken
 *   -EINVAL         `matrix` is NULL, or `block` cannot be a block of this matrix
 *   -EMFILE         in a fork child: too many open files
 *   -EROFS          the handle is read-only
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 *   -WEIR_E_STALE   it was freed before, or is a ref of another matrix
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_matrix_free(struct weir_matrix *matrix, weir_ref block) noexcept
{
    if (matrix == nullptr)
        return -EINVAL;
    weir::Ref const ref{block};
    if (!core(matrix)->has_lanes())
        return free_without_lanes(matrix, ref);
    if (!WEIR_LIKELY(core(matrix)->free_fast(ref)))
        return free_slowly(matrix, ref);
    return WEIR_LIKELY(!core(matrix)->somebody_waits()) ? 0 : wake(matrix);
}

/**
 * Finds the data of a block in this process.
 *
 * @class weir_matrix method
 * @param[in]  matrix   the matrix
 * @param[in]  block    the block
 * @param[out] ret_data bytes(len=ret_size) borrowed(of=block); its first byte
 * @param[out] ret_size nullable; its bytes: what was asked for, rounded up
 * @return ok
 * @errors
 *   -EINVAL         a required pointer is NULL, or `block` cannot be a block of this matrix
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_STALE   it was freed, or is a ref of another matrix
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_matrix_data(struct weir_matrix *matrix, weir_ref block, void **ret_data,
                              size_t *ret_size) noexcept
{
    if (matrix == nullptr || ret_data == nullptr)
        return -EINVAL;
    weir::Extent const found = core(matrix)->data_fast(weir::Ref{block});
    if (!WEIR_LIKELY(found.size != 0))
        return find_slowly(matrix, weir::Ref{block}, ret_data, ret_size);
    return hand_over(found, ret_data, ret_size);
}

/**
 * Finds the ref of a block by the address of its first byte.
 *
 * @class weir_matrix method
 * @param[in]  matrix    the matrix
 * @param[in]  data      bytes(len=size); the first byte of a block
 * @param[in]  size      bytes that the caller believes the block to have, at least 1
 * @param[out] ret_block its ref
 * @return ok
 * @errors
 *   -EINVAL         a pointer is NULL, `data` is not where a block can begin, or the block is smaller than `size`
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_STALE   no block begins there
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_matrix_ref_of(struct weir_matrix *matrix, const void *data, size_t size,
                                weir_ref *ret_block) noexcept
{
    if (matrix == nullptr || data == nullptr || size == 0 || ret_block == nullptr)
        return -EINVAL;
    auto const found = core(matrix)->ref_of(data, size);
    if (!found.ok())
        return found.status().code;
    *ret_block = (*found).value;
    return 0;
}

/**
 * Reads the size of a block: what was asked for, rounded up.
 *
 * @class weir_matrix method
 * @param[in]  matrix   the matrix
 * @param[in]  block    the block
 * @param[out] ret_size its bytes
 * @return ok
 * @errors
 *   -EINVAL         a pointer is NULL, or `block` cannot be a block of this matrix
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_STALE   it was freed, or is a ref of another matrix
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_block_size(struct weir_matrix *matrix, weir_ref block, size_t *ret_size) noexcept
{
    if (matrix == nullptr || ret_size == nullptr)
        return -EINVAL;
    auto const found = core(matrix)->data(weir::Ref{block});
    if (!found.ok())
        return found.status().code;
    *ret_size = found->size;
    return 0;
}

/**
 * Reads the user's state of a block: 0 or 49 to 255.
 *
 * @class weir_matrix method
 * @param[in] matrix the matrix
 * @param[in] block  the block
 * @return count; the state
 * @errors
 *   -EINVAL         `matrix` is NULL, or `block` cannot be a block of this matrix
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_STALE   it was freed, or is a ref of another matrix
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_block_state(struct weir_matrix *matrix, weir_ref block) noexcept
{
    if (matrix == nullptr)
        return -EINVAL;
    auto const found = core(matrix)->state(weir::Ref{block});
    return found.ok() ? static_cast<int>(*found) : found.status().code;
}

/**
 * Sets the user's state of a block, whatever it was.
 *
 * @class weir_matrix method
 * @param[in] matrix the matrix
 * @param[in] block  the block
 * @param[in] state  0, or 49 to 255
 * @return ok
 * @errors
 *   -EBUSY          its owner is changing its size, or, in a fork child, all participant slots are taken
 *   -EINVAL         `matrix` is NULL, `state` is out of range, or `block` cannot be a block of this matrix
 *   -EMFILE         in a fork child: too many open files
 *   -EROFS          the handle is read-only
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 *   -WEIR_E_STALE   it was freed, or is a ref of another matrix
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_block_set_state(struct weir_matrix *matrix, weir_ref block,
                                  uint32_t state) noexcept
{
    if (matrix == nullptr || !user_state_ok(state))
        return -EINVAL;
    return core(matrix)->set_state(weir::Ref{block}, static_cast<uint8_t>(state)).code;
}

/**
 * Moves a block from one state to another, in one step: of all who try the same
 * at once, one succeeds.
 *
 * @class weir_matrix method
 * @param[in] matrix    the matrix
 * @param[in] block     the block
 * @param[in] expected  the state it must have, 0, or 49 to 255
 * @param[in] new_state the state it gets, 0, or 49 to 255
 * @return ok
 * @errors
 *   -EAGAIN         its state is not `expected`
 *   -EBUSY          its owner is changing its size, or, in a fork child, all participant slots are taken
 *   -EINVAL         `matrix` is NULL, a state is out of range, or `block` cannot be a block of this matrix
 *   -EMFILE         in a fork child: too many open files
 *   -EROFS          the handle is read-only
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 *   -WEIR_E_STALE   it was freed, or is a ref of another matrix
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_block_transition(struct weir_matrix *matrix, weir_ref block, uint32_t expected,
                                   uint32_t new_state) noexcept
{
    if (matrix == nullptr || !user_state_ok(expected) || !user_state_ok(new_state))
        return -EINVAL;
    return core(matrix)
        ->transition(weir::Ref{block}, static_cast<uint8_t>(expected),
                     static_cast<uint8_t>(new_state))
        .code;
}

/**
 * Reads which participant has a block; 0 is nobody.
 *
 * @class weir_matrix method
 * @param[in]  matrix          the matrix
 * @param[in]  block           the block
 * @param[out] ret_participant its owner's id, as weir_matrix_participants() reports it
 * @return ok
 * @errors
 *   -EINVAL         a pointer is NULL, or `block` cannot be a block of this matrix
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_STALE   it was freed, or is a ref of another matrix
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_block_owner(struct weir_matrix *matrix, weir_ref block,
                              uint64_t *ret_participant) noexcept
{
    if (matrix == nullptr || ret_participant == nullptr)
        return -EINVAL;
    auto const found = core(matrix)->owner(weir::Ref{block});
    if (!found.ok())
        return found.status().code;
    *ret_participant = *found;
    return 0;
}

/**
 * Gives a block of this participant to another one, or to nobody.
 *
 * A block of nobody outlives every process. Tell somebody of it, or bind it:
 * otherwise it is a leak that only weir_matrix_check() sees.
 *
 * @class weir_matrix method
 * @param[in] matrix      the matrix
 * @param[in] block       one of this participant's
 * @param[in] participant the new owner's id, or `WEIR_OWNER_NONE`
 * @return ok
 * @errors
 *   -EBUSY          its owner is changing its size, or, in a fork child, all participant slots are taken
 *   -EINVAL         `matrix` is NULL, `block` cannot be a block of this matrix, or `participant` cannot be an id
 *   -EMFILE         in a fork child: too many open files
 *   -EPERM          the block is not this participant's
 *   -EROFS          the handle is read-only
 *   -ESRCH          the new owner left or died; the block is still this participant's
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 *   -WEIR_E_STALE   it was freed, or is a ref of another matrix
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_block_give(struct weir_matrix *matrix, weir_ref block,
                             uint64_t participant) noexcept
{
    if (matrix == nullptr)
        return -EINVAL;
    return core(matrix)->give(weir::Ref{block}, participant).code;
}

/**
 * Takes a block of nobody. Of all who try, one succeeds. A block that was posted is
 * nobody's too, but its readers': see weir_channel_post(); and so is the block of a
 * channel, a router or a pool, which must be left alone: see weir_matrix_free().
 *
 * @class weir_matrix method
 * @param[in] matrix the matrix
 * @param[in] block  one of nobody's
 * @return ok
 * @errors
 *   -EBUSY          its owner is changing its size, or, in a fork child, all participant slots are taken
 *   -EINVAL         `matrix` is NULL, or `block` cannot be a block of this matrix
 *   -EMFILE         in a fork child: too many open files
 *   -EPERM          a participant has it
 *   -EROFS          the handle is read-only
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 *   -WEIR_E_STALE   it was freed, or is a ref of another matrix
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_block_take(struct weir_matrix *matrix, weir_ref block) noexcept
{
    if (matrix == nullptr)
        return -EINVAL;
    return core(matrix)->take(weir::Ref{block}).code;
}
