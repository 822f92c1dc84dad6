// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: old items without a new one.

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @deprecated 0.1 use weir_ghost()
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
 *   -EINVAL a pointer is NULL
 * @deprecated 0.9 use weir_a()
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_b(void) noexcept { return 0; }
