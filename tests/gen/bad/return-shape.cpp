// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: results that are not what the comment says.

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
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API uint32_t weir_a(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return count
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int64_t weir_b(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return text
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_c(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return text
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API char *weir_d(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_e(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return value
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API void weir_f(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class weir_thing method
 * @param[in] thing it
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_thing *weir_g(struct weir_thing *thing) noexcept { return 0; }
