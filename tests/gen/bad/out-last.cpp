// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: outputs that are not last or not called ret_.

/**
 * Does it.
 *
 * @class library static
 * @param[out] number a number
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_a(uint32_t *number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] ret_number a number
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_b(uint32_t ret_number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[out] ret_number a number
 * @param[in] other a number
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_c(uint32_t *ret_number, uint32_t other) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] texts array(len=count) utf8; texts
 * @param[in] count how many
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_d(const char *const *texts, size_t count) noexcept { return 0; }
