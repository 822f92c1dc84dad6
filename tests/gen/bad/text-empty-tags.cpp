// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: tags that say nothing.

/** @file */

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @note
 * @source
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
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_b(void) noexcept { return 0; }
