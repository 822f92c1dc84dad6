// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: tags that are given twice.

/**
 * Does it.
 *
 * @class library static
 * @param[in] number one
 * @param[in] number two
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @since 0.1
 * @thread any
 * @thread owner
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_a(int number) noexcept { return 0; }
