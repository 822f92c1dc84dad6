// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: lengths of nothing and pointers without a length.

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
 * @param[in] data bytes(len=length); some
 * @param[in] size bytes
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_a(const void *data, size_t size) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] data_len bytes
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_b(size_t data_len) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] slot_size bytes
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_c(size_t slot_size) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] item_count how many
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_d(uint32_t item_count) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[out] ret_data bytes(len=8); some
 * @param[out] ret_data_size bytes
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_e(void *ret_data, size_t *ret_data_size) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[out] ret_data bytes(len=return); some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_f(void *ret_data) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] data bytes(len=thing); some
 * @param[in] thing a thing
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_g(const void *data, const struct weir_thing *thing) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] base bytes(len=4); some
 * @return value borrowed(of=base) bytes(len=nobody); some
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API const void *weir_h(const void *base) noexcept { return 0; }
