// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: releases that are missing, wrong or yet to come.

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 */
WEIR_API int weir_a(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.2
 */
WEIR_API int weir_b(void) noexcept { return 0; }

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_colour) {
    /** red
     * @since 9.0 */
    WEIR_COLOUR_RED = 1,
    /** blue
     * @since 0.0 */
    WEIR_COLOUR_BLUE = 2,
};
