// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: handles with no end, with two, or with one of the wrong shape.

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_HANDLE(weir_endless);

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
 * @class weir_thing dtor
 * @param[in] thing nullable; the thing
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_thing *weir_thing_close(struct weir_thing *thing) noexcept { return 0; }

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_HANDLE(weir_bad);

/**
 * Does it.
 *
 * @class weir_bad dtor
 * @param[in] bad nullable; it
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_bad_unref(struct weir_bad *bad) noexcept { return 0; }

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_HANDLE(weir_strict);

/**
 * Does it.
 *
 * @class weir_strict dtor
 * @param[in] strict it
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_strict *weir_strict_unref(struct weir_strict *strict) noexcept { return 0; }
