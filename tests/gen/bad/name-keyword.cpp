// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: names that are keywords of one of the languages.

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
WEIR_API int weir_thing_match(struct weir_thing *thing) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] class a class
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_a(int class) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] func a function
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_b(int func) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] lambda one
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_c(int lambda) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[out] ret_type its type
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_d(uint32_t *ret_type) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] register one
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_e(int register) noexcept { return 0; }

/**
 * A thing.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_entry) {
    /** text */
    uint64_t ref;
};
