// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: tags where they may not stand, and names that name nothing.

/**
 * A thing.
 *
 * @class library static
 * @kind record
 * @skip go why not
 * @since 0.1
 */
WEIR_ENUM(weir_colour) {
    /** red
     * @thread any */
    WEIR_COLOUR_RED = 1,
    /** blue
     * @param[in] x y */
    WEIR_COLOUR_BLUE = 2,
};

/**
 * A thing.
 *
 * @scope call
 * @param[in] a b
 * @since 0.1
 */
constexpr uint32_t WEIR_FIVE = 5;

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @scope call
 * @kind record
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_a(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] ghost nobody
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_b(void) noexcept { return 0; }

/**
 * A thing.
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_box_options) {
    /** text */
    size_t size;
};

/**
 * Does it.
 *
 * @class library static
 * @param[in] options sized nullable; what
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @blocks timeout(options.wait_ns)
 * @thread any
 * @since 0.1
 */
WEIR_API int weir_c(const struct weir_box_options *options) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @blocks timeout(wait_ns)
 * @thread any
 * @since 0.1
 */
WEIR_API int weir_d(void) noexcept { return 0; }
