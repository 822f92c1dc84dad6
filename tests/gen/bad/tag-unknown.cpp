// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: tags, words and values that do not exist.

/**
 * Does it.
 *
 * @class library static
 * @param[in] text utf9; a text
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
 * @param[in] text utf8(len=3); a text
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_b(const char *text) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] text bytes; a text
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_c(const char *text) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] text utf8; a text; with a semicolon
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_d(const char *text) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[inside] text utf8; a text
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_e(const char *text) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] ghost nobody
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_f(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return fine
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_g(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread some
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_h(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @blocks maybe
 * @thread any
 * @since 0.1
 */
WEIR_API int weir_i(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @signal unsafe
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_j(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library friend
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_k(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @author somebody
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_l(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @skip perl no
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_m(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return count the number
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_n(void) noexcept { return 0; }

/**
 * A thing.
 *
 * @kind union
 * @since 0.1
 */
WEIR_STRUCT(weir_entry) {
    /** a number */
    uint64_t number;
};

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   EINVAL without a sign
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_o(void) noexcept { return 0; }
