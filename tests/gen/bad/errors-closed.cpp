// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: lists of errors that are not closed, sorted, complete or true.

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EBOGUS no such
 *   -WEIR_E_GHOST no such
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_a(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL one
 *   -EAGAIN two
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_b(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL one
 *   -EINVAL two
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_c(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] number one
 * @return ok
 * @errors
 *   -ENOMEM one
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_d(const uint32_t *number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return value
 * @errors
 *   -EINVAL one
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API uint32_t weir_e(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EWOULDBLOCK an alias
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_f(void) noexcept { return 0; }
