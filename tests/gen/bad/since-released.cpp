// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: releases that contradict the released snapshot.

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_colour) {
    /** red */
    WEIR_COLOUR_RED = 1,
    /** new */
    WEIR_COLOUR_NEW = 4,
};

/**
 * A thing.
 *
 * @since 0.2
 */
constexpr uint32_t WEIR_LIMIT = 5;

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_late(void) noexcept { return 0; }
