// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: types that not every language or machine can hold.

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
 * @param[in] number some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_a(unsigned long number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] number some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_b(double number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] thing some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_c(struct weir_ghost *thing) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] number some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_d(weir_later number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] thing some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_e(struct weir_thing thing) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[out] ret_on some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_f(bool *ret_on) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return value
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API bool weir_g(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[out] ret_number some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_h(uint32_t ***ret_number) noexcept { return 0; }

/**
 * A thing.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_i) {
    /** text */
    bool on;
};

/**
 * A thing.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_j) {
    /** text */
    float number;
};

/**
 * A thing.
 *
 * @since 0.1
 */
constexpr int WEIR_PLAIN_INT = 3;

/**
 * A thing.
 *
 * @since 0.1
 */
constexpr uint8_t WEIR_TOO_LARGE = 256;

/**
 * A thing.
 *
 * @since 0.1
 */
constexpr uint32_t WEIR_BELOW = -1;

/**
 * A thing.
 *
 * @since 0.1
 */
constexpr unsigned long WEIR_LONG = 1;

/**
 * A thing.
 *
 * @param[in] userdata userdata(of=callback) nullable; given
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_call_fn) int (void *userdata);

/**
 * Does it.
 *
 * @class library static
 * @param[out] ret_callback some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_k(weir_call_fn *ret_callback) noexcept { return 0; }

/**
 * A thing.
 *
 * @kind id(Later)
 * @since 0.1
 */
typedef uint64_t weir_later;

/**
 * Does it.
 *
 * @class library static
 * @param[in] nothing some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_l(void nothing) noexcept { return 0; }
