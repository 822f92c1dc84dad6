// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: batch forms that differ from their single one.

/**
 * A thing.
 *
 * @kind id(Cell)
 * @since 0.1
 */
typedef uint64_t weir_cell;

/**
 * Does it.
 *
 * @class library static
 * @param[in] cells array(len=count); them
 * @param[in] count how many
 * @return count
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_lonely_many(const weir_cell *cells, size_t count) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] cell consumed; it
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_cell_free(weir_cell cell) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] cells consumed array(len=number); them
 * @param[in] number how many
 * @return count
 * @errors
 *   -EAGAIN one
 *   -EINVAL two
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_cell_free_many(const weir_cell *cells, size_t number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[out] ret_cell owned(by=weir_cell_free); it
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_cell_take(weir_cell *ret_cell) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] count how many
 * @param[out] ret_cells array(len=count) owned(by=weir_cell_free); it
 * @return count
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_cell_take_many(uint32_t count, weir_cell *ret_cells) noexcept { return 0; }
