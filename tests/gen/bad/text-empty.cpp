// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: comments that say nothing.

/**
 * Does it.
 *
 * @class library static
 * @param[in] number
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_a(int number) noexcept { return 0; }

/**
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_b(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_c(void) noexcept { return 0; }

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_colour) {
    /** @since 0.1 */
    WEIR_COLOUR_RED = 1,
};
