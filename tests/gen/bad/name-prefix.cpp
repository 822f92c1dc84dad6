// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: names of others, in the wrong case, or used twice.

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_HANDLE(thing);

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
WEIR_API int other_a(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] Number a number
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_Upper(int Number) noexcept { return 0; }

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_colour) {
    /** red */
    COLOUR_RED = 1,
    /** blue */
    WEIR_colour_blue = 2,
};

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_colour) {
    /** red */
    WEIR_COLOUR_RED = 1,
};

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
WEIR_API int weir_twice(void) noexcept { return 0; }

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
WEIR_API int weir_twice(void) noexcept { return 0; }

/**
 * A thing.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_entry) {
    /** text */
    uint64_t number;
    /** text */
    uint64_t number;
    /** text */
    uint64_t Other;
};

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
 * Does it.
 *
 * @class weir_thing method
 * @param[in] thing the thing
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_thing_name(struct weir_thing *thing) noexcept { return 0; }

/**
 * Does it.
 *
 * @class weir_thing method
 * @param[in] thing the thing
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_name(struct weir_thing *thing) noexcept { return 0; }

/**
 * A thing.
 *
 * @since 0.1
 */
constexpr uint32_t WEIR_MixedCase = 1;
