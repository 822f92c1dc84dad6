// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: pointers without a direction or with one that their type contradicts.

/**
 * Does it.
 *
 * @class library static
 * @param text utf8; a text
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_a(const char *text) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param number a number
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_b(int number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[out] ret_number a number
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_c(uint32_t ret_number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[out] ret_number a number
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_d(const uint32_t *ret_number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] number a number
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_e(uint32_t *number) noexcept { return 0; }
