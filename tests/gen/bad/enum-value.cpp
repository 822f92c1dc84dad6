// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: enum values that are implicit, repeated or out of range.

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_colour) {
    /** red */
    WEIR_COLOUR_RED,
    /** blue */
    WEIR_COLOUR_BLUE = 1,
    /** azure */
    WEIR_COLOUR_AZURE = 1,
    /** dark */
    WEIR_COLOUR_DARK = -1,
    /** bright */
    WEIR_COLOUR_BRIGHT = 2147483648,
};

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_empty) {
};
