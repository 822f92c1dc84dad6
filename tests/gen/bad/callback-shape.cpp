// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: callbacks of another shape, and functions that forget what belongs to one.

/**
 * A thing.
 *
 * @param[in] userdata userdata(of=callback); given
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_void_fn) void (void *userdata);

/**
 * A thing.
 *
 * @param[in] number one
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_short_fn) int (uint32_t number);

/**
 * A thing.
 *
 * @param[in] context userdata(of=callback); given
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_named_fn) int (void *context);

/**
 * A thing.
 *
 * @param[in] userdata userdata(of=callback) nullable; given
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_call_fn) int (void *userdata);

/**
 * A thing.
 *
 * @param[in] userdata userdata(of=callback) nullable; given
 * @scope notified
 * @since 0.1
 */
WEIR_CALLBACK(weir_later_fn) int (void *userdata);

/**
 * Does it.
 *
 * @class library static
 * @param[in] callback called
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_a(weir_call_fn callback) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] callback called
 * @param[in] userdata userdata(of=callback) nullable; passed on
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_b(weir_later_fn callback, void *userdata) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] callback called
 * @param[in] number one
 * @param[in] userdata userdata(of=callback) nullable; passed on
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_c(weir_call_fn callback, uint32_t number, void *userdata) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] callback called
 * @param[in] userdata userdata(of=nobody) nullable; passed on
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_d(weir_call_fn callback, void *userdata) noexcept { return 0; }
