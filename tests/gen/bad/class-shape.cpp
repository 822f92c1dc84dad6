// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: roles that do not fit their function.

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
 * @class library method
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_a(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class weir_ghost static
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
 * @class weir_thing ctor
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_c(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class weir_thing ctor
 * @param[out] ret_thing borrowed(of=ret_thing); some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_d(struct weir_thing **ret_thing) noexcept { return 0; }

/**
 * Does it.
 *
 * @class weir_thing method
 * @param[in] number some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_e(int number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class weir_thing ref
 * @param[in] thing it
 * @return value
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API uint32_t weir_f(struct weir_thing *thing) noexcept { return 0; }

/**
 * Does it.
 *
 * @class weir_thing iter
 * @param[in] thing it
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_g(struct weir_thing *thing) noexcept { return 0; }
