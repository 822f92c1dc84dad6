// SPDX-License-Identifier: MIT OR Apache-2.0
// Input of the generator's tests: flags of both widths.

/**
 * Small flags.
 *
 * @since 0.1
 */
WEIR_FLAGS(weir_small_flags, uint32_t) {
    /** the first */
    WEIR_SMALL_FIRST = 1,
    /** the last */
    WEIR_SMALL_LAST = 1u << 31,
};

/**
 * Wide flags.
 *
 * @since 0.1
 */
WEIR_FLAGS(weir_wide_flags, uint64_t) {
    /** above 32 bits */
    WEIR_WIDE_HIGH = 1 << 40,
};
