// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: a function that is left out of a binding for no reason.

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @skip rust
 * @skip go because
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_a(void) noexcept { return 0; }
