// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: items and members without a comment.

WEIR_HANDLE(weir_thing);

/**
 * Does it.
 *
 * @class weir_thing dtor
 * @param[in] thing nullable; the thing
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_thing *weir_thing_unref(struct weir_thing *thing) noexcept { return 0; }

WEIR_API int weir_bare(void) noexcept { return 0; }

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_colour) {
    WEIR_COLOUR_RED = 1,
};

/**
 * A thing.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_entry) {
    uint64_t number;
};
