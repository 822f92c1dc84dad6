// SPDX-License-Identifier: MIT OR Apache-2.0
// Input of the generator's tests: functions of every result, with words on pointers of every kind.
#include <cstring>

/**
 * Our errors.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_error) {
    /** it is stale */
    WEIR_E_STALE = 4096,
};

/**
 * Returns nothing but 0.
 *
 * @class library static
 * @param[in] on whether
 * @return ok
 * @errors
 *   -ENOSYS         not here
 *   -WEIR_E_STALE   `on` is stale, and a text that does not fit one line of the header is broken
 *                   and goes on below
 * @thread any
 * @blocks timeout(on)
 * @since 0.1
 */
WEIR_API int weir_ok(bool on) noexcept
{
    return on ? 0 : -ENOSYS;
}

/**
 * Counts.
 *
 * @class library static
 * @param[in]  text       utf8; what is counted
 * @param[in]  room       bytes of `ret_buffer`
 * @param[out] ret_buffer bytes(len=room) nullable; a copy
 * @return count; the bytes that were copied
 * @errors
 *   -EINVAL `text` is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_count(const char *text, size_t room, void *ret_buffer) noexcept
{
    return -EINVAL;
}

/**
 * Tells.
 *
 * @class library static
 * @param[in]    data   bytes(len=4); four bytes
 * @param[inout] cursor where it stands
 * @return bool
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_tell(const void *data, uint64_t *cursor) noexcept
{
    return -EINVAL;
}

/**
 * Names.
 *
 * @class library static
 * @return text
 * @thread any
 * @blocks no
 * @signal safe
 * @since 0.1
 */
WEIR_API const char *weir_title(void) noexcept
{
    return "}";
}

/**
 * Points into something.
 *
 * @class library static
 * @param[in] base bytes(len=weir_plain); where it begins
 * @return value borrowed(of=base) nullable bytes(len=weir_plain); its middle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API const void *weir_middle(const void *base) noexcept
{
    return base;
}

/**
 * A number.
 *
 * @class library static
 * @return value
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API uint64_t weir_plain(void) noexcept
{
    return 1;
}
