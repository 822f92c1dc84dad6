// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: ownership that passes over something that is neither an id nor a handle.

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_HANDLE(weir_thing);

/**
 * Does it.
 *
 * @class weir_thing dtor
 * @param[in] thing nullable; the thing
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_thing *weir_thing_unref(struct weir_thing *thing) noexcept { return 0; }

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
 * @param[in] number consumed; it
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_a(uint32_t number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] data consumed bytes(len=4); it
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_b(const void *data) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[out] ret_cell consumed; it
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_c(weir_cell *ret_cell) noexcept { return 0; }
