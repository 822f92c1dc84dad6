// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: pointers that do not say what they point to, or say it wrongly.

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
 * A thing.
 *
 * @kind id(Cell)
 * @since 0.1
 */
typedef uint64_t weir_cell;

/**
 * Does it.
 *
 * @class library static
 * @param[in] data some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_a(const void *data) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] text some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_b(const char *text) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] text utf8; some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_c(const uint8_t *text) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] number nullable; some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_d(uint32_t number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] options nullable; some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_e(const struct weir_box_options *options) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] number sized; some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_f(const uint32_t *number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[out] ret_cell owned; some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_g(weir_cell *ret_cell) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[out] ret_cell owned(by=weir_nobody); some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_h(weir_cell *ret_cell) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[out] ret_cell borrowed(of=nobody); some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_i(weir_cell *ret_cell) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] number owned(by=weir_a); some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_j(const uint32_t *number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] userdata userdata(of=callback); some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_k(const uint32_t *userdata) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] data array(len=count); some
 * @param[in] count how many
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_l(const void *data, size_t count) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] text utf8 bytes(len=4); some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_m(const char *text) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return value
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API const void *weir_n(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return value borrowed(of=nobody); some
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API const void *weir_o(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok nullable; 0
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_p(void) noexcept { return 0; }

/**
 * A piece of the caller's memory.
 *
 * @kind part
 * @since 0.1
 */
WEIR_STRUCT(weir_piece) {
    /** bytes(len=len); its first byte */
    const void *data;
    /** bytes */
    size_t len;
};

/**
 * Does it.
 *
 * @class library static
 * @param[in]  one        one piece
 * @param[out] ret_pieces array(len=3); pieces
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_q(const struct weir_piece *one, struct weir_piece *ret_pieces) noexcept
{
    return 0;
}
