// SPDX-License-Identifier: MIT OR Apache-2.0
// Input of the generator's tests: an enum, with decimal, hexadecimal and shifted values.

/**
 * Colours.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_colour) {
    /** none at all */
    WEIR_COLOUR_NONE = 0,
    /** as of blood */
    WEIR_COLOUR_RED = 0x10,
    /** a comment that is so long that it does not fit one line of the header and has to be broken */
    WEIR_COLOUR_BLUE = 1 << 8,
    /** the largest */
    WEIR_COLOUR_LAST = 2147483647u,
};
