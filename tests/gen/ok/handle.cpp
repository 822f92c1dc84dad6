// SPDX-License-Identifier: MIT OR Apache-2.0
// Input of the generator's tests: a handle with its four lives: made, shared, used, closed.

/**
 * A thing with a life of its own.
 *
 * @since 0.1
 */
WEIR_HANDLE(weir_thing);

/**
 * Makes a thing.
 *
 * @class weir_thing ctor
 * @param[out] ret_thing owned; the new handle
 * @return ok
 * @errors
 *   -EINVAL `ret_thing` is NULL
 *   -ENOMEM no memory
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_thing_create(struct weir_thing **ret_thing) noexcept
{
    return ret_thing == nullptr ? -EINVAL : -ENOMEM;
}

/**
 * Takes another reference.
 *
 * @class weir_thing ref
 * @param[in] thing the thing
 * @return handle
 * @thread any
 * @blocks no
 * @signal safe
 * @since 0.1
 */
WEIR_API struct weir_thing *weir_thing_ref(struct weir_thing *thing) noexcept
{
    return thing;
}

/**
 * Gives a reference back; the last one ends the thing.
 *
 * @class weir_thing dtor
 * @param[in] thing nullable; the thing
 * @return handle
 * @thread owner
 * @blocks yes
 * @since 0.1
 */
WEIR_API struct weir_thing *weir_thing_unref(struct weir_thing *thing) noexcept
{
    (void)thing;
    return nullptr;
}

/**
 * Gives the thing away for good.
 *
 * @class weir_thing method
 * @param[in] thing the thing
 * @param[in] other consumed; one that it swallows
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread external
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_thing_swallow(struct weir_thing *thing, struct weir_thing *other) noexcept
{
    return thing == other ? -EINVAL : 0;
}
