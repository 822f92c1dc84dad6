// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: values that an earlier release gave to another name.

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_colour) {
    /** was red */
    WEIR_COLOUR_CRIMSON = 1,
};

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_FLAGS(weir_small_flags, uint32_t) {
    /** was one */
    WEIR_SMALL_OTHER = 1,
};
