// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: names that hide or contradict their unit.

/**
 * Does it.
 *
 * @class library static
 * @param[in] wait_ms some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_a(int64_t wait_ms) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] wait_us some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_b(int64_t wait_us) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] wait_sec some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_c(int64_t wait_sec) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] timeout some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_d(int64_t timeout) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] wait_ns some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_e(uint64_t wait_ns) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] size some
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_f(uint32_t size) noexcept { return 0; }

/**
 * A thing.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_g) {
    /** text */
    uint32_t length;
    /** text */
    uint32_t used_bytes;
};
