// SPDX-License-Identifier: MIT OR Apache-2.0
// Input of the generator's tests: callbacks, called during the call and later.

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_HANDLE(weir_bell);

/**
 * Ends a bell.
 *
 * @class weir_bell dtor
 * @param[in] bell nullable; the bell
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_bell *weir_bell_unref(struct weir_bell *bell) noexcept { return nullptr; }

/**
 * Called for each ring. Anything but 0 ends the walk.
 *
 * @param[in] data     bytes(len=size); what was rung
 * @param[in] size     its bytes
 * @param[in] userdata userdata(of=callback) nullable; the caller's pointer
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_ring_fn) int (const void *data, size_t size, void *userdata);

/**
 * Called when the bell rings.
 *
 * @param[in] userdata userdata(of=callback) nullable; the caller's pointer
 * @scope notified
 * @since 0.1
 */
WEIR_CALLBACK(weir_alarm_fn) int (void *userdata);

/**
 * Called when a callback is no longer needed.
 *
 * @param[in] userdata userdata(of=callback) nullable; the caller's pointer
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_destroy_fn) int (void *userdata);

/**
 * Calls a function for each ring.
 *
 * @class weir_bell iter
 * @param[in] bell     the bell
 * @param[in] callback called for each ring
 * @param[in] userdata userdata(of=callback) nullable; passed on
 * @return count
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_bell_walk(struct weir_bell *bell, weir_ring_fn callback, void *userdata) noexcept
{
    return -EINVAL;
}

/**
 * Calls a function whenever the bell rings.
 *
 * @class weir_bell method
 * @param[in] bell     the bell
 * @param[in] alarm    nullable; called when it rings
 * @param[in] userdata userdata(of=alarm) nullable; passed on
 * @param[in] finish   destroy(of=alarm) nullable; called once
 * @return ok
 * @errors
 *   -EINVAL `bell` is NULL
 * @thread any
 * @blocks stall
 * @since 0.1
 */
WEIR_API int weir_bell_watch(struct weir_bell *bell, weir_alarm_fn alarm, void *userdata,
                             weir_destroy_fn finish) noexcept
{
    return -EINVAL;
}
