// SPDX-License-Identifier: MIT OR Apache-2.0
// Input of the generator's tests: an id: owned by a function, borrowed from, consumed, in batches.

/**
 * A cell. 0 is none.
 *
 * @kind id(Cell)
 * @since 0.1
 */
typedef uint64_t weir_cell;

/**
 * Takes a cell.
 *
 * @class library static
 * @param[in]  size     bytes
 * @param[out] ret_cell owned(by=weir_cell_free); the cell
 * @param[out] ret_data nullable bytes(len=size) borrowed(of=ret_cell); its first byte
 * @return ok
 * @errors
 *   -EINVAL `size` is 0
 *   -ENOMEM there is none
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_cell_take(size_t size, weir_cell *ret_cell, void **ret_data) noexcept
{
    return -EINVAL;
}

/**
 * Gives a cell back.
 *
 * @class library static
 * @param[in] cell consumed; the cell
 * @return ok
 * @errors
 *   -EINVAL it is none
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_cell_free(weir_cell cell) noexcept
{
    return -EINVAL;
}

/**
 * Gives several cells back.
 *
 * @class library static
 * @param[in] cells consumed array(len=count); the cells
 * @param[in] count how many
 * @return count
 * @errors
 *   -EINVAL one is none
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_cell_free_many(const weir_cell *cells, size_t count) noexcept
{
    return -EINVAL;
}
