// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: releases of another form.

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1.0
 */
WEIR_API int weir_a(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since soon
 */
WEIR_API int weir_b(void) noexcept { return 0; }
