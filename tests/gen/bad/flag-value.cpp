// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: flags that are not one bit.

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_FLAGS(weir_small_flags, uint32_t) {
    /** none */
    WEIR_SMALL_NONE = 0,
    /** one */
    WEIR_SMALL_ONE = 1,
    /** three */
    WEIR_SMALL_THREE = 3,
    /** again */
    WEIR_SMALL_AGAIN = 1,
    /** wide */
    WEIR_SMALL_WIDE = 1 << 32,
    /** implicit */
    WEIR_SMALL_LAST,
};
